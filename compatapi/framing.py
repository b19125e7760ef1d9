"""Cut a body into frames: server-sent events and newline-delimited JSON.

``feed(data)`` takes the bytes as they come, cut anywhere, and returns the frames that became complete. ``close()`` says
that the input ended. Both decoders keep bytes, never text, so that a character cut in two costs nothing; both look at
each byte once, keep a growing line as pieces and join it once (anything else is quadratic for one huge event), and
refuse an event larger than their limit before it is joined.

Rules by number are those of the WHATWG HTML Living Standard, "Server-sent events", as listed in the documentation.
"""

from __future__ import annotations

import json
from copy import copy

from attrs import define

from compatapi.errors import DecodeError, IncompleteStreamError, cut

__all__ = ["Frame", "NDJSONDecoder", "SSEDecoder"]

#: Bytes. Base64 audio, log probabilities and encrypted reasoning come as lines of several MiB.
MAX_EVENT_BYTES = 32 * 1024 * 1024

#: Bytes from which on it pays to look at all events at once.
_MANY = 2048

_BOM = b"\xef\xbb\xbf"
_DIGITS = frozenset(b"0123456789")


@define(slots=True)
class Frame:
    """One event of an event stream, or one line of newline-delimited JSON.

    Attributes:
        data: The payload. The lines of an event are joined by LF.
        event: The type of the event.
        id: The last event id in force.
        retry: The reconnection time in force, in milliseconds, or ``None`` when the server never said one.
    """

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None


