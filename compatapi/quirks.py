"""How known things are read when a server writes them in another shape.

Tables that `compatapi.convert` builds into its hooks. What they give is a *reading*: the attribute holds it, the object
remembers what stood on the wire (`WireType.wire_value`), and only that is written back. Rules by number are those of
"OpenAI-compatible servers" in the documentation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from compatapi import jsontext
from compatapi.chat_types import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    CompletionTokensDetails,
    ContentPart,
    Delta,
    FunctionCall,
    FunctionCallDelta,
    Message,
    PromptTokensDetails,
    RefusalPart,
    TextPart,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from compatapi.errors import ConfigError
from compatapi.wire import Extra, WireType, wire_names

__all__ = ["ABSENT", "AFTER", "ALONE", "LENIENT", "UNREADABLE", "apply_readings", "text_of", "thinking_of"]

#: What a reader of LENIENT gives for a value that it cannot read either.
UNREADABLE = object()

#: A string field that most objects of a class hold and nothing else.
ALONE: dict[type, str] = {Delta: "content"}

#: What a required field is read as where servers are known to leave it out or to send null.
ABSENT: dict[tuple[type, str], Any] = {
    (Message, "role"): "assistant",
    (ToolCall, "id"): "",
    (FunctionCall, "name"): "",
    (ContentPart, "type"): "",
    (TextPart, "text"): "",
}


def text_of(parts: Iterable[Any]) -> str:
    """The text of content parts (dicts or objects); what is no text adds nothing."""
    return "".join(_part_text(part) for part in parts)


def thinking_of(parts: Iterable[Any]) -> str:
    """The text of thinking parts: ``{"type": "thinking", "thinking": text or parts}``."""
    found = ""
    for part in parts:
        fields = part.extra if isinstance(part, ContentPart) else part if isinstance(part, dict) else {}
        thinking = fields.get("thinking")
        found += thinking if isinstance(thinking, str) else text_of(thinking) if isinstance(thinking, list) else ""
    return found


def _part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, TextPart):
        return part.text
    text = part.get("text") if isinstance(part, dict) and part.get("type", "text") == "text" else None
    return text if isinstance(text, str) else ""


def _content(value: Any) -> Any:
    # Rule 8: content as an array of parts.
    return (text_of(value) or None) if isinstance(value, list) else UNREADABLE


def _arguments(value: Any) -> Any:
    # Rule 12: arguments as an object.
    try:
        return jsontext.dumps(value).decode() if isinstance(value, dict | list) else UNREADABLE
    except ConfigError:  # a number that is no finite float, such as 1e400
        return UNREADABLE


def _created(value: Any) -> Any:
    # Rule 18: created as a float or as text.
    try:
        return None if isinstance(value, bool | list | dict) else int(float(value))
    except (ValueError, OverflowError):
        return None


def _id(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else UNREADABLE


def _count(value: Any) -> Any:
    # Rule 20: numbers in usage may be floats.
    return int(value) if isinstance(value, float) and math.isfinite(value) else UNREADABLE


def _one_call(value: Any) -> Any:
    # Older TGI: one tool call where a list belongs.
    return [value] if isinstance(value, dict) else UNREADABLE


#: Readers for values of another JSON type than the field's.
LENIENT: dict[tuple[type, str], Callable[[Any], Any]] = {
    (Delta, "content"): _content,
    (FunctionCallDelta, "arguments"): _arguments,
    (FunctionCall, "arguments"): _arguments,
    (ChatCompletionChunk, "created"): _created,
    (ChatCompletion, "created"): _created,
    (ChatCompletionChunk, "id"): _id,
    (ChatCompletion, "id"): _id,
    (ToolCallDelta, "id"): _id,
    (ToolCall, "id"): _id,
    (Usage, "prompt_tokens"): _count,
    (Usage, "completion_tokens"): _count,
    (Usage, "total_tokens"): _count,
    (Delta, "tool_calls"): _one_call,
    **{(cls, name): _count for cls in (PromptTokensDetails, CompletionTokensDetails) for name in wire_names(cls)},
}


def _read_reasoning(self: WireType) -> None:
    """Rule 7: the first of several names for the same reasoning text, never two of them joined."""
    if self.reasoning_content:  # type: ignore[attr-defined]
        return
    extra, content = self.extra, self.wire_value("content")
    text = extra.get("reasoning")
    if not isinstance(text, str) or not text:
        text = _details_text(extra.get("reasoning_details"))
    if not text and isinstance(content, list | tuple):
        text = thinking_of(content)
    if text:
        self.set_reading("reasoning_content", text)


def _details_text(details: Any) -> str:
    if not isinstance(details, list):
        return ""
    texts = [d.get("text") or d.get("summary") for d in details if isinstance(d, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _read_message(choice: WireType) -> None:
    """Rule 8 for a whole answer. A content of other parts than text, thinking and refusal stays as it is."""
    message: Message = choice.message  # type: ignore[attr-defined]
    parts = message.content
    if isinstance(parts, tuple) and all(
        isinstance(part, TextPart | RefusalPart) or (isinstance(part, ContentPart) and part.type == "thinking")
        for part in parts
    ):
        message.set_reading("content", text_of(parts) or None)
        refusal = "".join(part.refusal for part in parts if isinstance(part, RefusalPart))
        if refusal and not message.refusal:
            message.set_reading("refusal", refusal)
        _read_reasoning(message)


def _read_usage(chunk: WireType) -> None:
    """Rule 15: usage in ``x_groq``."""
    groq = chunk.extra.get("x_groq")
    usage = groq.get("usage") if isinstance(groq, dict) else None
    if chunk.usage is None and isinstance(usage, dict):  # type: ignore[attr-defined]
        chunk.set_reading("usage", usage_from(usage))


def usage_from(data: Mapping[str, Any]) -> Usage | None:
    """Usage from a dict that may hold other things too; ``None`` when it counts no tokens."""
    known: dict[str, Any] = _counts(Usage, data)
    if not known:
        return None
    for name, cls in (
        ("prompt_tokens_details", PromptTokensDetails),
        ("completion_tokens_details", CompletionTokensDetails),
    ):
        details = data.get(name)
        if isinstance(details, dict):
            counts = _counts(cls, details)
            known[name] = cls(**counts, extra=Extra({k: v for k, v in details.items() if k not in counts}))
    return Usage(**known, extra=Extra({k: v for k, v in data.items() if k not in known}))


def _counts(cls: type[WireType], data: Mapping[str, Any]) -> dict[str, int]:
    found = ((name, data.get(name)) for name in wire_names(cls))
    return {name: int(count) for name, count in found if isinstance(count, int | float) and math.isfinite(count)}


#: Keys whose presence (or any reading) asks for a second look at the finished object, and who takes it.
AFTER: dict[type, tuple[tuple[str, ...], Callable[[WireType], None]]] = {
    Delta: (("reasoning", "reasoning_details"), _read_reasoning),
    Message: (("reasoning", "reasoning_details"), _read_reasoning),
    Choice: (("message",), _read_message),
    ChatCompletionChunk: (("x_groq",), _read_usage),
}


def apply_readings(self: WireType, data: Mapping[str, Any], readings: Mapping[str, tuple[Any, Any]]) -> None:
    """Keep beside an object what stood on the wire where its attributes hold a reading."""
    known = wire_names(type(self))
    extra = Extra({name: value for name, value in data.items() if name not in known}, readings)
    object.__setattr__(self, "_extra", extra)
