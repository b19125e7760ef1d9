"""A screen for windows on a machine that has none: Xvfb. And what a machine lacks to show windows at all."""

import contextlib
import os
import select
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import compatapi

HERE = Path(__file__).parent
#: Seconds that Xvfb may need to start on a busy machine.
START_LIMIT = 30


@contextlib.contextmanager
def virtual_screen():
    """Start an Xvfb on a free display, end it behind the block; the block gets the name of the display."""
    ours, theirs = os.pipe()
    # Without -noreset it starts anew when the last program has gone, and refuses one that comes in that moment.
    command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "1280x1024x24", "-nolisten", "tcp", "-noreset"]
    process = subprocess.Popen(command, pass_fds=[theirs], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(theirs)
    try:
        yield f":{_read_line(ours, process)}"
    finally:
        process.terminate()
        process.wait(10)
        os.close(ours)


def _read_line(pipe, process):
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], START_LIMIT)
        data = os.read(pipe, 64) if ready else b""
        if not data:
            raise RuntimeError(f"Xvfb did not start; its exit status is {process.poll()}")
        line += data
    return line.decode().strip()


@contextlib.contextmanager
def screen():
    """The environment for programs with windows: an Xvfb of their own where there is one, else the screen there is.

    They find what the tests themselves import, another Python too, to which the standard library of ours is no use.
    """
    path = [HERE, HERE.parent, Path(compatapi.__file__).parents[1], sysconfig.get_path("purelib")]
    # Windows of Qt need no screen at all, so they do not come up in front of whoever runs the tests.
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": os.pathsep.join(map(str, path))}
    if shutil.which("Xvfb") is None:
        yield environment
    else:
        with virtual_screen() as display:
            yield {**environment, "DISPLAY": display}


def lacks():
    """What this machine lacks to show the windows of the tests, by toolkit; empty where nothing is missing."""
    tries = {
        "tk": (sys.executable, "import tkinter; tkinter.Tk()"),
        "qt": (sys.executable, "from PySide6.QtWidgets import QApplication; QApplication([])"),
        "pyqt": (sys.executable, "from PyQt6.QtWidgets import QApplication; QApplication([])"),
        "gtk": (
            system_python(),
            "import gi; gi.require_version('Gtk', '3.0'); from gi.repository import Gtk; Gtk.Window()",
        ),
        "wx": (system_python(), "import wx; wx.App()"),
    }
    found = {}
    with screen() as environment:
        for toolkit, (python, code) in tries.items():
            code = f"import compatapi.client; {code}"
            done = subprocess.run([python, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
            if done.returncode:
                found[toolkit] = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    return found


def system_python():
    """The Python that has the toolkits which come from the system's packages and not from pip: GTK and wx."""
    return "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
