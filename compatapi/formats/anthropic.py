"""Chunks as the events of Anthropic's Messages API ("Streaming messages" in its documentation).

A message begins, its blocks come one after the other (`compatapi.formats.blocks`), and it ends. What came from
Anthropic and has no place in a chunk is in `extra` (`compatapi.dialects.anthropic`), and goes out as it came in.
"""

from __future__ import annotations

import secrets
from typing import Any

from compatapi.chat_types import ChatCompletionChunk, ChunkChoice, Usage
from compatapi.dialects.anthropic.answer import FINISH_REASONS, STATUSES
from compatapi.errors import CompatAPIError, RequestTimeout
from compatapi.formats.blocks import Blocks
from compatapi.formats.writing import error_object, event, only_choice

__all__ = ["AnthropicWriter"]

#: Finish reasons in Anthropic's words; any other is written as it is.
_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_ERROR_TYPES = {status: kind for kind, status in STATUSES.items()}
#: The order of usage in the recordings; what else was said comes behind.
_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation", "output_tokens")
#: Fields of the end of a message that belong to Anthropic.
_OF_END = ("container",)
#: What is counted again at the end in any case.
_REPEATED = {name for name in _COUNTS if name != "cache_creation"}


class AnthropicWriter:
    """The state of one stream."""

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._is_started = False
        self._usage: dict[str, Any] = {}
        self._usage_at_start: dict[str, Any] = {}
        self._ends: dict[str, Any] = {"stop_reason": None, "stop_sequence": None}

    def feed(self, chunk: ChatCompletionChunk) -> bytes:
        """The events of one chunk."""
        choice = only_choice(chunk, "anthropic")
        if chunk.usage is not None:
            self._usage = _usage_object(chunk.usage)
        out = b"" if self._is_started else self._start(chunk)
        if choice is None:
            return out + _unknown_event(chunk)
        out += self._blocks.add(choice.delta)
        if choice.finish_reason is not None:
            self._ends |= _ends(choice)
            self._ends |= {name: chunk.extra[name] for name in _OF_END if name in chunk.extra}
        return out

    def close(self) -> bytes:
        """The end of the last block and of the message."""
        out = b"" if self._is_started else self._start(ChatCompletionChunk())
        # Numbers replace those of the start; what was said there and is the same is not said again.
        before = self._usage_at_start.items()
        usage = {name: n for name, n in self._usage.items() if name in _REPEATED or (name, n) not in before}
        delta, usage = self._ends, usage or {"output_tokens": 0}
        return out + self._blocks.close() + event("message_delta", delta=delta, usage=usage) + event("message_stop")

    def fail(self, error: CompatAPIError) -> bytes:
        """An event with an error object."""
        fields = {"type": _error_type(error), "message": error_object(error)["message"]}
        return event("error", error=fields, **({"request_id": error.request_id} if error.request_id else {}))

    def _start(self, chunk: ChatCompletionChunk) -> bytes:
        self._is_started = True
        self._usage_at_start = self._usage
        return event(
            "message_start",
            message={
                "id": chunk.id or f"msg_{secrets.token_hex(12)}",
                "type": "message",
                "role": "assistant",
                "model": chunk.model or "",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                # Its clients want the numbers, also where nobody has counted yet.
                "usage": self._usage or {"input_tokens": 0, "output_tokens": 0},
            },
        )


# --- words ----------------------------------------------------------------------------------------------------------


def _unknown_event(chunk: ChatCompletionChunk) -> bytes:
    """An event that the dialect kept because it did not know it."""
    value = chunk.extra.get("event")
    return event(**value) if isinstance(value, dict) and isinstance(value.get("type"), str) else b""


def _ends(choice: ChunkChoice) -> dict[str, Any]:
    reason, native = choice.finish_reason, choice.extra.get("native_finish_reason")
    is_own = isinstance(native, str) and FINISH_REASONS.get(native) == reason
    made = {"stop_reason": native if is_own else _STOP_REASONS.get(reason or "", reason)}
    return made | {name: choice.extra[name] for name in ("stop_sequence", "stop_details") if name in choice.extra}


def _usage_object(usage: Usage) -> dict[str, Any]:
    """Counts in Anthropic's way: its input tokens are those that no cache had."""
    made, details = dict(usage.extra) if "input_tokens" in usage.extra else {}, usage.prompt_tokens_details
    cached, written = (details.cached_tokens, details.cache_write_tokens) if details else (None, None)
    counts = {
        "input_tokens": max((usage.prompt_tokens or 0) - (cached or 0) - (written or 0), 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": usage.completion_tokens or 0,
    }
    made = {name: count for name, count in counts.items() if count is not None} | made
    thought = usage.completion_tokens_details and usage.completion_tokens_details.reasoning_tokens
    if thought is not None:
        made.setdefault("output_tokens_details", {"thinking_tokens": thought})
    return {name: made[name] for name in (*_COUNTS, *made) if name in made}


def _error_type(error: CompatAPIError) -> str:
    kind, status = getattr(error, "type", None), getattr(error, "status_code", None)
    if kind in STATUSES:
        return str(kind)
    if status in _ERROR_TYPES:
        return _ERROR_TYPES[status]
    return "timeout_error" if isinstance(error, RequestTimeout) else "api_error"
