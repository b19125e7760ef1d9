"""The chunked transfer coding (RFC 9112, section 7.1), fed whole, byte by byte and at every cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compatapi.chunked import ChunkedDecoder
from compatapi.errors import ConnectionLost
from helpers import cut, ways_to_feed

BODIES = {
    "one chunk": (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    "several chunks": (b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
    "hexadecimal sizes in both cases": (b"A\r\n0123456789\r\n0a\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
    "extensions are ignored": (b'3;name="x"\r\nabc\r\n0;last\r\n\r\n', b"abc"),
    "trailer fields are ignored": (b"1\r\na\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n", b"a"),
    "line ends inside a chunk": (b"6\r\na\r\n\r\nb\r\n0\r\n\r\n", b"a\r\n\r\nb"),
    "an empty body": (b"0\r\n\r\n", b""),
    "a blank behind the size": (b"1 \r\na\r\n0\r\n\r\n", b"a"),
    "lines between chunks that end with LF alone": (b"1\na\r\n0\n\n", b"a"),
}
BROKEN = {
    "no size": b"\r\nabc",
    "no number": b"xyz\r\nabc\r\n",
    "a sign": b"+5\r\nhello\r\n",
    "an underscore": b"1_0\r\n",
    "a huge size": b"1" * 20 + b"\r\n",
    "no end behind a chunk": b"3\r\nabcdef\r\n",
    "an endless line": b"1;" + b"x" * 20_000,
    "an endless trailer": b"0\r\n" + b"X-A: 1\r\n" * 5_000,
}


@pytest.mark.parametrize("name", BODIES)
def test_chunks_give_the_body(name):
    """The body comes out whole however the bytes are cut, and the end is seen."""
    data, expected = BODIES[name]
    for label, pieces in ways_to_feed(data):
        decoder = ChunkedDecoder()
        assert expected == b"".join(map(decoder.feed, pieces)), label
        assert decoder.done, label


@pytest.mark.parametrize("name", BODIES)
def test_a_cut_body_is_not_done(name):
    """No beginning of a body looks like its end."""
    data, _ = BODIES[name]
    for end in range(len(data)):
        decoder = ChunkedDecoder()
        decoder.feed(data[:end])
        assert not decoder.done, data[:end]


CHUNKS = st.sampled_from([b"a", b"bc", b"\r\n", b"1\r\na\r\n", b"x" * 20, b"data: 1\n\n"])
LINES = st.sampled_from(["%x\r\n", "%X\r\n", "0%x\r\n", "%x\n", "%x;a=b\r\n", "%x \r\n"])


@given(
    st.lists(st.tuples(LINES, CHUNKS), max_size=30),
    st.lists(st.integers(0, 200), max_size=4),
    st.sampled_from(["", "0", "x", "\r\n"]),
)
def test_many_chunks(parts, cuts, wrong):
    """Chunks whose lines were read before give what they give when they are read for the first time."""
    data = b"".join((line % len(chunk)).encode() + chunk + b"\r\n" for line, chunk in parts)
    tail = wrong.encode() or b"0\r\n\r\n"
    decoder, found = ChunkedDecoder(), b""
    for piece in cut(data, sorted({min(at, len(data)) for at in cuts})):
        found += decoder.feed(piece)
    assert b"".join(chunk for _, chunk in parts) == found
    if wrong in ("x", "\r\n"):
        with pytest.raises(ConnectionLost):
            decoder.feed(tail + b"\r\n")
    else:
        assert b"" == decoder.feed(tail)
        assert bool(not wrong) == decoder.done


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_coding_is_an_error(name):
    """What is no chunked coding raises, whole and byte by byte."""
    with pytest.raises(ConnectionLost, match="chunked coding"):
        ChunkedDecoder().feed(BROKEN[name])
    with pytest.raises(ConnectionLost, match="chunked coding"):
        decoder = ChunkedDecoder()
        for byte in BROKEN[name]:
            decoder.feed(bytes([byte]))


def test_a_piece_is_given_before_its_chunk_is_whole():
    """A proxy may pack many events into one chunk and send it slowly; each is handed on when it is there."""
    decoder = ChunkedDecoder()
    assert b"data: 1\n\n" == decoder.feed(b"12\r\ndata: 1\n\n")
    assert b"data: 2\n\n" == decoder.feed(b"data: 2\n\n")
    assert b"" == decoder.feed(b"\r\n0\r\n\r\n")


def test_what_comes_behind_the_end_is_kept():
    """Bytes behind the end belong to no answer of ours; they are told, so that the connection is not used again."""
    decoder = ChunkedDecoder()
    assert b"a" == decoder.feed(b"1\r\na\r\n0\r\n\r\nHTTP/1.1")
    assert (True, b"HTTP/1.1") == (decoder.done, decoder.left_over)
