"""Write chunks for others: as JSON, SSE, NDJSON, Ollama's stream or Anthropic's.

Each function takes any iterable of chunks, a `compatapi.ChatStream` above all, and gives an iterator of bytes, for a
WSGI response or a file. It is usable before the stream ends: each chunk is written when it comes. What a source that is
cut makes never looks complete: its error is written in the format's own words. `iter_chunks` is the other direction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from attrs import frozen

from compatapi.chat_types import ChatCompletionChunk
from compatapi.formats.anthropic import AnthropicWriter
from compatapi.formats.ollama import OllamaWriter
from compatapi.formats.plain import JSONWriter, NDJSONWriter, SSEWriter
from compatapi.formats.reading import READERS, ChunkReader, guess_format, iter_chunks
from compatapi.formats.writing import Writing

__all__ = [
    "FORMATS",
    "READERS",
    "ChunkReader",
    "Format",
    "Writing",
    "guess_format",
    "iter_anthropic",
    "iter_chunks",
    "iter_json",
    "iter_ndjson",
    "iter_ollama",
    "iter_sse",
]


def iter_json(chunks: Iterable[ChatCompletionChunk], *, errors: str = "raise") -> Writing:
    """The whole completion as one JSON document, at the end of the stream.

    An error gives ``{"error": {...}}`` in its place, with what was received before it as ``completion`` inside.

    Args:
        chunks: A stream, or any iterable of chunks. It is closed at the end, if it can be.
        errors: ``"raise"`` writes an error of the source and raises it again; ``"emit"`` only writes it, for a WSGI
            response, whose server has no use for it. `Writing.error` holds it in both cases.

    Raises:
        CompatAPIError: While iterating, what the source raises; `compatapi.IncompleteStreamError` when it ends before
            the answer does.
    """
    return Writing(JSONWriter(), chunks, errors=errors)


def iter_sse(chunks: Iterable[ChatCompletionChunk], *, errors: str = "raise") -> Writing:
    """Chunks as OpenAI streams them: ``data:`` events, then ``[DONE]``.

    An error gives ``data: {"error": {...}}`` and no ``[DONE]``. Arguments and errors are those of `iter_json`.
    """
    return Writing(SSEWriter(), chunks, errors=errors)


def iter_ndjson(chunks: Iterable[ChatCompletionChunk], *, errors: str = "raise") -> Writing:
    """Chunks as lines of JSON.

    An error gives a line ``{"error": {...}}``. Arguments and errors are those of `iter_json`.
    """
    return Writing(NDJSONWriter(), chunks, errors=errors)


def iter_ollama(
    chunks: Iterable[ChatCompletionChunk],
    *,
    errors: str = "raise",
    clock: Callable[[], float] = time.time,
    timer: Callable[[], int] = time.perf_counter_ns,
) -> Writing:
    """Lines as Ollama's ``/api/chat`` streams them; the last has ``done``, counts, and durations in nanoseconds.

    The durations are those of the chunks, if they come from Ollama; otherwise those of the call, for a `ChatStream`, or
    measured while iterating. Tool calls are written whole, at the end. An error gives a line ``{"error":
    text}`` and no ``done``.

    Args:
        chunks: As in `iter_json`.
        errors: As in `iter_json`.
        clock: The Unix time in seconds, for chunks that say none.
        timer: A clock in nanoseconds, for durations.

    Raises:
        ConfigError: While iterating, a second choice, or the call of a custom tool: Ollama has neither.
        DecodeError: While iterating, the arguments of a tool call are no JSON object at its end.
        CompatAPIError: As in `iter_json`.
    """
    stats = getattr(chunks, "stats", None)
    return Writing(OllamaWriter(clock=clock, timer=timer, stats=stats), chunks, errors=errors)


def iter_anthropic(chunks: Iterable[ChatCompletionChunk], *, errors: str = "raise") -> Writing:
    """The events of Anthropic's Messages API: one message, its blocks one after the other, then ``message_stop``.

    An error gives ``event: error`` and no ``message_stop``. Arguments and errors are those of `iter_json`.

    Raises:
        ConfigError: While iterating, a second choice, or the call of a custom tool: Anthropic has neither.
        CompatAPIError: As in `iter_json`.
    """
    return Writing(AnthropicWriter(), chunks, errors=errors)


@frozen
class Format:
    """One way to write chunks.

    Attributes:
        write: The function: chunks in, an iterator of bytes out.
        media_type: For the ``Content-Type`` of a response.
        ending: For the name of a file, with its dot.
    """

    write: Callable[..., Writing]
    media_type: str
    ending: str


#: The formats by name.
FORMATS: dict[str, Format] = {
    "anthropic": Format(iter_anthropic, "text/event-stream; charset=utf-8", ".sse"),
    "json": Format(iter_json, "application/json", ".json"),
    "ndjson": Format(iter_ndjson, "application/x-ndjson", ".ndjson"),
    "ollama": Format(iter_ollama, "application/x-ndjson", ".ndjson"),
    "sse": Format(iter_sse, "text/event-stream; charset=utf-8", ".sse"),
}
