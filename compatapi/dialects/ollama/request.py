"""Requests in Ollama's words: the bodies of ``/api/chat`` and ``/api/embed``.

* What Ollama calls options may be given one by one, as ``extra={"num_ctx": 8192}``, or together, as ``extra={"options":
  {...}}``; the latter win.
* ``think`` is true or false; a model takes a word in its place when its name has gpt-oss in it, and others answer 400
  to one (``server/routes.go``). So an effort is its word there, and elsewhere switches thinking on. Tokens of thinking
  are not counted: a budget becomes the nearest word, and is refused where there are no words.
* ``content`` is one text: parts are joined, and images stand beside it.
* The id of a tool call, and the ``tool_call_id`` of its result, are read by newer servers; older ones pass over them
  and go by the order and ``tool_name``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from compatapi.chat_types import ChatCompletionRequest
from compatapi.convert import from_dict, to_dict
from compatapi.dialects.fields import RequestFields, arguments_of, read_data_url
from compatapi.errors import ConfigError
from compatapi.http_types import Target
from compatapi.message_types import FunctionDefinition, ImagePart, Message, TextPart, ToolCall
from compatapi.service_types import EmbeddingRequest

__all__ = ["encode_chat", "encode_inputs"]

#: Options (``docs/api.md``, "Parameters"; ``api/types.go``, Options and Runner).
_OPTIONS = (
    *("num_predict", "temperature", "top_p", "top_k", "min_p", "typical_p", "seed", "presence_penalty"),
    *("frequency_penalty", "repeat_penalty", "repeat_last_n", "num_ctx", "num_keep", "num_batch", "num_gpu"),
    *("main_gpu", "use_mmap", "num_thread"),
)
#: Fields beside the options; the first two go over what the common fields say.
_FIELDS = ("think", "format", "keep_alive", "logprobs", "top_logprobs", "truncate", "shift")
_ROLES = {"developer": "system"}
_TAKES_WORDS = re.compile("gpt-?oss", re.IGNORECASE)
_WORDS = ("low", "medium", "high")


def encode_chat(request: ChatCompletionRequest, target: Target, stream: bool) -> dict[str, Any]:
    """The JSON body of a chat, without what `Target.body` sets.

    Raises:
        ConfigError: Something cannot be said here.
    """
    fields = RequestFields("ollama", request, target)
    body: dict[str, Any] = {"model": request.model, "messages": _messages(fields)}
    if functions := fields.tools():
        body["tools"] = [_tool(fields, function) for function in functions]
    for name, value in (("think", _think(fields)), ("format", _format(fields)), ("options", _options(fields))):
        if value is not None:
            body[name] = value
    body["stream"] = stream
    fields.move(body, _FIELDS)
    choice = fields.tool_choice()
    if choice is not None and choice.mode != "auto":
        fields.refuse("tool_choice", "the model itself chooses among the tools")
    if fields.take("parallel_tool_calls") is False:
        fields.refuse("parallel_tool_calls", "the model may always call several tools at once")
    if fields.take("n") not in (None, 1):
        fields.refuse("n", "there is one answer")
    fields.end()
    return body


def _options(fields: RequestFields) -> dict[str, Any] | None:
    given = fields.take("options")
    if given is not None and not isinstance(given, dict):
        raise ConfigError("options is an object of options, such as {'num_ctx': 8192}")
    options: dict[str, Any] = {}
    if (limit := fields.max_tokens()) is not None:
        options["num_predict"] = limit
    fields.move(options, _OPTIONS)
    if (stop := fields.stop()) is not None:
        options["stop"] = stop
    return {**options, **(given or {})} or None


def _think(fields: RequestFields) -> bool | str | None:
    thinking, takes_words = fields.thinking(), _TAKES_WORDS.search(fields.model)
    if not thinking.is_on:
        return False if thinking.is_off else None
    if thinking.budget is not None and (thinking.effort is not None or not takes_words):
        fields.refuse("thinking_budget", "Ollama counts no tokens of thinking; reasoning_effort switches it on")
    return thinking.nearest(_WORDS) if takes_words else True


def _format(fields: RequestFields) -> str | dict[str, Any] | None:
    """``"json"`` or a schema, to which the answer is always held, as ``strict`` asks; its name is a label."""
    wanted = fields.response_format()
    if wanted is None:
        return None
    fields.refuse_extra("response_format", wanted.extra)
    schema = wanted.json_schema
    if wanted.type == "json_object" and schema is None:
        return "json"
    if wanted.type != "json_schema" or schema is None:
        fields.refuse("response_format", f"of type {wanted.type!r}")
        return None
    fields.refuse_extra("response_format.json_schema", schema.extra)
    about = {"description": schema.description} if schema.description else {}
    return about | (schema.schema or {}) or "json"


def _tool(fields: RequestFields, function: FunctionDefinition) -> dict[str, Any]:
    where = f"the tool {function.name!r}"
    fields.refuse_extra(where, function.extra)
    if function.strict:
        fields.refuse(f"{where}.strict", "arguments are not held to their schema")
    said = {name: getattr(function, name) for name in ("name", "description", "parameters")}
    return {"type": "function", "function": {name: value for name, value in said.items() if value is not None}}


# --- messages -------------------------------------------------------------------------------------------------------


def _messages(fields: RequestFields) -> list[dict[str, Any]]:
    names: dict[str | None, str] = {}  # of the tools that were called, by the ids of the calls
    return [_message(fields, where, message, names) for where, message in fields.messages(("images", "tool_name"))]


def _message(fields: RequestFields, where: str, message: Message, names: dict[str | None, str]) -> dict[str, Any]:
    fields.refuse_fields(where, message, "refusal", "annotations", "audio", "function_call")
    text, images = _content(fields, where, message)
    said: dict[str, Any] = {"role": _ROLES.get(message.role, message.role), "content": text}
    if message.reasoning_content:
        said["thinking"] = message.reasoning_content
    given = message.extra.get("images") or []
    if not isinstance(given, list):
        raise ConfigError(f"{where}.images is a list of base64 texts")
    if given or images:
        said["images"] = [*given, *images]
    if calls := list(_calls(fields, where, message, names)):
        said["tool_calls"] = calls
    if message.role == "tool":
        tool = message.extra.get("tool_name") or message.name or names.get(message.tool_call_id)
        said |= {"tool_name": tool} if tool else {}
        said |= {"tool_call_id": message.tool_call_id} if message.tool_call_id else {}
    else:
        fields.refuse_fields(where, message, "name", "tool_call_id")
    return said


def _content(fields: RequestFields, where: str, message: Message) -> tuple[str, list[str]]:
    texts, images = [], []
    for place, part in fields.parts(where, message):
        if isinstance(part, TextPart):
            texts.append(part.text)
        elif isinstance(part, ImagePart):
            fields.refuse_extra(f"{place}.image_url", part.image_url.extra)
            if part.image_url.detail not in (None, "auto"):
                fields.refuse(f"{place}.image_url.detail")
            image = read_data_url(part.image_url.url)
            if image is None:
                fields.refuse(place, "Ollama fetches no images; send the image itself, see ImagePart.from_path")
            else:
                images.append(image.data)
        else:
            fields.refuse(place, f"a part of type {part.type!r}")
    return "".join(texts), images


def _calls(fields: RequestFields, where: str, message: Message, names: dict[str | None, str]) -> Iterator[Any]:
    for index, given in enumerate(message.tool_calls or ()):
        place = f"{where}.tool_calls[{index}]"
        call: ToolCall = given if isinstance(given, ToolCall) else from_dict(ToolCall, given)
        fields.refuse_extra(place, call.extra)
        if call.function is None:
            fields.refuse(place, f"a call of type {call.type!r}")
            continue
        fields.refuse_extra(f"{place}.function", call.function.extra, ("index",))
        names[call.id] = call.name
        function = {"name": call.name, "arguments": arguments_of(call, place)}
        number = call.function.extra.get("index")
        function = function if number is None else {"index": number, **function}
        yield {"id": call.id, "function": function} if call.id else {"function": function}


# --- embeddings -----------------------------------------------------------------------------------------------------


def encode_inputs(request: EmbeddingRequest, target: Target) -> dict[str, Any]:
    """The JSON body of a request for embeddings, without what `Target.body` sets.

    Raises:
        ConfigError: Something cannot be said here.
    """
    asked = to_dict(request)
    fields = RequestFields("ollama", ChatCompletionRequest(asked.pop("model"), (), extra=asked), target)
    texts = fields.take("input")
    if not isinstance(texts, str) and not all(isinstance(text, str) for text in texts):
        raise ConfigError("The dialect 'ollama' takes texts for embeddings, no numbers of tokens")
    if fields.take("encoding_format") not in (None, "float"):
        fields.refuse("encoding_format", "embeddings are lists of floats")
    body = {"model": request.model, "input": texts}
    fields.move(body, ("dimensions", "truncate", "options", "keep_alive"))
    fields.end()
    return body
