"""Write a recording of all that clients ask and get: `record`.

The tap is at the one seam that every call goes through, `compatapi.transport.Transport.send`: the request as it is
sent, the head, each read of the body when it came, and the end. Everything is redacted before it is written, and each
line is written at once, so that whatever happens to the program leaves a file that can be read.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from attrs import evolve

from compatapi import __version__
from compatapi.call import Call
from compatapi.errors import Cancelled, CompatAPIError, ConfigError, ConnectError, RequestTimeout, cut
from compatapi.http_types import HttpRequest, HttpResponse
from compatapi.transport import Transport

from .recording import FORMAT, VERSION, body_fields, encode_line
from .redaction import MaskedPieces, Redactor

__all__ = ["Recorder", "end_of", "record"]

#: Characters of an error's text that are kept.
_LONGEST_ERROR = 500


@contextmanager
def record(path: str | os.PathLike[str], *, secrets: Iterable[str] = ()) -> Iterator[Recorder]:
    """Record what every client of this process asks and gets while the block runs, from any thread.

    The file is replaced. Keys, cookies and the names of accounts are taken out before anything is written; `secrets`
    are texts to take out besides. An answer that is still read when the block ends is recorded as broken off there.

    Raises:
        OSError: The file cannot be written. The calls go on meanwhile; it is raised at the end of the block.
    """
    recorder = Recorder(path, secrets)
    try:
        _recorders.append(recorder)
        with _tapped():
            yield recorder
    finally:
        _recorders.remove(recorder)
        recorder.close()
    if recorder.failure is not None:
        raise recorder.failure


class Recorder:
    """Writes one recording; safe for threads. `record` makes it.

    Attributes:
        path: The file.
        exchanges: How many requests were recorded so far.
        failure: Why nothing is written any more, or None.
    """

    def __init__(self, path: str | os.PathLike[str], secrets: Iterable[str] = ()) -> None:
        self.path = os.fspath(path)
        self.exchanges = 0
        self.failure: OSError | None = None
        # A finalizer of a dropped stream may come here while the same thread is inside, hence no plain lock; and a
        # buffer could not bear it, hence none.
        self._lock = threading.RLock()
        self._redactor = Redactor(secrets)
        self._file: Any = open(self.path, "wb", buffering=0)  # noqa: SIM115 - closed by `close`
        self._began = time.monotonic()
        self._pid = os.getpid()
        about = {
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "by": f"compatapi {__version__}",
        }
        self._write({"format": FORMAT, "version": VERSION, **about})

    def close(self) -> None:
        """Write nothing any more. Idempotent."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            file.close()

    def begin(self, request: HttpRequest) -> Tap:
        """Write down a request that is about to be sent."""
        with self._lock:
            self.exchanges += 1
            number = self.exchanges
            try:
                fields = self._request(request)
            except Exception as error:  # rather no recording than a call that fails because of it, or a key in the file
                fields = {"method": request.method, "url": "", "headers": {}, "stream": request.stream}
                fields["text"] = f"This request could not be redacted: {type(error).__name__}"
            self._write({"at": self.now(), "exchange": number, "request": fields})
        return Tap(self, number)

    def _request(self, request: HttpRequest) -> dict[str, Any]:
        # The address first: what is learnt from it and from the headers is masked in the body too.
        fields = {
            "method": request.method,
            "url": self._redactor.url(request.url),
            "headers": self._redactor.headers(request.headers),
            "stream": request.stream,
        }
        return {**fields, **self._body(request.body or b"")}

    def _body(self, body: bytes) -> Mapping[str, Any]:
        try:
            value = json.loads(body, parse_constant=_refuse)
            fields = {"json": self._redactor.json(value)} if isinstance(value, dict | list) else None
        except (ValueError, RecursionError):  # no JSON, or one that is nothing but brackets
            fields = None
        return fields or body_fields(self._redactor.data(body))

    def now(self) -> float:
        """Seconds since the recording began."""
        return round(time.monotonic() - self._began, 6)

    def learn_proxies(self, proxies: Mapping[str, str]) -> None:
        """Mask the users and passwords of these addresses."""
        with self._lock:
            self._redactor.learn_urls(*proxies.values())

    def masked_pieces(self) -> MaskedPieces:
        """What masks the body of one answer."""
        return MaskedPieces(self._redactor)

    def head(self, number: int, response: HttpResponse) -> None:
        """Write down the head of an answer."""
        with self._lock:
            headers = self._redactor.headers(response.headers)
            fields = {"status": response.status, "reason": self._redactor.text(response.reason), "headers": headers}
            self._write({"at": self.now(), "exchange": number, "response": fields})

    def pieces(self, number: int, mask: Callable[[], list[tuple[float, bytes]]]) -> None:
        """Write down reads of a body."""
        with self._lock:
            for at, data in mask():
                self._write({"at": at, "exchange": number, **body_fields(data)})

    def end(self, number: int, end: str, error: Exception | None) -> None:
        """Write down how an exchange ended."""
        line: dict[str, Any] = {"at": self.now(), "exchange": number, "end": end}
        with self._lock:
            if error is not None:
                line["error"] = self._redactor.text(cut(f"{type(error).__name__}: {error}", _LONGEST_ERROR))
            self._write(line)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None or self._pid != os.getpid():  # a child of a fork has the same file, and the same numbers
            return
        try:
            self._file.write(encode_line(line))
        except OSError as error:
            self.failure = error
            self.close()


