"""How things are timed: in turns, and only compared with what ran in the same turn.

The speed of a machine drifts from second to second. So every round runs all that is to be compared, one after the
other, and what counts is the median of the ratios within the rounds. Time is CPU time of this process, user and system:
what else the machine does, and waiting, are not in it.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Ratio(NamedTuple):
    """The median of the ratios within the rounds, and the quartiles of them."""

    middle: float
    low: float
    high: float


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
