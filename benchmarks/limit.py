"""What the wire itself needs: a socket, `bytes.split` and a JSON parser. Everything is measured against this.

It knows what it will be sent: no limits, no checks, no clocks, dicts for chunks.
"""

from __future__ import annotations

import json
import socket
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from natives import Form

try:
    import orjson

    loads: Callable[[bytes | bytearray], Any] = orjson.loads
    dumps: Callable[[Any], bytes] = orjson.dumps
except ImportError:
    loads = json.loads

    def dumps(value: Any) -> bytes:
        """As orjson does it."""
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
_SSE = Form()
_END = b"0\r\n\r\n"


class Wire:
    """One connection, kept for the next request."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 0)
        self._line = f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ".encode()
        self._socket: socket.socket | None = None
        stack.callback(self.close)

    def send(self, body: dict[str, Any] = BODY) -> socket.socket:
        """Send a request; return the socket to read from."""
        data = dumps(body)
        if self._socket is None:
            self._socket = socket.create_connection(self._address)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(self._line + b"%d\r\n\r\n%s" % (len(data), data))
        return self._socket

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def counter(url: str, stack: ExitStack, form: Form = _SSE) -> Callable[[], int]:
    """A function that reads a whole stream and counts its chunks."""
    wire = Wire(url, stack)
    separator, mark, skip = form

    def run() -> int:
        receive = wire.send().recv
        count, rest, more = 0, b"", True
        while more:
            rest += receive(65536)
            more = not rest.endswith(_END)
            *events, rest = rest.split(separator)
            for event in events:
                at = event.find(mark)
                if at >= 0:
                    data = event[at + skip :]
                    if data[-6:] != b"[DONE]":
                        loads(data)
                        count += 1
        return count

    return run


def opener(url: str, stack: ExitStack) -> Callable[[], Iterator[Any]]:
    """A function that asks for a stream and returns an iterator of its chunks, in any coding of the body."""
    wire = Wire(url, stack)

    def run() -> Iterator[Any]:
        return _iterate(wire, wire.send())

    return run


def _iterate(wire: Wire, connection: socket.socket) -> Iterator[Any]:
    head, _, rest = connection.recv(65536).partition(b"\r\n\r\n")
    coded = b"Content-Encoding: gzip" in head
    unpack: Callable[[bytes], bytes] = _gzip() if coded else bytes
    data, text = rest, b""
    while True:
        if data:
            text += unpack(data)
            *events, text = text.split(b"\n\n")
            for event in events:
                data_of = event[event.find(b"data:") + 5 :]
                if data_of[-6:] != b"[DONE]":
                    yield loads(data_of)
        if data.endswith(_END):
            return
        data = connection.recv(65536)
        if not data:
            wire.close()
            return


def _gzip() -> Callable[[bytes], bytes]:
    """Takes HTTP chunks that came whole, each with one piece of gzip: so the replay server sends them."""
    inflate = zlib.decompressobj(wbits=31)
    waiting = b""

    def unpack(data: bytes) -> bytes:
        nonlocal waiting
        waiting += data
        made = b""
        while b"\r\n" in waiting:
            size, _, rest = waiting.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                break
            made += inflate.decompress(rest[:length])
            waiting = rest[length + 2 :]
        return made

    return unpack


def caller(url: str, stack: ExitStack, texts: Sequence[str] = ("Hi",)) -> Callable[[], object]:
    """A function that asks for a whole answer and parses it."""
    wire = Wire(url, stack)

    def run() -> object:
        connection = wire.send({"model": "m", "messages": [{"role": "user", "content": text} for text in texts]})
        head, _, begin = connection.recv(65536).partition(b"\r\n\r\n")
        body = bytearray(int(head.rpartition(b"Content-Length: ")[2].partition(b"\r")[0]))
        body[: len(begin)] = begin
        at = len(begin)
        with memoryview(body) as view:
            while at < len(body):
                at += connection.recv_into(view[at:])
        return loads(body)

    return run


def gatherer(url: str, stack: ExitStack) -> Callable[[], int]:
    """A function that reads a whole stream first and cuts it then, for events so large that cutting often counts."""
    wire = Wire(url, stack)

    def run() -> int:
        connection = wire.send()
        pieces = [connection.recv(65536)]
        while not pieces[-1].endswith(_END):
            pieces.append(connection.recv(65536))
        texts = [event.partition(b"data:")[2] for event in b"".join(pieces).split(b"\n\n")]
        return len([loads(text) for text in texts if text and text[-6:] != b"[DONE]"])

    return run
