"""How things are timed: in turns, and only compared with what ran in the same turn.

The speed of a machine drifts from second to second. So every round runs all that is to be compared, one after the
other, and what counts is the median of the ratios within the rounds. Time is CPU time of this process, user and system:
what else the machine does, and waiting, are not in it.
"""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

#: malloc.h of glibc.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


class Ratio(NamedTuple):
    """The median of the ratios within the rounds, and the quartiles of them."""

    middle: float
    low: float
    high: float


def keep_memory() -> None:
    """Have the C library use freed memory again, whatever its size.

    By itself glibc gives large pieces back, the sooner the less was freed before. To get a page anew costs the kernel
    more than to read what is in it costs any client, so that the order of the measures would decide.
    """
    with suppress(OSError, AttributeError):  # another system's C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def cpu(run: Callable[[], object]) -> float:
    """Seconds of CPU, user and system, that a function takes."""
    start = time.process_time()
    run()
    return time.process_time() - start


def in_turns(runs: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Call each function once in each round, every second round backwards; what each returned, round by round."""
    figures: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(rounds):
        for name in reversed(names) if number % 2 else names:
            gc.collect()  # what the one before has left behind is not this one's
            figures[name].append(runs[name]())
    return figures


def ratio(figures: Sequence[float], to: Sequence[float]) -> Ratio:
    """The ratio of two rows of figures, round by round."""
    ratios = [a / b for a, b in zip(figures, to, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Ratio(statistics.median(ratios), low, high)


def ratios(figures: Mapping[str, Sequence[float]], to: str) -> dict[str, Ratio]:
    """The ratio of each row of figures to one of them."""
    return {name: ratio(values, figures[to]) for name, values in figures.items()}


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which that many percent of the values are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
