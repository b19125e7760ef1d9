"""What a `ScriptedServer` answers, as plain values.

A script turns a request into *steps*: bytes are written to the socket in one go, a float is a
pause in seconds (`math.inf` lasts until the server closes), and the last step says what becomes
of the connection: "keep" for the next request, "close", or "reset" (TCP RST). No sockets here, so
whatever a script puts on the wire can be looked at with `list(script.play(request))`.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from attrs import Attribute, field, frozen

from .http1 import RecordedRequest, merge_headers, render_head

Ending = Literal["keep", "close", "reset"]
Step = bytes | float | Ending
Event = Mapping[str, Any] | str | bytes | float
HeaderValues = Mapping[str, str | None]

# The window sizes that make zlib write gzip and "deflate" (RFC 9110, section 8.4.1: zlib format).
_WINDOW_BITS = {"gzip": 31, "deflate": 15}


def one_of(*allowed: str | None) -> Callable[[object, Attribute[Any], str | None], None]:
    """A validator that says in one line what is allowed."""

    def check(_: object, attribute: Attribute[Any], value: str | None) -> None:
        if value not in allowed:
            raise ValueError(f"{attribute.name} is one of {', '.join(map(repr, allowed))}, not {value!r}")

    return check


IS_FRAMING = one_of("chunked", "close", "length")
IS_ENCODING = one_of(None, *_WINDOW_BITS)
IS_END = one_of("clean", "cut", "reset", "stall")


class Script(Protocol):
    """Anything that can answer a request: the classes of this module, or your own."""

    def play(self, request: RecordedRequest) -> Iterator[Step]:
        """Give the steps of the answer, one after the other."""
        ...


def encode_json(value: object) -> bytes:
    """Return compact JSON as servers send it: UTF-8, nothing escaped that need not be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@frozen
class Reply:
    """A whole answer, written at once.

    `body`: a dict or list is sent as JSON, text as UTF-8, bytes as they are. `headers` replace
    the ones made here; None takes one away. `delay`: seconds of silence before the first byte.
    `encoding`: "gzip" or "deflate". The connection stays open unless `headers` say
    `Connection: close`.
    """

    status: int = 200
    body: Mapping[str, Any] | Sequence[Any] | str | bytes | None = field(default=b"", kw_only=True)
    headers: HeaderValues = field(factory=dict, kw_only=True)
    delay: float = field(default=0.0, kw_only=True)
    encoding: str | None = field(default=None, validator=IS_ENCODING, kw_only=True)

    def play(self, request: RecordedRequest) -> Iterator[Step]:
        """Give the pause, then head and body as one write."""
        media_type, body = _encode_body(self.body)
        if self.encoding is not None:
            deflate = zlib.compressobj(wbits=_WINDOW_BITS[self.encoding])
            body = deflate.compress(body) + deflate.flush()
        defaults = {
            "Content-Type": media_type,
            "Content-Encoding": self.encoding,
            "Content-Length": str(len(body)),
        }
        head = render_head(self.status, merge_headers(defaults, self.headers))
        yield self.delay
        # Answers to HEAD and those with these codes end with their head (RFC 9112, section 6.3).
        bodiless = request.method == "HEAD" or self.status in (204, 304)
        yield head if bodiless else head + body
        yield _ending(self.headers)


