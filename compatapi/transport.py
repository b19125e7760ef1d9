"""Move one HTTP request and the answer to it, with requests. No other module imports requests.

One adapter of requests for each client holds the connections; urllib3's pools below it are safe for threads, and
nothing above them is shared: no session is used for sending, so there are no cookies, no ``.netrc`` that could replace
the key, and no redirects that could carry it elsewhere. A piece of the body is handed on when it arrives.

Every error of requests, urllib3, http.client and ssl ends here and becomes one of `compatapi.errors`.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from compatapi.call import Call
from compatapi.compressed import decompressed
from compatapi.errors import CompatAPIError, ConfigError, ConnectError, ConnectionLost, DecodeError, RequestTimeout, cut
from compatapi.http_types import Headers, HttpRequest, HttpResponse, show_url

if TYPE_CHECKING:
    from compatapi.connections import Adapter

__all__ = ["Transport"]

#: A token of RFC 9110, section 5.6.2.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Content codings that are understood (RFC 9110, section 8.4.1). Others may come with decoders that know no bounds.
_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
#: Reads behind the end of an answer, and seconds of each, to save the connection for the next one.
_DRAIN_READS, _DRAIN_SECONDS = 3, 0.05
#: Addresses that are kept ready to be sent to; a client has a handful.
_MOST_URLS = 64
#: The query of a URL in the text of an error.
_QUERY = re.compile(r"\?[^\s()]+")


class Transport:
    """Sends requests over connections of its own. Safe for threads.

    Args:
        verify: As in requests: whether to check certificates, or the path of those to trust.
        cert: As in requests: a client certificate's path, or a pair of paths with its key.
        proxies: As in requests: scheme to URL of a proxy. Left out, the environment says.
    """

    def __init__(
        self,
        *,
        verify: bool | str | None = None,
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        self._verify, self._cert, self._proxies = verify, cert, proxies
        self._lock = threading.Lock()
        self._adapter: Adapter | None = None
        self._pid = os.getpid()
        self._settings: dict[str, dict[str, Any]] = {}
        self._urls: dict[str, str] = {}  # as they are sent; checking and quoting one costs more than sending it

    def send(self, request: HttpRequest, call: Call) -> HttpResponse:
        """Send a request and wait for the head of the answer. The body comes as it arrives.

        Raises:
            ConfigError: The URL or a header cannot be sent.
            ConnectError: There is no connection.
            ConnectionLost: It broke before the head was there.
            RequestTimeout: A clock of the call ran out.
            Cancelled: The call was stopped.
        """
        from compatapi.connections import current

        call.check()
        prepared = self._prepare(request)
        adapter, settings = self._adapter_for(prepared.url)
        current.call = call
        try:
            # The clocks are the call's own; urllib3's would start again with each byte.
            raw = adapter.send(prepared, stream=True, timeout=None, **settings).raw
        except Exception as error:
            call.detach()
            _forget_frames(error)
            raise _translate(error, call, in_body=False, host=urlsplit(prepared.url).netloc) from error
        finally:
            current.call = None
        try:
            call.check()
        except CompatAPIError:
            _drop(raw)
            call.detach()
            raise
        return _Exchange(raw, call, request.stream).response()

    def close(self) -> None:
        """Close the idle connections. Answers that are being read go on."""
        if self._pid != os.getpid():  # they are the parent's
            return
        with self._lock:
            adapter, self._adapter = self._adapter, None
        if adapter is not None:
            adapter.close()

    def _prepare(self, request: HttpRequest) -> Any:
        import requests
        from requests.structures import CaseInsensitiveDict

        prepared = requests.PreparedRequest()
        prepared.method = request.method
        if request.url in self._urls:
            prepared.url = self._urls[request.url]
        else:
            try:
                prepared.prepare_url(request.url, None)
            except (requests.RequestException, ValueError) as error:
                raise ConfigError(f"The URL {show_url(request.url)} cannot be used: {cut(error, 200)}") from error
            if len(self._urls) < _MOST_URLS:
                self._urls[request.url] = str(prepared.url)
        headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        headers["User-Agent"] = "compatapi"
        # Compressed, a piece may wait in the compressor of a proxy for the ones after it.
        headers["Accept-Encoding"] = "identity" if request.stream else "gzip, deflate"
        for name, value in request.headers.items():
            _check_header(name, value)
            headers[name] = value
        if request.body is not None:
            headers["Content-Length"] = str(len(request.body))
        prepared.headers, prepared.body = headers, request.body
        return prepared

    def _adapter_for(self, url: str) -> tuple[Adapter, dict[str, Any]]:
        """The adapter of this process, and what requests makes of the environment for that host."""
        import requests

        from compatapi.connections import Adapter

        if self._pid != os.getpid():
            # The child of a fork must not write into the connections of its parent, and the lock may be held for ever:
            # by a thread that the fork left behind.
            self._lock, self._adapter, self._pid = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._adapter is None:
                self._adapter = Adapter()
            origin = "/".join(url.split("/", 3)[:3])
            settings = self._settings.get(origin)
            if settings is None:
                session = requests.Session()
                verify = True if self._verify is None else self._verify
                found = session.merge_environment_settings(url, dict(self._proxies or {}), True, verify, self._cert)
                settings = {name: found[name] for name in ("verify", "cert", "proxies")}
                self._settings[origin] = settings
            return self._adapter, settings


def _check_header(name: str, value: str) -> None:
    """RFC 9110, sections 5.1 and 5.5. The value is not shown: it may be the key."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"A header cannot have the name {cut(name, 80)!r}: letters, digits and hyphens are allowed")
    if not isinstance(value, str) or not value.isprintable() or not value.isascii():
        raise ConfigError(
            f"The header {name!r} has a value that cannot be sent: only printable ASCII characters are allowed"
        )


