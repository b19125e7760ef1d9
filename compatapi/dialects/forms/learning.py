"""Learn the form of chunks: what differs, what it means, and whether a short way to read them is right.

A chunk's JSON text is cut into *tokens*: strings, numbers, and what stands between them. Chunks whose tokens differ in
values only are of one shape. `make_reader` has a function written for a shape (`compatapi.dialects.forms.code`), and
proves it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from compatapi.chat_types import ChatCompletionChunk
from compatapi.dialects.forms import Read, Tell
from compatapi.dialects.forms.code import NotToBeLearnt, Probe, ReaderDraft
from compatapi.errors import DecodeError
from compatapi.wire import Extra, WireType, wire_names

__all__ = ["GUESSED", "NotToBeLearnt", "key_of", "likely_holes", "make_reader", "names_of", "tokens_of"]

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[^"\d-]+')
#: Values on which the reading of a chunk, or of those behind it, depends: they are never holes.
_FIXED = frozenset({'"index"', '"finish_reason"', '"finishReason"', '"role"', '"type"', '"name"', '"object"'})
#: Values that are guessed to be holes where two chunks of a shape do not differ at all.
GUESSED = frozenset({'"content"', '"reasoning_content"', '"reasoning"', '"arguments"', '"text"', '"thinking"'})
#: A function is written for no more than this: compiling it would take longer than reading many chunks in full.
_MOST_TOKENS, _MOST_HOLES = 1000, 24


def tokens_of(data: str) -> list[str]:
    """The tokens of a JSON text; none if it is not made of them, or of too many."""
    tokens = _TOKEN.findall(data)
    return tokens if len(tokens) <= _MOST_TOKENS and "".join(tokens) == data else []


def key_of(tokens: list[str]) -> str:
    """What shapes are told apart by: the text without the values that may be holes, but with their kinds."""
    parts = []
    for at, (token, following) in enumerate(zip(tokens, [*tokens[1:], ""], strict=True)):
        is_value = token[0] in '"-0123456789' and not (token[0] == '"' and following.lstrip().startswith(":"))
        if not is_value or _name(tokens, at) in _FIXED:
            parts.append(token)
        else:
            parts.append('"' if token[0] == '"' else "0" if token.lstrip("-").isdigit() else "0.0")
    return "".join(parts)


def likely_holes(tokens: list[str], names: Collection[str]) -> set[int]:
    """The values of these names, which most likely differ in the next chunk."""
    return {at for at, token in enumerate(tokens) if token[0] in '"-0123456789' and _name(tokens, at) in names}


def names_of(tokens: list[str], holes: Collection[int]) -> set[str]:
    """The names of the values at these holes."""
    return {name for at in holes if (name := _name(tokens, at))}


def _name(tokens: list[str], at: int) -> str:
    """The name of the value that a token is; empty if it is none, or stands in a list."""
    return tokens[at - 2] if at > 1 and tokens[at - 1].strip() == ":" else ""


def make_reader(
    examples: Sequence[list[str]],
    holes: Sequence[int],
    chunk: ChatCompletionChunk,
    read: Read,
    tell: Tell | None,
) -> Callable[[str], Any]:
    """The function that reads the chunks of a shape, proved.

    Args:
        examples: The tokens of chunks of the shape.
        holes: The numbers of the tokens that differ.
        chunk: What the last example was read as.
        read: Reads such a text in full.
        tell: Who has to be told a text of each chunk, and where it stands.

    Raises:
        NotToBeLearnt: It cannot be had.
    """
    if len(holes) > _MOST_HOLES:
        raise NotToBeLearnt
    tokens = examples[0]
    probes = [Probe(tokens[at], number) for number, at in enumerate(holes)]
    edges = [0, *(edge for at in holes for edge in (at, at + 1)), len(tokens)]
    fixed = ["".join(tokens[start:end]) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    first, last = map("".join, examples)
    told, listener = tell or ((), str)

    def read_in_full(text: str) -> ChatCompletionChunk | None:
        try:
            return read(text)
        except DecodeError:  # not anything may stand there
            return None

    def filled(empty: Probe | None = None) -> str:
        values = ['""' if probe is empty else probe.text for probe in probes]
        return "".join(part for pair in zip(fixed, values, strict=False) for part in pair) + fixed[-1]

    if not _is_same(read_in_full(last), chunk):  # it depended on what came before
        raise NotToBeLearnt
    # An empty string may mean something else than one that says something: then it is left to the full reading.
    probed, names = read_in_full(filled()), [probe.name for probe in probes if isinstance(probe.value, str)]
    if probed is None:
        raise NotToBeLearnt
    draft = ReaderDraft(probed, fixed, probes, told, names)
    trial = draft.make(str)
    empty = [p.name for p in probes if p.name in names and _is_same(trial(text := filled(p)), read_in_full(text))]
    if empty != names:
        draft = ReaderDraft(probed, fixed, probes, told, empty)
        trial = draft.make(str)
    for text, thing in ((filled(), probed), (first, read_in_full(first)), (last, chunk)):
        found = trial(text)
        # All but the probe may also be left to the full reading.
        if not _is_same(found, thing) and (found is not None or thing is probed):
            raise NotToBeLearnt
    return draft.make(listener)


def _is_same(one: Any, other: Any) -> bool:
    """Whether two things are the same in everything, their classes, unknown fields and readings among it."""
    if one is other:
        return True
    if one.__class__ is not other.__class__:
        return False
    if isinstance(one, WireType):
        for name in wire_names(type(one)):
            mine, its = getattr(one, name), getattr(other, name)
            if mine is not its and not _is_same(mine, its):  # most are None in both
                return False
        return one.readings == other.readings and _is_same(_unknown(one), _unknown(other))
    if one.__class__ is dict:
        return one.keys() == other.keys() and all(map(_is_same, one.values(), map(other.__getitem__, one)))
    if one.__class__ in (list, tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


def _unknown(thing: WireType) -> dict[str, Any]:
    extra = thing._extra or {}
    if isinstance(extra, Extra) or not thing._is_short_lived:
        return dict(extra)
    known = wire_names(type(thing))
    return {name: value for name, value in extra.items() if name not in known}
