"""Read a chunk by the form that it shares with chunks that were read before.

The events of a stream are the same JSON text but for a few values: the piece of text, padding, a count of tokens. From
two of them that were read in full `Forms.learn` takes what differs for *holes* and the rest for fixed, and has a
function written that finds the holes in such a text, reads what stands in them, and builds the objects. Before it may
serve it has to prove itself: a probe and both chunks must come out as they do when they are read in full. A text that
does not fit, down to one byte, is left to be read in full: a form is never another way to read, only a shorter one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from compatapi.chat_types import ChatCompletionChunk

__all__ = ["ARGUMENTS", "CONTENT", "REASONING", "Forms", "Read", "Tell"]

#: What learning costs, counted in chunks that were spared the full reading: a look at the tokens, a new function. A
#: stream begins with some credit, and when it has none it is read in full until forms have earned more.
_LOOK, _MAKE, _CREDIT = 4, 60, 400
#: Chunks of a stream that is too short for learning to pay.
_SHORT = 12
#: Shapes of one stream; one of three choices has three, one of reasoning and text two.
_FEW = 8
#: Characters of a chunk that is worth learning. Longer ones carry images or sound, and come alone.
_LONGEST = 16 * 1024

Reader = Callable[[str], Any]
#: Reads the text of an event in full, just as the decoder would now, and changes nothing by that; ``None`` or a
#: `compatapi.errors.DecodeError` where it would read it otherwise.
Read = Callable[[str], ChatCompletionChunk | None]
#: Where in a chunk a text stands, and who is told it whenever a form has read one.
Tell = tuple[tuple[Any, ...], Callable[[str], object]]
_DELTA = ("choices", 0, "delta")
CONTENT, REASONING = (*_DELTA, "content"), (*_DELTA, "reasoning_content")
ARGUMENTS = (*_DELTA, "tool_calls", 0, "function", "arguments")


def _nothing(data: str) -> None:
    """What is known before anything was learnt."""


class _Shape:
    """Chunks with the same keys and the same kinds of values.

    Attributes:
        tokens: The JSON text of one of them, cut at its values.
        holes: The numbers of the tokens that were seen to differ.
        read: The function that was written for it.
        is_call: Whether it holds the arguments of a tool call.
    """

    def __init__(self, tokens: list[str], *, is_call: bool) -> None:
        self.tokens = tokens
        self.holes: set[int] = set()
        self.read: Reader | None = None
        self.is_call = is_call


class Forms:
    """The forms of one stream."""

    def __init__(self) -> None:
        self._shapes: dict[str, _Shape] = {}
        self._first: Reader = _nothing  # the one that served last
        self._others: list[Reader] = []
        self._credit = _CREDIT
        self._waiting = _SHORT
        self._names: set[str] = set()  # of the values that differed so far

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

    def learn(
        self, data: str, chunk: ChatCompletionChunk, read: Read, tell: Callable[[ChatCompletionChunk], Tell | None]
    ) -> None:
        """Take in a chunk that was read in full.

        Args:
            data: Its JSON text.
            chunk: What was made of it.
            read: Reads such a text in full.
            tell: What the decoder has to be told of each chunk like this one, if anything.
        """
        self._waiting -= 1
        if self._waiting >= 0 or self._credit < _LOOK or len(data) > _LONGEST or not _is_plain(chunk):
            return
        # Here, since many a program never reads a stream of more than a few chunks.
        from compatapi.dialects.forms import learning

        self._credit -= _LOOK
        tokens = learning.tokens_of(data)
        if not tokens:
            return
        key = learning.key_of(tokens)
        shape = self._shapes.get(key)
        if shape is None:
            if len(self._shapes) < _FEW:
                self._shapes[key] = _Shape(tokens, is_call=bool(chunk.choices[0].delta.tool_calls))
            return
        differing = {at for at, token in enumerate(tokens) if token != shape.tokens[at]}
        likely: set[int] = set()
        if not shape.holes:  # what differs in chunks of another shape will differ here
            likely = learning.likely_holes(tokens, self._names if differing else self._names | learning.GUESSED)
        seen = shape.holes | differing
        self._names |= learning.names_of(tokens, differing)
        for holes in (seen | likely, seen):
            if not holes or holes == shape.holes or self._credit < _MAKE:
                return
            self._credit -= _MAKE
            self._drop(shape)
            shape.holes = holes
            with suppress(learning.NotToBeLearnt):
                shape.read = learning.make_reader([shape.tokens, tokens], sorted(holes), chunk, read, tell(chunk))
                self._put_first(shape.read)
                return

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