class Tap:
    """One exchange that is being recorded."""

    def __init__(self, recorder: Recorder, number: int) -> None:
        self._recorder, self._number = recorder, number
        self._masked = recorder.masked_pieces()
        self._open = [True]  # taken out by the one that ends the exchange; taking out is atomic

    def answer(self, response: HttpResponse) -> HttpResponse:
        """The same answer, which tells what is read of it and how it ends."""
        self._recorder.head(self._number, response)

        def closing(function: Callable[[], None], end: str) -> Callable[[], None]:
            def close() -> None:
                self.end(end)
                function()

            return close

        return evolve(
            response,
            body=self._tapped(response.body),
            # Released is an answer behind its end mark, whether or not its body is over.
            release=closing(response.release, "complete"),
            drop=closing(response.drop, "closed"),
            close=closing(response.close, "closed"),
        )

    def _tapped(self, body: Iterator[bytes]) -> Iterator[bytes]:
        try:
            for piece in body:
                self._recorder.pieces(self._number, partial(self._masked.feed, self._recorder.now(), piece))
                yield piece
        except CompatAPIError as error:
            self.fail(error)
            raise
        else:
            self.end("complete")

    def fail(self, error: CompatAPIError) -> None:
        """The call came to an error."""
        self.end(end_of(error), error)

    def end(self, end: str, error: Exception | None = None) -> None:
        """The exchange is over; only the first word counts."""
        try:
            self._open.pop()
        except IndexError:
            return
        self._recorder.pieces(self._number, self._masked.close)
        self._recorder.end(self._number, end, error)


def end_of(error: CompatAPIError) -> str:
    """How an exchange ended that came to this error, as one of `ENDS`."""
    if isinstance(error, RequestTimeout):
        return "unreachable" if error.clock == "connect" else "stall"
    for kind, end in ((Cancelled, "closed"), (ConnectError, "unreachable"), (ConfigError, "unsent")):
        if isinstance(error, kind):
            return end
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:  # an error of ours may be its own cause
        # Not isinstance: http.client's RemoteDisconnected says so of a connection that was closed in good order.
        if any(type(one) is ConnectionResetError for one in (cause, *cause.args)):
            return "reset"
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return "cut"


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


# --- the tap --------------------------------------------------------------------------------------------------------

_recorders: list[Recorder] = []
_lock = threading.Lock()
_blocks = 0
_send = Transport.send


@contextmanager
def _tapped() -> Iterator[None]:
    """Let all recorders see what every `Transport` sends. Blocks of several threads may overlap."""
    global _blocks, _send
    with _lock:
        _blocks += 1
        if _blocks == 1:
            _send, Transport.send = Transport.send, _record_and_send  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0:
                Transport.send = _send  # type: ignore[method-assign]


def _record_and_send(transport: Transport, request: HttpRequest, call: Call) -> HttpResponse:
    recorders = list(_recorders)
    for recorder in recorders:
        recorder.learn_proxies(getattr(transport, "_proxies", None) or {})
    taps = [recorder.begin(request) for recorder in recorders]
    try:
        response = _send(transport, request, call)
    except CompatAPIError as error:
        for tap in taps:
            tap.fail(error)
        raise
    except BaseException:  # KeyboardInterrupt above all
        for tap in taps:
            tap.end("closed")
        raise
    for tap in taps:
        response = tap.answer(response)
    return response
