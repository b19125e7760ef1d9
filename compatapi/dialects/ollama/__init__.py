"""The dialect of Ollama's own interface, ``/api/chat``: one JSON object a line.

In: a `ChatCompletionRequest`, and the lines of a stream. Out: the bytes of a POST, and chunks. Sources:
``docs/api.md``, ``api/types.go`` and ``server/routes.go`` of ollama/ollama.

* `extra` of a chunk keeps what its line says besides: ``created_at``, and of the last line ``done``, ``done_reason``,
  the counts and the durations (nanoseconds), as they came. A ``done`` that is false is not kept.
* The finish reason is ``tool_calls`` when there were any; Ollama says "stop" then. A ``done``
  without a ``done_reason``, as old servers have it, is a "stop".
* Fields of a message that nobody knows yet are kept in `extra` of the choice, so that a message that was received can
  always be sent back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from compatapi import jsontext
from compatapi.chat_types import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionRequest,
    ChunkChoice,
    Delta,
    FunctionCallDelta,
    Logprobs,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from compatapi.convert import from_dict
from compatapi.dialects.addressing import get_request, join_url, post_request
from compatapi.dialects.api_errors import is_error, stream_error
from compatapi.dialects.base import ChunkDecoder, Dialect
from compatapi.dialects.native import EventReader, completion_from, count, finish_fields
from compatapi.dialects.ollama.request import encode_chat, encode_inputs
from compatapi.errors import ConfigError, DecodeError, cut
from compatapi.framing import Frame, NDJSONDecoder
from compatapi.http_types import HttpRequest, Target
from compatapi.service_types import Embedding, EmbeddingRequest, EmbeddingResponse, Model
from compatapi.toolcalls import new_call_id
from compatapi.wire import wire_names

__all__ = ["OllamaDialect"]

_ROOT = "/api"

#: The model is in memory, or was taken out of it: nothing was asked, and all is said.
_FINISH_REASONS = {"load": "stop", "unload": "stop"}


class OllamaDialect(Dialect):
    """Ollama's own chat interface, local and in its cloud."""

    name = "ollama"
    decoder = NDJSONDecoder

    def encode_request(self, request: ChatCompletionRequest, target: Target, stream: bool) -> HttpRequest:
        url = join_url(target, target.quirks.chat_path or "/chat", request.model, root=_ROOT)
        accept = "application/x-ndjson" if stream else "application/json"
        return post_request(target, url, encode_chat(request, target, stream), accept=accept)

    def decode_completion(self, body: bytes, request: ChatCompletionRequest | None = None) -> ChatCompletion:
        value = _decode_object(body, "message", "done")
        return completion_from([OllamaChunkDecoder().chunk_of(value)])

    def chunk_decoder(self, request: ChatCompletionRequest) -> ChunkDecoder:
        return OllamaChunkDecoder()

    def encode_models(self, target: Target) -> HttpRequest:
        path = target.quirks.models_path
        if path is None:
            raise ConfigError("This provider has no list of models")
        return get_request(target, join_url(target, path or "/tags", None, root=_ROOT))

    def decode_models(self, body: bytes) -> list[Model]:
        models = _decode_object(body, "models")["models"]
        if not isinstance(models, list):
            raise DecodeError(f"The answer is no list of models: {cut(body, 200)!r}", data=cut(body))
        return [_model(model) for model in models]

    def encode_embeddings(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        path = target.quirks.embeddings_path
        if path is None:
            raise ConfigError("This provider has no embeddings")
        url = join_url(target, path or "/embed", request.model, root=_ROOT)
        return post_request(target, url, encode_inputs(request, target))

    def decode_embeddings(self, body: bytes) -> EmbeddingResponse:
        value = _decode_object(body, "embeddings", "embedding")
        # The older /api/embeddings has one text and one vector.
        vectors = value.pop("embeddings") if "embeddings" in value else [value.pop("embedding")]
        if not isinstance(vectors, list) or not all(isinstance(vector, list) for vector in vectors):
            raise DecodeError(f"The answer holds no embeddings: {cut(body, 200)!r}", data=cut(body))
        model, tokens = value.pop("model", None), count(value.get("prompt_eval_count"))
        return EmbeddingResponse(
            [Embedding(index, vector) for index, vector in enumerate(vectors)],
            model if isinstance(model, str) else None,
            None if tokens is None else Usage(tokens, total_tokens=tokens),
            extra=_without(value, wire_names(EmbeddingResponse)),
        )


# --- whole answers --------------------------------------------------------------------------------------------------


def _decode_object(body: bytes, *names: str) -> dict[str, Any]:
    """The JSON object of a body, which has one of the fields."""
    value = jsontext.loads(jsontext.trimmed(body))
    if is_error(value):
        raise stream_error(value)
    if not isinstance(value, dict) or not any(name in value for name in names):
        raise DecodeError(f"The answer has no {' and no '.join(names)}: {cut(body, 200)!r}", data=cut(body))
    return value


def _model(value: Any) -> Model:
    name = (value.get("name") or value.get("model")) if isinstance(value, dict) else None
    if not isinstance(name, str):
        raise DecodeError(f"A model of the list has no name: {cut(value, 200)}", data=cut(value))
    rest = _without(value, ("name", *wire_names(Model)))
    # As Ollama's own OpenAI interface has it.
    return Model(name, created=_unix_time(value.get("modified_at")), owned_by="library", extra=rest)


def _without(value: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in names}


_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.\d+)?(?:[Zz]|([+-]\d\d:\d\d))?")


