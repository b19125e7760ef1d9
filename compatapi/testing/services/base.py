"""What the server side of a dialect is: a request in, what is asked for out; an answer in, the bytes of it out.

A `Service` has no state and knows no sockets. Derive from it what a dialect does in its own way; the rest is what most
of them do: JSON in and out, server-sent events, a Bearer key, errors by status.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from compatapi.testing.http1 import RecordedRequest
from compatapi.testing.script import encode_json

if TYPE_CHECKING:
    from compatapi.testing.answers import ErrorScript
    from compatapi.testing.chat import ChatAnswer

__all__ = ["Lines", "Service", "as_json_text", "without_none"]


@frozen
class Lines:
    """The events of a stream: what comes before anything is said, what is said, the end, and the end mark.

    The mark is apart because a stream that breaks off never has it.
    """

    start: Sequence[bytes] = ()
    pieces: Sequence[bytes] = ()
    end: Sequence[bytes] = ()
    mark: bytes = b""

    def all(self) -> list[bytes]:
        """All of it in its order."""
        return [*self.start, *self.pieces, *self.end, *([self.mark] if self.mark else [])]


class Service:
    """The server side of a dialect.

    Attributes:
        media_type: Of a stream.
        nothing: What keeps a stream alive and says nothing.
    """

    media_type = "text/event-stream; charset=utf-8"
    nothing = b": keep-alive\n\n"

    # --- what is asked

    def model(self, request: RecordedRequest, body: Mapping[str, Any]) -> str:
        """The model that is asked for."""
        return str(body.get("model") or "scripted-model")

    def is_stream(self, request: RecordedRequest) -> bool:
        """Whether a stream is asked for."""
        return bool((request.json_object() or {}).get("stream"))

    def key(self, request: RecordedRequest) -> str | None:
        """The key of a request."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return key if scheme.lower() == "bearer" else request.headers.get("api-key")

    def refusal(self, request: RecordedRequest, keys: Collection[str]) -> ErrorScript | None:
        """Why a request is not let in; None lets it in."""
        from compatapi.testing.answers import ErrorScript

        if self.key(request) in keys:
            return None
        return ErrorScript(401, "The key is missing or is none of those that this server takes.")

    def read_chat(self, request: RecordedRequest, body: dict[str, Any]) -> dict[str, Any]:
        """A chat request as the fields of `ChatCompletionRequest`, with what is unknown beside them."""
        raise NotImplementedError

    # --- what is answered

    def lines(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Lines:
        """A streamed answer."""
        raise NotImplementedError

    def whole(self, answer: ChatAnswer, request: RecordedRequest, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A whole answer."""
        raise NotImplementedError

    def stream_media_type(self, request: RecordedRequest) -> str:
        """The media type of the stream that this request gets."""
        return self.media_type

    def models(self, names: Sequence[str]) -> Mapping[str, Any]:
        """The list of models."""
        raise NotImplementedError

    def embeddings(
        self, vectors: Sequence[Sequence[float]], request: RecordedRequest, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The embeddings of the inputs."""
        raise NotImplementedError

    def inputs(self, body: Mapping[str, Any]) -> int:
        """How many embeddings are asked for."""
        return _count(body.get("input"))

    # --- what goes wrong

    def frame(self, data: bytes) -> bytes:
        """One event with this data."""
        return b"data: " + data + b"\n\n"

    def error(self, told: ErrorScript) -> tuple[int, Mapping[str, Any], Mapping[str, str]]:
        """Status, body and headers of an error."""
        raise NotImplementedError

    def error_event(self, told: ErrorScript) -> bytes:
        """An error inside a stream."""
        return self.frame(encode_json(self.error(told)[1]))

    def unexpected(self, told: ErrorScript) -> ErrorScript:
        """What a request that nobody expected is told: an error that no client takes for one that time cures."""
        return told


def without_none(**fields: Any) -> dict[str, Any]:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value is not None}


def parsed_arguments(name: str, text: str) -> Any:
    """The arguments of a call, for services that have them as JSON and not as text."""
    try:
        return json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise ValueError(f"the arguments of {name!r} are no JSON, and cannot be said here: {text}") from error


def as_json_text(value: Any) -> str:
    """JSON as text; text is taken for JSON already."""
    return value if isinstance(value, str) else encode_json(value).decode()


def _count(given: Any) -> int:
    if isinstance(given, str) or (given and isinstance(given[0], int)):
        return 1
    return len(given or ())
