"""Answers that repeat themselves: each event of such a stream has all the text so far, not only what is new.

DashScope does so unless ``incremental_output`` is asked for, and some models pass over the wish. Nothing on the wire
says which of the two a stream is. `Repeats` takes its chunks as they came, tells it by their texts (the content, the
reasoning, the arguments of a call), and gives chunks that hold only what is new:

* The stream says deltas as soon as one text does not begin with the one of the event before.
* It repeats itself as soon as a text begins with the whole one before, is longer, and that had `SURE` characters or
  more: no ordinary delta begins with so much of what was just said.
* In between, as when a model says "ha" and "ha" again, chunks wait; nearly always the next event tells. At the finish
  reason, a text that has grown, or that no tokens were counted for, is a repetition.

What this cannot tell are deltas each of which, the one with the finish reason included, begins with the delta before,
and grows; and a first delta of `SURE` characters with which a longer second one begins. Both are read as repetitions.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from compatapi.chat_types import ChatCompletionChunk

__all__ = ["SURE", "Repeats"]

#: Characters.
SURE = 20
#: Chunks. A model that says one word for ever would otherwise look like a server that is silent.
_MOST_WAITING = 8


class Repeats:
    """The texts of one stream.

    Args:
        repeats: Whether the stream repeats itself; ``None`` when that has to be found out.
    """

    def __init__(self, repeats: bool | None = None) -> None:
        self._repeats = repeats
        self._seen: dict[Hashable, str] = {}  # the texts of the event before
        self._told: dict[Hashable, str] = {}  # the texts that were handed on
        self._is_open = False  # whether a text may have been a repetition
        self._has_grown = False
        self._tokens: list[int] = []
        self._waiting: list[ChatCompletionChunk] = []

    def add(self, chunk: ChatCompletionChunk) -> list[ChatCompletionChunk]:
        """The chunks that can be handed on now that this one is there."""
        if self._repeats is False:
            return [chunk]
        waits = self._repeats is None and self._look(chunk)
        self._waiting.append(chunk)
        says_the_same = len(self._waiting) >= _MOST_WAITING and not self._has_grown and self._is_counted
        if says_the_same or any(choice.finish_reason is not None for choice in chunk.choices):
            return self.flush()
        return [] if waits else self._hand_on()

    def flush(self) -> list[ChatCompletionChunk]:
        """The chunks that wait, because nothing that could tell more will come."""
        if self._repeats is None and self._is_open:
            self._repeats = self._has_grown or not self._is_counted
        return self._hand_on()

    @property
    def _is_counted(self) -> bool:
        """Whether tokens were counted for texts that may be repetitions."""
        return bool(self._tokens) and self._tokens[-1] > self._tokens[0]

    def _look(self, chunk: ChatCompletionChunk) -> bool:
        """Whether a text of the chunk may be a repetition; find out what the stream is, if it shows."""
        says = False
        for key, holder, name in _texts(chunk):
            text, before = getattr(holder, name), self._seen.get(key)
            if before:
                if not text.startswith(before):
                    self._repeats = False
                    return False
                self._is_open = True
                grows = len(text) > len(before)
                self._has_grown |= grows
                if grows and len(before) >= SURE:
                    self._repeats = True
            says |= bool(text)
            self._seen[key] = text
        if says and chunk.usage is not None and chunk.usage.completion_tokens is not None:
            self._tokens.append(chunk.usage.completion_tokens)
        return self._is_open and self._repeats is None

    def _hand_on(self) -> list[ChatCompletionChunk]:
        chunks, self._waiting = self._waiting, []
        for chunk in chunks:
            if self._repeats is not False:
                for key, holder, name in _texts(chunk):
                    setattr(holder, name, self._new_in(key, getattr(holder, name)))
        return chunks

    def _new_in(self, key: Hashable, text: str) -> str:
        before = self._told.get(key, "")
        if before.startswith(text):
            return ""
        self._told[key] = text
        # Where the beginning is the same, the server has changed its mind about a word that is out already.
        if text.startswith(before) or text[:SURE] == before[:SURE]:
            return text[len(before) :]
        self._repeats = False  # a delta after all
        return text


def _texts(chunk: ChatCompletionChunk) -> Iterator[tuple[Hashable, Any, str]]:
    """Key, object and attribute of each text that the chunk has."""
    for choice in chunk.choices:
        delta = choice.delta
        for name in ("content", "reasoning_content"):
            if getattr(delta, name) is not None:
                yield (choice.index, name), delta, name
        for call in delta.tool_calls or ():
            if call.function is not None and call.function.arguments is not None:
                yield (choice.index, call.index), call.function, "arguments"
