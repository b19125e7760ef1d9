"""The server side of Anthropic's Messages API. The events are those of `compatapi.formats`; a whole answer is the
stream put together, so that the two cannot differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from compatapi.chat_types import ChatCompletionChunk
from compatapi.convert import from_dict
from compatapi.dialects.anthropic.answer import STATUSES
from compatapi.formats.anthropic import AnthropicWriter
from compatapi.testing.http1 import RecordedRequest
from compatapi.testing.script import encode_json
from compatapi.testing.services.anthropic_request import read_chat
from compatapi.testing.services.base import Lines, Service, parsed_arguments
from compatapi.testing.services.openai import retry_header

if TYPE_CHECKING:
    from compatapi.testing.answers import ErrorScript
    from compatapi.testing.chat import ChatAnswer

_TYPES = {status: kind for kind, status in STATUSES.items()}
#: What thinking is signed with, because the service takes back only what it has signed.
_SIGNATURE = "c2NyaXB0ZWQgc2lnbmF0dXJl"
_JSON = "partial_json"
#: Of a delta its type: the field of the block that it adds to, and its own field.
_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": (_JSON, _JSON),
}


class AnthropicService(Service):
    """Messages and models."""

    nothing = b'event: ping\ndata: {"type": "ping"}\n\n'

    def key(self, request: RecordedRequest) -> str | None:
        return request.headers.get("x-api-key") or super().key(request)

    def read_chat(self, request: RecordedRequest, body: dict[str, Any]) -> dict[str, Any]:
        return read_chat(body)

    def lines(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Lines:
        writer = AnthropicWriter()
        first, *others = _chunks(answer)
        start, pieces = writer.feed(first), list[bytes]()
        for chunk in others:
            data = writer.feed(chunk)
            if _is_said(chunk):
                pieces.append(data)
            elif pieces:  # the signature belongs to the thought in front of it
                pieces[-1] += data
        end, _, mark = writer.close().rpartition(b"event: message_stop")
        return Lines([start], pieces, [end], b"event: message_stop" + mark)

    def whole(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self.lines(answer, request, body)
        return _joined(_events(b"".join((*found.start, *found.pieces, *found.end))))

    def models(self, names: Sequence[str]) -> Mapping[str, Any]:
        data = [
            {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"} for name in names
        ]
        first, last = (names[0], names[-1]) if names else (None, None)
        return {"data": data, "has_more": False, "first_id": first, "last_id": last}

    def frame(self, data: bytes) -> bytes:
        return b"event: content_block_delta\ndata: " + data + b"\n\n"

    def error(self, told: ErrorScript) -> tuple[int, Mapping[str, Any], Mapping[str, str]]:
        otherwise = "api_error" if told.status >= 500 else "invalid_request_error"
        kind = told.type or told.code or _TYPES.get(told.status, otherwise)
        body = {"type": "error", "error": {"type": kind, "message": told.message}, "request_id": "req_scripted"}
        return told.status, body, {"request-id": "req_scripted", **retry_header(told)}

    def error_event(self, told: ErrorScript) -> bytes:
        return b"event: error\ndata: " + encode_json(self.error(told)[1]) + b"\n\n"


def _chunks(answer: ChatAnswer) -> Iterator[ChatCompletionChunk]:
    """The chunks of an answer, with the signature behind the thinking, and the tokens of the prompt at the start."""
    chunks = answer.chunks()
    counts = answer.counts() or {}
    chunks[0]["id"] = f"msg_{answer.id.removeprefix('chatcmpl-')}"
    chunks[0]["usage"] = {**counts, "completion_tokens": 1, "completion_tokens_details": None} if counts else None
    was_thinking = False
    for chunk in chunks:
        is_thinking = any("reasoning_content" in choice["delta"] for choice in chunk["choices"])
        if was_thinking and not is_thinking:
            detail = {"type": "reasoning.text", "index": 0, "signature": _SIGNATURE}
            delta = {"reasoning_details": [detail]}
            yield from_dict(ChatCompletionChunk, {"choices": [{"index": 0, "delta": delta}]})
        was_thinking = is_thinking
        yield from_dict(ChatCompletionChunk, chunk)


def _is_said(chunk: ChatCompletionChunk) -> bool:
    deltas = [choice.delta for choice in chunk.choices]
    return any(delta.content or delta.reasoning_content or delta.tool_calls for delta in deltas)


def _events(data: bytes) -> Iterator[dict[str, Any]]:
    return (json.loads(found) for found in re.findall(rb"^data: (.*)$", data, re.MULTILINE))


def _joined(events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The message that a stream adds up to."""
    message: dict[str, Any] = {}
    for event in events:
        if event["type"] == "message_start":
            message = event["message"]
        elif event["type"] == "content_block_start":
            message["content"].append(event["content_block"])
        elif event["type"] == "content_block_delta":
            block, (name, own) = message["content"][-1], _DELTAS[event["delta"]["type"]]
            block[name] = block.get(name, "") + event["delta"][own]
        elif event["type"] == "message_delta":
            message |= event["delta"]
            message["usage"] |= event["usage"]
    for block in message["content"]:
        if _JSON in block:
            block["input"] = parsed_arguments(block["name"], block.pop(_JSON))
    return message
