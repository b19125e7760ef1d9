"""One call, one owner: what can stop a call in any phase, and the clocks that do.

A call begins before there is a connection and may have to end in any phase: looking up the name, connecting, waiting
for the head, inside the body, in the pause before a retry. A `Call` exists from the first moment. Stream, finalizer and
watchdog all speak to it and to nothing below it. `Call.stop` wakes whoever waits: it shuts the socket down, which a
blocked read notices at once. (Closing the response from another thread instead can block for seconds.)

One lazy thread, the `Watchdog`, looks after the clocks of all calls, so that reading costs no timer for each read.
"""

from __future__ import annotations

import heapq
import math
import os
import socket
import struct
import sys
import threading
import time
import weakref
from collections.abc import Callable

from attrs import frozen

from compatapi.errors import Cancelled, CompatAPIError, RequestTimeout

__all__ = ["Call", "Timeouts"]

#: For SO_LINGER: on, for no time.
_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


@frozen
class Timeouts:
    """The four clocks of a call, in seconds; ``None`` turns one off.

    Attributes:
        connect: From the beginning to the connection: name, TCP, TLS, a proxy.
        first_token: From sending the request to the first data of a stream, or to the whole of any other answer.
            Reasoning models may be silent for minutes.
        idle: Between two pieces of a streamed answer. Keep-alive comments and blank lines do not count as pieces, and
            the time that the program itself takes between them does not count either.
        total: The whole call, with retries and the pauses between them.
    """

    connect: float | None = 10.0
    first_token: float | None = 600.0
    idle: float | None = 120.0
    total: float | None = None


