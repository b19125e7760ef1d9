"""CPU of the streams of the OpenAI form, kind by kind."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

import peers
from answers import OPENAI_STREAMS
from model import Row, Section, Sizes
from timing import cpu, in_turns, ratios

TITLES = {
    "text": "text",
    "padding": "text with padding",
    "reasoning": "reasoning",
    "tools": "tool call",
    "full": "text, usage and logprobs in every chunk",
}
#: Ratio to the limit: must, dream.
TARGETS = {"text": (2.2, 1.3), "padding": (2.2, 1.3), "reasoning": (2.2, 1.3), "tools": (3.5, 2.7)}
ABOUT = """User and system CPU of a stream, as a ratio to the limit, for chunks of about 310 bytes, each in an HTTP
chunk of its own, as fast as the server can send them. "Padding" is the field `obfuscation` of OpenAI, whose length
changes from chunk to chunk. The last row says everything that a chunk can say; it has no target."""


def measure(base: str, sizes: Sizes) -> Section:
    """One row for each kind of stream, and one for compatapi against openai-python."""
    section = Section("Streams", ABOUT, plot="streams")
    for kind in OPENAI_STREAMS:
        figures = _measure_kind(f"{base}/{kind}/{sizes.chunks}/v1", sizes)
        section.rows.append(Row(TITLES[kind], ratios(figures, peers.LIMIT), *TARGETS.get(kind, (None, None))))
        if kind == "text" and peers.OPENAI in figures:
            against = ratios(figures, peers.OPENAI)
            beside = Row("text, against openai-python", {peers.OURS: against[peers.OURS]}, 1 / 22, 1 / 35)
    if peers.OPENAI in peers.present():
        section.rows.append(beside)
    return section


def _measure_kind(url: str, sizes: Sizes) -> dict[str, list[float]]:
    with ExitStack() as stack:
        runs = {name: peers.counter(name, peer, url, stack) for name, peer in peers.present().items()}
        counts = {name: run() for name, run in runs.items()}  # imports and first use are not what is measured
        if set(counts.values()) != {sizes.chunks + 2}:
            raise SystemExit(f"Not all have seen {sizes.chunks + 2} chunks of {url}: {counts}")
        return in_turns({name: partial(cpu, run) for name, run in runs.items()}, sizes.rounds)
