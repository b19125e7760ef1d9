"""The keyboard while nobody reads it: Ctrl-C stops one answer, and what is typed waits unseen for the next prompt."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["held", "quiet_keyboard", "stoppable"]


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let Ctrl-C do nothing, but for what is `stoppable` inside.

    People press it twice. The second one must not hit the program while it keeps what the first one left.
    """
    before = signal.signal(signal.SIGINT, _do_nothing)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let Ctrl-C raise `KeyboardInterrupt`, once."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, _do_nothing)


@contextlib.contextmanager
def quiet_keyboard() -> Iterator[None]:
    """Do not show what is typed into an answer, where it would garble the lines.

    It is kept as the keys were pressed, Enter for Enter, and the next prompt reads it.
    """
    try:
        import termios
    except ImportError:  # Windows shows nothing that no program reads
        yield
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    quiet = termios.tcgetattr(number)
    quiet[0] &= ~termios.ICRNL
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 1, 0  # their places may hold characters of the other mode
    # TCSANOW: the other ways to set it wait, or throw away what was typed already.
    termios.tcsetattr(number, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(number, termios.TCSANOW, before)


def _do_nothing(*_: Any) -> None:
    pass


def _interrupt(*_: Any) -> None:
    signal.signal(signal.SIGINT, _do_nothing)
    raise KeyboardInterrupt
