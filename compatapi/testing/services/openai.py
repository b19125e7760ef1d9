"""The server side of OpenAI's form: chat completions, models, embeddings. The answers are `ChatAnswer`'s own form."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve

from compatapi.testing.http1 import RecordedRequest
from compatapi.testing.script import encode_json
from compatapi.testing.services.base import Lines, Service

if TYPE_CHECKING:
    from compatapi.testing.answers import ErrorScript
    from compatapi.testing.chat import ChatAnswer

#: Status: type and code. Others are "server_error" or "invalid_request_error".
_ERRORS: dict[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("request_forbidden", None),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


class OpenAIService(Service):
    """Chat completions, and what stands beside them."""

    def read_chat(self, request: RecordedRequest, body: dict[str, Any]) -> dict[str, Any]:
        return {"model": "", "messages": [], **body}

    def lines(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Lines:
        wanted = (body.get("stream_options") or {}).get("include_usage")
        chunks = evolve(answer, usage=answer.usage if wanted else None).chunks()
        events = [self.frame(encode_json(chunk)) for chunk in chunks]
        ends = sum(not chunk["choices"] or chunk["choices"][0]["finish_reason"] is not None for chunk in chunks)
        split = len(events) - ends
        return Lines(events[:1], events[1:split], events[split:], self.frame(b"[DONE]"))

    def whole(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return answer.completion()

    def models(self, names: Sequence[str]) -> Mapping[str, Any]:
        data = [{"id": name, "object": "model", "created": 1730000000, "owned_by": "scripted"} for name in names]
        return {"object": "list", "data": data}

    def embeddings(
        self, vectors: Sequence[Sequence[float]], request: RecordedRequest, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        encode = _base64_floats if body.get("encoding_format") == "base64" else list
        data = [{"object": "embedding", "index": at, "embedding": encode(one)} for at, one in enumerate(vectors)]
        tokens = self.inputs(body)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": data, "model": self.model(request, body), "usage": usage}

    def error(self, told: ErrorScript) -> tuple[int, Mapping[str, Any], Mapping[str, str]]:
        otherwise = "server_error" if told.status >= 500 else "invalid_request_error"
        kind, code = _ERRORS.get(told.status, (otherwise, None))
        error = {"message": told.message, "type": told.type or kind, "param": told.param, "code": told.code or code}
        return told.status, {"error": error}, retry_header(told)


def retry_header(told: ErrorScript) -> dict[str, str]:
    """The header that asks for patience; whole seconds where the wish is one (RFC 9110, section 10.2.3)."""
    if told.retry_after is None:
        return {}
    if told.retry_after == int(told.retry_after):
        return {"Retry-After": str(int(told.retry_after))}
    return {"retry-after-ms": str(round(told.retry_after * 1000))}


def _base64_floats(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
