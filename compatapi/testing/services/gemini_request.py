"""What a request of the Gemini API asks, in the fields of ours. Names in snake_case are read too, as Google does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from compatapi.testing.services.base import as_json_text, without_none

__all__ = ["read_chat"]

_MODES = {"AUTO": "auto", "NONE": "none", "ANY": "required", "VALIDATED": "validated"}
_CONFIG = {
    "candidateCount": "n",
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "seed": "seed",
    "maxOutputTokens": "max_tokens",
    "stopSequences": "stop",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
}
_RESULT = ("id", "name", "response", "parts")


def read_chat(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `ChatCompletionRequest`; what has no common name stays as it is."""
    left = _camel(body)
    messages: list[dict[str, Any]] = []
    system = left.pop("systemInstruction", None)
    if system is not None:
        messages.append({"role": "system", "content": _content(_camel(system).get("parts") or ())})
    calls: list[tuple[str, str]] = []  # name and id of each, until its result comes
    for turn in left.pop("contents", ()):
        messages += _turn(turn, calls, sum(len(message.get("tool_calls", ())) for message in messages))
    made = {"messages": messages, **_tools(left), **_options(left)}
    return {**left, **made}


def _camel(value: Mapping[str, Any]) -> dict[str, Any]:
    return {re.sub(r"_([a-z])", lambda found: found[1].upper(), name): item for name, item in value.items()}


# --- turns


def _content(parts: Any) -> Any:
    """Text alone as text, else parts."""
    made = [_part(_camel(part)) for part in parts]
    return made[0]["text"] if len(made) == 1 and made[0].keys() == {"type", "text"} else made


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if isinstance(part.get("text"), str):
        return {"type": "text", **part}
    inline = _camel(part.get("inlineData") or {})
    media_type = inline.get("mimeType", "")
    url = f"data:{media_type};base64,{inline.get('data', '')}" if inline else None
    if inline and media_type.startswith("audio/"):
        sound = {"data": inline.get("data", ""), "format": media_type.partition("/")[2]}
        return {"type": "input_audio", "input_audio": sound}
    file = _camel(part.get("fileData") or {})
    if file:
        media_type, url = file.get("mimeType", ""), file.get("fileUri", "")
    if url is None:
        return {"type": next(iter(part), "empty"), **part}
    if media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"file_id" if file else "file_data": url}}


def _turn(turn: Mapping[str, Any], calls: list[tuple[str, str]], count: int) -> Iterator[dict[str, Any]]:
    parts = [_camel(part) for part in turn.get("parts") or ()]
    if turn.get("role") == "model":
        yield _model(parts, calls, count)
        return
    for part in parts:
        if "functionResponse" in part:
            yield _result(part["functionResponse"], calls)
    others = [part for part in parts if "functionResponse" not in part]
    if others or not parts:
        yield {"role": "user", "content": _content(others) if others else ""}


def _model(parts: list[dict[str, Any]], calls: list[tuple[str, str]], count: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant"}
    made: list[dict[str, Any]] = []
    details: list[dict[str, Any]] = []
    for part in parts:
        signature = part.get("thoughtSignature")
        if "functionCall" in part:
            call = part["functionCall"]
            # Older models give no ids; results are then matched by name and order.
            id = call.get("id") or f"call_{count + len(made)}"
            calls.append((call["name"], id))
            function = {"name": call["name"], "arguments": as_json_text(call.get("args") or {})}
            google = {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}
            made.append({"id": id, "type": "function", "function": function, **google})
            continue
        name = "reasoning_content" if part.get("thought") else "content"
        if "text" in part:
            message[name] = message.get(name, "") + part["text"]
        if signature or "text" not in part:
            details.append(part)
    lists = {"tool_calls": made, "content_blocks": details}
    return {**message, **{name: found for name, found in lists.items() if found}}


def _result(found: Mapping[str, Any], calls: list[tuple[str, str]]) -> dict[str, Any]:
    name, response = found["name"], found.get("response") or {}
    waiting = [call for call in calls if call == (name, found["id"])] if found.get("id") else []
    waiting = waiting or [call for call in calls if call[0] == name]
    id = found.get("id") or name
    if waiting:
        calls.remove(waiting[0])
        id = waiting[0][1]
    said = response["result"] if response.keys() == {"result"} else response
    rest = {name: value for name, value in found.items() if name not in _RESULT}
    return {"role": "tool", "tool_call_id": id, "name": name, "content": as_json_text(said), **rest}


# --- options


def _tools(left: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    tools: list[dict[str, Any]] = []
    for tool in left.pop("tools", ()):
        own = _camel(tool)
        tools += [_function(_camel(each)) for each in own.pop("functionDeclarations", ())]
        tools += [{name: value} for name, value in own.items()]
    if tools:
        made["tools"] = tools
    config = _camel(left.pop("toolConfig", None) or {})
    calling = _camel(config.pop("functionCallingConfig", None) or {})
    names = list(calling.get("allowedFunctionNames") or ())
    if calling.get("mode") in _MODES:
        made["tool_choice"] = _MODES[calling["mode"]]
        if calling["mode"] == "ANY" and len(names) == 1:
            made["tool_choice"] = {"type": "function", "function": {"name": names[0]}}
    return {**made, "toolConfig": config} if config else made


def _function(declared: dict[str, Any]) -> dict[str, Any]:
    schema = declared.pop("parametersJsonSchema", None) or declared.pop("parameters", None)
    return {"type": "function", "function": {**declared, **without_none(parameters=schema)}}


def _options(left: dict[str, Any]) -> dict[str, Any]:
    config = _camel(left.pop("generationConfig", None) or {})
    made = {name: config.pop(own) for own, name in _CONFIG.items() if own in config}
    schema = config.pop("responseJsonSchema", None) or config.pop("responseSchema", None)
    if config.get("responseMimeType") == "application/json":
        del config["responseMimeType"]
        json_schema = {"json_schema": {"name": "answer", "schema": schema}} if schema else {}
        made["response_format"] = {"type": "json_schema" if schema else "json_object", **json_schema}
    if "responseModalities" in config:
        made["modalities"] = [modality.lower() for modality in config.pop("responseModalities")]
    made |= _thinking(config)
    return {**made, "generationConfig": config} if config else made


def _thinking(config: dict[str, Any]) -> dict[str, Any]:
    thinking = _camel(config.pop("thinkingConfig", None) or {})
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    if level is not None:
        return {"reasoning_effort": level.lower()}
    if budget is not None and budget >= 0:
        return {"thinking_budget": budget}
    if thinking:
        config["thinkingConfig"] = thinking
    return {}
