"""What a dialect is, what a provider is, and how errors of any shape are read.

A dialect is code, in one file: it turns requests into bytes, and frames into chunks. It is stateless and pure; time,
credentials and options come in through a `compatapi.http_types.Target`. A provider is data, in one row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from attrs import field, frozen

from compatapi import jsontext
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest
from compatapi.errors import (
    APIStatusError,
    ConfigError,
    DecodeError,
    StreamError,
    cut,
    status_error_class,
)
from compatapi.framing import Frame, NDJSONDecoder, SSEDecoder
from compatapi.http_types import HttpRequest, HttpResponse, Quirks, SecretText, Target
from compatapi.retry import parse_retry_after
from compatapi.service_types import EmbeddingRequest, EmbeddingResponse, Model

__all__ = ["ChunkDecoder", "Dialect", "Provider", "error_from_status", "is_error", "join_url", "stream_error"]


class ChunkDecoder(Protocol):
    """Frames in, chunks out: the small state of one stream.

    Attributes:
        done: Whether the dialect's end mark was seen; what comes after it is ignored.
    """

    done: bool

    def decode(self, frame: Frame) -> Iterable[ChatCompletionChunk]:
        """The chunks of one frame, none or many. Chunks in front of a fault come before it is raised.

        Raises:
            StreamError: The frame is an error.
            DecodeError: The frame is nonsense.
        """
        ...


class Dialect:
    """One wire format. Derive from it; `compatapi.dialects.openai` is the example to read.

    Attributes:
        name: For messages and tables.
        decoder: What cuts the body of a stream into frames.
    """

    name: str = ""
    decoder: type[SSEDecoder] | type[NDJSONDecoder] = SSEDecoder

    def encode_request(self, request: ChatCompletionRequest, target: Target, stream: bool) -> HttpRequest:
        """The HTTP request, with the exact bytes of its body.

        Raises:
            ConfigError: The request holds something that the dialect has no word for.
        """
        raise NotImplementedError

    def decode_completion(self, body: bytes) -> ChatCompletion:
        """A whole answer.

        Raises:
            StreamError: It is an error, although its status said otherwise.
            DecodeError: It is nonsense.
        """
        raise NotImplementedError

    def chunk_decoder(self, request: ChatCompletionRequest) -> ChunkDecoder:
        """A fresh decoder for the stream that answers ``request``."""
        raise NotImplementedError

    def decode_error(self, response: HttpResponse, body: bytes) -> APIStatusError:
        """The error that an answer with a status of 300 or more stands for."""
        return error_from_status(response, body, now=time.time())

    def encode_models(self, target: Target) -> HttpRequest:
        """The request for the list of models."""
        raise ConfigError(f"The dialect {self.name!r} has no list of models")

    def decode_models(self, body: bytes) -> list[Model]:
        """The list of models."""
        raise NotImplementedError

    def encode_embeddings(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        """The request for embeddings."""
        raise ConfigError(f"The dialect {self.name!r} has no embeddings")

    def decode_embeddings(self, body: bytes) -> EmbeddingResponse:
        """The embeddings."""
        raise NotImplementedError


@frozen
class Provider:
    """A host: one row of data.

    Attributes:
        name: What `compatapi.Client` is given.
        base_url: Where its paths begin, a function that says so when asked, or ``None`` when only the user knows.
        dialect: The name of a dialect of compatapi, or a `Dialect` of your own.
        key_env: Environment variables that may hold the key, in order of preference.
        key_required: Whether the host refuses requests without a key.
        base_url_env: Environment variables that may hold the base URL, in order of preference.
        header_env: Headers to send, each from an environment variable, where that is set.
        query_env: Query parameters to send, each from an environment variable, where that is set.
        quirks: What the host does otherwise than others of its dialect.
        title: Its name for people.
    """

    name: str
    base_url: str | Callable[[], str] | None = None
    dialect: str | Dialect = field(default="openai", kw_only=True)
    key_env: tuple[str, ...] = field(default=(), kw_only=True)
    key_required: bool = field(default=False, kw_only=True)
    base_url_env: tuple[str, ...] = field(default=(), kw_only=True)
    header_env: Mapping[str, str] = field(factory=dict, kw_only=True)
    query_env: Mapping[str, str] = field(factory=dict, kw_only=True)
    quirks: Quirks = field(factory=Quirks, kw_only=True)
    title: str = field(default="", kw_only=True)


# --- addresses ------------------------------------------------------------------------------------------------------


def join_url(target: Target, path: str, model: str = "") -> str:
    """The base URL and a path, with the base's own query kept and the target's added.

    Nothing is guessed: no ``/v1`` is added. A ``root`` of the provider's row is put between the two unless the base
    names it already, and a base that names a deployment (Azure) is taken at its word.
    """
    base = urlsplit(target.base_url)
    start = _with_root(base.path.rstrip("/"), target.quirks.root)
    if "{model}" in path:
        before, _, after = path.partition("{model}")
        path = after if before in f"{start}/" else before + quote(model, safe="") + after
    elif path == target.quirks.models_path:  # a deployment has no list of its own
        start = start.partition("/deployments/")[0]
    query = "&".join(filter(None, (base.query, urlencode(dict(target.query)))))
    return urlunsplit((base.scheme, base.netloc, start + path, query, ""))


def _with_root(start: str, root: str) -> str:
    """Put the root behind the path of a base, less what the base has of it already."""
    steps = root.split("/")[1:]
    for count in range(len(steps), 0, -1):
        if start.endswith("/" + "/".join(steps[:count])):
            return "/".join([start, *steps[count:]])
    return start if steps and f"/{steps[0]}/" in start else start + root


def auth_headers(target: Target) -> dict[str, str]:
    """The headers that show the key, as the provider's row says; none without a key."""
    if target.api_key is None:
        return {}
    if target.quirks.auth == "bearer":
        return {"Authorization": SecretText(f"Bearer {target.api_key.reveal()}")}
    return {target.quirks.auth: SecretText(target.api_key.reveal())}


