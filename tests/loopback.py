"""Asking a loopback server without any of our own client: plain sockets and http.client."""

import http.client
import json
import socket
import ssl
import threading
from contextlib import contextmanager
from pathlib import Path

# Certificate and key for 127.0.0.1, made for these tests only; it is its own authority.
CERTIFICATE = Path(__file__).with_name("fixtures") / "loopback.pem"


@contextmanager
def asking(server, method="GET", path="/", body=None, headers=None):
    """Ask on a connection of its own and give (connection, response), with the body unread."""
    if server.url.startswith("https:"):
        trusting = ssl.create_default_context(cafile=CERTIFICATE)
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5, context=trusting)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    response = None
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        yield connection, response
    finally:
        connection.close()
        if response is not None:
            response.close()


def fetch(server, method="GET", path="/", body=None, headers=None):
    """Ask, read everything, hang up; return (response, body)."""
    with asking(server, method, path, body, headers) as (_, response):
        return response, response.read()


def post_json(server, path, value):
    """Post JSON; return (status, the bytes of the answer)."""
    response, body = fetch(server, "POST", path, json.dumps(value).encode())
    return response.status, body


def exchange(server, request=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
    """Send bytes and return all that comes back until the connection ends."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        sock.sendall(request)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def read_until(response, wanted, count=1):
    """Read what is there until `wanted` was seen `count` times; return all of it."""
    data = b""
    while data.count(wanted) < count:
        piece = response.read1(65536)
        assert piece, f"the body ended after {data!r}"
        data += piece
    return data


def chunks_of(stream):
    """Return the JSON of each event of an SSE body that ends with `[DONE]`."""
    *events, done, rest = stream.split(b"\n\n")
    assert (b"data: [DONE]", b"") == (done, rest)
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


def server_threads(server):
    """Return the threads of this server that are alive, also after it was closed."""
    prefix = f"compatapi-testing-{server.port}-"
    return [one for one in threading.enumerate() if one.name.startswith(prefix)]
