"""One call: stopping it from another thread, in every phase."""

import socket
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
    server_context,
    timed,
)
from compatapi import client as client_module
from compatapi.call import Call, Timeouts
from compatapi.errors import Cancelled
from compatapi.testing import ChatScript, ErrorScript, Raw, ScriptedServer
from compatapi.testing.faults import Stall
from loopback import CERTIFICATE

#: Seconds in which a reader has to wake.
SOON = 0.2 + NOISE


@pytest.fixture
def calls(monkeypatch):
    """The calls that clients make."""
    made = []

    def make(timeouts):
        made.append(Call(timeouts))
        return made[-1]

    monkeypatch.setattr(client_module, "Call", make)
    return made


def stopped(calls, function, *args, **options):
    """Stop a call that blocks; check that nobody waits; return the error that its thread got."""
    made = len(calls)
    running = Running(lambda: error_of(Cancelled, function, *args, **options))
    assert eventually(lambda: len(calls) > made)
    time.sleep(0.1)
    assert running.is_alive()
    began = time.monotonic()
    calls[-1].stop()
    assert time.monotonic() - began < 0.1
    error = running.result()
    assert running.ended - began < SOON
    return error


def test_while_connecting(calls):
    """A thread that connects wakes."""
    with deaf_listener() as port:
        assert stopped(calls, client_of(f"http://127.0.0.1:{port}/v1").chat_completion, REQUEST).completion is None


def test_while_looking_up_a_name(calls, monkeypatch):
    """A thread that waits for a name wakes."""
    lookup, done = socket.getaddrinfo, threading.Event()

    def slow(host, *args):
        if host == "slow.invalid" and args[-1] != socket.AI_NUMERICHOST:
            done.wait(5)
        return lookup(host, *args)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    stopped(calls, client_of("http://slow.invalid/v1").chat_completion, REQUEST)
    done.set()
    assert 1 == len(calls)


def test_while_shaking_hands(calls):
    """A thread that waits for a TLS handshake wakes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopped(calls, client_of(f"https://127.0.0.1:{listener.getsockname()[1]}/v1").models)
    assert 1 == len(calls)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("retries", [0, 2])
def test_while_waiting_for_the_head(calls, tls, retries):
    """A thread that waits for an answer to begin wakes, its connection is closed and nothing is tried again."""
    with ScriptedServer(lambda r: ChatScript(fault="silence"), ssl_context=server_context() if tls else None) as server:
        client = server.client(verify=str(CERTIFICATE), max_retries=retries)
        stopped(calls, client.chat_completion_stream, REQUEST)
        stopped(calls, client.chat_completion, REQUEST)
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)
        assert 2 == len(server.requests)


def test_while_reading_a_whole_answer(calls):
    """A thread that reads the body of a blocking call wakes, also where no length tells that it is cut."""
    for length in (b"Content-Length: 500\r\n", b"", b"Transfer-Encoding: chunked\r\n"):
        body = b"5\r\n     \r\n" if b"chunked" in length else b"     "
        with ScriptedServer(Raw([b"HTTP/1.1 200 OK\r\n" + length + b"\r\n" + body, 30.0])) as server:
            stopped(calls, server.client().chat_completion, REQUEST)
            assert server.wait_until(lambda: server.open_connections == 0, 1.0)


def test_while_reading_an_error(calls):
    """A thread that reads the body of an error wakes with Cancelled, not with the error."""
    with ScriptedServer(Raw([b"HTTP/1.1 500 No\r\nContent-Length: 500\r\n\r\n{", 30.0])) as server:
        stopped(calls, server.client().chat_completion, REQUEST)
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)


def test_in_the_pause_before_a_retry(calls):
    """A thread that waits before it tries again wakes."""
    with ScriptedServer(lambda request: ErrorScript(503, "busy", retry_after=30)) as server:
        stopped(calls, server.client(max_retries=2).chat_completion, REQUEST)
        assert 1 == len(server.requests)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_while_reading_a_stream(tls, framing, encoding):
    """A reader of a stream wakes when another thread closes it, with the answer so far; closing again is harmless."""
    script = ChatScript("Hi there", framing=framing, encoding=encoding, fault=Stall(after=2))
    with ScriptedServer(script, ssl_context=server_context() if tls else None) as server:
        client = server.client(verify=str(CERTIFICATE))
        stream = client.chat_completion_stream(REQUEST)
        running = Running(lambda: error_of(Cancelled, list, stream))
        assert eventually(lambda: "Hi there" == stream.completion.text)
        time.sleep(0.1)
        began = time.monotonic()
        for _ in range(3):
            assert timed(stream.close)[0] < 0.1
        assert "Hi there" == running.result().completion.text
        assert running.ended - began < SOON
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)
        assert [] == list(stream)
        assert stream.closed


def test_while_nobody_reads():
    """A reader that was not waiting finds its iteration over, without an error."""
    with ScriptedServer(ChatScript("Hi there", fault=Stall(after=2))) as server:
        stream = server.client().chat_completion_stream(REQUEST)
        texts = []
        for chunk in stream:
            texts.append(chunk.text)
            closing = Running(stream.close)
            closing.result()
        assert [""] == texts
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)


def test_many_close_at_once():
    """Many threads may close one stream at once, while it is read, and the next stream is not harmed."""
    whole = ChatScript("one two three")
    with ScriptedServer(lambda request: whole) as server:
        client = server.client()
        for _ in range(40):
            stream = client.chat_completion_stream(REQUEST)
            closers = [Running(stream.close) for _ in range(4)]
            try:
                text = "".join(stream.text_stream())
            except Cancelled as error:
                text = error.completion.text
            assert "one two three".startswith(text)
            assert "one two three" == client.chat_completion_stream(REQUEST, lambda chunk: None).text
            for closer in closers:
                closer.result()


def test_a_late_stop_does_not_hit_the_next_call(calls):
    """Stopping a call that is over does not touch its connection, which serves another by then."""
    slow = ChatScript("a b c d e", interval=0.03)
    with ScriptedServer(ChatScript("a b"), slow) as server:
        client = server.client()
        first = client.chat_completion_stream(REQUEST)
        assert "a b" == "".join(first.text_stream())
        second = client.chat_completion_stream(REQUEST)
        next(second)
        first.close()
        calls[0].stop()
        assert "a b c d e" == "".join(second.text_stream())
        assert 1 == server.connections


def test_a_stopped_call_stays_stopped():
    """The first reason stays; stopping again, or ending, changes nothing."""
    call = Call(Timeouts(total=0.05))
    call.stop()
    call.stop()
    time.sleep(0.15)
    call.end()
    assert call.is_stopped
    error_of(Cancelled, call.check)
    error_of(Cancelled, call.pause, 5)
