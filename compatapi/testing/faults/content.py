"""Faults of what is said: events, JSON, and another answer than was asked for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from attrs import evolve, field, frozen

from ..answers import ErrorScript
from ..script import Reply, Script
from ..sketch import Sketch

_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

# --- events


@frozen
class Joined:
    """All events come at once."""

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, events=[b"".join(_only_bytes(sketch.events))])


@frozen
class Bom:
    """A byte order mark comes first."""

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, events=[b"\xef\xbb\xbf", *sketch.events])


@frozen
class Crlf:
    """Lines end with CR LF."""

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, events=[re.sub(b"\r?\n", b"\r\n", data) for data in _only_bytes(sketch.events)])


@frozen
class KeepAlive:
    """Something that says nothing comes in front of each event: comments, pings, blank lines."""

    count: int = 1

    def bend(self, sketch: Sketch) -> Sketch:
        nothing = (sketch.service.nothing if sketch.is_stream else b" ") * self.count
        return evolve(sketch, events=[nothing + data for data in _only_bytes(sketch.events)])


@frozen
class CommentsOnly:
    """Nothing but what says nothing comes, without end."""

    every: float = 0.02

    def bend(self, sketch: Sketch) -> Sketch:
        nothing = sketch.service.nothing if sketch.is_stream else b" "
        endless: Iterable[bytes | float] = itertools.cycle((nothing, self.every))
        return evolve(sketch, reply=evolve(sketch.reply, framing="close"), events=endless)


@frozen
class BadJson:
    """An event holds this text in place of JSON; of a whole answer the body does."""

    after: int = 1
    text: str = '{"oh": no'

    def bend(self, sketch: Sketch) -> Sketch:
        if not sketch.is_stream:
            return evolve(sketch, events=[self.text.encode()])
        said, rest = sketch.split(self.after)
        return evolve(sketch, events=[*said, sketch.service.frame(self.text.encode()), *rest])


@frozen
class Replaced:
    """These bytes go out as others, wherever they come: `Replaced(b"there", b"th\\xffre")`."""

    old: bytes
    new: bytes

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, events=[data.replace(self.old, self.new) for data in _only_bytes(sketch.events)])


@frozen
class Endless:
    """An event, or the body of a whole answer, has no end."""

    after: int = 1

    def bend(self, sketch: Sketch) -> Sketch:
        said = sketch.split(self.after)[0]
        if sketch.is_stream:
            said.append(sketch.service.frame(b'{"endless": "').rstrip(b"\r\n"))
        endless = itertools.chain(said, itertools.repeat(b"x" * 4096))
        return evolve(sketch, reply=evolve(sketch.reply, framing="close"), events=endless)


@frozen
class NoEnd:
    """A stream ends as HTTP has it, but with neither finish reason nor end mark; a whole answer lacks its half."""

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, events=sketch.split(len(sketch.lines.pieces))[0])


@frozen
class ErrorEvent:
    """The service reports an error inside the stream; where no stream is asked for, by status."""

    after: int = 1
    status: int = 500
    message: str = "The server had an error while it answered."
    type: str | None = field(default=None, kw_only=True)
    code: str | None = field(default=None, kw_only=True)

    def bend(self, sketch: Sketch) -> Sketch | Script:
        told = ErrorScript(self.status, self.message, type=self.type, code=self.code)
        if not sketch.is_stream:
            return told
        return evolve(sketch, events=[*sketch.split(self.after)[0], sketch.service.error_event(told)])


# --- another answer


@frozen
class Html:
    """A page of a proxy comes with status 200."""

    page: str = _PAGE

    def bend(self, sketch: Sketch) -> Script:
        return Reply(body=self.page, headers={"Content-Type": "text/html"})


@frozen
class Empty:
    """The answer has a head and nothing else."""

    def bend(self, sketch: Sketch) -> Sketch:
        return evolve(sketch, events=[])


@frozen
class WholeInstead:
    """Whoever asks for a stream gets a whole answer."""

    def bend(self, sketch: Sketch) -> Sketch:
        return sketch.other_form() if sketch.is_stream else sketch


@frozen
class StreamInstead:
    """Whoever asks for a whole answer gets a stream."""

    def bend(self, sketch: Sketch) -> Sketch:
        return sketch if sketch.is_stream else sketch.other_form()


def _only_bytes(events: Iterable[bytes | float]) -> Iterator[bytes]:
    return (event for event in events if isinstance(event, bytes))
