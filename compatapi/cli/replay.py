"""``compatapi replay``: a recording as a server, for programs in any language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from compatapi.cli.failures import Command, Failure
from compatapi.cli.serving import counted, note, port_option, serve
from compatapi.cli.terminal import one_line
from compatapi.providers import PROVIDERS

if TYPE_CHECKING:
    from compatapi.testing import RecordedRequest, Recording, ReplayScript

__all__ = ["replay"]

#: Where the paths of a host without a row end.
_OPERATIONS = ("/chat/completions", "/completions", "/embeddings", "/models", "/responses")


@click.command(cls=Command)
@click.argument("file", type=click.Path(dir_okay=False))
@port_option
@click.option(
    "--pace",
    type=click.FloatRange(min=0),
    default=1.0,
    metavar="FACTOR",
    help="A factor for the pauses: 1 as recorded [default], 0.1 for a tenth, 0 for none.",
)
@click.option("--lenient", is_flag=True, help="Take for each request what is most alike, in any order.")
@click.option("--repeat", is_flag=True, help="Begin again when all was played.")
def replay(file: str, port: int, pace: float, lenient: bool, repeat: bool) -> None:
    """Answer on 127.0.0.1 as it was recorded in FILE, to any program.

    The base URL to give to the program is written to standard output; a line for each request goes to standard error.
    A request that was not recorded gets an error that says how it differs. Ctrl-C ends it.
    """
    from compatapi.testing import Recording, RecordingError
    from compatapi.testing import replay as replay_recording

    try:
        recording = Recording.load(file)
    except RecordingError as error:
        raise Failure(one_line(str(error))) from error
    except OSError as error:
        raise Failure(one_line(f"Cannot read {file}: {error.strerror or error}")) from error
    player = replay_recording(recording, pace=pace, match="lenient" if lenient else "strict", repeat=repeat)

    def answer(request: RecordedRequest) -> ReplayScript:
        try:
            script = player(request)
        except AssertionError as error:
            note(f"{request.method} {request.route}: refused. {error}")
            raise
        note(f"{request.method} {request.route}: exchange {script.exchange.number}")
        return script

    broken = "" if recording.is_whole else ", and the file breaks off there"
    about = f"Playing {counted(len(recording.exchanges))} of {file}{broken}."
    serve(answer, port, dict.fromkeys(_base_paths(recording)), about)


def _base_paths(recording: Recording) -> Iterator[str]:
    """The paths of the base URLs that were asked."""
    bases = [urlsplit(row.base_url) for row in PROVIDERS.values() if isinstance(row.base_url, str)]
    for exchange in recording.exchanges:
        url = urlsplit(exchange.url)
        known = [base.path for base in bases if base.netloc == url.netloc and url.path.startswith(base.path)]
        ends = [url.path.removesuffix(end) for end in _OPERATIONS if url.path.endswith(end)]
        yield max(known, key=len).rstrip("/") if known else min(ends, key=len) if ends else ""
