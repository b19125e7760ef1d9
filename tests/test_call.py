"""One call: its four clocks."""

import gc
import socket
import time
import weakref

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
    server_context,
)
from compatapi import call as call_module
from compatapi.call import Call, Timeouts, Watchdog
from compatapi.errors import RequestTimeout
from compatapi.testing import ChatScript, Raw, Reply, ScriptedServer, StreamReply, chat_chunks
from compatapi.testing.faults import Stall
from loopback import CERTIFICATE

#: Seconds. Where something has to come before the clock runs out, a busy machine needs more of them.
LIMITS = {"connect": 0.15, "first_token": 0.15, "idle": 0.3, "total": 0.3}
OFF = {"connect": None, "first_token": None, "idle": None, "total": None}
SAID = chat_chunks("Hi there", finish_reason=None, usage=None)
#: Bytes of a stream whose last line never ends: they are no data, however long they come.
DRIPPING_LINE = [step for _ in range(100) for step in (0.03, b"1\r\nx\r\n")]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def only(clock, limit=None):
    """One clock runs, the others are off."""
    return Timeouts(**{**OFF, clock: limit or LIMITS[clock]})


def in_time(clock, seconds):
    """Whether a clock ended something when it should."""
    return LIMITS[clock] <= seconds < LIMITS[clock] + 0.1 + NOISE


def ran_out(clock, function, *args, said=None, began=None, **options):
    """Check that a call ends on time by that clock, with the answer so far."""
    began = time.monotonic() if began is None else began
    error = error_of(RequestTimeout, function, *args, **options)
    seconds = time.monotonic() - began
    assert (clock, LIMITS[clock]) == (error.clock, error.limit)
    assert in_time(clock, error.elapsed)
    assert in_time(clock, seconds)
    assert clock in str(error)
    assert said == (error.completion and error.completion.text)


def test_connect_clock():
    """A server whose queue is full is given up on time."""
    with deaf_listener() as port:
        client = client_of(f"http://127.0.0.1:{port}/v1", timeouts=only("connect"))
        ran_out("connect", client.chat_completion, REQUEST)
        ran_out("connect", client.chat_completion_stream, REQUEST)


def test_connect_clock_of_a_slow_name(monkeypatch):
    """A name that is looked up for long is given up on time."""
    lookup = socket.getaddrinfo

    def slow(host, *args):
        if host == "slow.invalid" and args[-1] != socket.AI_NUMERICHOST:
            time.sleep(1)
        return lookup(host, *args)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    ran_out("connect", client_of("http://slow.invalid/v1", timeouts=only("connect")).models)


