"""What a benchmark is asked for and what comes out of it: sizes, rows, sections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from timing import Ratio


@dataclass(frozen=True)
class Sizes:
    """How much is done. Counts of chunks, rounds and calls; milliseconds are not here, the server has them."""

    rounds: int = 7
    close_rounds: int = 21  # of what differs by a few percent
    chunks: int = 10_000
    recorded: int = 3_000
    recorded_rounds: int = 5
    recordings: int = 1000  # at most so many
    paced: int = 150
    paced_rounds: int = 9
    calls: int = 40
    big: int = 5_000_000
    big_calls: int = 3
    threads: int = 50
    thread_chunks: int = 40
    thread_rounds: int = 3
    memory: int = 200_000
    growth: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    growth_rounds: int = 5
    event: int = 5  # millions of letters; the other one is ten times as long
    starts: int = 9


FULL = Sizes()
QUICK = Sizes(
    rounds=3,
    close_rounds=5,
    chunks=2_000,
    recorded=200,
    recorded_rounds=1,
    paced=50,
    paced_rounds=2,
    calls=10,
    big=1_000_000,
    big_calls=1,
    thread_chunks=12,
    thread_rounds=1,
    memory=10_000,
    growth=(5_000, 50_000),
    growth_rounds=2,
    event=1,
    starts=1,
)
#: Just enough to run every line; the figures mean nothing.
TINY = Sizes(
    rounds=1,
    close_rounds=1,
    chunks=100,
    recorded=20,
    recorded_rounds=1,
    recordings=4,
    paced=4,
    paced_rounds=1,
    calls=2,
    big=10_000,
    big_calls=1,
    threads=3,
    thread_chunks=2,
    thread_rounds=1,
    memory=2_000,
    growth=(100, 1_000),
    growth_rounds=1,
    event=1,
    starts=1,
)


@dataclass
class Row:
    """One measure: a figure for each client, and the two targets for compatapi. Less is better in all of them.

    Attributes:
        name: What was done.
        figures: By client.
        must: What compatapi has to reach.
        dream: What it would like to reach.
        judged: The client that the targets are for.
        unit: Empty for ratios.
    """

    name: str
    figures: dict[str, Ratio]
    must: float | None = None
    dream: float | None = None
    judged: str = "compatapi"
    unit: str = ""

    @property
    def verdict(self) -> str:
        """Which targets are met."""
        figure = self.figures.get(self.judged)
        if figure is None or (self.must is None and self.dream is None):
            return ""
        if self.dream is not None and figure.middle <= self.dream:
            return "dream"
        return "met" if self.must is None or figure.middle <= self.must else "MISSED"


@dataclass
class Section:
    """A table of rows that belong together.

    Attributes:
        title: Its heading.
        about: What was done, and what the figures are ratios to; for the page.
        plot: Name of its plot, or empty.
        listed: How many of the rows the page lists; the others are in the plot only. ``None`` for all.
        remarks: What was left out, and the like.
    """

    title: str
    about: str
    rows: list[Row] = field(default_factory=list)
    plot: str = ""
    listed: int | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def clients(self) -> list[str]:
        """The columns, in the order in which they appear."""
        return list(dict.fromkeys(name for row in self.rows for name in row.figures))


def exactly(value: float) -> Ratio:
    """A figure that was counted and not measured."""
    return Ratio(value, value, value)


def missed(sections: Iterable[Section]) -> list[Row]:
    """The rows that do not reach what they must."""
    return [row for section in sections for row in section.rows if row.verdict == "MISSED"]
