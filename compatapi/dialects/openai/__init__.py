"""The dialect of OpenAI's chat completions, and of the many servers that speak it with an accent.

In: a `ChatCompletionRequest`, and the frames of an event stream. Out: the bytes of a POST, and chunks. What the servers
do otherwise is in the rules 1 to 21 of "OpenAI-compatible servers" in the documentation; those that need only a look at
one object are read by `compatapi.quirks`, those that need a memory of the stream are here.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from compatapi import jsontext
from compatapi.chat_types import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionRequest,
    Choice,
    ChunkChoice,
    Delta,
    ToolCall,
    ToolCallDelta,
)
from compatapi.convert import converter, from_dict, to_dict
from compatapi.dialects.addressing import get_request, join_url, post_request
from compatapi.dialects.api_errors import is_error, stream_error
from compatapi.dialects.base import ChunkDecoder, Dialect
from compatapi.dialects.forms import ARGUMENTS, Forms, Tell
from compatapi.dialects.openai.request import request_body
from compatapi.errors import APIStatusError, ConfigError, DecodeError, StreamError, cut
from compatapi.framing import Frame
from compatapi.http_types import HttpRequest, HttpResponse, Target
from compatapi.quirks import usage_from
from compatapi.retry import parse_retry_after
from compatapi.toolcalls import ToolCallSlots, name_of, new_call_id

if TYPE_CHECKING:
    from compatapi.service_types import EmbeddingRequest, EmbeddingResponse, Model

__all__ = ["OpenAIDialect"]

#: Rule 17: finish reasons that other servers use for the same. The raw one is kept (`WireType.wire_value`).
FINISH_REASONS = {
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "normal": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "sensitive": "content_filter",
    "safety": "content_filter",
    "content_filtered": "content_filter",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "network_error": "error",
    "insufficient_system_resource": "error",
    "abort": "error",
}

#: Codes of MiniMax's ``base_resp`` (platform.minimax.io, "Error Codes") and the HTTP statuses that they stand for.
_BASE_RESP = {
    "1000": 500,
    "1001": 504,
    "1002": 429,
    "1004": 401,
    "1008": 402,
    "1013": 500,
    "1024": 500,
    "1026": 400,
    "1027": 400,
    "1033": 500,
    "1039": 429,
    "1041": 429,
    "2013": 400,
    "2049": 401,
}
#: Elsewhere a code that looks like an HTTP status is one (OpenRouter, vLLM, Perplexity).
_STATUSES = {str(status): status for status in range(400, 600)}


class OpenAIDialect(Dialect):
    """Chat completions as OpenAI defines them (API reference, "Chat")."""

    name = "openai"

    def encode_request(self, request: ChatCompletionRequest, target: Target, stream: bool) -> HttpRequest:
        body, numbers = request_body(request, target, stream)
        accept = "text/event-stream" if stream else "application/json"
        url = join_url(target, target.quirks.chat_path or "/chat/completions", request.model)
        return post_request(target, url, body, accept=accept, numbers=numbers)

    def decode_completion(self, body: bytes, request: ChatCompletionRequest | None = None) -> ChatCompletion:
        value = _decode_body(body)
        if not isinstance(value, dict) or "choices" not in value:
            raise DecodeError(f"The answer is no chat completion: {cut(body, 200)!r}", data=cut(body))
        completion = from_dict(ChatCompletion, value)
        for choice in completion.choices:
            _read_finish_reason(choice)
            _name_calls(choice)
            error = choice.extra.get("error")
            if error and choice.finish_reason == "error":
                raise _reported({"error": error})
        return completion

    def chunk_decoder(self, request: ChatCompletionRequest) -> ChunkDecoder:
        return OpenAIChunkDecoder()

    def decode_error(self, response: HttpResponse, body: bytes) -> APIStatusError:
        error = super().decode_error(response, body)
        if error.retry_after is None:
            error.retry_after = _asked_to_wait(error, self.clock())
        return error

    def encode_models(self, target: Target) -> HttpRequest:
        path = target.quirks.models_path
        if path is None:
            raise ConfigError("This provider has no list of models")
        return get_request(target, join_url(target, path or "/models", None))

    def decode_models(self, body: bytes) -> list[Model]:
        value = _decode_body(body)
        models = value.get("data", value.get("models")) if isinstance(value, dict) else value
        if not isinstance(models, list):
            raise DecodeError(f"The answer is no list of models: {cut(body, 200)!r}", data=cut(body))
        from compatapi.service_types import Model

        return [from_dict(Model, model) for model in models]

    def encode_embeddings(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        path = target.quirks.embeddings_path
        if path is None:
            raise ConfigError("This provider has no embeddings")
        return post_request(target, join_url(target, path or "/embeddings", request.model), to_dict(request))

    def decode_embeddings(self, body: bytes) -> EmbeddingResponse:
        value = _decode_body(body)
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise DecodeError(f"The answer holds no embeddings: {cut(body, 200)!r}", data=cut(body))
        for item in value["data"]:
            if isinstance(item, dict) and isinstance(item.get("embedding"), str):
                item["embedding"] = _floats(item["embedding"])
        from compatapi.service_types import EmbeddingResponse

        return from_dict(EmbeddingResponse, value)


# --- whole answers --------------------------------------------------------------------------------------------------


def _decode_body(body: bytes) -> Any:
    value = jsontext.loads(jsontext.trimmed(body))
    if is_error(value):
        raise _reported(value)
    return value


def _reported(value: Any) -> StreamError:
    """The error that a value in an answer with status 200 is, with the status that its code stands for."""
    return stream_error(value, _BASE_RESP if isinstance(value, dict) and value.get("base_resp") else _STATUSES)


def _asked_to_wait(error: APIStatusError, now: float) -> float | None:
    """Seconds that a host asks to wait, where it has no word for it in the usual headers (section 4.3)."""
    body = error.body[0] if isinstance(error.body, list) and error.body else error.body
    inner = body.get("error") if isinstance(body, dict) else None
    inner = inner if isinstance(inner, dict) else {}
    details, metadata = inner.get("details"), inner.get("metadata")
    for detail in details if isinstance(details, list) else ():  # google.rpc.RetryInfo
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and delay.endswith("s"):
            return parse_retry_after({"retry-after": delay[:-1]}, now)
    headers = metadata.get("headers") if isinstance(metadata, dict) else None  # OpenRouter: Unix time in milliseconds
    reset = str(headers.get("X-RateLimit-Reset")) if isinstance(headers, dict) else ""
    reset = error.headers.get("x-ratelimit-reset", reset) if error.status_code == 429 else ""
    return max(int(reset) / 1000 - now, 0.0) if reset.isdecimal() and len(reset) == 13 else None


def _read_finish_reason(choice: Choice | ChunkChoice) -> None:
    reason = choice.finish_reason
    if reason == "":
        choice.set_reading("finish_reason", None)  # rule 5
    elif reason in FINISH_REASONS:
        choice.set_reading("finish_reason", FINISH_REASONS[reason])


def _name_calls(choice: Choice) -> None:
    """Rule 10: a call without an id gets one, because its result has to name it."""
    for call in choice.message.tool_calls or ():
        if isinstance(call, ToolCall) and not call.id:
            call.set_reading("id", new_call_id())


def _floats(text: str) -> list[float]:
    """Base64 of little-endian 32-bit floats (API reference, "Create embeddings", encoding_format)."""
    try:
        data = base64.b64decode(text, validate=True)
        return list(struct.unpack(f"<{len(data) // 4}f", data))
    except (ValueError, struct.error) as error:
        raise DecodeError(f"An embedding is no base64 of floats: {cut(text, 80)!r}", data=cut(text)) from error


# --- streams --------------------------------------------------------------------------------------------------------

#: An object without choices and with none of these is a heartbeat of a relay (rule 39 of the event stream), no chunk.
_CHUNK_KEYS = frozenset({"id", "object", "model", "created", "usage", "choices"})


#: Where the words of an answer stand in a delta.
_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


def _minimax_detail(delta: Delta) -> dict[str, Any] | None:
    """The one detail of reasoning in a delta, where it is of MiniMax and has a text."""
    details = (delta._extra or {}).get("reasoning_details")
    found = details[0] if isinstance(details, list) and len(details) == 1 else None
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        return None
    return found if "minimax" in str(found.get("format")).lower() else None


class OpenAIChunkDecoder:
    """Frames of one stream in, chunks out."""

    def __init__(self) -> None:
        self.done = False
        self._structure = converter.get_structure_hook(ChatCompletionChunk)
        self._finished: set[int] = set()
        self._spoken: set[int] = set()
        self._slots: dict[int, ToolCallSlots] = {}
        self._halves: dict[tuple[int, str], str] = {}
        self._details: dict[tuple[int, str, str], str | None] = {}
        self._joined = False
        self._forms = Forms()
        self.known = self._forms.read

    def decode(self, frame: Frame) -> Iterable[ChatCompletionChunk]:
        """The chunks of one frame."""
        if frame.data == "[DONE]":  # to find out that it is no JSON costs as much as a chunk
            self.done = True
            return []
        try:
            value = jsontext.loads(frame.data, self._join_halves)
            if self._halves:
                value = value if self._joined else self._join_halves(value)
                self._joined = False
        except DecodeError as error:
            return self._decode_text(frame, error)
        plain = value.__class__ is dict and value.get("choices") and frame.event != "error"
        plain = plain and "error" not in value and "base_resp" not in value
        if not plain and not self._is_chunk(value, frame):
            return []
        chunk: ChatCompletionChunk = self._structure(value, ChatCompletionChunk)
        for choice in chunk.choices:
            delta = choice.delta
            if (
                choice.finish_reason is not None
                or delta.tool_calls is not None
                or not delta.content
                or delta.reasoning_content
            ):
                self._settle(choice)
            else:
                self._spoken.add(choice.index)
            if chunk.usage is None and choice._extra and "usage" in choice._extra:  # rule 15
                self._read_usage(chunk, choice)
        if plain and not self._halves and not self._details:
            self._forms.learn(frame.data, chunk, self._read_alone, self._tell)
        return [chunk]

    def _read_alone(self, data: str) -> ChatCompletionChunk | None:
        """The chunk of an event, if no memory of the stream changes it."""
        chunk: ChatCompletionChunk = self._structure(jsontext.loads(data), ChatCompletionChunk)
        return None if any(_minimax_detail(choice.delta) for choice in chunk.choices) else chunk

    def _tell(self, chunk: ChatCompletionChunk) -> Tell | None:
        """Further arguments belong to their call."""
        choice = chunk.choices[0]
        return (ARGUMENTS, self._slots[choice.index].grower()) if choice.delta.tool_calls else None

    def _join_halves(self, value: Any) -> Any:
        """Servers that count in UTF-16 cut an emoji in two: keep its first half for the piece that brings the other."""
        self._joined = True
        choices = value.get("choices") if isinstance(value, dict) else None
        for choice in choices if isinstance(choices, list) else ():
            delta = choice.get("delta") if isinstance(choice, dict) else None
            if not isinstance(delta, dict):
                continue
            index = choice.get("index")
            for name in _TEXTS:
                text, place = delta.get(name), (index if isinstance(index, int) else 0, name)
                if isinstance(text, str) and text:
                    text = self._halves.pop(place, "") + text
                    if "\ud800" <= text[-1] <= "\udbff":
                        self._halves[place], text = text[-1], text[:-1]
                        self._forms.forget()  # the next piece has to be read in full, whatever its form
                    delta[name] = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return jsontext.mend_halves(value)

    def _decode_text(self, frame: Frame, error: DecodeError) -> Iterable[ChatCompletionChunk]:
        """A frame that is not one JSON text: the end mark, nothing, or several texts (rules 32 and 36)."""
        text = frame.data.strip()
        if text.startswith("[DONE]"):
            self.done = True
            return []
        if not text:
            return []
        lines = text.split("\n")
        if len(lines) == 1:
            if frame.event == "error":
                raise _reported(text)
            raise error
        return self._decode_lines(lines, frame)

    def _decode_lines(self, lines: list[str], frame: Frame) -> Iterator[ChatCompletionChunk]:
        # One at a time, so that the chunks in front of a fault are out before it is raised.
        for line in lines:
            if not self.done:
                yield from self.decode(Frame(line, frame.event, frame.id, frame.retry))

    def _is_chunk(self, value: Any, frame: Frame) -> bool:
        """Look closer at what is not a plain chunk; raise if it is an error."""
        if is_error(value) or frame.event == "error":
            raise _reported(value)
        if not isinstance(value, Mapping):
            raise DecodeError(f"An event of the stream is no JSON object: {cut(frame.data, 200)!r}", data=cut(value))
        return "type" not in value or not _CHUNK_KEYS.isdisjoint(value)

    def _settle(self, choice: ChunkChoice) -> None:
        """Whatever needs a memory of the stream: ends, numbers of tool calls, messages in place of deltas."""
        index = choice.index
        if choice._extra and "message" in choice._extra and choice.wire_value("delta") is None:
            self._read_message(choice)
        delta = choice.delta
        if delta.reasoning_content and "reasoning_content" in delta.readings:
            self._cut_details(choice)
        if delta.content or delta.tool_calls or delta.reasoning_content:
            self._spoken.add(index)
        if delta.tool_calls:
            self._number(index, delta.tool_calls)
        if choice.finish_reason is not None:
            self._end(choice)

    def _cut_details(self, choice: ChunkChoice) -> None:
        """Rule 21: MiniMax may repeat in each detail all that it said before. One that does not shows that it adds."""
        delta, found = choice.delta, _minimax_detail(choice.delta)
        if found is None:
            return
        text = found["text"]
        place = (choice.index, str(found.get("id")), str(found.get("index")))
        before = self._details.setdefault(place, "")
        if before is None or not text.startswith(before):
            self._details[place] = None
            return
        self._details[place] = text
        if before:
            new = text[len(before) :]
            delta.extra["reasoning_details"] = [{**found, "text": new}]
            delta.set_reading("reasoning_content", new or None)

    def _number(self, index: int, fragments: list[ToolCallDelta]) -> None:
        """Rules 9 to 11: give each fragment the number of its call, and a call without an id one."""
        slots = self._slots.setdefault(index, ToolCallSlots())
        for fragment, slot in zip(fragments, slots.add(fragments), strict=True):
            if fragment.index != slot:
                fragment.set_reading("index", slot)
            if fragment.id or name_of(fragment):
                self._forms.forget(only_calls=True)
            call = slots.calls[slot]
            if not call.id and call.name:
                call.id = new_call_id()
                fragment.set_reading("id", call.id)

    def _end(self, choice: ChunkChoice) -> None:
        _read_finish_reason(choice)
        if choice.finish_reason is None:
            return
        error = choice.extra.get("error") if choice.finish_reason == "error" else None
        if error:
            raise _reported({"error": error})
        if choice.index in self._finished:
            choice.set_reading("finish_reason", None)  # rule 6
        self._finished.add(choice.index)

    @staticmethod
    def _read_usage(chunk: ChatCompletionChunk, choice: ChunkChoice) -> None:
        usage = choice.extra["usage"]
        if isinstance(usage, dict):
            chunk.set_reading("usage", usage_from(usage))

    def _read_message(self, choice: ChunkChoice) -> None:
        """A whole message where a delta belongs: the answer, unless it was said before."""
        message = choice.extra["message"]
        if isinstance(message, dict) and choice.index not in self._spoken:
            choice.set_reading("delta", from_dict(Delta, message))
