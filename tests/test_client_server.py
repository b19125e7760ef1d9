"""Streams over real sockets: pace, reuse of connections, ends that are cut, TLS, many threads, fork."""

import socket
import statistics
import time

import pytest

from calls import REQUEST, Running, client_of, error_of, hard_limit, server_context, timed  # noqa: F401
from compatapi.call import Timeouts
from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.errors import (
    CompatAPIError,
    ConfigError,
    ConnectError,
    ConnectionLost,
    DecodeError,
    IncompleteStreamError,
)
from compatapi.testing import ChatScript, Raw, Reply, ScriptedServer, StreamReply, chat_chunks
from compatapi.testing.faults import BadChunk, Cut, Reset
from loopback import CERTIFICATE

WORDS = chat_chunks("".join(f" w{number}" for number in range(20)))
OPEN = chat_chunks("Hi there", finish_reason=None, usage=None)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def noting(events, times):
    """The events, with the time noted at which each is asked for: the server writes it at once."""
    for event in events:
        times.append(time.monotonic())
        yield event


@pytest.mark.parametrize(
    ("framing", "encoding"),
    [("chunked", None), ("close", None), ("chunked", "gzip"), ("close", "gzip"), ("chunked", "deflate")],
)
def test_each_event_is_handed_on_when_it_arrives(framing, encoding):
    """With 20 ms between events each one is handed on before the next is sent, whatever the framing and coding."""
    sent, arrived, pause = [], [], 0.02
    events = [step for event in WORDS for step in (event, pause)]
    script = StreamReply(noting(events, sent), framing=framing, encoding=encoding)
    with ScriptedServer(script) as server, server.client().chat_completion_stream(REQUEST) as stream:
        for _ in stream:
            arrived.append(time.monotonic())
    lags = [there - here for here, there in zip(sent[::2], arrived, strict=True)]
    assert len(WORDS) == len(arrived)
    assert statistics.median(lags) < 0.015
    in_time = sum(there < following for there, following in zip(arrived, sent[2::2], strict=False))
    assert in_time >= len(WORDS) - 5


def test_content_length_does_not_delay(compatapi_server, compatapi_client):
    """With a Content-Length each event is handed on when it arrives too."""
    events = [b"data: " + b'{"choices":[{"index":0,"delta":{"content":"x"}}]}' + b"\n\n" for _ in range(20)]
    sent, arrived = [], []
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (sum(map(len, events)) + len(b"data: [DONE]\n\n"))
    pieces = [head, *(step for event in events for step in (event, 0.02)), b"data: [DONE]\n\n"]
    compatapi_server.add(Raw(noting(pieces, sent), close=False))
    for _ in compatapi_client.chat_completion_stream(REQUEST):
        arrived.append(time.monotonic())
    lags = [there - here for here, there in zip(sent[1::2], arrived, strict=False)]
    assert 20 == len(arrived)
    assert statistics.median(lags) < 0.015


def test_a_slow_chunk_of_many_events(compatapi_server, compatapi_client):
    """Events inside one HTTP chunk that is sent slowly are not held back until the chunk is whole."""
    event = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
    tail = b"data: [DONE]\n\n"
    pieces = [HEAD, b"%x\r\n" % (5 * len(event) + len(tail)), *(step for _ in range(5) for step in (event, 0.05))]
    compatapi_server.add(Raw([*pieces, tail + b"\r\n0\r\n\r\n"]))
    began = time.monotonic()
    times = [time.monotonic() - began for _ in compatapi_client.chat_completion_stream(REQUEST)]
    assert (5, True) == (len(times), times[0] < 0.1)
    assert times[-1] - times[0] > 0.1


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_streams_in_a_row_use_one_connection(framing, encoding):
    """Twenty streams in a row, each read to its end, use one connection."""
    script = ChatScript("Hi there", framing=framing, encoding=encoding)
    with ScriptedServer(lambda request: script) as server:
        client = server.client()
        for _ in range(20):
            assert "Hi there" == client.chat_completion_stream(REQUEST, lambda chunk: None).text
        assert (20, 1) == (len(server.requests), server.connections)


def test_other_calls_in_a_row_use_one_connection():
    """Blocking calls use one connection, also behind statuses that say no."""
    replies = [ChatScript("Hello there!"), Reply(404, body={"error": "no"}), Reply(500)] * 4
    with ScriptedServer(*replies) as server:
        client = server.client()
        for _ in range(4):
            assert "Hello there!" == client.chat_completion(REQUEST).text
            for _ in range(2):
                with pytest.raises(CompatAPIError):
                    client.chat_completion(REQUEST)
        assert (12, 1) == (len(server.requests), server.connections)


