"""The connections of requests and urllib3, made stoppable: each tells its socket to the call that uses it.

Subclasses of urllib3's connections and pools. A connection is attached to the call of its thread when it is made or
taken from the pool, and detached before it goes back, under the lock of the call: nobody can shut down a connection
that serves somebody else by then. Looking up a name and connecting look at the call every few hundredths of a second,
because neither can be interrupted.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import ssl
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError, ProtocolError, ProxyError, SSLError

from compatapi.call import Call
from compatapi.http1 import Answer, read_answer, send_request

__all__ = ["Adapter", "current"]

#: Seconds between two looks at the call while nothing can be woken.
_SLICE = 0.03
#: Addresses that are kept ready to be sent to; a client has a handful.
_MOST_TARGETS = 64


class _Current(threading.local):
    """The call that this thread is sending for."""

    call: Call | None = None


current = _Current()


class _Stoppable:
    """What both kinds of connection add to urllib3's."""

    sock: Any
    _dns_host: str
    host: str
    port: int
    _tunnel_host: str | None
    _tunnel_port: int | None
    source_address: tuple[str, int] | None
    socket_options: Any
    call: Call | None = None
    _handle: socket.socket | None = None

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
                # A handle of its own for shutting down: it works while TLS has the socket.
                handle = self._handle = socket.fromfd(sock.fileno(), sock.family, sock.type)
                call.attach(handle)
                return sock
            except OSError as error:
                sock.close()
                problem = error
            except BaseException:
                sock.close()
                raise
        raise NewConnectionError(self, f"{problem or 'the name has no address'}") from problem  # type: ignore[arg-type]

    def connect(self) -> None:
        if current.call is not None:
            current.call.start_clock("connect")
        super().connect()  # type: ignore[misc]
        self._take()

    def request(self, method: str, url: str, body: Any = None, headers: Mapping[str, str] = {}, **_: Any) -> None:
        if self.sock is None:
            self.connect()
        else:  # from the pool
            self._take()
        send_request(self.sock, method, url, self._host_of(url), headers, body)

    def getresponse(self) -> Answer:
        return read_answer(self.sock)

    def _host_of(self, target: str) -> str:
        """What the header ``Host`` says (RFC 9112, section 3.2)."""
        if not target.startswith("/"):  # as a proxy is asked
            return urlsplit(target).netloc.rpartition("@")[2]
        host, port = (self._tunnel_host, self._tunnel_port) if self._tunnel_host else (self.host, self.port)
        host = host.strip("[]").partition("%")[0]  # of an address with a zone, the address
        host = f"[{host}]" if ":" in host else host
        return host if port == self.default_port else f"{host}:{port}"  # type: ignore[attr-defined]

    def _take(self) -> None:
        call = self.call = current.call
        if call is not None and self._handle is not None:
            call.attach(self._handle)
            call.start_clock("first_token")

    def give_up(self) -> None:
        """Leave the call; done before the connection may serve another."""
        call, self.call = self.call, None
        if call is not None:
            call.detach()

    def close(self) -> None:
        self.give_up()
        super().close()  # type: ignore[misc]
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


class _HTTPConnection(_Stoppable, HTTPConnection):  # type: ignore[misc]
    pass


class _HTTPSConnection(_Stoppable, HTTPSConnection):  # type: ignore[misc]
    pass


class _Pool:
    """What both kinds of pool do otherwise than urllib3's."""

    proxy: Any
    proxy_headers: Mapping[str, str]

    def urlopen(self, method: str, url: str, body: Any = None, headers: Mapping[str, str] = {}, **_: Any) -> Answer:
        """Send a request over a connection of the pool; no second attempt, no redirect, no time-out but the call's."""
        connection = self._get_conn()  # type: ignore[attr-defined]
        try:
            if self.proxy is not None:
                if not url.startswith("/"):
                    headers = {**headers, **self.proxy_headers}
                elif connection.is_closed:  # a tunnel
                    self._prepare_proxy(connection)  # type: ignore[attr-defined]
            self._validate_conn(connection)  # type: ignore[attr-defined]
            with suppress(BrokenPipeError, ConnectionResetError):  # a server may refuse before it has read all
                connection.request(method, url, body, headers)
            answer: Answer = connection.getresponse()
        except Exception as error:
            wrapped = _wrapped(error, connection)
            connection.close()
            if wrapped is error:
                raise
            raise wrapped from error
        except BaseException:
            connection.close()
            raise
        answer.connection, answer.pool = connection, self
        return answer

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.give_up()
        super()._put_conn(conn)  # type: ignore[misc]


def _wrapped(error: Exception, connection: Any) -> Exception:
    """An error in the words of urllib3, which say where it happened."""
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        error = SSLError(error)
    if not isinstance(error, OSError | HTTPException | SSLError | NewConnectionError):
        return error
    if connection.proxy and not connection.has_connected_to_proxy:
        return ProxyError("Cannot connect to the proxy", error)
    return ProtocolError("Connection aborted.", error) if isinstance(error, OSError | HTTPException) else error


class _HTTPPool(_Pool, HTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls: Any = _HTTPConnection


class _HTTPSPool(_Pool, HTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls: Any = _HTTPSConnection


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class Adapter(HTTPAdapter):
    """requests' adapter over stoppable connections; SOCKS proxies keep urllib3's own."""

    def __init__(self) -> None:
        super().__init__(pool_connections=20, pool_maxsize=100)
        self._pools: dict[str, Any] = {}
        self._targets: dict[str, str] = {}

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """The pool for a URL. Settings never change for a host here, so that finding it again is a look in a table."""
        origin = "/".join(request.url.split("/", 3)[:3])
        pool = self._pools.get(origin)
        if pool is None or pool.pool is None:  # urllib3 closes those that were not used for long
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            super().cert_verify(pool, request.url, verify, cert)  # type: ignore[no-untyped-call]
            self._pools[origin] = pool
        return pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """What the first line of a request says, which is the same again and again."""
        target = self._targets.get(request.url)
        if target is None:
            target = super().request_url(request, proxies)
            if len(self._targets) < _MOST_TARGETS:
                self._targets[request.url] = target
        return target

    def cert_verify(self, *_: Any) -> None:
        """Nothing: a pool is told once what to trust, when it is made."""

    def build_response(self, req: Any, resp: Any) -> Any:
        """An answer of ours as it is; others come from what stands in the place of servers (responses)."""
        return resp if isinstance(resp, Answer) else super().build_response(req, resp)

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
