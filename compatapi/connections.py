"""The connections of requests and urllib3, made stoppable: each tells its socket to the call that uses it.

Subclasses of urllib3's connections and pools. A connection is attached to the call of its thread when it is made or
taken from the pool, and detached before it goes back, under the lock of the call: nobody can shut down a connection
that serves somebody else by then. Looking up a name and connecting look at the call every few hundredths of a second,
because neither can be interrupted.
"""

from __future__ import annotations

import errno
import os
import re
import selectors
import socket
import sys
import threading
from http.client import HTTPException, HTTPResponse
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from compatapi.call import Call

__all__ = ["Adapter", "current"]

#: Seconds between two looks at the call while nothing can be woken.
_SLICE = 0.03


class _Current(threading.local):
    """The call that this thread is sending for."""

    call: Call | None = None


current = _Current()


#: What a line of a head can begin with: a status, a field's name, or white space that goes on with the line before.
_HEAD_LINE = re.compile(rb"HTTP/|[!-9;-~]*:|[ \t\r\n]")


class _Head:
    """The first lines of an answer.

    To http.client, a connection that ends inside them looks like their end, and so does a line that is no field: the
    fields behind it, which may tell how the body is coded, would be lost.
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self._lines = 0

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self.file.readline(limit)
        if not line.endswith(b"\n") and len(line) < limit and (line or self._lines):
            if self._lines == 0 and not line.startswith(b"HTTP/"):
                return line  # no HTTP; http.client will say so
            raise ConnectionResetError("the connection was closed inside the head of the answer")
        if self._lines and not _HEAD_LINE.match(line):
            raise HTTPException(f"a line of the head is no field: {line[:80]!r}")
        self._lines += 1
        return line

    def close(self) -> None:
        self.file.close()


class _Answer(HTTPResponse):
    """http.client's, which takes an interim answer other than 100 for the answer, and a head cut short for a whole."""

    def begin(self) -> None:
        self.fp: Any
        head = self.fp = _Head(self.fp)
        try:
            super().begin()
        finally:
            if self.fp is head:
                self.fp = head.file

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, 100 if 101 < status < 200 else status, reason  # RFC 9110, section 15.2


class _Stoppable:
    """What both kinds of connection add to urllib3's."""

    sock: Any
    _dns_host: str
    port: int
    source_address: tuple[str, int] | None
    socket_options: Any
    call: Call | None = None
    response_class: Any = _Answer

    def _new_conn(self) -> socket.socket:
        call = current.call
        if call is None:
            return super()._new_conn()  # type: ignore[misc, no-any-return]
        try:
            addresses = _look_up(self._dns_host, self.port, call)
        except socket.gaierror as error:
            raise NameResolutionError(self._dns_host, self, error) from error  # type: ignore[arg-type]
        problem: OSError | None = None
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                if self.source_address:
                    sock.bind(self.source_address)
                _connect(sock, address, call)
                sys.audit("http.client.connect", self, self._dns_host, self.port)
                call.attach(sock)
                return sock
            except OSError as error:
                sock.close()
                problem = error
            except BaseException:
                sock.close()
                raise
        raise NewConnectionError(self, f"{problem or 'the name has no address'}") from problem  # type: ignore[arg-type]

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._take()

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # from the pool
            self._take()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def _take(self) -> None:
        call = self.call = current.call
        if call is not None and self.sock is not None:
            call.attach(self.sock)
            call.start_clock("first_token")

    def give_up(self) -> None:
        """Leave the call; done before the connection may serve another."""
        call, self.call = self.call, None
        if call is not None:
            call.detach()
            if self.sock is not None:
                self.sock.settimeout(None)


class _HTTPConnection(_Stoppable, HTTPConnection):
    pass


class _HTTPSConnection(_Stoppable, HTTPSConnection):
    pass


class _Pool:
    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.give_up()
        super()._put_conn(conn)  # type: ignore[misc]


class _HTTPPool(_Pool, HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class Adapter(HTTPAdapter):
    """requests' adapter over stoppable connections; SOCKS proxies keep urllib3's own."""

    def __init__(self) -> None:
        super().__init__(pool_connections=20, pool_maxsize=100)
        self._pools: dict[str, Any] = {}

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """The pool for a URL. Settings never change for a host here, so that finding it again is a look in a table."""
        origin = "/".join(request.url.split("/", 3)[:3])
        pool = self._pools.get(origin)
        if pool is None or pool.pool is None:  # urllib3 closes those that were not used for long
            pool = self._pools[origin] = super().get_connection_with_tls_context(request, verify, proxies, cert)
        return pool

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def close(self) -> None:
        """Close the idle connections, and let those in use be closed when they come back."""
        # urllib3 merely forgets its pools, and a stream that somebody keeps keeps its pool.
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in list(manager.pools.keys()):
                pool = manager.pools.get(key)
                if pool is not None:
                    pool.close()
        super().close()

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if isinstance(manager, urllib3.ProxyManager) and not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


def _look_up(host: str, port: int, call: Call) -> list[Any]:
    """The addresses of a host. A name is looked up in a thread of its own, which is left behind if it takes long."""
    host = host.strip("[]")
    try:  # an address needs no looking up
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    found: list[Any] = []
    ready = threading.Event()

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)
        ready.set()

    threading.Thread(target=look_up, name="compatapi-lookup", daemon=True).start()
    while not ready.wait(_SLICE):
        call.check()
    if isinstance(found[0], socket.gaierror):
        raise found[0]
    if isinstance(found[0], Exception):
        raise socket.gaierror(socket.EAI_NONAME, str(found[0]))
    return list(found[0])


def _connect(sock: socket.socket, address: Any, call: Call) -> None:
    """Connect without blocking, so that the call can end it."""
    sock.setblocking(False)
    result = sock.connect_ex(address)
    # EWOULDBLOCK is what Windows says for EINPROGRESS.
    if result not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
        raise OSError(result, os.strerror(result))
    if result != 0:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_WRITE)
            while not selector.select(_SLICE):
                call.check()
        result = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if result != 0:
            raise OSError(result, os.strerror(result))
    sock.setblocking(True)
