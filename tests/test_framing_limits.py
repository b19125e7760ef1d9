"""What framing costs: time linear in the input, memory bounded by the limit on one event."""

import gc
import time
import tracemalloc
from itertools import repeat

import pytest

from compatapi.errors import DecodeError
from compatapi.framing import NDJSONDecoder, SSEDecoder
from helpers import cut

LIMIT = 1 << 18
SMALL_CHANGE = 64 * 1024
# How far over the limit an endless stream is fed; a data line costs at least a fifth of its bytes.
ENDLESS = 8 * LIMIT


def seconds_per_byte(make_decoder, data, piece):
    """The least processor time of several runs, per byte of input."""
    pieces = cut(data, range(piece, len(data), piece))
    times = []
    for _ in range(4):
        decoder = make_decoder()
        gc.collect()
        start = time.process_time()
        for part in pieces:
            decoder.feed(part)
        decoder.close()
        times.append(time.process_time() - start)
    return min(times) / len(data)


def repeated(unit):
    """Make streams of one unit again and again."""
    return lambda size: unit * (size // len(unit)) + b"\n"


def long(head, tail=b""):
    """Make streams of one long line."""
    return lambda size: head + b"x" * size + tail


KB, MB = 1 << 10, 1 << 20
# Decoder, maker of the stream, size of a read, size of the small stream.
STREAMS = {
    "one line": (SSEDecoder, long(b"data: ", b"\n\n"), 4 * KB, 512 * KB),
    "one line in small reads": (SSEDecoder, long(b"data: ", b"\n\n"), 64, 64 * KB),
    "one line without end": (SSEDecoder, long(b"data: "), 4 * KB, 512 * KB),
    "comment": (SSEDecoder, long(b":", b"\n\n"), 4 * KB, 512 * KB),
    "data lines": (SSEDecoder, repeated(b"data: 0123456789\n"), 4 * KB, 128 * KB),
    "data lines with lone CR": (SSEDecoder, repeated(b"data: 0123456789\r"), 4 * KB, 128 * KB),
    "events in one read": (SSEDecoder, repeated(b"data: 01234\n\n"), 99 * MB, 64 * KB),
    "CRLF events in one read": (SSEDecoder, repeated(b"data: 01\r\n\r\n"), 99 * MB, 64 * KB),
    "object": (NDJSONDecoder, long(b'{"a":"', b'"}\n'), 4 * KB, 512 * KB),
    "object without LF": (NDJSONDecoder, long(b'{"a":"', b'"}'), 4 * KB, 512 * KB),
    "objects in one read": (NDJSONDecoder, repeated(b'{"a":1234}\n'), 99 * MB, 64 * KB),
}


@pytest.mark.parametrize("name", STREAMS)
def test_cost_is_linear(name):
    """Four times the input costs about four times as much, not sixteen."""
    make_decoder, make_data, piece, size = STREAMS[name]
    small = large = float("inf")
    for _ in range(8):  # a busy machine slows one side of a pair now and then, a quadratic decoder always
        small = min(small, seconds_per_byte(make_decoder, make_data(size), piece))
        large = min(large, seconds_per_byte(make_decoder, make_data(4 * size), piece))
        # Below it new pages of memory are most of the cost; copying again and again costs several of it.
        if large <= max(3 * small, 2e-9):
            break
    assert large <= max(3 * small, 2e-9)


def pieces_of(head, unit, piece, total):
    """Yield ``head`` and then ``unit`` again and again, each read a new object, up to ``total``."""
    yield head
    for _ in repeat(None, total // piece):
        yield unit * (piece // len(unit))


def feed_endlessly(decoder, pieces):
    """Feed until the decoder refuses; return the error and the peak of memory in bytes."""
    gc.collect()
    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    error = None
    try:
        for piece in pieces:
            decoder.feed(piece)
    except DecodeError as caught:
        error = caught
    peak = tracemalloc.get_traced_memory()[1] - start
    tracemalloc.stop()
    return error, peak


ENDLESS_STREAMS = {
    "line": (SSEDecoder, b"data: ", b"x", 4096),
    "line in large reads": (SSEDecoder, b"data: ", b"x", 65536),
    "line in small reads": (SSEDecoder, b"data: ", b"x", 16),
    "line with an emoji": (SSEDecoder, b"data: \xf0\x9f\x98\x80", b"x", 4096),
    "comment": (SSEDecoder, b":", b"x", 4096),
    "unknown field": (SSEDecoder, b"", b"x", 4096),
    "id": (SSEDecoder, b"id: ", b"x", 4096),
    "event type": (SSEDecoder, b"event: ", b"x", 4096),
    "long data lines": (SSEDecoder, b"", b"data: " + b"x" * 1017 + b"\n", 4096),
    "data lines": (SSEDecoder, b"", b"data: " + b"x" * 57 + b"\n", 4096),
    "data lines with lone CR": (SSEDecoder, b"", b"data: " + b"x" * 57 + b"\r", 4096),
    "data lines with an emoji": (SSEDecoder, b"", b"data: %b\n" % ("😀" + 53 * "x").encode(), 4096),
    "short data lines": (SSEDecoder, b"", b"data: x\n", 4096),
    "empty data lines": (SSEDecoder, b"", b"data\n", 4095),
    "object": (NDJSONDecoder, b'{"a":"', b"x", 4096),
    "object in small reads": (NDJSONDecoder, b'{"a":"', b"x", 16),
    "white space": (NDJSONDecoder, b"", b" ", 4096),
}


@pytest.mark.parametrize("name", ENDLESS_STREAMS)
def test_endless_event_ends_in_an_error_with_memory_bounded(name):
    """An event or line without end is refused before memory is much over the limit."""
    make_decoder, head, unit, piece = ENDLESS_STREAMS[name]
    decoder = make_decoder(max_event_bytes=LIMIT)
    error, peak = feed_endlessly(decoder, pieces_of(head, unit, piece, ENDLESS))
    assert isinstance(error, DecodeError)
    assert peak <= 1.4 * LIMIT + SMALL_CHANGE


@pytest.mark.parametrize(
    ("make_decoder", "data"),
    [
        (SSEDecoder, b"data: " + b"x" * 2000 + b"\n\n"),
        (SSEDecoder, b"data: " + b"x" * 2000 + b"\n"),
        (SSEDecoder, b"data: x\n" * 2000 + b"\n"),
        (SSEDecoder, b"id: " + b"x" * 2000 + b"\ndata: x\n\n"),
        (SSEDecoder, b"event: " + b"x" * 2000 + b"\ndata: x\n\n"),
        (NDJSONDecoder, b'{"a":"' + b"x" * 2000 + b'"}\n'),
    ],
)
def test_event_over_the_limit_in_one_read_is_refused(make_decoder, data):
    """The limit holds for an event that comes whole, and the decoder takes nothing after it."""
    decoder = make_decoder(max_event_bytes=1000)
    with pytest.raises(DecodeError):
        decoder.feed(data)
    with pytest.raises(DecodeError):
        decoder.feed(b"{}\n\n")


@pytest.mark.parametrize("make_decoder", [SSEDecoder, NDJSONDecoder])
def test_limit_error_is_small_and_clear(make_decoder):
    """The error names the limit and carries no more than a short piece of the event."""
    with pytest.raises(DecodeError, match="1,?000") as caught:
        make_decoder(max_event_bytes=1000).feed(b"{" * 100_000)
    assert len(caught.value.data or "") < 600


@pytest.mark.parametrize(
    "unit",
    [b": ping\n", b": ping\n\n", b"\n", b"data: 0123456789\n\n", b"event: a\n\n", b"id: 1\n\n"],
)
def test_many_small_things_are_no_large_one(unit):
    """Comments, empty lines and events may add up to any size, with memory bounded."""
    decoder = SSEDecoder(max_event_bytes=1000)
    decoder.feed(b"data: first\n")
    error, peak = feed_endlessly(decoder, pieces_of(b"", unit, 8 * len(unit), 100_000))
    assert error is None
    assert peak < SMALL_CHANGE


def test_many_small_events_in_one_read_are_no_large_one():
    """A read may be larger than the limit on one event."""
    assert 1000 == len(SSEDecoder(max_event_bytes=100).feed(b"data: x\n\n" * 1000))
    assert 1000 == len(NDJSONDecoder(max_event_bytes=100).feed(b'{"a":1}\n' * 1000))
