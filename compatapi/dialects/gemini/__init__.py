"""The dialect of Google's Gemini API (``generateContent``), also on Vertex AI.

In: a `ChatCompletionRequest`, and the events of a stream or a whole answer. Out: the bytes of a POST, and chunks. The
bodies are made in `compatapi.dialects.gemini.request` and `compatapi.dialects.gemini.turns`, the chunks in
`compatapi.dialects.gemini.answer`, the errors in `compatapi.dialects.gemini.errors`. Sources: googleapis/python-genai,
``google/genai/types.py`` and ``errors.py``; "Function calling" and "Thought signatures" in Google's guide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from compatapi import jsontext
from compatapi.accumulate import EndTracker
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest
from compatapi.dialects.addressing import get_request, join_url, post_request
from compatapi.dialects.api_errors import is_error
from compatapi.dialects.base import ChunkDecoder, Dialect
from compatapi.dialects.fields import RequestFields
from compatapi.dialects.gemini.answer import GeminiChunkDecoder, usage_of
from compatapi.dialects.gemini.errors import as_object, checked, explained
from compatapi.dialects.gemini.request import encode_body, spelled
from compatapi.dialects.native import completion_from
from compatapi.errors import APIStatusError, CompatAPIError, ConfigError, DecodeError, IncompleteStreamError, cut
from compatapi.http_types import HttpRequest, HttpResponse, Target
from compatapi.service_types import Embedding, EmbeddingRequest, EmbeddingResponse, Model

__all__ = ["GeminiDialect"]

_AUTH = "x-goog-api-key"  # a key in the query, which Google allows too, would be in every log
_PAGE = {"pageSize": "1000"}
_EMBEDDING = {"dimensions": "outputDimensionality", **spelled("taskType", "title", "autoTruncate")}
_GAP = re.compile(r"[\s,]*")


class GeminiDialect(Dialect):
    """The Gemini API, version v1beta unless the base URL names one."""

    name = "gemini"

    def encode_request(self, request: ChatCompletionRequest, target: Target, stream: bool) -> HttpRequest:
        verb, query = ("streamGenerateContent", {"alt": "sse"}) if stream else ("generateContent", {})
        return _post(target, target.quirks.chat_path, request.model, verb, encode_body(request, target), query)

    def decode_completion(self, body: bytes, request: ChatCompletionRequest | None = None) -> ChatCompletion:
        events, fault = _read_events(jsontext.trimmed(body))
        decoder = GeminiChunkDecoder(int(self.clock()), request.model if request else None)
        chunks: list[ChatCompletionChunk] = []
        end = EndTracker()
        try:
            for event in events:
                chunks += decoder.decode_event(event, body)
            for chunk in chunks:
                end.add(chunk)
            if fault is not None and not end.is_finished:
                raise fault
        except CompatAPIError as error:
            error.completion = completion_from(chunks) if chunks else None
            raise
        if not any(chunk.choices or chunk.usage for chunk in chunks):
            raise DecodeError(f"The answer holds no candidates: {cut(body, 200)!r}", data=cut(body))
        return completion_from(chunks)

    def chunk_decoder(self, request: ChatCompletionRequest) -> ChunkDecoder:
        return GeminiChunkDecoder(int(self.clock()), request.model)

    def decode_error(self, response: HttpResponse, body: bytes) -> APIStatusError:
        return explained(super().decode_error(response, body))

    def encode_models(self, target: Target) -> HttpRequest:
        return self._get_models(target, _PAGE)

    def encode_more_models(self, target: Target, body: bytes) -> HttpRequest | None:
        token = as_object(jsontext.loads(body)).get("nextPageToken")
        return self._get_models(target, {**_PAGE, "pageToken": token}) if isinstance(token, str) else None

    def decode_models(self, body: bytes) -> list[Model]:
        value = checked(jsontext.loads(body))
        models = value.get("models", [])  # an empty page is an empty object
        if not isinstance(models, list) or not all(isinstance(as_object(each).get("name"), str) for each in models):
            raise DecodeError(f"The answer is no list of models: {cut(body, 200)!r}", data=cut(body))
        return [Model(each["name"].removeprefix("models/"), extra=each) for each in models]

    def encode_embeddings(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        if target.quirks.embeddings_path is None:
            return super().encode_embeddings(request, target)
        fields = RequestFields(self.name, ChatCompletionRequest(request.model, ()), target)
        options = {}
        for name, value in {"dimensions": request.dimensions, "user": request.user, **request.extra}.items():
            if name in _EMBEDDING and value is not None:
                options[_EMBEDDING[name]] = value
            elif value is not None:
                fields.refuse(name)
        if request.encoding_format not in (None, "float"):
            fields.refuse("encoding_format", f"{request.encoding_format!r}")
        texts = [request.input] if isinstance(request.input, str) else list(request.input)
        if not all(isinstance(text, str) for text in texts):
            raise ConfigError("The dialect 'gemini' has no word for token ids; give the text")
        asked = [{"content": {"parts": [{"text": text}]}, **options} for text in texts]
        path = target.quirks.embeddings_path
        if isinstance(request.input, str):
            return _post(target, path, request.model, "embedContent", asked[0])
        model = {"model": f"models/{_bare(request.model)}"}
        return _post(target, path, request.model, "batchEmbedContents", {"requests": [model | each for each in asked]})

    def decode_embeddings(self, body: bytes) -> EmbeddingResponse:
        value = dict(checked(jsontext.loads(body)))
        usage = usage_of(value.pop("usageMetadata", None))
        found = value.pop("embeddings", None) or [value.pop("embedding", None)]
        if not isinstance(found, list) or not all(isinstance(as_object(each).get("values"), list) for each in found):
            raise DecodeError(f"The answer holds no embeddings: {cut(body, 200)!r}", data=cut(body))
        data = [
            Embedding(index, each["values"], extra={name: each[name] for name in each if name != "values"} or None)
            for index, each in enumerate(found)
        ]
        return EmbeddingResponse(data, usage=usage, extra=value or None)

    def _get_models(self, target: Target, query: Mapping[str, str]) -> HttpRequest:
        if target.quirks.models_path is None:
            return super().encode_models(target)
        path = target.quirks.models_path or "/models"
        return get_request(target, join_url(target, path, None, root=_root(target), query=query), _AUTH)


def _post(
    target: Target, path: str, model: str, verb: str, body: dict[str, Any], query: Mapping[str, str] = {}
) -> HttpRequest:
    url = join_url(target, f"{path or '/models/{model}'}:{verb}", _bare(model), root=_root(target), query=query)
    accept = "text/event-stream" if query else "application/json"
    return post_request(target, url, body, accept=accept, auth=_AUTH)


def _bare(model: str) -> str:
    return model.removeprefix("models/")


def _root(target: Target) -> str:
    """Nothing where the base URL names a version, as those of Vertex AI do."""
    return "" if re.search(r"/v\d\w*(/|$)", urlsplit(target.base_url).path) else "/v1beta"


def _read_events(body: bytes) -> tuple[list[Any], CompatAPIError | None]:
    """The events of a body, and why there are no more: without ``alt=sse`` a stream is one array that grows."""
    try:
        value = jsontext.loads(body)
        if not value or not isinstance(value, list) or is_error(value):
            return value if value == [] else [value], None
        return value, IncompleteStreamError("The stream was cut short: its array ended without a finish reason")
    except DecodeError as error:
        if not body.startswith(b"["):
            raise
        fault = error
    text, at, found = body.decode("utf-8", "replace"), 1, list[Any]()
    scan = json.JSONDecoder().raw_decode
    while True:
        gap = _GAP.match(text, at)
        start = gap.end() if gap else at
        try:
            at = scan(text, start)[1]
        except (ValueError, RecursionError):
            return found, fault
        found.append(jsontext.loads(text[start:at]))
