"""Read a chunk by the form that it shares with chunks that were read before.

The chunks of a stream are the same JSON text but for a few values: the piece of text, padding, a count of tokens. From
two of them that were read in full `Forms.learn` takes what differs for *holes* and the rest for fixed, and has a
function written that finds the holes in such a text, reads what stands in them, and builds the objects. Before it may
serve it has to prove itself: a probe and both chunks must come out as they do when they are read in full. A text that
does not fit, down to one byte, is left to be read in full: a form is never another way to read, only a shorter one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from attrs import define, field

from compatapi import jsontext
from compatapi.accumulate import TEXTS
from compatapi.chat_types import ChatCompletionChunk
from compatapi.dialects.openai.formcode import NotToBeLearnt, Probe, ReaderDraft
from compatapi.errors import DecodeError
from compatapi.wire import Extra, WireType, wire_names

__all__ = ["Forms"]

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[^"\d-]+')
#: Values on which the reading of a chunk, or of those behind it, depends: they are never holes.
_FIXED = frozenset({'"index"', '"finish_reason"', '"role"', '"type"', '"name"', '"object"'})
#: What learning costs, counted in chunks that were spared the full reading: a look at the tokens, a new function. A
#: stream begins with some credit, and when it has none it is read in full until forms have earned more.
_LOOK, _MAKE, _CREDIT = 4, 60, 400
#: Chunks of a stream that is too short for learning to pay.
_SHORT = 12
#: Shapes of one stream; one of three choices has three, one of reasoning and text two.
_FEW = 8
#: Characters of a chunk that is worth learning. Longer ones carry images or sound, and come alone.
_LONGEST = 16 * 1024

_DELTA, _ARGUMENTS = "choices.0.delta.", "tool_calls.0.function.arguments"
#: Values that are guessed to be holes where two chunks of a shape do not differ at all.
_GUESSED = frozenset({'"content"', '"reasoning_content"', '"reasoning"', '"arguments"'})
#: Where else a hole may be without the answer so far taking in more than the text and the usage.
_OF_NO_ACCOUNT = re.compile(
    r"id|created|usage\..*|_extra\.(obfuscation|p)|choices\.0\.delta\._extra\.(reasoning|readings\..*)"
)
#: Lists of pieces in a delta, each of which is taken in.
_PIECED = ("reasoning_details", "content_blocks")

Reader = Callable[[str], Any]


def _nothing(data: str) -> None:
    """What is known before anything was learnt."""


@define(eq=False)
class _Shape:
    """Chunks with the same keys and the same kinds of values.

    Attributes:
        tokens: The JSON text of one of them, cut at its values.
        holes: The numbers of the tokens that were seen to differ.
        read: The function that was written for it.
        is_call: Whether it holds the arguments of a tool call.
    """

    tokens: list[str]
    holes: set[int] = field(factory=set)
    read: Reader | None = None
    is_call: bool = False


class Forms:
    """The forms of one stream.

    Args:
        structure: Reads a decoded chunk in full.
    """

    def __init__(self, structure: Callable[[Any, Any], ChatCompletionChunk]) -> None:
        self._structure = structure
        self._shapes: dict[str, _Shape] = {}
        self._first: Reader = _nothing  # the one that served last
        self._others: list[Reader] = []
        self._credit = _CREDIT
        self._waiting = _SHORT

    def read(self, data: str) -> ChatCompletionChunk | None:
        """The chunk that ``data`` is; ``None`` when it has to be read in full."""
        chunk: ChatCompletionChunk | None = self._first(data)
        if chunk is None:
            for number, read in enumerate(self._others):
                chunk = read(data)
                if chunk is not None:
                    # The first goes to the end: forms that take turns are then found at the second try.
                    self._others.append(self._first)
                    self._first = self._others.pop(number)
                    break
            else:
                return None
        self._credit += 1
        return chunk

    def learn(self, data: str, chunk: ChatCompletionChunk, grower: Callable[[], Callable[[str], object]]) -> None:
        """Take in a chunk that was read in full.

        Args:
            data: Its JSON text.
            chunk: What was made of it.
            grower: Gives what has to be told the piece of arguments in each chunk like this one, if there is one.
        """
        self._waiting -= 1
        if self._waiting >= 0 or self._credit < _LOOK or len(data) > _LONGEST or not _is_plain(chunk):
            return
        self._credit -= _LOOK
        tokens = _TOKEN.findall(data)
        key = _key_of(tokens)
        shape = self._shapes.get(key)
        if shape is None:
            if len(self._shapes) < _FEW and "".join(tokens) == data:
                self._shapes[key] = _Shape(tokens, is_call=bool(chunk.choices[0].delta.tool_calls))
            return
        differing = {at for at, token in enumerate(tokens) if token != shape.tokens[at]}
        if not differing and not shape.holes:
            differing = {at for at, token in enumerate(tokens) if token[0] == '"' and _name(tokens, at) in _GUESSED}
        if differing <= shape.holes or self._credit < _MAKE:
            return
        self._credit -= _MAKE
        shape.holes |= differing
        self._drop(shape)
        try:
            shape.read = self._reader(shape, data, chunk, grower)
        except NotToBeLearnt:
            return
        self._put_first(shape.read)

    def forget(self, *, only_calls: bool = False) -> None:
        """Forget all forms, or those of arguments: what is like them may have to be read otherwise from now on."""
        for key, shape in list(self._shapes.items()):
            if shape.is_call or not only_calls:
                self._drop(shape)
                del self._shapes[key]

    def _put_first(self, read: Reader) -> None:
        self._others = [other for other in (self._first, *self._others) if other not in (read, _nothing)]
        self._first = read

    def _drop(self, shape: _Shape) -> None:
        if shape.read is not None:
            self._others = [other for other in (self._first, *self._others) if other not in (shape.read, _nothing)]
            self._first = _nothing
            shape.read = None

    def _reader(
        self, shape: _Shape, data: str, chunk: ChatCompletionChunk, grower: Callable[[], Callable[[str], object]]
    ) -> Reader:
        """The function for a shape, proved."""
        holes = sorted(shape.holes)
        probes = [Probe(shape.tokens[at], number) for number, at in enumerate(holes)]
        edges = [0, *(edge for at in holes for edge in (at, at + 1)), len(shape.tokens)]
        fixed = ["".join(shape.tokens[start:end]) for start, end in zip(edges[::2], edges[1::2], strict=True)]
        told = _DELTA + _ARGUMENTS if shape.is_call else ""

        def read(text: str) -> ChatCompletionChunk:
            try:
                return self._structure(jsontext.loads(text), ChatCompletionChunk)
            except DecodeError as error:  # not anything may stand there
                raise NotToBeLearnt from error

        def filled(empty: Probe | None = None) -> str:
            values = ['""' if probe is empty else probe.text for probe in probes]
            return "".join(part for pair in zip(fixed, values, strict=False) for part in pair) + fixed[-1]

        if not _is_same(read(data), chunk):  # it depended on what came before
            raise NotToBeLearnt
        # An empty string may mean something else than one that says something: then it is left to the full reading.
        probed, names = read(filled()), [probe.name for probe in probes if isinstance(probe.value, str)]
        draft = ReaderDraft(probed, fixed, probes, told, names)
        trial = draft.make(str)
        empty = [p.name for p in probes if p.name in names and _is_same(trial(text := filled(p)), read(text))]
        if empty != names:
            draft = ReaderDraft(probed, fixed, probes, told, empty)
            trial = draft.make(str)
        first = "".join(shape.tokens)
        for text, thing in ((filled(), probed), (first, read(first)), (data, chunk)):
            found = trial(text)
            # All but the probe may also be left to the full reading.
            if not _is_same(found, thing) and (found is not None or thing is probed):
                raise NotToBeLearnt
        _mark(draft, chunk)
        return draft.make(grower())


def _name(tokens: list[str], at: int) -> str:
    """The name of the value that a token is; empty if it is none, or stands in a list."""
    return tokens[at - 2] if at > 1 and tokens[at - 1].strip() == ":" else ""


def _key_of(tokens: list[str]) -> str:
    """What shapes are told apart by: the text without the values that may be holes, but with their kinds."""
    parts = []
    for at, (token, following) in enumerate(zip(tokens, [*tokens[1:], ""], strict=True)):
        is_value = token[0] in '"-0123456789' and not (token[0] == '"' and following.lstrip().startswith(":"))
        if not is_value or _name(tokens, at) in _FIXED:
            parts.append(token)
        else:
            parts.append('"' if token[0] == '"' else "0" if token.lstrip("-").isdigit() else "0.0")
    return "".join(parts)


def _mark(draft: ReaderDraft, chunk: ChatCompletionChunk) -> None:
    """Tell the answer so far how little there is to take in, where nothing but the text counts."""
    choice, delta = chunk.choices[0], chunk.choices[0].delta
    landed = {path for paths in draft.landed.values() for path in paths}
    texts = [path for path in TEXTS if _DELTA + path in landed]
    rest = [path for path in landed if path.removeprefix(_DELTA) not in texts and not _OF_NO_ACCOUNT.fullmatch(path)]
    takes_more = delta.refusal or any(name in (delta._extra or ()) for name in _PIECED)
    if choice.logprobs is not None and (choice.logprobs.content or choice.logprobs.refusal):
        takes_more = True
    said = [bool(delta.content), bool(delta.reasoning_content), bool(delta.tool_calls)]
    if draft.shared is not None and len(texts) == 1 and not rest and not takes_more and sum(said) < 2:
        draft.shared.text = texts[0]


def _is_plain(chunk: ChatCompletionChunk) -> bool:
    """Whether a chunk is of a kind that does not change how those behind it are read."""
    if len(chunk.choices) != 1 or chunk.moderation is not None:
        return False
    choice = chunk.choices[0]
    delta = choice.delta
    if choice.finish_reason is not None or delta.function_call or delta.annotations or delta.audio:
        return False
    if "delta" in choice.readings:
        return False
    for call in delta.tool_calls or ():
        if call.id or call.index is None or call.function is None or call.function.name or call.custom:
            return False
    return delta.tool_calls is None or len(delta.tool_calls) == 1


def _is_same(one: Any, other: Any) -> bool:
    """Whether two things are the same in everything, their classes, unknown fields and readings among it."""
    if one is other:
        return True
    if one.__class__ is not other.__class__:
        return False
    if isinstance(one, WireType):
        names = wire_names(type(one))
        return (
            all(_is_same(getattr(one, name), getattr(other, name)) for name in names)
            and one.readings == other.readings
            and _is_same(_unknown(one), _unknown(other))
        )
    if one.__class__ is dict:
        return one.keys() == other.keys() and all(_is_same(value, other[key]) for key, value in one.items())
    if one.__class__ in (list, tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


def _unknown(thing: WireType) -> dict[str, Any]:
    extra = thing._extra or {}
    known = () if isinstance(extra, Extra) or not thing._is_short_lived else wire_names(type(thing))
    return {name: value for name, value in extra.items() if name not in known}
