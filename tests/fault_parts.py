"""What the table of faults is written with: the rows, and the bytes of heads, events and chunks."""

import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from compatapi.errors import CompatAPIError
from compatapi.http_types import Limits
from compatapi.testing import ChatScript, Raw, Script, chat_completion

#: Small, so that what has no end is refused soon.
SMALL = Limits(event=64 * 1024, body=128 * 1024, error_body=1024)
#: As long as a test can last.
FOREVER = math.inf


@frozen(kw_only=True)
class Road:
    """How client and server meet."""

    server_tls: bool = False
    client_tls: bool = False
    trusts: bool = True
    expired: bool = False
    host: str = "127.0.0.1"
    listens: bool = True


@frozen
class Fault:
    """One row of the table: what a server does, what the program gets, and what it keeps.

    Attributes:
        name: What happens, in words.
        script: What the server answers.
        gets: The class of the error; ``None`` for an answer that is complete.
        keeps: The text of the answer so far, or of the whole one.
        clock: The clock that runs out, and the only one that is short.
        says: What the message has to hold.
        fields: Attributes of the error and their values.
        whole: What the server answers when no stream is asked for; left out, the same.
        whole_gets: The same for that answer; left out, ``gets``.
        whole_keeps: The same for that answer; left out, ``keeps``.
        whole_clock: The same for that answer; left out, ``clock``.
        limits: Other limits than the usual ones.
        provider: The row of the provider that is asked; left out, an OpenAI-compatible server without one.
        road: How client and server meet.
        in_turn: Ask on one connection after the other instead of on four at a time.
    """

    name: str
    script: Script
    gets: type[CompatAPIError] | None = None
    keeps: str = ""
    clock: str | None = None
    says: str = ""
    fields: Mapping[str, Any] = {}
    whole: Script | None = None
    whole_gets: type[CompatAPIError] | None = None
    whole_keeps: str | None = None
    whole_clock: str | None = None
    limits: Limits | None = None
    provider: str | None = None
    road: Road = Road()
    in_turn: bool = False


@frozen
class Endless:
    """A head, and then the same bytes for as long as somebody reads them."""

    start: bytes
    again: bytes
    pause: float = 0.0

    def play(self, request):
        """Give the pieces."""
        yield self.start
        while True:
            yield self.again
            yield self.pause


# --- pieces of an answer


def head(*lines, status="200 OK", media_type="text/event-stream"):
    """The head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {media_type}", *lines, "", ""]).encode()


def chunk(data):
    """One chunk of the chunked coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value):
    """One event; text is data as it is."""
    return f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode()


def delta(index=0, finish_reason=None, **values):
    """A chunk with one choice."""
    return {"choices": [{"index": index, "delta": values, "finish_reason": finish_reason}]}


def say(text, index=0):
    """An event with text."""
    return event(delta(index, content=text))


CHUNKED = head("Transfer-Encoding: chunked")
CLOSING = head("Connection: close")
JSON = "application/json"
HI = say("Hi")
STOP = event(delta(finish_reason="stop"))
DONE = event("[DONE]")
END = b"0\r\n\r\n"
WHOLE = json.dumps(chat_completion("Hi")).encode()
ERROR = {"error": {"message": "no way", "type": "t", "param": "p", "code": "c"}}
FIELDS = {"code": "c", "type": "t", "param": "p"}
SPACES = b" " * 4096


# --- whole scripts


def bent(*faults, text="Hi"):
    """An answer in the words of the service that is asked, a stream or a whole one, with these faults."""
    return ChatScript(text, fault=faults)


def bent_stream(*faults, text="Hi"):
    """The same as a stream, whether one is asked for or not."""
    return bent("stream-instead", *faults, text=text)


def chunked(*pieces, reset=False):
    """A chunked answer that ends without its last chunk; a number is a pause, and a text is sent without coding."""
    coded = [chunk(p) if isinstance(p, bytes) else p.encode() if isinstance(p, str) else p for p in pieces]
    return Raw([CHUNKED, *coded], reset=reset)


def closing(*pieces):
    """An answer that ends with its connection."""
    return Raw([CLOSING, *pieces])


def events(*values):
    """A stream of these events that ends cleanly as HTTP."""
    return Raw([CHUNKED, *(chunk(v if isinstance(v, bytes) else event(v)) for v in values), END], close=False)


def sized(body, *lines, status="200 OK", media_type=JSON, size=None, then=()):
    """An answer with its length; another ``size`` than the real one is a lie."""
    length = f"Content-Length: {len(body) if size is None else size}"
    return Raw([head(length, *lines, status=status, media_type=media_type) + body, *then], close=bool(then))


def whole(value, *lines, **options):
    """JSON with its length."""
    return sized(json.dumps(value).encode(), *lines, **options)


def status(code, body=None, *lines, media_type=JSON):
    """An error by status."""
    data = body if isinstance(body, bytes) else json.dumps(ERROR if body is None else body).encode()
    return sized(data, *lines, status=f"{code} Because", media_type=media_type)


def packed(data, window=31):
    """The data in gzip; 15 is the window of zlib, which HTTP calls deflate."""
    deflate = zlib.compressobj(wbits=window)
    return deflate.compress(data) + deflate.flush()


def coded(body, coding, media_type="text/event-stream"):
    """An answer with a content coding, that ends with its connection."""
    return Raw([head(f"Content-Encoding: {coding}", "Connection: close", media_type=media_type) + body])


def coded_chunks(body, coding="gzip", media_type="text/event-stream"):
    """An answer with a content coding, in one chunk."""
    start = head(f"Content-Encoding: {coding}", "Transfer-Encoding: chunked", media_type=media_type)
    return Raw([start + chunk(body) + END], close=False)


GOOD = events(HI, STOP, DONE)
