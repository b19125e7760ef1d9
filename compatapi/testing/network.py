"""Keep a program on this machine: no name is looked up and no connection is opened but to the loopback.

Python's own sockets are watched, so every HTTP library is. Programs that a test starts are not, nor is anything that
was connected before.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import pytest

__all__ = ["NetworkRefused", "is_loopback", "only_loopback"]


class NetworkRefused(socket.gaierror):
    """What a program gets in place of a connection: an error as the network's own, which every library understands."""


@contextmanager
def only_loopback() -> Iterator[list[str]]:
    """Refuse every way to another machine while the block runs; give the list of what was refused, as it grows."""
    refused: list[str] = []
    look_up = socket.getaddrinfo

    def refuse(host: str, *port: object) -> None:
        refused.append(":".join(map(str, (host, *port))))
        raise NetworkRefused(socket.EAI_NONAME, f"{refused[-1]} is not this machine, and the test may reach no other")

    def guarded_look_up(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        # To read an address as one needs no network.
        if name and not flags & socket.AI_NUMERICHOST and not _is_address(name) and not is_loopback(name):
            refuse(name, port)
        return look_up(host, port, family, type, proto, flags)

    def guarded(way: Any) -> Any:
        def guarded_way(sock: socket.socket, *args: Any) -> Any:
            # The address comes last. What is no pair is the path of a socket in the file system.
            address = args[-1] if args else None
            if isinstance(address, tuple) and not is_loopback(str(address[0])):
                refuse(str(address[0]), address[1])
            return way(sock, *args)

        return guarded_way

    def guarded_name(way: Any) -> Any:
        def guarded_way(host: str) -> Any:
            if not _is_address(host) and not is_loopback(host):
                refuse(host)
            return way(host)

        return guarded_way

    # A patch of its own: a test that undoes those of its "monkeypatch" must not lift the guard.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
        for name in ("gethostbyname", "gethostbyname_ex"):
            patch.setattr(socket, name, guarded_name(getattr(socket, name)))
        # By way of a proxy on the loopback a program would get anywhere. HTTP libraries read these two.
        patch.setenv("NO_PROXY", "*")
        patch.setenv("no_proxy", "*")
        yield refused


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine (RFC 6761, section 6.3; an empty one and 0.0.0.0 are too)."""
    name = host.strip("[]").rstrip(".").lower()
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    if not _is_address(name):
        return False
    address = ip_address(name)
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
