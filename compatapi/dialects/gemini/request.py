"""Requests in the words of the Gemini API: options, tools, and the turns of the conversation.

`encode_body` takes the fields of a request and gives the JSON body. Schemas are sent as ``parametersJsonSchema`` and
``responseJsonSchema``, which take JSON Schema as it is; the older ``parameters`` and ``responseSchema`` are a subset of
OpenAPI that refuses half of what programs write. The name of a schema is a label for people and is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from attrs import evolve

from compatapi.chat_types import ChatCompletionRequest, FunctionDefinition, ResponseFormat, Tool
from compatapi.dialects.fields import RequestFields
from compatapi.dialects.gemini.turns import encode_turns, major_version
from compatapi.http_types import Target

__all__ = ["encode_body", "spelled"]

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "validated": "VALIDATED"}
_DECLARATION = ("response", "responseJsonSchema", "behavior")
_LEVELS = ("minimal", "low", "medium", "high")


def spelled(*names: str) -> dict[str, str]:
    """Names of the wire by both of their spellings, of which Google reads either."""
    return {spelling: name for name in names for spelling in (re.sub("([A-Z])", r"_\1", name).lower(), name)}


_TOP = spelled("toolConfig", "safetySettings", "cachedContent", "generationConfig", "labels", "serviceTier", "store")
_CONFIG = {
    "n": "candidateCount",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
    **spelled("temperature", "topP", "topK", "seed", "presencePenalty", "frequencyPenalty", "mediaResolution"),
    **spelled("speechConfig", "imageConfig", "audioTimestamp", "enableEnhancedCivicAnswers", "thinkingConfig"),
}
_OWN_TOOLS = spelled(
    *("googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "googleMaps", "fileSearch"),
    *("computerUse", "enterpriseWebSearch", "retrieval", "mcpServers"),
)


def encode_body(request: ChatCompletionRequest, target: Target) -> dict[str, Any]:
    """The JSON body, without what `Target.body` sets.

    Raises:
        ConfigError: Something cannot be said here.
    """
    own, others = _sort_tools(request.tools or ())
    fields = RequestFields("gemini", evolve(request, tools=others), target)
    system, contents = encode_turns(fields)
    body: dict[str, Any] = {"contents": contents, **_tools(fields, own)}
    config = _generation_config(fields)
    given: dict[str, Any] = {}
    fields.move(given, _TOP)
    fields.end()
    config |= given.pop("generationConfig", {})
    if "toolConfig" in given:
        body["toolConfig"] = {**body.get("toolConfig", {}), **given.pop("toolConfig")}
    body |= given
    if system:
        body["systemInstruction"] = {"parts": system}
    if config:
        body["generationConfig"] = config
    return body


def _generation_config(fields: RequestFields) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if (stop := fields.stop()) is not None:
        config["stopSequences"] = stop
    if (wanted := fields.response_format()) is not None:
        config |= _response_form(fields, wanted)
    if modalities := fields.take("modalities"):
        config["responseModalities"] = [modality.upper() for modality in modalities]
    if (limit := fields.max_tokens()) is not None:
        config["maxOutputTokens"] = limit
    fields.move(config, _CONFIG)
    if (audio := fields.take("audio")) is not None:
        config["speechConfig"] = {**_speech_config(fields, audio), **config.get("speechConfig", {})}
    if thinking := _thinking_config(fields):
        config["thinkingConfig"] = {**thinking, **config.get("thinkingConfig", {})}
    return config


def _response_form(fields: RequestFields, wanted: ResponseFormat) -> dict[str, Any]:
    """JSON, with or without a schema; an answer is always held to it, as ``strict`` asks."""
    fields.refuse_extra("response_format", wanted.extra)
    if wanted.type not in ("json_object", "json_schema"):
        fields.refuse("response_format", f"of type {wanted.type!r}")
        return {}
    form: dict[str, Any] = {"responseMimeType": "application/json"}
    if wanted.json_schema is not None:
        fields.refuse_extra("response_format.json_schema", wanted.json_schema.extra)
        about = {"description": wanted.json_schema.description} if wanted.json_schema.description else {}
        form["responseJsonSchema"] = about | (wanted.json_schema.schema or {})
    return form


def _speech_config(fields: RequestFields, audio: dict[str, Any]) -> dict[str, Any]:
    fields.refuse_extra("audio", audio, ("voice", "format"))
    if audio.get("format") not in (None, "pcm16"):
        fields.refuse("audio.format", "speech comes as 16 bit PCM")
    if not isinstance(audio.get("voice"), str):
        fields.refuse("audio.voice", "a voice has a name")
        return {}
    return {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": audio["voice"]}}}


def _thinking_config(fields: RequestFields) -> dict[str, Any]:
    """A level for the models that have one, from a word; a number of tokens is a budget, which all of them take.

    Off is a budget of 0: models that cannot but think say so.
    """
    thinking = fields.thinking()
    if thinking.is_off:
        return {"thinkingBudget": 0}
    if not thinking.is_on:
        return {}
    if thinking.budget is None and major_version(fields.model) >= 3:
        return {"includeThoughts": True, "thinkingLevel": str(thinking.nearest(_LEVELS)).upper()}
    # More than these, the largest of 2.5, would be refused, and a word asks for no exact number.
    most = 32768 if "pro" in fields.model else 24576
    tokens = thinking.tokens if thinking.budget is not None else min(thinking.tokens or 0, most)
    return {"includeThoughts": True, "thinkingBudget": tokens}


def _sort_tools(tools: Iterable[Tool | dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Tool | dict[str, Any]]]:
    """Tools of Google's own shape, such as ``{"googleSearch": {}}``, and the others."""
    own: list[dict[str, Any]] = []
    others: list[Tool | dict[str, Any]] = []
    for tool in tools:
        if isinstance(tool, dict) and tool and tool.keys() <= _OWN_TOOLS.keys():
            own.append({_OWN_TOOLS[name]: value for name, value in tool.items()})
        else:
            others.append(tool)
    return own, others


def _tools(fields: RequestFields, own: list[dict[str, Any]]) -> dict[str, Any]:
    functions = fields.tools()
    tools = [{"functionDeclarations": [_declaration(fields, function) for function in functions]}] if functions else []
    body: dict[str, Any] = {"tools": [*tools, *own]} if tools or own else {}
    if fields.take("parallel_tool_calls") is False:
        fields.refuse("parallel_tool_calls", "the model may always call several functions at once")
    choice = fields.tool_choice()
    mode = choice.mode if choice else "auto"
    if mode not in _MODES:
        fields.refuse("tool_choice", repr(mode))
        choice, mode = None, "auto"
    if mode == "auto" and any(function.strict for function in functions):
        mode = "validated"  # calls are held to their schemas; those of "required" always are
    if choice or mode != "auto":
        names = {"allowedFunctionNames": [choice.name]} if choice and choice.name else {}
        body["toolConfig"] = {"functionCallingConfig": {"mode": _MODES[mode], **names}}
    return body


def _declaration(fields: RequestFields, function: FunctionDefinition) -> dict[str, Any]:
    fields.refuse_extra(f"the function {function.name!r}", function.extra, _DECLARATION)
    said = {"description": function.description, "parametersJsonSchema": function.parameters, **function.extra}
    return {"name": function.name, **{name: value for name, value in said.items() if value is not None}}
