"""What all formats share: how chunks are driven through a writer, how an answer ends, and how an error is said."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, Protocol

from compatapi import jsontext
from compatapi.accumulate import EndTracker
from compatapi.chat_types import ChatCompletionChunk, ChunkChoice
from compatapi.dialects.api_errors import read_error
from compatapi.errors import (
    APIError,
    CompatAPIError,
    ConfigError,
    ConnectionLost,
    DecodeError,
    IncompleteStreamError,
    RequestTimeout,
)

__all__ = ["Writer", "Writing", "as_line", "error_object", "event", "line", "only_choice"]


class Writer(Protocol):
    """Chunks in, the bytes of one format out: the small state of one stream."""

    def feed(self, chunk: ChatCompletionChunk) -> bytes:
        """What the next chunk says; empty when it says nothing yet."""
        ...

    def close(self) -> bytes:
        """What marks the end of a complete answer."""
        ...

    def fail(self, error: CompatAPIError) -> bytes:
        """The error in the format's own words, in place of an end."""
        ...


class Writing:
    """An iterator of non-empty bytes: chunks, as they come, through a writer.

    `close` ends it early and closes the source; a WSGI server calls it by itself.

    Attributes:
        error: The error that ended it, or ``None``.
    """

    def __init__(self, writer: Writer, chunks: Iterable[ChatCompletionChunk], *, errors: str = "raise") -> None:
        if errors not in ("raise", "emit"):
            raise ConfigError(f'errors is "raise" or "emit", not {errors!r}')
        self.error: CompatAPIError | None = None
        self._writer, self._source, self._raises = writer, chunks, errors == "raise"
        self._pieces = self._run()

    def __iter__(self) -> Writing:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """End it, and close the source if that can be closed. Idempotent."""
        self._pieces.close()
        self._close_source()  # also when nothing was ever asked for, which a generator would not notice

    def _run(self) -> Generator[bytes, None, None]:
        end, writer = EndTracker(), self._writer
        try:
            try:
                for chunk in self._source:
                    end.add(chunk)
                    if piece := writer.feed(chunk):
                        yield piece
                # A stream knows its end mark; of other sources only the chunks tell.
                if not (end.is_finished or getattr(self._source, "is_complete", False)):
                    raise IncompleteStreamError("The chunks ended before the answer did")
                last = writer.close()
            except CompatAPIError as error:
                self.error = error
                last = writer.fail(error)
            if last:
                yield last
            if self.error is not None and self._raises:
                raise self.error
        finally:
            self._close_source()

    def _close_source(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


#: Characters that JSON leaves as they are and readers of lines may cut at, as Ollama's own client does (the line
#: boundaries of Python's `str.splitlines`): NEL, and the separators of lines and paragraphs, in UTF-8.
_CUTS = {char.encode(): b"\\u%04x" % ord(char) for char in "\u0085\u2028\u2029"}


def line(value: Any) -> bytes:
    """One line of newline-delimited JSON."""
    return as_line(jsontext.dumps(value))


def as_line(text: bytes) -> bytes:
    """A JSON text as a line that nobody cuts in two."""
    for char, escaped in _CUTS.items():
        if char in text:
            text = text.replace(char, escaped)
    return text + b"\n"


def event(type: str, **fields: Any) -> bytes:
    """One server-sent event whose type is in its data too, as Anthropic sends them."""
    return b"event: " + type.encode() + b"\ndata: " + jsontext.dumps({"type": type, **fields}) + b"\n\n"


def only_choice(chunk: ChatCompletionChunk, format: str) -> ChunkChoice | None:
    """The one choice that a format has a place for, or ``None`` if the chunk has none.

    Raises:
        ConfigError: There is another one.
    """
    if any(choice.index for choice in chunk.choices) or len(chunk.choices) > 1:
        raise ConfigError(f"The format {format} has one choice only; ask for n=1, or write it as SSE, NDJSON or JSON")
    return chunk.choices[0] if chunk.choices else None


#: What the errors that no server sent are called, the most specific first.
_CODES: tuple[tuple[type[CompatAPIError], str], ...] = (
    (IncompleteStreamError, "incomplete_stream"),
    (RequestTimeout, "timeout"),
    (ConnectionLost, "connection_lost"),
    (DecodeError, "bad_answer"),
    (ConfigError, "unsupported"),
)


def error_object(error: CompatAPIError) -> dict[str, Any]:
    """An error as OpenAI says it: message, type, param and code, and whatever else the server's own said."""
    if not isinstance(error, APIError):
        code = next((code for cls, code in _CODES if isinstance(error, cls)), None)
        return {"message": str(error), "type": "server_error", "param": None, "code": code}
    said = read_error(error.body)["message"] or str(error)  # ours has words in front of the server's
    inner = error.body.get("error") if isinstance(error.body, dict) else None
    fields = {"message": said, "type": error.type, "param": error.param, "code": error.code}
    return (
        fields | {key: value for key, value in inner.items() if key not in fields}
        if isinstance(inner, dict)
        else fields
    )
