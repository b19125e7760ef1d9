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
#: Bytes from which on it pays to look at all chunks at once.
_MANY = 2048
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
        many = end > _MANY
        while start < end and not self.done:
            if need == 0:
                if many and not self._in_trailer:
                    start, many = start + self._take_plain(data[start:], out), False
                    continue
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

    def _take_plain(self, data: bytes, out: list[bytes]) -> int:
        """Take the chunks in front that are whole, of known sizes and without line ends; return how long they are.

        Such chunks are, between line ends, a size and that many bytes in turns, so that all are checked at once.
        """
        pieces = data.split(b"\r\n")
        count = (len(pieces) - 1) // 2
        lines, chunks = pieces[: 2 * count : 2], pieces[1 : 2 * count : 2]
        known, found = list(map(self._sizes.get, lines)), list(map(len, chunks))
        if known != found:
            count = next(at for at, size in enumerate(known) if size != found[at])
            lines, chunks, found = lines[:count], chunks[:count], found[:count]
        out += chunks
        return sum(map(len, lines)) + sum(found) + 4 * count

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
        if line != whole and len(line) < 16 and len(self._sizes) < _MAX_SIZES:
            self._sizes[line] = size
        return size + 2

    def _check_size(self, size: int) -> None:
        if size > _MAX_LINE:
            raise ConnectionLost("The chunked coding of the answer is broken: a line between chunks has no end")
