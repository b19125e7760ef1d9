"""The other direction: a recorded body of any known form as chunks, for a format to write."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from compatapi import jsontext
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest
from compatapi.decoding import StreamDecoder
from compatapi.dialects import DIALECTS
from compatapi.dialects.base import Dialect
from compatapi.dialects.openai import OpenAIDialect
from compatapi.errors import ConfigError, DecodeError
from compatapi.framing import NDJSONDecoder, SSEDecoder

__all__ = ["READERS", "ChunkReader", "guess_format", "iter_chunks"]


class ChunkLines(OpenAIDialect):
    """OpenAI's chunks as lines of JSON, as `compatapi.formats.iter_ndjson` writes them."""

    name = "ndjson"
    decoder = NDJSONDecoder


#: What can be read, by name: the dialects, and the formats. A whole completion is read by the dialect of its stream.
READERS: dict[str, str | Dialect] = {
    **{name: name for name in DIALECTS},
    "json": "openai",
    "ndjson": ChunkLines(),
    "sse": "openai",
}


class ChunkReader:
    """An iterator of the chunks in the pieces of a body.

    Attributes:
        completion: The answer so far.
        is_complete: Whether the answer is whole, by its end mark or its finish reasons.
    """

    def __init__(self, pieces: Iterable[bytes], dialect: str | Dialect) -> None:
        self._decoder = StreamDecoder(dialect, ChatCompletionRequest("", ()))
        self._chunks = self._read(pieces)

    def __iter__(self) -> ChunkReader:
        return self

    def __next__(self) -> ChatCompletionChunk:
        return next(self._chunks)

    @property
    def completion(self) -> ChatCompletion:
        return self._decoder.completion

    @property
    def is_complete(self) -> bool:
        return self._decoder.is_complete

    def close(self) -> None:
        """Read no more."""
        self._chunks.close()

    def _read(self, pieces: Iterable[bytes]) -> Generator[ChatCompletionChunk, None, None]:
        decoder = self._decoder
        for piece in pieces:
            yield from decoder.feed(piece)
            decoder.check()  # now, not with bytes that may be long in coming
            if decoder.done:
                return
        yield from decoder.close()
        decoder.check()


def iter_chunks(pieces: Iterable[bytes] | bytes, source: str | Dialect) -> ChunkReader:
    """The chunks in a body, as its pieces come, cut anywhere.

    Args:
        pieces: The body, or its pieces. It may be a stream, or a whole answer.
        source: What the body is: a name of `READERS`, or a dialect of your own.

    Raises:
        ConfigError: There is no such name.
        CompatAPIError: While iterating, what `compatapi.StreamDecoder` raises.
    """
    if isinstance(source, str):
        if source not in READERS:
            raise ConfigError(f"There is no form {source!r} to be read; there are {', '.join(sorted(READERS))}")
        source = READERS[source]
    return ChunkReader([pieces] if isinstance(pieces, bytes) else pieces, source)


# --- what a body is -------------------------------------------------------------------------------------------------

_Value = dict[str, Any]

#: How the first words of each form are told from all others: as events, and as lines or documents.
_MARKS: tuple[tuple[str, str, Callable[[_Value], bool]], ...] = (
    ("anthropic", "anthropic", lambda value: value.get("type") == "message_start"),
    ("anthropic", "anthropic", lambda value: value.get("type") == "message" and "stop_reason" in value),
    ("openai", "ndjson", lambda value: value.get("object") == "chat.completion.chunk"),
    ("openai", "ndjson", lambda value: _has_delta(value.get("choices"))),
    ("openai", "json", lambda value: value.get("object") == "chat.completion"),
    ("gemini", "gemini", lambda value: isinstance(value.get("candidates"), list)),
    ("ollama", "ollama", lambda value: isinstance(value.get("done"), bool) and "created_at" in value),
)


def _has_delta(choices: Any) -> bool:
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and isinstance(first.get("delta"), dict)


def guess_format(start: bytes, *, is_whole: bool = False) -> str | None:
    """The name in `READERS` of what a body is, by its first event, line or document; ``None`` while that is not sure.

    Args:
        start: The body so far.
        is_whole: Whether that is all of it.
    """
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"{":
        first, end, _ = text.partition(b"\n")
        found = _guess(first, is_event=False) if end or is_whole else None
        return found or (_guess(text, is_event=False) if is_whole else None)  # a document on several lines
    events = SSEDecoder()
    frames = [*events.feed(text), *([events.unfinished] if is_whole else [])]
    names = (_guess(frame.data.encode(), is_event=True) for frame in frames if frame is not None)
    return next((name for name in names if name), None)


def _guess(text: bytes, *, is_event: bool) -> str | None:
    try:
        value = jsontext.loads(text)
    except DecodeError:
        return None
    if not isinstance(value, dict):
        return None
    found = ((as_event, as_line) for as_event, as_line, is_it in _MARKS if is_it(value))
    return next((as_event if is_event else as_line for as_event, as_line in found), None)
