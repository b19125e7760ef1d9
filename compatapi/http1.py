"""HTTP/1.1 on a connection: the bytes of a request, the head of an answer, and where its body ends (RFC 9112).

http.client does the same with the parser for mails, which takes longer than all else of a call, and takes a head that
was cut for a whole one, and a line that is no field for the end of the head.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from compatapi.chunked import ChunkedDecoder
from compatapi.errors import ConnectionLost, DecodeError, cut
from compatapi.http_types import Headers

__all__ = ["Answer", "read_answer", "send_request"]

#: Bytes asked for at once. A read returns as soon as anything is there.
_READ_SIZE = 65536
#: The same, of a body whose length is known.
_LARGE_READ = 1024 * 1024
#: Bytes of a head. Servers allow themselves 8 to 32 KiB.
_MAX_HEAD = 65536
#: Bytes of a body up to which one piece with the head is sent quicker than two.
_MAX_JOINED = 32768
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(r"HTTP/(1\.[0-9]+) +([1-9][0-9][0-9])(?: (.*))?")
#: Servers have names of fields that are no tokens (section 5.1), but none with a space.
_FIELD = re.compile(r"([!-9;-~]*):[ \t]*([^\r\0]*)")


def send_request(
    sock: Any, method: str, target: str, host: str, headers: Mapping[str, str], body: bytes | None
) -> None:
    """Send a request with the header ``Host``, unless that is among the others, which were checked before."""
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if "host" not in map(str.lower, headers):
        lines.insert(1, f"Host: {host}")
    head = "\r\n".join([*lines, "\r\n"]).encode("ascii")
    if body is None or len(body) <= _MAX_JOINED:
        sock.sendall(head + (body or b""))
    else:
        sock.sendall(head)
        sock.sendall(body)


def read_answer(sock: Any) -> Answer:
    """Read the head of the answer to a GET or POST, and pass over interim ones (RFC 9110, section 15.2).

    Raises:
        ConnectionLost: The connection was closed before the end of the head.
        DecodeError: This is no HTTP.
    """
    head, rest = _read_head(sock.recv, b"")
    answer = Answer(sock, head, rest)
    while 100 <= answer.status < 200 and answer.status != 101:
        head, rest = _read_head(sock.recv, rest)
        answer = Answer(sock, head, rest)
    return answer


def _read_head(receive: Callable[[int], bytes], data: bytes) -> tuple[str, bytes]:
    """The lines of a head, and what came behind it."""
    end = _BLANK_LINE.search(data)
    while end is None:
        if len(data) > _MAX_HEAD:
            raise DecodeError(f"The answer is no HTTP: its head has no end: {cut(data, 80)!r}")
        piece, before = receive(_READ_SIZE), len(data)
        data += piece
        if not piece or (b"\n" in piece and not data.startswith(b"HTTP/")):
            break
        end = _BLANK_LINE.search(data, max(before - 3, 0))
    if not b"HTTP/".startswith(data[:5]):
        raise DecodeError(f"The answer is no HTTP: it begins with {cut(data, 80)!r}")
    if end is None:
        raise ConnectionLost("The connection was closed before the head of an answer was there")
    return data[: end.start()].decode("latin-1"), data[end.end() :]


class Answer:
    """The head of an answer, and its body as it comes.

    Attributes:
        status: The status.
        reason: The words beside it.
        headers: The fields.
        chunked: Whether the body has the chunked coding.
        length_remaining: How many bytes of the body were not read yet; ``None`` where only its end tells.
        connection: What it comes over, until that is given back to the pool.
        pool: Where the connection belongs.
    """

    connection: Any = None
    pool: Any = None

    def __init__(self, sock: Any, head: str, rest: bytes) -> None:
        self._sock, self._rest = sock, rest
        first, *lines = head.replace("\r\n", "\n").split("\n")
        found = _STATUS_LINE.fullmatch(first)
        if found is None:
            raise DecodeError(f"The answer is no HTTP: it begins with {cut(first, 80)!r}")
        self.status, self.reason = int(found[2]), (found[3] or "").strip()
        self.headers = Headers(_fields(lines))
        connection = self.headers.get("connection", "").lower()
        self._keeps = "keep-alive" in connection if found[1] == "1.0" else "close" not in connection
        self.chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        self.length_remaining = None if self.chunked else self._length()

    def _length(self) -> int | None:
        if self.status < 200 or self.status in (204, 304):
            return 0
        lengths = {length.strip() for length in self.headers.get("content-length", "").split(",")}
        if len(lengths) > 1:
            raise DecodeError(f"The answer is no HTTP: it has several lengths: {', '.join(sorted(lengths))}")
        length = lengths.pop()
        # Python refuses to read numbers of thousands of digits, and no body is that long.
        return int(length) if length.isdecimal() and length.isascii() and len(length) < 20 else None

    @property
    def raw(self) -> Answer:
        """Itself: it stands in the place of a response of requests."""
        return self

    @property
    def can_be_drained(self) -> bool:
        """Whether the connection serves again once the body was read."""
        return self._keeps and (self.chunked or self.length_remaining is not None)

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives; a piece is what one read gave, and may be empty.

        Raises:
            ConnectionLost: The connection was closed inside the body.
        """
        rest, self._rest = self._rest, b""
        if self.chunked:
            return self._read_chunked(rest)
        return self._read_plain(rest)

    def _read_chunked(self, data: bytes) -> Iterator[bytes]:
        decoder = ChunkedDecoder()
        yield decoder.feed(data) if data else b""
        while not decoder.done:
            if decoder.failed is not None:  # before more is waited for
                raise decoder.failed
            yield decoder.feed(self._receive())
        self._keeps = self._keeps and not decoder.left_over

    def _read_plain(self, data: bytes) -> Iterator[bytes]:
        while self.length_remaining is None:
            if data:
                yield data
            data = self._sock.recv(_READ_SIZE)
            if not data:
                return
        while len(data) < self.length_remaining:
            self.length_remaining -= len(data)
            if data:
                yield data
            data = self._receive(min(self.length_remaining, _LARGE_READ))
        self._keeps = self._keeps and len(data) == self.length_remaining
        self.length_remaining, piece = 0, data[: self.length_remaining]
        yield piece

    def _receive(self, size: int = _READ_SIZE) -> bytes:
        data: bytes = self._sock.recv(size)
        if not data:
            raise ConnectionLost("The connection was closed inside the answer")
        return data

    def release_conn(self) -> None:
        """Give the connection back to its pool, or close it if it cannot serve again."""
        connection, self.connection = self.connection, None
        if connection is not None:
            if not self.can_be_drained:
                connection.close()
            self.pool._put_conn(connection)

    def close(self) -> None:
        """Nothing is held but the connection."""


def _fields(lines: list[str]) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and fields:  # it goes on with the one before (RFC 9112, section 5.2)
            name, value = fields.pop()
            fields.append((name, f"{value} {line.strip()}"))
            continue
        found = _FIELD.fullmatch(line)
        if found is None:
            raise DecodeError(f"The answer is no HTTP: a line of the head is no field: {cut(line, 80)!r}")
        if found[1]:
            fields.append((found[1], found[2].rstrip(" \t")))
    return fields
