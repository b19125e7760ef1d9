"""The scripts of a server without a socket: time, cancelling, threads, retries, and the seam of the client."""

import math
import pickle
import socket
import threading
import time

import pytest

from calls import NOISE, REQUEST, error_of, eventually, hard_limit, timed  # noqa: F401
from compatapi import errors as e
from compatapi.call import Timeouts
from compatapi.client import Client
from compatapi.http_types import Headers, HttpResponse
from compatapi.testing import ChatScript, ErrorScript, Raw, Reply, ScriptedTransport, StreamReply, chat_completion
from compatapi.testing import faults as f

NO_CLOCKS = Timeouts(None, None, None, None)


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch):
    """No socket is made or looked up."""

    def refuse(*args, **options):
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_no_socket_and_no_thread():
    """Calls to any host are answered without a socket and without a thread for each call."""
    transport = ScriptedTransport(ChatScript("One"), ChatScript("Two"), strict=True)
    with transport, Client("openai", api_key="a-key", transport=transport) as client:
        client.chat_completion(REQUEST)
        before = threading.active_count()
        with client.chat_completion_stream(REQUEST) as stream:
            assert ["Two"] == [chunk.text for chunk in stream if chunk.text]
            assert before == threading.active_count()
    first, second = transport.requests
    assert ("api.openai.com", "/v1/chat/completions", "a-key") == (first.headers["host"], first.path, second.key)
    assert (1, 1) == (transport.connections, second.connection)


# --- time


def test_pauses_pass_at_once():
    """Minutes of pauses take no time, and each clock sees them."""
    script = ChatScript("One two three", delay=60.0, first_delay=30.0, interval=20.0)
    with ScriptedTransport(script) as transport, transport.client() as client:
        seconds, completion = timed(client.chat_completion_stream, REQUEST, lambda chunk: None)
    assert "One two three" == completion.text
    assert seconds < 5.0


@pytest.mark.parametrize(
    ("clock", "script", "kept"),
    [
        ("first_token", ChatScript("One two", delay=601.0), ""),
        ("first_token", ChatScript("One two", first_delay=601.0), ""),
        ("idle", ChatScript("One two", fault=f.Stall(1, seconds=121.0)), "One"),
        ("total", ChatScript("One two", interval=100.0), "One"),
    ],
)
def test_clocks_run_out_as_they_would(clock, script, kept):
    """The clock that runs out is the one that would, with the numbers it would have, and at once."""
    limits = Timeouts(total=150.0 if clock == "total" else None)
    with ScriptedTransport(script) as transport, transport.client(timeouts=limits) as client:
        seconds, error = timed(error_of, e.RequestTimeout, client.chat_completion_stream, REQUEST, lambda chunk: None)
    assert (clock, getattr(limits, clock)) == (error.clock, error.limit)
    assert error.limit <= error.elapsed < error.limit + 5.0
    assert kept == (error.completion.text if error.completion else "")
    assert seconds < 5.0


def test_a_pause_below_the_limit_is_none():
    """Pauses that no clock minds do not add up to one that it would."""
    script = ChatScript("One two three four", interval=119.0)
    with ScriptedTransport(script) as transport, transport.client() as client:
        assert "One two three four" == client.chat_completion_stream(REQUEST, lambda chunk: None).text


def test_real_time():
    """With `real_time` pauses are waited for, and clocks are those of the wall."""
    script = ChatScript("One two", first_delay=0.1, fault=f.Stall(1))
    with ScriptedTransport(script, real_time=True) as transport:
        client = transport.client(timeouts=Timeouts(idle=0.1))
        seconds, error = timed(error_of, e.RequestTimeout, client.chat_completion_stream, REQUEST, lambda chunk: None)
    assert "idle" == error.clock
    assert 0.2 <= seconds < 0.2 + 20 * NOISE


# --- stopping


@pytest.mark.parametrize("real_time", [False, True])
@pytest.mark.parametrize("fault", [f.Silence(), f.Stall(1)])
def test_cancelling_wakes_whoever_waits(fault, real_time):
    """A call that no clock would end waits for real, and is woken by `cancel` from another thread."""
    with ScriptedTransport(ChatScript("One two", fault=fault), real_time=real_time) as transport:
        handle = transport.client(timeouts=NO_CLOCKS).start_stream(REQUEST)
        assert eventually(lambda: transport.requests)
        time.sleep(0.02)
        handle.cancel()
        seconds, _ = timed(error_of, e.Cancelled, handle.result, 5.0)
    assert seconds < 5 * NOISE


