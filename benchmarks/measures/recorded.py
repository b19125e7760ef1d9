"""CPU of streams that were recorded from real servers, made long."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from urllib.parse import quote

import limit
import peers
import recordings
from model import Row, Section, Sizes
from recordings import Recording
from timing import Ratio, cpu, in_turns, ratios

TARGETS = {"text": (2.2, 1.3), "reasoning": (2.2, 1.3), "tools": (3.5, 2.7)}
ABOUT = """The same for streams that were recorded from real servers and services: their ordinary events are repeated
where they stand until the stream is long. Chunks differ from server to server in size and in what they say beside the
text, and the limit with them. openai-python reads those of its own form. In parentheses behind a median are the lowest
and the highest of its recordings."""


def measure(base: str, sizes: Sizes) -> Section:
    """One row for each recording, and the medians in front."""
    section = Section("Recorded streams", ABOUT, plot="recorded")
    found = recordings.load_all()
    if not found:
        section.remarks.append(
            f"There are no recordings at {recordings.RECORDINGS.name!r} (COMPATAPI_RECORDINGS): left out."
        )
        return section
    rows: dict[str, list[Row]] = {}
    for recording in found[: sizes.recordings]:
        figures = _measure_one(base, recording, sizes)
        if recording.dialect == "openai" and peers.OPENAI in peers.present() and peers.OPENAI not in figures:
            section.remarks.append(f"The loop over openai-python's stream fails on {recording.name}.")
        target = TARGETS.get(recording.kind, (None, None)) if recording.dialect == "openai" else (None, None)
        name = f"{recording.name.rpartition('.')[0]} ({recording.kind})"
        rows.setdefault(recording.kind, []).append(Row(name, ratios(figures, peers.LIMIT), *target))
    for kind, some in sorted(rows.items()):
        judged = [row for row in some if row.must is not None]
        if judged:
            section.rows.append(_summary(f"median of {len(judged)} of the OpenAI form: {kind}", judged))
    section.listed = len(section.rows)
    section.rows += [row for kind in sorted(rows) for row in rows[kind]]
    return section


def _summary(name: str, rows: list[Row]) -> Row:
    names = dict.fromkeys(client for row in rows for client in row.figures)
    found = {client: [row.figures[client].middle for row in rows if client in row.figures] for client in names}
    made = {client: Ratio(statistics.median(some), min(some), max(some)) for client, some in found.items()}
    return Row(name, made, rows[0].must, rows[0].dream)


def _measure_one(base: str, recording: Recording, sizes: Sizes) -> dict[str, list[float]]:
    url = f"{base}/recorded:{quote(recording.name)}/{sizes.recorded}/v1"
    with ExitStack() as stack:
        runs: dict[str, Callable[[], int]] = {peers.LIMIT: limit.counter(url, stack, recording.form)}
        for name, peer in peers.present().items():
            if name == peers.OURS and recording.dialect != "openai":
                read = peers.compatapi_stream(url, stack, recording.dialect)
                runs[name] = lambda read=read: peers.count_objects(read())
            elif name in (peers.OURS, peers.OPENAI) and recording.dialect == "openai":
                runs[name] = peers.counter(name, peer, url, stack)
        expected = runs[peers.LIMIT]()
        for name, run in list(runs.items()):
            try:
                count = run()
            except AttributeError:  # of a field that the type promises and the server does not send
                del runs[name]
                continue
            if count < expected / 3:  # an event that says nothing is no chunk
                raise SystemExit(f"{name} does not see the chunks of {recording.name}")
        turns = {name: partial(cpu, run) for name, run in runs.items()}
        return in_turns(turns, sizes.recorded_rounds)
