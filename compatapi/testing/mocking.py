"""Scripts as mocks of the library `responses`, for those who test on that level.

`responses` takes the place of the adapter of requests, through which each request of this library goes. The mock gets
the URL that the provider's row and its dialect make, and answers in the words of that dialect. There is no socket: the
body is there at once and in one piece, so that chunk boundaries, pauses and everything that can happen to a connection
are lost. `ScriptedServer` and `ScriptedTransport` keep them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.dialects import get_dialect
from compatapi.dialects.base import Provider
from compatapi.http_types import HttpRequest, Secret, Target
from compatapi.resolve import find_base_url, find_provider
from compatapi.testing.answers import ErrorScript
from compatapi.testing.chat_script import ChatScript
from compatapi.testing.http1 import Headers, RecordedRequest
from compatapi.testing.rendering import render
from compatapi.testing.script import Script

__all__ = ["add_completion", "add_error", "add_stream"]

#: Stands where a URL names a model, until it is known that any model will do.
_ANY = "any-model"


class Mock(Protocol):
    """`responses` itself, or a `responses.RequestsMock`."""

    @property
    def add_callback(self) -> Callable[..., Any]:
        """Answer requests of a method and a URL with what a function returns."""
        ...


def add_completion(
    rsps: Mock,
    text: str = "Hello there!",
    *,
    provider: str | Provider = "openai",
    base_url: str | None = None,
    **fields: Any,
) -> None:
    """Answer the next request for a whole answer; a request for a stream is not answered.

    Args:
        rsps: `responses`, or a `responses.RequestsMock`.
        text: What the model says.
        provider: Whose URL is answered: the name of a row, or a row.
        base_url: Where the paths begin, if not where the row or its environment variable says.
        fields: As for `ChatScript`.
    """
    _add(rsps, ChatScript(text, **fields), find_provider(provider, base_url), base_url, (False,))


def add_stream(
    rsps: Mock,
    text: str = "Hello there!",
    *,
    provider: str | Provider = "openai",
    base_url: str | None = None,
    **fields: Any,
) -> None:
    """Answer the next request for a stream, all of it at once; a request for a whole answer is not answered.

    The arguments are those of `add_completion`.
    """
    _add(rsps, ChatScript(text, **fields), find_provider(provider, base_url), base_url, (True,))


def add_error(
    rsps: Mock,
    status: int = 500,
    message: str = "The server had an error.",
    *,
    provider: str | Provider = "openai",
    base_url: str | None = None,
    **fields: Any,
) -> None:
    """Refuse the next chat request, whether it wants a stream or not, with an error in the words of the service.

    `fields` are those of `ErrorScript`, the other arguments those of `add_completion`. A client tries again after some
    errors, and asks for the next mock.
    """
    _add(rsps, ErrorScript(status, message, **fields), find_provider(provider, base_url), base_url, (False, True))


def _add(rsps: Mock, script: Script, row: Provider, base_url: str | None, modes: tuple[bool, ...]) -> None:
    target = Target(base_url=find_base_url(row, base_url), api_key=Secret("id:secret"), quirks=row.quirks)
    dialect = get_dialect(row.dialect)
    request = ChatCompletionRequest(_ANY, [Message.user("?")])
    wanted = [dialect.encode_request(request, target, stream) for stream in modes]

    def matches(asked: Any) -> tuple[bool, str]:
        stream = _recorded(asked).stream
        return stream in modes, f"the request {'wants' if stream else 'does not want'} a stream"

    def answer(asked: Any) -> tuple[int, dict[str, str], bytes]:
        rendered = render(script, _recorded(asked))
        return rendered.status, dict(rendered.headers), rendered.body

    # No content type of its own: the script says it.
    rsps.add_callback("POST", _pattern(wanted), callback=answer, match=[matches], content_type=None)


def _pattern(wanted: list[HttpRequest]) -> re.Pattern[str]:
    """The URLs, of any model and with any query."""
    paths = {re.escape(request.url.partition("?")[0]).replace(re.escape(_ANY), "[^/?:]+") for request in wanted}
    return re.compile(rf"({'|'.join(sorted(paths))})($|[?])")


def _recorded(asked: Any) -> RecordedRequest:
    body = asked.body or b""
    return RecordedRequest(
        method=asked.method,
        path=asked.path_url,
        headers=Headers(asked.headers.items()),
        body=body.encode() if isinstance(body, str) else body,
    )
