"""The server side of Aliyun's DashScope in its own form: generation, and text embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, count
from typing import TYPE_CHECKING, Any

from compatapi.testing.chat import split_pieces
from compatapi.testing.http1 import RecordedRequest
from compatapi.testing.script import encode_json
from compatapi.testing.services.base import Lines, Service, without_none
from compatapi.testing.services.openai import retry_header

if TYPE_CHECKING:
    from compatapi.testing.answers import ErrorScript
    from compatapi.testing.chat import ChatAnswer

_CODES = {
    400: "InvalidParameter",
    401: "InvalidApiKey",
    403: "AccessDenied",
    404: "ModelNotFound",
    408: "RequestTimeOut",
    413: "BadRequest.TooLarge",
    429: "Throttling.RateQuota",
    500: "InternalError",
    503: "ModelUnavailable",
}
_REQUEST_ID = "req-scripted"


class DashScopeService(Service):
    """Generation: each event tells the whole answer so far, unless ``incremental_output`` asks for what is new."""

    nothing = b": keep-alive\n\n"

    def is_stream(self, request: RecordedRequest) -> bool:
        told = request.headers.get("x-dashscope-sse", "").lower() == "enable"
        return told or "text/event-stream" in request.headers.get("accept", "")

    def read_chat(self, request: RecordedRequest, body: dict[str, Any]) -> dict[str, Any]:
        left = dict(body)
        asked, parameters = dict(left.pop("input", None) or {}), dict(left.pop("parameters", None) or {})
        messages = [_message(message) for message in asked.pop("messages", ())]
        for name in ("result_format", "incremental_output"):
            parameters.pop(name, None)
        if parameters.get("enable_thinking") is False:
            del parameters["enable_thinking"]
            parameters["reasoning_effort"] = "none"
        elif "thinking_budget" in parameters:
            parameters.pop("enable_thinking", None)
        rest = {"input": asked} if asked else {}
        stream = self.is_stream(request) or None
        return {**left, **rest, **parameters, "model": body.get("model", ""), "messages": messages, "stream": stream}

    def lines(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Lines:
        said = _deltas(answer)
        if not (body.get("parameters") or {}).get("incremental_output"):
            said = list(accumulate(said, _joined))
        last = _joined(said[-1], _SILENCE) if said and not _is_incremental(body) else _SILENCE
        numbers = count(1)
        pieces = [_event(next(numbers), _body(answer, message, "null", request, body)) for message in said]
        ends = _body(answer, last, answer.ending() or "null", request, body)
        return Lines((), pieces, [_event(next(numbers), ends)])

    def whole(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Mapping[str, Any]:
        message = dict(_SILENCE)
        for delta in _deltas(answer):
            message = _joined(message, delta)
        return _body(answer, message, answer.ending() or "null", request, body)

    def inputs(self, body: Mapping[str, Any]) -> int:
        return len((body.get("input") or {}).get("texts") or ())

    def embeddings(
        self, vectors: Sequence[Sequence[float]], request: RecordedRequest, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        found = [{"text_index": at, "embedding": list(vector)} for at, vector in enumerate(vectors)]
        usage = {"total_tokens": self.inputs(body)}
        return {"output": {"embeddings": found}, "usage": usage, "request_id": _REQUEST_ID}

    def frame(self, data: bytes) -> bytes:
        return b"id:1\nevent:result\n:HTTP_STATUS/200\ndata:" + data + b"\n\n"

    def error(self, told: ErrorScript) -> tuple[int, Mapping[str, Any], Mapping[str, str]]:
        code = told.code or told.type or _CODES.get(told.status) or _CODES[500 if told.status >= 500 else 400]
        return told.status, {"code": code, "message": told.message, "request_id": _REQUEST_ID}, retry_header(told)

    def error_event(self, told: ErrorScript) -> bytes:
        data = encode_json(self.error(told)[1])
        return b"id:1\nevent:error\n:HTTP_STATUS/%d\ndata:%b\n\n" % (told.status, data)


# --- what is asked


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    said = dict(message)
    content = said.get("content")
    if isinstance(content, list):
        parts = [_part(part) for part in content]
        texts = [part["text"] for part in parts if part["type"] == "text"]
        said["content"] = texts[0] if len(texts) == len(parts) == 1 else parts
    if said.get("tool_calls"):
        said["tool_calls"] = [
            {name: value for name, value in call.items() if name != "index"} for call in said["tool_calls"]
        ]
    return said


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    (name, value), *_ = part.items()
    if name == "image":
        return {"type": "image_url", "image_url": {"url": value}}
    if name == "audio":
        media_type, _, data = str(value).removeprefix("data:").partition(";base64,")
        return {"type": "input_audio", "input_audio": {"data": data, "format": media_type.partition("/")[2]}}
    return {"type": name, **part}


# --- what is answered

_SILENCE: dict[str, Any] = {"role": "assistant", "content": "", "reasoning_content": ""}


def _is_incremental(body: Mapping[str, Any]) -> bool:
    return bool((body.get("parameters") or {}).get("incremental_output"))


def _deltas(answer: ChatAnswer) -> list[dict[str, Any]]:
    said = [{**_SILENCE, "reasoning_content": piece} for piece in split_pieces(answer.reasoning or "")]
    said += [{**_SILENCE, "content": piece} for piece in answer.text_pieces()]
    for fragment in answer.call_fragments():
        # The id and the name are said once; later pieces have an empty id.
        named = {"id": fragment.get("id", ""), "type": "function", "index": fragment["index"]}
        said.append({**_SILENCE, "tool_calls": [{**named, "function": fragment["function"]}]})
    return said


def _joined(before: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """A message with what a delta adds to it."""
    made = {**before, **{name: before[name] + delta[name] for name in ("content", "reasoning_content")}}
    calls = list(before.get("tool_calls", ()))
    for fragment in delta.get("tool_calls", ()):
        if fragment["index"] == len(calls):
            calls.append(fragment)
            continue
        call = calls[fragment["index"]]
        arguments = call["function"]["arguments"] + fragment["function"]["arguments"]
        calls[fragment["index"]] = {**call, "function": {**call["function"], "arguments": arguments}}
    return {**made, "tool_calls": calls} if calls else made


def _body(
    answer: ChatAnswer, message: dict[str, Any], reason: str, request: RecordedRequest, body: Mapping[str, Any]
) -> dict[str, Any]:
    counts = answer.counts()
    usage = {} if counts is None else {"usage": _usage(counts)}
    output: dict[str, Any] = {"choices": [{"finish_reason": reason, "message": message}]}
    if "multimodal" in request.route:
        message = {**message, "content": [{"text": message["content"]}] if message["content"] else []}
        output = {"choices": [{"finish_reason": reason, "message": message}]}
    elif (body.get("parameters") or {}).get("result_format") == "text":
        output = {"text": message["content"], "finish_reason": reason}
    return {"output": output, **usage, "request_id": _REQUEST_ID}


def _event(number: int, value: Mapping[str, Any]) -> bytes:
    return b"id:%d\nevent:result\n:HTTP_STATUS/200\ndata:%b\n\n" % (number, encode_json(value))


def _usage(counts: Mapping[str, Any]) -> dict[str, Any]:
    return without_none(
        input_tokens=counts.get("prompt_tokens"),
        output_tokens=counts.get("completion_tokens"),
        total_tokens=counts.get("total_tokens"),
        prompt_tokens_details=counts.get("prompt_tokens_details"),
        output_tokens_details=counts.get("completion_tokens_details"),
    )
