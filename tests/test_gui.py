"""`FramePost` and its adapters, as far as they need no window; those with one are in tests/gui."""

import asyncio
import hashlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from calls import REQUEST, error_of, eventually, hard_limit  # noqa: F401
from compatapi import FramePost, post_to_asyncio, post_to_qt
from compatapi.errors import Cancelled
from compatapi.testing import ChatScript, ScriptedServer, StreamReply
from compatapi.testing.faults import Stall
from streams import call, part, say, stop
from windows import Window

ROOT = Path(__file__).parents[1]
#: Seconds of a frame that no callback of these tests outlasts.
LONG = 10.0


class Loop:
    """An event loop that runs when it is told to, and counts how often it was woken."""

    def __init__(self):
        self.woken, self.timers, self.wakes, self.delays = [], [], 0, []

    def wake(self, function):
        """Run a function soon; from any thread."""
        self.wakes += 1
        self.woken.append(function)

    def later(self, seconds, function):
        """Run a function with a later turn."""
        self.delays.append(seconds)
        self.timers.append(function)

    def turn(self):
        """Run what was woken, or else what waits for its time."""
        functions = self.woken or self.timers
        due, functions[:] = list(functions), []
        for function in due:
            function()

    def turns_until(self, condition):
        """Run turns until something is so."""
        deadline = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < deadline
            self.turn()
            time.sleep(0.001)


def fill(post, callbacks, *events):
    """Stream events into a post that nobody empties meanwhile; return the handle when all of them are posted."""
    with ScriptedServer(StreamReply(events)) as server:
        handle = server.client().start_stream(REQUEST, post=post, **callbacks)
        ended = threading.Event()
        handle.add_done_callback(lambda _: ended.set())
        assert ended.wait(5)
    return handle


# --- what is delivered, and when


def test_all_that_was_posted_comes_with_one_wake_up():
    """Whatever is posted before the window has time comes in one go and in order, and wakes it once."""
    loop, told = Loop(), []
    post = FramePost(loop.wake, loop.later, frame=LONG)
    for number in range(100):
        post(told.append, number)
    assert ([], 1) == (told, loop.wakes)
    loop.turn()
    assert ([*range(100)], 1) == (told, loop.wakes)


def test_text_that_goes_on_wakes_the_window_once_per_frame():
    """After a frame with calls the next one is planned at once, so that no thread has to wake; an empty one ends it."""
    loop, told = Loop(), []
    post = FramePost(loop.wake, loop.later, frame=LONG)
    for number in range(5):
        post(told.append, number)
        loop.turn()
    assert ([0, 1, 2, 3, 4], 1, [LONG] * 5) == (told, loop.wakes, loop.delays)
    loop.turn()
    assert ([], []) == (loop.woken, loop.timers)
    post(told.append, 5)
    assert 2 == loop.wakes


def test_pieces_of_text_are_joined():
    """The pieces that a stream tells on_text and on_reasoning reach each callback as one text per run of pieces."""
    loop, window = Loop(), Window()
    post = FramePost(loop.wake, loop.later, frame=LONG)
    reasoning = [{"choices": [{"index": 0, "delta": {"reasoning_content": piece}}]} for piece in ("Let ", "me ", "see")]
    fill(post, window.all(), *reasoning, say("One"), say(" two"), say(" three"), stop())
    loop.turn()
    assert [("reasoning", "Let me see"), ("text", "One two three")] == window.told[:2]
    assert (["reasoning", "text", "done"], 1) == ([name for name, _ in window.told], loop.wakes)


def test_what_stands_between_pieces_stays_between_them():
    """A tool call between two pieces of text keeps its place: only neighbors are joined."""
    loop, window = Loop(), Window()
    post = FramePost(loop.wake, loop.later, frame=LONG)
    first = call({"index": 0, "id": "c1", **part("f", "{}")})
    second = call({"index": 1, "id": "c2", **part("g", "{}")})
    fill(post, window.all("usage"), say("a"), say("b"), first, second, say("c"), say("d"), stop())
    loop.turn()
    assert ["text", "tool_call", "text", "tool_call", "done"] == [name for name, _ in window.told]
    assert ["ab", "cd"] == window.named("text")


def test_each_chunk_comes_by_itself():
    """on_chunk is called with every chunk, and a piece of text between two chunks is not moved."""
    loop, window = Loop(), Window()
    post = FramePost(loop.wake, loop.later, frame=LONG)
    fill(post, {"on_chunk": window.on("chunk"), "on_text": window.on("text")}, say("a"), say("b"), stop())
    loop.turn()
    assert ["chunk", "text", "chunk", "text", "chunk"] == [name for name, _ in window.told]


