"""``post``: callbacks run where the program wants, and none is posted after cancel but the last."""

import threading
import time

from calls import REQUEST, client_of, error_of, eventually, hard_limit, timed  # noqa: F401
from compatapi.errors import Cancelled
from compatapi.testing import ScriptedServer, StreamReply, chat_chunks
from streams import say
from windows import Window

SAID = chat_chunks("Hi there", finish_reason=None, usage=None)


def fail(_value):
    """What a callback may do."""
    raise ZeroDivisionError("mine")


def test_what_was_posted_is_skipped_after_cancel():
    """Callbacks that were posted and have not run do not run after cancel; only the last one is posted still."""
    window = Window()
    with ScriptedServer(StreamReply(SAID, end="stall")) as server:
        handle = client_of(server).start_stream(REQUEST, window.on("chunk"), **window.all(), post=window.post)
        assert eventually(lambda: window.queue.qsize() >= 5)
        window.run_one()
        before, posted = list(window.told), window.queue.qsize()
        assert timed(handle.cancel) < (0.1, True)
        assert handle.wait(2)
        assert eventually(lambda: posted + 1 == window.queue.qsize())
        window.drain()
        assert [*before, ("cancelled", handle.completion)] == window.told
        assert "Hi there" == handle.completion.text


def test_nothing_is_posted_after_cancel():
    """From the moment when cancel has returned, a stream in full flow posts its last callback only."""
    flow = [step for _ in range(4000) for step in (0.0005, say("x"))]
    with ScriptedServer(lambda request: StreamReply(flow)) as server:
        for turn in range(5):
            window = Window()
            handle = client_of(server).start_stream(REQUEST, window.on("chunk"), **window.all(), post=window.post)
            window.run_until("text")
            time.sleep(turn / 100)
            handle.cancel()
            posted = window.posts
            assert handle.wait(2)
            window.run_until("cancelled")
            assert posted + 1 == window.posts
            assert ["cancelled"] == [name for name, _ in window.told if name in ("done", "error", "cancelled")]
            assert ("cancelled", handle.completion) == window.told[-1]
            assert window.queue.empty()


def test_a_post_that_blocks_does_not_block_cancel():
    """A program whose post waits for the thread that cancels gets through cancel all the same."""
    gate, window = threading.Event(), Window()

    def post(function, *args):
        if not gate.wait(5):
            raise AssertionError("nobody opened the gate")
        window.post(function, *args)

    with ScriptedServer(StreamReply(SAID, end="stall")) as server:
        handle = client_of(server).start_stream(REQUEST, **window.all(), post=post)
        time.sleep(0.2)
        seconds, answer = timed(handle.cancel)
        assert (True, True) == (answer, seconds < 0.5)
        gate.set()
        window.run_until("cancelled")
        assert [("cancelled", handle.completion)] == window.told


def test_a_posted_callback_that_fails_late():
    """One that fails when the stream is over by then makes its exception the outcome, and the rest is not told."""
    window = Window()
    with ScriptedServer(StreamReply(chat_chunks("one two"))) as server:
        callbacks = {**window.all(), "on_text": fail}
        handle = client_of(server).start_stream(REQUEST, **callbacks, post=window.post)
        assert handle.wait(3)
        window.run_until("error")
        error = error_of(ZeroDivisionError, handle.result)
    assert ([error], error) == (window.named("error"), handle.exception())
    assert [] == window.named("done") + window.named("usage")
    assert eventually(window.queue.empty)


def test_a_post_that_runs_at_once():
    """A post that calls the function itself works, and a callback there may cancel its own stream."""
    window, handles, ready = Window(), [], threading.Event()

    def cancel_it(piece):
        assert ready.wait(5)
        handles[0].cancel()

    callbacks = {**window.all(), "on_text": cancel_it}
    with ScriptedServer(StreamReply(SAID, end="stall")) as server:
        handle = client_of(server).start_stream(REQUEST, **callbacks, post=lambda function, *args: function(*args))
        handles.append(handle)
        ready.set()
        error_of(Cancelled, handle.result, 3)
        assert eventually(lambda: [("cancelled", handle.completion)] == window.told)


def test_a_post_that_fails(caplog):
    """A window that is gone ends the stream: the handle is over with that error, and done callbacks are called."""
    seen = []

    def post(function, *args):
        raise RuntimeError("main thread is not in main loop")

    with ScriptedServer(StreamReply([*SAID, *[0.01, say("x")] * 300])) as server:
        handle = client_of(server).start_stream(REQUEST, on_text=seen.append, post=post)
        handle.add_done_callback(seen.append)
        assert "main loop" in str(error_of(RuntimeError, handle.result, 3))
        assert eventually(lambda: [handle] == seen)
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)
    assert ["The end of a stream could not be posted"] == caplog.messages
