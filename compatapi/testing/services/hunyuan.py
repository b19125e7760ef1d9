"""The server side of Tencent Hunyuan's own chat completions, action ChatCompletions of Tencent Cloud API 3.0."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve

from compatapi.dialects.hunyuan.tc3 import ALGORITHM, signing_keys, string_to_sign
from compatapi.errors import ConfigError
from compatapi.testing.chat import split_pieces
from compatapi.testing.http1 import RecordedRequest
from compatapi.testing.script import encode_json
from compatapi.testing.services.base import Lines, Service, as_json_text, without_none

if TYPE_CHECKING:
    from compatapi.testing.answers import ErrorScript
    from compatapi.testing.chat import ChatAnswer

_REASONS = {"content_filter": "sensitive"}
#: Seconds for which a signature holds (document 213/30654).
_VALID = 300
#: A code for each status; every answer of the service has status 200.
_CODES = {
    400: "InvalidParameter",
    401: "AuthFailure.SignatureFailure",
    402: "FailedOperation.ServiceStopArrears",
    403: "UnauthorizedOperation",
    404: "ResourceNotFound",
    429: "RequestLimitExceeded",
    500: "InternalError",
    504: "FailedOperation.EngineRequestTimeout",
}
_FIELDS = {"Temperature": "temperature", "TopP": "top_p", "Seed": "seed", "Stop": "stop", "Stream": "stream"}
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=([^/]+)/([^/]+)/([^/]+)/tc3_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)"
)


class HunyuanService(Service):
    """Chat completions; a key is ``SecretId:SecretKey``, and requests are signed with it."""

    media_type = "text/event-stream"  # the service's own client knows it by these very letters

    def model(self, request: RecordedRequest, body: Mapping[str, Any]) -> str:
        return str(body.get("Model") or "scripted-model")

    def is_stream(self, request: RecordedRequest) -> bool:
        return bool((request.json_object() or {}).get("Stream"))

    def key(self, request: RecordedRequest) -> str | None:
        found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        return found[1] if found else None

    def refusal(self, request: RecordedRequest, keys: Collection[str]) -> ErrorScript | None:
        from compatapi.testing.answers import ErrorScript

        found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            return ErrorScript(401, "The request is not signed.", code="AuthFailure.InvalidAuthorization")
        secrets = [key.split(":")[1] for key in keys if key.startswith(f"{found[1]}:")]
        if not secrets:
            return ErrorScript(401, "The SecretId is not found.", code="AuthFailure.SecretIdNotFound")
        sent = request.headers.get("x-tc-timestamp", "")
        if not sent.isdecimal() or abs(time.time() - int(sent)) > _VALID:
            return ErrorScript(401, "The signature has expired.", code="AuthFailure.SignatureExpire")
        if not any(hmac.compare_digest(found[5], _signature(request, secret, found)) for secret in secrets):
            return ErrorScript(401, "The signature is not that of the request.", code="AuthFailure.SignatureFailure")
        return None

    def read_chat(self, request: RecordedRequest, body: dict[str, Any]) -> dict[str, Any]:
        left = dict(body)
        made: dict[str, Any] = {"model": left.pop("Model", "")}
        made["messages"] = [_message(message) for message in left.pop("Messages", ())]
        made |= {name: left.pop(own) for own, name in _FIELDS.items() if own in left}
        if "Tools" in left:
            made["tools"] = [_tool(tool) for tool in left.pop("Tools")]
        choice = left.pop("ToolChoice", None)
        if choice is not None:
            named = (left.pop("CustomTool", None) or {}).get("Function", {}).get("Name")
            made["tool_choice"] = {"type": "function", "function": {"name": named}} if named else choice
        if left.get("EnableThinking") is False:
            del left["EnableThinking"]
            made["reasoning_effort"] = "none"
        return {**left, **made}

    def lines(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Lines:
        said: list[dict[str, Any]] = [
            {"Content": "", "ReasoningContent": piece} for piece in split_pieces(answer.reasoning or "")
        ]
        said += [{"Content": piece} for piece in answer.text_pieces()]
        calls = answer.whole_calls()
        for fragment in answer.call_fragments():
            # The fragments of a call are joined by its Id, so that each has it.
            named = {"Id": calls[fragment["index"]]["id"], "Type": "function", "Index": fragment["index"]}
            function = {"Name": fragment["function"].get("name", ""), "Arguments": fragment["function"]["arguments"]}
            said.append({"Content": "", "ToolCalls": [{**named, "Function": function}]})
        pieces = [_frame(self, answer, {"Delta": {"Role": "assistant", **delta}, "FinishReason": ""}) for delta in said]
        ends = {"Delta": {"Role": "assistant", "Content": ""}, "FinishReason": _reason(answer)}
        return Lines((), pieces, [_frame(self, answer, ends)])

    def whole(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Mapping[str, Any]:
        message: dict[str, Any] = {"Role": "assistant", "Content": "".join(answer.text_pieces())}
        if answer.reasoning is not None:
            message["ReasoningContent"] = answer.reasoning
        if calls := answer.whole_calls():
            message["ToolCalls"] = [
                {
                    "Id": call["id"],
                    "Type": "function",
                    "Index": at,
                    "Function": {"Name": call["function"]["name"], "Arguments": call["function"]["arguments"]},
                }
                for at, call in enumerate(calls)
            ]
        event = _event(answer, {"FinishReason": _reason(answer), "Message": message})
        return {"Response": {"RequestId": "req-scripted", **event}}

    def error(self, told: ErrorScript) -> tuple[int, Mapping[str, Any], Mapping[str, str]]:
        code = told.code or told.type or _CODES.get(told.status) or _CODES[500 if told.status >= 500 else 400]
        error = {"Code": code, "Message": told.message}
        return 200, {"Response": {"Error": error, "RequestId": "req-scripted"}}, {}

    def error_event(self, told: ErrorScript) -> bytes:
        code = 4001 if told.status == 504 else 4000
        return self.frame(encode_json({"ErrorMsg": {"Msg": told.message, "Code": code}, "Note": ""}))

    def unexpected(self, told: ErrorScript) -> ErrorScript:
        # There is no header that would keep a client from trying again, and codes of faults are tried again.
        return evolve(told, code="UnsupportedOperation", type=None)


# --- what is asked


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    said = {_snake(name): value for name, value in message.items()}
    if "contents" in said:
        said["content"] = [_part(part) for part in said.pop("contents")]
    if said.get("tool_calls"):
        said["tool_calls"] = [_call(call) for call in said["tool_calls"]]
    return said


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("ImageUrl"):
        return {"type": "image_url", "image_url": {"url": part["ImageUrl"]["Url"]}}
    rest = {name: value for name, value in part.items() if name not in ("Type", "Text")}
    return {"type": part["Type"], **without_none(text=part.get("Text")), **rest}


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": call["Function"]["Name"], "arguments": call["Function"].get("Arguments", "")}
    return {"id": call["Id"], "type": "function", "function": function}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {_snake(name): value for name, value in tool["Function"].items()}
    if "parameters" in function:
        function["parameters"] = json.loads(as_json_text(function["parameters"]))
    return {"type": "function", "function": function}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()


def _signature(request: RecordedRequest, secret: str, found: re.Match[str]) -> str:
    """The signature that the request should have (document 213/30654, the steps of "Signature v3")."""
    _, date, service, names, _ = found.groups()
    signed = names.split(";")
    lines = "".join(f"{name}:{request.headers.get(name, '').strip().lower()}\n" for name in signed)
    payload = request.headers.get("x-tc-content-sha256") or hashlib.sha256(request.body).hexdigest()
    canonical = "\n".join((request.method, "/", "", lines, names, payload))
    try:
        text = string_to_sign(canonical, request.headers.get("x-tc-timestamp", ""), service)
    except ConfigError:
        return ""
    return hmac.new(signing_keys(secret, date, service)[-1], text.encode(), hashlib.sha256).hexdigest()


# --- what is answered


def _reason(answer: ChatAnswer) -> str:
    reason = answer.ending() or ""
    return _REASONS.get(reason, reason)


def _event(answer: ChatAnswer, choice: Mapping[str, Any]) -> dict[str, Any]:
    counts = answer.counts()
    usage = {} if counts is None else {"Usage": _usage(counts)}
    about = {"Note": "", "Created": answer.created, "Id": answer.id}
    return {**about, "Choices": [{"Index": 0, **choice}], **usage}


def _frame(service: Service, answer: ChatAnswer, choice: Mapping[str, Any]) -> bytes:
    return service.frame(encode_json(_event(answer, choice)))


def _usage(counts: Mapping[str, Any]) -> dict[str, Any]:
    cached = (counts.get("prompt_tokens_details") or {}).get("cached_tokens")
    return without_none(
        PromptTokens=counts.get("prompt_tokens"),
        CompletionTokens=counts.get("completion_tokens"),
        TotalTokens=counts.get("total_tokens"),
        # Declared as text.
        PromptTokensDetails=None if cached is None else {"CachedTokens": str(cached)},
    )
