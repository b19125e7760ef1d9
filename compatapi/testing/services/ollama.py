"""The server side of Ollama's own interface. The lines are those of `compatapi.formats`; a whole answer is the stream
put together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from compatapi.chat_types import ChatCompletionChunk
from compatapi.convert import from_dict
from compatapi.formats.ollama import OllamaWriter
from compatapi.testing.http1 import RecordedRequest
from compatapi.testing.services.base import Lines, Service, as_json_text
from compatapi.testing.services.openai import retry_header

if TYPE_CHECKING:
    from compatapi.testing.answers import ErrorScript
    from compatapi.testing.chat import ChatAnswer

_OPTIONS = {
    name: name for name in ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty", "stop")
} | {"num_predict": "max_tokens"}


class OllamaService(Service):
    """``/api/chat``, ``/api/tags`` and ``/api/embed``."""

    media_type = "application/x-ndjson"
    nothing = b"\n"

    def is_stream(self, request: RecordedRequest) -> bool:
        # Silence means a stream here.
        return (request.json_object() or {}).get("stream", True) is not False

    def read_chat(self, request: RecordedRequest, body: dict[str, Any]) -> dict[str, Any]:
        return _read_chat(body)

    def lines(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Lines:
        # The same script is the same bytes: each look at the clock takes a millisecond.
        writer = OllamaWriter(clock=lambda: answer.created, timer=count(0, 1_000_000).__next__)
        pieces = [writer.feed(from_dict(ChatCompletionChunk, chunk)) for chunk in answer.chunks()]
        return Lines((), [piece for piece in pieces if piece], [writer.close()])

    def whole(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self.lines(answer, request, body)
        *lines, last = [json.loads(line) for line in (*found.pieces, *found.end)]
        message = dict(last["message"])
        for line in lines:
            for name in ("content", "thinking"):
                if name in line["message"]:
                    message[name] = message.get(name, "") + line["message"][name]
            if "tool_calls" in line["message"]:
                message["tool_calls"] = line["message"]["tool_calls"]
        return {**last, "message": message}

    def models(self, names: Sequence[str]) -> Mapping[str, Any]:
        return {"models": [{"name": name, "model": name, **_ABOUT} for name in names]}

    def embeddings(
        self, vectors: Sequence[Sequence[float]], request: RecordedRequest, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        counts = {"total_duration": 1_000_000, "load_duration": 0, "prompt_eval_count": self.inputs(body)}
        return {"model": self.model(request, body), "embeddings": [list(vector) for vector in vectors], **counts}

    def frame(self, data: bytes) -> bytes:
        return data + b"\n"

    def error(self, told: ErrorScript) -> tuple[int, Mapping[str, Any], Mapping[str, str]]:
        return told.status, {"error": told.message}, retry_header(told)


_ABOUT = {
    "modified_at": "2025-01-01T00:00:00Z",
    "size": 1_000_000_000,
    "digest": "0" * 64,
    "details": {"format": "gguf", "family": "scripted", "parameter_size": "1B", "quantization_level": "Q4_0"},
}


# --- what is asked


def _read_chat(body: dict[str, Any]) -> dict[str, Any]:
    left = dict(body)
    options = dict(left.pop("options", None) or {})
    made: dict[str, Any] = {"model": left.pop("model", "")}
    calls: list[tuple[str, str]] = []  # name and id of each, until its result comes
    made["messages"] = [_message(message, calls) for message in left.pop("messages", ())]
    made |= {name: options.pop(own) for own, name in _OPTIONS.items() if own in options}
    if options:
        made["options"] = options
    form = left.pop("format", None)
    if form:
        schema = {} if form == "json" else {"json_schema": {"name": "answer", "schema": form}}
        made["response_format"] = {"type": "json_schema" if schema else "json_object", **schema}
    think = left.get("think")
    if think is False or isinstance(think, str):
        made["reasoning_effort"] = left.pop("think") or "none"
    return {**left, **made}


def _message(message: Mapping[str, Any], calls: list[tuple[str, str]]) -> dict[str, Any]:
    said = dict(message)
    images = said.pop("images", None) or ()
    if images:
        parts = [{"type": "image_url", "image_url": {"url": f"data:image;base64,{image}"}} for image in images]
        text = said.get("content")
        said["content"] = [*([{"type": "text", "text": text}] if text else ()), *parts]
    if "thinking" in said:
        said["reasoning_content"] = said.pop("thinking")
    if said.get("tool_calls"):
        said["tool_calls"] = [_call(call, calls) for call in said["tool_calls"]]
    if said.get("role") == "tool":
        said |= _result(said, calls)
    return said


def _call(call: Mapping[str, Any], calls: list[tuple[str, str]]) -> dict[str, Any]:
    function = {**call["function"], "arguments": as_json_text(call["function"].get("arguments") or {})}
    # Older clients give no ids; results are then matched by name and order.
    id = call.get("id") or f"call_{len(calls)}"
    calls.append((function["name"], id))
    return {**call, "id": id, "type": "function", "function": function}


def _result(said: dict[str, Any], calls: list[tuple[str, str]]) -> dict[str, Any]:
    name = said.pop("tool_name", None)
    id = said.get("tool_call_id") or next((id for known, id in calls if known == name), name)
    at = next((at for at, call in enumerate(calls) if call[1] == id), None)
    if at is not None:
        calls[at] = ("", calls[at][1])  # its result has come
    return {"tool_call_id": id, **({"name": name} if name else {})}
