"""What a host of the OpenAI form is sent: the request as it is, in the words that this host knows.

A request and the quirks of a row in, the JSON body out. The ways in which the reasoning of earlier turns goes back are
the values of `Quirks.reasoning_field`:

* ``""``: as it came. What came between think tags goes back between them, where the row has them.
* ``"content"``: inside the content, between think tags where the row has them, else as a thinking part (Mistral).
* ``"reasoning_details"``: the list of that name as it came, and the text as ``reasoning`` (OpenRouter).
* any other name: the text under it, and under no other.
* ``None``: not at all, because the host refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compatapi.chat_types import ChatCompletionRequest
from compatapi.convert import to_dict
from compatapi.dialects.fields import RequestFields, is_idle
from compatapi.dialects.thinking import Thinking, read_thinking, thinking_fields
from compatapi.dialects.thinktags import CLOSE, OPEN
from compatapi.http_types import Quirks, Target
from compatapi.message_types import Message

__all__ = ["request_body"]

#: What Anthropic says of a call.
_OF_CALLS = ("caller", "toolset_name")


def request_body(
    request: ChatCompletionRequest, target: Target, stream: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The JSON body, and those parts of it that may hold numbers.

    Raises:
        ConfigError: The host has no word for what the request says of reasoning, or a message holds what only another
            dialect has a word for.
    """
    body = to_dict(request)
    _say_thinking(body, request, target)
    if stream:
        body["stream"] = True
        if target.quirks.include_usage:
            body["stream_options"] = {"include_usage": True, **body.get("stream_options", {})}
    _rename(body, target)
    given, messages = request.messages, body["messages"]
    if "messages" in request.extra:  # which wins
        given = request.extra["messages"]
        messages = [to_dict(message) for message in given]
    fields = RequestFields("openai", request, target)
    numbers = [{name: value for name, value in body.items() if name != "messages"}]
    for at, message in enumerate(messages):
        if len(message) == 2 and "role" in message and message["role"] == "user" and "content" in message:
            # In a long conversation half of them are such, and there is nothing to do about them.
            if message["content"].__class__ is not str:
                numbers.append(message)
            continue
        messages[at] = _drop_foreign(fields, f"messages[{at}]", _encode_message(message, given[at], target.quirks))
        numbers.append(messages[at])
    body["messages"] = messages
    return body, numbers


def _rename(body: dict[str, Any], target: Target) -> None:
    names = dict(target.quirks.renames)
    if target.quirks.max_tokens:
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
        names[other[target.quirks.max_tokens]] = target.quirks.max_tokens
    for name, there in names.items():
        if name in body and there not in body:
            body[there] = body.pop(name)


def _say_thinking(body: dict[str, Any], request: ChatCompletionRequest, target: Target) -> None:
    """Put what the request says of reasoning into the host's words; what is in `extra` is the program's own word."""
    own, words = request.extra, target.quirks.thinking
    given = {name: body.pop(name, None) for name in ("reasoning_effort", "thinking_budget") if name not in own}
    if not any(value is not None for value in given.values()):
        return
    thinking = read_thinking(given.get("reasoning_effort"), given.get("thinking_budget"))
    while (fields := thinking_fields(thinking, words)) is None:
        is_budget = given.get("reasoning_effort") is None or (thinking.budget is not None and not words.budget)
        what = "thinking_budget" if is_budget else "reasoning_effort"
        RequestFields("openai", request, target).refuse(f"{what}={given[what]!r}", "at this host")
        thinking = Thinking(thinking.effort if is_budget else None)
    _merge(body, fields)


