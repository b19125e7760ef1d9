"""``compatapi convert``: a recorded or running stream of one form as another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import click

from compatapi.cli.failures import Command, Failure
from compatapi.cli.terminal import one_line, printable_json
from compatapi.formats import FORMATS, READERS, guess_format, iter_chunks

__all__ = ["convert"]

#: Bytes. Whoever has not said by then what it is, has to be told.
_LONGEST_GUESS = 1024 * 1024


@click.command(cls=Command)
@click.argument("body", type=click.File("rb"), default="-")
@click.option(
    "--from",
    "source",
    type=click.Choice(sorted(READERS)),
    help="What BODY is [told by its beginning, where that is certain].",
)
@click.option("--to", "target", type=click.Choice(sorted(FORMATS)), required=True, help="What to write.")
def convert(body: BinaryIO, source: str | None, target: str) -> None:
    """Write a stream in another format, as it grows.

    BODY is a file with the body of an answer, as a stream or whole; standard input without it. A pipe is read as its
    bytes come, and each chunk is written at once. A body that is cut or holds an error is written as far as it goes,
    with the error in the words of the format, and the exit status is 1.
    """
    pieces = _read(body)
    if source is None:
        source, pieces = _guess(pieces)
    write = _writer()
    for piece in FORMATS[target].write(iter_chunks(pieces, source)):
        write(piece)


def _read(body: BinaryIO) -> Iterator[bytes]:
    # read1 gives what is there; read would wait until its buffer is full.
    read1: Any = getattr(body, "read1", body.read)
    try:
        while data := read1(65536):
            yield data
    except OSError as error:
        raise Failure(one_line(f"Cannot read the body: {error.strerror or error}")) from error


def _guess(pieces: Iterator[bytes]) -> tuple[str, Iterator[bytes]]:
    """What the body is, and its pieces from the first on."""
    start = b""
    for data in pieces:
        start += data
        found = guess_format(start)
        if found or len(start) > _LONGEST_GUESS:
            break
    else:
        found = guess_format(start, is_whole=True)
    if not found:
        raise click.UsageError("The beginning of the body does not tell for certain what it is; say it with --from.")

    def again() -> Iterator[bytes]:
        yield start
        yield from pieces

    return found, again()


def _writer() -> Any:
    """What writes a piece and waits for nothing; a terminal gets no character that it would obey."""
    output, is_terminal = sys.stdout.buffer, sys.stdout.isatty()

    def write(piece: bytes) -> None:
        output.write(printable_json(piece.decode()).encode() if is_terminal else piece)
        output.flush()

    return write
