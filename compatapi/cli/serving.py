"""What the commands share that are servers for other programs: address, lines about each request, and the end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from compatapi.cli.failures import Failure
from compatapi.cli.terminal import one_line

__all__ = ["counted", "note", "port_option", "serve"]

F = TypeVar("F", bound=Callable[..., Any])

port_option = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="any that is free",
    help="The port of 127.0.0.1 to listen on.",
)


def counted(exchanges: int) -> str:
    """So many exchanges, in words."""
    return "1 exchange" if exchanges == 1 else f"{exchanges} exchanges"


def note(text: str) -> None:
    """A line for people, on standard error."""
    click.echo(one_line(text), err=True)


def serve(handler: Callable[..., Any], port: int, paths: Iterable[str], about: str) -> None:
    """Answer until Ctrl-C or SIGTERM, which are the ways to end a server and no errors.

    Args:
        handler: The function of a `ScriptedServer`.
        port: Where to listen on 127.0.0.1.
        paths: What base URLs are made of, which are written to standard output, a line for each.
        about: What is said on standard error when the server listens.
    """
    from compatapi.testing import ScriptedServer

    server = ScriptedServer(handler, port=port)
    try:
        server.start()
    except OSError as error:
        raise Failure(one_line(f"Cannot listen on port {port}: {error.strerror or error}")) from error
    with server:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            for path in paths:
                click.echo(server.url + path)
            note(f"{about} Ctrl-C ends it.")
            # A wait without an end cannot be interrupted on Windows.
            while not threading.Event().wait(0.5):
                continue
        except KeyboardInterrupt:
            return
        finally:
            signal.signal(signal.SIGTERM, before)
