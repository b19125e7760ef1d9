"""The dialect of Anthropic's Messages API, and of the hosts that speak it with a Bearer key.

In: a `ChatCompletionRequest`, and the frames of an event stream. Out: the bytes of a POST, which
`compatapi.dialects.anthropic.request` words, and chunks. Sources: the types and fixtures of Anthropic's own Python
library, and the pages "Messages", "Streaming messages" and "Errors" of its documentation.

"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import evolve

from compatapi import jsontext
from compatapi.chat_types import ChatCompletion, ChatCompletionRequest
from compatapi.convert import from_dict
from compatapi.dialects.addressing import get_request, join_url, post_request
from compatapi.dialects.anthropic.answer import STATUSES, AnthropicChunkDecoder
from compatapi.dialects.anthropic.request import encode_body
from compatapi.dialects.api_errors import is_error, stream_error
from compatapi.dialects.base import ChunkDecoder, Dialect
from compatapi.dialects.fields import RequestFields
from compatapi.dialects.native import completion_from
from compatapi.errors import ConfigError, DecodeError, cut
from compatapi.http_types import Headers, HttpRequest, Target
from compatapi.service_types import Model

__all__ = ["AnthropicDialect"]

#: What the fields of a request and an answer mean; `Target.headers` may name another.
VERSION = "2023-06-01"


class AnthropicDialect(Dialect):
    """The Messages API of Anthropic. Embeddings it has none."""

    name = "anthropic"

    def encode_request(self, request: ChatCompletionRequest, target: Target, stream: bool) -> HttpRequest:
        body = encode_body(RequestFields(self.name, request, target), stream)
        url = join_url(target, target.quirks.chat_path or "/messages", request.model, root="/v1")
        accept = "text/event-stream" if stream else "application/json"
        return _versioned(post_request(target, url, body, accept=accept, auth="x-api-key"))

    def decode_completion(self, body: bytes, request: ChatCompletionRequest | None = None) -> ChatCompletion:
        value = _decode_body(body)
        if not isinstance(value, dict) or not isinstance(value.get("content"), list):
            raise DecodeError(f"The answer is no message: {cut(body, 200)!r}", data=cut(body))
        return completion_from(AnthropicChunkDecoder(int(self.clock())).decode_message(value))

    def chunk_decoder(self, request: ChatCompletionRequest) -> ChunkDecoder:
        return AnthropicChunkDecoder(int(self.clock()))

    def encode_models(self, target: Target) -> HttpRequest:
        return self._models_page(target, {})

    def encode_more_models(self, target: Target, body: bytes) -> HttpRequest | None:
        value = _decode_body(body)
        if not isinstance(value, dict) or value.get("has_more") is not True or not value.get("last_id"):
            return None
        return self._models_page(target, {"after_id": str(value["last_id"])})

    def decode_models(self, body: bytes) -> list[Model]:
        value = _decode_body(body)
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise DecodeError(f"The answer is no list of models: {cut(body, 200)!r}", data=cut(body))
        models = [from_dict(Model, model) for model in value["data"]]
        return [evolve(model, created=model.created or _unix_time(model.extra.get("created_at"))) for model in models]

    def _models_page(self, target: Target, query: Mapping[str, str]) -> HttpRequest:
        path = target.quirks.models_path
        if path is None:
            raise ConfigError("This provider has no list of models")
        url = join_url(target, path or "/models", None, root="/v1", query=query)
        return _versioned(get_request(target, url, "x-api-key"))


def _versioned(request: HttpRequest) -> HttpRequest:
    if "anthropic-version" in Headers(request.headers):
        return request
    return evolve(request, headers={**request.headers, "anthropic-version": VERSION})


def _decode_body(body: bytes) -> Any:
    value = jsontext.loads(jsontext.trimmed(body))
    if is_error(value):
        raise stream_error(value, STATUSES)
    return value


def _unix_time(text: Any) -> int | None:
    try:  # RFC 3339; Python reads the Z since 3.11
        return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
    except (AttributeError, ValueError, OverflowError):
        return None
