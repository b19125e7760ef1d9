"""What the dialects that are not OpenAI's share when they build chunks and completions.

A dialect that decodes a whole answer as a stream of one piece needs its rules once. What a server says and the common
chunk has no place for is kept in `extra`, under the server's own names; three names are common to all dialects:

* ``reasoning_details``: pieces of reasoning that have to be sent back, in the shape that OpenRouter gave them
  (``{"type": "reasoning.text", "index", "text", "signature"}``, ``{"type": "reasoning.encrypted", "index", "data"}``);
  `compatapi.accumulate` joins pieces of the same type and index.
* ``content_blocks``: pieces of content that is neither text, reasoning nor a tool call, in the server's own shape with
  ``index``, its place in the answer; joined in the same way.
* ``native_finish_reason``: the server's own word, where the common one differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from compatapi import jsontext
from compatapi.accumulate import Accumulator
from compatapi.chat_types import (
    ChatCompletion,
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FunctionCallDelta,
    ToolCallDelta,
    Usage,
)
from compatapi.dialects.forms import Forms, Read, Tell

__all__ = ["ChunkMaker", "EventReader", "call_delta", "completion_from", "count", "finish_fields"]

#: Fields in which the events of the services have their texts.
_TEXTS = frozenset({"text", "thinking", "content", "reasoning_content", "Content", "ReasoningContent"})


class ChunkMaker:
    """Builds the chunks of one stream: what is the same on all of them is said once.

    Args:
        created: Unix time in seconds.
        model: The model, until the server says another.
    """

    def __init__(self, created: int, model: str | None = None) -> None:
        self.id: str | None = None
        self.created = created
        self.model = model

    def chunk(
        self,
        delta: Delta | None = None,
        *,
        index: int = 0,
        finish_reason: str | None = None,
        usage: Usage | None = None,
        choice_extra: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> ChatCompletionChunk:
        """A chunk with one choice; with none when there is neither a delta nor a finish reason."""
        choices = []
        if delta is not None or finish_reason is not None:
            choice = ChunkChoice(index, delta or Delta(), finish_reason, extra=dict(choice_extra or {}) or None)
            choices.append(choice)
        return ChatCompletionChunk(
            self.id,
            created=self.created,
            model=self.model,
            choices=choices,
            usage=usage,
            extra=dict(extra or {}) or None,
        )


class EventReader:
    """Decodes the JSON texts of one stream, and learns their forms (`compatapi.dialects.forms`).

    Servers that count in UTF-16 cut an emoji in two: its first half waits for the event with the other one, which has
    it at the same place.

    Attributes:
        known: Gives the chunk of an event by its form, or ``None``.
        forget: Is to be called when what is like earlier events may mean another thing from now on.
    """

    def __init__(self) -> None:
        self._halves: dict[tuple[str | int, ...], str] = {}
        self._forms = Forms()
        self.known, self.forget = self._forms.read, self._forms.forget

    def loads(self, text: str) -> Any:
        """The value of one event; half of an emoji that stays alone is U+FFFD (`compatapi.jsontext.loads`)."""
        if not self._halves:
            return jsontext.loads(text, self._join)
        return self._join(jsontext.loads(text, lambda value: value))

    def learn(
        self,
        data: str,
        chunk: ChatCompletionChunk,
        read: Read,
        tell: Callable[[ChatCompletionChunk], Tell | None] = lambda chunk: None,
    ) -> None:
        """Learn from an event that was read in full (`Forms.learn`)."""
        if not self._halves:
            self._forms.learn(data, chunk, read, tell)

    def _join(self, value: Any, place: tuple[str | int, ...] = ()) -> Any:
        if isinstance(value, dict):
            return {jsontext.mend_halves(name): self._join(item, (*place, name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self._join(item, (*place, index)) for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        if value and place and place[-1] in _TEXTS:
            value = self._halves.pop(place, "") + value
            if "\ud800" <= value[-1] <= "\udbff":
                self._halves[place], value = value[-1], value[:-1]
                self.forget()  # the next event has to be read in full, whatever its form
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def call_delta(
    index: int,
    id: str | None = None,
    name: str | None = None,
    arguments: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Delta:
    """A delta with one piece of a tool call; its first piece has an id and a name."""
    function = FunctionCallDelta(name, arguments)
    call = ToolCallDelta(index, id, "function" if id else None, function, extra=dict(extra or {}) or None)
    return Delta(tool_calls=[call])


def completion_from(chunks: Iterable[ChatCompletionChunk]) -> ChatCompletion:
    """The whole answer that the chunks are."""
    answer = Accumulator()
    for chunk in chunks:
        answer.add(chunk)
    return answer.completion


def finish_fields(raw: Any, reasons: Mapping[str, str]) -> tuple[str | None, dict[str, Any]]:
    """The common finish reason, and the extra fields of its choice that keep the server's own word.

    A word that ``reasons`` does not know is kept as it is; an empty one is none.
    """
    if not isinstance(raw, str) or not raw:
        return None, {}
    common = reasons.get(raw, raw)
    return common, {} if common == raw else {"native_finish_reason": raw}


def count(value: Any) -> int | None:
    """A number of tokens; ``None`` for what is no number, or none that a double holds exactly (RFC 8259, section 6)."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and abs(value) < 2**53 else None
