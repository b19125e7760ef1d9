"""Running the command line as a person does: in a process of its own, with pipes or on a pseudo terminal."""

import codecs
import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import compatapi

# With the terminal as its controlling one, the process gets SIGINT when Ctrl-C is typed.
TAKE_TERMINAL = (
    "import os, runpy; os.close(os.open(os.ttyname(0), os.O_RDWR)); runpy.run_module('compatapi', None, '__main__')"
)
RUN = [sys.executable, "-m", "compatapi"]
WAIT = 10.0
CTRL_C, CTRL_D = "\x03", "\x04"
STYLES = re.compile(r"\x1b\[[\d;?]*[a-zA-Z]")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment without keys, proxies and other things of whoever runs the tests."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "PYTHONPATH": str(Path(compatapi.__file__).parents[1]),
        **more,
    }


class Program:
    """The command line in a process, with pipes; remembers when each piece of output came."""

    def __init__(self, folder: Path, *args: str, command: list[str] = RUN, stdin: int = subprocess.DEVNULL, **env: str):
        self.pieces: list[tuple[float, str]] = []
        self.process = subprocess.Popen(
            [*command, *args],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(folder, **env),
            cwd=folder,
        )
        self._errors = b""
        self._readers = [threading.Thread(target=self._read_out), threading.Thread(target=self._read_err)]
        for reader in self._readers:
            reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.finish()

    @property
    def out(self) -> str:
        return "".join(piece for _, piece in self.pieces)

    def wait_for(self, text: str) -> None:
        """Wait until the text was written."""
        deadline = time.monotonic() + WAIT
        while text not in self.out:
            assert time.monotonic() < deadline, f"no {text!r} in {self.out!r}"
            time.sleep(0.005)

    def interrupt(self) -> float:
        """Send SIGINT; return how many seconds it then took to end."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(WAIT)
        return time.monotonic() - started

    def finish(self) -> tuple[int, str, str]:
        """Wait for the end; return exit status, standard output and standard error."""
        status = self.process.wait(WAIT)
        for reader in self._readers:
            reader.join(WAIT)
        self.process.stdout.close()
        self.process.stderr.close()
        return status, self.out, self._errors.decode()

    def _read_out(self) -> None:
        while piece := os.read(self.process.stdout.fileno(), 65536):
            self.pieces.append((time.monotonic(), piece.decode()))

    def _read_err(self) -> None:
        self._errors = self.process.stderr.read()


def run(folder: Path, *args: str, **options) -> tuple[int, str, str]:
    """Run to the end; return exit status, standard output and standard error."""
    with Program(folder, *args, **options) as program:
        return program.finish()


class Terminal:
    """The command line on a pseudo terminal of its own."""

    def __init__(self, folder: Path, *args: str, **env: str):
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *args],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(folder, **env),
            cwd=folder,
            start_new_session=True,
        )
        os.close(slave)
        self.raw = ""
        self._decode = codecs.getincrementaldecoder("utf-8")().decode  # a read may end inside a letter

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT)
        os.close(self._master)

    def type(self, keys: str) -> None:
        """Press keys; a line ends with a carriage return, as on a keyboard."""
        os.write(self._master, keys.encode())

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return exit status and the whole screen, without styles."""
        while self._read():
            continue
        return self.process.wait(WAIT), plain(self.raw)

    def _read(self) -> bool:
        """Read what comes within a moment; False at the end."""
        if not select.select([self._master], [], [], 0.1)[0]:
            return self.process.poll() is None
        with contextlib.suppress(OSError):  # Linux says EIO when the last process has gone
            piece = os.read(self._master, 65536)
            self.raw += self._decode(piece)
            return bool(piece)
        return False


def plain(text: str) -> str:
    """The text without the styles and with plain line ends."""
    return STYLES.sub("", text).replace("\r\n", "\n")
