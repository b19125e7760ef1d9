"""Write the table of faults into testing.md: ``python docs/make_testing_table.py``, after a fault has changed."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from compatapi.testing.faults import FAULTS

PAGE = Path(__file__).with_name("testing.md")
BEGIN = "<!-- begin of the faults: written by make_testing_table.py -->"
END = "<!-- end of the faults -->"
HEAD = ("Name", "Value", "What happens")


def table() -> str:
    """The faults that have a name."""
    lines = [HEAD, tuple("---" for _ in HEAD), *(row(name, fault) for name, fault in FAULTS.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def row(name: str, fault: Any) -> tuple[str, str, str]:
    """A fault with the values of its fields."""
    told = " ".join((inspect.getdoc(type(fault)) or "").partition("\n\n")[0].split())
    return f"`{name}`", f"`{short(repr(fault))}`", told.replace("|", "\\|").replace("<", "&lt;")


def short(text: str) -> str:
    """The text, cut where it is too long for a cell."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def with_table(page: str) -> str:
    """The page with the table as it has to be between the two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
