"""Each adapter with its real toolkit: callbacks in the GUI's thread, joined; a destroyed window ends its stream."""

import json
import sys

import pytest

from compatapi.testing import ChatScript, ScriptedServer
from gui.playing import HERE, run
from gui.screens import system_python

ALL = pytest.mark.parametrize("toolkit", ["tk", "qt", "pyqt", "gtk", "wx"])
WORDS = "so many words " * 300
FLOW = ChatScript(pieces=["x"] * 9000, interval=0.003)


def adapt(toolkit, scenario, server, environment):
    """Run the program of this scenario; return what it noted."""
    python = system_python() if toolkit in ("gtk", "wx") else sys.executable
    printed = run([python, str(HERE / "adapter.py"), toolkit, scenario, server.base_url], environment)
    return json.loads(printed.splitlines()[-1])


@ALL
def test_callbacks_run_in_the_thread_of_the_window(toolkit, environment):
    """Every callback of a stream runs in the GUI's thread; the text is whole, and told in fewer pieces than came."""
    with ScriptedServer(ChatScript(WORDS)) as server:
        notes = adapt(toolkit, "whole", server, environment)
    assert (WORDS, ["ChatCompletion"], [True]) == (notes["text"], notes["ends"], notes["in_main_thread"])
    assert (notes["calls"] < 300, notes["errors"], False) == (True, [], notes["cancelled"])


@ALL
def test_a_window_that_is_destroyed_in_mid_answer(toolkit, environment):
    """When its window is destroyed a stream ends while the program goes on: no call, thread or exception after it."""
    with ScriptedServer(FLOW) as server:
        notes = adapt(toolkit, "destroy", server, environment)
        assert server.wait_until(lambda: server.open_connections == 0, 2.0)
    assert ([], []) == (notes["ends"], notes["errors"])
    assert 5 == notes["calls"] or toolkit == "wx"  # which destroys a frame only when it has nothing else to do
    assert (True, True, 0) == (notes["cancelled"], notes["closed"], notes["alive_before_quit"])


@pytest.mark.parametrize("toolkit", ["tk", "qt", "pyqt"])
def test_a_program_that_quits_in_mid_answer(toolkit, environment):
    """When the main loop ends the stream ends too; nothing is called on what is left of the windows."""
    with ScriptedServer(FLOW) as server:
        notes = adapt(toolkit, "quit", server, environment)
        assert server.wait_until(lambda: server.open_connections == 0, 2.0)
    assert (5, [], []) == (notes["calls"], notes["ends"], notes["errors"])
    assert (True, True) == (notes["cancelled"], notes["closed"])


WINDOWS_COME_AND_GO = """
import gc, tkinter, weakref
from compatapi import post_to_tk
root, seen = tkinter.Tk(), []
for _ in range(10):
    window = tkinter.Toplevel(root)
    post = post_to_tk(window)
    seen += [weakref.ref(post), weakref.ref(window)]
    root.update()
    window.destroy()
    del post, window
root.update()
gc.collect()
print(sum(one() is not None for one in seen))
root.destroy()
"""


@pytest.mark.parametrize("toolkit", ["tk"])
def test_windows_that_are_gone_are_not_kept(toolkit, environment):
    """A program may open and close as many windows of Tk as it likes: neither they nor their posts stay in memory."""
    assert "0\n" == run([sys.executable, "-W", "error", "-c", WINDOWS_COME_AND_GO], environment)