def test_connect_clock_of_a_handshake():
    """A server that accepts but does not shake hands is given up on time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = client_of(f"https://127.0.0.1:{listener.getsockname()[1]}/v1", timeouts=only("connect"))
        ran_out("connect", client.chat_completion, REQUEST)


def test_a_connect_that_failed_is_tried_again(monkeypatch):
    """A connect clock that ran out does not end the call while there are attempts left: each has its own."""
    lookup, waits = socket.getaddrinfo, [1.0, 0.0]

    def slow(host, *args):
        if host != "slow.invalid":
            return lookup(host, *args)
        if args[-1] == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        time.sleep(waits.pop(0))
        return lookup("127.0.0.1", *args)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(Call, "pause", lambda call, seconds: None)
    with ScriptedServer(ChatScript("Hello there!")) as server:
        client = client_of(f"http://slow.invalid:{server.port}/v1", timeouts=only("connect", 0.3), max_retries=1)
        assert "Hello there!" == client.chat_completion(REQUEST).text


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    "script",
    [
        ChatScript(fault="silence"),
        ChatScript(first_delay=30),
        StreamReply(first_delay=30, keepalive=0.05),
        ChatScript(fault="comments-only"),
        Raw([HEAD, b"5\r\ndata:\r\n", *DRIPPING_LINE]),
        Raw([b"HTTP/1.1 200 OK\r\nX-Long: ", *(step for _ in range(100) for step in (0.03, b"x"))]),
    ],
)
def test_first_token_clock(script, tls):
    """A server that is silent, before or behind its head, or sends comments or a line without end, is given up."""
    with ScriptedServer(lambda request: script, ssl_context=server_context() if tls else None) as server:
        client = server.client(timeouts=only("first_token"), verify=str(CERTIFICATE))
        began = time.monotonic()
        error = error_of(RequestTimeout, client.chat_completion_stream, REQUEST, lambda chunk: None)
        assert in_time("first_token", time.monotonic() - began)
        assert in_time("first_token", error.elapsed)
        assert ("first_token", LIMITS["first_token"]) == (error.clock, error.limit)
        assert server.wait_until(lambda: server.open_connections == 0)


def test_first_token_clock_of_a_whole_answer(compatapi_server, compatapi_client_factory):
    """The clock of a blocking call runs until the answer is whole."""
    drips = [b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", *(step for _ in range(100) for step in (0.03, b" "))]
    compatapi_server.add(Raw(drips), Reply(delay=30), Raw(drips))
    client = compatapi_client_factory(timeouts=only("first_token"))
    ran_out("first_token", client.chat_completion, REQUEST)
    ran_out("first_token", client.embeddings, "m", "text")
    ran_out("first_token", client.models)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    "script",
    [
        ChatScript("Hi there", fault=Stall(after=2)),
        StreamReply(SAID, end="stall", keepalive=0.05),
        StreamReply(SAID, end="stall", keepalive=0.05, framing="close"),
        StreamReply([*SAID, *([": no data\n\n", "\n\n", 0.05] * 60)], end="stall"),
        StreamReply([*SAID, *(step for _ in range(100) for step in (0.03, "x"))], end="stall"),
    ],
)
def test_idle_clock(script, tls):
    """Between pieces of data the idle clock runs; comments, blank lines and a line without end do not count."""
    with ScriptedServer(lambda request: script, ssl_context=server_context() if tls else None) as server:
        client = server.client(timeouts=only("idle"), verify=str(CERTIFICATE))
        stream = client.chat_completion_stream(REQUEST)
        said = next(stream).text + next(stream).text + next(stream).text
        ran_out("idle", next, stream, said=said)
        assert [] == list(stream)


def test_idle_clock_is_set_again_by_each_piece(compatapi_server, compatapi_client_factory):
    """A stream may last longer than its idle limit."""
    compatapi_server.add(ChatScript("a b c d e f", interval=0.1))
    stream = compatapi_client_factory(timeouts=Timeouts(first_token=0.3, idle=0.3)).chat_completion_stream(REQUEST)
    began = time.monotonic()
    assert "a b c d e f" == "".join(stream.text_stream())
    assert time.monotonic() - began > 0.6


def test_a_slow_consumer(compatapi_server, compatapi_client_factory):
    """The time that the program takes between two pieces does not count."""
    compatapi_server.add(ChatScript("a b", interval=0.01))
    stream = compatapi_client_factory(timeouts=Timeouts(first_token=0.2, idle=0.2)).chat_completion_stream(REQUEST)
    for chunk in stream:
        if chunk.text == "a":
            time.sleep(0.4)
    assert "a b" == stream.completion.text


@pytest.mark.parametrize(
    "script",
    [
        ChatScript(pieces=["a"] * 200, interval=0.03),
        ChatScript(fault="silence"),
        Raw([b"HTTP/1.1 200 OK\r\n", *(step for n in range(90) for step in (0.03, b"X-%d: 1\r\n" % n))]),
        Raw([HEAD, b"5\r\ndata:\r\n", *DRIPPING_LINE]),
    ],
)
def test_total_clock(script):
    """The whole call ends on time, whatever drips: data, head, or a line."""
    with ScriptedServer(lambda request: script) as server:
        client, texts = server.client(timeouts=only("total")), []
        began = time.monotonic()
        error = error_of(RequestTimeout, client.chat_completion_stream, REQUEST, lambda chunk: texts.append(chunk.text))
        assert in_time("total", time.monotonic() - began)
        assert ("total", LIMITS["total"]) == (error.clock, error.limit)
        assert "".join(texts) == (error.completion.text if error.completion else "")


def test_total_clock_of_a_pause():
    """The total clock ends the pause before a retry."""
    began = time.monotonic()
    ran_out("total", Call(only("total")).pause, 30, began=began)


def test_a_clock_that_runs_out_while_nobody_reads():
    """A total clock that runs out between two reads ends the stream at the next one, and its connection at once."""
    with ScriptedServer(ChatScript("Hi there", fault=Stall(after=2))) as server:
        stream = server.client(timeouts=only("total")).chat_completion_stream(REQUEST)
        next(stream)
        assert server.wait_until(lambda: server.open_connections == 0, LIMITS["total"] + 0.1 + NOISE)
        assert "total" == error_of(RequestTimeout, list, stream).clock


def test_an_answer_that_is_whole_is_not_spoiled(compatapi_server, compatapi_client_factory):
    """A clock that runs out behind the end of an answer does not matter."""
    compatapi_server.add(ChatScript("a b", fault="joined"))
    stream = compatapi_client_factory(timeouts=Timeouts(total=0.2)).chat_completion_stream(REQUEST)
    next(stream)
    time.sleep(0.4)
    texts = [chunk.text for chunk in stream]
    assert "a b" == "".join(texts) == stream.completion.text


@pytest.mark.parametrize("status", [200, 500])
def test_clock_of_a_slow_error_body(status):
    """The body of an error is not waited for without end either, whether a stream was asked for or not."""
    head = b"HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{" % status
    drips = [head, *(step for _ in range(100) for step in (0.03, b" "))]
    with ScriptedServer(lambda request: Raw(drips)) as server:
        client = server.client(timeouts=only("first_token"))
        ran_out("first_token", client.chat_completion, REQUEST)
        began = time.monotonic()
        error = error_of(RequestTimeout, client.chat_completion_stream, REQUEST, lambda chunk: None)
        assert ("first_token", True) == (error.clock, in_time("first_token", time.monotonic() - began))


def test_a_program_that_comes_late(compatapi_server, compatapi_client_factory):
    """The time between asking for a stream and the first look at it does not count."""
    compatapi_server.add(ChatScript("a b"))
    stream = compatapi_client_factory(timeouts=only("first_token", 0.2)).chat_completion_stream(REQUEST)
    time.sleep(0.4)
    assert "a b" == "".join(stream.text_stream())


def test_clocks_of_one_call(compatapi_server, compatapi_client):
    """A call may have other clocks than its client."""
    compatapi_server.add(ChatScript(fault="silence"))
    ran_out("first_token", compatapi_client.chat_completion, REQUEST, timeouts=only("first_token"))


def test_many_clocks():
    """Two hundred calls that end in any order end on time each."""

    def wait(limit):
        began = time.monotonic()
        error_of(RequestTimeout, Call(only("total", limit)).pause, 10)
        return time.monotonic() - began - limit

    threads = [Running(wait, 0.2 + (number * 7 % 50) / 100) for number in range(200)]
    late = sorted(thread.result() for thread in threads)
    assert late[0] > -0.01
    assert late[100] < 0.1
    assert late[-1] < 0.1 + 2 * NOISE


def test_the_watchdog_holds_no_calls():
    """A call that ended, or that nobody holds, is not kept by the watchdog; one that ran out neither."""
    gone = []
    for limit in (0.01, 30):
        call = Call(only("total", limit))
        if limit < 1:
            error_of(RequestTimeout, call.pause, 5)
        call.end()
        gone.append(weakref.ref(call))
        del call
    gc.collect()
    assert eventually(lambda: [None, None] == [reference() for reference in gone])


def test_the_watchdog_forgets_entries():
    """What is entered for calls that ended is thrown away from time to time."""
    watchdog = Watchdog()
    calls = [Call(Timeouts(**OFF)) for _ in range(10)]
    for turn in range(500):
        for call in calls:
            call.deadline = time.monotonic() + 1000 + turn
            watchdog.watch(call)
            call.end()
    assert len(watchdog._entries) <= 1000
    assert call_module._watchdog is not watchdog
