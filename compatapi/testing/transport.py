"""The scripts of a server without a socket: `Client(..., transport=ScriptedTransport(ChatScript("Hello!")))`.

Below the real transport stands a connection that is none: what is sent to it is read as a server
reads it, and what a script writes is what is read from it. So everything above, from the pool to
the errors, is what runs over a network too. Pauses pass at once: the clocks of the call are set
forward in place of waiting, and run out as they would have.
"""

from __future__ import annotations

import errno
import io
import math
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from compatapi import connections
from compatapi.call import Call
from compatapi.http_types import HttpRequest, HttpResponse
from compatapi.transport import Transport

from .http1 import RecordedRequest, read_request
from .playbook import Handler, Playbook
from .script import Script, Step
from .scripted import Scripted

if TYPE_CHECKING:
    from types import TracebackType

_PORTS = {"http": 80, "https": 443}
#: Seconds between two looks at the call while somebody really waits; stopping has to wake soon.
_SLICE = 0.01
#: The real one, whatever is put in its place while calls are recorded.
_send = Transport.send


class ScriptedTransport(Transport, Scripted):
    """What a `ScriptedServer` does, for one client and without a socket or a thread.

    Args:
        scripts: Scripts, or one function that gets the `RecordedRequest` and returns a script.
        strict: Whether leaving the block, in which it may be used, calls `check`.
        keys: The keys that are let in; left out, everybody is.
        real_time: Whether pauses are waited for. Otherwise the clocks of the call are set forward;
            a pause without end is waited for only if no clock would end it, until the call is stopped.
            The pauses between retries are the client's own, and are waited for.
    """

    def __init__(
        self,
        *scripts: Script | Handler,
        strict: bool = False,
        keys: str | Iterable[str] | None = None,
        real_time: bool = False,
    ) -> None:
        super().__init__()
        self.connections = 0
        self._playbook = Playbook(scripts, keys)
        self._strict, self._real_time = strict, real_time
        self._scripted = _Adapter(self._connect)

    @property
    def requests(self) -> list[RecordedRequest]:
        """What was asked so far."""
        return self._playbook.requests

    @property
    def url(self) -> str:
        """An address that is no address; whatever host a client asks, this answers."""
        return "http://scripted.invalid"

    def send(self, request: HttpRequest, call: Call) -> HttpResponse:
        """Answer a request with the next script; raise what `compatapi.transport.Transport.send` raises."""
        return _send(self, request, call)

    def __enter__(self) -> ScriptedTransport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if self._strict and kind is None:
            self.check()

    def _client_options(self) -> dict[str, Any]:
        return {"transport": self}

    def _adapter_for(self, url: str) -> tuple[connections.Adapter, dict[str, Any]]:
        return self._scripted, {"verify": False, "cert": None, "proxies": {}}

    def _connect(self) -> _Socket:
        self.connections += 1
        return _Socket(self._playbook, self.connections, self._real_time)


class _Adapter(connections.Adapter):
    """Pools whose connections are made by a function."""

    def __init__(self, connect: Any) -> None:
        super().__init__()
        self._connect = connect

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._pools:
            port = parts.port or _PORTS.get(parts.scheme, 80)
            pool: Any = connections._HTTPPool(parts.hostname or "", port, maxsize=100)
            pool.ConnectionCls = partial(_Connection, self._connect)
            self._pools[origin] = pool
        return self._pools[origin]


class _Connection(connections._HTTPConnection):
    """A connection over something that is no socket, which therefore nobody can shut down from outside."""

    def __init__(self, connect: Any, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.port in _PORTS.values():
            # It is left out of the Host header, with TLS too.
            self.default_port = self.port  # type: ignore[misc]
        self._open = connect

    def _new_conn(self) -> Any:
        return self._open()

    def _take(self) -> None:
        call = self.call = connections.current.call
        self.sock.call = call
        if call is not None:
            call.start_clock("first_token")

    @property
    def is_connected(self) -> bool:
        return self.sock is not None and not self.sock.is_over


class _Socket:
    """Both ends of a connection: takes the bytes of requests, gives the steps of scripts."""

    def __init__(self, playbook: Playbook, number: int, real_time: bool) -> None:
        self.call: Call | None = None
        self.is_over = False
        self._playbook, self._number, self._real_time = playbook, number, real_time
        self._sent = bytearray()
        self._left = b""
        self._steps: Iterator[Step] = iter(())
        self._keeps = True
        self._timeout = math.inf

    def sendall(self, data: bytes) -> None:
        if self.is_over:
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        self._sent += data

    def recv(self, size: int) -> bytes:
        while not self._left and not self.is_over:
            self._step()
        data, self._left = self._left[:size], self._left[size:]
        return data

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = math.inf if seconds is None else seconds

    def setsockopt(self, *_: Any) -> None:
        """There is nothing to be set."""

    def shutdown(self, _: int) -> None:
        self.is_over = True

    def close(self) -> None:
        self.is_over = True

    def _step(self) -> None:
        if self._sent:
            self._receive()
        step: Step = next(self._steps, "keep" if self._keeps else "close")
        if isinstance(step, bytes):
            self._left = step
        elif step == "close" or (step == "keep" and not self._keeps):
            self.is_over = True
        elif step == "reset":
            self.is_over = True
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        else:  # behind an answer that is over nothing comes, as long as nothing is asked
            self._pass(step if isinstance(step, float | int) else math.inf)

    def _receive(self) -> None:
        reader: Any = io.BytesIO(bytes(self._sent))
        self._sent.clear()
        request = read_request(reader, lambda _: None, self._number)
        if request is not None:
            self._keeps = request.keep_alive
            self._steps = self._playbook.receive(request)()

    def _pass(self, seconds: float) -> None:
        """Let time pass, until the call is stopped at the longest."""
        call = self.call
        if seconds > self._timeout:
            raise TimeoutError("timed out")
        if call is None or seconds <= 0:
            return
        if self._real_time or min(seconds, call.deadline) == math.inf:
            _wait(call, seconds)
        else:
            _set_forward(call, seconds)
        if call.is_stopped:
            self.is_over = True


def _wait(call: Call, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not call.is_stopped and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _SLICE))


def _set_forward(call: Call, seconds: float) -> None:
    """Let the call believe that so many seconds have passed, or those until its clock runs out."""
    now = time.monotonic()
    seconds = min(seconds, max(call.deadline - now, 0.0))
    for name in ("started", "deadline", "_total_end", "_clock_start", "_held_at"):
        setattr(call, name, getattr(call, name) - seconds)
    if call.deadline <= now:
        call.expire(now)