class Call:
    """One call of a client, from before its first attempt to the end of its answer.

    Args:
        timeouts: The limits of its clocks.

    Attributes:
        started: When it began, by `time.monotonic`.
        deadline: When the clock that runs now runs out; infinity when none does.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        # A finalizer may stop a call while the same thread stops it; both have to go through.
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._stopped = threading.Event()
        self._why: Callable[[], CompatAPIError] | None = None
        self._can_try_again = False  # it is the clock of one attempt that ran out
        self._socket: socket.socket | None = None  # a handle of the connection, for shutdown alone
        self.started = time.monotonic()
        self._total_end = self.started + timeouts.total if timeouts.total is not None else math.inf
        self._clock = "total"
        self._clock_start = self.started
        self._held_at = self.started
        self.deadline = self._total_end  # of the clock that runs now, by time.monotonic()
        self.look_at = math.inf  # when the watchdog will look at this call
        if self.deadline < math.inf:
            _watchdog.watch(self)

    # --- clocks

    def start_clock(self, clock: str) -> None:
        """Let one of the clocks ``connect``, ``first_token`` and ``idle`` run, from now, in place of another."""
        limit: float | None = getattr(self.timeouts, clock)
        self._clock, self._clock_start = clock, time.monotonic()
        self._set_deadline(self._clock_start, limit)

    def elapsed(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self.started

    def rest_clock(self) -> None:
        """Nobody waits for the server: only the clock of the whole call runs."""
        if self.deadline < math.inf:  # else no clock runs, or the answer is over
            self.deadline = self._total_end

    def hold_clock(self) -> None:
        """Stop the clock that runs, to go on with `resume_clock` where it stood."""
        self._held_at = time.monotonic()
        self.deadline = self._total_end

    def resume_clock(self) -> None:
        """Let the clock run on that was held."""
        limit: float | None = getattr(self.timeouts, self._clock)
        self._clock_start += time.monotonic() - self._held_at
        self._set_deadline(self._clock_start, limit)

    def _set_deadline(self, start: float, limit: float | None) -> None:
        self.deadline = min(start + limit, self._total_end) if limit is not None else self._total_end
        if self.deadline < self.look_at:
            _watchdog.watch(self)

    def expire(self, now: float) -> None:
        """Stop the call because its clock ran out (the watchdog's word)."""
        if now >= self._total_end:
            clock, start, limit = "total", self.started, self.timeouts.total
        else:
            clock, start = self._clock, self._clock_start
            limit = getattr(self.timeouts, clock)
        # start + limit was reached, but the difference may have lost its last digit.
        elapsed = max(now - start, limit or 0.0)
        self._stop(lambda: _timeout(clock, limit, elapsed), can_try_again=clock == "connect")

    # --- stopping

    def stop(self) -> None:
        """End the call, from any thread. Returns at once; whoever waits wakes with `Cancelled`."""
        self._stop(lambda: Cancelled("The call was cancelled"))

    def _stop(self, why: Callable[[], CompatAPIError], can_try_again: bool = False) -> None:
        with self._lock:
            if self._why is not None and not self._can_try_again:
                return
            self._why, self._can_try_again = why, can_try_again
            if self._socket is not None:
                self._shut(self._socket)
        self._stopped.set()

    def _shut(self, sock: socket.socket) -> None:
        if self._pid == os.getpid():  # a child of a fork must not shut down the connection of its parent
            _shut(sock)

    def try_again(self) -> None:
        """Forget that the ``connect`` clock ran out: another attempt has one of its own."""
        with self._lock:
            if self._why is not None and self._can_try_again:
                self._why, self._can_try_again = None, False
                self._stopped.clear()

    @property
    def is_stopped(self) -> bool:
        """Whether somebody or some clock stopped it."""
        return self._why is not None

    def error(self) -> CompatAPIError | None:
        """Why the call was stopped, or ``None``."""
        return self._why() if self._why is not None else None

    def check(self) -> None:
        """Raise if the call was stopped."""
        if self._why is not None:
            raise self._why()

    def pause(self, seconds: float) -> None:
        """Wait; raise as soon as the call is stopped."""
        self._set_deadline(self.started, None)  # also behind an answer that was over
        self._stopped.wait(seconds)
        self.check()

    # --- the connection

    def attach(self, sock: socket.socket) -> None:
        """Own a connection from now on; ``sock`` is a handle of it for shutting it down, which others close."""
        with self._lock:
            self._socket = sock
            if self._why is not None:
                self._shut(sock)

    def detach(self) -> None:
        """Own no connection any more; stopping the call does not touch it from now on."""
        with self._lock:
            self._socket = None

    def end(self) -> None:
        """The answer is over; no clock runs any more, unless another attempt begins."""
        self.deadline = math.inf
        self.detach()


def _shut(sock: socket.socket) -> None:
    try:
        # The close that follows has to reset the connection. Linux tells a peer of no more room once reading is shut
        # down, so a server that waits for room would otherwise wait on for many seconds.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is shut already, or was never connected
        return


def _timeout(clock: str, limit: float | None, elapsed: float) -> RequestTimeout:
    what = {
        "connect": "No connection",
        "first_token": "No answer began",
        "idle": "The answer stalled: nothing new",
        "total": "The call was not done",
    }[clock]
    if limit is None:
        return RequestTimeout(f"{what} in time", clock=clock, elapsed=elapsed)
    return RequestTimeout(
        f"{what} within {limit:g} seconds; raise it by Timeouts({clock}=...)", clock=clock, limit=limit, elapsed=elapsed
    )


class Watchdog:
    """One thread that stops the calls whose clocks ran out. It starts with the first call and sleeps between.

    A call is entered once, for the time when it is to be looked at. A deadline that moves on meanwhile, as it does with
    each piece of an answer, costs nothing: the look finds that it is early and enters the call again.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._condition = threading.Condition()
        self._entries: list[tuple[float, int, weakref.ref[Call]]] = []  # a heap: when to look, order of entry, at what
        self._count = 0
        self._wake_at = math.inf
        self._thread: threading.Thread | None = None

    def watch(self, call: Call) -> None:
        """Look at a call when its deadline comes; to be told again when the deadline becomes an earlier one."""
        if self._pid != os.getpid():  # a fork has no threads but its own
            self._reset()
        with self._condition:
            if call.deadline == math.inf:
                return
            call.look_at = call.deadline
            self._count += 1
            if self._count % 1000 == 0:  # calls that ended long before their limit are still entered
                self._entries = [entry for entry in self._entries if _is_live(entry[2]())]
                heapq.heapify(self._entries)
            heapq.heappush(self._entries, (call.look_at, self._count, weakref.ref(call)))
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="compatapi-watchdog", daemon=True)
                thread.start()  # may fail
                self._thread = thread
            elif call.look_at < self._wake_at:
                self._condition.notify()

    def _run(self) -> None:
        while True:
            due = self._due()
            while due:
                call = due.pop()
                now = time.monotonic()
                if call.deadline <= now:
                    call.expire(now)
                else:
                    self.watch(call)
                del call  # or it would live until the next one is due

    def _due(self) -> list[Call]:
        """Sleep until some entries are due, and take them out."""
        with self._condition:
            now = time.monotonic()
            self._wake_at = self._entries[0][0] if self._entries else math.inf
            if self._wake_at > now:
                self._condition.wait(min(self._wake_at - now, 3600.0) if self._entries else None)
                now = time.monotonic()
            due = []
            while self._entries and self._entries[0][0] <= now:
                look_at, _, reference = heapq.heappop(self._entries)
                call = reference()
                if call is not None and look_at >= call.look_at:  # else it was entered again, for an earlier time
                    call.look_at = math.inf
                    due.append(call)
            return due


def _is_live(call: Call | None) -> bool:
    return call is not None and call.deadline < math.inf


_watchdog = Watchdog()