# --- errors ---------------------------------------------------------------------------------------------------------

#: Codes and types that say: the prompt does not fit the model.
_TOO_LONG = frozenset(
    {
        "context_length_exceeded",
        "exceed_context_size_error",
        "string_above_max_length",
        "model_context_window_exceeded",
        "context_window_exceeded",
        "outofcontexterror",
        "request_too_large",
        "1261",
    }
)
_TOO_LONG_WORDS = ("maximum context length", "context window", "context length", "prompt is too long")


def error_from_status(response: HttpResponse, body: bytes, *, now: float) -> APIStatusError:
    """The error for an answer with a status that says no. ``now`` is the Unix time in seconds."""
    status = response.status
    value = _decode_error_body(body)
    fields = read_error(value)
    said = cut(fields.pop("message") or body[:4000].strip() or response.reason)
    fields["request_id"] = response.request_id or fields.get("request_id")
    codes = {str(fields.get(name)).lower() for name in ("code", "type")}
    too_long = bool(codes & _TOO_LONG) or (status == 400 and any(words in said.lower() for words in _TOO_LONG_WORDS))
    return status_error_class(status, too_long=too_long)(
        f"HTTP {status}: {said or 'no reason given'}",
        **fields,
        status_code=status,
        headers=response.headers,
        retry_after=parse_retry_after(response.headers, now),
        body=value,
    )


def _decode_error_body(body: bytes) -> Any:
    if not body or body.isspace():
        return None
    if body[:100].lstrip()[:1] in (b"{", b"[", b'"'):  # else it is a page or a text, of any size
        try:
            return jsontext.loads(body)
        except DecodeError:
            pass
    return cut(body, 4000)


def stream_error(value: Any) -> StreamError:
    """The error that a JSON value inside a stream, or in an answer with status 200, stands for."""
    fields = read_error(value)
    said = fields.pop("message") or cut(value)
    return StreamError(f"The server reports an error: {said}", **fields, body=value)


def read_error(value: Any) -> dict[str, Any]:
    """Message, code, type, param and request id of an error body of any of the shapes in use.

    The order of looking is that of "OpenAI-compatible servers", section 4.1, in the documentation.
    """
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return {"message": value.strip() or None if isinstance(value, str) else None}
    inner = value.get("error")
    spots = [spot for spot in (inner, value, value.get("base_resp"), _path(value, "Response", "Error")) if spot]
    objects = [spot for spot in spots if isinstance(spot, dict)]
    message = _first_text(
        _get(inner, "message"),
        inner,
        value.get("message"),
        value.get("detail"),
        _path(value, "detail", 0, "msg"),
        _path(value, "detail", "message"),
        value.get("msg"),
        _path(value, "base_resp", "status_msg"),
        _path(value, "Response", "Error", "Message"),
        _get(inner, "code"),
    )
    code = _first(objects, ("code", "Code", "status_code"))
    kind = _first(objects, ("type", "error_type"))
    return {
        "message": message,
        "code": code,
        "type": kind if isinstance(kind, str) else None,
        "param": _first(objects, ("param",)),
        "request_id": _first([value, value.get("Response")], ("request_id", "RequestId")),
    }


def is_error(value: Any) -> bool:
    """Whether a JSON value is an error although no status said so (section 4.2): an ``error`` that is not empty."""
    if isinstance(value, list):
        return bool(value) and is_error(value[0])
    if not isinstance(value, dict):
        return False
    if value.get("error") or value.get("object") == "error" or value.get("type") == "error":
        return True
    if _path(value, "base_resp", "status_code") or _path(value, "Response", "Error"):
        return True
    if isinstance(value.get("message"), str) and not {"choices", "type"} & value.keys():
        return True  # of a gateway
    return not value.get("choices") and (("message" in value and "code" in value) or "detail" in value)


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _path(value: Any, *steps: str | int) -> Any:
    for step in steps:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = _get(value, step)
    return value


def _first_text(*values: Any) -> str | None:
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), None)


def _first(spots: list[Any], names: tuple[str, ...]) -> Any:
    found = (_get(spot, name) for name in names for spot in spots)
    return next((value for value in found if value is not None and value != "" and not isinstance(value, dict)), None)