def test_two_streams_are_not_mixed():
    """Pieces of two streams are not joined, though both tell the same callback."""
    loop, told = Loop(), []
    post = FramePost(loop.wake, loop.later, frame=LONG)
    for _ in range(2):
        fill(post, {"on_text": told.append}, say("a"), say("b"), stop())
    loop.turn()
    assert ["ab", "ab"] == told


def test_what_the_program_posts_is_not_joined():
    """A program's own functions are called as often as they were posted, whatever they take."""
    loop, told = Loop(), []
    post = FramePost(loop.wake, loop.later, frame=LONG)
    for text in ("a", "b", "c"):
        post(told.append, text)
    post(told.append, 1)
    post(lambda *args: told.append(args), "callback", "piece")
    loop.turn()
    assert ["a", "b", "c", 1, ("callback", "piece")] == told


def test_without_frames_each_call_is_an_event():
    """``frame=0`` turns joining off: one wake-up for each call."""
    loop, told = Loop(), []
    post = FramePost(loop.wake, loop.later, frame=0)
    fill(post, {"on_text": told.append}, say("a"), say("b"), say("c"), stop())
    assert 4 == loop.wakes
    loop.turn()
    assert (["a", "b", "c"], []) == (told, loop.timers)


def test_slow_callbacks_leave_the_window_its_time():
    """When callbacks take longer than a frame, the rest of them waits for the next one and keeps its order."""
    loop, told = Loop(), []

    def slow(number):
        told.append(number)
        time.sleep(0.02)

    post = FramePost(loop.wake, loop.later, frame=0.01)
    for number in range(3):
        post(slow, number)
    seen = []
    for _ in range(3):
        loop.turn()
        seen.append(list(told))
    assert [[0], [0, 1], [0, 1, 2]] == seen


def test_what_comes_during_a_frame_is_for_the_next_one():
    """What is posted while a frame is delivered waits for the next frame, so that text is told once per frame."""
    loop, told = Loop(), []
    post = FramePost(loop.wake, loop.later, frame=LONG)
    post(post, told.append, 1)
    post(told.append, 0)
    seen = []
    for _ in range(2):
        loop.turn()
        seen.append(list(told))
    assert [[0], [0, 1]] == seen


def test_a_function_that_fails_does_not_stop_the_others():
    """An exception of a function that the program posted goes to the toolkit; what was posted behind it still comes."""
    loop, told = Loop(), []
    post = FramePost(loop.wake, loop.later, frame=LONG)
    post(lambda: 1 / 0)
    post(told.append, "next")
    error_of(ZeroDivisionError, loop.turn)
    loop.turn()
    assert ["next"] == told


def test_a_toolkit_that_has_to_look_looks_seldom_while_nothing_runs(compatapi_server, compatapi_client):
    """Without ``wake`` the window looks ten times a second, and at the frame rate while a stream runs."""
    loop, window = Loop(), Window()
    post = FramePost(None, loop.later, frame=0.5)
    loop.turn()
    assert [0.1, 0.1] == loop.delays
    compatapi_server.add(ChatScript("Hi there", fault=Stall(after=2)))
    handle = compatapi_client.start_stream(REQUEST, post=post, **window.all())
    loop.turn()
    assert 0.5 == loop.delays[-1]
    loop.turns_until(lambda: window.named("text"))
    handle.cancel()
    loop.turns_until(lambda: window.named("cancelled"))
    loop.turns_until(lambda: loop.delays[-1] == 0.1)
    assert ["cancelled"] == [name for name, _ in window.told if name in ("done", "error", "cancelled")]


# --- when the window closes


def test_closing_cancels_the_streams_and_calls_nothing_any_more():
    """After close nothing that was posted runs, the streams end, their threads too, and the connection is closed."""
    loop, window = Loop(), Window()
    post = FramePost(loop.wake, loop.later, frame=LONG)
    with ScriptedServer(lambda request: ChatScript(pieces=["x"] * 5000, interval=0.001)) as server:
        handles = [server.client().start_stream(REQUEST, post=post, **window.all()) for _ in range(3)]
        assert eventually(lambda: all(handle.completion.text for handle in handles))
        post.close()
        for handle in handles:
            error_of(Cancelled, handle.result, 2)
        assert eventually(lambda: not [one for one in threading.enumerate() if one.name == "compatapi-stream"])
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)
    loop.turn()
    assert ([], True, []) == (window.told, post.closed, loop.timers)


