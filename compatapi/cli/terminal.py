"""What the command line writes: text piece by piece, and nothing that a terminal would obey.

A server's answer may hold control characters, by accident or by malice: escape sequences move the cursor, change the
title, or write to the clipboard. On a terminal every control character except line end and tab is therefore shown, as
``\\x1b``, and a carriage return is left out. What goes into a pipe or a file is the answer as it is.
"""

from __future__ import annotations

import os
import re
import sys

import click

__all__ = ["Output", "encodable", "one_line", "printable", "printable_json", "protect_streams"]

# C0 without tab, line end and carriage return; DEL; C1, which many terminals obey as they do ESC and a letter.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_CONTROLS_IN_JSON = re.compile("[\x7f-\x9f]")

#: Characters. Servers put whole pages into their messages.
_LONGEST_LINE = 600


def printable(text: str) -> str:
    """The text without anything that a terminal would obey."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text).replace("\r", "")


def encodable(text: str) -> str:
    """The text that a person typed, without what is no letter of any encoding: it came as half a surrogate pair."""
    return text.encode(errors="replace").decode()


def printable_json(text: str) -> str:
    """JSON text of the same value without anything that a terminal would obey; JSON has escaped the rest already."""
    return _CONTROLS_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """The text as one printable line of a bounded length."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "..."


class Output:
    """Standard output or standard error. Each piece is flushed: nothing waits for the end of a line.

    Args:
        is_error: Whether it is standard error.
    """

    def __init__(self, is_error: bool = False) -> None:
        stream = sys.stderr if is_error else sys.stdout
        self.is_terminal = stream.isatty()
        self._is_error = is_error
        self._dims = self.is_terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._in_line = False

    def write(self, text: str, *, dim: bool = False) -> None:
        """Write a piece of text, made printable if a terminal reads it."""
        if self.is_terminal:
            text = printable(text)
        if not text:
            return
        self._in_line = not text.endswith("\n")
        # Each piece is dimmed for itself, so that an end at any place leaves the terminal as it was.
        shown = click.style(text, dim=True) if dim and self._dims else text
        # color=True: click would otherwise take what looks like a color out of an answer that goes into a pipe.
        click.echo(shown, nl=False, err=self._is_error, color=True)

    def write_json(self, data: bytes) -> None:
        """Write JSON text as a line: exactly the bytes, or on a terminal the same value in printable characters."""
        line = printable_json(data.decode()).encode() if self.is_terminal else data
        click.echo(line, err=self._is_error, color=True)

    def line(self, text: str = "", *, dim: bool = False) -> None:
        """Write a line of its own."""
        self.end_line()
        self.write(text, dim=dim)
        click.echo(err=self._is_error)
        self._in_line = False

    def end_line(self) -> None:
        """Begin a new line, unless the last one is ended already."""
        if self._in_line:
            self._in_line = False
            click.echo(err=self._is_error)


def protect_streams() -> None:
    """Let no character and no missing stream end the program: what cannot be said is replaced."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell (">&-"), or a Windows program without a console
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115
        elif name != "stderr" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
