"""The dialect of Aliyun's DashScope (Model Studio, Bailian), in its own form.

In: a `ChatCompletionRequest`, and the frames of an event stream. Out: the bytes of a POST, and chunks. Sources: the
DashScope API reference of Model Studio (help.aliyun.com), and dashscope/dashscope-sdk-python.

* The id is the ``request_id``; the wire has neither a time nor a model, so these are the clock's and the request's.
* There is no end mark: a stream is complete by its finish reasons, and ``event:done`` says nothing.
* What stands in ``output`` beside the choices, such as ``search_info``, is kept in `extra` of the chunk. Fields of a
  message that nobody knows, and a content with more than texts, are kept in `extra` of the choice as they came, so that
  a message that was received can always be sent back.
* A stream may repeat itself, see `compatapi.dialects.dashscope.repeats`.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from compatapi import jsontext
from compatapi.chat_types import ChatCompletion, ChatCompletionRequest
from compatapi.dialects.addressing import join_url, post_request
from compatapi.dialects.api_errors import error_from_status
from compatapi.dialects.base import ChunkDecoder, Dialect
from compatapi.dialects.dashscope.answer import DashScopeChunkDecoder, kept, output_of, usage_of
from compatapi.dialects.dashscope.repeats import Repeats
from compatapi.dialects.dashscope.request import EMBEDDINGS_PATH, chat_path, encode_chat, encode_inputs, wants_deltas
from compatapi.dialects.native import completion_from
from compatapi.errors import APIStatusError, ConfigError, ContextLengthError, DecodeError, cut
from compatapi.http_types import HttpRequest, HttpResponse, Target
from compatapi.service_types import Embedding, EmbeddingRequest, EmbeddingResponse
from compatapi.wire import wire_names

__all__ = ["DashScopeDialect"]

_ROOT = "/api/v1"

#: What a prompt that is too long is refused with: code InvalidParameter, and these words.
_TOO_LONG = "Range of input length should be"


class DashScopeDialect(Dialect):
    """DashScope's text and multimodal generation, and its text embeddings. There is no list of models."""

    name = "dashscope"

    def encode_request(self, request: ChatCompletionRequest, target: Target, stream: bool) -> HttpRequest:
        path = chat_path(request, target)
        body, url = encode_chat(request, target, path, stream), join_url(target, path, request.model, root=_ROOT)
        if not stream:
            return post_request(target, url, body)
        made = post_request(target, url, body, accept="text/event-stream")
        return evolve(made, headers={"X-DashScope-SSE": "enable", **made.headers})

    def decode_completion(self, body: bytes, request: ChatCompletionRequest | None = None) -> ChatCompletion:
        value = jsontext.loads(jsontext.trimmed(body))
        decoder = DashScopeChunkDecoder(int(self.clock()), request.model if request else None, Repeats(False))
        return completion_from([decoder.chunk_of(value)])

    def chunk_decoder(self, request: ChatCompletionRequest) -> ChunkDecoder:
        repeats = Repeats(None if wants_deltas(request) else True)
        return DashScopeChunkDecoder(int(self.clock()), request.model, repeats)

    def decode_error(self, response: HttpResponse, body: bytes) -> APIStatusError:
        error = error_from_status(response, body, now=self.clock())
        if error.status_code == 400 and _TOO_LONG in error.message:
            return ContextLengthError(error.message, **vars(error))
        return error

    def encode_embeddings(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        path = target.quirks.embeddings_path
        if path is None:
            raise ConfigError("This provider has no embeddings")
        url = join_url(target, path or EMBEDDINGS_PATH, root=_ROOT)
        return post_request(target, url, encode_inputs(request, target))

    def decode_embeddings(self, body: bytes) -> EmbeddingResponse:
        value = jsontext.loads(body)
        output = output_of(value)
        items = output.pop("embeddings", None)
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise DecodeError(f"The answer holds no embeddings: {cut(body, 200)!r}", data=cut(body))
        data = [_embedding(index, item) for index, item in enumerate(items)]
        extra = kept({**output, **value}, frozenset({"output", "usage", *wire_names(EmbeddingResponse)}))
        return EmbeddingResponse(data, usage=usage_of(value.get("usage")), extra=extra)


def _embedding(place: int, item: dict[str, Any]) -> Embedding:
    index, vector = item.get("text_index"), item.get("embedding")
    if not isinstance(vector, list):
        raise DecodeError(f"An embedding is no list of numbers: {cut(vector, 80)}", data=cut(vector))
    extra = kept(item, frozenset({"text_index", *wire_names(Embedding)}))
    return Embedding(index if isinstance(index, int) else place, vector, extra=extra)