def test_a_connection_that_the_server_closed_meanwhile():
    """An idle connection that the server has closed is replaced, without a retry."""
    with ScriptedServer(Raw([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]), ChatScript("Hello there!")) as server:
        client = server.client()
        error_of(DecodeError, client.chat_completion, REQUEST)
        assert server.wait_until(lambda: server.open_connections == 0)
        assert "Hello there!" == client.chat_completion(REQUEST).text
        assert 2 == server.connections


def test_nothing_is_waited_for_behind_the_mark():
    """[DONE] ends the iteration at once although the server says nothing more and keeps the connection open."""
    script = StreamReply(chat_chunks("Hi there"), done=True, end="stall")
    with ScriptedServer(lambda request: script) as server:
        client = server.client(timeouts=Timeouts(first_token=None, idle=None))
        seconds, completion = timed(client.chat_completion_stream, REQUEST, lambda chunk: None)
        assert ("Hi there", True) == (completion.text, seconds < 0.5)
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)


def test_a_server_that_murmurs_behind_the_mark():
    """Drops of bytes behind [DONE] do not keep the iteration from ending either, whatever clocks are off."""
    murmur = [step for _ in range(60) for step in (0.02, b"2\r\n:\n\r\n")]
    said = [b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n', b"data: [DONE]\n\n"]
    pieces = [HEAD, *(b"%x\r\n%b\r\n" % (len(data), data) for data in said)]
    for piece in (murmur, [b"fff\r\n", *(step for _ in range(60) for step in (0.02, b":"))]):
        with ScriptedServer(Raw([*pieces, *piece])) as server:
            client = server.client(timeouts=Timeouts(first_token=None, idle=None))
            seconds, completion = timed(client.chat_completion_stream, REQUEST, lambda chunk: None)
        assert ("Hi", True) == (completion.text, seconds < 0.6)


CUTS = {
    "chunked body cut": (ChatScript("Hi there", fault=Cut(after=2)), ConnectionLost),
    "short Content-Length": (ChatScript("Hi there", framing="length", fault=Cut(after=2)), ConnectionLost),
    "reset": (ChatScript("Hi there", fault=Reset(after=2)), ConnectionLost),
    "reset of a close-delimited body": (ChatScript("Hi there", framing="close", fault=Reset(after=2)), ConnectionLost),
    "clean end, chunked": (ChatScript("Hi there", fault="no-end"), IncompleteStreamError),
    "clean end, by length": (ChatScript("Hi there", framing="length", fault="no-end"), IncompleteStreamError),
    "clean end, by closing": (ChatScript("Hi there", framing="close", fault="no-end"), IncompleteStreamError),
    "clean end, compressed": (
        ChatScript("Hi there", framing="close", encoding="gzip", fault=Cut(after=2)),
        ConnectionLost,
    ),
    "half an event": (StreamReply([*OPEN, 'data: {"choices": [{"ind'], done=False), IncompleteStreamError),
    "half an event, by closing": (StreamReply([*OPEN, "data: {"], framing="close", end="cut"), IncompleteStreamError),
    "malformed chunk size": (ChatScript("Hi there", fault=BadChunk(after=2)), ConnectionLost),
    "nothing at all": (ChatScript(fault="empty"), IncompleteStreamError),
}


@pytest.mark.parametrize("name", CUTS)
def test_answers_cut_short(name):
    """An answer that breaks off is an error that carries what came, in every style, and is never asked for again."""
    script, kind = CUTS[name]
    said = "" if name == "nothing at all" else "Hi there"
    with ScriptedServer(lambda request: script) as server:
        client, texts = server.client(max_retries=2), []
        stream = client.chat_completion_stream(REQUEST)
        assert said == error_of(kind, list, stream).completion.text
        assert [] == list(stream)
        error = error_of(kind, client.chat_completion_stream, REQUEST, lambda chunk: texts.append(chunk.text))
        assert (said, said) == ("".join(texts), error.completion.text)
        assert 2 == len(server.requests)
        assert server.wait_until(lambda: server.open_connections <= 1, 1.0)


def test_a_cut_behind_the_finish_reason(compatapi_server, compatapi_client):
    """A road that breaks behind a finish reason does not spoil the answer."""
    scripts = [ChatScript("Hi", end=end) for end in ("cut", "reset")]
    compatapi_server.add(*scripts)
    assert "Hi" == compatapi_client.chat_completion_stream(REQUEST, lambda chunk: None).text
    assert "Hi" == compatapi_client.chat_completion_stream(REQUEST, lambda chunk: None).text


def test_tls():
    """With the authority named a TLS server is trusted; without it is a ConnectError, and not tried again."""
    with ScriptedServer(lambda request: StreamReply(WORDS), ssl_context=server_context()) as server:
        client = server.client(verify=str(CERTIFICATE))
        assert 20 == len(client.chat_completion_stream(REQUEST, lambda chunk: None).text.split())
        assert 20 == len(client.chat_completion_stream(REQUEST, lambda chunk: None).text.split())
        assert 1 == server.connections
        error = error_of(ConnectError, server.client(max_retries=2).chat_completion, REQUEST)
        assert "certificate" in str(error).lower()
        assert (2, 2) == (server.connections, len(server.requests))


def test_no_server():
    """A port on which nobody listens is a ConnectError that says so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = error_of(ConnectError, client_of(f"http://127.0.0.1:{port}/v1").chat_completion, REQUEST)
    assert "refused" in str(error).lower()


def test_unknown_host_name(monkeypatch):
    """A host name that nobody knows is a ConnectError that says so."""

    def unknown(*_args):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = error_of(ConnectError, client_of("http://nowhere.invalid/v1").chat_completion, REQUEST)
    assert "not known" in str(error)


@pytest.mark.parametrize("nonsense", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x15\x03\x01\x00\x02\x02F", b"hello\r\n" * 50])
def test_servers_of_something_else(nonsense):
    """An answer that is no HTTP is a DecodeError: they said nonsense, and would again."""
    with ScriptedServer(lambda request: Raw([nonsense])) as server:
        error_of(DecodeError, server.client(max_retries=2).chat_completion, REQUEST)
        assert 1 == len(server.requests)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 O", b"HTTP/1.1 200 OK\r\nContent-T", b"HTTP/1.1 200 OK\r\nA: b\r\n"])
def test_a_head_that_breaks_off(head):
    """A head that breaks off is a lost connection and no empty answer."""
    with ScriptedServer(lambda request: Raw([head])) as server:
        error_of(ConnectionLost, server.client().chat_completion, REQUEST)


def test_interim_answers(compatapi_server, compatapi_client):
    """Answers 1xx in front of the answer are passed over."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"data":[],"a":1}'
    compatapi_server.add(Raw([interim + answer]))
    assert [] == compatapi_client.models()


def test_proxies(monkeypatch):
    """The proxy of the environment, or that of the client, is asked for hosts; NO_PROXY is heeded."""
    with ScriptedServer(lambda request: ChatScript("Hello there!")) as proxy:
        for name in ("NO_PROXY", "no_proxy", "http_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        client = client_of("http://a.invalid/v1", proxies={"http": proxy.url})
        assert "Hello there!" == client.chat_completion(REQUEST).text
        monkeypatch.setenv("http_proxy", proxy.url)
        client_of("http://b.invalid/v1").chat_completion(REQUEST)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with ScriptedServer(ChatScript("Hello there!")) as server:
            server.client().chat_completion(REQUEST)
            assert 1 == len(server.requests)
        expected = ["http://a.invalid/v1/chat/completions", "http://b.invalid/v1/chat/completions"]
        assert expected == [request.path for request in proxy.requests]


def test_many_threads():
    """Fifty threads on one client get each its own answers."""

    def answer(request):
        return ChatScript(request.chat.messages[0].text, interval=0.001)

    def ask(client, number):
        wanted = [f"thread {number} question {turn}" for turn in range(4)]
        questions = [ChatCompletionRequest("m", [Message.user(text)]) for text in wanted]
        return wanted == [client.chat_completion_stream(one, lambda chunk: None).text for one in questions]

    with ScriptedServer(answer) as server:
        client = server.client()
        threads = [Running(ask, client, number) for number in range(50)]
        assert all(thread.result(15) for thread in threads)
        assert (200, True) == (len(server.requests), server.connections <= 50)


def test_a_bad_certificate_path():
    """A path for `verify` that does not exist is a ConfigError: the caller can cure it."""
    with ScriptedServer(ChatScript("Hello there!"), ssl_context=server_context()) as server:
        client = server.client(verify="/nonexistent/ca.pem", max_retries=2)
        error_of(ConfigError, client.chat_completion, REQUEST)
