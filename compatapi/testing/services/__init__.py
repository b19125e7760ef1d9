"""The server side of the wire formats: which one a request speaks, told by its path, and what answers it.

Adding one: a file beside this one, a line in each of the two tables.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from compatapi.testing.http1 import RecordedRequest

if TYPE_CHECKING:
    from compatapi.chat_types import ChatCompletionRequest
    from compatapi.testing.services.base import Service

__all__ = ["SERVICES", "read_chat", "route_of", "service_of"]

#: Where each is. A file is read when a request first speaks its dialect.
SERVICES = {
    "anthropic": "compatapi.testing.services.anthropic:AnthropicService",
    "dashscope": "compatapi.testing.services.dashscope:DashScopeService",
    "gemini": "compatapi.testing.services.gemini:GeminiService",
    "hunyuan": "compatapi.testing.services.hunyuan:HunyuanService",
    "ollama": "compatapi.testing.services.ollama:OllamaService",
    "openai": "compatapi.testing.services.openai:OpenAIService",
}

#: Method and path, a header that has to be there, the dialect, and what is asked for. The first that fits counts, and
#: what stands in front of a path is the business of the host.
_ROUTES = tuple(
    (re.compile(pattern), header, dialect, operation)
    for pattern, header, dialect, operation in (
        (r"POST .*/chat/completions", None, "openai", "chat"),
        (r"POST .*/v1/messages", None, "anthropic", "chat"),
        (r"POST .*/messages", "anthropic-version", "anthropic", "chat"),
        (r"POST .*/models/[^/]+:(generateContent|streamGenerateContent)", None, "gemini", "chat"),
        (r"POST .*/models/[^/]+:(embedContent|batchEmbedContents)", None, "gemini", "embeddings"),
        (r"POST .*/api/chat", None, "ollama", "chat"),
        (r"POST .*/api/embed", None, "ollama", "embeddings"),
        (r"GET .*/api/tags", None, "ollama", "models"),
        (r"POST .*/services/aigc/[^/]+/generation", None, "dashscope", "chat"),
        (r"POST .*/services/embeddings/.*", None, "dashscope", "embeddings"),
        (r"POST /", "x-tc-action", "hunyuan", "chat"),
        (r"POST .*/embeddings", None, "openai", "embeddings"),
        (r"GET .*/models", "anthropic-version", "anthropic", "models"),
        (r"GET .*/models", "x-goog-api-key", "gemini", "models"),
        (r"GET .*/v1beta/models", None, "gemini", "models"),
        (r"GET .*/models", None, "openai", "models"),
    )
)


def route_of(request: RecordedRequest) -> tuple[str | None, str | None]:
    """The dialect that a request speaks, and what it asks for; twice None for a path that nobody has."""
    line = f"{request.method} {request.route}"
    for pattern, header, dialect, operation in _ROUTES:
        if pattern.fullmatch(line) and (header is None or header in request.headers):
            return dialect, operation
    return None, None


def service_of(request: RecordedRequest) -> Service:
    """What answers a request; OpenAI's form where nobody has the path, because most hosts speak it."""
    return get_service(route_of(request)[0] or "openai")


@cache
def get_service(name: str) -> Service:
    """The server side of the dialect of that name."""
    module, _, cls = SERVICES[name].partition(":")
    made: Service = getattr(import_module(module), cls)()
    return made


def read_chat(request: RecordedRequest) -> ChatCompletionRequest:
    """What a chat request asks, in our types.

    Raises:
        ValueError: It is no chat request.
    """
    from compatapi.chat_types import ChatCompletionRequest
    from compatapi.convert import from_dict
    from compatapi.errors import DecodeError

    body = request.json_object()
    if request.operation not in (None, "chat") or body is None:
        raise ValueError(f"{request.method} {request.path} is no chat request")
    try:
        return from_dict(ChatCompletionRequest, service_of(request).read_chat(request, body))
    except (DecodeError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{request.method} {request.path} is a chat request of a wrong shape: {error!r}") from error
