"""Chunks as the lines of Ollama's ``/api/chat`` (``docs/api.md`` and ``api/types.go`` of ollama/ollama).

A chunk with text or reasoning is one line, at once. Tool calls come in fragments elsewhere and whole here, so they are
collected until the finish reason. The last line waits for the end of the source, because usage comes behind the finish
reason. Chunks that came from Ollama have ``created_at`` and the rest of their line in `extra` (`compatapi.dialects.
ollama`); their lines go out as they came in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from compatapi import jsontext
from compatapi.chat_types import (
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FunctionCallDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from compatapi.convert import to_dict
from compatapi.dialects.api_errors import read_error
from compatapi.errors import APIError, CompatAPIError, ConfigError, DecodeError, cut
from compatapi.formats.writing import line, only_choice
from compatapi.stats import Stats
from compatapi.toolcalls import GrowingCall, ToolCallSlots

__all__ = ["OllamaWriter"]

#: Finish reasons that Ollama says otherwise: it ends with "stop" when there are tool calls.
_DONE_REASONS = {"tool_calls": "stop", "function_call": "stop"}


class OllamaWriter:
    """The state of one stream.

    Args:
        clock: The Unix time in seconds.
        timer: A clock in nanoseconds.
        stats: The numbers of the call that the chunks come from, which began before they did.
    """

    def __init__(self, *, clock: Callable[[], float], timer: Callable[[], int], stats: Stats | None = None) -> None:
        self._clock, self._timer, self._stats = clock, timer, stats
        self._started = timer()
        self._first: int | None = None
        self._model = ""
        self._created: int | None = None
        self._slots = ToolCallSlots()
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._last: bytes | None = None  # the last line, if it came from Ollama

    def feed(self, chunk: ChatCompletionChunk) -> bytes:
        """The lines of one chunk."""
        if self._first is None:
            self._first = self._timer()
        self._model = chunk.model or self._model
        self._created = chunk.created or self._created
        self._usage = chunk.usage or self._usage
        choice = only_choice(chunk, "ollama")
        if choice is None:
            return b""
        if isinstance(chunk.extra.get("created_at"), str):
            made = _line_again(chunk, choice, self._model)
            if not made["done"]:
                return line(made)
            self._last = line(made)  # an error may still come
            return b""
        self._collect(choice.delta)
        out = self._say(choice)
        if choice.finish_reason is not None:
            self._finish = choice.finish_reason
            out += self._calls()
        return out

    def close(self) -> bytes:
        """The last line; in front of it the tool calls, if no finish reason has come."""
        if self._last is not None:
            return self._last
        reason = {"done_reason": _DONE_REASONS.get(self._finish, self._finish)} if self._finish else {}
        return self._calls() + self._line({"content": ""}, **reason, done=True, **self._counts())

    def fail(self, error: CompatAPIError) -> bytes:
        """A line with the text of the error: Ollama has no other fields for it."""
        said = read_error(error.body)["message"] if isinstance(error, APIError) else None
        return line({"error": said or str(error)})

    def _line(self, message: dict[str, Any], **rest: Any) -> bytes:
        return line(
            {
                "model": self._model,
                "created_at": _time_text(self._created) or _time_text(self._clock()),
                "message": {"role": "assistant", **message},
                **rest,
            }
        )

    def _say(self, choice: ChunkChoice) -> bytes:
        delta = choice.delta
        message = {"content": (delta.content or "") + (delta.refusal or "")}
        if delta.reasoning_content:
            message["thinking"] = delta.reasoning_content
        rest = _logprobs(choice)
        return self._line(message, done=False, **rest) if any(message.values()) or rest else b""

    def _collect(self, delta: Delta) -> None:
        if delta.tool_calls:
            self._slots.add(delta.tool_calls)
        if delta.function_call is not None:  # the form of 2023
            self._slots.add([ToolCallDelta(0, function=delta.function_call)])

    def _calls(self) -> bytes:
        """A line with the tool calls, each once."""
        calls, self._slots = self._slots.calls, ToolCallSlots()
        made = [_call_object(calls[slot].build(), place) for place, slot in enumerate(sorted(calls))]
        return self._line({"content": "", "tool_calls": made}, done=False) if made else b""

    def _counts(self) -> dict[str, int]:
        """Counts and durations; what nobody counted or measured is not there."""
        usage, (first, total) = self._usage or Usage(), self._durations()
        found = {
            "total_duration": total,
            "prompt_eval_count": usage.prompt_tokens,
            "prompt_eval_duration": first,
            "eval_count": usage.completion_tokens,
            "eval_duration": total - first,
        }
        return {name: value for name, value in found.items() if value is not None}

    def _durations(self) -> tuple[int, int]:
        """Nanoseconds until the first chunk, and until now."""
        stats, now = self._stats, self._timer()
        if stats is not None and stats.first_data is not None and stats.total is not None:
            return int(stats.first_data * 1e9), int(stats.total * 1e9)
        return (self._first or now) - self._started, now - self._started


# --- lines that came from Ollama ------------------------------------------------------------------------------------

#: Ids of `compatapi.toolcalls.new_call_id`: there was none on the wire. Those of Ollama are shorter.
_MADE_UP = re.compile(r"call_[0-9a-f]{24}")


def _line_again(chunk: ChatCompletionChunk, choice: ChunkChoice, model: str) -> dict[str, Any]:
    """The line that a chunk was, with its keys in their order."""
    delta, rest = choice.delta, dict(chunk.extra)
    unknown = {name: value for name, value in choice.extra.items() if name != "native_finish_reason"}
    message: dict[str, Any] = {"role": delta.role or "assistant", "content": delta.content or ""}
    if delta.reasoning_content:
        message["thinking"] = delta.reasoning_content
    if delta.tool_calls:
        message["tool_calls"] = [_call_again(call) for call in delta.tool_calls]
    made = {"model": model, "created_at": rest.pop("created_at"), "message": message | delta.extra | unknown}
    made |= rest if rest.get("done") else {"done": False, **rest}
    return made | _logprobs(choice)


def _call_again(fragment: ToolCallDelta) -> dict[str, Any]:
    growing = GrowingCall()
    growing.add(fragment)
    call, index = growing.build(), (fragment.function or FunctionCallDelta()).extra.get("index")
    made = _call_object(call, index)
    if index is None:
        del made["function"]["index"]
    if _MADE_UP.fullmatch(call.id):
        del made["id"]
    return made


# --- words ----------------------------------------------------------------------------------------------------------


def _logprobs(choice: ChunkChoice) -> dict[str, Any]:
    tokens = choice.logprobs.content if choice.logprobs is not None else None
    return {"logprobs": [to_dict(token) for token in tokens]} if tokens else {}


def _call_object(call: ToolCall, place: Any) -> dict[str, Any]:
    if call.custom is not None:
        raise ConfigError(f"Ollama has no custom tools: the input of {call.name!r} is no JSON object")
    return {"id": call.id, "function": {"index": place, "name": call.name, "arguments": _arguments(call)}}


def _arguments(call: ToolCall) -> dict[str, Any]:
    try:
        return jsontext.mend_halves(call.parse_arguments())  # type: ignore[no-any-return]
    except (ValueError, RecursionError) as error:
        raise DecodeError(
            f"The arguments of {call.name!r} are no JSON object, which Ollama needs: {cut(call.arguments, 80)!r}",
            data=cut(call.arguments),
        ) from error


def _time_text(seconds: float | None) -> str | None:
    """A time as RFC 3339 says it, in UTC; ``None`` for what is no time."""
    try:
        when = None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, OSError, ValueError):  # some servers count otherwise than in seconds
        return None
    return None if when is None else when.isoformat().replace("+00:00", "Z")
