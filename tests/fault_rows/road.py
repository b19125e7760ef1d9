"""Faults on the road to an answer: the connection, and the head of the answer."""

from compatapi import errors as e
from compatapi.testing import Raw
from fault_parts import (
    CHUNKED,
    CLOSING,
    DONE,
    END,
    GOOD,
    HI,
    STOP,
    Endless,
    Fault,
    Road,
    bent,
    chunk,
    head,
    sized,
)

ROAD = [
    Fault("nobody listens at the port", GOOD, e.ConnectError, road=Road(listens=False)),
    Fault("the host name is unknown", GOOD, e.ConnectError, road=Road(host="nowhere.test")),
    Fault("TLS: an unknown authority", GOOD, e.ConnectError, road=Road(server_tls=True, client_tls=True, trusts=False)),
    Fault(
        "TLS: a certificate for another host",
        GOOD,
        e.ConnectError,
        road=Road(server_tls=True, client_tls=True, host="elsewhere.test"),
    ),
    Fault(
        "TLS: a certificate that has expired",
        GOOD,
        e.ConnectError,
        road=Road(server_tls=True, client_tls=True, expired=True),
    ),
    Fault("TLS is asked of a server without it", GOOD, e.ConnectError, road=Road(client_tls=True)),
    Fault("a server with TLS is asked without it", GOOD, e.ConnectionLost, road=Road(server_tls=True)),
    Fault("the connection is closed without a word", bent("no-answer"), e.ConnectionLost),
    Fault("the connection is reset without a word", bent("reset-at-once"), e.ConnectionLost),
]

HEAD = [
    Fault("the head never comes", bent("silence"), e.RequestTimeout, clock="first_token"),
    Fault(
        "the head drips",
        Endless(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x", 0.03),
        e.RequestTimeout,
        clock="first_token",
    ),
    Fault(
        "the head drips, and the whole call has a limit", Endless(b"HTTP", b" ", 0.03), e.RequestTimeout, clock="total"
    ),
    Fault("the head is cut inside its status", Raw([b"HTTP/1.1 20"]), e.ConnectionLost),
    Fault("the head is cut inside a header", bent("head-cut"), e.ConnectionLost),
    Fault("the head is cut before its blank line", Raw([CHUNKED[:-2]]), e.ConnectionLost),
    Fault("the head is reset", Raw([CHUNKED[:-2], 0.1], reset=True), e.ConnectionLost),
    Fault("a header line without end", Endless(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 4096), e.DecodeError),
    Fault("header lines without end", Endless(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"), e.DecodeError),
    Fault("a status line without end", Endless(b"HTTP/1.1 200 O", b"x" * 4096), e.DecodeError),
    Fault("words instead of HTTP", bent("no-http"), e.DecodeError),
    Fault("another protocol's greeting", Raw([b"SSH-2.0-OpenSSH_9.6\r\n", 0.1]), e.DecodeError),
    Fault("a page without a head", Raw([b"<html><body>Hi</body></html>\r\n"]), e.DecodeError),
    Fault("frames of HTTP/2", Raw([b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80"]), e.DecodeError),
    Fault("HTTP of a version that there is not", Raw([b"HTTP/7.3 200 OK\r\n\r\n"]), e.DecodeError),
    Fault("a status that is a word", Raw([b"HTTP/1.1 fine OK\r\n\r\n"]), e.DecodeError),
    Fault("a status of two digits", Raw([b"HTTP/1.1 42 OK\r\n\r\n"]), e.DecodeError),
    Fault(
        "a header line without a colon",
        Raw([CHUNKED.replace(b"\r\n", b"\r\nnonsense\r\n", 1) + chunk(HI + STOP + DONE) + END]),
        e.DecodeError,
        says="nonsense",
    ),
    Fault(
        "a space in a header's name",
        Raw([CHUNKED.replace(b"\r\n", b"\r\nX Y: 1\r\n", 1) + chunk(HI + STOP + DONE) + END]),
        e.DecodeError,
        says="X Y",
    ),
    Fault(
        "a header over two lines",
        Raw([CHUNKED.replace(b"\r\n", b"\r\nX-Long: 1\r\n 2\r\n", 1) + chunk(HI + STOP + DONE) + END]),
        None,
        "Hi",
    ),
    Fault(
        "lines of a head that end with LF",
        Raw([CHUNKED.replace(b"\r\n", b"\n") + chunk(HI + STOP + DONE) + END]),
        None,
        "Hi",
    ),
    Fault("two lengths that differ", sized(HI, "Content-Length: 7"), e.DecodeError),
    Fault(
        "a length that is a word",
        sized(HI + STOP + DONE, size="long", media_type="text/event-stream", then=[0.0]),
        None,
        "Hi",
    ),
    Fault(
        "a length below zero", sized(HI + STOP + DONE, size=-5, media_type="text/event-stream", then=[0.0]), None, "Hi"
    ),
    Fault(
        "a length beside chunks",
        Raw([head("Transfer-Encoding: chunked", "Content-Length: 3") + chunk(HI + STOP + DONE) + END]),
        None,
        "Hi",
    ),
    Fault("HTTP/1.0", Raw([CLOSING.replace(b"1.1", b"1.0") + HI + STOP + DONE]), None, "Hi"),
    Fault("100 Continue comes first", Raw([b"HTTP/1.1 100 Continue\r\n\r\n" + CLOSING + HI + STOP + DONE]), None, "Hi"),
    Fault(
        "102 and 103 come first",
        Raw([b"HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + CLOSING + HI + STOP + DONE]),
        None,
        "Hi",
    ),
    Fault(
        "interim answers without end",
        Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
        e.RequestTimeout,
        clock="first_token",
    ),
    Fault("nothing behind an interim answer", Raw([b"HTTP/1.1 103 Hints\r\n\r\n"]), e.ConnectionLost),
    Fault(
        "101 Switching Protocols",
        Raw([b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"]),
        e.IncompleteStreamError,
        whole_gets=e.DecodeError,
    ),
    Fault(
        "204 No Content",
        Raw([b"HTTP/1.1 204 Nothing\r\n\r\n"], close=False),
        e.IncompleteStreamError,
        whole_gets=e.DecodeError,
    ),
]
