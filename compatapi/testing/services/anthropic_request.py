"""What a request of Anthropic's Messages API asks, in the fields of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from compatapi.testing.services.base import as_json_text, without_none

__all__ = ["read_chat"]

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_CALL = ("type", "id", "name", "input")
_RESULT = ("type", "tool_use_id", "content")


def read_chat(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `ChatCompletionRequest`; what has no common name stays as it is."""
    left = dict(body)
    messages = [{"role": "system", "content": _content(left.pop("system"))}] if "system" in left else []
    for turn in left.pop("messages", ()):
        messages += _assistant(turn) if turn["role"] == "assistant" else _user(turn)
    made = {"model": left.pop("model", ""), "messages": messages, **_tools(left), **_thinking(left), **_output(left)}
    if "stop_sequences" in left:
        made["stop"] = left.pop("stop_sequences")
    if list(left.get("metadata") or ()) == ["user_id"]:
        made["user"] = left.pop("metadata")["user_id"]
    return {**left, **made}


# --- turns


def _content(content: Any) -> Any:
    """Text alone as text, else parts."""
    if isinstance(content, str):
        return content
    parts = [_part(block) for block in content or ()]
    return parts[0]["text"] if len(parts) == 1 and parts[0].keys() == {"type", "text"} else parts


def _part(block: dict[str, Any]) -> dict[str, Any]:
    source = block.get("source") or {}
    url = _data_url(source) if source.get("type") == "base64" else source.get("url")
    rest = {name: value for name, value in block.items() if name not in ("type", "source")}
    if block["type"] == "image" and url:
        return {"type": "image_url", "image_url": {"url": url}, **rest}
    if block["type"] == "document" and (url or "file_id" in source):
        name = rest.pop("title", None)
        return {
            "type": "file",
            "file": without_none(file_id=source.get("file_id"), file_data=url, filename=name),
            **rest,
        }
    return block


def _data_url(source: Mapping[str, str]) -> str:
    return f"data:{source['media_type']};base64,{source['data']}"


def _user(turn: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    content = turn["content"]
    blocks = [] if isinstance(content, str) else content
    for block in blocks:
        if block["type"] == "tool_result":
            rest = {name: value for name, value in block.items() if name not in _RESULT}
            said = _content(block.get("content") or "")
            yield {"role": "tool", "tool_call_id": block["tool_use_id"], "content": said, **rest}
    others = [block for block in blocks if block["type"] != "tool_result"]
    if others or not blocks:
        yield {"role": "user", "content": _content(others or content)}


def _assistant(turn: Mapping[str, Any]) -> list[dict[str, Any]]:
    if isinstance(turn["content"], str):
        return [{"role": "assistant", "content": turn["content"]}]
    message: dict[str, Any] = {"role": "assistant", "content": "", "reasoning_content": ""}
    details, calls, others = [], [], []
    for at, block in enumerate(turn["content"]):
        if block["type"] == "text":
            message["content"] += block["text"]
        elif block["type"] == "thinking":
            message["reasoning_content"] += block["thinking"]
            signed = without_none(signature=block.get("signature"))
            details.append({"type": "reasoning.text", "index": at, "text": block["thinking"], **signed})
        elif block["type"] == "redacted_thinking":
            details.append({"type": "reasoning.encrypted", "index": at, "data": block["data"]})
        elif block["type"] == "tool_use":
            calls.append(_call(block))
        else:
            others.append({"index": at, **block})
    lists = {"reasoning_details": details, "tool_calls": calls, "content_blocks": others}
    said = {**message, **{name: found for name, found in lists.items() if found}}
    return [{name: value for name, value in said.items() if value != ""}]


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": block["name"], "arguments": as_json_text(block.get("input") or {})}
    rest = {name: value for name, value in block.items() if name not in _CALL}
    return {"id": block["id"], "type": "function", "function": function, **rest}


# --- options


def _tools(left: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if "tools" in left:
        made["tools"] = [_tool(tool) for tool in left.pop("tools")]
    choice = left.pop("tool_choice", None)
    if choice is not None:
        named = {"type": "function", "function": {"name": choice.get("name")}}
        made["tool_choice"] = _CHOICES.get(choice["type"], named)
        if choice.get("disable_parallel_tool_use"):
            made["parallel_tool_calls"] = False
    return made


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if "input_schema" not in tool:
        return tool  # a tool of the service's own
    rest = {name: value for name, value in tool.items() if name not in ("type", "input_schema")}
    return {"type": "function", "function": {**rest, "parameters": tool["input_schema"]}}


def _thinking(left: dict[str, Any]) -> dict[str, Any]:
    thinking = left.get("thinking") or {}
    if thinking.get("type") == "disabled":
        del left["thinking"]
        return {"reasoning_effort": "none"}
    if thinking.keys() == {"type", "budget_tokens"}:
        del left["thinking"]
        return {"thinking_budget": thinking["budget_tokens"]}
    return {}


def _output(left: dict[str, Any]) -> dict[str, Any]:
    config = dict(left.pop("output_config", None) or {})
    made = without_none(reasoning_effort=config.pop("effort", None))
    if "format" in config:
        schema = config.pop("format").get("schema")
        made["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return {**made, "output_config": config} if config else made
