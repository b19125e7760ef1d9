"""HTTP/1.1 on a connection: what is written of a request, and what is read of an answer."""

from __future__ import annotations

import pytest

from compatapi.errors import ConnectionLost, DecodeError
from compatapi.http1 import read_answer, send_request

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello"


class Wire:
    """The end of a connection: gives pieces that were put there, and keeps what is sent."""

    def __init__(self, *pieces):
        self.pieces, self.sent = list(pieces), []

    def recv(self, size):
        piece = self.pieces.pop(0) if self.pieces else b""
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def sendall(self, data):
        self.sent.append(data)


def body_of(answer):
    return b"".join(answer.pieces())


def test_a_request():
    """The head and a small body are one piece, with the host in front of the other fields."""
    wire = Wire()
    send_request(wire, "POST", "/v1", "a.test", {"X-Y": "1", "Content-Length": "2"}, b"{}")
    assert [b"POST /v1 HTTP/1.1\r\nHost: a.test\r\nX-Y: 1\r\nContent-Length: 2\r\n\r\n{}"] == wire.sent


def test_a_host_of_the_programs_own():
    """A program's own field Host is sent in place of ours, however it is spelled."""
    wire = Wire()
    send_request(wire, "GET", "/", "a.test", {"hOST": "b.test"}, None)
    assert [b"GET / HTTP/1.1\r\nhOST: b.test\r\n\r\n"] == wire.sent


def test_a_large_body_is_not_copied():
    """A large body is sent as the object that it is."""
    wire, body = Wire(), bytes(1_000_000)
    send_request(wire, "POST", "/", "a.test", {}, body)
    assert body is wire.sent[1]


@pytest.mark.parametrize("data", [CHUNKED, SIZED, CHUNKED.replace(b"\r\n", b"\n", 3)])
def test_every_cut(data):
    """Wherever the network cuts an answer in two, and byte by byte, its body is the same and its connection serves."""
    for cut in range(1, len(data)):
        answer = read_answer(Wire(data[:cut], data[cut:]))
        assert (200, "OK", b"Hello", True) == (answer.status, answer.reason, body_of(answer), answer.can_be_drained)
    assert b"Hello" == body_of(read_answer(Wire(*(data[at : at + 1] for at in range(len(data))))))


@pytest.mark.parametrize("data", [CHUNKED, SIZED])
def test_cut_short(data):
    """An answer that ends early is a lost connection, in its head and in its body."""
    for cut in range(len(data)):
        with pytest.raises(ConnectionLost):
            body_of(read_answer(Wire(data[:cut])))


@pytest.mark.parametrize("data", [CHUNKED, SIZED])
def test_more_than_was_announced(data):
    """A connection on which more came than the answer is not used again, and what came is no part of the body."""
    answer = read_answer(Wire(data + b"HTTP/1.1"))
    assert (b"Hello", False) == (body_of(answer), answer.can_be_drained)


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 5", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5, 5", True),
        (b"HTTP/1.1 200\r\nContent-Length: five", False),
        (b"HTTP/1.1 200 \r\nContent-Length: -5", False),
    ],
)
def test_whether_a_connection_serves_again(head, keeps):
    """Version, connection field and length say whether another request can follow (RFC 9112, sections 6.3 and 9.3)."""
    answer = read_answer(Wire(head + b"\r\n\r\nHello"))
    assert (b"Hello", keeps) == (body_of(answer), answer.can_be_drained)


@pytest.mark.parametrize("status", [101, 204, 304])
def test_no_body(status):
    """An answer of some statuses has no body, whatever its fields say."""
    answer = read_answer(Wire(f"HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\n".encode()))
    assert b"" == body_of(answer)


def test_fields():
    """Fields over two lines are joined, white space around values is not part of them, odd names are kept."""
    head = b"HTTP/1.1 200 OK\r\nA(b): \t one\r\n\t two \r\nC:\r\n:status: 200\r\nD: \xe9\r\nd: x\r\n\r\n"
    assert {"A(b)": "one two", "C": "", "d": "\xe9, x"} == dict(read_answer(Wire(head)).headers)


@pytest.mark.parametrize(
    "head",
    [
        b"hello\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: first\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000,
    ],
)
def test_nonsense(head):
    """What is no HTTP is a DecodeError, and not read as far as it goes."""
    with pytest.raises(DecodeError):
        read_answer(Wire(head))