class _Lines:
    """Bytes in, whole lines out. Ends are LF, CRLF and, where asked for, lone CR."""

    def __init__(self, max_event_bytes: int, *, lone_cr: bool) -> None:
        self.limit = max_event_bytes
        # The line that has no end yet. One buffer, not a list of pieces: for a server that sends a few bytes at a time
        # every piece would cost an object of some 40 bytes.
        self.rest = bytearray()
        self._lone_cr = lone_cr
        self._after_cr = False
        self._start: bytes | None = b""  # what may still become a byte order mark; None once that is decided

    def unify(self, data: bytes) -> bytes:
        """The bytes without a mark at the very start, and with LF for each end of a line. Every byte goes here once."""
        if self._start is not None:
            data = self._without_bom(data)
        if self._lone_cr and data and (self._after_cr or b"\r" in data):
            data = self._unify_ends(data)
        return data

    def split(self, data: bytes) -> list[bytes | bytearray]:
        """The lines that unified bytes complete, without their ends. One that came in pieces is a bytearray."""
        if b"\n" not in data:  # which is found out much sooner than `split` does
            self.rest += data
            return []
        lines: list[bytes | bytearray] = [*data.split(b"\n")]
        last = lines.pop()
        if self.rest:
            self.rest += lines[0]
            lines[0] = self.rest
            self.rest = bytearray()
        if last:
            self.rest += last
        return lines

    def whole_rest(self) -> bytes:
        """The line that has no end yet, with what might still have become a byte order mark."""
        return (self._start or b"") + bytes(self.rest)

    def _without_bom(self, data: bytes) -> bytes:
        # Rules 3 and 5: one mark, at the very start, possibly cut by a read.
        data = (self._start or b"") + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._start = data
            return b""
        self._start = None
        return data[len(_BOM) :] if data.startswith(_BOM) else data

    def _unify_ends(self, data: bytes) -> bytes:
        # Rule 7: a line is complete at its CR; an LF that follows belongs to it, even in the next read.
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
            if not data:
                return data
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class SSEDecoder:
    """Decode an event stream as the standard says, rule by rule; what servers get wrong is treated above this layer.

    Args:
        max_event_bytes: Limit for the data of one event and for one line, in bytes.

    Attributes:
        last_event_id: The id that the server gave last; it lasts from event to event (rule 21).
        retry: The reconnection time that the server gave last, in milliseconds, or ``None``.
        comments: How many comment lines there were; servers send them to keep a connection alive.
        failed: The error behind the frames that were returned last, or ``None``; the next call raises it.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.last_event_id = ""
        self.retry: int | None = None
        self.comments = 0
        self._lines = _Lines(max_event_bytes, lone_cr=True)
        self._data: bytes | bytearray | None = None  # one line as it came; more of them in one buffer, see _Lines.rest
        self._event: bytes | bytearray = b""
        self._id = ""
        self._told = False  # whether there was an id or a time, which last from event to event
        self.failed: DecodeError | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes of the body and return the events that they complete.

        Raises:
            DecodeError: One event is larger than the limit. Events that were complete before it in the same bytes are
                returned first, and the next call raises. The decoder refuses further use.
        """
        return [Frame(event) if event.__class__ is str else event for event in self.take(data)]  # type: ignore[misc]

    def take(self, data: bytes) -> list[str | Frame]:
        """The same, but of an event that has nothing but data the data alone, since most are so."""
        self._check()
        events: list[str | Frame] = []
        data = self._lines.unify(data)
        first = last = 0
        if len(data) > _MANY and b"\n" in data:  # looking for two of them where there are none takes much longer
            first, last = data.find(b"\n\n") + 2, data.rfind(b"\n\n")
        if not _MANY < last - first < self._lines.limit:
            self._take_lines(data, events)
        elif self._take_lines(data[:first], events) and (
            self._take_plain(data[first:last], events) or self._take_lines(data[first : last + 2], events)
        ):
            self._take_lines(data[last + 2 :], events)
        if self.failed is not None:
            self._data, self._lines.rest = None, bytearray()
            if not events:
                raise self.failed
        return events

    def _check(self) -> None:
        if self.failed is not None:
            raise self.failed

    def _take_plain(self, data: bytes, events: list[str | Frame]) -> bool:
        """Take many events at once, if each of them is one line of data, all with the same name; False if not."""
        if self._told or self._event or self._data is not None or self._lines.rest:
            return False
        text = data.decode("utf-8", "replace")
        head, name = "data: ", ""
        if text.startswith("event: "):
            name = text[7 : max(text.find("\ndata: "), 7)]
            head = f"event: {name}\ndata: "
        found = text[len(head) :].split("\n\n" + head)
        lines = 2 if name else 1
        if not text.startswith(head) or text.count("\n") != (lines + 1) * len(found) - 2:
            return False
        events += [Frame(one, name) for one in found] if name else found
        return True

    def _take_lines(self, data: bytes, events: list[str | Frame]) -> bool:
        """Take bytes line by line; False if an event is too large."""
        limit, held = self._lines.limit, self._data
        may_be_too_large = len(data) + len(self._lines.rest) > limit
        for line in self._lines.split(data):
            if line:
                if held is None and line[:6] == b"data: ":  # rule 13: one space goes, only one
                    if isinstance(line, bytearray):
                        del line[:6]  # which copies nothing, however long it is
                        held = line
                    else:
                        held = line[6:]
                else:
                    self._data = held
                    self._read_field(line)
                    held = self._data
                    if held is not None and len(held) > limit:
                        self.failed = _too_large(limit)
                        break
                if may_be_too_large and len(line) > limit:
                    self.failed = _too_large(limit)
                    break
            elif held is None:
                self._event = b""  # rule 25: an event without data is none, and its type is dropped
                self.last_event_id = self._id  # rule 24
            else:
                events.append(self._dispatch(held) if self._event or self._told else held.decode("utf-8", "replace"))
                held = None
        if len(self._lines.rest) + (0 if held is None else len(held)) > limit:
            self.failed = _too_large(limit)
        self._data = held
        return self.failed is None

    def close(self) -> list[Frame]:
        """Say that the input ended. Always empty: what no blank line ended is dropped (rule 28), see `unfinished`.

        Raises:
            DecodeError: The error of an earlier `feed`, again.
        """
        self._check()
        return []

    @property
    def unfinished(self) -> Frame | None:
        """The event that was begun and not yet ended by a blank line, for lenient layers above; ``None`` without one.

        A last line without an end is read as a line.
        """
        look = copy(self)
        if isinstance(self._data, bytearray):
            look._data = self._data[:]
        if rest := self._lines.whole_rest():
            look._read_field(rest)
        return look._dispatch(look._data) if look._data is not None else None

    def _read_field(self, line: bytes | bytearray) -> None:
        name, _, value = line.partition(b":")  # rules 12 and 15
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            if self._data is None:
                self._data = value
            else:
                if isinstance(self._data, bytes):
                    self._data = bytearray(self._data)
                self._data += b"\n"
                self._data += value
        elif name == b"event":
            self._event = value
        elif name == b"id":
            if b"\0" not in value:  # rule 20
                self._id, self._told = value.decode("utf-8", "replace"), True
        elif not name:
            self.comments += 1
        elif name == b"retry" and 0 < len(value) < 100 and _DIGITS.issuperset(value):  # rule 22
            # Python refuses to read numbers of more than 4300 digits; nobody means more than a hundred.
            self.retry, self._told = int(value), True

    def _dispatch(self, data: bytes | bytearray) -> Frame:
        self.last_event_id = self._id  # rule 24
        event = self._event.decode("utf-8", "replace") if self._event else "message"
        self._data, self._event = None, b""
        return Frame(data.decode("utf-8", "replace"), event, self.last_event_id, self.retry)


