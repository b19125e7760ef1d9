"""The turns of a conversation in the words of the Gemini API.

What `compatapi.dialects.gemini.answer` kept of an answer goes back unchanged and to its place: signatures to the call,
the text or the empty part that they came on, other parts between the texts and calls where they stood. The reasoning of
earlier turns is sent back as a thought part, as Google's own client does. A call has an id only if the server gave it
one: made-up ids are not sent, results are matched by name and order. The name of a file is a label and is not sent.
Models from Gemini 3 on refuse a call without a signature; calls that another model made are sent with the stand-in that
Google names for them ("Thought signatures", FAQ).
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from compatapi import jsontext
from compatapi.chat_types import (
    AudioPart,
    ContentPart,
    FilePart,
    ImagePart,
    Message,
    RefusalPart,
    TextPart,
    ToolCall,
)
from compatapi.dialects.fields import RequestFields, arguments_of, read_data_url
from compatapi.dialects.gemini.errors import as_object
from compatapi.errors import DecodeError

__all__ = ["SIGNATURE_FORMAT", "encode_turns", "major_version"]

#: Marks the signatures among `reasoning_details` that are Google's; OpenRouter gives them the same name.
SIGNATURE_FORMAT = "google-gemini-v1"
_PLACE = ("index", "offset", "length", "calls")
_NO_SIGNATURE = "skip_thought_signature_validator"

#: Of a call by its id: its number among those of its answer, the function's name, and the id if the server gave it.
_Calls = dict[str, tuple[int, str, str | None]]


def encode_turns(fields: RequestFields) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The parts of the system instruction, and the turns."""
    system: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    calls: _Calls = {}
    results: list[tuple[int, dict[str, Any]]] = []  # of one step: they go into one turn, in the order of the calls

    def say(role: str, parts: list[dict[str, Any]]) -> None:
        if results:
            answers = [part for _, part in sorted(results, key=lambda result: result[0])]
            contents.append({"role": "user", "parts": answers})
            results.clear()
        if parts:
            contents.append({"role": role, "parts": parts})

    for where, message in fields.messages(("reasoning_details", "content_blocks")):
        fields.refuse_fields(where, message, "annotations", "audio")
        if message.role == "assistant":
            say("model", _model_parts(fields, where, message, calls))
            continue
        fields.refuse_fields(where, message, "reasoning_content", "refusal", "tool_calls", "function_call")
        fields.refuse_extra(where, message.extra)
        if message.role in ("tool", "function"):
            results += _result(fields, where, message, calls)
            continue
        fields.refuse_fields(where, message, "name", "tool_call_id")
        parts = _parts(fields, where, message)
        if message.role in ("system", "developer"):
            system += parts
        elif message.role == "user":
            say("user", parts or [{"text": ""}])
        else:
            fields.refuse(f"{where}.role", f"{message.role!r}")
    say("user", [])
    return system, contents


def _parts(fields: RequestFields, where: str, message: Message) -> list[dict[str, Any]]:
    encoded = (_part(fields, place, part) for place, part in fields.parts(where, message))
    return [part for part in encoded if part]


def _part(fields: RequestFields, place: str, part: ContentPart) -> dict[str, Any] | None:
    if isinstance(part, TextPart):
        return {"text": part.text}
    if isinstance(part, RefusalPart):
        return {"text": part.refusal}
    if isinstance(part, ImagePart):
        fields.refuse_extra(f"{place}.image_url", part.image_url.extra)
        if part.image_url.detail not in (None, "auto"):
            fields.refuse(f"{place}.image_url.detail", "mediaResolution in `extra` is said of all images")
        return _media(part.image_url.url)
    if isinstance(part, AudioPart):
        sound = part.input_audio
        fields.refuse_extra(f"{place}.input_audio", sound.extra)
        return {"inlineData": {"mimeType": f"audio/{sound.format}", "data": sound.data}}
    if isinstance(part, FilePart):
        fields.refuse_extra(f"{place}.file", part.file.extra)
        url = part.file.file_data or part.file.file_id
        if url and (part.file.file_id or read_data_url(url)):
            return _media(url, part.file.filename)
        fields.refuse(f"{place}.file", "its data is no data: URL")
        return None
    fields.refuse(place, f"a part of type {part.type!r}")
    return None


def _media(url: str, filename: str | None = None) -> dict[str, Any]:
    data = read_data_url(url)
    if data is not None:
        return {"inlineData": {"mimeType": data.media_type, "data": data.data}}
    media_type = mimetypes.guess_type(filename or urlsplit(url).path)[0]
    return {"fileData": {**({"mimeType": media_type} if media_type else {}), "fileUri": url}}


