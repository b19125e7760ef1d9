"""Take the chunked transfer coding off a body (RFC 9112, section 7.1).

`ChunkedDecoder` takes bytes as they come and gives the bytes of the body that are in them, not waiting for a chunk to
be whole: a proxy may pack many events into one chunk and send it slowly. It also knows whether a body was cut.
"""

from __future__ import annotations

from compatapi.errors import ConnectionLost, cut

__all__ = ["ChunkedDecoder"]

#: Bytes of a line with a size and its extensions, and of all trailer fields together.
_MAX_LINE = 16 * 1024
_MAX_SIZES = 256
_HEX = b"0123456789abcdefABCDEF"


class ChunkedDecoder:
    """Bytes of a chunked body in, bytes of the body out.

    Attributes:
        done: Whether the last chunk and the trailer were seen.
        left_over: What came behind the end; a connection on which something did cannot be used again.
        failed: The error behind the bytes that were returned last, or ``None``.
    """

    def __init__(self) -> None:
        self.done = False
        self.left_over = b""
        self.failed: ConnectionLost | None = None
        self._rest = b""  # the beginning of a line, or of the line end behind a chunk
        self._need = 0  # what is missing of the current chunk, its line end included; 0 between chunks
        self._in_trailer = False
        self._trailer_size = 0
        self._sizes: dict[bytes, int] = {}  # what was read before: the chunks of one stream have few sizes
        self._width = 0  # of the last such line, with the line ends in front of it and behind it

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body that ``data`` holds, possibly none.

        Raises:
            ConnectionLost: The coding is broken. Bytes in front of the fault are returned first; the next call raises.
        """
        if self.failed is not None:
            raise self.failed
        out: list[bytes] = []
        try:
            self._take(data, out)
        except ConnectionLost as error:
            self.failed = error
            if not out:
                raise
        return out[0] if len(out) == 1 else b"".join(out)

    def _take(self, data: bytes, out: list[bytes]) -> None:
        if self._rest:
            data, self._rest = self._rest + data, b""
        start, end, need = 0, len(data), self._need
        while start < end and not self.done:
            if need == 0:
                start, need = self._jump(data, start, out)
            if need == 0:
                stop = data.find(b"\n", start)
                if stop < 0:
                    self._rest = data[start:]
                    self._check_size(len(self._rest))
                    break
                need = self._read_line(data[start:stop])
                start = stop + 1
            if need == 0:
                continue
            stop = start + need - 2
            if stop + 2 <= end:
                if not data.startswith(b"\r\n", stop):
                    raise ConnectionLost("The chunked coding of the answer is broken: a chunk has no end")
                out.append(data[start:stop])
                start = stop + 2
                need = 0
            elif start < end:
                piece = data[start : min(end, start + need - 2)]
                out.append(piece)
                need -= len(piece)
                self._rest = data[start + len(piece) :]
                break
        self._need = need
        if self.done:
            self.left_over = data[start:]

    def _jump(self, data: bytes, start: int, out: list[bytes]) -> tuple[int, int]:
        """Take whole chunks with lines that were read before, from one to the next; return where, and what is missing.

        The line of a chunk and the line end in front of it are looked up together, which tells that the chunk before
        has its end.
        """
        sizes, width = self._sizes, self._width
        size = sizes.get(b"\r\n" + data[start : start + width - 2])
        if size is None or self._in_trailer:
            return start, 0
        start += width - 2
        while True:
            stop = start + size
            size_behind = sizes.get(data[stop : stop + width])
            if size_behind is None:
                return start, size + 2
            out.append(data[start:stop])
            start, size = stop + width, size_behind

    def _read_line(self, line: bytes) -> int:
        """Read a line between chunks; the bytes that the chunk behind it has, with its line end."""
        whole, line = line, line.removesuffix(b"\r")
        if self._in_trailer:
            self._trailer_size += len(line)
            self._check_size(self._trailer_size)
            self.done = not line
            return 0
        digits = line.partition(b";")[0].strip(b" \t")
        if not digits or digits.strip(_HEX) or len(digits) > 15:
            raise ConnectionLost(f"The chunked coding of the answer is broken: {cut(line, 40)!r} is no size")
        size = int(digits, 16)
        self._in_trailer = size == 0
        if size == 0:
            return 0
        if len(line) < 16 and len(self._sizes) < _MAX_SIZES:
            self._sizes[b"\r\n%b\n" % whole], self._width = size, len(whole) + 3
        return size + 2

    def _check_size(self, size: int) -> None:
        if size > _MAX_LINE:
            raise ConnectionLost("The chunked coding of the answer is broken: a line between chunks has no end")
