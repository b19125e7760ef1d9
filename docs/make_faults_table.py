"""Write the tables of faults into faults.md: ``python docs/make_faults_table.py``, after a row has changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("faults.md")
TESTS = Path(__file__).parents[1] / "tests"
BEGIN = "<!-- begin of the tables: written by make_faults_table.py -->"
END = "<!-- end of the tables -->"
HEAD = ("What happens", "What you get", "What you keep")


def tables() -> str:
    """The tables as Markdown, one for each kind of fault."""
    if str(TESTS) not in sys.path:
        sys.path.append(str(TESTS))
    from faults import TABLE

    return "\n\n".join(f"## {kind}\n\n{table(rows)}" for kind, rows in TABLE.items())


def table(rows: list[Any]) -> str:
    """The table of one kind."""
    lines = [HEAD, tuple("---" for _ in HEAD), *((escaped(row.name), got(row), kept(row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def got(row: Any) -> str:
    """The class of the error, in both ways to ask where they differ."""
    stream = name_of(row.gets, row)
    return stream if row.whole_gets is None else f"{stream}; {name_of(row.whole_gets, row)} without streaming"


def name_of(kind: type | None, row: Any) -> str:
    """An error as a link, with the clock that runs out."""
    if kind is None:
        return "the whole answer"
    link = f"[`{kind.__name__}`](#compatapi.{kind.__name__})"
    return link if row.clock is None else f"{link}, `{row.clock}`"


def kept(row: Any) -> str:
    """The text of ``completion``, as far as it is worth showing."""
    if not row.keeps:
        return "-"
    return f"`{row.keeps!a}`" if len(row.keeps) < 20 else f"all {len(row.keeps):,} characters"


def escaped(text: str) -> str:
    """The text without what Markdown would take for a tag or a cell."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def with_table(page: str) -> str:
    """The page with the tables as they have to be between the two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
