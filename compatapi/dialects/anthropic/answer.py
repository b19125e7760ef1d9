"""The events of a stream of the Messages API, and whole messages, as chunks; what is in the blocks is not told here.

An event of a type that nobody knew when this was written is kept as ``event`` in the `extra` of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from compatapi import jsontext
from compatapi.chat_types import ChatCompletionChunk, CompletionTokensDetails, Delta, PromptTokensDetails, Usage
from compatapi.dialects.anthropic.blocks import Blocks, text_of, without
from compatapi.dialects.api_errors import is_error, stream_error
from compatapi.dialects.forms import CONTENT, Tell
from compatapi.dialects.native import ChunkMaker, EventReader, count, finish_fields
from compatapi.errors import DecodeError, cut
from compatapi.framing import Frame
from compatapi.wire import wire_names

__all__ = ["FINISH_REASONS", "STATUSES", "AnthropicChunkDecoder"]

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
#: What stands beside a stop reason.
_STOPS = ("stop_sequence", "stop_details")

#: The status that an error in a stream would have had (page "Errors").
STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """The common counts, and in `extra` what the server says besides."""
    details = raw.get("output_tokens_details")
    thought = count(details.get("thinking_tokens")) if isinstance(details, dict) else None
    names = ("output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    counts = {name: number for name in names if (number := count(raw.get(name))) is not None}
    completion, cached, written = map(counts.get, names)
    prompt = count(raw.get("input_tokens"))
    if prompt is not None:  # what was cached is not counted there
        prompt += (cached or 0) + (written or 0)
    known = {*counts, *wire_names(Usage)}
    return Usage(
        prompt,
        completion,
        None if prompt is None or completion is None else prompt + completion,
        None if cached is None and written is None else PromptTokensDetails(cached, cache_write_tokens=written),
        None if thought is None else CompletionTokensDetails(thought),
        extra={name: value for name, value in raw.items() if name not in known},
    )


class AnthropicChunkDecoder:
    """Events of one stream in, chunks out.

    Args:
        created: Unix time in seconds; the service tells none.
    """

    #: The data of an event names its type too, and that is what counts.
    names_matter = False

    def __init__(self, created: int) -> None:
        self.done = False
        self._maker = ChunkMaker(created)
        self._reader = EventReader()
        self._blocks = Blocks()
        self._is_started = False
        self._usage: dict[str, Any] = {}

    def known(self, data: str) -> ChatCompletionChunk | None:
        """The chunk of an event that is like many before it; else ``None``."""
        return self._reader.known(_unpadded(data))

    def decode(self, frame: Frame) -> Iterable[ChatCompletionChunk]:
        """The chunks of one frame."""
        try:
            value = self._reader.loads(frame.data)
        except DecodeError as error:
            return self._decode_text(frame, error)
        if value.__class__ is not dict:
            if frame.event == "error" or is_error(value):
                raise stream_error(value)
            raise DecodeError(f"An event of the stream is no JSON object: {cut(frame.data, 200)!r}", data=cut(value))
        kind = value.get("type", "" if frame.event == "message" else frame.event)  # of an event without a name
        if kind == "content_block_delta":  # nearly all are
            chunks = self._block_delta(value)
            if len(chunks) == 1:
                self._reader.learn(_unpadded(frame.data), chunks[0], self._read_plain, self._tell)
            return chunks
        handler = _EVENTS.get(kind) if isinstance(kind, str) else None
        if handler is not AnthropicChunkDecoder._ping:
            self._reader.forget()  # what a delta means may be another thing from now on
        return handler(self, value) if handler is not None else self._other(value, frame)

    def _read_plain(self, text: str) -> ChatCompletionChunk | None:
        """The chunk of a delta that changes nothing but the length of the text."""
        value = jsontext.loads(text)
        delta = self._blocks.plain(value.get("index"), value["delta"])
        return None if delta is None else self._maker.chunk(delta)

    def _tell(self, chunk: ChatCompletionChunk) -> Tell | None:
        return (CONTENT, self._blocks.spoke) if chunk.text else None

    def _decode_text(self, frame: Frame, error: DecodeError) -> Iterable[ChatCompletionChunk]:
        """A frame that is not one JSON text: what relays add, or events without the blank line between them."""
        text = frame.data.strip()
        if text.startswith("[DONE]"):
            self.done = True
            return ()
        lines = text.split("\n")
        if len(lines) > 1:
            return self._decode_lines(lines, frame)
        if not text:
            return ()
        if frame.event == "error":
            raise stream_error(text)
        raise error

    def _decode_lines(self, lines: list[str], frame: Frame) -> Iterator[ChatCompletionChunk]:
        # One at a time, so that the chunks in front of a fault are out before it is raised.
        for line in lines:
            if not self.done:
                yield from self.decode(Frame(line, frame.event, frame.id, frame.retry))

    def _other(self, value: dict[str, Any], frame: Frame) -> list[ChatCompletionChunk]:
        if frame.event == "error" or value.get("error") or ("type" not in value and is_error(value)):
            raise stream_error(value, STATUSES)
        return [self._maker.chunk(extra={"event": value})]

    def _error(self, value: dict[str, Any]) -> list[ChatCompletionChunk]:
        raise stream_error(value, STATUSES)

    def _ping(self, value: dict[str, Any]) -> list[ChatCompletionChunk]:
        return []

    def _end(self, value: dict[str, Any]) -> list[ChatCompletionChunk]:
        self.done = True
        return []

    def _start(self, value: dict[str, Any]) -> list[ChatCompletionChunk]:
        message = value.get("message")
        if self._is_started or not isinstance(message, dict):
            return []  # relays start twice
        if message.get("error"):
            raise stream_error(message, STATUSES)
        self._is_started = True
        self._maker.id, self._maker.model = (text_of(message.get(name)) or None for name in ("id", "model"))
        delta = Delta(text_of(message.get("role")) or "assistant")
        extra = without(message, "id", "type", "role", "model", "content", "usage", "stop_reason", *_STOPS)
        deltas = [delta for block in _list(message.get("content")) for delta in self._whole_block(block)]
        return [self._maker.chunk(delta, usage=self._add_usage(message), extra=extra), *map(self._maker.chunk, deltas)]

    def _whole_block(self, block: Any) -> list[Delta]:
        return [delta for delta in (self._blocks.open(None, block), self._blocks.close(None)) if delta is not None]

    def decode_message(self, value: dict[str, Any]) -> list[ChatCompletionChunk]:
        """A whole message, as its events would have told it."""
        chunks = self._start({"message": value})
        return chunks + self._message_delta({"delta": {name: value.get(name) for name in ("stop_reason", *_STOPS)}})

    def _message_delta(self, value: dict[str, Any]) -> list[ChatCompletionChunk]:
        delta = value.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        reason, choice = finish_fields(delta.get("stop_reason"), FINISH_REASONS)
        choice |= {name: delta[name] for name in _STOPS if delta.get(name) is not None}
        extra = {**without(delta, "stop_reason", *_STOPS), **without(value, "type", "delta", "usage")}
        usage = self._add_usage(value)
        if reason is None and usage is None and not choice and not extra:
            return []
        return [self._maker.chunk(Delta(), finish_reason=reason, usage=usage, choice_extra=choice, extra=extra)]

    def _add_usage(self, value: Mapping[str, Any]) -> Usage | None:
        """Usage is told twice: the later numbers replace the earlier ones, key by key."""
        usage = value.get("usage")
        if not isinstance(usage, dict):
            return None
        self._usage |= {name: number for name, number in usage.items() if number is not None}
        return read_usage(self._usage) if self._usage else None

    def _block_start(self, value: dict[str, Any]) -> list[ChatCompletionChunk]:
        delta = self._blocks.open(value.get("index"), value.get("content_block"))
        return [] if delta is None else [self._maker.chunk(delta)]

    def _block_delta(self, value: dict[str, Any]) -> list[ChatCompletionChunk]:
        delta = value.get("delta")
        if not isinstance(delta, dict):
            return []
        return [self._maker.chunk(made) for made in self._blocks.add(value.get("index"), delta)]

    def _block_stop(self, value: dict[str, Any]) -> list[ChatCompletionChunk]:
        delta = self._blocks.close(value.get("index"))
        return [] if delta is None else [self._maker.chunk(delta)]


def _unpadded(data: str) -> str:
    """The same JSON text without the spaces that the service puts at its end, so that sizes tell nothing."""
    return data[:-1].rstrip(" ") + "}" if data.endswith(" }") else data


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_EVENTS: dict[str, Callable[[AnthropicChunkDecoder, dict[str, Any]], list[ChatCompletionChunk]]] = {
    "content_block_start": AnthropicChunkDecoder._block_start,
    "content_block_stop": AnthropicChunkDecoder._block_stop,
    "error": AnthropicChunkDecoder._error,
    "message": AnthropicChunkDecoder.decode_message,
    "message_delta": AnthropicChunkDecoder._message_delta,
    "message_start": AnthropicChunkDecoder._start,
    "message_stop": AnthropicChunkDecoder._end,
    "ping": AnthropicChunkDecoder._ping,
}
