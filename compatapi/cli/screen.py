"""The end of a terminal's screen that may still change, painted over without a flicker."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

from rich.text import Text

__all__ = ["Screen", "terminal_size"]

# ECMA-48: CUU and ED; DECAWM. A terminal and rich may differ about the width of an emoji. Without automatic wrapping
# such a line still takes one row, and the next painting finds its place.
_UP_AND_CLEAR = "\x1b[{}A\r\x1b[J"
_WRAP, _NO_WRAP = "\x1b[?7h", "\x1b[?7l"


class Screen:
    """Lines that were printed for good, and below them the lines that are live.

    The cursor always stands at the start of the row below. rich's own ``Live`` erases all its lines and writes them
    again; here only what is new is written, from the first line that differs. That is mostly the last one.
    """

    def __init__(self) -> None:
        self._live: list[str] = []
        self._width = 0

    def paint(self, final: Sequence[str], live: Sequence[str], width: int) -> None:
        """Put lines in place of the live ones: ``final`` for good, ``live`` until the next time.

        Args:
            final: Lines, with their styles, at most ``width`` cells wide.
            live: The same; fewer than the screen has rows.
            width: Columns of the terminal.
        """
        lines = [*final, *live]
        same = 0 if width != self._width else len(os.path.commonprefix([self._live, lines]))
        up = sum(_rows(line, width) for line in self._live[same:]) if width < self._width else len(self._live) - same
        painted = _UP_AND_CLEAR.format(up) if up else ""
        painted += "".join(f"{line}\n" for line in final[same:])
        changing = "".join(f"{line}\n" for line in live[max(0, same - len(final)) :])
        painted += f"{_NO_WRAP}{changing}{_WRAP}" if changing else ""
        self._live, self._width = [*live], width
        if painted:
            # One write: a terminal that shows what it has in between shows no half of it.
            sys.stdout.write(painted)
            sys.stdout.flush()


def terminal_size() -> tuple[int, int]:
    """Columns and rows of standard output.

    ``COLUMNS`` is not asked: counting the rows that were written needs the width that they really have.
    """
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        columns = rows = 0
    usual = shutil.get_terminal_size()
    return columns or usual.columns, rows or usual.lines


def _rows(line: str, width: int) -> int:
    """How many rows a line takes in a window that was made narrower; nearly all terminals wrap it anew."""
    return max(1, -(-Text.from_ansi(line).cell_len // width))
