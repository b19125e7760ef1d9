"""The measures, in the order in which they run. Each takes the server's address and the sizes, and gives sections."""

from __future__ import annotations

from collections.abc import Callable

from model import Section, Sizes

from measures import calls, dialects, growth, latency, memory, recorded, start, streams, styles

MEASURES: dict[str, Callable[[str, Sizes], Section]] = {
    "streams": streams.measure,
    "recorded": recorded.measure,
    "dialects": dialects.measure_streams,
    "styles": styles.measure,
    "latency": latency.measure,
    "threads": latency.measure_threads,
    "calls": calls.measure,
    "growth": growth.measure,
    "memory": memory.measure,
    "start": start.measure,
    "formats": dialects.measure_formats,
}
