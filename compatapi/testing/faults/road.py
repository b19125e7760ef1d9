"""Faults of the road and of HTTP: what becomes of the connection, the head, the codings."""

from __future__ import annotations

import math
import zlib

from attrs import evolve, frozen

from ..script import Raw, Script
from ..sketch import Sketch

# --- the road


@frozen
class Cut:
    """The connection is closed inside the answer."""

    after: int = 1

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(_ending(sketch, "cut"), events=sketch.split(self.after)[0])


@frozen
class Reset:
    """The connection is broken off (TCP RST) inside the answer."""

    after: int = 1

    def bend(self, sketch: Sketch) -> Sketch:
        # A reset overtakes what was sent just before it.
        return evolve(_ending(sketch, "reset"), events=[*sketch.split(self.after)[0], 0.05])


@frozen
class Stall:
    """The answer stops for so many seconds; for ever, unless told otherwise."""

    after: int = 1
    seconds: float = math.inf

    def bend(self, sketch: Sketch) -> Sketch:
        said, rest = sketch.split(self.after)
        if math.isinf(self.seconds):
            return evolve(_ending(sketch, "stall"), events=said)
        return evolve(sketch, events=[*said, self.seconds, *rest])


@frozen
class Silence:
    """Nothing is said for so many seconds, not even the head."""

    seconds: float = math.inf

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, reply=evolve(sketch.reply, delay=self.seconds))


@frozen
class Drip:
    """Everything, the head too, comes in small pieces with pauses between them."""

    pause: float = 0.002
    size: int = 4

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, size=self.size, pause=self.pause)


@frozen
class Bytewise:
    """Everything, the head too, is written byte by byte."""

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, size=1)


@frozen
class NoAnswer:
    """The connection is closed without a word."""

    def bend(self, sketch: Sketch) -> Script:
        return Raw([])


@frozen
class ResetAtOnce:
    """The connection is broken off (TCP RST) without a word."""

    def bend(self, sketch: Sketch) -> Script:
        return Raw([0.02], reset=True)


# --- HTTP


@frozen
class HeadCut:
    """The connection is closed inside the head."""

    def bend(self, sketch: Sketch) -> Script:
        return Raw([b"HTTP/1.1 200 OK\r\nContent-Ty"])


@frozen
class NoHttp:
    """Words come where HTTP should."""

    text: str = "hello, who is there?\r\n\r\n"

    def bend(self, sketch: Sketch) -> Script:
        return Raw([self.text.encode()])


@frozen
class Interim:
    """Answers of the kind 100 Continue and 103 Early Hints come first, which does no harm."""

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, prelude=b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")


@frozen
class BadChunk:
    """The size of a chunk is none (RFC 9112, section 7.1)."""

    after: int = 1

    def bend(self, sketch: Sketch) -> Sketch:
        said = [b"%x\r\n%b\r\n" % (len(data), data) for data in sketch.split(self.after)[0]]
        chunked = sketch.with_headers({"Transfer-Encoding": "chunked"}, framing="close")
        return evolve(chunked, events=[*said, b"zz\r\n"])


@frozen
class ContentType:
    """The answer is called something else than it is."""

    value: str = "text/plain"

    def bend(self, sketch: Sketch) -> Sketch:
        return sketch.with_headers({"Content-Type": self.value})


@frozen
class Gzip:
    """The answer is compressed, although nobody asked for it."""

    encoding: str = "gzip"

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, reply=evolve(sketch.reply, encoding=self.encoding))


@frozen
class Deflate(Gzip):
    """The answer is compressed in the form of zlib."""

    encoding: str = "deflate"


@frozen
class BrokenGzip:
    """The compressed answer breaks in its middle."""

    after: int = 1

    def bend(self, sketch: Sketch) -> Sketch:
        packer = zlib.compressobj(wbits=31)
        good = packer.compress(b"".join(sketch.split(self.after)[0])) + packer.flush(zlib.Z_SYNC_FLUSH)
        packed = sketch.with_headers({"Content-Encoding": "gzip"}, framing="close")
        return evolve(packed, events=[good, 0.05, b"\xff" * 50])


@frozen
class Trailing:
    """More comes behind the end of the answer."""

    data: bytes = b"and another thing"

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, trailer=self.data)


def _ending(sketch: Sketch, end: str) -> Sketch:
    return evolve(sketch, reply=evolve(sketch.reply, end=end))
