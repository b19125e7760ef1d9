"""Faults of time and size: silence, and answers without end."""

from compatapi import errors as e
from compatapi.testing import Raw
from compatapi.testing.faults import BadJson
from fault_parts import (
    CHUNKED,
    CLOSING,
    DONE,
    FOREVER,
    HI,
    JSON,
    SMALL,
    SPACES,
    STOP,
    Endless,
    Fault,
    bent,
    bent_stream,
    chunk,
    chunked,
    closing,
    coded,
    coded_chunks,
    head,
    packed,
    say,
)

STALL = [
    Fault("behind the head", chunked(FOREVER), e.RequestTimeout, clock="first_token"),
    Fault("behind the first event", bent_stream("stall"), e.RequestTimeout, "Hi", clock="idle"),
    Fault("inside an event", chunked(HI, say(" there")[:20], FOREVER), e.RequestTimeout, "Hi", clock="idle"),
    Fault("inside a chunk", chunked(HI, "ff\r\ndata: {", FOREVER), e.RequestTimeout, "Hi", clock="idle"),
    Fault("inside a chunk size", chunked(HI, "1", FOREVER), e.RequestTimeout, "Hi", clock="idle"),
    Fault("inside a character", chunked(HI, b'data: {"x":"\xc3', FOREVER), e.RequestTimeout, "Hi", clock="idle"),
    Fault("inside a trailer", chunked(HI, "0\r\nX-Sum: ", FOREVER), e.RequestTimeout, "Hi", clock="idle"),
    Fault(
        "inside gzip",
        Raw([head("Content-Encoding: gzip", "Connection: close") + packed(HI)[:-8], FOREVER]),
        e.RequestTimeout,
        "Hi",
        clock="idle",
    ),
    Fault("behind a finish reason, without an end mark", chunked(HI + STOP, FOREVER), None, "Hi", clock="idle"),
    Fault("behind the end mark", chunked(HI, STOP, DONE, FOREVER), None, "Hi"),
    Fault("behind the end mark, without chunks", closing(HI, STOP, DONE, FOREVER), None, "Hi"),
    Fault("nothing but comments", bent_stream("comments-only"), e.RequestTimeout, clock="first_token"),
    Fault("nothing but blank lines", Endless(CHUNKED, chunk(b"\n"), 0.03), e.RequestTimeout, clock="first_token"),
    Fault(
        "comments behind the first event",
        Endless(CHUNKED + chunk(HI), chunk(b": ping\n\n"), 0.03),
        e.RequestTimeout,
        "Hi",
        clock="idle",
    ),
    Fault(
        "blank lines behind the first event",
        Endless(CHUNKED + chunk(HI), chunk(b"\r\n"), 0.03),
        e.RequestTimeout,
        "Hi",
        clock="idle",
    ),
    Fault(
        "bytes of a line that never ends",
        Endless(CHUNKED + chunk(HI) + chunk(b"data: "), chunk(b"x"), 0.03),
        e.RequestTimeout,
        "Hi",
        clock="idle",
    ),
    Fault(
        "lines of an event that never ends",
        Endless(CHUNKED + chunk(HI), chunk(b"data: 1\n"), 0.03),
        e.RequestTimeout,
        "Hi",
        clock="idle",
    ),
    Fault(
        "a chunk extension that never ends",
        Endless(CHUNKED + chunk(HI) + b"5;", b"x", 0.03),
        e.RequestTimeout,
        "Hi",
        clock="idle",
    ),
    Fault(
        "empty events", Endless(CHUNKED + chunk(HI), chunk(b"data:\n\n"), 0.03), e.RequestTimeout, "Hi", clock="idle"
    ),
    Fault(
        "pings that are events",
        Endless(CHUNKED + chunk(HI), chunk(b'event: ping\ndata: {"type": "ping"}\n\n'), 0.03),
        e.RequestTimeout,
        "Hi",
        clock="idle",
    ),
    Fault(
        "comments as fast as they can",
        Endless(CLOSING + HI, b": ping\n\n" * 100),
        e.RequestTimeout,
        "Hi",
        clock="idle",
    ),
    Fault(
        "text that comes for longer than the whole call may take",
        Endless(CHUNKED + chunk(HI), chunk(say("")), 0.03),
        e.RequestTimeout,
        "Hi",
        clock="total",
    ),
    Fault("a whole completion that stops", bent("whole-instead", "stall"), e.RequestTimeout, clock="first_token"),
    Fault(
        "a whole completion that drips",
        Endless(head("Connection: close", media_type=JSON), b" ", 0.03),
        e.RequestTimeout,
        clock="first_token",
    ),
]

