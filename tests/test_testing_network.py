"""The guard before the network: this machine can be reached, nothing else can, and it is noted who tried."""

import socket
import urllib.error
import urllib.request

import pytest

from calls import REQUEST, client_of, error_of, hard_limit  # noqa: F401
from compatapi.client import Client
from compatapi.errors import ConnectError
from compatapi.testing import ChatScript, ScriptedServer
from compatapi.testing.network import NetworkRefused, is_loopback, only_loopback

# An address for documentation (RFC 5737): whatever goes wrong here, nobody is there.
ELSEWHERE = "192.0.2.1"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LOCALHOST.", "a.localhost", "", "::ffff:127.0.0.1"],
)
def test_what_is_this_machine(host):
    """The loopback addresses of both kinds and the names that always mean them are this machine."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", [ELSEWHERE, "10.0.0.1", "2001:db8::1", "api.example", "localhost.example", "fe80::1%lo"]
)
def test_what_is_another_machine(host):
    """Other addresses are not, even private ones, and a name is not because it begins with one that is."""
    assert not is_loopback(host)


def test_a_server_on_this_machine_can_be_reached():
    """Behind the guard a client talks to a server on the loopback, by address and by name."""
    with only_loopback() as refused, ScriptedServer(ChatScript("Hi"), ChatScript("Ho")) as server:
        for host in ("127.0.0.1", "localhost"):
            with client_of(f"http://{host}:{server.port}/v1") as client:
                assert client.chat_completion(REQUEST).text in ("Hi", "Ho")
    assert [] == refused


@pytest.mark.parametrize("host", [ELSEWHERE, "api.example.test"])
def test_a_client_gets_no_farther(host):
    """A client of another machine gets the error of a broken network, which says what is behind it."""
    with only_loopback() as refused, client_of(f"http://{host}:81/v1") as client:
        assert "not this machine" in str(error_of(ConnectError, client.chat_completion, REQUEST))
    assert [f"{host}:81"] == refused


def test_no_name_is_looked_up_and_no_datagram_sent():
    """The older ways to look up a name, and datagrams, are held back as well; on this machine they go on."""
    with only_loopback() as refused, socket.socket(type=socket.SOCK_DGRAM) as sock, sock.dup() as other:
        error_of(NetworkRefused, socket.gethostbyname, "api.example.test")
        error_of(NetworkRefused, socket.gethostbyname_ex, "api.example.test")
        error_of(NetworkRefused, sock.sendto, b"?", (ELSEWHERE, 53))
        error_of(NetworkRefused, sock.sendto, b"?", 0, (ELSEWHERE, 53))
        assert "127.0.0.1" == socket.gethostbyname("127.0.0.1")
        sock.bind(("127.0.0.1", 0))
        assert 1 == other.sendto(b"?", sock.getsockname())
    assert ["api.example.test", "api.example.test", f"{ELSEWHERE}:53", f"{ELSEWHERE}:53"] == refused


def test_other_libraries_get_no_farther():
    """What uses the sockets of Python is held back too, without a name being looked up."""
    with only_loopback() as refused:
        with socket.socket() as sock:
            error_of(NetworkRefused, sock.connect, (ELSEWHERE, 81))
            error_of(NetworkRefused, sock.connect_ex, (ELSEWHERE, 82))
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen("http://api.example.test:83/")
    assert [f"{ELSEWHERE}:81", f"{ELSEWHERE}:82", "api.example.test:83"] == refused


def test_a_proxy_on_this_machine_is_no_way_out(monkeypatch):
    """Behind the guard a proxy that the environment names is not asked."""
    with ScriptedServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with only_loopback() as refused, Client(base_url="http://api.example.test/v1", max_retries=0) as client:
            error_of(ConnectError, client.chat_completion, REQUEST)
        assert [] == proxy.requests
    assert ["api.example.test:80"] == refused


def test_the_guard_leaves_nothing_behind():
    """Afterwards sockets are what they were, whatever was raised inside."""
    before = (socket.getaddrinfo, socket.socket.connect, socket.socket.connect_ex)
    with pytest.raises(KeyError), only_loopback():
        raise KeyError
    assert before == (socket.getaddrinfo, socket.socket.connect, socket.socket.connect_ex)
    assert "connect" not in vars(socket.socket)


def test_a_path_in_the_file_system_is_this_machine(tmp_path):
    """Sockets that have a path are let through."""
    with only_loopback() as refused, socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as sock:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        sock.connect(str(tmp_path / "s"))
        assert sock.getpeername() == str(tmp_path / "s")
    assert [] == refused
