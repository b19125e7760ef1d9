"""The server side of Google's Gemini API: generateContent, streamGenerateContent, models, embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from compatapi.testing.chat import split_pieces
from compatapi.testing.http1 import RecordedRequest
from compatapi.testing.script import encode_json
from compatapi.testing.services.base import Lines, Service, parsed_arguments
from compatapi.testing.services.gemini_request import read_chat

if TYPE_CHECKING:
    from compatapi.testing.answers import ErrorScript
    from compatapi.testing.chat import ChatAnswer

#: Finish reasons in Google's words; others are written as they are.
_REASONS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
#: The names that google.rpc.Code gives to statuses.
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_DETAIL = "type.googleapis.com/google.rpc."


class GeminiService(Service):
    """The Gemini API. Its events end with CRLF; without ``alt=sse`` a stream is an array that grows."""

    nothing = b": keep-alive\r\n\r\n"

    def model(self, request: RecordedRequest, body: Mapping[str, Any]) -> str:
        return _model(request)

    def is_stream(self, request: RecordedRequest) -> bool:
        return request.route.endswith(":streamGenerateContent")

    def stream_media_type(self, request: RecordedRequest) -> str:
        return "text/event-stream" if _has_events(request) else "application/json; charset=UTF-8"

    def key(self, request: RecordedRequest) -> str | None:
        found = parse_qs(urlsplit(request.path).query).get("key", [None])[0]
        return request.headers.get("x-goog-api-key") or found or super().key(request)

    def read_chat(self, request: RecordedRequest, body: dict[str, Any]) -> dict[str, Any]:
        return {**read_chat(body), "model": _model(request), "stream": self.is_stream(request) or None}

    def lines(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Lines:
        *said, last = self._events(answer)
        data = [encode_json(event) for event in (*said, last)]
        if _has_events(request):
            framed = [self.frame(each) for each in data]
            return Lines((), framed[:-1], framed[-1:])
        array = [(b"[" if at == 0 else b"\n,\r\n") + each for at, each in enumerate(data)]
        return Lines((), array[:-1], array[-1:], b"\n]")

    def whole(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Mapping[str, Any]:
        *said, last = self._events(answer)
        parts = [part for event in said for part in event["candidates"][0]["content"]["parts"]]
        return {**last, "candidates": [{**last["candidates"][0], "content": _content(*_joined(parts))}]}

    def _events(self, answer: ChatAnswer) -> list[dict[str, Any]]:
        counts = answer.counts()
        usage = {"usageMetadata": _usage(counts)} if counts is not None else {}
        about = {"modelVersion": answer.model, "responseId": answer.id}

        def event(*parts: Mapping[str, Any], **ends: Any) -> dict[str, Any]:
            return {"candidates": [{"content": _content(*parts), "index": 0, **ends}], **usage, **about}

        said = [event({"text": piece, "thought": True}) for piece in split_pieces(answer.reasoning or "")]
        said += [event({"text": piece}) for piece in answer.text_pieces()]
        said += [event(_call(call)) for call in answer.whole_calls()]
        reason = answer.ending()
        ends = {} if reason is None else {"finishReason": _REASONS.get(reason, reason)}
        return [*said, event(**ends)]

    def models(self, names: Sequence[str]) -> Mapping[str, Any]:
        methods = ["generateContent", "countTokens"]
        return {
            "models": [
                {"name": f"models/{name}", "version": "1", "displayName": name, "supportedGenerationMethods": methods}
                for name in names
            ]
        }

    def inputs(self, body: Mapping[str, Any]) -> int:
        return len(body.get("requests", (0,)))

    def embeddings(
        self, vectors: Sequence[Sequence[float]], request: RecordedRequest, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        values = [{"values": list(vector)} for vector in vectors]
        return {"embeddings": values} if "requests" in body else {"embedding": values[0]}

    def frame(self, data: bytes) -> bytes:
        return b"data: " + data + b"\r\n\r\n"

    def error(self, told: ErrorScript) -> tuple[int, Mapping[str, Any], Mapping[str, str]]:
        status = told.type or _STATUSES.get(told.status) or _phrase(told.status)
        error: dict[str, Any] = {"code": told.status, "message": told.message, "status": status}
        details: list[dict[str, Any]] = []
        if told.code is not None:
            details.append({"@type": f"{_DETAIL}ErrorInfo", "reason": told.code, "domain": "googleapis.com"})
        if told.param is not None:
            violation = {"field": told.param, "description": told.message}
            details.append({"@type": f"{_DETAIL}BadRequest", "fieldViolations": [violation]})
        if told.retry_after is not None:
            details.append({"@type": f"{_DETAIL}RetryInfo", "retryDelay": f"{told.retry_after:g}s"})
        return told.status, {"error": {**error, "details": details} if details else error}, {}


def _model(request: RecordedRequest) -> str:
    return unquote(request.route.rpartition("/models/")[2].partition(":")[0])


def _has_events(request: RecordedRequest) -> bool:
    return parse_qs(urlsplit(request.path).query).get("alt") == ["sse"]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).name
    except ValueError:
        return "UNKNOWN"


def _content(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return {"parts": list(parts), "role": "model"} if parts else {"role": "model"}


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = parsed_arguments(function["name"], function["arguments"])
    return {"functionCall": {"id": call["id"], "name": function["name"], "args": arguments}}


def _joined(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A whole answer has one part for each run of text."""
    made: list[dict[str, Any]] = []
    for part in parts:
        if made and "text" in part and "text" in made[-1] and part.get("thought") == made[-1].get("thought"):
            made[-1]["text"] += part["text"]
        else:
            made.append(dict(part))
    return made


def _usage(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Google counts thoughts beside the answer and not within."""
    thought = (counts.get("completion_tokens_details") or {}).get("reasoning_tokens")
    cached = (counts.get("prompt_tokens_details") or {}).get("cached_tokens")
    found = {
        "promptTokenCount": counts.get("prompt_tokens"),
        "candidatesTokenCount": (counts.get("completion_tokens") or 0) - (thought or 0),
        "totalTokenCount": counts.get("total_tokens"),
        "thoughtsTokenCount": thought,
        "cachedContentTokenCount": cached,
    }
    return {name: count for name, count in found.items() if count is not None}