class _Exchange:
    """The body of one answer, read by one thread and closed by any."""

    def __init__(self, raw: Any, call: Call, stream: bool) -> None:
        self._raw, self._call, self._stream = raw, call, stream
        self._waits = False
        self._reading = threading.Lock()
        self._mine = [True]  # taken out by the one that ends the exchange; taking out is atomic

    @property
    def _over(self) -> bool:
        return not self._mine

    def response(self) -> HttpResponse:
        raw, call = self._raw, self._call
        self._read = _pieces(raw)
        if self._stream:
            call.hold_clock()
        return HttpResponse(
            status=raw.status,
            reason=raw.reason or "",
            headers=raw.headers if isinstance(raw.headers, Headers) else Headers(raw.headers.items()),
            body=self._iterate(),
            wait=self._wait,
            rest=call.rest_clock,
            release=self._release,
            drop=lambda: self._finish(drop=True),
            close=self._close,
        )

    def _wait(self) -> None:
        # The clock for the first piece runs since the request was sent, but not while the program does other things.
        if self._waits:
            self._call.start_clock("idle")
        elif self._stream:
            self._call.resume_clock()
        self._waits = True

    def _iterate(self) -> Iterator[bytes]:
        call = self._call
        pieces = _decoded(self._read, self._raw.headers)
        try:
            while True:
                with self._reading:
                    call.check()
                    try:
                        piece = next(pieces, None)
                    except Exception as error:
                        _forget_frames(error)
                        raise _translate(error, call, in_body=True) from error
                if piece is None:
                    call.check()  # a socket that was shut down looks like the end of the body
                    break
                if piece:
                    yield piece
            self._finish(drop=False)
        finally:
            self._finish(drop=True)

    def _release(self) -> None:
        """After the end mark: read the little that may follow, if the connection can serve again."""
        if getattr(self._raw, "can_be_drained", False):
            with self._reading:
                if not self._over:
                    self._drain()
        self._close()

    def _drain(self) -> None:
        sock = self._raw.connection.sock
        try:
            sock.settimeout(_DRAIN_SECONDS)
            if any(next(self._read, None) is None for _ in range(_DRAIN_READS)):
                sock.settimeout(None)
                self._finish(drop=False)
        except (CompatAPIError, OSError):  # the answer is whole already; its connection is not worth an error
            self._finish(drop=True)

    def _close(self) -> None:
        """Idempotent, from any thread, never waits: a thread that is inside a read wakes and cleans up itself."""
        if self._over:
            return
        self._call.stop()
        if self._reading.acquire(blocking=False):
            try:
                self._finish(drop=True)
            finally:
                self._reading.release()

    def _finish(self, *, drop: bool) -> None:
        try:
            self._mine.pop()
        except IndexError:
            return
        self._call.end()
        if drop:
            _drop(self._raw)
        else:
            self._raw.release_conn()


