"""Play a recording: `replay` is the function of a server that answers as it was recorded.

Each read of the recording is one write again, after the pause that was there; where the answer broke off, it breaks
off.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator
from typing import Literal

from attrs import field, frozen, validators

from .answers import UnexpectedRequest
from .difference import differences
from .http1 import RecordedRequest, render_head
from .recording import Exchange, Recording
from .script import Ending, Step

__all__ = ["Replay", "ReplayScript", "replay"]

#: Headers that say how the answer was carried, which is done anew (RFC 9110, section 7.6.1), and cookies, which are
#: masked.
_CARRIED = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
    + ("content-length", "content-encoding", "set-cookie")
)
#: How an exchange that did not come to its end is left. Whoever reads on where the client of the recording had enough
#: is told so at once; nobody knows what would have come.
_BREAKS: dict[str, Ending] = {"reset": "reset"}
#: Lines of a difference. The first ones tell what is wrong; all of them tell less.
_MOST_LINES = 12


@frozen
class ReplayScript:
    """A script that answers as one exchange of a recording.

    `pace` is a factor for all pauses: 1 for those that were recorded, 0.1 for a tenth of them, 0 for none. An answer
    that fell silent stays silent, whatever the pace.
    """

    exchange: Exchange
    pace: float = field(default=1.0, validator=validators.ge(0.0))

    def play(self, request: RecordedRequest) -> Iterator[Step]:
        """Give the head, the pieces as they were read with the pauses between, and the end."""
        exchange, before = self.exchange, self.exchange.at
        if exchange.head_at is not None:
            yield self._pause(before, exchange.head_at)
            before = exchange.head_at
            framing = self._framing(request)
            yield self._head(framing)
            for at, data in exchange.pieces:
                yield self._pause(before, at)
                before = at
                if data and framing:
                    yield b"%x\r\n%b\r\n" % (len(data), data) if framing == "chunked" else data
            if exchange.is_whole:
                if exchange.end_at is not None:
                    yield self._pause(before, exchange.end_at)
                if framing == "chunked":
                    yield b"0\r\n\r\n"
                yield "close" if framing == "close" else "keep"
                return
        yield from self._break_off(before)

    def _break_off(self, before: float) -> Iterator[Step]:
        end = self.exchange.end or "cut"
        if end == "stall":
            yield math.inf
        elif self.exchange.end_at is not None and end != "closed":
            yield self._pause(before, self.exchange.end_at)
        yield _BREAKS.get(end, "close")

    def _pause(self, before: float, now: float) -> float:
        return max(0.0, now - before) * self.pace

    def _framing(self, request: RecordedRequest) -> str:
        """How the body is told from what follows: as it was, if that lets the end be seen."""
        exchange, was = self.exchange, {name.lower(): value for name, value in self.exchange.response_headers.items()}
        if request.method == "HEAD" or exchange.status in (204, 304) or exchange.status < 200:
            return ""
        if "content-length" in was and "content-encoding" not in was:
            return "length"
        if request.version == "HTTP/1.0" or ("transfer-encoding" not in was and exchange.is_whole):
            return "close"
        return "chunked"

    def _head(self, framing: str) -> bytes:
        exchange = self.exchange
        headers = [(name, value) for name, value in exchange.response_headers.items() if name.lower() not in _CARRIED]
        if framing == "length":
            headers.append(("Content-Length", str(self._length())))
        elif framing:
            headers.append(("Transfer-Encoding", "chunked") if framing == "chunked" else ("Connection", "close"))
        return render_head(exchange.status, headers)

    def _length(self) -> int:
        there = len(self.exchange.content)
        if self.exchange.is_whole:
            return there
        said = next(v for name, v in self.exchange.response_headers.items() if name.lower() == "content-length")
        # What is masked has changed its length, and an end that is not clean must leave the promised one unreached.
        return max(int(said) if said.isdecimal() else 0, there + 1)


class Replay:
    """The function of a `ScriptedServer` or `ScriptedTransport` that answers from a recording; `replay` makes it.

    Attributes:
        recording: What it answers from.
        played: The exchanges that were asked for so far, in that order.
    """

    def __init__(self, recording: Recording, pace: float, match: str, repeat: bool) -> None:
        self.recording = recording
        self.played: list[Exchange] = []
        self._pace, self._repeat = pace, repeat
        self._find = _MATCHES[match]
        # What no server has seen is no answer.
        self._all = [exchange for exchange in recording.exchanges if exchange.end != "unsent"]
        self._left = list(self._all)
        self._lock = threading.Lock()

    def __call__(self, request: RecordedRequest) -> ReplayScript:
        """The script for a request.

        Raises:
            UnexpectedRequest: No exchange that is left fits; the text says what is different.
        """
        with self._lock:
            if not self._left and self._repeat:
                self._left = list(self._all)
            if not self._left:
                raise UnexpectedRequest("All exchanges of the recording were played.")
            found = self._find(self._left, request)
            self._left.remove(found)
            self.played.append(found)
        return ReplayScript(found, self._pace)

    def unused(self) -> list[str]:
        """The exchanges that were not asked for, a line for each."""
        with self._lock:
            return [f"exchange {one.number} of the recording: {one.method} {one.url}" for one in self._left]


def replay(
    source: str | os.PathLike[str] | Recording,
    *,
    pace: float = 1.0,
    match: Literal["strict", "lenient"] = "strict",
    repeat: bool = False,
) -> Replay:
    """What to give to a `ScriptedServer` or a `ScriptedTransport`, to answer as it was recorded.

    Args:
        source: The file of a recording, or a `Recording`.
        pace: A factor for all pauses: 1 for those that were recorded, 0.1 for a tenth of them, 0 for none.
        match: `"strict"` wants the requests in the order of the recording, each with the same method, path, query and
            body, where JSON may be written otherwise. `"lenient"` takes of those that are left the one that is most
            alike: the same request, else the same path, model and wish for a stream, else the same path, else the next.
        repeat: Begin again when all were played.

    Raises:
        RecordingError: The file is no recording, or one of another version.
        OSError: It cannot be read.
        ValueError: `pace` or `match` is none of these.
    """
    if match not in _MATCHES:
        raise ValueError(f'match is "strict" or "lenient", not {match!r}')
    if not 0 <= pace < math.inf:
        raise ValueError(f"pace is a factor for the pauses, 0 or more, not {pace!r}")
    return Replay(source if isinstance(source, Recording) else Recording.load(source), pace, match, repeat)


def _strict(left: list[Exchange], request: RecordedRequest) -> Exchange:
    found = differences(left[0], request)
    if found:
        lines = [*found[:_MOST_LINES], *([f"and {len(found) - _MOST_LINES} more"] if len(found) > _MOST_LINES else [])]
        here = f"It is not exchange {left[0].number} of the recording, which is the next one:"
        raise UnexpectedRequest("\n  ".join([here, *lines]))
    return left[0]


def _lenient(left: list[Exchange], request: RecordedRequest) -> Exchange:
    return max(left, key=lambda exchange: _likeness(exchange, request))


def _likeness(exchange: Exchange, request: RecordedRequest) -> int:
    """How much alike two requests are. The first of equals is the one to take."""
    found = differences(exchange, request)
    if not found:
        return 3
    if any(line.startswith(("method:", "path:")) for line in found):
        return 0
    other = any(line.startswith(("body.model:", "body.stream:")) for line in found)
    return 1 if other or not isinstance(request.json_object(), dict) else 2


_MATCHES: dict[str, Callable[[list[Exchange], RecordedRequest], Exchange]] = {"strict": _strict, "lenient": _lenient}