def test_stopping_early_drops_the_connection():
    """A stream that is left is over; the next call has another connection."""
    with ScriptedTransport(ChatScript("One two three"), ChatScript("Next")) as transport, transport.client() as client:
        with client.chat_completion_stream(REQUEST) as stream:
            next(chunk for chunk in stream if chunk.text)
        assert "Next" == client.chat_completion(REQUEST).text
        assert [1, 2] == [request.connection for request in transport.requests]


# --- connections, retries, threads


def test_connections_are_kept_or_closed_as_the_script_says():
    """A script that closes its connection makes the next call open another, as over a socket."""
    whole = chat_completion("Hi")
    scripts = Reply(body=whole), Reply(body=whole, headers={"Connection": "close"}), Reply(body=whole)
    with ScriptedTransport(*scripts) as transport, transport.client() as client:
        assert ["Hi"] * 3 == [client.chat_completion(REQUEST).text for _ in range(3)]
        assert [1, 1, 2] == [request.connection for request in transport.requests]


@pytest.mark.parametrize("first", [ErrorScript(503, retry_after=0.01), Raw([]), Raw([], reset=True)])
def test_retries(first):
    """What a client tries again over a socket it tries again here."""
    with ScriptedTransport(first, ChatScript("Hi"), strict=True) as transport:
        assert "Hi" == transport.client(max_retries=1).chat_completion(REQUEST).text
        assert 2 == len(transport.requests)


def test_an_answer_that_is_too_short_waits_for_more():
    """A promised length that is not reached on a connection that stays is a silence, as over a socket."""
    script = Raw([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"], close=False)
    with ScriptedTransport(script) as transport:
        error = error_of(e.RequestTimeout, transport.client().chat_completion, REQUEST)
    assert "first_token" == error.clock


def test_many_threads():
    """One transport serves the calls of many threads, each with a connection of its own."""
    texts = []
    with ScriptedTransport(lambda request: ChatScript("One two three")) as transport, transport.client() as client:
        threads = [
            threading.Thread(target=lambda: texts.append(client.chat_completion(REQUEST).text)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10.0)
    assert ["One two three"] * 8 == texts
    assert 8 == len(transport.requests)


def test_endless_answers_end_with_the_reader():
    """An answer without end is read as far as somebody reads it."""
    endless = StreamReply(iter(lambda: {"choices": []}, None))
    with (
        ScriptedTransport(endless) as transport,
        transport.client().chat_completion_stream(REQUEST) as stream,
    ):
        chunks = [next(stream) for _ in range(5)]
    assert 5 == len(chunks)


# --- the seam


class Parrot:
    """A transport of a program's own."""

    def __init__(self):
        self.is_closed = False

    def send(self, request, call):
        call.check()
        body = str(chat_completion(request.url)).replace("'", '"').replace("None", "null").encode()
        return HttpResponse(200, headers=Headers({"Content-Type": "application/json"}), body=iter([body]))

    def close(self):
        self.is_closed = True


def test_a_transport_of_ones_own():
    """Whatever has `send` and `close` can move the requests of a client, which closes it."""
    parrot = Parrot()
    with Client("groq", api_key="a-key", transport=parrot) as client:
        assert "https://api.groq.com/openai/v1/chat/completions" == client.chat_completion(REQUEST).text
    assert parrot.is_closed


def test_a_client_with_a_transport_is_not_pickled():
    """It says so, and does not travel without its transport."""
    client = Client("ollama", transport=Parrot())
    with pytest.raises(TypeError, match="a transport of its own"):
        pickle.dumps(client)


def test_endless_pauses_are_math():
    """A pause of `math.inf` in a script of bytes is a silence that the clock ends."""
    with ScriptedTransport(Raw([math.inf])) as transport:
        assert "first_token" == error_of(e.RequestTimeout, transport.client().chat_completion, REQUEST).clock
