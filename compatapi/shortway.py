"""What little the answer so far has to take in of chunks that were read by one form.

Such chunks are the same but for a few values, and the first of them was taken in whole. Of those behind it only the
values that differ count, and few of these do: texts that grow, and unknown fields of which the last value stays.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from compatapi.chat_types import ChatCompletionChunk, Delta
from compatapi.growing import GROWING, PIECED, ChoiceSoFar, GrowingPiece
from compatapi.wire import Extras, WireType

__all__ = ["ShortWay", "find_short_way"]

Path = tuple[Any, ...]
Taker = Callable[[Any], object]
FromChunk = Callable[[ChatCompletionChunk], Any]

_CHOICE: Path = ("choices", 0)
_DELTA: Path = (*_CHOICE, "delta")
_ARGUMENTS: Path = ("tool_calls", 0, "function", "arguments")
#: Of these the first value counts.
_FIRSTS = frozenset({"id", "created", "model", "system_fingerprint"})
#: Where a text of a delta may stand: how to get it, and what takes it in.
_TEXTS: dict[Path, tuple[Callable[[Delta], Any], Callable[[ChoiceSoFar], Taker]]] = {
    ("content",): (attrgetter("content"), lambda so_far: so_far.content.append),
    ("reasoning_content",): (attrgetter("reasoning_content"), lambda so_far: so_far.reasoning.append),
    ("refusal",): (attrgetter("refusal"), lambda so_far: so_far.refusal.append),
    _ARGUMENTS: (
        lambda delta: delta.tool_calls[0].function.arguments if delta.tool_calls else None,  # type: ignore[union-attr]
        lambda so_far: so_far.slots.grower(),
    ),
}
#: Where the unknown fields of a chunk are.
_UNKNOWN: dict[Path, FromChunk] = {
    (): attrgetter("_extra"),
    _CHOICE: lambda chunk: chunk.choices[0]._extra,
    _DELTA: lambda chunk: chunk.choices[0].delta._extra,
}
_VARIES = object()


class _NoShortWay(Exception):
    """There is more to take in than a short way can."""


class ShortWay:
    """How to take in the chunks of one form.

    Args:
        chunk: One of them, which was taken in whole.
        so_far: Its choice.
        extras: The unknown fields of the chunks.
        missing: The fields of the answer of which the first value counts, and that have none yet.

    Attributes:
        text_of: Gets the text from the delta of the first choice.
        take_text: Takes it in.
        others: What else there is to take in, in pairs of the same kind, but from the chunk.

    Raises:
        _NoShortWay: There is none.
    """

    def __init__(
        self, chunk: ChatCompletionChunk, so_far: ChoiceSoFar, extras: Extras, missing: tuple[str, ...]
    ) -> None:
        assert chunk._form is not None
        choice, varied = chunk.choices[0], chunk._form.varied
        if choice.logprobs is not None and (choice.logprobs.content or choice.logprobs.refusal):
            raise _NoShortWay
        self._keeps: dict[tuple[int, str], Any] = {}  # what a form says once and for all, or _VARIES, by its place
        self.others: list[tuple[FromChunk, Taker]] = []
        self._take_texts(choice.delta, so_far, varied)
        places = {(): (extras, chunk), _CHOICE: (so_far.extras, choice), _DELTA: (so_far.message_extras, choice.delta)}
        for seen, thing in places.values():
            self._keep(seen, thing)
        for call in choice.delta.tool_calls or ():
            growing = so_far.slots.last
            self._keep(growing.extras, call)
            self._keep(growing.function_extras, call.function)
        pieces = {path[4:] for path in varied if path[:4] == (*_DELTA, "_extra") and path[4] in PIECED}
        self._take_pieces(choice.delta._extra or {}, so_far, pieces)
        for path in varied:
            at = path.index("_extra") if "_extra" in path else len(path)
            if at < len(path) and path[:at] in places:
                self._follow(path[:at], places[path[:at]][0], path[at + 1])
            elif not _is_of_no_account(path, missing):
                raise _NoShortWay

    def goes_with(self, other: ShortWay) -> bool:
        """Whether chunks of both forms may take turns: neither changes what the other has said once and for all."""
        both = self._keeps.keys() & other._keeps.keys()
        return all(self._keeps[key] == other._keeps[key] for key in both)

    def _take_texts(self, delta: Delta, so_far: ChoiceSoFar, varied: frozenset[Path]) -> None:
        found = [
            (get, place(so_far)) for path, (get, place) in _TEXTS.items() if get(delta) or (*_DELTA, *path) in varied
        ]
        if not found or (delta.tool_calls and (*_DELTA, *_ARGUMENTS) not in varied):  # that a call spoke counts too
            raise _NoShortWay
        (self.text_of, self.take_text), *more = found
        self.others += [(_of_delta(get), take) for get, take in more]

    def _take_pieces(self, fields: dict[str, Any], so_far: ChoiceSoFar, varied: set[Path]) -> None:
        for name, pieces in fields.items():
            if name not in PIECED or not pieces or not isinstance(pieces, list):
                continue
            piece, growing = pieces[0], so_far.pieced[name][-1]
            if len(pieces) > 1 or not isinstance(growing, GrowingPiece) or piece.get("citations"):
                raise _NoShortWay
            texts = [key for key, value in piece.items() if key in GROWING and isinstance(value, str)]
            varied -= {(name, 0, key) for key in texts}
            self._keeps[id(so_far), name] = growing
            for key in texts:
                self.others.append((_of_piece(name, key), growing.taker(key)))
        if varied:
            raise _NoShortWay

    def _keep(self, seen: Extras, thing: WireType | None) -> None:
        if thing is not None:
            self._keeps |= {(id(seen), name): (thing._extra or {})[name] for name in seen.names_in(thing)}

    def _follow(self, place: Path, seen: Extras, name: str) -> None:
        key = id(seen), name
        if self._keeps.get(key, _VARIES) is not _VARIES:  # else it is followed already, or of no account
            self._keeps[key] = _VARIES
            fields_of = _UNKNOWN[place]
            self.others.append((lambda chunk: fields_of(chunk)[name], seen.follower(name)))


def _of_delta(get: Callable[[Delta], Any]) -> FromChunk:
    return lambda chunk: get(chunk.choices[0].delta)


def _of_piece(name: str, key: str) -> FromChunk:
    return lambda chunk: chunk.choices[0].delta._extra[name][0][key]  # type: ignore[index]


def _is_of_no_account(path: Path, missing: tuple[str, ...]) -> bool:
    """Whether the answer does not change with a value, or it is looked after elsewhere, as a text or the usage."""
    if path[:3] == _DELTA:
        return path[3] == "_readings" or path[3:] in _TEXTS
    return path[0] == "usage" or (path[0] in _FIRSTS and path[0] not in missing)


def find_short_way(
    chunk: ChatCompletionChunk, so_far: ChoiceSoFar, extras: Extras, missing: tuple[str, ...]
) -> ShortWay | None:
    """The short way for chunks like this one; ``None`` if there is none."""
    try:
        return ShortWay(chunk, so_far, extras, missing)
    except _NoShortWay:
        return None
