"""A terminal whose screen is looked at: the program as a person sees it, with what has scrolled away."""

import fcntl
import struct
import termios
import time

import pyte

from programs import CTRL_D, WAIT, Terminal

UP, ALT_ENTER = "\x1b[A", "\x1b\r"
_KEPT_ROWS = 2000


class ScreenTerminal(Terminal):
    """The command line on a pseudo terminal with a screen of ``columns`` and ``rows``."""

    def __init__(self, folder, *args, columns=80, rows=24, **env):
        super().__init__(folder, *args, **env)
        # Python takes longer to start than this, so the program never sees another size.
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._screen = pyte.HistoryScreen(columns, rows, history=_KEPT_ROWS)
        self._stream = pyte.Stream(self._screen)
        self._fed = 0

    @property
    def lines(self):
        """All rows that were ever written and not taken back, without the blank ones at the end."""
        self._stream.feed(self.raw[self._fed :])
        self._fed = len(self.raw)
        gone = ["".join(row[at].data for at in range(self._screen.columns)) for row in self._screen.history.top]
        lines = [line.rstrip() for line in [*gone, *self._screen.display]]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def text(self):
        return "\n".join(self.lines)

    @property
    def echoes(self):
        """Whether the terminal shows what is typed, as it does for a shell."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def wait_until(self, holds, what):
        """Read until ``holds()`` is true."""
        deadline = time.monotonic() + WAIT
        while not holds():
            assert time.monotonic() < deadline and self._read(), f"not {what}:\n{self.text}"

    def see(self, text):
        """Wait until the text is to be seen."""
        self.wait_until(lambda: text in self.text, repr(text))

    def prompt(self):
        """Wait for an empty prompt."""
        self.wait_until(lambda: self.lines[-1:] == [">"] and self._screen.cursor.x == 2, "a prompt")

    def say(self, *lines):
        """Wait for a prompt, and give each line to one; wait for the prompt behind the last."""
        for line in lines:
            self.prompt()
            before = len(self.lines)
            self.type(f"{line}\r")
            self.wait_until(lambda before=before: len(self.lines) > before, "taken")
        self.prompt()

    def quit(self):
        """End by Ctrl-D; return the exit status."""
        self.prompt()
        self.type(CTRL_D)
        return self.finish()[0]
