"""A server in a process of its own that sends prepared bytes, as cheaply as it can.

Run as ``python replay.py``; it prints its port, and stops when its standard input closes. The path says what is wanted:
``/text/10000/...`` is a stream of ten thousand chunks of text, ``/call/700/...`` an answer of 700 letters,
``/paced-gzip/200/...`` a compressed stream that takes its time, ``/recorded:NAME/1000/...`` a recording made long.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable
from functools import cache

import answers
import natives
from answers import Answer, chunk, chunked

#: Seconds between two chunks of a paced stream.
PACE = {"paced": 0.001, "slow": 0.025}


@cache
def answer(kind: str, count: int) -> Answer:
    """What is sent for a kind and a count; made once."""
    if kind.startswith("recorded:"):
        import recordings

        return recordings.stream(kind.partition(":")[2], count)
    if kind in answers.WHOLE:
        return answers.WHOLE[kind](count)
    return natives.stream(kind, count) if kind in natives.FORMS else answers.stream(kind, count)


def send_paced(connection: socket.socket, coding: str, count: int, pause: float) -> None:
    """Chunks one by one, each with the time of its sending as its text: clocks of one machine can be compared."""
    squeeze = zlib.compressobj(wbits=31)
    wrap: dict[str, Callable[[bytes], bytes]] = {
        "chunked": chunked,
        "close": bytes,
        "gzip": lambda data: chunked(squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH)),
    }
    fields = {
        "chunked": b"Transfer-Encoding: chunked\r\n\r\n",
        "close": b"Connection: close\r\n\r\n",
        "gzip": b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n",
    }
    connection.sendall(answers.STREAM_HEAD + fields[coding])
    for _ in range(count):
        time.sleep(pause)
        connection.sendall(wrap[coding](chunk({"content": str(time.monotonic_ns())})))
    connection.sendall(wrap[coding](chunk({}, "stop") + answers.DONE))
    if coding == "gzip":
        connection.sendall(chunked(squeeze.flush()))
    if coding != "close":
        connection.sendall(b"0\r\n\r\n")


def serve(connection: socket.socket) -> None:
    """Answer every request on one connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waiting, body_of = bytearray(), -1
    while data := connection.recv(1 << 20):
        waiting += data
        if body_of < 0:
            body_of = waiting.find(b"\r\n\r\n")
            if body_of < 0:
                continue
            head = bytes(waiting[:body_of])
            fields = dict(line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:])
            body_of += 4 + int(fields.get(b"content-length", 0))
        if len(waiting) < body_of:
            continue
        del waiting[:body_of]
        body_of = -1
        kind, count = head.split(b" ", 2)[1].decode().split("/")[1:3]
        pace, _, coding = kind.partition("-")
        if pace in PACE:
            send_paced(connection, coding, int(count), PACE[pace])
            if coding == "close":
                return
            continue
        made = answer(kind, int(count))
        connection.sendall(made.head)
        for part, times in made.parts:
            for _ in range(times):
                connection.sendall(part)


def serve_until_closed(connection: socket.socket) -> None:
    """One connection, with a client that may leave when it likes."""
    with connection:
        try:
            serve(connection)
        except ConnectionError:
            return


def main() -> None:
    """Listen, say where, and serve until the standard input closes."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve_until_closed, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
