"""Talk to language models from programs that are not asynchronous: blocking, generator, callback.

Importing this package reads no file beside itself, no environment and no network, and loads nothing heavy: each name is
imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compatapi.accumulate import Accumulator as Accumulator
    from compatapi.call import Timeouts as Timeouts
    from compatapi.chat_types import *  # noqa: F403
    from compatapi.client import Client as Client
    from compatapi.convert import converter as converter
    from compatapi.convert import from_dict as from_dict
    from compatapi.convert import from_json as from_json
    from compatapi.convert import to_dict as to_dict
    from compatapi.convert import to_json as to_json
    from compatapi.decoding import StreamDecoder as StreamDecoder
    from compatapi.dialects import Dialect as Dialect
    from compatapi.dialects.base import Provider as Provider
    from compatapi.errors import *  # noqa: F403
    from compatapi.formats import FORMATS as FORMATS
    from compatapi.formats import iter_anthropic as iter_anthropic
    from compatapi.formats import iter_chunks as iter_chunks
    from compatapi.formats import iter_json as iter_json
    from compatapi.formats import iter_ndjson as iter_ndjson
    from compatapi.formats import iter_ollama as iter_ollama
    from compatapi.formats import iter_sse as iter_sse
    from compatapi.framing import Frame as Frame
    from compatapi.framing import NDJSONDecoder as NDJSONDecoder
    from compatapi.framing import SSEDecoder as SSEDecoder
    from compatapi.gui import FramePost as FramePost
    from compatapi.gui import post_to_asyncio as post_to_asyncio
    from compatapi.gui import post_to_gtk as post_to_gtk
    from compatapi.gui import post_to_qt as post_to_qt
    from compatapi.gui import post_to_tk as post_to_tk
    from compatapi.gui import post_to_wx as post_to_wx
    from compatapi.handle import StreamHandle as StreamHandle
    from compatapi.http_types import Limits as Limits
    from compatapi.http_types import Quirks as Quirks
    from compatapi.http_types import ThinkingWords as ThinkingWords
    from compatapi.retry import RetryEvent as RetryEvent
    from compatapi.service_types import Embedding as Embedding
    from compatapi.service_types import EmbeddingRequest as EmbeddingRequest
    from compatapi.service_types import EmbeddingResponse as EmbeddingResponse
    from compatapi.service_types import Model as Model
    from compatapi.stats import Stats as Stats
    from compatapi.stream import ChatStream as ChatStream

__version__ = "0.1.0"

_MODULES = {
    "accumulate": ["Accumulator"],
    "call": ["Timeouts"],
    "chat_types": [
        "Annotation", "Audio", "AudioOptions", "AudioPart", "ChatCompletion", "ChatCompletionChunk",
        "ChatCompletionRequest", "Choice", "ChunkChoice", "CompletionTokensDetails", "ContentPart", "CustomCall",
        "Delta", "FileData", "FilePart", "FunctionCall", "FunctionCallDelta", "FunctionDefinition", "ImagePart",
        "ImageURL", "InputAudio", "JSONSchema", "Logprobs", "Message", "Prediction", "PromptTokensDetails",
        "RefusalPart", "ResponseFormat", "StreamOptions", "TextPart", "TokenLogprob", "Tool", "ToolCall",
        "ToolCallDelta", "TopLogprob", "URLCitation", "Usage", "WebSearchOptions", "WireType",
    ],
    "client": ["Client"],
    "convert": ["converter", "from_dict", "from_json", "to_dict", "to_json"],
    "dialects": ["Dialect"],
    "dialects.base": ["Provider"],
    "errors": [
        "APIError", "APIStatusError", "AuthenticationError", "BadRequestError", "Cancelled", "CompatAPIError",
        "ConfigError", "ConflictError", "ConnectError", "ConnectionLost", "ContextLengthError", "DecodeError",
        "IncompleteStreamError", "NotFoundError", "PermissionDeniedError", "RateLimitError", "RequestTimeout",
        "RequestTooLargeError", "ServerError", "StopStream", "StreamError", "TransportError",
        "UnprocessableEntityError",
    ],
    "formats": [
        "FORMATS", "iter_anthropic", "iter_chunks", "iter_json", "iter_ndjson", "iter_ollama", "iter_sse",
    ],
    "framing": ["Frame", "NDJSONDecoder", "SSEDecoder"],
    "gui": ["FramePost", "post_to_asyncio", "post_to_gtk", "post_to_qt", "post_to_tk", "post_to_wx"],
    "handle": ["StreamHandle"],
    "http_types": ["Limits", "Quirks", "ThinkingWords"],
    "retry": ["RetryEvent"],
    "service_types": ["Embedding", "EmbeddingRequest", "EmbeddingResponse", "Model"],
    "stats": ["Stats"],
    "decoding": ["StreamDecoder"],
    "stream": ["ChatStream"],
}  # fmt: skip
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(["__version__", *_HOME])


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"compatapi.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
