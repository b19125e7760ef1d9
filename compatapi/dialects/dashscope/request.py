"""Requests in DashScope's words: where they go, and their bodies.

* A model that sees or hears is behind a path of its own, where ``content`` is a list; so is every Qwen from 3.5 on,
  with text alone too (Model Studio, "Deep thinking"). A request goes there when it holds more than text, or by the name
  of its model; the row of a provider may name either path.
* Everything but the messages is in ``parameters``. What only DashScope has may be given one by one, as
  ``extra={"top_k": 40}``, or together, as ``extra={"parameters": {...}}``; the latter win.
* ``incremental_output`` is asked for in every stream; ``extra={"incremental_output": False}`` is for the few models
  that refuse it.
* ``thinking_budget`` is where thinking is cut off. The efforts "xhigh" and "max" set none.
* Reasoning of earlier turns goes back as it came; models look at it with ``extra={"preserve_thinking": True}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from compatapi.chat_types import ChatCompletionRequest
from compatapi.convert import from_dict, to_dict
from compatapi.dialects.fields import RequestFields
from compatapi.dialects.thinking import Thinking, thinking_fields
from compatapi.errors import ConfigError
from compatapi.http_types import Target, ThinkingWords
from compatapi.message_types import AudioPart, ContentPart, FunctionDefinition, ImagePart, Message, TextPart, ToolCall
from compatapi.service_types import EmbeddingRequest

__all__ = ["EMBEDDINGS_PATH", "chat_path", "encode_chat", "encode_inputs", "wants_deltas"]

TEXT_PATH = "/services/aigc/text-generation/generation"
MULTIMODAL_PATH = "/services/aigc/multimodal-generation/generation"
EMBEDDINGS_PATH = "/services/embeddings/text-embedding/text-embedding"

_MULTIMODAL = re.compile(r"(^|[-/.])(vl|omni|ocr|audio|asr|qvq|gui)([-.]|$)", re.IGNORECASE)
_QWEN = re.compile(r"qwen-?(\d+)(?:\.(\d+))?(?=[-.]|$)", re.IGNORECASE)
_FIRST_MULTIMODAL_QWEN = (3, 5)

_PARAMETERS = (
    *("temperature", "top_p", "top_k", "seed", "presence_penalty", "repetition_penalty", "n", "parallel_tool_calls"),
    *("logprobs", "top_logprobs", "enable_search", "search_options", "enable_thinking", "preserve_thinking"),
    *("enable_code_interpreter", "translation_options", "vl_high_resolution_images", "result_format"),
)
_EMBEDDING_PARAMETERS = {"dimensions": "dimension", "text_type": "text_type", "output_type": "output_type"}
_THINKING = ThinkingWords(
    on={"enable_thinking": True}, off={"enable_thinking": False}, effort=(), budget=("thinking_budget",)
)
_ROLES = {role: role for role in ("system", "user", "assistant", "tool")} | {"developer": "system"}


def chat_path(request: ChatCompletionRequest, target: Target) -> str:
    """The path behind which a request goes."""
    if target.quirks.chat_path:
        return target.quirks.chat_path
    version = _QWEN.match(request.model)
    is_new = version is not None and (int(version[1]), int(version[2] or 0)) >= _FIRST_MULTIMODAL_QWEN
    if is_new or _MULTIMODAL.search(request.model) or any(map(_holds_media, request.messages)):
        return MULTIMODAL_PATH
    return TEXT_PATH


def _holds_media(message: Message | dict[str, Any]) -> bool:
    content = message.content if isinstance(message, Message) else message.get("content")
    parts = () if content is None or isinstance(content, str) else content
    kinds = (part.get("type") if isinstance(part, dict) else getattr(part, "type", "text") for part in parts)
    return any(kind not in ("text", "refusal") for kind in kinds)


def wants_deltas(request: ChatCompletionRequest) -> bool:
    """Whether the request leaves it to us to ask for ``incremental_output``, or asks for it."""
    given = request.extra.get("parameters")
    given = {**request.extra, **(given if isinstance(given, dict) else {})}
    return given.get("incremental_output") is not False


def encode_chat(request: ChatCompletionRequest, target: Target, path: str, stream: bool) -> dict[str, Any]:
    """The JSON body for a path, without what `Target.body` sets.

    Raises:
        ConfigError: Something cannot be said here.
    """
    fields = RequestFields("dashscope", request, target)
    messages = _messages(fields, "multimodal" in path, target.quirks.reasoning_field is not None)
    return {
        "model": request.model,
        "input": {"messages": messages},
        "parameters": _parameters(fields, stream),
    }


def _parameters(fields: RequestFields, stream: bool) -> dict[str, Any]:
    given = fields.take("parameters") or {}
    if not isinstance(given, dict):
        raise ConfigError("parameters is an object, such as {'top_k': 40}")
    parameters: dict[str, Any] = {"result_format": "message"}
    if stream:
        parameters["incremental_output"] = True
        fields.move(parameters, ("incremental_output",))
    else:
        fields.take("incremental_output")  # of streams alone
    if (limit := fields.max_tokens()) is not None:
        parameters["max_tokens"] = limit
    if (stop := fields.stop()) is not None:
        parameters["stop"] = stop
    parameters |= _thinking(fields.thinking())
    fields.move(parameters, _PARAMETERS)
    if functions := fields.tools():
        parameters["tools"] = [_tool(fields, function) for function in functions]
    choice = fields.tool_choice()
    if choice is not None and choice.name is not None:
        parameters["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    elif choice is not None and choice.mode in ("auto", "none"):
        parameters["tool_choice"] = choice.mode
    elif choice is not None:
        fields.refuse("tool_choice", f"{choice.mode!r}; name the function in place of it")
    if (wanted := fields.response_format()) is not None:
        parameters["response_format"] = to_dict(wanted)
    fields.end()
    return {**parameters, **given}


def _thinking(thinking: Thinking) -> dict[str, Any]:
    if thinking.budget is None and thinking.effort in ("xhigh", "max"):
        return {"enable_thinking": True}
    return thinking_fields(thinking, _THINKING) or {}


def _tool(fields: RequestFields, function: FunctionDefinition) -> dict[str, Any]:
    where = f"the tool {function.name!r}"
    fields.refuse_extra(where, function.extra)
    if function.strict:
        fields.refuse(f"{where}.strict", "arguments are not held to their schema")
    said = {name: getattr(function, name) for name in ("name", "description", "parameters")}
    return {"type": "function", "function": {name: value for name, value in said.items() if value is not None}}


# --- messages -------------------------------------------------------------------------------------------------------


def _messages(fields: RequestFields, multimodal: bool, echoes: bool) -> list[dict[str, Any]]:
    said = []
    for where, message in fields.messages(("partial",)):
        if message.role in _ROLES:
            said.append(_message(fields, where, message, multimodal, echoes))
        else:
            fields.refuse(f"{where}.role", f"{message.role!r}")
    return said


def _message(fields: RequestFields, where: str, message: Message, multimodal: bool, echoes: bool) -> dict[str, Any]:
    fields.refuse_fields(where, message, "refusal", "annotations", "audio", "function_call")
    parts = list(_parts(fields, where, message, multimodal))
    content: Any = (parts or [{"text": ""}]) if multimodal else "".join(part["text"] for part in parts)
    said: dict[str, Any] = {"role": _ROLES[message.role], "content": content}
    if message.reasoning_content and echoes:
        said["reasoning_content"] = message.reasoning_content
    if calls := list(_calls(fields, where, message)):
        said["tool_calls"] = calls
    if message.extra.get("partial") is not None:
        said["partial"] = message.extra["partial"]
    names = ("name", "tool_call_id")
    if message.role != "tool":
        fields.refuse_fields(where, message, *names)
    else:
        said |= {name: getattr(message, name) for name in names if getattr(message, name)}
    return said


def _parts(fields: RequestFields, where: str, message: Message, multimodal: bool) -> Iterator[dict[str, Any]]:
    for place, part in fields.parts(where, message):
        said = _part(fields, place, part)
        if said is None:
            fields.refuse(place, f"a part of type {part.type!r}")
        elif "text" not in said and not multimodal:
            fields.refuse(place, f"a part of type {part.type!r} on the path of texts")
        else:
            yield said


def _part(fields: RequestFields, place: str, part: ContentPart) -> dict[str, Any] | None:
    if isinstance(part, TextPart):
        return {"text": part.text}
    if isinstance(part, ImagePart):
        fields.refuse_extra(f"{place}.image_url", part.image_url.extra)
        if part.image_url.detail not in (None, "auto"):
            fields.refuse(f"{place}.image_url.detail")
        return {"image": part.image_url.url}
    if isinstance(part, AudioPart):
        fields.refuse_extra(f"{place}.input_audio", part.input_audio.extra)
        sound = part.input_audio
        return {"audio": f"data:audio/{sound.format};base64,{sound.data}"}
    video = part.extra.get(part.type) if part.type in ("video", "video_url") else None
    if isinstance(video, dict):  # in the shape of an image, as the compatible interface has it
        return {"video": video["url"]} if video.keys() == {"url"} else None
    return {"video": video} if video else None  # an address, or the images of a film


def _calls(fields: RequestFields, where: str, message: Message) -> Iterator[dict[str, Any]]:
    for index, given in enumerate(message.tool_calls or ()):
        place = f"{where}.tool_calls[{index}]"
        call: ToolCall = given if isinstance(given, ToolCall) else from_dict(ToolCall, given)
        fields.refuse_extra(place, call.extra)
        if call.function is None:
            fields.refuse(place, f"a call of type {call.type!r}")
            continue
        fields.refuse_extra(f"{place}.function", call.function.extra)
        # The service refuses what is no JSON, and an empty text is none.
        function = {"name": call.name, "arguments": call.arguments or "{}"}
        yield {"index": index, "id": call.id, "type": "function", "function": function}


# --- embeddings -----------------------------------------------------------------------------------------------------


def encode_inputs(request: EmbeddingRequest, target: Target) -> dict[str, Any]:
    """The JSON body of a request for embeddings, without what `Target.body` sets.

    Raises:
        ConfigError: Something cannot be said here.
    """
    asked = to_dict(request)
    fields = RequestFields("dashscope", ChatCompletionRequest(asked.pop("model"), (), extra=asked), target)
    given = fields.take("input")
    texts = [given] if isinstance(given, str) else given
    if not all(isinstance(text, str) for text in texts):
        raise ConfigError("The dialect 'dashscope' takes texts for embeddings, no numbers of tokens")
    if fields.take("encoding_format") not in (None, "float"):
        fields.refuse("encoding_format", "embeddings are lists of floats")
    parameters: dict[str, Any] = {}
    fields.move(parameters, _EMBEDDING_PARAMETERS)
    parameters |= fields.take("parameters") or {}
    fields.end()
    body = {"model": request.model, "input": {"texts": texts}}
    return {**body, "parameters": parameters} if parameters else body
