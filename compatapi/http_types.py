"""What a transport is given and gives back, and what a dialect needs to address one request. No input or output here.

`HttpRequest` goes down, `HttpResponse` comes up; a list of bytes can stand in for a network. `Target` is provider,
credentials and options in one value, all that a dialect needs besides the request itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

if TYPE_CHECKING:
    from compatapi.call import Call

__all__ = [
    "Headers",
    "HttpRequest",
    "HttpResponse",
    "HttpTransport",
    "Limits",
    "Quirks",
    "Secret",
    "Target",
    "ThinkingWords",
]

#: Response headers that name the request for the server's support, in order of preference.
_REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-tc-requestid",
    "mistral-correlation-id",
    "x-kong-request-id",
    "x-generation-id",
    "cf-ray",
)
#: Names of headers and query parameters that hold credentials; a host may use any name (`Quirks.auth`).
_SECRET_NAME = re.compile(r"auth|cookie|secret|passw|signature|(^|[-_])sig$|(key|token|credential)$", re.IGNORECASE)
_USER_INFO = re.compile(r"//[^/?#@]*@")
_PARAMETER = re.compile(r"([?&])([^=&#]*)=([^&#]*)")


class Secret:
    """A string that no repr, log line or traceback shows; `reveal` gives it.

    A secret refuses to be pickled, so that no key travels unseen.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The string itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a Secret is not pickled; read the key from its environment variable where it is needed")


class SecretText(str):
    """Text for a header that holds a credential: it compares and is sent as any text, and its repr does not show it.

    Tools that print the local variables of a traceback call repr.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a credential is not pickled")

    def __deepcopy__(self, memo: dict[int, Any]) -> SecretText:
        return self


class Headers(Mapping[str, str]):
    """HTTP headers: names are looked up in any case, and listed as they were written.

    Of a header that comes twice, the values are joined by a comma (RFC 9110, section 5.2).
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self._items: dict[str, tuple[str, str]] = {}
        for name, value in items.items() if isinstance(items, Mapping) else items:
            before = self._items.get(name.lower())
            self._items[name.lower()] = (name, f"{before[1]}, {value}" if before else value)

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return {k.lower(): v for k, v in self.items()} == {k.lower(): v for k, v in other.items()}

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return Headers, (list(self._items.values()),)

    def __repr__(self) -> str:
        return f"Headers({_without_secrets(dict(self))!r})"


def _without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: "***" if _SECRET_NAME.search(name) else value for name, value in headers.items()}


def _show_headers(headers: Mapping[str, str]) -> str:
    return repr(_without_secrets(headers))


def show_url(url: str) -> str:
    """The repr of a URL, without user info and without the values of parameters that hold credentials."""

    def hide(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}=***" if _SECRET_NAME.search(found[2]) else found[0]

    return repr(_PARAMETER.sub(hide, _USER_INFO.sub("//***@", url)))


def _show_size(body: bytes | None) -> str:
    return "None" if body is None else f"<{len(body):,} bytes>"


@frozen
class HttpRequest:
    """One request, ready to be sent.

    Attributes:
        method: ``"GET"`` or ``"POST"``.
        url: The whole URL, query included.
        headers: What is sent besides what the transport itself adds.
        body: The exact bytes, or ``None``.
        stream: Whether the answer is wanted piece by piece.
    """

    method: str
    url: str = field(repr=show_url)
    headers: Mapping[str, str] = field(factory=dict, repr=_show_headers)
    body: bytes | None = field(default=None, repr=_show_size)
    stream: bool = False


def _nothing() -> None:
    """For answers that have no connection."""