ENDLESS = [
    Fault("a line", Endless(CLOSING + HI + b"data: ", b"x" * 4096), e.DecodeError, "Hi", limits=SMALL),
    Fault("an event", Endless(CLOSING + HI, b"data: x\n" * 500), e.DecodeError, "Hi", limits=SMALL),
    Fault("a comment", Endless(CLOSING + HI + b": ", b"x" * 4096), e.DecodeError, "Hi", limits=SMALL),
    Fault("an unknown field", Endless(CLOSING + HI + b"other: ", b"x" * 4096), e.DecodeError, "Hi", limits=SMALL),
    Fault("an unknown field's name", Endless(CLOSING + HI, b"x" * 4096), e.DecodeError, "Hi", limits=SMALL),
    Fault(
        "a whole body",
        Endless(head("Connection: close", media_type=JSON) + b'{"choices": "', b"x" * 4096),
        e.DecodeError,
        limits=SMALL,
    ),
    Fault(
        "a whole body of spaces",
        Endless(head("Connection: close", media_type=JSON) + b"{", SPACES),
        e.DecodeError,
        limits=SMALL,
    ),
    Fault(
        "a page", Endless(head("Connection: close", media_type="text/html"), b"<p>more"), e.DecodeError, limits=SMALL
    ),
    Fault(
        "a whole body that says its length",
        Endless(head(f"Content-Length: {10**12}", media_type=JSON) + b"{", SPACES),
        e.DecodeError,
        limits=SMALL,
    ),
    Fault("spaces in front of nothing", Endless(CLOSING, SPACES), e.DecodeError, limits=SMALL),
    Fault("a bomb of one line", coded_chunks(packed(b"data: " + b"x" * 50_000_000)), e.DecodeError, limits=SMALL),
    Fault(
        "a bomb of a whole body",
        coded_chunks(packed(b"{" + b" " * 50_000_000), media_type=JSON),
        e.DecodeError,
        limits=SMALL,
    ),
    Fault(
        "a bomb without chunks",
        coded(packed(b"{" + b" " * 50_000_000), "gzip", media_type=JSON),
        e.DecodeError,
        limits=SMALL,
    ),
    Fault(
        "bombs inside each other",
        coded(packed(packed(b"{" + b" " * 50_000_000)), "gzip, gzip", media_type=JSON),
        e.DecodeError,
        limits=SMALL,
    ),
    Fault("a line without end behind the mark", Endless(CLOSING + HI + DONE, b"x" * 4096), None, "Hi", limits=SMALL),
    Fault("ten thousand pieces of text", closing(say("a") * 10_000, STOP, DONE), None, "a" * 10_000),
    Fault(
        "thirty thousand events",
        closing(HI, b'data:{"choices":[]}\n\n' * 30_000, STOP, DONE),
        None,
        "Hi",
        in_turn=True,  # at the same time, each would take four times as long
    ),
    Fault("a hundred thousand comments", closing(b": ping\n\n" * 100_000, HI, STOP, DONE), None, "Hi"),
    Fault(
        "a hundred thousand brackets",
        bent(BadJson(text="[" * 100_000)),
        e.DecodeError,
        "Hi",
        whole_keeps="",
    ),
]
