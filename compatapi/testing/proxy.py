"""Hand requests on to a real server, for `compatapi record`: a reverse proxy, as the function of a `ScriptedServer`.

The host is exchanged, and the path kept. The answer is handed on as it comes, each read as one write; where it breaks
off, it breaks off. What is handed on goes through `compatapi.transport.Transport`, so `record` sees it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from compatapi.call import Call, Timeouts
from compatapi.errors import CompatAPIError, ConnectionLost
from compatapi.http_types import HttpRequest, HttpResponse
from compatapi.transport import Transport

from .http1 import RecordedRequest, render_head
from .recorder import end_of
from .script import Script, Step, error_reply

__all__ = ["forwarding"]

#: Headers that are about one connection only (RFC 9110, section 7.6.1), or are made anew on the way.
_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer")
    + ("transfer-encoding", "upgrade", "host", "content-length", "expect")
)
#: Seconds. A program that has left is noticed that late while nothing comes; a pause has to be as long to be a look.
_LOOK_EVERY, _LOOK = 0.25, 0.003
#: Whoever asks has clocks of its own, and its impatience is part of what is recorded.
_CLOCKS = Timeouts(connect=10.0, first_token=None, idle=None, total=None)


def forwarding(base_url: str, transport: Transport) -> Callable[[RecordedRequest], Script]:
    """A function for a `ScriptedServer`: it answers with what the host of the base URL answers."""
    parts = urlsplit(base_url)
    origin = f"{parts.scheme}://{parts.netloc}"
    return lambda request: _Forwarded(origin, transport)


@frozen
class _Forwarded:
    """A script that plays what a real server says."""

    origin: str
    transport: Transport

    def play(self, request: RecordedRequest) -> Iterator[Step]:
        """Give what comes, as it comes."""
        call, arrived = Call(_CLOCKS), queue.SimpleQueue[Any]()
        wanted = HttpRequest(
            request.method,
            self.origin + request.path,
            # A compressed piece may wait in the compressor for the ones after it, and is no text.
            {**_kept(request.headers), "accept-encoding": "identity"},
            request.body or None,
            stream=request.stream,
        )
        thread = threading.Thread(target=_fetch, args=(self.transport, wanted, call, arrived), daemon=True)
        thread.start()
        try:
            head = yield from _next(arrived)
            if isinstance(head, HttpResponse):
                yield from _answer(head, arrived, request)
            else:
                yield from _no_answer(head, request)
        finally:
            call.stop()  # the program may have left


def _fetch(transport: Transport, wanted: HttpRequest, call: Call, arrived: queue.SimpleQueue[Any]) -> None:
    """Put the head, the pieces and the end (None, or an error) into the queue."""
    try:
        response = transport.send(wanted, call)
        arrived.put(response)
        for piece in response.body:
            arrived.put(piece)
        arrived.put(None)
    except CompatAPIError as error:
        arrived.put(error)


def _next(arrived: queue.SimpleQueue[Any]) -> Generator[Step, None, Any]:
    """What came; until then, a look now and then whether anybody still waits for it."""
    while True:
        try:
            return arrived.get(timeout=_LOOK_EVERY)
        except queue.Empty:
            yield _LOOK


def _answer(head: HttpResponse, arrived: queue.SimpleQueue[Any], request: RecordedRequest) -> Iterator[Step]:
    headers = [(name, value) for name, value in _kept(head.headers).items() if name.lower() != "content-encoding"]
    length = head.headers.get("content-length")
    has_body = request.method != "HEAD" and head.status not in (204, 304)
    if length is not None and (not has_body or "content-encoding" not in head.headers):
        headers.append(("Content-Length", length))
        is_chunked = False
    else:
        is_chunked = has_body and request.version != "HTTP/1.0"
        if has_body:
            headers.append(("Transfer-Encoding", "chunked") if is_chunked else ("Connection", "close"))
    yield render_head(head.status, headers)
    while isinstance(piece := (yield from _next(arrived)), bytes):
        yield b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece
    if piece is not None:
        yield "reset" if end_of(piece) == "reset" else "close"
        return
    if is_chunked:
        yield b"0\r\n\r\n"
    yield "keep" if is_chunked or length is not None or not has_body else "close"


def _no_answer(error: CompatAPIError, request: RecordedRequest) -> Iterator[Step]:
    if isinstance(error, ConnectionLost):
        yield "reset" if end_of(error) == "reset" else "close"
        return
    # RFC 9110, section 15.6.3: what a gateway says that got no valid answer.
    said = f"compatapi record got no answer from the server: {error}"
    yield from error_reply(502, said, type="bad_gateway").play(request)


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are for the other end."""
    named = {name.strip().lower() for name in headers.get("connection", "").split(",")}
    return {name: value for name, value in headers.items() if name.lower() not in _HOP | named}
