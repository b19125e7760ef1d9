"""Memory stays bounded: whatever a server sends without end, the peak is at most 1.4 times the limit in force."""

from __future__ import annotations

import gzip
import itertools
import tracemalloc

import pytest

from calls import REQUEST, hard_limit  # noqa: F401
from compatapi import CompatAPIError, Limits
from compatapi.testing import Raw, ScriptedServer

MB = 1024 * 1024
LIMIT = 8 * MB
#: Bytes that a call may need besides what it takes in: reads, pieces, objects.
BESIDES = MB
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s\r\n"
PIECE = b"x" * 65536
SSE, JSON = b"text/event-stream", b"application/json"
BOMB = gzip.compress(b'{"a": "' + bytes(80 * MB))
ENDLESS = {
    "line": (HEAD % (SSE, b""), b"data: " + PIECE),
    "lines of one event": (HEAD % (SSE, b""), b"data: " + PIECE[:1000] + b"\n"),
    "comment": (HEAD % (SSE, b""), b": " + PIECE),
    "whole body in place of a stream": (HEAD % (JSON, b""), b'{"a": "' + PIECE),
    "one chunk": (HEAD % (SSE, b"Transfer-Encoding: chunked\r\n") + b"FFFFFFFFF\r\n", b"data: " + PIECE),
    "line in small chunks": (
        HEAD % (SSE, b"Transfer-Encoding: chunked\r\n"),
        (b"50\r\n" + b"data: xx" * 10 + b"\r\n") * 100,
    ),
    "extension of a chunk": (HEAD % (SSE, b"Transfer-Encoding: chunked\r\n") + b"1;", PIECE),
    "head": (b"HTTP/1.1 200 OK\r\n", b"X: " + PIECE[:1000] + b"\r\n"),
    "line of the head": (b"HTTP/1.1 200 OK\r\nX: ", PIECE),
    "error body": (HEAD.replace(b"200 OK", b"500 No") % (JSON, b""), PIECE),
}


@pytest.fixture(autouse=True, scope="module")
def warm():
    """The first call imports what calls need, which is no part of an answer."""
    with ScriptedServer(Raw([b"HTTP/1.1 500 No\r\n\r\n"])) as server:
        error_of_any(lambda: server.client().chat_completion(REQUEST))


def peak_of(call):
    """The most memory that Python held during a call, in bytes, beyond what it held before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def ask(client, way):
    """A call that has to fail, as a stream or for the whole answer."""
    if way == "blocking":
        error_of_any(lambda: client.chat_completion(REQUEST))
    else:
        error_of_any(lambda: list(client.chat_completion_stream(REQUEST)))


def error_of_any(call):
    """Run what has to raise one of our errors."""
    with pytest.raises(CompatAPIError):
        call()


@pytest.mark.parametrize("way", ["stream", "blocking"])
@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end(what, way):
    """An endless anything ends in an error before it fills the memory."""
    start, more = ENDLESS[what]
    with ScriptedServer(lambda request: Raw(itertools.chain([start], itertools.repeat(more, 20_000)))) as server:
        client = server.client(limits=Limits(event=LIMIT, body=LIMIT))
        assert peak_of(lambda: ask(client, way)) <= 1.4 * LIMIT + BESIDES
        client.close()


@pytest.mark.parametrize("way", ["stream", "blocking"])
@pytest.mark.parametrize("framing", [b"", b"Content-Length: %d\r\n" % len(BOMB)])
def test_a_small_body_that_swells(framing, way):
    """A body that is a thousand times as large without its compression is refused at the limit."""
    with ScriptedServer(lambda request: Raw([HEAD % (JSON, b"Content-Encoding: gzip\r\n" + framing) + BOMB])) as server:
        client = server.client(limits=Limits(event=LIMIT, body=LIMIT))
        assert peak_of(lambda: ask(client, way)) <= 1.4 * LIMIT + BESIDES
        client.close()