def _result(fields: RequestFields, where: str, message: Message, calls: _Calls) -> Iterator[tuple[int, dict[str, Any]]]:
    """The result of a call; Google finds the call by the function's name, which only the call itself tells."""
    number, name, given = calls.get(message.tool_call_id or "", (0, message.name, None))
    if not name:
        fields.refuse(where, f"no earlier message has a call with the id {message.tool_call_id!r}")
        return
    parts = _parts(fields, where, message)
    text = "".join(part["text"] for part in parts if "text" in part)
    response: dict[str, Any] = {**({"id": given} if given else {}), "name": name, "response": _as_response(text)}
    if media := [part for part in parts if "text" not in part]:
        response["parts"] = media
    yield number, {"functionResponse": response}


def _as_response(text: str) -> dict[str, Any]:
    """A result has to be an object."""
    if text.lstrip().startswith("{"):
        try:
            value = jsontext.loads(text)
        except DecodeError:
            value = None
        if isinstance(value, dict):
            return value
    return {"result": text}


def _model_parts(fields: RequestFields, where: str, message: Message, calls: _Calls) -> list[dict[str, Any]]:
    """The parts of an answer, with what was kept of it in its place again."""
    fields.refuse_fields(where, message, "name", "tool_call_id")
    marks = sorted(_marks(fields, where, message), key=lambda mark: _whole(mark.get("index"), 0))
    parts: list[dict[str, Any]] = []
    signed = [mark for mark in marks if mark.get("thought") and "length" in mark]
    if message.reasoning_content or signed:
        first = signed[0] if signed else {}
        parts.append({"text": message.reasoning_content or "", **_without_place(first), "thought": True})
        parts += [{"text": "", **_without_place(mark)} for mark in signed[1:]]
    called = _call_parts(fields, where, message, calls)
    text = message.content if isinstance(message.content, str) else ""
    if not text:  # but parts, or nothing
        parts += _parts(fields, where, message)
    at = done = 0
    for mark in [mark for mark in marks if mark not in signed]:
        before = max(at, _whole(mark.get("offset"), len(text)))
        number = max(done, _whole(mark.get("calls"), 0))
        parts += _text(text[at:before]) + called[done:number]
        at, done = before + _whole(mark.get("length"), 0), number
        parts.append({**({"text": text[before:at]} if "length" in mark else {}), **_without_place(mark)})
    parts += _text(text[at:]) + _text(message.refusal or "")
    return parts + called[done:]


def _marks(fields: RequestFields, where: str, message: Message) -> Iterator[dict[str, Any]]:
    """What `GeminiChunkDecoder` kept of the parts of an answer; what other servers kept there is refused."""
    for at, detail in enumerate(message.extra.get("reasoning_details") or ()):
        said = as_object(detail)
        if said.get("format") == SIGNATURE_FORMAT and isinstance(said.get("data"), str):
            place = {name: said[name] for name in (*_PLACE, "thought") if name in said}
            yield {"length": 0, **place, "thoughtSignature": said["data"]}
        else:
            fields.refuse(f"{where}.reasoning_details[{at}]", "it is none of Gemini's")
    for at, block in enumerate(message.extra.get("content_blocks") or ()):
        if isinstance(block, dict) and "type" not in block:
            yield block
        else:
            fields.refuse(f"{where}.content_blocks[{at}]", "it is none of Gemini's")


def _without_place(mark: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mark.items() if name not in _PLACE}


def _text(text: str) -> list[dict[str, Any]]:
    return [{"text": text}] if text else []


def _call_parts(fields: RequestFields, where: str, message: Message, calls: _Calls) -> list[dict[str, Any]]:
    parts = []
    given = [ToolCall("", message.function_call)] if message.function_call else []
    for at, call in enumerate([*(message.tool_calls or ()), *given]):
        place = f"{where}.tool_calls[{at}]"
        if not isinstance(call, ToolCall) or call.function is None:
            fields.refuse(place, "it calls no function")
            continue
        fields.refuse_extra(place, call.extra, ("extra_content",))
        fields.refuse_extra(f"{place}.function", call.function.extra)
        content = as_object(call.extra.get("extra_content"))
        fields.refuse_extra(f"{place}.extra_content", content, ("google",))
        kept = dict(as_object(content.get("google")))
        signature, inner = kept.pop("thought_signature", None), as_object(kept.pop("function_call", None))
        said = {"functionCall": {**inner, "name": call.name, "args": arguments_of(call, place)}, **kept}
        parts.append({**said, "thoughtSignature": signature} if signature else said)
        calls[call.id] = (at, call.name, inner.get("id"))
    if parts and major_version(fields.model) >= 3 and not any("thoughtSignature" in part for part in parts):
        parts[0]["thoughtSignature"] = _NO_SIGNATURE  # of calls made at once the first alone has one
    return parts


def major_version(model: str) -> int:
    """The number behind "gemini"; 0 where there is none."""
    found = re.match(r"(?:models/)?gemini-(\d+)", model)
    return int(found[1]) if found else 0


def _whole(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and value >= 0 else otherwise