class NDJSONDecoder:
    """Decode newline-delimited JSON: one object a line (the lines' JSON itself is the dialect's matter).

    Args:
        max_event_bytes: Limit for one line, in bytes.

    Attributes:
        failed: The error behind the frames that were returned last, or ``None``; the next call raises it.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._lines = _Lines(max_event_bytes, lone_cr=False)
        self.failed: DecodeError | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes of the body and return the lines that they complete, empty ones left out.

        Raises:
            DecodeError: A line is no JSON object, or larger than the limit. Lines that were complete before it in the
                same bytes are returned first, and the next call raises. The decoder refuses further use.
        """
        return [Frame(line) for line in self.take(data)]

    def take(self, data: bytes) -> list[str]:
        """The same, but the text of the lines alone."""
        if self.failed is not None:
            raise self.failed
        lines: list[str] = []
        try:
            for line in self._lines.split(self._lines.unify(data)):
                if text := line.strip():
                    lines.append(self._text(text))
            if len(self._lines.rest) > self._lines.limit:
                raise _too_large(self._lines.limit)
        except DecodeError as error:
            self._lines.rest = bytearray()
            self.failed = error
            if not lines:
                raise
        return lines

    def close(self) -> list[Frame]:
        """Say that the input ended; return the last line if it has no end but is complete.

        Raises:
            IncompleteStreamError: The last line was cut.
            DecodeError: The error of an earlier `feed`, again.
        """
        if self.failed is not None:
            raise self.failed
        line = self._lines.whole_rest().strip()
        if not line:
            return []
        try:
            text = self._text(line)
            # Numbers are not read: their size is no sign of a cut.
            json.loads(text, parse_int=str, parse_float=str)
        except DecodeError as error:
            self.failed = error
            raise
        except (ValueError, RecursionError) as error:
            self.failed = DecodeError("The stream was cut inside a line", data=cut(line))
            raise IncompleteStreamError(f"The stream was cut inside a line: {cut(line, 80)!r}") from error
        return [Frame(text)]

    def _text(self, line: bytes | bytearray) -> str:
        if len(line) > self._lines.limit:
            raise _too_large(self._lines.limit)
        if line[:1] != b"{":
            raise DecodeError("A line of the stream is no JSON object", data=cut(line))
        return line.decode("utf-8", "replace")


def _too_large(limit: int) -> DecodeError:
    return DecodeError(f"One event of the stream is larger than the limit of {limit:,} bytes")
