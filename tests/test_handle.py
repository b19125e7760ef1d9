"""StreamHandle as a Future: how it ends, how it is cancelled in every phase, which callback is the last."""

import threading
import time

import pytest

from calls import (  # noqa: F401
    NOISE,
    REQUEST,
    Running,
    client_of,
    deaf_listener,
    error_of,
    eventually,
    hard_limit,
    timed,
)
from compatapi.chat_types import ChatCompletion, Message
from compatapi.errors import (
    Cancelled,
    ConfigError,
    ConnectionLost,
    IncompleteStreamError,
    RateLimitError,
    StopStream,
)
from compatapi.handle import StreamHandle
from compatapi.testing import ChatScript, ErrorScript, ScriptedServer, StreamReply, chat_chunks
from compatapi.testing.faults import Reset, Stall

WHOLE = ChatScript("one two three")
STALL = ChatScript("Hi there", fault=Stall(after=2))
#: Seconds in which a handle has to be over.
SOON = 0.2 + NOISE


class Told:
    """What the callbacks of a handle were told, in order, and in which threads."""

    def __init__(self):
        self.all, self.threads = [], set()

    def on(self, name):
        """A callback that notes its name and what it got."""

        def note(value):
            self.all.append((name, value))
            self.threads.add(threading.current_thread())

        return note

    def callbacks(self, *names):
        """Callbacks by name; the last three always."""
        return {name: self.on(name) for name in (*names, "on_done", "on_error", "on_cancelled")}

    @property
    def names(self):
        """The names alone."""
        return [name for name, _ in self.all]


def start(client, told=None, **options):
    """A handle for the next script of the client's server."""
    callbacks = told.callbacks("on_text") if told is not None else {}
    return client.start_stream(REQUEST, **{**callbacks, **options})


def test_a_handle_that_ends_well(compatapi_server, compatapi_client):
    """A complete answer is the result, once and again; nothing is an error, and cancelling comes too late."""
    told = Told()
    compatapi_server.add(WHOLE)
    handle = start(compatapi_client, told)
    assert "one two three" == handle.result(5).text == handle.result().text == handle.completion.text
    assert handle.exception() is None
    assert (True, False, False) == (handle.done(), handle.running(), handle.cancelled())
    assert handle.wait(0)
    assert eventually(lambda: "on_done" in told.names)
    assert (False, False) == (handle.cancel(), handle.cancelled())
    assert ("on_done", handle.result()) == told.all[-1]
    assert ["on_text"] * (len(told.all) - 1) == told.names[:-1]


def test_a_handle_that_is_not_over(compatapi_server, compatapi_client):
    """While it runs, waiting for the end runs into its timeout, and the answer so far can be seen."""
    compatapi_server.add(STALL)
    handle = start(compatapi_client)
    assert eventually(lambda: "Hi there" == handle.completion.text)
    assert (False, True, False) == (handle.done(), handle.running(), handle.cancelled())
    for function in (handle.result, handle.exception):
        seconds, _ = timed(lambda wait=function: error_of(TimeoutError, wait, 0.1))
        assert 0.1 <= seconds < 0.1 + NOISE
    assert not handle.wait(0.05)
    handle.cancel()
    assert handle.wait(2)


def test_before_anything_was_said():
    """The answer so far is an empty one before the connection is there."""
    with ScriptedServer(ChatScript(fault="silence")) as server:
        handle = start(server.client())
        assert ChatCompletion() == handle.completion
        handle.cancel()
        assert "" == error_of(Cancelled, handle.result, 2).completion.text


FAILURES = [
    (ErrorScript(429, "slow down"), RateLimitError, ""),
    (ChatScript("Hi there", fault="no-end"), IncompleteStreamError, "Hi there"),
    (ChatScript("Hi there", fault=Reset(after=2)), ConnectionLost, "Hi there"),
]


