"""Bytes to chunks.

`StreamDecoder` needs no network: it joins framing and dialect, keeps the answer so far, and owns the rule of the end. A
stream is complete when the dialect's end mark was seen, or a finish reason for every choice that spoke; anything else
is an error that carries what was received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import length_hint

from compatapi.accumulate import Accumulator, EndTracker, chunk_from_completion
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest
from compatapi.dialects import get_dialect
from compatapi.dialects.base import ChunkDecoder, Dialect, held_back
from compatapi.dialects.thinktags import ThinkTagDecoder, split_completion
from compatapi.errors import CompatAPIError, DecodeError, IncompleteStreamError, StreamError, cut, fill
from compatapi.framing import Frame, NDJSONDecoder, SSEDecoder
from compatapi.http_types import Limits

__all__ = ["StreamDecoder"]

_BOM = b"\xef\xbb\xbf"
_FIELDS = (b":", b"data:", b"event:", b"id:", b"retry:", b"{")


def _is_text(start: bytes) -> bool:
    """Whether a body without one event begins like anything but a stream; a line of JSON may be cut short."""
    line = start.removeprefix(_BOM).lstrip().partition(b"\n")[0].rstrip()
    return bool(line) and not any(line.startswith(name) or name.startswith(line) for name in _FIELDS)


def _nothing(event: str) -> None:
    """What a decoder knows that learns nothing."""


class StreamDecoder:
    """The bytes of one streamed answer in, chunks out.

    Args:
        dialect: The wire format, or its name.
        request: What was asked.
        limits: How much is taken in before it is refused.
        ends_without_mark: Take the end of the body for the end of the answer, whatever was seen.
        think_tags: Tell the reasoning between ``<think>`` and ``</think>`` apart from the text (`Quirks.think_tags`).
        accumulate: ``False`` keeps nothing, for streams of any length; ``completion`` is then empty.

    Attributes:
        events: How many frames there were.
    """

    def __init__(
        self,
        dialect: Dialect | str,
        request: ChatCompletionRequest,
        *,
        limits: Limits | None = None,
        ends_without_mark: bool = False,
        think_tags: bool = False,
        accumulate: bool = True,
    ) -> None:
        self._dialect = dialect = get_dialect(dialect)
        self._request = request
        limits = limits or Limits()
        self._framing: SSEDecoder | NDJSONDecoder = dialect.decoder(max_event_bytes=limits.event)
        decoder = dialect.chunk_decoder(request)
        self._tags = ThinkTagDecoder(decoder) if think_tags else None
        self._decoder: ChunkDecoder = self._tags or decoder
        self._known: Callable[[str], ChatCompletionChunk | None] = getattr(self._decoder, "known", _nothing)
        self._names_matter = getattr(self._decoder, "names_matter", True)
        self._answer = Accumulator() if accumulate else None
        self._end = EndTracker()
        self._ends_without_mark = ends_without_mark
        self._max_body_bytes = limits.body
        self._head: bytearray | None = bytearray()  # until it is known what the body is
        self._whole: bytearray | None = None  # the body, when it is no stream
        self.events = 0
        self._start = b""  # of a body that may be no stream, for the error that shows it
        self._closed = False
        self._error: CompatAPIError | None = None

    @property
    def completion(self) -> ChatCompletion:
        """The answer so far."""
        return self._answer.completion if self._answer is not None else ChatCompletion()

    @property
    def done(self) -> bool:
        """Whether the end mark was seen; what comes after it is ignored."""
        return self._decoder.done

    @property
    def keep_alives(self) -> int:
        """How many comment lines there were."""
        return getattr(self._framing, "comments", 0)

    @property
    def is_complete(self) -> bool:
        """Whether the answer is whole by the rule of the end."""
        return self._decoder.done or self._end.is_finished

    def feed(self, data: bytes) -> list[ChatCompletionChunk]:
        """Take the next bytes of the body and return the chunks that they complete.

        Raises:
            StreamError: The server reports an error inside the stream.
            DecodeError: The server sent nonsense.

        Chunks that were whole before the fault are returned first; the next call raises. A decoder that has raised
        raises the same again.
        """
        return _all(self.iterate(data))

    def iterate(self, data: bytes) -> Iterator[ChatCompletionChunk]:
        """The same as `feed`, but each chunk is decoded when it is asked for, and an error is raised where it is.

        All of them have to be asked for before the next bytes are given.
        """
        self.check()
        if self.done:
            return iter(())
        try:
            return self._decode(self._events_of(data))
        except CompatAPIError as error:
            return self._fail(error)

    def check(self) -> None:
        """Raise the error behind the chunks that were returned last, if there is one."""
        if self._error is not None:
            raise self._error

    def close(self) -> list[ChatCompletionChunk]:
        """Say that the body ended; return the chunks that this completes.

        Raises:
            IncompleteStreamError: The body ended before the answer did.
            StreamError: The body is an error, or no stream.
            DecodeError: The body is nonsense.
        """
        self.check()
        return _all(self._rest())

    def _rest(self) -> Iterator[ChatCompletionChunk]:
        if self.done or self._closed:
            return
        self._closed = True
        try:
            yield from self._finish()
            yield from self._flush()
        except CompatAPIError as error:
            yield from self._fail(error)

    def break_off(self, error: CompatAPIError) -> list[ChatCompletionChunk]:
        """Say that no more bytes come, and why; return what was held back. Every later call raises the error."""
        chunks: list[ChatCompletionChunk] = []
        if self._error is None:
            chunks += self._flush()
            self._error = error
        return chunks

    def _flush(self) -> Iterator[ChatCompletionChunk]:
        for chunk in held_back(self._decoder):
            if self._answer is not None:
                self._answer.add(chunk)
            yield chunk

    def _fail(self, error: CompatAPIError) -> Iterator[ChatCompletionChunk]:
        """What was held back, and the error behind it."""
        if self._error is None:
            yield from self._flush()
            self._error = fill(error, {"completion": self.completion})
        raise self._error

    def _events_of(self, data: bytes) -> Sequence[str | Frame]:
        """The events that the next bytes complete."""
        if self._head is not None:
            data = self._look_at_head(data)
        if self._whole is not None:
            self._collect(data)
        if self._whole is not None or not data:
            return ()
        if not self.events and len(self._start) < 1000:
            self._start += data[:1000]
        return self._framing.take(data)

    def _decode(self, events: Sequence[str | Frame], is_tail: bool = False) -> Iterator[ChatCompletionChunk]:
        decoder, watch, answer = self._decoder, self._end.add, self._answer
        known, names_matter = self._known, self._names_matter
        waiting, count = iter(events), self.events + len(events)
        try:
            for event in waiting:
                if isinstance(event, str):
                    made = known(event)
                elif names_matter:
                    made = None
                else:
                    made = known(event.data)
                if made is not None:  # nothing of its kind is new to the rule of the end
                    if answer is not None:
                        answer.take(made)
                    yield made
                    continue
                if isinstance(event, str):
                    event = Frame(event)
                self.events = count - length_hint(waiting)
                for chunk in decoder.decode(event):
                    watch(chunk)
                    if answer is not None:
                        answer.take(chunk)
                    yield chunk
                if decoder.done:
                    return
            if self._framing.failed is not None:
                raise self._framing.failed
        except CompatAPIError as error:
            if is_tail:
                raise
            yield from self._fail(error)
        finally:
            self.events = count - length_hint(waiting)

    def _look_at_head(self, data: bytes) -> bytes:
        """Tell by its first character whether the body is a stream (rule 42); the media type often lies."""
        head = self._head = (self._head or bytearray()) + data
        if _BOM.startswith(head):
            return b""
        start = bytes(head).removeprefix(_BOM).lstrip()
        if not start and (len(head) < 1000 or not head.strip(b"\r\n")):
            if len(head) >= 1000:
                head.clear()  # DeepSeek sends any number of empty lines; to an event stream they mean nothing
            return b""
        if start[:1] in ((b"{", b"[", b"<") if isinstance(self._framing, SSEDecoder) else (b"[", b"<")):
            self._whole = bytearray()
        self._head = None
        return bytes(head)

    def _collect(self, data: bytes) -> None:
        assert self._whole is not None
        self._whole += data
        if len(self._whole) > self._max_body_bytes:
            self._whole.clear()
            raise DecodeError(f"The answer is larger than the limit of {self._max_body_bytes:,} bytes")

    def _finish(self) -> Iterator[ChatCompletionChunk]:
        if self._whole is not None:
            yield from self._decode_whole(bytes(self._whole))
            return
        head, self._head = self._head, None
        if head:
            yield from self._decode(self._events_of(bytes(head)))
        tail: CompatAPIError | None = None
        try:
            yield from self._decode(self._framing.close(), is_tail=True)
            unfinished = getattr(self._framing, "unfinished", None)
            if unfinished is not None:  # rule 35: servers forget the last blank line
                yield from self._decode([unfinished], is_tail=True)
        except (DecodeError, IncompleteStreamError) as error:
            tail = error  # half an event: whether that matters is told below
        if self.is_complete or (self._ends_without_mark and tail is None):
            return
        if not self.events and _is_text(self._start):
            text = self._start.strip()
            raise StreamError(
                f"The server answered with text instead of a stream: {cut(text, 200)!r}", body=cut(text, 4000)
            ) from tail
        if not self.events and not self._end.has_spoken:
            raise IncompleteStreamError("The stream ended before anything was said") from tail
        raise IncompleteStreamError(
            "The stream was cut short: it ended inside an event"
            if tail is not None
            else "The stream was cut short: it ended without an end mark and without a finish reason"
        ) from tail

    def _decode_whole(self, body: bytes) -> Iterator[ChatCompletionChunk]:
        """An answer that is no stream: an error, a page of a proxy, or the whole completion."""
        text = body.strip()
        if text.removeprefix(_BOM)[:1] == b"<":
            raise StreamError(
                f"The server answered with a page instead of a stream: {cut(text, 200)!r}", body=cut(text, 4000)
            )
        try:
            completion = self._dialect.decode_completion(text.removeprefix(_BOM), self._request)
        except CompatAPIError as error:
            if error.completion is not None:  # of an array that grows: what came before its fault or its end
                yield self._take_whole(error.completion)
            if not isinstance(error, DecodeError) or not _looks_cut(error, text):
                raise
            raise IncompleteStreamError(f"The answer was cut short: {cut(text[-80:])!r}") from error
        yield self._take_whole(completion)

    def _take_whole(self, completion: ChatCompletion) -> ChatCompletionChunk:
        if self._tags is not None:
            split_completion(completion)
        chunk = chunk_from_completion(completion)
        if self._answer is not None:
            self._answer.add(chunk)
        return chunk


def _all(chunks: Iterator[ChatCompletionChunk]) -> list[ChatCompletionChunk]:
    """All chunks in front of an error, which the decoder raises at its next use; the error only if there are none."""
    found: list[ChatCompletionChunk] = []
    try:
        for chunk in chunks:
            found.append(chunk)  # extend() would lose what came before an error
    except CompatAPIError:
        if not found:
            raise
    return found


def _looks_cut(error: DecodeError, text: bytes) -> bool:
    """Whether JSON text is wrong at its very end only."""
    if error.position is None:
        return False
    if "invalid UTF-8" in error.message:  # whose position is one of bytes
        return len(text) - error.position < 4
    rest = text.decode("utf-8", "replace")[error.position :]
    in_text = "Unterminated string" in error.message or ("escape" in error.message and len(rest) < 6)
    return in_text or not rest.strip("-+.eE") or any(word.startswith(rest) for word in ("true", "false", "null"))