def _unix_time(text: Any) -> int | None:
    """The seconds of a time as Go writes it (RFC 3339, up to nine digits of a second); ``None`` for anything else."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        return int(datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or '+00:00'}").timestamp())
    except (ValueError, OverflowError):
        return None


# --- streams --------------------------------------------------------------------------------------------------------

_MESSAGE = frozenset({"role", "content", "thinking", "tool_calls", "images"})


class OllamaChunkDecoder:
    """Lines of one stream in, chunks out."""

    def __init__(self) -> None:
        self.done = False
        self._reader = EventReader()
        self.known = self._reader.known
        self._id: str | None = None
        self._created: int | None = None
        self._model: str | None = None
        self._role: str | None = None
        self._calls = 0

    def decode(self, frame: Frame) -> Iterable[ChatCompletionChunk]:
        """The chunk of one line."""
        value = self._reader.loads(frame.data)
        chunk = self._plain_chunk(value)
        if chunk is None:
            self._reader.forget()
            return [self.chunk_of(value)]
        self._reader.learn(frame.data, chunk, self._read_plain)
        return [chunk]

    def _read_plain(self, line: str) -> ChatCompletionChunk | None:
        return self._plain_chunk(jsontext.loads(line))

    def _plain_chunk(self, value: Any) -> ChatCompletionChunk | None:
        """The chunk of a line like most: more text or reasoning of an answer that has begun, and nothing else."""
        message = value.get("message") if value.__class__ is dict else None
        if message.__class__ is not dict or len(value) != 4 or value.get("done") is not False:
            return None
        text, thought, time = message.get("content"), message.get("thinking"), value.get("created_at")
        if len(message) != (2 if thought is None else 3) or text.__class__ is not str or not (text or thought):
            return None
        same = message.get("role") == self._role and value.get("model") == self._model
        if not (same and self._id and time) or thought.__class__ is not str and thought is not None:
            return None
        return ChatCompletionChunk(
            self._id,
            created=self._created,
            model=self._model,
            choices=[ChunkChoice(0, Delta(None, text or None, thought or None))],
            extra={"created_at": time},
        )

    def chunk_of(self, value: Any) -> ChatCompletionChunk:
        """The chunk of a line, or of a whole answer, which has the shape of a last line.

        Raises:
            StreamError: It is an error.
            DecodeError: It is nonsense.
        """
        if is_error(value):
            raise stream_error(value)
        if not isinstance(value, dict):
            raise DecodeError(f"A line of the stream is no JSON object: {cut(value, 200)!r}", data=cut(value))
        self._begin(value)
        extra = _without(value, ("model", "message", *wire_names(ChatCompletionChunk)))
        message, self.done = value.get("message"), value.get("done") is True
        if not self.done and extra.get("done") is False:
            del extra["done"]
        choices = []
        if isinstance(message, dict) or self.done:
            choices = [self._choice(message if isinstance(message, dict) else {}, extra)]
        return ChatCompletionChunk(
            self._id,
            created=self._created,
            model=self._model,
            choices=choices,
            usage=_usage(value),
            extra=extra or None,
        )

    def _begin(self, value: dict[str, Any]) -> None:
        model, time = value.get("model"), value.get("created_at")
        if isinstance(model, str):
            self._model = model
        if self._created is None:
            self._created = _unix_time(time)
        if self._id is None:  # there is none on the wire; the same answer shall have the same one
            name = repr((model, time) if time else value)
            self._id = f"chatcmpl-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:24]}"

    def _choice(self, message: dict[str, Any], extra: dict[str, Any]) -> ChunkChoice:
        left = _without(message, _MESSAGE | set(wire_names(ChunkChoice)))
        delta = self._delta(message, left)
        reason = None
        if self.done:
            said = extra.get("done_reason")
            reason, own = finish_fields(said, _FINISH_REASONS)
            if self._calls and reason in (None, "stop"):
                reason, own = "tool_calls", {"native_finish_reason": said} if reason else {}
            reason = reason or "stop"  # older servers say no more than "done"
            left |= own
        return ChunkChoice(0, delta, reason, _logprobs(extra), extra=left or None)

    def _delta(self, message: dict[str, Any], left: dict[str, Any]) -> Delta:
        """What the message says; values of another type than they should have go to what is ``left``."""
        texts: dict[str, str | None] = {}
        for name in ("role", "content", "thinking"):
            text = message.get(name)
            texts[name] = text if isinstance(text, str) and text else None
            if text is not None and not isinstance(text, str):
                left[name] = text
        if texts["thinking"] is None and isinstance(left.get("reasoning_content"), str):  # of servers like it
            texts["thinking"] = left.pop("reasoning_content") or None
        if texts["role"] == self._role:
            texts["role"] = None
        self._role = texts["role"] or self._role
        calls, images = message.get("tool_calls"), message.get("images")
        return Delta(
            role=texts["role"],
            content=texts["content"],
            reasoning_content=texts["thinking"],
            tool_calls=self._tool_calls(calls, left) or None,
            extra={"images": images} if images else None,
        )

    def _tool_calls(self, calls: Any, left: dict[str, Any]) -> list[ToolCallDelta]:
        """The calls, numbered over the whole stream: the wire's own number is often missing or 0."""
        found = []
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                left["tool_calls"] = calls
                continue
            if call.keys() - {"id", "function", "type"} or function.keys() - {"name", "arguments", "index"}:
                left["tool_calls"] = calls
            name, id = function.get("name"), call.get("id")
            own = {"index": function["index"]} if isinstance(function.get("index"), int) else None
            arguments = FunctionCallDelta(
                name if isinstance(name, str) else None, _json_text(function.get("arguments")), extra=own
            )
            id = id if isinstance(id, str) and id else new_call_id()
            found.append(ToolCallDelta(self._calls, id, "function", arguments))
            self._calls += 1
        if calls and not isinstance(calls, list):
            left["tool_calls"] = calls
        return found


def _json_text(arguments: Any) -> str:
    """The JSON text of arguments, which are an object on the wire."""
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    try:
        return jsontext.dumps(arguments).decode()
    except ConfigError as error:  # a number that is no finite float, such as 1e400
        raise DecodeError(f"The arguments of a tool call cannot be read: {error}", data=cut(arguments)) from error


def _usage(value: dict[str, Any]) -> Usage | None:
    """The tokens; the server leaves out a count that is 0, as that of a prompt that it remembers."""
    prompt, answer = count(value.get("prompt_eval_count")), count(value.get("eval_count"))
    if prompt is None and answer is None:
        return None
    return Usage(prompt or 0, answer or 0, (prompt or 0) + (answer or 0))


def _logprobs(extra: dict[str, Any]) -> Logprobs | None:
    """The ``logprobs`` of newer servers: of the tokens of one line, in the shape that OpenAI's have too."""
    tokens = extra.get("logprobs")
    if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
        return None
    del extra["logprobs"]
    return Logprobs([from_dict(TokenLogprob, token) for token in tokens])
