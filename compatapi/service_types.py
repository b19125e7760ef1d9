"""The wire types of what stands beside chat: the list of models, and embeddings."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field, frozen

from compatapi.chat_types import Usage
from compatapi.wire import WireType

__all__ = ["Embedding", "EmbeddingRequest", "EmbeddingResponse", "Model"]


@define(eq=False, repr=False)
class Model(WireType):
    """A model that a host offers. ``created`` is a Unix time in seconds; what else hosts tell is in `extra`."""

    id: str
    object: str | None = "model"
    created: int | None = None
    owned_by: str | None = None


def _inputs(
    value: str | Iterable[str] | Iterable[int] | Iterable[Iterable[int]],
) -> str | tuple[str | int | tuple[int, ...], ...]:
    if isinstance(value, str):
        return value
    return tuple(item if isinstance(item, str | int) else tuple(item) for item in value)


@frozen(eq=False, repr=False)
class EmbeddingRequest(WireType):
    """A request for embeddings: the model, and a text, several texts, token ids, or several lists of them."""

    model: str
    input: str | tuple[str | int | tuple[int, ...], ...] = field(converter=_inputs)
    encoding_format: str | None = field(default=None, kw_only=True)
    dimensions: int | None = field(default=None, kw_only=True)
    user: str | None = field(default=None, kw_only=True)


@define(eq=False, repr=False)
class Embedding(WireType):
    """The embedding of one input; ``index`` is the input's place in the request.

    ``embedding`` is base64 text (little-endian float32) where that ``encoding_format`` was asked for.
    """

    index: int = 0
    embedding: list[float] | str = field(factory=list)
    object: str | None = "embedding"


@define(eq=False, repr=False)
class EmbeddingResponse(WireType):
    """The embeddings of all inputs."""

    data: list[Embedding] = field(factory=list)
    model: str | None = None
    usage: Usage | None = None
    object: str | None = "list"
