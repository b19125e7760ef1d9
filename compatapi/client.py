"""The client: one object for one host, used from any number of threads."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from compatapi.call import Call, Timeouts
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest
from compatapi.dialects import get_dialect
from compatapi.dialects.base import Dialect, Provider
from compatapi.errors import CompatAPIError, ConfigError, DecodeError, StopStream, cut, fill
from compatapi.http_types import HttpRequest, HttpResponse, Secret, Target
from compatapi.providers import get_provider
from compatapi.retry import RetryEvent, RetryPolicy
from compatapi.service_types import EmbeddingRequest, EmbeddingResponse, Model
from compatapi.stream import MAX_BODY_BYTES, ChatStream, StreamDecoder
from compatapi.transport import Transport

if TYPE_CHECKING:
    from typing_extensions import TypedDict, Unpack

    class CallOptions(TypedDict, total=False):
        """What a single call may do otherwise than its client."""

        timeouts: Timeouts | None
        max_retries: int | None
        headers: Mapping[str, str]
        query: Mapping[str, str]
        body: Mapping[str, Any]


__all__ = ["Client"]

T = TypeVar("T")

#: Bytes of an error body that are kept.
_MAX_ERROR_BYTES = 1024 * 1024


@frozen(kw_only=True)
class _Options:
    timeouts: Timeouts | None = None
    max_retries: int | None = None
    headers: Mapping[str, str] = field(factory=dict)
    query: Mapping[str, str] = field(factory=dict)
    body: Mapping[str, Any] = field(factory=dict)


class Client:
    """Talks to one host. Safe for threads; connections are kept and used again.

    Args:
        provider: A provider's name (see ``compatapi providers``), a `Provider` of your own, or ``None``: then
            ``base_url`` says where, and without it the provider is OpenAI.
        base_url: Where the paths begin, such as ``http://localhost:8000/v1``. Nothing is added to it by guess.
        api_key: The key. Left out, the provider's environment variable is read, now. With a ``base_url`` and no
            provider no variable is read: a key goes nowhere it was not meant for.
        timeouts: The four clocks of each call.
        max_retries: Attempts after the first, before an answer has begun; 0 turns retries off.
        headers: Headers to add to each request.
        query: Query parameters to add to each request.
        verify: As in requests: whether to check certificates, or the path of those to trust.
        cert: As in requests: a client certificate.
        proxies: As in requests: scheme to URL; left out, the environment says.
        on_retry: Called with a `RetryEvent` before the pause of each retry.

    Every call takes ``timeouts``, ``max_retries``, ``headers``, ``query`` and ``body`` (fields to set in the JSON body;
    ``None`` removes one) for itself.

    Raises:
        ConfigError: The provider is unknown, or the key or URL is missing or unusable.
    """

    def __init__(
        self,
        provider: str | Provider | None = None,
        *,
        base_url: str | None = None,
        api_key: str | Secret | None = None,
        timeouts: Timeouts | None = None,
        max_retries: int = 2,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        verify: bool | str | None = None,
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        on_retry: Callable[[RetryEvent], object] | None = None,
    ) -> None:
        row = _find_provider(provider, base_url)
        self.provider = row
        self.dialect: Dialect = get_dialect(row.dialect)
        self.timeouts = timeouts or Timeouts()
        self.max_retries = max_retries
        self._on_retry = on_retry
        self._target = Target(
            base_url=_find_base_url(row, base_url),
            api_key=_find_key(row, api_key),
            quirks=row.quirks,
            headers={**_from_environment(row.header_env), **(headers or {})},
            query={**_from_environment(row.query_env), **(query or {})},
        )
        self._transport: Transport | None = Transport(verify=verify, cert=cert, proxies=proxies)

    @property
    def base_url(self) -> str:
        """Where the paths begin."""
        return self._target.base_url

    def __repr__(self) -> str:
        return f"Client({self.provider.name!r}, base_url={self.base_url!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections; the client makes no more calls. Idempotent."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def chat_completion(self, request: ChatCompletionRequest, **options: Unpack[CallOptions]) -> ChatCompletion:
        """Ask, wait, and return the whole answer.

        Raises:
            CompatAPIError: Any of `compatapi.errors`.
        """
        _check_request(request)
        if request.stream:
            raise ConfigError(
                "chat_completion returns the whole answer; leave stream unset, or call chat_completion_stream"
            )
        extra = _Options(**options)
        wanted = self.dialect.encode_request(request, self._target_for(extra), False)

        def read(response: HttpResponse) -> ChatCompletion:
            if response.media_type == "text/event-stream":  # a server that streams whatever it is asked
                with ChatStream(response, self._decoder(request)) as stream:
                    for _ in stream:
                        pass
                return stream.completion
            return self.dialect.decode_completion(_read_all(response))

        return self._run(wanted, extra, read)

    @overload
    def chat_completion_stream(
        self, request: ChatCompletionRequest, on_chunk: None = None, **options: Unpack[CallOptions]
    ) -> ChatStream: ...

    @overload
    def chat_completion_stream(
        self,
        request: ChatCompletionRequest,
        on_chunk: Callable[[ChatCompletionChunk], object],
        **options: Unpack[CallOptions],
    ) -> ChatCompletion: ...

    def chat_completion_stream(
        self,
        request: ChatCompletionRequest,
        on_chunk: Callable[[ChatCompletionChunk], object] | None = None,
        **options: Unpack[CallOptions],
    ) -> ChatStream | ChatCompletion:
        """Ask, and read the answer piece by piece.

        Without ``on_chunk``, return a `ChatStream` to iterate over; the connection opens here, so a wrong key is raised
        here. With it, call it with each chunk, and return the whole answer at the end. A callback ends the stream by
        raising `StopStream`: the answer so far is returned; any other exception of it closes the connection and comes
        out unchanged.

        Raises:
            CompatAPIError: Any of `compatapi.errors`.
        """
        _check_request(request)
        extra = _Options(**options)
        wanted = self.dialect.encode_request(evolve(request, stream=True), self._target_for(extra), True)
        stream = self._run(wanted, extra, lambda response: ChatStream(response, self._decoder(request)))
        if on_chunk is None:
            return stream
        with stream:
            try:
                for chunk in stream:
                    on_chunk(chunk)
            except StopStream:
                pass
        return stream.completion

    def models(self, **options: Unpack[CallOptions]) -> list[Model]:
        """The models that the host offers.

        Raises:
            ConfigError: The host has no such list.
            CompatAPIError: Any other of `compatapi.errors`.
        """
        extra = _Options(**options)
        wanted = self.dialect.encode_models(self._target_for(extra))
        return self._run(wanted, extra, lambda response: self.dialect.decode_models(_read_all(response)))

    def embeddings(
        self,
        model: str | EmbeddingRequest,
        input: str | Iterable[str] | Iterable[int] | Iterable[Iterable[int]] | None = None,
        *,
        dimensions: int | None = None,
        encoding_format: str | None = None,
        user: str | None = None,
        **options: Unpack[CallOptions],
    ) -> EmbeddingResponse:
        """The embeddings of a text, of several texts, or of token ids; lists of floats, however the server sent them.

        Raises:
            ConfigError: The host has no embeddings.
            CompatAPIError: Any other of `compatapi.errors`.
        """
        if isinstance(model, str):
            if input is None:
                raise ConfigError("embeddings needs an input: a text or several")
            model = EmbeddingRequest(model, input, dimensions=dimensions, encoding_format=encoding_format, user=user)
        extra = _Options(**options)
        wanted = self.dialect.encode_embeddings(model, self._target_for(extra))
        return self._run(wanted, extra, lambda response: self.dialect.decode_embeddings(_read_all(response)))

    # --- one call

    def _target_for(self, options: _Options) -> Target:
        if not (options.headers or options.query or options.body):
            return self._target
        target = self._target
        return evolve(
            target,
            headers={**target.headers, **options.headers},
            query={**target.query, **options.query},
            body=options.body,
        )

    def _decoder(self, request: ChatCompletionRequest) -> StreamDecoder:
        return StreamDecoder(self.dialect, request, ends_without_mark=self.provider.quirks.ends_without_mark)

    def _run(self, wanted: HttpRequest, options: _Options, read: Callable[[HttpResponse], T]) -> T:
        """Send, with retries, and read the answer."""
        transport = self._transport
        if transport is None:
            raise ConfigError("This client was closed; make a new one")
        retries = self.max_retries if options.max_retries is None else options.max_retries
        policy = RetryPolicy(max_retries=retries)
        call = Call(options.timeouts or self.timeouts)
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._attempt(transport, wanted, call, read)
            except CompatAPIError as error:
                pause = policy.delay(attempt, error, random.random())
                if pause is None:
                    call.end()
                    raise
                if self._on_retry is not None:
                    self._on_retry(RetryEvent(attempt, retries, pause, error))
            call.pause(pause)

    def _attempt(self, transport: Transport, wanted: HttpRequest, call: Call, read: Callable[[HttpResponse], T]) -> T:
        response = transport.send(wanted, call)
        try:
            if response.status >= 300:
                raise self._status_error(response)
            return read(response)
        except CompatAPIError as error:
            response.close()
            fill(error, {"request_id": response.request_id})
            raise
        except BaseException:
            response.close()
            raise

    def _status_error(self, response: HttpResponse) -> CompatAPIError:
        if response.status < 400:
            where = cut(response.headers.get("location", "nowhere"), 200)
            body = f"the server sends the request on to {where}, which is not followed: set base_url".encode()
        else:
            body = _read_some(response, _MAX_ERROR_BYTES)
        key = self._target.api_key
        if key is not None:  # some servers quote the key that they refuse
            body = body.replace(key.reveal().encode(), b"***")
        return self.dialect.decode_error(response, body)


def _check_request(request: object) -> None:
    if not isinstance(request, ChatCompletionRequest):
        raise ConfigError(
            f"A ChatCompletionRequest is needed, such as ChatCompletionRequest(model, [Message.user(text)]);"
            f" this is a {type(request).__name__}"
        )


def _find_provider(provider: str | Provider | None, base_url: str | None) -> Provider:
    if isinstance(provider, Provider):
        return provider
    if provider is None and base_url is not None:
        return Provider("compatible", base_url)
    return get_provider(provider or "openai")


def _find_base_url(row: Provider, base_url: str | None) -> str:
    found = base_url or _first_set(row.base_url_env)
    if not found:
        found = row.base_url() if callable(row.base_url) else row.base_url
    if not found:
        wanted = " or ".join(("base_url=...", *row.base_url_env))
        raise ConfigError(f"The provider {row.name!r} needs to know where its server is: set {wanted}")
    parts = urlsplit(found)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"The base URL {found!r} is none: it has to begin with http:// or https:// and a host")
    return found


def _find_key(row: Provider, api_key: str | Secret | None) -> Secret | None:
    key = api_key.reveal() if isinstance(api_key, Secret) else api_key
    if key is None:
        key = _first_set(row.key_env)
    if not key:
        if row.key_required:
            wanted = " or ".join(("api_key=...", *row.key_env))
            raise ConfigError(f"The provider {row.name!r} needs a key: set {wanted}")
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"The key for {row.name!r} holds a character that no key has (a blank, a line break or a letter beyond"
            " ASCII); look for a stray end of line where it was copied from"
        )
    return Secret(key)


def _from_environment(names: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, variable in names.items() if (value := os.environ.get(variable))}


def _first_set(variables: Iterable[str]) -> str | None:
    return next((value for variable in variables if (value := os.environ.get(variable))), None)


def _read_all(response: HttpResponse) -> bytes:
    body = _read_some(response, MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise DecodeError(f"The answer is larger than the limit of {MAX_BODY_BYTES:,} bytes")
    response.rest()
    response.release()
    return body


def _read_some(response: HttpResponse, limit: int) -> bytes:
    body = bytearray()
    for piece in response.body:
        body += piece
        if len(body) >= limit:
            response.close()
            break
    return bytes(body[:limit])
