"""What a single call may be told: options, callbacks, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import field, fields_dict, frozen

from compatapi.call import Timeouts
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest, ToolCall, Usage
from compatapi.errors import ConfigError
from compatapi.retry import RetryEvent

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    from compatapi.callbacks import Callbacks

    class CallKeywords(TypedDict, total=False):
        """What a single call may do otherwise than its client."""

        timeouts: Timeouts | None
        max_retries: int | None
        headers: Mapping[str, str]
        query: Mapping[str, str]
        body: Mapping[str, Any]
        on_unsupported: str | None
        on_retry: Callable[[RetryEvent], object] | None

    class CallbackKeywords(CallKeywords, total=False):
        """The same, and what the program wants to be told of the stream."""

        on_text: Callable[[str], object] | None
        on_reasoning: Callable[[str], object] | None
        on_tool_call: Callable[[ToolCall], object] | None
        on_usage: Callable[[Usage], object] | None
        on_done: Callable[[ChatCompletion], object] | None
        on_error: Callable[[BaseException], object] | None
        on_cancelled: Callable[[ChatCompletion], object] | None


__all__ = ["CallOptions", "check_function", "check_request", "check_timeouts", "check_unsupported", "take_callbacks"]

T = TypeVar("T")


def check_timeouts(timeouts: Timeouts | None) -> Timeouts | None:
    if timeouts is not None and not isinstance(timeouts, Timeouts):
        raise ConfigError(f"timeouts has four clocks, such as Timeouts(idle=60); this is a {type(timeouts).__name__}")
    return timeouts


def check_unsupported(what: str | None) -> str | None:
    if what not in (None, "raise", "drop"):
        raise ConfigError(f"on_unsupported is 'raise' or 'drop'; this is {what!r}")
    return what


def check_function(name: str, function: T) -> T:
    if function is not None and not callable(function):
        raise ConfigError(f"{name} has to be a function; this is a {type(function).__name__}")
    return function


def _check_on_retry(function: Callable[[RetryEvent], object] | None) -> Callable[[RetryEvent], object] | None:
    return check_function("on_retry", function)


@frozen(kw_only=True)
class CallOptions:
    """What a single call does otherwise than its client."""

    timeouts: Timeouts | None = field(default=None, converter=check_timeouts)
    max_retries: int | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)  # they may hold a key
    query: Mapping[str, str] | None = field(default=None, repr=False)
    body: Mapping[str, Any] | None = None
    on_unsupported: str | None = field(default=None, converter=check_unsupported)
    on_retry: Callable[[RetryEvent], object] | None = field(default=None, converter=_check_on_retry)


def check_request(request: object) -> None:
    if not isinstance(request, ChatCompletionRequest):
        raise ConfigError(
            "A ChatCompletionRequest is needed, such as ChatCompletionRequest(model, [Message.user(text)]);"
            f" this is a {type(request).__name__}"
        )


def take_callbacks(
    options: dict[str, Any], on_chunk: Callable[[ChatCompletionChunk], object] | None
) -> Callbacks | None:
    """Take the callbacks out of the options; ``None`` when there is none."""
    if on_chunk is None and not options:
        return None
    from compatapi.callbacks import Callbacks

    given = {name: options.pop(name) for name in fields_dict(Callbacks) if name in options}
    for name, function in {**given, "on_chunk": on_chunk}.items():
        check_function(name, function)
    callbacks = Callbacks(**given, on_chunk=on_chunk)
    return callbacks if on_chunk is not None or any(value is not None for value in given.values()) else None
