"""Every exception of compatapi, in one family.

Ask first who broke it::

    CompatAPIError                          anything below
      ConfigError                           the caller: no or unusable key, unknown provider, what a dialect cannot say
      TransportError                        the road
        ConnectError                        refused, name not found, TLS
        RequestTimeout                      one of the four clocks ran out
        ConnectionLost                      broken off inside an answer
      APIError                              the server said no
        APIStatusError                      ... by an HTTP status
          BadRequestError                   400
            ContextLengthError              400 or 413, told by its code: the prompt does not fit the model
            RequestTooLargeError            413 otherwise
          AuthenticationError               401
          PermissionDeniedError             403
          NotFoundError                     404
          ConflictError                     409
          UnprocessableEntityError          422
          RateLimitError                    429
          ServerError                       500 to 599
        StreamError                         ... by an error object inside a stream or in a 200
      DecodeError                           nonsense on the wire
      IncompleteStreamError                 the server stopped in mid-sentence
      Cancelled                             closed by the caller while somebody waited
    StopStream                              not an error: raise it in a callback to stop

Every error can be pickled and deep-copied with all its fields, and carries what had been received when it was raised
in ``completion``. No exception of a package below compatapi gets out; it is kept as ``__cause__``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compatapi.chat_types import ChatCompletion
    from compatapi.http_types import Headers

__all__ = [
    "APIError",
    "APIStatusError",
    "AuthenticationError",
    "BadRequestError",
    "Cancelled",
    "CompatAPIError",
    "ConfigError",
    "ConflictError",
    "ConnectError",
    "ConnectionLost",
    "ContextLengthError",
    "DecodeError",
    "IncompleteStreamError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "RequestTimeout",
    "RequestTooLargeError",
    "ServerError",
    "StopStream",
    "StreamError",
    "TransportError",
    "UnprocessableEntityError",
    "status_error_class",
]


class CompatAPIError(Exception):
    """The root of all errors that compatapi raises.

    Attributes:
        completion: The answer so far, or ``None`` when nothing was received.
        request_id: The server's name for the request, for its support, or ``None``.
        stats: Numbers of the call, or ``None``.
    """

    completion: ChatCompletion | None = None
    request_id: str | None = None
    stats: Any = None

    # Only the message goes into ``args``; everything else sits in ``__dict__``, which is what makes
    # pickle and copy rebuild every subclass without a method of its own.
    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message)
        for name, value in fields.items():
            setattr(self, name, value)

    @property
    def message(self) -> str:
        """The text of the error, without what subclasses put around it."""
        return str(self.args[0]) if self.args else ""


class ConfigError(CompatAPIError):
    """Something is wrong before sending: a key, a provider, or a field that cannot be said there."""


class TransportError(CompatAPIError):
    """The road to the server is broken."""


class ConnectError(TransportError):
    """No connection: refused, unknown host name, or TLS that cannot be trusted."""


class RequestTimeout(TransportError):
    """One of the four clocks ran out.

    Attributes:
        clock: ``"connect"``, ``"first_token"``, ``"idle"`` or ``"total"``.
        limit: What was allowed, in seconds.
        elapsed: What had passed on that clock, in seconds.
    """

    clock: str = "total"
    limit: float | None = None
    elapsed: float | None = None


class ConnectionLost(TransportError):
    """The connection broke inside an answer."""


class APIError(CompatAPIError):
    """The server said no.

    Attributes:
        code: The server's code for the error, as it wrote it, or ``None``.
        type: The server's class of errors, or ``None``.
        param: The request field at fault, or ``None``.
        body: The decoded JSON of the error, or the text of a body that is no JSON (cut to a bound).
    """

    code: str | int | None = None
    type: str | None = None
    param: str | None = None
    body: Any = None


class APIStatusError(APIError):
    """The server said no by an HTTP status.

    Attributes:
        status_code: The HTTP status.
        headers: The headers of the answer; names are looked up in any case.
        retry_after: Seconds the server asked to wait, or ``None``.
    """

    status_code: int = 0
    headers: Headers = MappingProxyType({})  # type: ignore[assignment] # the ground imports no other room
    retry_after: float | None = None


class BadRequestError(APIStatusError):
    """400: the request is malformed or has a value the server refuses."""


class ContextLengthError(BadRequestError):
    """400 or 413 with a code that says: the prompt is longer than the model's context."""


class RequestTooLargeError(BadRequestError):
    """413: the body is larger than the server takes."""


class AuthenticationError(APIStatusError):
    """401: the key is missing or wrong."""


class PermissionDeniedError(APIStatusError):
    """403: the key may not do this."""


class NotFoundError(APIStatusError):
    """404: unknown model or path."""


class ConflictError(APIStatusError):
    """409."""


class UnprocessableEntityError(APIStatusError):
    """422: well-formed, but not acceptable."""


class RateLimitError(APIStatusError):
    """429: too many requests or tokens, or no quota left."""


class ServerError(APIStatusError):
    """500 to 599: the server's own fault."""


class StreamError(APIError):
    """An error that came inside a stream, or in an answer with status 200.

    Attributes:
        status_code: The HTTP status that the server's code stands for, where that is known; the answer's own was 200.
    """

    status_code: int | None = None


class DecodeError(CompatAPIError):
    """The server sent what cannot be read.

    Attributes:
        path: Where in the JSON value, such as ``("choices", 0, "delta", "content")``; empty when unknown.
        data: The offending value or text, cut to 500 characters.
        position: Offset of the fault in the text, in characters, or ``None``.
    """

    path: tuple[str | int, ...] = ()
    data: Any = None
    position: int | None = None

    def __str__(self) -> str:
        where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.path).lstrip(".")
        return f"{self.message} at {where}" if where else self.message


class IncompleteStreamError(CompatAPIError):
    """The stream ended before the answer did."""


class Cancelled(CompatAPIError):
    """The caller closed the stream while somebody waited for it."""


class StopStream(Exception):
    """Raise it in a callback, at any depth, to stop the stream; the call returns the completion so far."""


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: RequestTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def status_error_class(status: int, *, too_long: bool = False) -> type[APIStatusError]:
    """The class for an HTTP status; ``too_long`` tells that the error's code speaks of the context length."""
    if too_long and status in (400, 413):
        return ContextLengthError
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ServerError if 500 <= status < 600 else APIStatusError


def cut(value: object, limit: int = 500) -> str:
    """The text of a value for an error message, at most ``limit`` characters."""
    if isinstance(value, bytes | bytearray | memoryview):
        text = bytes(value[: 4 * limit]).decode("utf-8", "replace")
    else:
        text = str(value)
    return text if len(text) <= limit else text[:limit] + "..."


def at_path(error: DecodeError, steps: Iterable[str | int]) -> DecodeError:
    """The same error, with ``steps`` put in front of its path."""
    error.path = (*steps, *error.path)
    return error


def fill(error: CompatAPIError, values: Mapping[str, Any]) -> CompatAPIError:
    """Set the attributes that are still empty; what is known already stays."""
    for name, value in values.items():
        if getattr(error, name, None) is None:
            setattr(error, name, value)
    return error
