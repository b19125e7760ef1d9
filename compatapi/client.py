"""The client: one object for one host, used from any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, overload

from attrs import evolve

from compatapi.call import Call, Timeouts
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest
from compatapi.dialects import get_dialect
from compatapi.dialects.base import Dialect, Provider
from compatapi.errors import ConfigError, DecodeError
from compatapi.http_types import HttpRequest, HttpResponse, HttpTransport, Limits, Secret, Target, show_url
from compatapi.options import (
    CallOptions,
    check_function,
    check_request,
    check_timeouts,
    check_unsupported,
    take_callbacks,
)
from compatapi.resolve import find_base_url, find_key, find_provider, from_environment
from compatapi.retry import RetryEvent, RetryPolicy
from compatapi.sender import Sender, read_all
from compatapi.stats import Stats
from compatapi.transport import Transport

# What few calls need is imported where it is used: a program that asks for whole answers never loads the streams.
if TYPE_CHECKING:
    from typing_extensions import Unpack

    from compatapi.decoding import StreamDecoder
    from compatapi.handle import StreamHandle
    from compatapi.options import CallbackKeywords, CallKeywords
    from compatapi.service_types import EmbeddingRequest, EmbeddingResponse, Model
    from compatapi.stream import ChatStream

__all__ = ["Client"]

T = TypeVar("T")


class Client:
    """Talks to one host. Safe for threads; connections are kept and used again.

    Args:
        provider: A provider's name (see ``compatapi providers``), a `Provider` of your own, or ``None``: then
            ``base_url`` says where, and without it the provider is OpenAI.
        base_url: Where the paths begin, such as ``http://localhost:8000/v1``. Nothing is added to it by guess.
        api_key: The key. Left out, the provider's environment variable is read, now. With a ``base_url`` and no
            provider no variable is read: a key goes nowhere it was not meant for.
        key_env: The environment variable that holds the key, in place of the provider's. A client that was made with
            it can be pickled, for worker processes: the name travels, the key does not.
        timeouts: The four clocks of each call.
        max_retries: Attempts after the first, before an answer has begun; 0 turns retries off.
        headers: Headers to add to each request.
        query: Query parameters to add to each request.
        verify: As in requests: whether to check certificates, or the path of those to trust.
        cert: As in requests: a client certificate.
        proxies: As in requests: scheme to URL; left out, the environment says.
        on_retry: Called with a `RetryEvent` before the pause of each retry.
        on_unsupported: What to do about a field or part of a request that the host's dialect has no word for:
            ``"raise"`` a `compatapi.errors.ConfigError` before anything is sent, or ``"drop"`` it with a line in the
            log.
        limits: How much of an answer is taken in before it is refused.
        transport: What moves the requests in place of connections, such as a
            `compatapi.testing.ScriptedTransport`; ``verify``, ``cert`` and ``proxies`` are then its own business. The
            client closes it, and is not pickled.

    Every call takes ``timeouts``, ``max_retries``, ``headers``, ``query``, ``body`` (fields to set in the JSON body;
    ``None`` removes one), ``on_unsupported`` and ``on_retry`` for itself.

    Raises:
        ConfigError: The provider is unknown, or the key or URL is missing or unusable.
    """

    def __init__(
        self,
        provider: str | Provider | None = None,
        *,
        base_url: str | None = None,
        api_key: str | Secret | None = None,
        key_env: str | None = None,
        timeouts: Timeouts | None = None,
        max_retries: int = 2,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        verify: bool | str | None = None,
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        on_retry: Callable[[RetryEvent], object] | None = None,
        on_unsupported: str = "raise",
        limits: Limits | None = None,
        transport: HttpTransport | None = None,
    ) -> None:
        api_key = Secret(api_key) if isinstance(api_key, str) else api_key  # tracebacks show local variables
        row = find_provider(provider, base_url)
        if key_env is not None:
            row = evolve(row, key_env=(key_env,), key_required=True)
        self._again = (key_env, api_key is None, headers, query, verify, cert, proxies)
        self.provider = row
        self.dialect: Dialect = get_dialect(row.dialect)
        self.timeouts = check_timeouts(timeouts) or Timeouts()
        self.max_retries = max_retries
        self.limits = limits or Limits()
        self._on_retry = on_retry
        self._target = Target(
            base_url=find_base_url(row, base_url),
            api_key=find_key(row, api_key),
            quirks=row.quirks,
            headers={**from_environment(row.header_env), **(headers or {})},
            query={**from_environment(row.query_env), **(query or {})},
            on_unsupported=check_unsupported(on_unsupported) or "raise",
        )
        self._has_own_transport = transport is not None
        moves: HttpTransport = Transport(verify=verify, cert=cert, proxies=proxies) if transport is None else transport
        self._sender = Sender(moves, self.dialect, self.limits, self._target.api_key)
        self._closed = False

    @property
    def base_url(self) -> str:
        """Where the paths begin."""
        return self._target.base_url

    def __repr__(self) -> str:
        if not hasattr(self, "_target"):  # tools that show a traceback show a client that could not be made
            return "Client()"
        return f"Client({self.provider.name!r}, base_url={show_url(self.base_url)})"

    def __reduce__(self) -> tuple[Any, ...]:
        key_env, from_environment, headers, query, verify, cert, proxies = self._again
        if self._has_own_transport:
            raise TypeError("this client has a transport of its own, which is not pickled; make it where it is needed")
        if not from_environment or (key_env is None and self._target.api_key is not None):
            raise TypeError("this client holds a key, which is not pickled; make it with Client(..., key_env=NAME)")
        options = {
            "base_url": self.base_url,
            "key_env": key_env,
            "timeouts": self.timeouts,
            "max_retries": self.max_retries,
            "headers": headers,
            "query": query,
            "verify": verify,
            "cert": cert,
            "proxies": proxies,
            "on_retry": self._on_retry,
            "on_unsupported": self._target.on_unsupported,
            "limits": self.limits,
        }
        return _make_client, (self.provider, options)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections; the client makes no more calls. Idempotent."""
        self._closed = True
        self._sender.transport.close()

    def chat_completion(self, request: ChatCompletionRequest, **options: Unpack[CallKeywords]) -> ChatCompletion:
        """Ask, wait, and return the whole answer.

        Raises:
            CompatAPIError: Any of `compatapi.errors`.
        """
        check_request(request)
        if request.stream:
            raise ConfigError(
                "chat_completion returns the whole answer; leave stream unset, or call chat_completion_stream"
            )

        def read(response: HttpResponse, stats: Stats) -> ChatCompletion:
            # A server that streams whatever it is asked.
            if response.media_type in ("text/event-stream", "application/x-ndjson"):
                from compatapi.stream import ChatStream

                with ChatStream(response, self._decoder(request), stats=stats) as stream:
                    for _ in stream:
                        pass
                return stream.completion
            completion = self.dialect.decode_completion(read_all(response, self.limits), request)
            if self.provider.quirks.think_tags:
                from compatapi.dialects.thinktags import split_completion

                split_completion(completion)
            return completion

        extra = CallOptions(**options)
        wanted = self.dialect.encode_request(request, self._target_for(extra), False)
        return self._run(wanted, extra, read)

    @overload
    def chat_completion_stream(
        self, request: ChatCompletionRequest, on_chunk: None = None, **options: Unpack[CallKeywords]
    ) -> ChatStream: ...

    @overload
    def chat_completion_stream(
        self,
        request: ChatCompletionRequest,
        on_chunk: Callable[[ChatCompletionChunk], object],
        **options: Unpack[CallbackKeywords],
    ) -> ChatCompletion: ...

    @overload
    def chat_completion_stream(
        self,
        request: ChatCompletionRequest,
        on_chunk: Callable[[ChatCompletionChunk], object] | None = None,
        **options: Unpack[CallbackKeywords],
    ) -> ChatStream | ChatCompletion: ...

    def chat_completion_stream(
        self,
        request: ChatCompletionRequest,
        on_chunk: Callable[[ChatCompletionChunk], object] | None = None,
        **options: Any,
    ) -> ChatStream | ChatCompletion:
        """Ask, and read the answer piece by piece.

        Without a callback, return a `ChatStream` to iterate over; the connection opens here, so a wrong key is raised
        here. With one, call it with each chunk, and return the whole answer at the end. A callback ends the stream by
        raising `StopStream`: the answer so far is returned; any other exception of it closes the connection and comes
        out unchanged. The callbacks of `start_stream` may be given too.

        Raises:
            CompatAPIError: Any of `compatapi.errors`.
        """
        callbacks = take_callbacks(options, on_chunk)
        extra = CallOptions(**options)
        call = Call(extra.timeouts or self.timeouts)
        if callbacks is None:
            return self._open(request, extra, call, extra.on_retry)
        from compatapi.callbacks import tell_all

        return tell_all(lambda: self._open(request, extra, call, extra.on_retry), callbacks)

    def start_stream(
        self,
        request: ChatCompletionRequest,
        on_chunk: Callable[[ChatCompletionChunk], object] | None = None,
        *,
        post: Callable[..., object] | None = None,
        **options: Unpack[CallbackKeywords],
    ) -> StreamHandle:
        """Ask, and read the answer in a thread of its own; for programs that must not wait.

        Args:
            request: What to ask.
            on_chunk: Called with every chunk.
            post: ``post(function, *args)`` has to run the function soon and in order where the program wants its
                callbacks, without waiting for it. Left out, they run in the thread of the stream.
            options: What every call takes, and the callbacks: ``on_text``, ``on_reasoning`` (pieces of text),
                ``on_tool_call`` (whole calls), ``on_usage``, ``on_retry``, and one of ``on_done`` (with the
                completion), ``on_error`` (with the error) and ``on_cancelled`` (with the completion so far), which is
                called as the last.

        Raises:
            ConfigError: The request cannot be sent. Everything else arrives in the handle.
        """
        from compatapi.callbacks import Callbacks
        from compatapi.handle import StreamHandle

        rest: dict[str, Any] = {**options}
        callbacks = take_callbacks(rest, on_chunk) or Callbacks()
        check_function("post", post)
        extra = CallOptions(**rest)
        wanted = self._encode_stream(request, extra)
        call = Call(extra.timeouts or self.timeouts)

        def open_stream(call: Call, on_retry: Callable[[RetryEvent], object]) -> ChatStream:
            return self._open_encoded(wanted, request, extra, call, on_retry)

        return StreamHandle(open_stream, call, callbacks, on_retry=extra.on_retry, post=post)

    def models(self, **options: Unpack[CallKeywords]) -> list[Model]:
        """The models that the host offers.

        Raises:
            ConfigError: The host has no such list.
            CompatAPIError: Any other of `compatapi.errors`.
        """
        extra = CallOptions(**options)
        target = self._target_for(extra)

        def read(response: HttpResponse, _: Stats) -> tuple[list[Model], HttpRequest | None]:
            body = read_all(response, self.limits)
            page = self.dialect.decode_models(body)
            return page, self.dialect.encode_more_models(target, body) if page else None

        found, wanted = self._run(self.dialect.encode_models(target), extra, read)
        asked: set[str] = set()
        while wanted is not None and wanted.url not in asked:  # a relay that ignores the page would never end
            asked.add(wanted.url)
            page, wanted = self._run(wanted, extra, read)
            found += page
        return found

    def embeddings(
        self,
        model: str | EmbeddingRequest,
        input: str | Iterable[str] | Iterable[int] | Iterable[Iterable[int]] | None = None,
        *,
        dimensions: int | None = None,
        encoding_format: str | None = None,
        user: str | None = None,
        **options: Unpack[CallKeywords],
    ) -> EmbeddingResponse:
        """The embeddings of a text, of several texts, or of token ids; lists of floats, however the server sent them.

        Raises:
            ConfigError: The host has no embeddings.
            CompatAPIError: Any other of `compatapi.errors`.
        """
        if isinstance(model, str):
            if input is None:
                raise ConfigError("embeddings needs an input: a text or several")
            from compatapi.service_types import EmbeddingRequest

            model = EmbeddingRequest(model, input, dimensions=dimensions, encoding_format=encoding_format, user=user)
        extra = CallOptions(**options)
        wanted = self.dialect.encode_embeddings(model, self._target_for(extra))
        return self._run(
            wanted, extra, lambda response, _: self.dialect.decode_embeddings(read_all(response, self.limits))
        )

    # --- one call

    def _target_for(self, options: CallOptions) -> Target:
        target = self._target
        if not (options.headers or options.query or options.body or options.on_unsupported):
            return target
        return evolve(
            target,
            headers={**target.headers, **(options.headers or {})},
            query={**target.query, **(options.query or {})},
            body=options.body or {},
            on_unsupported=options.on_unsupported or target.on_unsupported,
        )

    def _decoder(self, request: ChatCompletionRequest) -> StreamDecoder:
        from compatapi.decoding import StreamDecoder

        quirks = self.provider.quirks
        return StreamDecoder(
            self.dialect,
            request,
            limits=self.limits,
            ends_without_mark=quirks.ends_without_mark,
            think_tags=quirks.think_tags,
            accumulate=False,
        )

    def _encode_stream(self, request: ChatCompletionRequest, options: CallOptions) -> HttpRequest:
        check_request(request)
        return self.dialect.encode_request(request, self._target_for(options), True)

    def _open(
        self,
        request: ChatCompletionRequest,
        options: CallOptions,
        call: Call,
        on_retry: Callable[[RetryEvent], object] | None,
    ) -> ChatStream:
        return self._open_encoded(self._encode_stream(request, options), request, options, call, on_retry)

    def _open_encoded(
        self,
        wanted: HttpRequest,
        request: ChatCompletionRequest,
        options: CallOptions,
        call: Call,
        on_retry: Callable[[RetryEvent], object] | None,
    ) -> ChatStream:
        def read(response: HttpResponse, stats: Stats) -> ChatStream:
            if self.provider.quirks.errors_with_200 and response.media_type == "application/json":
                response.wait()
                body = read_all(response, self.limits)
                with suppress(DecodeError):  # what is no answer is told better as the stream that it should be
                    self.dialect.decode_completion(body, request)  # raises the error, here where the call stands
                response = evolve(response, body=iter([body]))
            return ChatStream(
                response, self._decoder(request), stats=stats, started=call.started, mask=self._sender.mask
            )

        from compatapi.stream import ChatStream

        return self._run(wanted, options, read, call, on_retry)

    def _run(
        self,
        wanted: HttpRequest,
        options: CallOptions,
        read: Callable[[HttpResponse, Stats], T],
        call: Call | None = None,
        on_retry: Callable[[RetryEvent], object] | None = None,
    ) -> T:
        if self._closed:
            raise ConfigError("This client was closed; make a new one")
        retries = self.max_retries if options.max_retries is None else options.max_retries
        told = [function for function in (self._on_retry, on_retry or options.on_retry) if function is not None]

        def tell(event: RetryEvent) -> None:
            for function in told:
                function(event)

        call = call or Call(options.timeouts or self.timeouts)
        return self._sender.run(wanted, call, RetryPolicy(retries), tell, read)


def _make_client(provider: Provider, options: dict[str, Any]) -> Client:
    return Client(provider, **options)
