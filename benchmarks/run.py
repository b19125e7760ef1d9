"""CPU per chunk of a text stream: compatapi beside openai-python and others, interleaved in one process.

``tox -e bench`` runs it. The server is another process; what is measured is the user and system time of this one. Only
the ratios mean anything: machines differ, and the same machine differs from minute to minute.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

try:
    import orjson

    loads = orjson.loads
except ImportError:
    loads = json.loads

BODY = b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}'


def limit(port: int) -> int:
    """A socket, a split and a JSON parser: what the wire itself needs."""
    request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    count, rest = 0, b""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        while not rest.endswith(b"0\r\n\r\n"):
            *events, rest = (rest + connection.recv(65536)).split(b"\n\n")
            for event in events:
                data = event[event.find(b"data: ") + 6 :]
                if data != b"[DONE]":
                    loads(data)
                    count += 1
    return count


def by_hand(port: int) -> int:
    """requests, iter_lines and a JSON parser, as tutorials have it: dicts, no checks."""
    import requests

    count = 0
    with requests.post(f"http://127.0.0.1:{port}/v1/chat/completions", data=BODY, stream=True, timeout=60) as response:
        for line in response.iter_lines():
            if line.startswith(b"data: ") and line != b"data: [DONE]":
                loads(line[6:])
                count += 1
    return count


def httpx_sse(port: int) -> int:
    """httpx with httpx-sse and a JSON parser: dicts, no checks."""
    import httpx
    from httpx_sse import connect_sse

    count = 0
    with (
        httpx.Client(timeout=60) as client,
        connect_sse(client, "POST", f"http://127.0.0.1:{port}/v1/chat/completions", content=BODY) as source,
    ):
        for event in source.iter_sse():
            if event.data != "[DONE]":
                loads(event.data)
                count += 1
    return count


def compatapi_generator(port: int) -> int:
    """compatapi, generator style, the answer accumulated."""
    from compatapi import ChatCompletionRequest, Client, Message

    with Client(base_url=f"http://127.0.0.1:{port}/v1") as client:
        count = 0
        for chunk in client.chat_completion_stream(ChatCompletionRequest("m", [Message.user("Hi")])):
            chunk.choices[0].delta.content  # noqa: B018 - what a program does
            count += 1
    return count


def compatapi_callback(port: int) -> int:
    """compatapi, callback style, the answer accumulated."""
    from compatapi import ChatCompletionChunk, ChatCompletionRequest, Client, Message

    count = 0

    def show(chunk: ChatCompletionChunk) -> None:
        nonlocal count
        chunk.choices[0].delta.content  # noqa: B018 - what a program does
        count += 1

    with Client(base_url=f"http://127.0.0.1:{port}/v1") as client:
        client.chat_completion_stream(ChatCompletionRequest("m", [Message.user("Hi")]), show)
    return count


def openai_python(port: int) -> int:
    """openai-python, its ordinary stream."""
    import openai

    count = 0
    with openai.OpenAI(api_key="none", base_url=f"http://127.0.0.1:{port}/v1") as client:
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True)
        for chunk in stream:
            chunk.choices[0].delta.content  # noqa: B018 - what a program does
            count += 1
    return count


CLIENTS: dict[str, Callable[[int], int]] = {
    "limit": limit,
    "requests by hand": by_hand,
    "httpx-sse": httpx_sse,
    "compatapi": compatapi_generator,
    "compatapi callback": compatapi_callback,
    "openai-python": openai_python,
}


def measure(client: Callable[[int], int], port: int, expected: int) -> float:
    """Microseconds of CPU for each chunk of one stream."""
    gc.collect()  # what the client before has left behind is not this one's
    start = time.process_time()
    count = client(port)
    spent = time.process_time() - start
    if count != expected:
        raise SystemExit(f"{client.__name__} saw {count} chunks of {expected}")
    return spent / count * 1e6


def main() -> None:
    """Measure, print the table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer chunks and rounds")
    arguments = parser.parse_args()
    chunks, rounds = (2000, 3) if arguments.quick else (10000, 7)
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("replay.py")), str(chunks)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        for client in CLIENTS.values():  # imports and first use are not what is measured
            client(port)
        figures: dict[str, list[float]] = {name: [] for name in CLIENTS}
        for _ in range(rounds):
            for name, client in CLIENTS.items():
                figures[name].append(measure(client, port, chunks + 1))
    finally:
        server.stdin.close()
        server.wait()
    names = ("compatapi", "requests", "urllib3", "attrs", "cattrs", "orjson", "openai", "httpx", "httpx-sse")
    print(f"{chunks} chunks, {rounds} rounds, Python {platform.python_version()};", _versions(names))
    print(f"{'':20} {'us/chunk':>9} {'/ limit':>8} {'/ openai':>9}")
    middle = {name: statistics.median(values) for name, values in figures.items()}
    for name, value in middle.items():
        # Ratios within a round, then their median: the machine's speed drifts between rounds.
        ratios = [
            statistics.median(a / b for a, b in zip(figures[name], figures[other], strict=True))
            for other in ("limit", "openai-python")
        ]
        print(f"{name:20} {value:9.2f} {ratios[0]:8.2f} {ratios[1]:9.3f}")


def _versions(names: tuple[str, ...]) -> str:
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


if __name__ == "__main__":
    main()
