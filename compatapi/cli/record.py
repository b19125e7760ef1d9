"""``compatapi record``: a reverse proxy that records, for programs in any language."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from compatapi.cli.failures import Command, Failure
from compatapi.cli.serving import counted, note, port_option, serve
from compatapi.cli.terminal import one_line
from compatapi.resolve import find_base_url, find_provider

if TYPE_CHECKING:
    from compatapi.testing import RecordedRequest, Script

__all__ = ["record"]


@click.command(cls=Command)
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("-p", "--provider", metavar="NAME", help="The host to ask, by a name of 'compatapi providers' [openai].")
@click.option("--base-url", metavar="URL", help="Where the paths of the host begin, such as http://localhost:8000/v1.")
@port_option
@click.option("--replace", is_flag=True, help="Replace FILE if it is there.")
def record(file: str, provider: str | None, base_url: str | None, port: int, replace: bool) -> None:
    """Hand on what a program asks on 127.0.0.1 to a host, and record it in FILE.

    The base URL to give to the program, in place of the host's own, is written to standard output; a line for each
    request goes to standard error. The program sends its own key, which is handed on and not recorded. Ctrl-C ends it.
    """
    from compatapi.testing import record as record_calls
    from compatapi.testing.proxy import forwarding
    from compatapi.transport import Transport

    where = find_base_url(find_provider(provider, base_url), base_url)
    if os.path.exists(file) and not replace:
        raise Failure(one_line(f"{file} is there already; take another name, or give --replace."))
    transport = Transport()
    hand_on = forwarding(where, transport)

    def answer(request: RecordedRequest) -> Script:
        note(f"{request.method} {request.route}")
        return hand_on(request)

    host = urlsplit(where)
    about = f"Recording in {file} what {host.netloc.rpartition('@')[2]} is asked."
    try:
        with record_calls(file) as recorder:
            serve(answer, port, [host.path.rstrip("/")], about)
    except OSError as error:
        raise Failure(one_line(f"Cannot write {file}: {error.strerror or error}")) from error
    finally:
        transport.close()
    note(f"Recorded {counted(recorder.exchanges)} in {file}.")