def test_closing_ends_a_stream_that_has_not_said_anything():
    """A stream that still waits for its server ends too when the window closes."""
    post = FramePost(Loop().wake, Loop().later)
    with ScriptedServer(ChatScript(fault="silence")) as server:
        handle = server.client().start_stream(REQUEST, print, post=post)
        assert server.wait_until(lambda: server.requests, 2.0)
        post.close()
        error_of(Cancelled, handle.result, 2)


def test_a_stream_for_a_closed_window_does_not_begin():
    """A stream that is started with a closed post is cancelled, and asks no server."""
    window, post = Window(), FramePost(Loop().wake, Loop().later)
    post.close()
    with ScriptedServer(ChatScript("Hi there")) as server:
        handle = server.client().start_stream(REQUEST, post=post, **window.all())
        error_of(Cancelled, handle.result, 2)
        assert ([], []) == (server.requests, window.told)


def test_a_callback_that_closes_the_window():
    """A callback may close the window; those behind it in the same frame are not called any more."""
    loop, told = Loop(), []
    post = FramePost(loop.wake, loop.later, frame=LONG)
    post(post.close)
    post(told.append, 1)
    loop.turn()
    assert ([], []) == (told, loop.timers)


def test_a_loop_that_is_gone_closes_the_post(compatapi_server, compatapi_client, caplog):
    """A toolkit that cannot be woken any more has no window: the stream ends, cancelled, and nothing is logged."""

    def wake(function):
        raise RuntimeError("wrapped C/C++ object has been deleted")

    post = FramePost(wake, Loop().later)
    compatapi_server.add(ChatScript("Hi there", fault=Stall(after=2)))
    handle = compatapi_client.start_stream(REQUEST, post=post, on_text=print)
    error_of(Cancelled, handle.result, 2)
    assert (True, []) == (post.closed, caplog.messages)


def test_a_post_keeps_no_handle_that_is_over():
    """The answer of a stream that is over can be collected while the window stays open."""
    loop = Loop()
    post = FramePost(loop.wake, loop.later, frame=LONG)
    fill(post, {"on_text": str}, say("a"), stop())
    loop.turns_until(lambda: not loop.woken)
    assert set() == post._handles


# --- adapters


def test_an_asyncio_loop_gets_the_callbacks():
    """In an event loop the callbacks of a stream run in the loop's thread, joined, and the loop goes on meanwhile."""

    async def main(server):
        window, ended = Window(), asyncio.Event()
        post = post_to_asyncio()
        callbacks = {**window.all(), "on_done": lambda _: ended.set()}
        server.client().start_stream(REQUEST, post=post, **callbacks)
        await asyncio.wait_for(ended.wait(), 5)
        post.close()
        return window

    with ScriptedServer(ChatScript("one two three " * 200)) as server:
        window = asyncio.run(main(server))
    assert "one two three " * 200 == "".join(window.named("text"))
    assert {threading.current_thread()} == window.threads
    assert len(window.named("text")) < 200


def test_an_asyncio_loop_that_ends_ends_the_stream():
    """A stream whose loop was closed is cancelled with the next thing it says."""

    async def main(server):
        return server.client().start_stream(REQUEST, print, post=post_to_asyncio(frame=0))

    with ScriptedServer(ChatScript(pieces=["x"] * 1000, interval=0.01)) as server:
        handle = asyncio.run(main(server))
        error_of(Cancelled, handle.result, 3)


def test_qt_wants_an_object_of_qt():
    """What is no QObject is refused with a message that says so."""
    with pytest.raises(TypeError, match="needs a QObject"):
        post_to_qt(object())


def test_no_toolkit_is_imported():
    """Neither the module nor a post of its own imports a toolkit, nor asyncio."""
    code = (
        "import sys, compatapi.gui as gui; gui.FramePost(print, print)(print)\n"
        "names = {'tkinter', 'gi', 'wx', 'asyncio', 'PySide6', 'PySide2', 'PyQt6', 'PyQt5'}\n"
        "print(sorted(names & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.splitlines()[-1]


# --- pictures


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "pictures").glob("*.png")), ids=lambda path: path.name)
def test_a_picture_shows_the_program_as_it_is(picture):
    """Each picture of the documentation carries the digest of the program that it was made of, as that stands now."""
    program = ROOT / "examples" / f"{picture.stem.partition('-')[0]}.py"
    digest = hashlib.sha256(program.read_text(encoding="utf-8").encode()).hexdigest()
    assert digest.encode() in picture.read_bytes(), "run: tox exec -e gui -- python docs/make_screenshots.py"
