"""``post``: callbacks run where the program wants, and none is posted after cancel but the last."""

import threading
import time

from calls import REQUEST, error_of, eventually, hard_limit, timed  # noqa: F401
from compatapi.errors import Cancelled
from compatapi.testing import ChatScript, ScriptedServer
from compatapi.testing.faults import Stall
from windows import Window


def fail(_value):
    """What a callback may do."""
    raise ZeroDivisionError("mine")


def test_what_was_posted_is_skipped_after_cancel(compatapi_server, compatapi_client):
    """Callbacks that were posted and have not run do not run after cancel; only the last one is posted still."""
    window = Window()
    compatapi_server.add(ChatScript("Hi there", fault=Stall(after=2)))
    handle = compatapi_client.start_stream(REQUEST, window.on("chunk"), **window.all(), post=window.post)
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
    flow = ChatScript(pieces=["x"] * 4000, interval=0.0005)
    with ScriptedServer(lambda request: flow) as server:
        for turn in range(5):
            window = Window()
            handle = server.client().start_stream(REQUEST, window.on("chunk"), **window.all(), post=window.post)
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


def test_a_post_that_blocks_does_not_block_cancel(compatapi_server, compatapi_client):
    """A program whose post waits for the thread that cancels gets through cancel all the same."""
    gate, window = threading.Event(), Window()

    def post(function, *args):
        if not gate.wait(5):
            raise AssertionError("nobody opened the gate")
        window.post(function, *args)

    compatapi_server.add(ChatScript("Hi there", fault=Stall(after=2)))
    handle = compatapi_client.start_stream(REQUEST, **window.all(), post=post)
    assert compatapi_server.wait_until(lambda: compatapi_server.requests)
    time.sleep(0.1)
    seconds, answer = timed(handle.cancel)
    assert (True, True) == (answer, seconds < 0.5)
    gate.set()
    window.run_until("cancelled")
    assert [("cancelled", handle.completion)] == window.told


def test_a_posted_callback_that_fails_late(compatapi_server, compatapi_client):
    """One that fails when the stream is over by then makes its exception the outcome, and the rest is not told."""
    window = Window()
    compatapi_server.add(ChatScript("one two"))
    callbacks = {**window.all(), "on_text": fail}
    handle = compatapi_client.start_stream(REQUEST, **callbacks, post=window.post)
    assert handle.wait(3)
    window.run_until("error")
    error = error_of(ZeroDivisionError, handle.result)
    assert ([error], error) == (window.named("error"), handle.exception())
    assert [] == window.named("done") + window.named("usage")
    assert eventually(window.queue.empty)


def test_a_post_that_runs_at_once(compatapi_server, compatapi_client):
    """A post that calls the function itself works, and a callback there may cancel its own stream."""
    window, handles, ready = Window(), [], threading.Event()

    def cancel_it(piece):
        assert ready.wait(5)
        handles[0].cancel()

    callbacks = {**window.all(), "on_text": cancel_it}
    compatapi_server.add(ChatScript("Hi there", fault=Stall(after=2)))
    handle = compatapi_client.start_stream(REQUEST, **callbacks, post=lambda function, *args: function(*args))
    handles.append(handle)
    ready.set()
    error_of(Cancelled, handle.result, 3)
    assert eventually(lambda: [("cancelled", handle.completion)] == window.told)


def test_a_post_that_fails(caplog):
    """A window that is gone ends the stream: the handle is over with that error, and done callbacks are called."""
    seen = []

    def post(function, *args):
        raise RuntimeError("main thread is not in main loop")

    with ScriptedServer(ChatScript(pieces=["x"] * 300, interval=0.01)) as server:
        handle = server.client().start_stream(REQUEST, on_text=seen.append, post=post)
        handle.add_done_callback(seen.append)
        assert "main loop" in str(error_of(RuntimeError, handle.result, 3))
        assert eventually(lambda: [handle] == seen)
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)
    assert ["The end of a stream could not be posted"] == caplog.messages