@pytest.mark.parametrize(("script", "kind", "said"), FAILURES)
def test_a_handle_that_fails(compatapi_server, compatapi_client, script, kind, said):
    """What ended it is the exception, is raised by result, and reaches on_error alone, with the answer so far."""
    told = Told()
    compatapi_server.add(script)
    handle = start(compatapi_client, told)
    error = error_of(kind, handle.result, 5)
    assert error is handle.exception()
    assert said == error.completion.text == handle.completion.text
    assert (True, False, False) == (handle.done(), handle.cancelled(), handle.cancel())
    assert eventually(lambda: ("on_error", error) in told.all)
    assert ["on_error"] == [name for name in told.names if name != "on_text"] == told.names[-1:]


#: Each phase of a call: what the server does, and what has been said when it is reached.
PHASES = {
    "head": (ChatScript(fault="silence"), ""),
    "body": (STALL, "Hi there"),
    "slow body": (ChatScript(pieces=["a"] * 400, interval=0.01), None),
    "pause": (ErrorScript(503, "busy", retry_after=30), ""),
    "error body": (StreamReply(["x"], status=500, end="stall"), ""),
}


@pytest.mark.parametrize("phase", PHASES)
def test_cancelling(phase):
    """In every phase cancel returns at once, the handle is over soon, and on_cancelled is the last and only end."""
    told, (script, said) = Told(), PHASES[phase]
    with ScriptedServer(lambda request: script) as server:
        handle = start(server.client(max_retries=2), told)
        assert server.wait_until(lambda: server.requests)
        assert eventually(lambda: said in (None, handle.completion.text))
        time.sleep(0.1)
        seconds, answer = timed(handle.cancel)
        before = list(told.all)
        assert (True, True) == (answer, seconds < 0.1)
        assert timed(handle.wait, 2) < (SOON, True)
        error = error_of(Cancelled, handle.result)
        assert error is error_of(Cancelled, handle.exception)
        assert said in (None, error.completion.text)
        assert handle.completion == error.completion
        assert (True, True, True) == (handle.cancelled(), handle.done(), handle.cancel())
        assert eventually(lambda: [("on_cancelled", handle.completion)] == told.all[-1:])
        assert len(told.all) - len(before) <= 2  # a callback may run in that moment; nothing begins after it
        # In a pause there is no call on the connection, which may serve another.
        assert phase == "pause" or server.wait_until(lambda: server.open_connections == 0, 1.0)
        assert 1 == len(server.requests)


def test_cancelling_while_connecting():
    """A handle that still connects is over soon."""
    told = Told()
    with deaf_listener() as port:
        handle = start(client_of(f"http://127.0.0.1:{port}/v1"), told)
        time.sleep(0.1)
        assert timed(handle.cancel) < (0.1, True)
        assert timed(handle.wait, 2) < (SOON, True)
        assert eventually(lambda: ["on_cancelled"] == told.names)


def test_cancelling_at_once_and_from_everywhere():
    """Many threads may cancel at any moment; the end is told once, and it is the one that the handle tells."""
    ends = {"on_done", "on_cancelled"}
    with ScriptedServer(lambda request: WHOLE) as server:
        client = server.client()
        for turn in range(60):
            told = Told()
            handle = start(client, told)
            time.sleep(turn % 20 / 4000)
            won = [thread.result() for thread in [Running(handle.cancel) for _ in range(3)]]
            assert handle.wait(5)
            assert eventually(lambda: ends & set(told.names))  # noqa: B023 - it ends in this turn
            assert ["on_cancelled" if handle.cancelled() else "on_done"] == [one for one in told.names if one in ends]
            assert handle.cancelled() == all(won) == any(won)


class CallThatEnds:
    """A call at whose very end something happens."""

    def __init__(self, at_the_end):
        self.end, self.stop = at_the_end, lambda: None


def stream_of(*values):
    """A stream without a network."""
    from compatapi.http_types import HttpResponse
    from compatapi.stream import ChatStream
    from streams import decoder, sse

    return ChatStream(HttpResponse(200, body=iter([sse(*values)])), decoder(accumulate=False))


