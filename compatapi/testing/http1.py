"""HTTP/1.1 as a server sees it (RFC 9112): one request in, the head of an answer out.

`read_request` takes a buffered reader and returns the next request, or None when the client has
closed the connection between two requests. It raises `BadRequest` for bytes that are no HTTP and
`ConnectionError` when the client leaves in the middle of a request.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from compatapi.chat_types import ChatCompletionRequest

# As in http.client: a line longer than this is a mistake or an attack, not a header.
MAX_LINE = 65536
MAX_HEADERS = 256


class BadRequest(ValueError):
    """The bytes on the connection are not a request of HTTP/1.0 or HTTP/1.1."""


class Headers(Mapping[str, str]):
    """The headers of one request, found whatever the case of their names.

    A header that was sent more than once is joined with commas (RFC 9110, section 5.3); `.pairs`
    has all of them as they came.
    """

    __slots__ = ("_joined", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)
        self._joined: dict[str, str] = {}
        for name, value in self.pairs:
            key = name.lower()
            known = self._joined.get(key)
            self._joined[key] = value if known is None else f"{known}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._joined[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined)

    def __len__(self) -> int:
        return len(self._joined)

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"


@frozen(kw_only=True)
class RecordedRequest:
    """One request as it reached the server.

    `path` is the request target with its query. `connection` numbers the connections of a server
    from 1, so that two requests with the same number shared one. `received_at` is
    `time.monotonic()`, in seconds, when the last byte had been read.
    """

    method: str
    path: str
    headers: Headers = field(factory=Headers)
    body: bytes = b""
    version: str = "HTTP/1.1"
    connection: int = 0
    received_at: float = field(factory=time.monotonic)

    @property
    def route(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to use the connection again (RFC 9112, section 9.3)."""
        option = self.headers.get("connection", "").lower()
        return "keep-alive" in option if self.version == "HTTP/1.0" else "close" not in option

    def json(self) -> Any:
        """Return the body as JSON; raise `ValueError` when it is none."""
        return json.loads(self.body)

    def json_object(self) -> dict[str, Any] | None:
        """Return the body when it is a JSON object, else None."""
        try:
            value = self.json()
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    @property
    def dialect(self) -> str | None:
        """The name of the dialect that it speaks, told by path and headers; None for nobody's path."""
        from .services import route_of

        return route_of(self)[0]

    @property
    def operation(self) -> str | None:
        """What is asked for: "chat", "models" or "embeddings"; None for nobody's path."""
        from .services import route_of

        return route_of(self)[1]

    @property
    def chat(self) -> ChatCompletionRequest:
        """What a chat request asks, read back from its dialect; what has no common name is in `extra`.

        Raises:
            ValueError: It is no chat request.
        """
        from .services import read_chat

        return read_chat(self)

    @property
    def stream(self) -> bool:
        """Whether a stream is asked for, in whichever way its dialect says so."""
        from .services import service_of

        return service_of(self).is_stream(self)

    @property
    def key(self) -> str | None:
        """The key that it brought, however its dialect sends one; of a signed request the part that is sent."""
        from .services import service_of

        return service_of(self).key(self)


def read_request(reader: BufferedReader, send: Callable[[bytes], None], connection: int = 0) -> RecordedRequest | None:
    """Read one request; `send` is there for the interim answer `100 Continue`."""
    line = reader.readline(MAX_LINE + 1)
    # RFC 9112, section 2.2: at least one empty line in front of a request is to be ignored.
    if line in (b"\r\n", b"\n"):
        line = reader.readline(MAX_LINE + 1)
    if not line:
        return None
    parts = line.decode("latin-1").split()
    if len(parts) != 3 or parts[2] not in ("HTTP/1.0", "HTTP/1.1"):
        raise BadRequest(f"not a request line of HTTP/1.1: {line[:80]!r}")
    headers = Headers(_read_fields(reader))
    if headers.get("expect", "").lower() == "100-continue":
        send(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = _read_body(reader, headers)
    method, path, version = parts
    return RecordedRequest(
        method=method,
        path=path,
        headers=headers,
        body=body,
        version=version,
        connection=connection,
    )


def _read_line(reader: BufferedReader) -> bytes:
    line = reader.readline(MAX_LINE + 1)
    if len(line) > MAX_LINE:
        raise BadRequest(f"a line longer than {MAX_LINE} bytes: {line[:80]!r}")
    if not line.endswith(b"\n"):
        raise ConnectionError("the client left in the middle of a request")
    return line.rstrip(b"\r\n")


def _read_fields(reader: BufferedReader) -> Iterator[tuple[str, str]]:
    for _ in range(MAX_HEADERS):
        line = _read_line(reader)
        if not line:
            return
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(f"not a header: {line[:80]!r}")
        yield name, value.strip()
    raise BadRequest(f"more than {MAX_HEADERS} headers")


def _read_body(reader: BufferedReader, headers: Headers) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return b"".join(_read_chunks(reader))
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise BadRequest(f"not a Content-Length: {length!r}")
    return _read_exactly(reader, int(length))


def _read_chunks(reader: BufferedReader) -> Iterator[bytes]:
    while True:
        line = _read_line(reader)
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError as error:
            raise BadRequest(f"not a chunk size: {line[:80]!r}") from error
        if size == 0:
            break
        yield _read_exactly(reader, size)
        _read_line(reader)
    for _ in _read_fields(reader):
        pass


def _read_exactly(reader: BufferedReader, size: int) -> bytes:
    data = reader.read(size)
    if len(data) < size:
        raise ConnectionError("the client left in the middle of a request")
    return data


def render_head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return status line, headers and the blank line."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def merge_headers(defaults: Mapping[str, str | None], given: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """Return the defaults with the given headers in their place; None takes a header away."""
    named = {name.lower() for name in given}
    merged = [(name, value) for name, value in defaults.items() if name.lower() not in named]
    return [(name, value) for name, value in [*merged, *given.items()] if value is not None]