def _merge(body: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """Add fields, also inside of objects; what stands there already wins."""
    for name, value in fields.items():
        there = body.setdefault(name, value)
        if there is not value and isinstance(there, dict) and isinstance(value, Mapping):
            body[name] = there = dict(there)
            _merge(there, value)


def _encode_message(message: dict[str, Any], given: Message | Mapping[str, Any], quirks: Quirks) -> dict[str, Any]:
    message = _echo_reasoning(message, given, quirks)
    if message.get("role") == "developer" and not quirks.developer_role:
        return {**message, "role": "system"}
    audio = message.get("audio")
    if isinstance(audio, dict) and audio.get("id") and len(audio) > 1:
        return {**message, "audio": {"id": audio["id"]}}  # what was heard is named, not sent back (API reference, Chat)
    return message


# --- what our other dialects keep of their answers ------------------------------------------------------------------


def _drop_foreign(fields: RequestFields, where: str, message: dict[str, Any]) -> dict[str, Any]:
    """The message without what no host of this form knows; what is lost by that is refused."""
    foreign = [name for name in ("content_blocks", "images") if _is_foreign(name, message.get(name))]
    for name in foreign:
        fields.refuse(f"{where}.{name}")
    calls = message.get("tool_calls")
    if isinstance(calls, list) and any(map(_is_foreign_call, calls)):
        made = [_drop_foreign_of_call(fields, f"{where}.tool_calls[{at}]", call) for at, call in enumerate(calls)]
        message = {**message, "tool_calls": made}
    return {name: value for name, value in message.items() if name not in foreign} if foreign else message


def _is_foreign(name: str, value: Any) -> bool:
    # Images of Ollama are texts, those of OpenRouter parts.
    return bool(value) and (name != "images" or (isinstance(value, list) and isinstance(value[0], str)))


def _is_foreign_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and ("index" in function or any(name in call for name in _OF_CALLS))


def _drop_foreign_of_call(fields: RequestFields, where: str, call: dict[str, Any]) -> dict[str, Any]:
    if not _is_foreign_call(call):
        return call
    for name in _OF_CALLS:
        if name in call and not is_idle(name, call[name]):
            fields.refuse(f"{where}.{name}")
    function = {name: value for name, value in call["function"].items() if name != "index"}
    return {**{name: value for name, value in call.items() if name not in _OF_CALLS}, "function": function}


# --- the reasoning of earlier turns ---------------------------------------------------------------------------------

#: The names that hosts give it. They hold the same text (rule 7).
_NAMES = ("reasoning_content", "reasoning", "reasoning_details")


def _echo_reasoning(wire: dict[str, Any], given: Message | Mapping[str, Any], quirks: Quirks) -> dict[str, Any]:
    """The message ``wire``, which is what is written of ``given``, for a host with these quirks."""
    field, details = quirks.reasoning_field, wire.get("reasoning_details")
    if field is None and isinstance(wire.get("tool_calls"), list):
        wire = {**wire, "tool_calls": [_unsigned(call) for call in wire["tool_calls"]]}
    if wire.get("role") != "assistant" or (field == "" and (details or not quirks.think_tags)):
        return wire
    made = {name: value for name, value in wire.items() if name not in _NAMES}
    if _is_split(given):
        if field == "content" and isinstance(wire.get("content"), list):
            return made  # it stands in there as it came
        made["content"] = given.content  # type: ignore[union-attr]
    if field == "reasoning_details":
        made |= {field: details} if details else {}
        field = "reasoning"
    text = _reasoning_of(wire, given)
    if field is None or not text:
        return made
    return {**made, field: text} if field not in ("", "content") else _inside(made, text, quirks)


def _unsigned(call: Any) -> Any:
    """A call without the signature that Google puts on it, which is sealed reasoning too."""
    if not isinstance(call, dict) or "extra_content" not in call:
        return call
    return {name: value for name, value in call.items() if name != "extra_content"}


def _reasoning_of(wire: Mapping[str, Any], given: Message | Mapping[str, Any]) -> str:
    if isinstance(given, Message):
        return given.reasoning_content or _text(given.extra.get("reasoning"))
    return _text(wire.get("reasoning_content")) or _text(wire.get("reasoning"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_split(given: Message | Mapping[str, Any]) -> bool:
    """Whether the content as it came holds more than the text, which is its reading then."""
    return isinstance(given, Message) and given.wire_value("content") != given.content


def _inside(wire: dict[str, Any], text: str, quirks: Quirks) -> dict[str, Any]:
    content, tagged = wire.get("content"), f"{OPEN}{text}{CLOSE}"
    if quirks.think_tags and not isinstance(content, list):
        return {**wire, "content": f"{tagged}{content or ''}"}
    part: dict[str, Any] = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
    if quirks.think_tags:
        part = {"type": "text", "text": tagged}
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
    return {**wire, "content": [part, *parts]}
