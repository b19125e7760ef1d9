"""What a dialect is, and what a provider is.

A dialect is code, in one file: it turns requests into bytes, and frames into chunks. It is stateless and pure; the
credentials and options of a request come in through a `compatapi.http_types.Target`, time through `Dialect.clock`. A
provider is data, in one row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from attrs import field, frozen

from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest
from compatapi.dialects.api_errors import error_from_status
from compatapi.errors import APIStatusError, ConfigError
from compatapi.framing import Frame, NDJSONDecoder, SSEDecoder
from compatapi.http_types import HttpRequest, HttpResponse, Quirks, Target

if TYPE_CHECKING:
    from compatapi.service_types import EmbeddingRequest, EmbeddingResponse, Model

__all__ = ["ChunkDecoder", "Dialect", "Provider", "held_back"]


class ChunkDecoder(Protocol):
    """Frames in, chunks out: the small state of one stream.

    It may also have ``flush()``, which gives what it has held back, and ``known(data)``: the one chunk of an event that
    is nothing but this data, if that can be told without decoding the event; else ``None``, and the event is decoded.
    Of events with names or ids it is asked only where ``names_matter`` is false.

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


def held_back(decoder: ChunkDecoder) -> list[ChatCompletionChunk]:
    """What a decoder has not given yet when the stream is over, however it ended; few have any (``flush``)."""
    flush: Callable[[], list[ChatCompletionChunk]] = getattr(decoder, "flush", list)
    return flush()


class Dialect:
    """One wire format. Derive from it; "Add a dialect" in the documentation shows how on a small one.

    Args:
        clock: The Unix time in seconds.

    Attributes:
        name: For messages and tables.
        decoder: What cuts the body of a stream into frames.
    """

    name: str = ""
    decoder: type[SSEDecoder] | type[NDJSONDecoder] = SSEDecoder

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock

    def encode_request(self, request: ChatCompletionRequest, target: Target, stream: bool) -> HttpRequest:
        """The HTTP request, with the exact bytes of its body.

        Raises:
            ConfigError: The request holds something that the dialect has no word for.
        """
        raise NotImplementedError

    def decode_completion(self, body: bytes, request: ChatCompletionRequest | None = None) -> ChatCompletion:
        """A whole answer; ``request`` is what was asked, for what some servers do not repeat.

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
        return error_from_status(response, body, now=self.clock())

    def encode_models(self, target: Target) -> HttpRequest:
        """The request for the list of models, or for its first page."""
        raise ConfigError(f"The dialect {self.name!r} has no list of models")

    def encode_more_models(self, target: Target, body: bytes) -> HttpRequest | None:
        """The request for the page behind the one in ``body``; ``None`` when that was the last."""
        return None

    def decode_models(self, body: bytes) -> list[Model]:
        """The models of one page."""
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
        key_parts_env: Environment variables of a key that has several parts, which are joined by colons; trailing ones
            may be unset.
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
    key_parts_env: tuple[str, ...] = field(default=(), kw_only=True)
    key_required: bool = field(default=False, kw_only=True)
    base_url_env: tuple[str, ...] = field(default=(), kw_only=True)
    header_env: Mapping[str, str] = field(factory=dict, kw_only=True)
    query_env: Mapping[str, str] = field(factory=dict, kw_only=True)
    quirks: Quirks = field(factory=Quirks, kw_only=True)
    title: str = field(default="", kw_only=True)
