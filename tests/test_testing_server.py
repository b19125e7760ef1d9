"""The scripted server as other HTTP clients see it: start, end, requests, choice of script."""

import json
import math
import socket
import ssl
import struct
import subprocess
import sys
import time

import pytest
import urllib3

from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.testing import ChatScript, Raw, Reply, ScriptedServer, StreamReply
from loopback import CERTIFICATE, asking, exchange, fetch, read_until, server_threads

EVENTS = [{"n": 1}, {"n": 2}, {"n": 3}]
GET = b"GET / HTTP/1.1\r\n\r\n"


@pytest.fixture
def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


# -- start and end


def test_starts_at_once():
    """Starting takes a few milliseconds (the best of five, since the machine has other work)."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        server = ScriptedServer().start()
        times.append(time.perf_counter() - began)
        server.close()
    assert min(times) < 0.01


def test_close_leaves_no_thread_and_no_socket():
    """However its connections stand, close() ends them all and is quick about it."""
    server = ScriptedServer(StreamReply(EVENTS, end="stall"), Raw([math.inf]), Reply()).start()
    port = server.port
    with (
        asking(server) as (_, stalled),
        socket.create_connection(("127.0.0.1", port)) as waiting,
    ):
        read_until(stalled, b'{"n":3}')
        waiting.sendall(GET)
        assert server.wait_until(lambda: len(server.requests) == 2)
        with asking(server):
            assert 3 == server.open_connections
            began = time.monotonic()
            server.close()
            assert time.monotonic() - began < 1.0
        assert b"" == waiting.recv(1)
    assert 0 == server.open_connections
    assert [] == server_threads(server)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_close_wakes_a_blocked_write():
    """A client that does not read cannot hold the server up."""
    endless = iter(lambda: b"x" * 65536, None)
    with ScriptedServer(StreamReply(endless)) as server, asking(server):
        server.close()
        assert [] == server_threads(server)


def test_close_twice_and_never_started():
    """close() may be called at any time and again; a closed server does not start."""
    server = ScriptedServer()
    with pytest.raises(RuntimeError):
        assert server.url
    server.close()
    server.close()
    with pytest.raises(RuntimeError):
        server.start()


def test_a_script_may_close_its_server():
    """close() inside a function of the server ends the request instead of waiting for itself."""

    def closing(request):
        server.close()
        return Reply()

    with ScriptedServer(closing) as server:
        assert b"" == exchange(server)


def test_importing_is_lazy():
    """The package loads nothing of its own, and the server needs no HTTP client library."""
    code = (
        "import sys, compatapi.testing as t\n"
        "early = [m for m in sys.modules if m.startswith('compatapi.testing.')]\n"
        "t.DemoServer\n"
        "late = {'requests', 'urllib3', 'cattrs', 'asyncio'} & set(sys.modules)\n"
        "print(early, sorted(late), set(t.__all__) - set(dir(t)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[] [] set()" == run.stdout.strip()


def test_every_public_name_can_be_had():
    """Each name of `__all__` leads to an object, and an unknown one to an AttributeError."""
    import compatapi.testing as testing

    assert [] == [name for name in testing.__all__ if getattr(testing, name) is None]
    assert sorted(testing.__all__, key=str.lower) == sorted(testing._HOMES, key=str.lower)
    with pytest.raises(AttributeError):
        assert testing.nothing


# -- requests


def test_keep_alive_serves_many_requests_on_one_connection():
    """After a well-framed answer the connection takes the next request."""
    scripts = [StreamReply([b"a"], done=False), StreamReply([b"b"], done=False, framing="length")]
    scripts += [Reply(body=b"c"), Reply(204), Reply()]
    with (
        ScriptedServer(*scripts) as server,
        urllib3.HTTPConnectionPool("127.0.0.1", server.port) as pool,
    ):
        bodies = [pool.request("POST", "/", body=b"x").data for _ in range(5)]
        assert [b"a", b"b", b"c", b"", b""] == bodies
        assert (1, 1) == (server.connections, server.open_connections)
        assert [1] * 5 == [request.connection for request in server.requests]


@pytest.mark.parametrize("side", ["client", "server", "HTTP/1.0"])
def test_connection_close_is_honored(side):
    """Either side can say that the connection ends with this answer; HTTP/1.0 always does."""
    reply = Reply(body="x", headers={"Connection": "close"} if side == "server" else {})
    head = b"Connection: close\r\n" if side == "client" else b""
    line = b"GET / HTTP/1.0\r\n" if side == "HTTP/1.0" else b"GET / HTTP/1.1\r\n"
    with ScriptedServer(reply) as server:
        assert exchange(server, line + head + b"\r\n").endswith(b"\r\n\r\nx")


def test_records_requests():
    """Method, path with query, headers in any case, and the body are there to be looked at."""
    with ScriptedServer(Reply()) as server:
        headers = {"X-One": "1", "Authorization": "Bearer k"}
        fetch(server, "POST", "/v1/chat?a=b", json.dumps({"model": "m"}), headers)
        (request,) = server.requests
    assert ("POST", "/v1/chat?a=b", "/v1/chat") == (request.method, request.path, request.route)
    assert "1" == request.headers["x-one"] == request.headers["X-ONE"]
    assert "authorization" in request.headers
    assert "cookie" not in request.headers
    assert {"model": "m"} == request.json()
    assert b'{"model": "m"}' == request.body


def test_repeated_headers_are_joined():
    """A header sent twice reads as one with commas, and both stay in `pairs`."""
    with ScriptedServer(Reply()) as server:
        exchange(server, b"GET / HTTP/1.1\r\nA: 1\r\na: 2\r\nConnection: close\r\n\r\n")
        headers = server.requests[0].headers
    assert "1, 2" == headers["A"]
    assert (("A", "1"), ("a", "2")) == headers.pairs[:2]


def test_reads_chunked_bodies():
    """A chunked request body, with extensions and trailers, arrives whole; the next request too."""
    request = (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: t\r\n\r\n"
        b"GET /next HTTP/1.1\r\nConnection: close\r\n\r\n"
    )
    with ScriptedServer(Reply(), Reply()) as server:
        exchange(server, request)
        assert [b"abcd", b""] == [one.body for one in server.requests]
        assert "/next" == server.requests[1].path


def test_a_request_sent_ahead_does_not_shorten_a_pause():
    """Data that waits on the socket during a pause is the next request, not a hang-up."""
    with ScriptedServer(Reply(delay=0.05), Reply(headers={"Connection": "close"})) as server:
        began = time.monotonic()
        assert 2 == exchange(server, GET + GET).count(b"HTTP/1.1 200 OK")
        assert time.monotonic() - began >= 0.05


def test_answers_expect_100_continue():
    """A client that asks before it sends its body is told to go on."""
    with (
        ScriptedServer(Reply(body="ok")) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock,
    ):
        sock.sendall(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == sock.recv(100)
        sock.sendall(b"hi")
        assert sock.recv(1000).endswith(b"ok")
        assert b"hi" == server.requests[0].body


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\na: " + b"x" * 65536,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300,
    ],
)
def test_refuses_what_is_no_http(garbage):
    """Bytes that are no request are answered with 400, and nothing is recorded."""
    with ScriptedServer(Reply()) as server, socket.socket() as sock:
        sock.connect(("127.0.0.1", server.port))
        sock.sendall(garbage)
        assert sock.recv(65536).startswith(b"HTTP/1.1 400 ")
        assert [] == server.requests


def test_a_client_that_leaves_in_mid_request_is_forgotten():
    """Half a request is not recorded and leaves no connection behind."""
    with ScriptedServer(Reply()) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
            assert server.wait_until(lambda: server.connections == 1)
        assert server.wait_until(lambda: server.open_connections == 0)
        assert [] == server.requests


# -- TLS


def test_speaks_tls(tls_context):
    """With an SSL context the same scripts go over TLS, keep-alive and all."""
    with ScriptedServer(Reply(body="a"), Reply(body="b"), ssl_context=tls_context) as server:
        assert server.base_url == f"https://127.0.0.1:{server.port}/v1"
        with asking(server) as (connection, response):
            assert b"a" == response.read()
            connection.request("GET", "/")
            assert b"b" == connection.getresponse().read()
        assert 1 == server.connections


def test_tls_stall_sees_the_client_leave(tls_context):
    """Under TLS too a paused connection ends when the client hangs up."""
    with ScriptedServer(StreamReply(EVENTS, end="stall"), ssl_context=tls_context) as server:
        with asking(server) as (_, response):
            read_until(response, b'{"n":3}')
            assert 1 == server.open_connections
        assert server.wait_until(lambda: server.open_connections == 0)


def test_a_failed_handshake_hurts_nobody(tls_context):
    """A client that does not trust the certificate goes; the server serves the next one."""
    with ScriptedServer(Reply(body="a"), ssl_context=tls_context) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
            distrusting = ssl.create_default_context()
            with pytest.raises(ssl.SSLCertVerificationError):
                distrusting.wrap_socket(sock, server_hostname="127.0.0.1")
        assert b"a" == fetch(server)[1]


def test_close_ends_tls_connections(tls_context):
    """A client that never shakes hands does not keep the server from closing."""
    with (
        ScriptedServer(ssl_context=tls_context) as server,
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        assert server.wait_until(lambda: server.open_connections == 1)
        server.close()
        assert [] == server_threads(server)


def test_a_client_that_resets_before_tls_hurts_nobody(tls_context):
    """A client that breaks off before TLS begins does not keep the server from accepting the next one."""
    with ScriptedServer(Reply(body="a"), ssl_context=tls_context) as server:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert b"a" == fetch(server)[1]


def test_speaks_ipv6():
    """A server may listen on the loopback of IPv6, whose address stands in brackets."""
    with ScriptedServer(ChatScript("six"), host="::1") as server, server.client() as client:
        assert f"http://[::1]:{server.port}/v1" == server.base_url
        assert "six" == client.chat_completion(ChatCompletionRequest("m", [Message.user("Hello")])).text


# -- which script


def test_exhausted_queue_names_the_request():
    """A request too many is answered with 500 and an error that says which one it was."""
    with ScriptedServer(Reply()) as server:
        fetch(server)
        response, body = fetch(server, "POST", "/v1/models?x=1", b"")
        assert 500 == response.status
        error = json.loads(body)["error"]
        assert "unexpected_request" == error["type"]
        assert "request 2: POST /v1/models?x=1" in error["message"]
        server.add(Reply(body="more"))
        assert b"more" == fetch(server)[1]


def test_function_scripts():
    """A function chooses the answer by the request; its own failure is told in a 500."""

    def choose(request):
        return {"/a": Reply(body="A"), "/b": "no script"}[request.route]

    with ScriptedServer(choose) as server:
        assert b"A" == fetch(server, path="/a?x")[1]
        assert b"is no script" in fetch(server, path="/b")[1]
        response, body = fetch(server, path="/c")
    assert 500 == response.status
    assert "KeyError: '/c'" in json.loads(body)["error"]["message"]


@pytest.mark.parametrize("wrong", [("text",), (Reply(), "text"), (Reply(), lambda request: None)])
def test_wrong_scripts_are_refused(wrong):
    """What is neither scripts nor one function is a TypeError where it is given."""
    with pytest.raises(TypeError):
        ScriptedServer(*wrong)