def _pieces(raw: Any) -> Iterator[bytes]:
    """The body as it arrives. What a program puts in the place of a server (responses) gives urllib3's answers."""
    pieces: Iterator[bytes] = raw.pieces() if hasattr(raw, "pieces") else iter(partial(raw.read1, 65536, False), b"")
    return pieces


def _decoded(pieces: Iterator[bytes], headers: Mapping[str, str]) -> Iterator[bytes]:
    """The pieces of a body without its codings."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise DecodeError(f"The answer is compressed in a way that was not asked for: {cut(encoding, 80)!r}")
    return decompressed(pieces, encoding) if encoding not in ("", "identity") else pieces


def _drop(raw: Any) -> None:
    """Close the connection below a response.

    It does not go back to its pool, which makes a new one when it needs one: a finalizer may come here in the middle of
    anything, and the locks of the pool are not reentrant.
    """
    connection = raw.connection
    if connection is not None:
        connection.close()
    raw.close()


# --- errors ---------------------------------------------------------------------------------------------------------


def _translate(error: Exception, call: Call, *, in_body: bool, host: str = "the server") -> CompatAPIError:
    """The error of compatapi for one of the packages below; what stopped the call goes first."""
    import requests
    import urllib3.exceptions as u

    stopped = call.error()
    if stopped is not None:
        return stopped
    if isinstance(error, CompatAPIError):
        return error
    causes = list(_causes(error))
    text = cut(_innermost_text(causes), 200)
    if _any(causes, u.NewConnectionError):
        return ConnectError(f"No connection to {host.rpartition('@')[2]}: {text}")
    if _any(causes, requests.exceptions.ConnectTimeout, u.ConnectTimeoutError):
        return RequestTimeout(f"No connection: {text}", clock="connect", limit=call.timeouts.connect)
    if _any(causes, requests.exceptions.ReadTimeout, u.ReadTimeoutError, TimeoutError):
        clock = "idle" if in_body else "first_token"
        return RequestTimeout(f"The server fell silent: {text}", clock=clock, limit=getattr(call.timeouts, clock))
    if _any(causes, u.DecodeError, requests.exceptions.ContentDecodingError):
        return DecodeError(f"The body cannot be decompressed: {text}")
    if in_body:
        return ConnectionLost(f"The connection broke inside the answer: {text}")
    if _any(causes, u.SSLError, requests.exceptions.SSLError):
        return ConnectError(f"No trusted connection: {text}", is_permanent=True)
    cut_off = _any(causes, ConnectionError, u.ProxyError)  # http.client's RemoteDisconnected is of both kinds
    if _any(causes, u.InvalidHeader) or (_any(causes, HTTPException) and not cut_off):
        return DecodeError(f"The answer is no HTTP: {text}", data=text)
    if _any(causes, u.ProtocolError) and not _any(causes, u.ProxyError):
        return ConnectionLost(f"The connection broke before an answer began: {text}")
    # What is wrong with the road comes wrapped; the rest is a URL, a proxy's address or a path of certificates.
    if isinstance(error, ValueError) or not _any(causes, requests.RequestException, u.HTTPError):
        return ConfigError(f"The request cannot be sent: {text}")
    return ConnectError(f"No connection to {host.rpartition('@')[2]}: {text}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it wraps: as arguments, reasons or causes."""
    seen: set[int] = set()
    todo: list[Any] = [error]
    while todo:
        item = todo.pop(0)
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            yield item
            todo += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]


def _forget_frames(error: Exception) -> None:
    """Take out what holds a key: their variables hold the request as it is sent, and tools that show errors print
    those; their texts hold its URL, whose query may be one (Google)."""
    for cause in _causes(error):
        cause.__traceback__ = None
        cause.args = tuple(_without_query(arg) for arg in cause.args)
        for name, value in vars(cause).items():
            setattr(cause, name, _without_query(value))
        if getattr(cause, "request", None) is not None:
            cause.request = None  # type: ignore[attr-defined]


def _without_query(value: Any) -> Any:
    return _QUERY.sub("?***", value) if isinstance(value, str) else value


def _any(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _innermost_text(causes: list[BaseException]) -> str:
    for cause in reversed(causes):
        if text := str(cause):
            return f"{type(cause).__name__}: {text}" if isinstance(cause, OSError) else text
    return type(causes[0]).__name__
