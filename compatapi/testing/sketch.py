"""An answer before it is sent: what faults change, and how it goes out then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from .http1 import RecordedRequest
from .script import HeaderValues, Step, StreamReply

if TYPE_CHECKING:
    from .services.base import Lines, Service


@frozen
class Sketch:
    """An answer before it is sent, for faults to change.

    `reply` says how it is sent, `events` what; `lines` has the events as they should be. Of a
    whole answer its body is the one event. `other_form` makes the sketch of a stream where this
    is none, and the other way round. `prelude` and `trailer` go out around it all. Each write has
    `size` bytes at most, with a `pause` behind it.
    """

    request: RecordedRequest
    service: Service
    lines: Lines
    reply: StreamReply
    is_stream: bool
    events: Iterable[bytes | float]
    other_form: Callable[[], Sketch]
    prelude: bytes = b""
    trailer: bytes = b""
    size: int | None = None
    pause: float = 0.0

    def split(self, after: int) -> tuple[list[bytes], list[bytes]]:
        """The events in front of a place and those behind it."""
        lines = self.lines
        if self.is_stream:
            behind = [*lines.pieces[after:], *lines.end, *([lines.mark] if lines.mark else [])]
            return [*lines.start, *lines.pieces[:after]], behind
        (body,) = lines.pieces
        return [body[: len(body) // 2]], [body[len(body) // 2 :]]

    def with_headers(self, headers: HeaderValues, framing: str | None = None) -> Sketch:
        """The same with more headers, and in another framing."""
        named = {name.lower() for name in headers}
        kept = {name: value for name, value in self.reply.headers.items() if name.lower() not in named}
        reply = evolve(self.reply, headers={**kept, **headers}, framing=framing or self.reply.framing)
        return evolve(self, reply=reply)

    def play(self) -> Iterator[Step]:
        """Give the steps."""
        steps = evolve(self.reply, events=self.events).play(self.request)
        if self.prelude:
            yield self.prelude
        for step in steps:
            if isinstance(step, str):
                if self.trailer:
                    yield self.trailer
                yield step
            elif isinstance(step, bytes) and self.size is not None:
                for start in range(0, len(step), self.size):
                    yield step[start : start + self.size]
                    yield self.pause
            else:
                yield step
