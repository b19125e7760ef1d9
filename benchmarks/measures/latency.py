"""How much later than the bytes a program has the text: paced streams, one at a time and fifty at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import peers
from model import Row, Section, Sizes
from timing import Ratio, in_turns, percentile, ratio

ABOUT = """Time from the sending of a chunk to the moment when a program has its text, for a stream with a pause of a
millisecond between two chunks, as a ratio to the limit: the median (p50) and the 99th of a hundred (p99). It is waiting
that is measured here, so that the machine has more say than elsewhere. Close-delimited answers end with their
connection; `iter_lines` of requests holds text back in those."""
THREADS = """The same with fifty streams at once, each read by a thread of its own and with a pause of 25
milliseconds; as a ratio to the limit with fifty threads."""
CODINGS = {"chunked": "chunked", "close": "close-delimited", "gzip": "gzip"}


def measure(base: str, sizes: Sizes) -> Section:
    """Two rows for each coding."""
    section = Section("Added latency", ABOUT, plot="latency")
    for coding, title in CODINGS.items():
        seen = _measure_coding(f"{base}/paced-{coding}/{sizes.paced}/v1", sizes)
        for percent, targets in ((50, (1.6, 1.25)), (99, (None, None))):
            section.rows.append(Row(f"{title}, p{percent}", _ratios(seen, percent), *targets))
    return section


def measure_threads(base: str, sizes: Sizes) -> Section:
    """Two rows."""
    url = f"{base}/slow-chunked/{sizes.thread_chunks}/v1"
    section = Section(f"{sizes.threads} threads", THREADS)
    with ExitStack() as stack:
        runs = {}
        for name, peer in peers.present().items():
            # Clients that are safe for threads are shared, as they are meant to be.
            shared = peer.stream(url, stack) if name in (peers.OURS, peers.OPENAI, "httpx-sse") else None
            opens = [shared or peer.stream(url, stack) for _ in range(sizes.threads)]
            runs[name] = lambda opens=opens, text=peer.text: _all_at_once(opens, text)
        seen = _collect(runs, sizes.thread_rounds)
    section.rows = [Row(f"p{percent}", _ratios(seen, percent)) for percent in (50, 99)]
    return section


def _measure_coding(url: str, sizes: Sizes) -> dict[str, list[list[float]]]:
    with ExitStack() as stack:
        runs: dict[str, Callable[[], list[float]]] = {}
        for name, peer in peers.present().items():
            read, text = peer.stream(url, stack), peer.text
            list(read())
            runs[name] = lambda read=read, text=text: _delays(read(), text)
        return _collect(runs, sizes.paced_rounds)


def _collect(runs: dict[str, Callable[[], list[float]]], rounds: int) -> dict[str, list[list[float]]]:
    """The delays that each has seen, round by round."""
    seen: dict[str, list[list[float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            in_turns({name: lambda run=run, name=name: seen[name].append(run()) or 0.0}, 1)
    return seen


def _delays(chunks: Iterable[Any], text_of: Callable[[Any], str | None]) -> list[float]:
    """Nanoseconds from the sending of each chunk to its reading."""
    delays = []
    for chunk in chunks:
        text = text_of(chunk)
        if text:
            delays.append(float(time.monotonic_ns() - int(text)))
    return delays


def _all_at_once(opens: list[Callable[[], Iterable[Any]]], text_of: Callable[[Any], str | None]) -> list[float]:
    delays: list[float] = []
    threads = [threading.Thread(target=lambda read=read: delays.extend(_delays(read(), text_of))) for read in opens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return delays


def _ratios(seen: dict[str, list[list[float]]], percent: int) -> dict[str, Ratio]:
    found = {name: [percentile(delays, percent) for delays in rounds] for name, rounds in seen.items()}
    return {name: ratio(values, found[peers.LIMIT]) for name, values in found.items()}
