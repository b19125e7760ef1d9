"""Whether a chunk costs the same in a stream of any length, and a byte the same in an event of any size."""

from __future__ import annotations

from contextlib import ExitStack

import limit
import peers
from model import Row, Section, Sizes
from timing import cpu, in_turns, ratio

ABOUT = """CPU for each chunk of longer streams, as a ratio to that in the shortest, the answer accumulated; and CPU for
each byte of one huge event, as a ratio to one of a tenth of its size. The column of the limit says what of that is the
machine's memory."""


def measure(base: str, sizes: Sizes) -> Section:
    """One row for each length of a stream, and one for the huge event."""
    section = Section("Growth", ABOUT, plot="growth")
    shortest, *longer = sizes.growth
    with ExitStack() as stack:
        runs = {}
        for count in sizes.growth:
            url = f"{base}/text/{count}/v1"
            ours, least = peers.compatapi_stream(url, stack), limit.counter(url, stack)
            # The short ones are read more often, or the long ones would be compared with noise.
            times = max(1, longer[0] // count)
            runs[f"compatapi {count}"] = lambda read=ours, n=times: _each(lambda: peers.count_objects(read()), n)
            runs[f"limit {count}"] = lambda read=least, n=times: _each(read, n)
        found = in_turns(runs, sizes.growth_rounds)
    for count in longer:
        figures = {
            name: ratio(found[f"{name} {count}"], found[f"{name} {shortest}"]) for name in ("compatapi", "limit")
        }
        target = (1.05, 1.02) if count == longer[-1] else (None, None)
        section.rows.append(Row(f"{count:,} chunks against {shortest:,}", figures, *target))
    section.rows.append(_one_event(base, sizes))
    return section


def _each(run, times: int) -> float:
    """Seconds for each chunk."""
    counts: list[int] = []
    spent = cpu(lambda: counts.extend(run() for _ in range(times)))
    return spent / sum(counts)


def _one_event(base: str, sizes: Sizes) -> Row:
    small, large = sizes.event, 10 * sizes.event
    with ExitStack() as stack:
        runs = {}
        for megabytes in (small, large):
            url = f"{base}/event/{megabytes}/v1"
            ours, least = peers.compatapi_stream(url, stack), limit.gatherer(url, stack)
            times = large // megabytes
            for name, run in (("compatapi", lambda read=ours: peers.count_objects(read())), ("limit", least)):
                run()
                runs[f"{name} {megabytes}"] = lambda run=run, n=times: cpu(lambda: [run() for _ in range(n)])
        found = in_turns(runs, sizes.growth_rounds)
    figures = {name: ratio(found[f"{name} {large}"], found[f"{name} {small}"]) for name in ("compatapi", "limit")}
    return Row(f"one event of {large} MB against {small} MB, per byte", figures, 1.05, 1.02)
