"""Bytes to chunks, and the stream that a program reads.

`StreamDecoder` needs no network: it joins framing and dialect, keeps the answer so far, and owns the rule of the end. A
stream is complete when the dialect's end mark was seen, or a finish reason for every choice that spoke; anything else
is an error that carries what was received. `ChatStream` adds the body of an `HttpResponse`.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from compatapi.accumulate import Accumulator, EndTracker, chunk_from_completion
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest
from compatapi.dialects import get_dialect
from compatapi.dialects.base import ChunkDecoder, Dialect, held_back
from compatapi.dialects.thinktags import ThinkTagDecoder, split_completion
from compatapi.errors import (
    Cancelled,
    CompatAPIError,
    DecodeError,
    IncompleteStreamError,
    StreamError,
    TransportError,
    cut,
    fill,
)
from compatapi.framing import Frame, NDJSONDecoder, SSEDecoder
from compatapi.http_types import HttpResponse, Limits
from compatapi.stats import Stats

__all__ = ["ChatStream", "StreamDecoder"]

_log = logging.getLogger("compatapi")

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
        self.check()
        chunks: list[ChatCompletionChunk] = []
        if self.done:
            return chunks
        try:
            if self._head is not None:
                data = self._look_at_head(data)
            if self._whole is not None:
                self._collect(data)
            elif data:
                self._decode_bytes(data, chunks)
        except CompatAPIError as error:
            self._fail(error, chunks)
        return chunks

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
        chunks: list[ChatCompletionChunk] = []
        if self.done or self._closed:
            return chunks
        self._closed = True
        try:
            self._finish(chunks)
            self._flush(chunks)
        except CompatAPIError as error:
            self._fail(error, chunks)
        return chunks

    def break_off(self, error: CompatAPIError) -> list[ChatCompletionChunk]:
        """Say that no more bytes come, and why; return what was held back. Every later call raises the error."""
        chunks: list[ChatCompletionChunk] = []
        if self._error is None:
            self._flush(chunks)
            self._error = error
        return chunks

    def _flush(self, chunks: list[ChatCompletionChunk]) -> None:
        for chunk in held_back(self._decoder):
            if self._answer is not None:
                self._answer.add(chunk)
            chunks.append(chunk)

    def _fail(self, error: CompatAPIError, chunks: list[ChatCompletionChunk]) -> None:
        self._flush(chunks)
        self._error = fill(error, {"completion": self.completion})
        if not chunks:
            raise self._error

    def _decode_bytes(self, data: bytes, chunks: list[ChatCompletionChunk]) -> None:
        if not self.events and len(self._start) < 1000:
            self._start += data[:1000]
        self._decode(self._framing.take(data), chunks)
        if self._framing.failed is not None and not self.done:
            raise self._framing.failed

    def _decode(self, events: Sequence[str | Frame], chunks: list[ChatCompletionChunk]) -> None:
        decoder, known, watch, answer = self._decoder, self._known, self._end.add, self._answer
        for event in events:
            if decoder.done:
                return
            self.events += 1
            if isinstance(event, str):
                made = known(event)
                if made is not None:  # nothing of its kind is new to the rule of the end
                    if answer is not None:
                        answer.take(made)
                    chunks.append(made)
                    continue
                event = Frame(event)
            for chunk in decoder.decode(event):
                watch(chunk)
                if answer is not None:
                    answer.take(chunk)
                chunks.append(chunk)

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

    def _finish(self, chunks: list[ChatCompletionChunk]) -> None:
        if self._whole is not None:
            self._decode_whole(bytes(self._whole), chunks)
            return
        head, self._head = self._head, None
        if head:
            self._decode_bytes(bytes(head), chunks)
        tail: CompatAPIError | None = None
        try:
            self._decode(self._framing.close(), chunks)
            unfinished = getattr(self._framing, "unfinished", None)
            if unfinished is not None:  # rule 35: servers forget the last blank line
                self._decode([unfinished], chunks)
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

    def _decode_whole(self, body: bytes, chunks: list[ChatCompletionChunk]) -> None:
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
                self._take_whole(error.completion, chunks)
            if not isinstance(error, DecodeError) or not _looks_cut(error, text):
                raise
            raise IncompleteStreamError(f"The answer was cut short: {cut(text[-80:])!r}") from error
        self._take_whole(completion, chunks)

    def _take_whole(self, completion: ChatCompletion, chunks: list[ChatCompletionChunk]) -> None:
        if self._tags is not None:
            split_completion(completion)
        chunk = chunk_from_completion(completion)
        if self._answer is not None:
            self._answer.add(chunk)
        chunks.append(chunk)


def _looks_cut(error: DecodeError, text: bytes) -> bool:
    """Whether JSON text is wrong at its very end only."""
    if error.position is None:
        return False
    if "invalid UTF-8" in error.message:  # whose position is one of bytes
        return len(text) - error.position < 4
    rest = text.decode("utf-8", "replace")[error.position :]
    in_text = "Unterminated string" in error.message or ("escape" in error.message and len(rest) < 6)
    return in_text or not rest.strip("-+.eE") or any(word.startswith(rest) for word in ("true", "false", "null"))


class ChatStream:
    """A streamed answer: iterate over it for chunks, leave its ``with`` block to end it.

    The connection is open from the start. Leaving the loop early, by ``break`` or an exception, closes it. `completion`
    is the answer so far at any moment. `close` may be called from any thread.

    Iterating raises what is in `compatapi.errors`; each error carries the answer so far in ``completion``.

    Attributes:
        response: The head of the answer: status, headers, request id.
        stats: The numbers of the call.
    """

    def __init__(
        self,
        response: HttpResponse,
        decoder: StreamDecoder,
        *,
        accumulate: bool = True,
        stats: Stats | None = None,
        started: float | None = None,
        mask: Callable[[CompatAPIError], CompatAPIError] | None = None,
    ) -> None:
        self.response = response
        self._mask = mask
        self.stats = stats or Stats()
        self._started = time.monotonic() if started is None else started
        self._decoder = decoder
        self._answer = Accumulator() if accumulate else None
        self._body = response.body
        self._chunks: list[ChatCompletionChunk] = []
        self._batch: Iterator[ChatCompletionChunk] = iter(self._chunks)
        self._over = False
        self._closed = False
        self._ended = False
        # A stream that is merely dropped must not keep its connection. The finalizer knows the response only.
        weakref.finalize(self, response.close).atexit = False

    @property
    def completion(self) -> ChatCompletion:
        """The answer so far: of the chunks that were handed out."""
        return self._answer.completion if self._answer is not None else ChatCompletion()

    @property
    def closed(self) -> bool:
        """Whether the stream is at its end, or was closed."""
        return self._closed

    @property
    def is_complete(self) -> bool:
        """Whether the whole answer was handed out: the loop has reached its end, and nobody closed it before that."""
        return self._ended

    def __iter__(self) -> Iterator[ChatCompletionChunk]:
        # A new generator each time and no reference to it: leaving the loop drops it, which closes the connection.
        try:
            answer = self._answer
            while True:
                for chunk in self._batch:
                    if answer is not None:
                        answer.take(chunk)
                    yield chunk
                if not self._pull():
                    return
        finally:
            self.close()

    def __next__(self) -> ChatCompletionChunk:
        while True:
            for chunk in self._batch:
                if self._answer is not None:
                    self._answer.take(chunk)
                return chunk
            if not self._pull():
                raise StopIteration

    def text_stream(self) -> Iterator[str]:
        """The pieces of text of the first choice, for those who want nothing else."""
        for chunk in self:
            if text := chunk.text:
                yield text

    def close(self) -> None:
        """End the stream. Idempotent, from any thread; a reader that waits wakes with `compatapi.errors.Cancelled`."""
        if not self._closed:
            self._closed = True
            if not self._over:
                self._log_end("closed")
            self._chunks.clear()  # which ends a loop that is in the middle of them
            self.response.close()

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _pull(self) -> bool:
        """Wait for bytes and decode them. False at the end."""
        response, decoder = self.response, self._decoder
        if self.closed:
            return False
        stats, start = self.stats, time.monotonic()
        try:
            decoder.check()  # before waiting for bytes, and also behind the last of them
            if self._over:
                self._ended = True
                return False
            response.wait()
            chunks: list[ChatCompletionChunk] = []
            while not chunks and not self._over:
                data = next(self._body, None)
                if data is None:
                    self._over = True
                    chunks = decoder.close()
                else:
                    stats.bytes += len(data)
                    chunks = decoder.feed(data)
                    self._over = decoder.done
            response.rest()
        except CompatAPIError as error:
            chunks = [] if self._was_closed() else decoder.break_off(error)
            if not chunks:
                self._count([], start)
                return self._end_by(error)
        except BaseException:  # KeyboardInterrupt above all
            self.close()
            raise
        if self._was_closed():  # by another thread, meanwhile
            return False
        self._chunks, self._batch = chunks, iter(chunks)
        self._count(chunks, start)
        if self._over:
            self._log_end("ended")
            response.release()
        return True

    def _count(self, chunks: list[ChatCompletionChunk], start: float) -> None:
        stats, decoder, now = self.stats, self._decoder, time.monotonic()
        stats.total = now - self._started
        stats.longest_gap = max(stats.longest_gap, now - start)
        stats.events, stats.keep_alives = decoder.events, decoder.keep_alives
        if stats.first_data is None and chunks:
            stats.first_data = stats.total
        if stats.first_text is None and any(chunk.text or chunk.reasoning for chunk in chunks):
            stats.first_text = stats.total

    def _was_closed(self) -> bool:
        return self._closed

    def _end_by(self, error: CompatAPIError) -> bool:
        self._over = True
        cancelled, self._closed = self._closed, True
        self.response.close()
        if cancelled and isinstance(error, TransportError | IncompleteStreamError):
            error = Cancelled("The stream was closed while it was read")
        if isinstance(error, TransportError) and self._decoder.is_complete:
            self._ended = True
            return False  # the road broke behind the answer
        error.completion = self.completion
        self._log_end(f"failed: {type(error).__name__}")
        fill(error, {"request_id": self.response.request_id, "stats": self.stats})
        raise error if self._mask is None else self._mask(error)

    def _log_end(self, how: str) -> None:
        stats, seconds = self.stats, time.monotonic() - self._started
        _log.debug(
            "stream %s, request id %s, %d events after %.2f s", how, self.response.request_id, stats.events, seconds
        )
