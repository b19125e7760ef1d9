"""One connection of a `ScriptedServer`: reads requests, plays the steps of a script.

Every wait ends when the server closes or when the client goes away: a pause peeks at the socket.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator

from .http1 import BadRequest, RecordedRequest, read_request
from .script import Ending, Step, error_reply

# The timeout of a socket counts whole milliseconds, rounded up; the rest of a pause is waited for
# on an event, which is finer.
_COARSE = 0.002
_LONGEST = 86400.0
_LINGER_NOT = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Gone(Exception):
    """The client has left or the server is closing: nobody is there to be answered."""


class Connection:
    """One accepted socket, used by its own thread; only `stop` may be called from another one."""

    def __init__(self, sock: socket.socket, number: int, closing: threading.Event) -> None:
        self.number = number
        self._socket = sock
        self._reader = sock.makefile("rb")
        self._closing = closing
        self._lock = threading.Lock()

    def handshake(self) -> None:
        """Shake hands if this is TLS."""
        do_handshake = getattr(self._socket, "do_handshake", None)
        if do_handshake is not None:
            try:
                do_handshake()
            except OSError as error:
                raise Gone from error

    def read(self) -> RecordedRequest | None:
        try:
            return read_request(self._reader, self.send, self.number)
        except OSError as error:
            raise Gone from error

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Gone from error

    def play(self, steps: Iterator[Step]) -> Ending:
        try:
            for step in steps:
                if isinstance(step, str):
                    return step
                if isinstance(step, bytes):
                    self.send(step)
                elif step > 0:
                    self.pause(step)
            return "keep"
        finally:
            getattr(steps, "close", lambda: None)()

    def pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        if seconds > _COARSE:
            self._watch(seconds - _COARSE)
        left = deadline - time.monotonic()
        if self._closing.wait(None if left > _LONGEST else max(0.0, left)):
            raise Gone

    def _watch(self, seconds: float) -> None:
        """Wait, but not longer than the client does. A request sent ahead ends the watch."""
        self._socket.settimeout(None if seconds > _LONGEST else seconds)
        try:
            # The method of the plain socket looks under a TLS layer, which knows no peeking.
            if not socket.socket.recv(self._socket, 1, socket.MSG_PEEK):
                raise Gone
        except TimeoutError:
            return
        except OSError as error:
            raise Gone from error
        finally:
            self._socket.settimeout(None)

    def refuse(self, error: BadRequest) -> None:
        reply = error_reply(400, str(error), headers={"Connection": "close"})
        try:
            self.play(reply.play(RecordedRequest(method="", path="")))
            # Closing with bytes unread would be a reset, which may overtake the answer.
            socket.socket.shutdown(self._socket, socket.SHUT_WR)
            self._socket.settimeout(1.0)
            while self._socket.recv(65536):
                pass
        except (Gone, OSError):
            return

    def stop(self) -> None:
        """Wake the thread out of whatever it waits for. It closes the socket itself."""
        with self._lock:
            try:
                # Not the method of SSLSocket, which would take the TLS layer away underneath.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                return

    def close(self, reset: bool) -> None:
        with self._lock:
            if reset:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            # The socket is closed when both are.
            self._reader.close()
            self._socket.close()