@frozen(eq=False)
class HttpResponse:
    """The head of an answer, and its body as pieces of bytes that come as they arrive.

    Attributes:
        status: The HTTP status.
        reason: The words beside it.
        headers: The headers; names are looked up in any case.
        body: Iterator of non-empty pieces. Raises `compatapi.errors.TransportError` when the road breaks.
        wait: Told before a wait for the next piece of the answer: the clocks run.
        rest: Told when a piece has come: the clocks for waiting stand still.
        release: Give the connection back after the end of the answer, or drop it if the rest of the body is long.
        drop: Drop the connection, without a word to the call: another attempt may follow. For the thread that reads.
        close: End the call and drop the connection. Idempotent, from any thread, wakes a blocked reader.
    """

    status: int
    reason: str = ""
    headers: Headers = field(factory=Headers)
    body: Iterator[bytes] = field(factory=lambda: iter(()), repr=False)
    wait: Callable[[], None] = field(default=_nothing, repr=False)
    rest: Callable[[], None] = field(default=_nothing, repr=False)
    release: Callable[[], None] = field(default=_nothing, repr=False)
    drop: Callable[[], None] = field(default=_nothing, repr=False)
    close: Callable[[], None] = field(default=_nothing, repr=False)

    @property
    def status_code(self) -> int:
        """The HTTP status, by the name that requests gives it."""
        return self.status

    @property
    def request_id(self) -> str | None:
        """The server's name for the request, or ``None``."""
        return next((self.headers[name] for name in _REQUEST_ID_HEADERS if name in self.headers), None)

    @property
    def media_type(self) -> str:
        """The media type without parameters, in lower case; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class HttpTransport(Protocol):
    """What moves requests: `compatapi.transport.Transport`, or what a program gives to its client in its place."""

    def send(self, request: HttpRequest, call: Call) -> HttpResponse:
        """Send a request and wait for the head of the answer; the body comes as it arrives.

        Whoever waits looks at the call, which may be stopped at any moment by a clock or from another thread.

        Raises:
            TransportError: The road broke, or a clock of the call ran out.
            Cancelled: The call was stopped.
        """
        ...

    def close(self) -> None:
        """Close what is idle. Idempotent."""
        ...


@frozen
class Limits:
    """How much of an answer is taken in before it is refused, in bytes.

    Attributes:
        event: One event of a stream.
        body: An answer that is no stream.
        error_body: What is kept of the body of an error; the rest is not read.
    """

    event: int = 32 * 1024 * 1024
    body: int = 100 * 1024 * 1024
    error_body: int = 1024 * 1024


@frozen
class ThinkingWords:
    """How a host is told to think: body fields, as data. A path is a sequence of keys into the body.

    Attributes:
        on: Fields that switch reasoning on.
        off: Fields that switch it off, or ``None`` where that cannot be said.
        effort: Path of the effort, or empty where the host knows none.
        budget: Path of the budget in tokens, or empty where the host knows none.
    """

    on: Mapping[str, Any] = field(factory=dict)
    off: Mapping[str, Any] | None = field(factory=lambda: {"reasoning_effort": "none"})
    effort: tuple[str, ...] = ("reasoning_effort",)
    budget: tuple[str, ...] = ()


@frozen
class Quirks:
    """What a host does otherwise than others of its dialect, as data.

    An empty text means what the dialect does by itself.

    Attributes:
        auth: How the key is sent: ``"bearer"``, or the name of the header that holds it.
        headers: Headers that the host wants with each request; those of the client win.
        options: What only one dialect asks for, by names of its own.
        include_usage: Ask for usage in streams (``stream_options.include_usage``) unless the request says something.
        max_tokens: The one name that the host knows, ``"max_tokens"`` or ``"max_completion_tokens"``; ``None`` leaves
            what the request says.
        developer_role: Whether the host knows the role; if not, ``system`` is sent.
        renames: Request fields that have another name there.
        thinking: How the host is told to think.
        reasoning_field: The name under which the reasoning of earlier turns is sent back; empty for the name that it
            came with, ``"content"`` for inside the content, ``None`` where the host refuses it.
        think_tags: Whether models write their reasoning in front of the answer, between ``<think>`` and
            ``</think>``.
        root: Path in front of the others, unless the base URL holds its first segment already.
        chat_path: Path of chat completions; ``{model}`` in it is the model.
        models_path: Path of the list of models, or ``None`` where there is none.
        embeddings_path: Path of embeddings, or ``None`` where there are none.
        ends_without_mark: The end of the body is the end of an answer, even with neither an end mark nor a finish
            reason. For hosts that never send either; elsewhere it would hide an answer cut short.
        errors_with_200: Whether errors come as JSON with status 200, also in place of a stream.
    """

    auth: str = ""
    headers: Mapping[str, str] = field(factory=dict)
    options: Mapping[str, str] = field(factory=dict)
    include_usage: bool = False
    max_tokens: str | None = None
    developer_role: bool = True
    renames: Mapping[str, str] = field(factory=dict)
    thinking: ThinkingWords = field(factory=ThinkingWords)
    reasoning_field: str | None = ""
    think_tags: bool = False
    root: str = ""
    chat_path: str = ""
    models_path: str | None = ""
    embeddings_path: str | None = ""
    ends_without_mark: bool = False
    errors_with_200: bool = False


@frozen
class Target:
    """All that a dialect needs to address one request, besides the request.

    Attributes:
        base_url: Where the paths of the dialect begin; may hold a query.
        api_key: The credential, or ``None`` where none is needed.
        quirks: What the host does otherwise.
        headers: Headers to add to those of the dialect; they win.
        query: Query parameters to add.
        body: Fields to set in the JSON body; they win, and a value of ``None`` removes a field.
        on_unsupported: What to do about a part of the request that the dialect has no word for: ``"raise"``, or
            ``"drop"`` it and say so in the log.
    """

    base_url: str = field(repr=show_url)
    api_key: Secret | None = None
    quirks: Quirks = field(factory=Quirks)
    headers: Mapping[str, str] = field(factory=dict, repr=_show_headers)
    query: Mapping[str, str] = field(factory=dict, repr=_show_headers)
    body: Mapping[str, Any] = field(factory=dict)
    on_unsupported: str = "raise"
