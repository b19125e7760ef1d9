"""The dialect of Tencent Hunyuan's own chat completions: action ChatCompletions of Tencent Cloud API 3.0.

In: a `ChatCompletionRequest`, and the frames of an event stream. Out: the bytes of a signed POST to ``/``, and chunks.
Names are PascalCase both ways. Answers are read by `compatapi.dialects.hunyuan.answer`.

What is not sent, on purpose: reasoning of earlier turns, which the service refuses; and what else it said in a message
of its own, for which requests have no field. ``extra={...}`` of a request takes the service's own fields by their names
(``StreamModeration``, ``EnableEnhancement``), and so does ``FileIDs`` in the extra of a message. The stop text is part
of the answer here, unlike elsewhere.

A retry sends the same signed bytes again, and the server takes a signature for 5 minutes: the pauses are far shorter,
but a retry behind an attempt that itself took minutes is refused with AuthFailure.SignatureExpire. Sources: the
service's SDKs (version 2023-09-01), its document 1729/105701 (ChatCompletions), and `compatapi.dialects.hunyuan.tc3`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from compatapi import jsontext
from compatapi.chat_types import ChatCompletion, ChatCompletionRequest
from compatapi.convert import from_dict
from compatapi.dialects.addressing import join_url, post_request
from compatapi.dialects.base import ChunkDecoder, Dialect
from compatapi.dialects.fields import RequestFields
from compatapi.dialects.hunyuan.answer import HunyuanChunkDecoder
from compatapi.dialects.hunyuan.tc3 import host_of, read_key, sign
from compatapi.dialects.native import completion_from
from compatapi.errors import CompatAPIError, ConfigError, DecodeError, cut
from compatapi.http_types import HttpRequest, SecretText, Target
from compatapi.message_types import ContentPart, FunctionDefinition, ImagePart, Message, TextPart, ToolCall

__all__ = ["HunyuanDialect"]

#: What a provider's row may say otherwise (`Quirks.options`).
OPTIONS = {"service": "hunyuan", "action": "ChatCompletions", "version": "2023-09-01"}
#: Common request fields and their names here.
FIELDS = {"temperature": "Temperature", "top_p": "TopP", "seed": "Seed"}
#: The service's own fields, taken from `extra` as they are.
OWN_FIELDS = (
    *("StreamModeration", "EnableEnhancement", "ForceSearchEnhancement", "EnableSpeedSearch", "EnableDeepSearch"),
    *("SearchInfo", "Citation", "WebSearchOptions", "EnableMultimedia", "EnableRecommendedQuestions"),
    *("EnableDeepRead", "EnableThinking", "TopicChoice"),
    *("TopP", "Temperature", "Stop", "Seed", "Tools", "ToolChoice", "CustomTool"),
)
ROLES = {role: role for role in ("system", "user", "assistant", "tool")} | {"developer": "system"}
#: Types of content that have no class, and the field that holds each.
PART_FIELDS = {"video_url": "VideoUrl", "video_frames": "VideoFrames"}


class HunyuanDialect(Dialect):
    """Chat completions of Tencent Hunyuan. The key is ``SecretId:SecretKey``, or with ``:Token`` behind it."""

    name = "hunyuan"

    def encode_request(self, request: ChatCompletionRequest, target: Target, stream: bool) -> HttpRequest:
        fields = RequestFields(self.name, request, target)
        body = _encode_body(fields, stream or request.stream)
        fields.end()
        accept = "text/event-stream" if stream else "application/json"
        url = join_url(target, target.quirks.chat_path or "/")
        plain = post_request(evolve(target, api_key=None), url, body, accept=accept)
        return evolve(plain, headers=_signed_headers(plain, target, int(self.clock())))

    def decode_completion(self, body: bytes, request: ChatCompletionRequest | None = None) -> ChatCompletion:
        value = jsontext.loads(jsontext.trimmed(body))
        decoder = HunyuanChunkDecoder(request.model if request is not None else None)
        chunks = list(decoder.read(value, is_whole=True))
        if not any(chunk.choices for chunk in chunks):
            raise DecodeError(f"The answer is no chat completion: {cut(body, 200)!r}", data=cut(body))
        return completion_from(chunks)

    def chunk_decoder(self, request: ChatCompletionRequest) -> ChunkDecoder:
        return HunyuanChunkDecoder(request.model)


# --- requests -------------------------------------------------------------------------------------------------------


def _signed_headers(request: HttpRequest, target: Target, now: int) -> dict[str, str]:
    """The headers of a request, with those of API 3.0; the program's own win, and are what is signed."""
    options = {**OPTIONS, **target.quirks.options}
    headers = {
        "Host": host_of(request.url),  # else the transport would write it, and the signature rest on a guess
        "X-TC-Action": options["action"],
        "X-TC-Version": options["version"],
        "X-TC-Timestamp": str(now),
    }
    credentials = read_key(target.api_key) if target.api_key is not None else None
    if credentials is not None and credentials.token:
        headers["X-TC-Token"] = SecretText(credentials.token)
    given = {name.lower() for name in request.headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in given} | dict(request.headers)
    if credentials is not None and "authorization" not in given:
        small = {name.lower(): str(value) for name, value in headers.items()}
        headers["Authorization"] = sign(credentials, options["service"], small, request.body or b"")
    return headers