@frozen
class StreamReply:
    """A stream of events, each of which is one write (and one HTTP chunk when chunked).

    `events`, any iterable, also an endless one: a dict becomes a `data:` line of JSON, text and
    bytes are sent as they are, a number is a pause in seconds of its own. Numbers below are
    seconds.

    `interval`: pause between two events. `delay`: silence before the head. `first_delay`: silence
    between head and first event. `keepalive`: while pausing, write `keepalive_text` that often.
    `framing`: "chunked", "close" (the end of the connection is the end of the body) or "length".
    `encoding`: None, "gzip" or "deflate", flushed after each event so that it can be decoded when
    it arrives. `newline`: what ends the lines made here. `done`: whether `data: [DONE]` closes
    the stream; None means with a clean end only.

    `end`: "clean" ends the body as its framing says; "cut" closes the connection before the body
    is complete (which "close" framing cannot show); "reset" breaks it off with a TCP RST; "stall"
    says nothing more until the server or the client closes.
    """

    events: Iterable[Event] = ()
    interval: float = field(default=0.0, kw_only=True)
    delay: float = field(default=0.0, kw_only=True)
    first_delay: float = field(default=0.0, kw_only=True)
    keepalive: float | None = field(default=None, kw_only=True)
    keepalive_text: str = field(default=": keep-alive\n\n", kw_only=True)
    framing: str = field(default="chunked", validator=IS_FRAMING, kw_only=True)
    encoding: str | None = field(default=None, validator=IS_ENCODING, kw_only=True)
    newline: str = field(default="\n", kw_only=True)
    done: bool | None = field(default=None, kw_only=True)
    end: str = field(default="clean", validator=IS_END, kw_only=True)
    status: int = field(default=200, kw_only=True)
    headers: HeaderValues = field(factory=dict, kw_only=True)

    @keepalive.validator
    def _check_keepalive(self, _: object, value: float | None) -> None:
        if value is not None and (value <= 0 or self.framing == "length"):
            raise ValueError("keepalive needs a time above 0 and a framing other than 'length'")

    def play(self, request: RecordedRequest) -> Iterator[Step]:
        """Give the head, the events in their framing with the pauses between, and the end."""
        encode, finish = _encoder(self.encoding)
        body: Iterable[bytes | float] = self._body(encode, finish)
        length = None
        if self.framing == "length":
            body = list(body)
            length = sum(len(step) for step in body if isinstance(step, bytes))
            # An end that is not clean must leave the promised length unreached.
            length += 0 if self.end == "clean" else len(self._done_event())
        yield self.delay
        yield self._head(length)
        for step in body:
            yield self._frame(step) if isinstance(step, bytes) else step
        if self.end == "stall":
            yield from (self._frame(step) for step in self._pause(math.inf, encode))
        if self.end == "clean" and self.framing == "chunked":
            yield b"0\r\n\r\n"
        yield self._ending()

    def _head(self, length: int | None) -> bytes:
        defaults = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-cache",
            "Content-Encoding": self.encoding,
            "Transfer-Encoding": "chunked" if self.framing == "chunked" else None,
            "Content-Length": None if length is None else str(length),
            "Connection": "close" if self.framing == "close" else None,
        }
        return render_head(self.status, merge_headers(defaults, self.headers))

    def _body(self, encode: Callable[[bytes], bytes], finish: Callable[[], bytes]) -> Iterator[bytes | float]:
        yield from self._pause(self.first_delay, encode)
        pause = 0.0
        for event in self.events:
            if isinstance(event, (int, float)):
                yield from self._pause(event, encode)
                continue
            yield from self._pause(pause, encode)
            pause = self.interval
            yield encode(self._render(event))
        clean = self.end == "clean"
        if clean if self.done is None else self.done:
            yield encode(self._done_event())
        if clean:
            yield finish()

    def _render(self, event: Mapping[str, Any] | str | bytes) -> bytes:
        if isinstance(event, bytes):
            return event
        if isinstance(event, str):
            return event.encode()
        return b"data: " + encode_json(event) + self.newline.encode() * 2

    def _done_event(self) -> bytes:
        return f"data: [DONE]{self.newline}{self.newline}".encode()

    def _pause(self, seconds: float, encode: Callable[[bytes], bytes]) -> Iterator[bytes | float]:
        if self.keepalive is not None:
            while seconds > self.keepalive:
                yield self.keepalive
                yield encode(self.keepalive_text.encode())
                seconds -= self.keepalive
        yield seconds

    def _frame(self, step: bytes | float) -> bytes | float:
        # An empty chunk would be the end of the body.
        if self.framing != "chunked" or not isinstance(step, bytes) or not step:
            return step
        return b"%x\r\n%b\r\n" % (len(step), step)

    def _ending(self) -> Ending:
        if self.end == "reset":
            return "reset"
        if self.end != "clean" or self.framing == "close":
            return "close"
        return _ending(self.headers)


@frozen
class Raw:
    """Bytes and pauses (floats, in seconds), written to the socket with nothing around them.

    The head of the answer is yours to write, so this can say everything that a broken server can.
    Then the connection is closed, broken off with a TCP RST (`reset=True`), or kept for the next
    request (`close=False`). `Raw([])` closes without a word; a pause of `math.inf` stalls.
    """

    pieces: Iterable[bytes | float] = ()
    close: bool = field(default=True, kw_only=True)
    reset: bool = field(default=False, kw_only=True)

    def play(self, request: RecordedRequest) -> Iterator[Step]:
        """Give the pieces as they are."""
        yield from self.pieces
        yield "reset" if self.reset else "close" if self.close else "keep"


def error_reply(
    status: int,
    message: str,
    *,
    type: str = "invalid_request_error",
    param: str | None = None,
    code: str | None = None,
    headers: HeaderValues | None = None,
) -> Reply:
    """Return an error in the shape of OpenAI (`{"error": {message, type, param, code}}`)."""
    error = {"message": message, "type": type, "param": param, "code": code}
    return Reply(status, body={"error": error}, headers=headers or {})


def _encode_body(body: object) -> tuple[str | None, bytes]:
    """Return the media type that fits the kind of body, and its bytes."""
    if body is None:
        return None, b""
    if isinstance(body, bytes):
        return "application/octet-stream" if body else None, body
    if isinstance(body, str):
        return "text/plain; charset=utf-8", body.encode()
    return "application/json", encode_json(body)


def _encoder(encoding: str | None) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    if encoding is None:
        return (lambda data: data), (lambda: b"")
    deflate = zlib.compressobj(wbits=_WINDOW_BITS[encoding])

    def encode(data: bytes) -> bytes:
        return deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH)

    return encode, deflate.flush


def _ending(headers: HeaderValues) -> Ending:
    options = [value for name, value in headers.items() if name.lower() == "connection"]
    return "close" if any("close" in (value or "").lower() for value in options) else "keep"
