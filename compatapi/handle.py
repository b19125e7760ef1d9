"""A stream in a thread of its own, for programs that must not wait: GUIs above all.

`StreamHandle` speaks like a Future. Its callbacks run in its thread, or wherever ``post`` runs them. Exactly one of
``on_done``, ``on_error`` and ``on_cancelled`` is called, as the last.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from compatapi.call import Call
from compatapi.callbacks import Callbacks, Teller, last_word
from compatapi.chat_types import ChatCompletion
from compatapi.errors import Cancelled, CompatAPIError, StopStream, fill
from compatapi.retry import RetryEvent
from compatapi.stream import ChatStream

__all__ = ["StreamHandle"]

_log = logging.getLogger("compatapi")

#: Seconds that the end of the interpreter waits for the threads of handles.
_LAST_SECONDS = 0.5

Post = Callable[..., object]
OpenStream = Callable[[Call, Callable[[RetryEvent], object]], ChatStream]


class StreamHandle:
    """A streamed answer that a thread of its own reads. Made by `Client.start_stream`.

    Args:
        open_stream: Opens the stream for a call, and tells of retries.
        call: What can be stopped.
        callbacks: What the program wants to be told of the stream.
        on_retry: Told before the pause of each retry.
        post: ``post(function, *args)`` has to run the function soon, in the order given, where the program wants its
            callbacks (on the GUI's thread), and must not wait for it. Left out, they run in the handle's thread. A post
            that has a method ``attach`` is given the handle, before it starts.
    """

    def __init__(
        self,
        open_stream: OpenStream,
        call: Call,
        callbacks: Callbacks,
        *,
        on_retry: Callable[[RetryEvent], object] | None = None,
        post: Post | None = None,
    ) -> None:
        self._open_stream = open_stream
        self._call = call
        self._callbacks = callbacks
        self._on_retry = on_retry
        self._post = post
        self._teller = Teller(callbacks, self._tell)
        self._stream: ChatStream | None = None
        self._outcome: ChatCompletion | BaseException | None = None
        self._failure: BaseException | None = None  # of a callback
        self._cancelled = False
        self._posting = threading.RLock()  # so that nothing is posted after cancel() has returned
        self._done = threading.Condition()
        self._done_callbacks: list[Callable[[StreamHandle], object]] = []
        self._thread = threading.Thread(target=self._run, name="compatapi-stream", daemon=True)
        attach = getattr(post, "attach", None)
        if attach is not None:  # a window that closes ends the streams that have not posted anything yet, too
            attach(self)
        _live.add(self)
        try:
            self._thread.start()
        except RuntimeError:  # there are too many threads
            _live.discard(self)
            raise

    # --- as a Future

    def cancel(self) -> bool:
        """End the stream, from any thread, without waiting. False if it was over already.

        When this returns, no callback but ``on_cancelled`` will be posted any more, and one that was posted and has not
        run yet will not run.
        """
        with self._done:
            if self._outcome is not None:
                return self._cancelled
            # A post that waits for the thread that cancels must not stop it: this lock is asked for, not insisted on.
            held = self._posting.acquire(timeout=0.1)
            self._cancelled = True
            if held:
                self._posting.release()
        self._call.stop()
        return True

    def cancelled(self) -> bool:
        """Whether the stream was cancelled."""
        return self._cancelled

    def done(self) -> bool:
        """Whether the stream is over: complete, failed or cancelled."""
        return self._outcome is not None

    def running(self) -> bool:
        """Whether it is not over."""
        return not self.done()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most ``timeout`` seconds. Whether it is over."""
        with self._done:
            return self._done.wait_for(self.done, timeout)

    def result(self, timeout: float | None = None) -> ChatCompletion:
        """Wait for the whole answer.

        Raises:
            TimeoutError: It is not over within ``timeout`` seconds.
            Cancelled: It was cancelled.
            BaseException: What ended it: one of `compatapi.errors`, or the exception of a callback.
        """
        outcome = self._wait_outcome(timeout)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end; what ended it, or ``None`` when the answer is whole.

        Raises:
            TimeoutError: It is not over within ``timeout`` seconds.
            Cancelled: It was cancelled.
        """
        outcome = self._wait_outcome(timeout)
        if isinstance(outcome, Cancelled):
            raise outcome
        return outcome if isinstance(outcome, BaseException) else None

    def add_done_callback(self, function: Callable[[StreamHandle], object]) -> None:
        """Call ``function(handle)`` at the end, in the handle's thread; at once if it is over.

        One that fails is logged, as by a Future.
        """
        with self._done:
            if self._outcome is None:
                self._done_callbacks.append(function)
                return
        self._care(function, self)

    @property
    def completion(self) -> ChatCompletion:
        """The answer so far."""
        return self._stream.completion if self._stream is not None else ChatCompletion()

    # --- in the thread

    def _run(self) -> None:
        try:
            outcome: ChatCompletion | BaseException = self._read()
        except BaseException as error:  # whatever it is, the program is told
            outcome = error
        self._call.end()
        with self._done:  # cancel() decides under the same lock whether it comes in time
            self._outcome = self._judge(outcome)
            self._done.notify_all()
            callbacks, self._done_callbacks = self._done_callbacks, []
        try:
            self._finish()
        except Exception:  # of post: a GUI that is gone, for one
            _log.exception("The end of a stream could not be posted")
        for function in callbacks:
            self._care(function, self)
        _live.discard(self)

    def _judge(self, outcome: ChatCompletion | BaseException) -> ChatCompletion | BaseException:
        """What ended the stream: who cancelled is told so, whatever happened besides."""
        failure, stream = self._failure, self._stream
        if self._cancelled:
            if not isinstance(outcome, Cancelled):
                outcome = Cancelled("The stream was cancelled")
            outcome.__cause__ = outcome.__cause__ or failure
        elif failure is not None:
            outcome = self.completion if isinstance(failure, StopStream) else failure
        if isinstance(outcome, CompatAPIError):
            fill(outcome, {"completion": self.completion})
            if stream is not None:
                fill(outcome, {"request_id": stream.response.request_id, "stats": stream.stats})
        return outcome

    def _read(self) -> ChatCompletion:
        stream = self._stream = self._open_stream(self._call, self._tell_retry)
        with stream:
            for chunk in stream:
                self._teller.tell(chunk)
                if self._failure is not None:
                    break
            else:
                self._teller.tell_end()
        return stream.completion

    def _tell_retry(self, event: RetryEvent) -> None:
        if self._on_retry is not None:
            self._tell(self._on_retry, event)

    def _tell(self, function: Callable[[Any], object], argument: Any) -> None:
        if self._post is None:
            self._guarded(function, argument)
            return
        with self._posting:
            if not self._cancelled and self._failure is None:
                self._post(self._guarded, function, argument)

    def _guarded(self, function: Callable[[Any], object], argument: Any) -> None:
        """Run a callback, wherever this is: its exception ends the stream."""
        if self._cancelled or self._failure is not None:
            return
        try:
            function(argument)
        except BaseException as error:
            self._failure = error
            self._call.stop()

    def _finish(self) -> None:
        if self._post is None:
            self._tell_outcome()
        else:
            with self._posting:
                self._post(self._tell_outcome)

    def _tell_outcome(self) -> None:
        failure = self._failure
        if failure is not None and not isinstance(failure, StopStream) and not self._cancelled:
            self._outcome = failure  # a callback that was posted failed behind the end of the stream
        outcome = self._outcome
        assert outcome is not None
        function, argument = last_word(self._callbacks, outcome)
        if function is not None:
            self._care(function, argument)

    @staticmethod
    def _care(function: Callable[[Any], object], argument: Any) -> None:
        try:
            function(argument)
        except StopStream:  # there is nothing left to stop
            return
        except Exception:
            _log.exception("A callback for the end of a stream failed")

    def _wait_outcome(self, timeout: float | None) -> ChatCompletion | BaseException:
        if not self.wait(timeout):
            raise TimeoutError(f"The stream is not over after {timeout:g} seconds")
        assert self._outcome is not None
        return self._outcome


def is_piece(function: Callable[..., object], args: tuple[Any, ...]) -> bool:
    """Whether a posted call tells a piece of text: those are the only strings that a handle posts."""
    return getattr(function, "__func__", None) is StreamHandle._guarded and isinstance(args[1], str)


_live: set[StreamHandle] = set()  # a thread keeps its handle anyway


@atexit.register
def _end_all() -> None:
    """End what still runs: a thread that writes to stdout while the interpreter ends makes it abort."""
    handles = [handle for handle in list(_live) if handle._thread.is_alive()]  # after a fork, none of the parent's
    for handle in handles:
        handle._cancelled = True  # without the locks, which a thread may hold that waits for the program
        handle._call.stop()
    deadline = time.monotonic() + _LAST_SECONDS
    for handle in handles:
        handle._thread.join(max(0.0, deadline - time.monotonic()))
