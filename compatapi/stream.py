"""The stream that a program reads: a `StreamDecoder` on the body of an `HttpResponse`."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Iterator
from types import TracebackType

from compatapi.accumulate import Accumulator
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk
from compatapi.decoding import StreamDecoder
from compatapi.errors import Cancelled, CompatAPIError, IncompleteStreamError, TransportError, fill
from compatapi.http_types import HttpResponse
from compatapi.stats import Stats

__all__ = ["ChatStream"]

_log = logging.getLogger("compatapi")


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
        self._batch: Iterator[ChatCompletionChunk] = iter(())
        self._next_batch: Iterator[ChatCompletionChunk] | None = None
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
            take = self._answer.take if self._answer is not None else None
            while True:
                try:
                    for chunk in self._batch:
                        if self._closed:  # in the loop, or by another thread
                            return
                        if take is not None:
                            take(chunk)
                        yield chunk
                except CompatAPIError as error:
                    self._end_by(error)
                if not self._pull():
                    return
        finally:
            self.close()

    def __next__(self) -> ChatCompletionChunk:
        while True:
            try:
                for chunk in self._batch:
                    if self._closed:
                        break
                    if self._answer is not None:
                        self._answer.take(chunk)
                    return chunk
            except CompatAPIError as error:
                self._end_by(error)
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
            self.response.close()

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _pull(self) -> bool:
        """Wait for bytes that hold a chunk. False at the end."""
        if self._next_batch is not None:
            self._batch, self._next_batch = self._next_batch, None
            return True
        response, decoder = self.response, self._decoder
        if self.closed:
            return False
        start, first = time.monotonic(), None
        try:
            if decoder.done and not self._over:
                self._finish()
            decoder.check()  # before waiting for bytes, and also behind the last of them
            if self._over:
                self._ended = True
                return False
            response.wait()
            while first is None and not self._over:
                batch = self._read()
                first = next(batch, None)
                self._over = self._over or (first is None and decoder.done)
            response.rest()
        except CompatAPIError as error:
            batch = iter([] if self._was_closed() else decoder.break_off(error))
            first = next(batch, None)
            if first is None:
                self._count(start)
                return self._end_by(error)
        except BaseException:  # KeyboardInterrupt above all
            self.close()
            raise
        if self._was_closed():  # by another thread, meanwhile
            return False
        # Two batches, since a loop over a bare generator costs less than one over a chain of both.
        self._batch, self._next_batch = iter(() if first is None else (first,)), batch
        self._count(start, first)
        if self._over:
            self._finish()
        return True

    def _read(self) -> Iterator[ChatCompletionChunk]:
        """Wait for bytes, and begin to decode them."""
        stats, decoder = self.stats, self._decoder
        data = next(self._body, None)
        if data is None:
            self._over = True
            return iter(decoder.close())
        stats.bytes += len(data)
        batch = decoder.iterate(data)
        return batch if stats.first_text is not None else _watch(batch, stats, time.monotonic() - self._started)

    def _count(self, start: float, first: ChatCompletionChunk | None = None) -> None:
        stats, now = self.stats, time.monotonic()
        stats.total = now - self._started
        stats.longest_gap = max(stats.longest_gap, now - start)
        stats.events, stats.keep_alives = self._decoder.events, self._decoder.keep_alives
        if stats.first_data is None and first is not None:
            stats.first_data = stats.total

    def _finish(self) -> None:
        self._over = True
        self._log_end("ended")
        self.response.release()

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
        stats.events, stats.keep_alives = self._decoder.events, self._decoder.keep_alives
        if _log.isEnabledFor(logging.DEBUG):  # to find the request id takes longer than a chunk
            name = self.response.request_id
            _log.debug("stream %s, request id %s, %d events after %.2f s", how, name, stats.events, seconds)


# A function of no stream, or a stream would hold itself, and one that is merely dropped would stay.
def _watch(batch: Iterator[ChatCompletionChunk], stats: Stats, arrived: float) -> Iterator[ChatCompletionChunk]:
    """The same chunks, which are looked at for the first text."""
    for chunk in batch:
        if stats.first_text is None and (chunk.text or chunk.reasoning):
            stats.first_text = arrived
        yield chunk
