"""The server for tests: any of the dialects' services, real HTTP on the loopback, every byte and pause told by scripts.

Raw sockets and one thread per connection, so that a test decides what is written, in how many
writes and when, and how the connection ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .http_server import HttpServer
from .playbook import Handler, Playbook
from .script import Script
from .scripted import Scripted

if TYPE_CHECKING:
    import ssl
    from types import TracebackType


class ScriptedServer(HttpServer, Scripted):
    """A real HTTP server for tests, on a free port of 127.0.0.1.

    Give it scripts, which are used one per request in the order of arrival (a request too many
    is answered with an error that names it), or one function that gets the `RecordedRequest` and
    returns a script; it runs in the thread of the connection.

        with ScriptedServer(ChatScript("Hello!")) as server:
            client = server.client("anthropic")

    It is the server of every dialect at once: a `ChatScript` answers in the words of whichever
    asks. `requests` has what was asked so far, `connections` counts all connections that were ever
    accepted, `check` raises when something was asked that no script told, or a script is left.

    Args:
        scripts: Scripts, or one function.
        strict: Whether leaving the block calls `check`, unless another error is on its way.
        keys: The keys that are let in, or one; others get an error 401. For Hunyuan a key is
            ``SecretId:SecretKey``, and the signature is checked. Left out, everybody is let in.
        ssl_context: Makes it HTTPS.
        host: The address to listen on.
        port: The port; 0 is a free one.
    """

    def __init__(
        self,
        *scripts: Script | Handler,
        strict: bool = False,
        keys: str | Iterable[str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(Playbook(scripts, keys), ssl_context=ssl_context, host=host, port=port)
        self._strict = strict

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        if self._strict and kind is None:
            self.check()
