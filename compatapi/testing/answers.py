"""Scripts beside chat: errors, lists of models, embeddings. Each in the words of whichever dialect asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from .http1 import RecordedRequest
from .script import HeaderValues, Reply, Step
from .services import service_of

_DIMENSIONS = 8


class UnexpectedRequest(AssertionError):
    """Raised by a script or a function of a server: this request is not what was expected.

    The server tells the client so and notes it for `check`.
    """


@frozen
class ErrorScript:
    """An error by status: `ErrorScript(429, "Slow down.", retry_after=2)`.

    `code`, `type` and `param` are what a program finds in the error; left out, each dialect says
    what its service says with such a status. `retry_after`: seconds, said where the service says
    it. `body` replaces all of that: a dict is sent as JSON, text and bytes as they are. `delay`:
    seconds of silence before it. Hunyuan answers with status 200 and a code that stands for the
    status, unless there is a `body`.
    """

    status: int = 500
    message: str = "The server had an error while processing your request."
    code: str | None = field(default=None, kw_only=True)
    type: str | None = field(default=None, kw_only=True)
    param: str | None = field(default=None, kw_only=True)
    body: Mapping[str, Any] | Sequence[Any] | str | bytes | None = field(default=None, kw_only=True)
    retry_after: float | None = field(default=None, kw_only=True)
    headers: HeaderValues = field(factory=dict, kw_only=True)
    delay: float = field(default=0.0, kw_only=True)

    def play(self, request: RecordedRequest) -> Iterator[Step]:
        """Give the steps of a `Reply`."""
        status, body, headers = service_of(request).error(self)
        reply = Reply(status, body=body, headers={**headers, **self.headers}, delay=self.delay)
        if self.body is not None:
            reply = evolve(reply, status=self.status, body=self.body)
        return reply.play(request)


@frozen(init=False)
class ModelsScript:
    """The list of models: `ModelsScript("small-1", "large-1")`."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        self.__attrs_init__(names)

    def play(self, request: RecordedRequest) -> Iterator[Step]:
        """Give the steps of a `Reply`."""
        require(request, "models")
        return Reply(body=service_of(request).models(self.names)).play(request)


@frozen
class EmbeddingsScript:
    """Embeddings, one for each input: the given vectors, or made-up ones of so many dimensions."""

    vectors: Sequence[Sequence[float]] | None = None
    dimensions: int = field(default=_DIMENSIONS, kw_only=True)

    def play(self, request: RecordedRequest) -> Iterator[Step]:
        """Give the steps of a `Reply`."""
        require(request, "embeddings")
        service, body = service_of(request), request.json_object() or {}
        vectors = self.vectors
        if vectors is None:
            vectors = [
                [round(1 / (place + axis + 2), 4) for axis in range(self.dimensions)]
                for place in range(service.inputs(body))
            ]
        return Reply(body=service.embeddings(vectors, request, body)).play(request)


def require(request: RecordedRequest, operation: str) -> None:
    """Raise `UnexpectedRequest` unless the request asks for this; a path that nobody has is let through."""
    if request.operation not in (None, operation):
        raise UnexpectedRequest(f"The script answers a request for {operation}, and this asks for {request.operation}.")


def refuse(request: RecordedRequest, message: str, kind: str) -> ErrorScript:
    """What a client is told whose request nobody expected; clients that can be told so do not try again."""
    told = ErrorScript(500, message, type=kind, headers={"x-should-retry": "false"})
    return service_of(request).unexpected(told)
