"""gzip and deflate as they arrive: whole, byte by byte, at every cut; cut off; swelling."""

from __future__ import annotations

import gzip
import zlib

import pytest

from compatapi.compressed import decompressed
from compatapi.errors import ConnectionLost, DecodeError
from helpers import ways_to_feed

TEXT = b"data: one\n\ndata: two\n\n"
RAW = zlib.compressobj(wbits=-15)
BODIES = {
    "gzip": ("gzip", gzip.compress(TEXT), TEXT),
    "x-gzip": ("x-gzip", gzip.compress(TEXT), TEXT),
    "two members": ("gzip", gzip.compress(TEXT) + gzip.compress(b"three"), TEXT + b"three"),
    "padding behind": ("gzip", gzip.compress(TEXT) + bytes(20), TEXT),
    "deflate": ("deflate", zlib.compress(TEXT), TEXT),
    "deflate without a frame": ("deflate", RAW.compress(TEXT) + RAW.flush(), TEXT),
    "nothing": ("gzip", gzip.compress(b""), b""),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_body_comes_out(name):
    """The body is the same however its bytes are cut."""
    encoding, data, expected = BODIES[name]
    for label, pieces in ways_to_feed(data):
        assert expected == b"".join(decompressed(pieces, encoding)), label


@pytest.mark.parametrize("name", ["gzip", "deflate", "deflate without a frame"])
def test_a_cut_body_is_told(name):
    """No beginning of a compressed body passes for the whole; what it holds is given first."""
    encoding, data, _ = BODIES[name]
    for end in range(1, len(data)):
        got = []
        with pytest.raises(ConnectionLost):
            got.extend(decompressed([data[:end]], encoding))
        assert TEXT.startswith(b"".join(got))


def test_a_piece_is_given_when_it_is_there():
    """What a server has flushed does not wait for what it has not."""
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    source = iter([first])
    assert b"data: 1\n\n" == next(decompressed(source, "gzip"))


def test_a_swelling_body_comes_in_portions():
    """A thousandfold body is given piece by piece, so that a limit can stop it."""
    bomb = gzip.compress(bytes(10_000_000))
    sizes = [len(portion) for portion in decompressed([bomb], "gzip")]
    assert 10_000_000 == sum(sizes)
    assert max(sizes) <= 65536


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_is_not_compressed_is_an_error(encoding):
    """Bytes that are no such thing are nonsense on the wire."""
    with pytest.raises(DecodeError):
        list(decompressed([b"hello, I am no archive"], encoding))
