"""The tables: as text for a terminal, and as the page of the documentation."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from model import Row, Section, missed
from plots import plot
from timing import Ratio

DOCS = Path(__file__).parents[1] / "docs"
PACKAGES = ("compatapi", "requests", "urllib3", "attrs", "cattrs", "orjson", "openai", "httpx", "httpx-sse")
WORDS = {"met": "met", "dream": "dream", "MISSED": "**missed**", "": ""}

INTRODUCTION = """# Performance

<!-- This page and its plots are written by the benchmark: "tox -e bench -- --write-docs". -->

How much of a machine compatapi needs, beside other clients and beside the *limit*: a socket, `bytes.split` and a JSON
parser, which check nothing, keep nothing and know what they will be sent. All figures are ratios, and less is better.
A ratio of 2 to the limit means: twice the CPU that reading those bytes costs in Python at the least.

```sh
tox -e bench                   # all of it, about eight minutes
tox -e bench -- --quick        # under a minute, and rougher
tox -e bench -- --only calls   # one table
```

The server is a process of its own that sends prepared bytes over the loopback interface. All clients run in turns in
one process, and a figure is the median of the ratios within the rounds, since the speed of a machine drifts while it is
being measured. In parentheses behind it are the quartiles of these ratios: where they are far apart, the machine was
noisy. There are no absolute times, because they would be those of one machine on one day. Each client is used as its
documentation shows it; openai-python and compatapi give objects, whose text is read, and the others dicts. Freed memory
of any size is used again, which by itself the C library does for large pieces only after a while.

"Must" and "dream" are targets that were set before the work on speed began, from the best of several designs that had
been tried.
"""


def versions() -> str:
    """Python, the system, and what is installed of the packages that are compared."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    system = f"{platform.system()} on {platform.machine()} with {os.cpu_count()} processors"
    return f"{platform.python_implementation()} {platform.python_version()}, {system}; {', '.join(found)}"


def show(section: Section) -> str:
    """A section as a table of text."""
    lines = _cells(section, section.rows, width=True)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    name, *others = widths
    table = [
        "  ".join([line[0].ljust(name), *(cell.rjust(width) for cell, width in zip(line[1:], others, strict=True))])
        for line in lines
    ]
    return "\n".join([f"\n{section.title}", *(table if section.rows else ()), *section.remarks])


def _cells(section: Section, rows: Iterable[Row], *, width: bool = False) -> list[list[str]]:
    clients = section.clients
    lines = [["" if width else "what", *clients, "must", "dream", "" if width else "reached"]]
    for row in rows:
        cells = [_figure(row.figures.get(client), row, client) for client in clients]
        lines.append([row.name, *cells, _target(row.must), _target(row.dream), row.verdict])
    return lines


def _figure(ratio: Ratio | None, row: Row, client: str) -> str:
    if ratio is None:
        return ""
    if row.unit:
        return f"{ratio.middle:.2f} MB" if row.unit == "MB" else f"{ratio.middle:.0f}"
    if client != row.judged or ratio.low == ratio.high:
        return _number(ratio.middle)
    return f"{_number(ratio.middle)} ({_number(ratio.low)}-{_number(ratio.high)})"


def _number(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f}"


def _target(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value >= 0.1 else f"{value:.3f}"


def summary(sections: Iterable[Section]) -> list[str]:
    """How many targets are reached, and which are not."""
    sections = list(sections)
    judged = [row for section in sections for row in section.rows if row.verdict]
    dreams = sum(row.verdict == "dream" for row in judged)
    short = missed(sections)
    reached = f"{len(judged) - len(short)} reach what they must, {dreams} of them the dream"
    lines = [f"Of {len(judged)} rows with a target {reached}."]
    for section in sections:
        names = [f"{row.name} {_number(row.figures[row.judged].middle)}" for row in missed([section])]
        lines += [f"{section.title}: {', '.join(names)}."] if names else []
    return lines


def page(sections: Iterable[Section], *, quick: bool) -> str:
    """The page of the documentation."""
    sections = list(sections)
    today = datetime.date.today().isoformat()
    parts = [INTRODUCTION, f"Measured on {today}{' (--quick)' if quick else ''} with {versions()}.", ""]
    first, *short = summary(sections)
    parts += ["## What falls short", "", first, "", *(f"- {line}" for line in short), ""]
    for section in sections:
        parts += _part(section)
    return "\n".join(parts)


def _part(section: Section) -> list[str]:
    parts = [f"## {section.title}", "", section.about, ""]
    if section.plot and section.rows:
        parts += [f"![{section.title}: a plot of the table below](performance-{section.plot}.svg)", ""]
    head, *lines = _cells(section, section.rows[: section.listed])
    if lines:
        lines = [[*line[:-1], WORDS[line[-1]]] for line in lines]
        parts += [f"| {' | '.join(line)} |" for line in (head, ["---", *["---:"] * (len(head) - 2), "---"], *lines)] + [
            ""
        ]
    return parts + [line + "\n" for line in section.remarks]


def write(sections: Iterable[Section], *, quick: bool) -> None:
    """Write the page and its plots into the documentation."""
    sections = list(sections)
    (DOCS / "performance.md").write_text(page(sections, quick=quick), encoding="utf-8")
    for section in sections:
        if section.plot and section.rows:
            (DOCS / f"performance-{section.plot}.svg").write_text(plot(section), encoding="utf-8")
