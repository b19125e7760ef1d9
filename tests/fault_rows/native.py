"""Faults of a service that has a wire format of its own: what goes wrong in the same way at each of them.

What `compatapi.testing` can say of any service is said by its scripts. The other rows are written once, for a `Wire`:
the pieces of an answer in the service's own words. Who asks for no stream is answered with what goes wrong with a whole
answer in the same way.
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from compatapi import errors as e
from compatapi.testing import Raw
from compatapi.testing.faults import BadJson, ContentType, Cut, Html, Replaced
from fault_parts import END, FOREVER, JSON, SMALL, Endless, Fault, bent, chunk, coded, head, packed, sized, whole

EVENTS = "text/event-stream"
LINES = "application/x-ndjson"
#: A whole answer that comes without end, and slowly.
DRIPS = Endless(head("Connection: close", media_type=JSON), b" ", 0.03)
#: Stands in `Wire.text` for what is said.
MARK = "TEXT"


@frozen(kw_only=True)
class Wire:
    """How a service says an answer.

    Attributes:
        provider: The row of a provider that speaks so.
        text: An event with a text, in the place of which stands `MARK`.
        stop: The event with the finish reason.
        mark: The end mark, where there is one.
        start: What comes before the first text.
        call: The beginning of a tool call.
        whole: A whole answer that says "Hi".
        unknown: An event that nobody knows, which says nothing.
        error: An event with an error.
        fields: Attributes of that error.
        whole_error: The same error in place of an answer, with status 200.
        media_type: Of a stream.
        nothing: What a server sends to keep a connection alive.
    """

    provider: str
    text: bytes
    stop: bytes
    mark: bytes = b""
    start: bytes = b""
    call: bytes
    whole: bytes
    unknown: bytes
    error: bytes
    fields: Mapping[str, Any]
    whole_error: Any
    media_type: str = EVENTS
    nothing: bytes = b": ping\n\n"

    def say(self, text="Hi"):
        """An event with a text, escaped as JSON wants it."""
        return self.text.replace(MARK.encode(), text.encode())

    @property
    def hi(self):
        """The beginning of an answer, and "Hi"."""
        return self.start + self.say()

    @property
    def done(self):
        """The end of an answer."""
        return self.stop + self.mark

    # --- scripts

    def chunked(self, *pieces, **options):
        """A chunked answer that ends without its last chunk; a number is a pause."""
        return Raw([self._head("Transfer-Encoding: chunked"), *map(_chunk, pieces)], **options)

    def ended(self, *pieces):
        """A stream that ends cleanly as HTTP."""
        return Raw([self._head("Transfer-Encoding: chunked"), *map(_chunk, pieces), END], close=False)

    def closing(self, *pieces):
        """An answer that ends with its connection."""
        return Raw([self._head("Connection: close"), *pieces])

    def endless(self, start, again, pause=0.0):
        """An answer that goes on and on."""
        return Endless(self._head("Connection: close") + start, again, pause)

    def _head(self, line):
        return head(line, media_type=self.media_type)

    # --- rows

    def row(self, name, script, gets=None, keeps="", **options):
        """A row; where no other whole answer is told, that one is good, or the script has none."""
        if gets is not None:
            options.setdefault("whole_keeps", "")
        options.setdefault("whole", sized(self.whole))
        return Fault(name, script, gets, keeps, provider=self.provider, **options)

    def fine(self, name, *pieces, keeps="Hi", text=b"Hi", **options):
        """A row with a stream that is taken as complete; ``text`` stands in the whole answer."""
        whole_answer = sized(self.whole.replace(b"Hi", text))
        return self.row(name, self.ended(*pieces), None, keeps, whole=whole_answer, **options)

    def nonsense(self, name, text):
        """A row with nonsense behind a good event, or in place of a whole answer."""
        return self.both(name, bent(BadJson(text=text)), e.DecodeError, keeps="Hi")

    def failed(self, name, *pieces, keeps="Hi", fields=None, script=None, body=None):
        """A row with an error in the stream; ``body`` is the one in place of a whole answer."""
        options = {"fields": self.fields if fields is None else fields, "says": "no way"}
        options["whole"] = whole(self.whole_error if body is None else body)
        return self.row(name, script or self.ended(*pieces), e.StreamError, keeps, **options)

    def waits(self, name, script, keeps="", clock="first_token"):
        """A row with an answer that does not go on."""
        options = {"clock": clock, "whole": DRIPS, "whole_clock": "first_token"}
        return self.row(name, script, e.RequestTimeout, keeps, **options)

    def too_soon(self, name, script, keeps="Hi"):
        """A row with a stream that ends before the answer does."""
        short = Raw([head("Connection: close", media_type=JSON) + self.whole[:40]])
        return self.row(name, script, e.IncompleteStreamError, keeps, whole=short, whole_gets=e.DecodeError)

    def both(self, name, script, gets, whole_gets=None, **options):
        """A row in which a whole answer is asked for and answered in the same way as a stream."""
        return self.row(name, script, gets, whole=script, whole_gets=whole_gets, **options)

    def status(self, number, body, gets, *lines, about="", says="no way", **fields):
        """A row with a status that is an error, and the attributes of that."""
        script = whole(body, *lines, status=f"{number} Because")
        known = {"status_code": number, **fields}
        told = [about] * bool(about) + [f"`{name}` {value}" for name, value in fields.items() if value is not None]
        return Fault(
            ", ".join([f"status {number}", *told]), script, gets, says=says, fields=known, provider=self.provider
        )


def _chunk(piece):
    return chunk(piece) if isinstance(piece, bytes) else piece


def shared(wire):
    """The rows that every service has, told in the words of one."""
    return [*_cut(wire), *_silent(wire), *_told(wire), *_no_stream(wire), *_odd(wire)]


def _cut(wire):
    hi, more, done = wire.hi, wire.say(" there"), wire.done
    short = Raw([head(f"Content-Length: {len(wire.whole)}", media_type=JSON) + wire.whole[:40]])
    half = wire.say("\N{LATIN SMALL LETTER E WITH ACUTE}")
    lost = {"gets": e.ConnectionLost, "whole": short}
    return [
        wire.row("cut inside an event", wire.chunked(hi, more[:-20]), keeps="Hi", **lost),
        wire.both("cut between two events", bent(Cut(2), text="Hi there"), e.ConnectionLost, keeps="Hi there"),
        wire.both("reset between two events", bent("reset"), e.ConnectionLost, keeps="Hi"),
        wire.too_soon("ended inside an event", wire.closing(hi + more[:-20])),
        wire.too_soon("ended inside a character", wire.closing(hi + half[: half.index(b"\xc3") + 1])),
        wire.too_soon("ended between two events", wire.closing(hi)),
        wire.both(
            "ended cleanly, before the end of the answer",
            bent("no-end", text="Hi there"),
            e.IncompleteStreamError,
            e.DecodeError,
            keeps="Hi there",
        ),
        wire.too_soon("ended inside a tool call", wire.ended(wire.start + wire.call), ""),
        wire.too_soon("ended before anything is said", wire.ended(), ""),
        wire.too_soon("ended behind keep-alives", wire.ended(wire.nothing), ""),
        wire.fine("ended behind the finish reason", hi, wire.stop),
        wire.row("cut behind the finish reason", wire.chunked(hi, wire.stop), None, "Hi"),
        wire.row("reset behind the finish reason", wire.chunked(hi, wire.stop, 0.05, reset=True), None, "Hi"),
        wire.row("the last event without its end", wire.closing(hi + wire.stop.rstrip()), None, "Hi"),
        wire.both("byte by byte", bent("bytewise"), None, keeps="Hi"),
        wire.both("in gzip, not asked for", bent("gzip"), None, keeps="Hi"),
        wire.row("in gzip, cut", coded(packed(hi)[:-8], "gzip", wire.media_type), keeps="Hi", **lost),
        wire.row(
            "in gzip that is none",
            coded(hi + done, "gzip", wire.media_type),
            e.DecodeError,
            whole=coded(wire.whole, "gzip", JSON),
        ),
    ]


def _silent(wire):
    hi = wire.hi
    silent = bent("whole-instead", "stall")
    return [
        wire.waits("silent behind the head", wire.chunked(FOREVER)),
        wire.waits("silent inside an event", wire.chunked(hi, wire.say(" there")[:-20], FOREVER), "Hi", "idle"),
        wire.row("silent behind the finish reason", wire.chunked(hi + wire.stop, FOREVER), None, "Hi", clock="idle"),
        wire.both("nothing but keep-alives", bent("comments-only"), e.RequestTimeout, clock="first_token"),
        wire.waits("keep-alives behind an event", wire.endless(hi, wire.nothing, 0.03), "Hi", "idle"),
        wire.both("silent inside a whole answer", silent, e.RequestTimeout, clock="first_token"),
    ]


def _told(wire):
    return [
        wire.failed("an error in place of the answer", wire.error, keeps=""),
        wire.failed("an error behind text", wire.hi, wire.error),
        wire.failed("an error behind text, and the connection breaks", script=wire.chunked(wire.hi, wire.error)),
        wire.failed(
            "an error behind text, and the connection stays open", script=wire.chunked(wire.hi, wire.error, FOREVER)
        ),
        wire.failed("an error without its end", script=wire.closing(wire.hi + wire.error.rstrip())),
        wire.failed("an error with status 200", script=whole(wire.whole_error), keeps=""),
    ]


def _no_stream(wire):
    page = "<!doctype html><p>Log in"
    words = sized(b"try later", media_type="text/plain")
    short = Raw([head(media_type=JSON) + wire.whole[:-9]])
    return [
        wire.both("a page with status 200", bent(Html(page)), e.StreamError, e.DecodeError, says="Log in"),
        wire.both("a page, called JSON", sized(page.encode()), e.StreamError, e.DecodeError, says="Log in"),
        wire.both("words with status 200", words, e.StreamError, e.DecodeError, says="later"),
        wire.both("nothing with status 200", bent("empty"), e.IncompleteStreamError, e.DecodeError),
        wire.both("the whole answer, cut", short, e.IncompleteStreamError, e.DecodeError),
        wire.both("a list", sized(b"[1, 2]"), e.DecodeError),
        wire.both(
            "a page without end",
            Endless(head("Connection: close", media_type="text/html"), b"<p>more"),
            e.DecodeError,
            limits=SMALL,
        ),
        wire.both("the whole answer instead of a stream", bent("whole-instead"), None, keeps="Hi"),
        wire.both(
            "the whole answer, called a stream",
            bent("whole-instead", ContentType(wire.media_type)),
            None,
            keeps="Hi",
        ),
        wire.both("a stream, called JSON", bent(ContentType(JSON)), None, keeps="Hi"),
        wire.both("a stream, called words", bent(ContentType("text/plain")), None, keeps="Hi"),
    ]


def _odd(wire):
    hi, done = wire.hi, wire.done
    return [
        wire.nonsense("an event that does not parse", "{oh no"),
        wire.nonsense("an event that is cut JSON", '{"a": {'),
        wire.nonsense("an event that is words", "hello there"),
        wire.nonsense("an event that is a number", "42"),
        wire.nonsense("an event that is a string", '"hello"'),
        wire.nonsense("an event that is a list", "[1, 2]"),
        wire.nonsense("an event that is true", "true"),
        wire.nonsense("an event that is null", "null"),
        wire.nonsense("an event with NaN", '{"a": NaN}'),
        wire.nonsense("a page as an event", "<html>"),
        wire.nonsense("a hundred thousand brackets", '{"a": ' + "[" * 100_000),
        wire.both("an event without end", bent("endless"), e.DecodeError, keeps="Hi", limits=SMALL),
        wire.fine("events that nobody knows", hi, wire.unknown, done),
        wire.fine("keep-alives between events", wire.nothing, hi, wire.nothing * 3, done, wire.nothing),
        wire.both(
            "invalid UTF-8",
            bent(Replaced(b"Hi", b"H\xffi")),
            None,
            e.DecodeError,
            keeps="H\ufffdi",
            whole_keeps="",
        ),
        wire.both("half a surrogate", bent(Replaced(b"Hi", b"H\\ud83di")), None, keeps="H\ufffdi"),
        wire.fine(
            "an emoji cut into its surrogates",
            wire.start + wire.say("\\ud83d") + wire.say("\\ude00"),
            done,
            keeps="\U0001f600",
            text=b"\\ud83d\\ude00",
        ),
    ]