@pytest.mark.parametrize("failing", [None, ZeroDivisionError(), StopStream()])
def test_cancelling_in_the_last_moment(failing):
    """When cancel says that it cancelled, the handle is cancelled, whatever else ended it in that moment."""
    from compatapi.callbacks import Callbacks

    told, said, ready = Told(), [], threading.Event()

    def fail(_chunk):
        if failing is not None:
            raise failing

    def cancel_it():
        ready.wait(5)
        said.append(handle.cancel())

    handle = StreamHandle(
        lambda call, on_retry: stream_of(*chat_chunks("Hi")),
        CallThatEnds(cancel_it),
        Callbacks(on_chunk=fail, **told.callbacks()),
    )
    ready.set()
    assert handle.wait(5)
    assert ([True], True) == (said, handle.cancelled())
    error_of(Cancelled, handle.result)
    assert eventually(lambda: ["on_cancelled"] == told.names)


def test_done_callbacks(compatapi_server, compatapi_client):
    """They are called with the handle, in order, in its thread; after the end at once, in the thread that adds one."""
    seen = []

    def note(name):
        return lambda handle: seen.append((name, handle, handle.done(), threading.current_thread()))

    compatapi_server.add(ChatScript("Hi there", finish_reason=None, delay=0.2))
    handle = start(compatapi_client)
    handle.add_done_callback(note("first"))
    handle.add_done_callback(note("second"))
    assert eventually(lambda: 2 == len(seen), 3)
    handle.add_done_callback(note("late"))
    assert ["first", "second", "late"] == [name for name, *_ in seen]
    assert {(handle, True)} == {(one, over) for _, one, over, _ in seen}
    own, same, late = (thread for *_, thread in seen)
    assert (own, "compatapi-stream", threading.current_thread()) == (same, own.name, late)


def test_done_callbacks_that_fail(compatapi_server, compatapi_client, caplog):
    """One that fails is logged and does not keep the others from being called, before and after the end."""
    seen = []
    compatapi_server.add(ChatScript("Hi there", finish_reason=None, delay=0.2))
    handle = start(compatapi_client)
    for function in (lambda handle: 1 / 0, seen.append):
        handle.add_done_callback(function)
    assert eventually(lambda: [handle] == seen, 3)
    handle.add_done_callback(lambda handle: 1 / 0)
    assert 2 == sum("ZeroDivisionError" in record.exc_text for record in caplog.records if record.exc_info)


def test_the_last_callback_fails(compatapi_server, compatapi_client, caplog):
    """A failing on_done is logged; the answer stays the result, and done callbacks are still called."""
    seen = []
    compatapi_server.add(ChatScript("Hi", delay=0.1))
    handle = start(compatapi_client, on_done=lambda completion: 1 / 0)
    handle.add_done_callback(seen.append)
    assert eventually(lambda: [handle] == seen, 3)
    assert "Hi" == handle.result().text
    assert "A callback for the end of a stream failed" in [record.message for record in caplog.records]


@pytest.mark.parametrize(
    ("request_", "options"),
    [
        ("hello", {}),
        ([Message.user("hello")], {}),
        (REQUEST, {"on_chunk": "print"}),
        (REQUEST, {"on_text": 5}),
        (REQUEST, {"on_cancelled": "no"}),
        (REQUEST, {"on_retry": "no"}),
        (REQUEST, {"timeouts": 5}),
        (REQUEST, {"post": "queue"}),
    ],
)
def test_wrong_arguments(request_, options):
    """What cannot work is a ConfigError where the call stands, not in a thread."""
    threads = threading.active_count()
    error_of(ConfigError, client_of("http://127.0.0.1:9/v1").start_stream, request_, **options)
    assert threads == threading.active_count()


def test_an_unknown_keyword():
    """A keyword that nobody knows is a TypeError, as Python says it."""
    with pytest.raises(TypeError, match="on_txet"):
        client_of("http://127.0.0.1:9/v1").start_stream(REQUEST, on_txet=print)


def test_a_request_is_looked_at_where_the_call_stands():
    """What the dialect cannot encode is raised by start_stream itself."""
    client = client_of("http://127.0.0.1:9/v1")
    error_of(ConfigError, client.start_stream, REQUEST, body={"x": object()})
