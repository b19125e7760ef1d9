"""A server in its own process that sends the same prepared bytes to everybody, as cheaply as it can.

Run as ``python replay.py CHUNKS``; it prints its port. Every request on a connection is answered by a chunked event
stream of that many text chunks, one HTTP chunk for each event, as model servers send them.
"""

from __future__ import annotations

import json
import socket
import sys
import threading


def event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    """One chunk of about 300 bytes, framed as an event and as an HTTP chunk."""
    data = {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion.chunk",
        "created": 1741569952,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_06737a9306",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}],
        "usage": None,
    }
    return chunked(b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n")


def chunked(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def answer(count: int) -> bytes:
    """The whole answer, head included."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"".join(event({"content": f" word{number}"}) for number in range(count))
    return head + body + event({}, "stop") + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def serve(connection: socket.socket, payload: bytes) -> None:
    """Answer every request on one connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        waiting = b""
        while data := connection.recv(65536):
            waiting += data
            head, found, body = waiting.partition(b"\r\n\r\n")
            if not found:
                continue
            fields = dict(line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:])
            length = int(fields.get(b"content-length", 0))
            if len(body) >= length:
                waiting = body[length:]
                connection.sendall(payload)


def main() -> None:
    """Listen, say where, and serve until the standard input closes."""
    payload = answer(int(sys.argv[1]))
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, payload), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