def _encode_body(fields: RequestFields, stream: bool | None) -> dict[str, Any]:
    body: dict[str, Any] = {"Model": fields.model, "Messages": _encode_messages(fields)}
    if stream is not None:
        body["Stream"] = stream
    fields.move(body, FIELDS)
    stop = fields.stop()
    if stop is not None:
        body["Stop"] = list(stop)
    _put_tools(fields, body)
    thinking = fields.thinking()
    if thinking.budget is not None:
        fields.refuse("thinking_budget", "reasoning is switched on and off, without a number of tokens")
    if thinking.is_on or thinking.is_off:
        body["EnableThinking"] = thinking.is_on
    if fields.take("n") not in (None, 1):
        fields.refuse("n", "there is one answer")
    if fields.response_format() is not None:
        fields.refuse("response_format")
    fields.move(body, OWN_FIELDS)
    return body


def _put_tools(fields: RequestFields, body: dict[str, Any]) -> None:
    tools = [_encode_tool(fields, f"tools[{at}]", tool) for at, tool in enumerate(fields.tools())]
    if tools:
        body["Tools"] = tools
    choice = fields.tool_choice()
    if choice is None:
        return
    named = next((tool for tool in tools if tool["Function"]["Name"] == choice.name), None)
    if named is not None:
        body |= {"ToolChoice": "custom", "CustomTool": named}
    elif choice.name is None and choice.mode in ("none", "auto"):
        body["ToolChoice"] = choice.mode
    else:
        wrong = choice.mode if choice.name is None else choice.name
        fields.refuse("tool_choice", f"it is 'auto', 'none' or the name of one of the tools, not {wrong!r}")


def _encode_tool(fields: RequestFields, where: str, tool: FunctionDefinition) -> dict[str, Any]:
    if tool.strict:
        fields.refuse(f"{where}.function.strict")
    fields.refuse_extra(f"{where}.function", tool.extra)
    # Parameters are JSON text, and have to be there.
    schema = jsontext.dumps(tool.parameters or {"type": "object", "properties": {}}).decode()
    function = {"Name": tool.name, "Parameters": schema}
    return {"Type": "function", "Function": function | ({"Description": tool.description} if tool.description else {})}


def _encode_messages(fields: RequestFields) -> list[dict[str, Any]]:
    messages = []
    for where, message in fields.messages(("FileIDs",)):
        if message.role not in ROLES:
            fields.refuse(f"{where}.role", repr(message.role))
            continue
        fields.refuse_fields(where, message, "name", "refusal", "audio", "annotations", "function_call")
        if message.role != "assistant":
            fields.refuse_fields(where, message, "reasoning_content", "tool_calls")
        if message.role != "tool":
            fields.refuse_fields(where, message, "tool_call_id")
        messages.append({"Role": ROLES[message.role], **_encode_message(fields, where, message)})
    return messages


def _encode_message(fields: RequestFields, where: str, message: Message) -> dict[str, Any]:
    parts = list(fields.parts(where, message))
    said: dict[str, Any] = {}
    if any(not isinstance(part, TextPart) for _, part in parts):
        encoded = (_encode_part(fields, place, part) for place, part in parts)
        said["Contents"] = [part for part in encoded if part]
    elif message.content is not None:  # only models that see know Contents
        said["Content"] = message.text
    if message.role == "tool":
        said["ToolCallId"] = message.tool_call_id
    elif message.role == "assistant" and message.tool_calls:
        calls = (_encode_call(fields, f"{where}.tool_calls[{at}]", call) for at, call in enumerate(message.tool_calls))
        if made := [call for call in calls if call]:
            said["ToolCalls"] = made
    if message.extra.get("FileIDs"):
        said["FileIDs"] = message.extra["FileIDs"]
    return said


def _encode_part(fields: RequestFields, where: str, part: ContentPart) -> dict[str, Any] | None:
    name = PART_FIELDS.get(part.type)
    if isinstance(part, TextPart):
        return {"Type": "text", "Text": part.text}
    if isinstance(part, ImagePart):
        fields.refuse_extra(f"{where}.image_url", part.image_url.extra)
        if part.image_url.detail not in (None, "auto"):
            fields.refuse(f"{where}.image_url.detail")
        return {"Type": "image_url", "ImageUrl": {"Url": part.image_url.url}}
    if name is None or type(part) is not ContentPart:
        fields.refuse(where, f"a part of type {part.type!r}")
        return None
    fields.refuse_extra(where, part.extra, (name, part.type))
    return {"Type": part.type, name: part.extra.get(name) or _pascal(part.extra.get(part.type))}


def _pascal(value: Any) -> Any:
    """An object in the spelling of other hosts (``{"url": ...}``), in that of this one."""
    if not isinstance(value, Mapping):
        return value
    return {"".join(word[:1].upper() + word[1:] for word in key.split("_")): _pascal(value[key]) for key in value}


def _encode_call(fields: RequestFields, where: str, given: ToolCall | dict[str, Any]) -> dict[str, Any] | None:
    try:
        call = given if isinstance(given, ToolCall) else from_dict(ToolCall, given)
    except CompatAPIError as error:
        raise ConfigError(f"{where} cannot be sent: {error}") from error
    if call.function is None:
        fields.refuse(where, f"a call of type {call.type!r}")
        return None
    fields.refuse_extra(where, call.extra)
    fields.refuse_extra(f"{where}.function", call.function.extra)
    function = {"Name": call.name, "Arguments": call.arguments or "{}"}  # JSON, which an empty text is not
    return {"Id": call.id, "Type": "function", "Function": function}
