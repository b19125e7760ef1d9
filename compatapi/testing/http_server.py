"""A small HTTP/1.1 server on the loopback whose every byte and pause is told by a script.

Raw sockets and one thread per connection, so that a test decides what is written, in how many
writes and when, and how the connection ends.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from .connection import Connection, Gone
from .http1 import BadRequest, RecordedRequest
from .playbook import Playbook
from .script import Ending, Step

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

_Server = TypeVar("_Server", bound="HttpServer")


class HttpServer:
    """A real HTTP server on a free port of 127.0.0.1 that answers what its playbook says.

    `connections` counts all connections that were ever accepted. `ssl_context` makes it HTTPS.
    `close` ends everything; leaving the block calls it.
    """

    def __init__(
        self,
        playbook: Playbook,
        *,
        ssl_context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.connections = 0
        self._playbook = playbook
        self._address = (host, port)
        self._ssl_context = ssl_context
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._open: dict[Connection, threading.Thread] = {}
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None

    @property
    def requests(self) -> list[RecordedRequest]:
        """What was asked so far."""
        return self._playbook.requests

    # -- address and state

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._listener is None:
            raise RuntimeError("the server is not started: use it in a with statement or start()")
        return self._address[1]

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        scheme = "http" if self._ssl_context is None else "https"
        host = f"[{self._address[0]}]" if ":" in self._address[0] else self._address[0]
        return f"{scheme}://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its base URL."""
        return f"{self.url}/v1"

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        with self._changed:
            return len(self._open)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    def wait_until(self, condition: Callable[[], object], timeout: float = 2.0) -> bool:
        """Wait until `condition()` is true; return False after `timeout` seconds.

        It is asked again when a connection opens or closes and when a request has arrived.
        """
        with self._changed:
            return bool(self._changed.wait_for(condition, timeout))

    # -- start and end

    def start(self: _Server) -> _Server:
        """Listen; harmless when it listens already."""
        if self.closed:
            raise RuntimeError("the server was closed: make a new one")
        if self._listener is None:
            family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
            self._listener = socket.create_server(self._address, family=family, backlog=128)
            self._address = self._listener.getsockname()[:2]
            self._acceptor = self._thread("accept", self._accept, self._listener)
        return self

    def close(self, timeout: float = 2.0) -> None:
        """Close every connection, whatever it is doing; wait `timeout` seconds for its threads."""
        deadline = time.monotonic() + timeout
        with self._changed:
            first, listener = not self.closed, self._listener
            self._closing.set()
        if not first or listener is None or self._acceptor is None:
            return
        _wake_acceptor(self._address)
        self._acceptor.join(timeout)
        listener.close()
        with self._changed:
            left = list(self._open.items())
        for connection, _ in left:
            connection.stop()
        for _, thread in left:
            # A script may close its own server.
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def __enter__(self: _Server) -> _Server:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- the threads

    def _thread(self, name: str, target: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=args, name=f"compatapi-testing-{name}", daemon=True)
        thread.start()
        return thread

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                # Out of file descriptors, or a client that left before it was accepted.
                if self._closing.wait(0.01):
                    return
                continue
            if self.closed:
                client.close()
                return
            try:
                self._admit(client)
            except OSError:  # the client has left
                client.close()

    def _admit(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._ssl_context is not None:
            client.getpeername()  # fails if the client has left, of which wrap_socket would leave a socket open
            client = self._ssl_context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        with self._changed:
            self.connections += 1
            connection = Connection(client, self.connections, self._closing)
            self._open[connection] = self._thread(f"connection-{connection.number}", self._serve, connection)
            self._changed.notify_all()

    def _serve(self, connection: Connection) -> None:
        ending: Ending = "keep"
        try:
            connection.handshake()
            while ending == "keep":
                request = connection.read()
                if request is None:
                    break
                ending = connection.play(self._steps_for(request))
                if not request.keep_alive and ending == "keep":
                    break
        except BadRequest as error:
            connection.refuse(error)
        except Gone:
            return
        finally:
            connection.close(reset=ending == "reset")
            with self._changed:
                self._open.pop(connection, None)
                self._changed.notify_all()

    def _steps_for(self, request: RecordedRequest) -> Iterator[Step]:
        with self._changed:
            play = self._playbook.receive(request)
            self._changed.notify_all()
        return play()


def _wake_acceptor(address: tuple[str, int]) -> None:
    """Knock: closing a socket does not wake a thread that accepts on it, on most systems."""
    try:
        socket.create_connection(address, timeout=0.5).close()
    except OSError:
        return
