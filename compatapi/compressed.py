"""Take gzip or deflate off a body as it arrives (RFC 9110, section 8.4.1).

A piece is handed on as soon as it can be decompressed, in portions of a bounded size, so that a small body that swells
cannot fill the memory before a limit is looked at. A body that was cut is told from a whole one, which urllib3 does not
do.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from compatapi.errors import ConnectionLost, DecodeError

__all__ = ["decompressed"]

#: Bytes of one portion.
_PORTION = 65536


def decompressed(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The pieces of a body without its compression; ``encoding`` is ``gzip``, ``x-gzip`` or ``deflate``.

    Raises:
        DecodeError: The bytes are not compressed in this way.
        ConnectionLost: The body ends before the compressed data does.
    """
    decoder: Any = None
    members = 0
    for piece in pieces:
        data = piece if decoder is not None or not members else piece.lstrip(b"\0")
        while data:
            if decoder is None:
                decoder = zlib.decompressobj(_window_bits(encoding, data))
            try:
                portion = decoder.decompress(data, _PORTION)
            except zlib.error as error:
                raise DecodeError(f"The body cannot be decompressed: {error}") from error
            if portion:
                yield portion
            if decoder.eof:  # gzip may have several members
                data, decoder, members = decoder.unused_data.lstrip(b"\0"), None, members + 1
            else:
                data = decoder.unconsumed_tail
        while decoder is not None and not decoder.eof and (portion := decoder.decompress(b"", _PORTION)):
            yield portion
    if decoder is not None:
        raise ConnectionLost("The answer was cut short: its compressed data has no end")


def _window_bits(encoding: str, start: bytes) -> int:
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    # Some servers send deflate without the frame of zlib that the standard asks for (RFC 1950 against RFC 1951).
    return zlib.MAX_WBITS if start[0] & 0x0F == 8 else -zlib.MAX_WBITS
