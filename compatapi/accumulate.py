"""Put the chunks of a stream together again.

`Accumulator` takes chunks and gives the `ChatCompletion` so far, at any moment, for any number of choices.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from compatapi.chat_types import (
    ChatCompletion,
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FunctionCallDelta,
    Message,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from compatapi.growing import ChoiceSoFar
from compatapi.toolcalls import new_call_id
from compatapi.wire import ChunkForm, Extra, extras_of

if TYPE_CHECKING:
    from compatapi.shortway import ShortWay

__all__ = ["Accumulator", "EndTracker", "chunk_from_completion"]

#: Padding against the guessing of packet sizes (OpenAI, Mistral); of no use in an answer.
_PADDING = frozenset({"obfuscation", "p"})


class EndTracker:
    """Which choices have spoken, and which of them are at their end."""

    __slots__ = ("_open", "_spoken")

    def __init__(self) -> None:
        self._spoken: set[int] = set()
        self._open: set[int] = set()

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Take the next chunk."""
        for choice in chunk.choices:
            index = choice.index
            if index not in self._spoken:
                self._spoken.add(index)
                self._open.add(index)
            if choice.finish_reason is not None:
                self._open.discard(index)

    @property
    def is_finished(self) -> bool:
        """Whether somebody spoke, and every choice that did has a finish reason."""
        return bool(self._spoken) and not self._open

    @property
    def has_spoken(self) -> bool:
        """Whether any choice has appeared."""
        return bool(self._spoken)


_chunk_extras = extras_of(ChatCompletionChunk, ChatCompletion, without=_PADDING)
_NO_FORM = object()
#: What looking for a short way costs, counted in chunks that were taken in whole. An answer begins with some credit and
#: earns more with each of those, so that a stream which always changes is not slowed down by it.
_LOOK, _CREDIT = 32, 512


class Accumulator:
    """Chunks in, the answer so far out.

    Attributes:
        usage: The last usage that the server sent, or ``None``.
    """

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._choices: dict[int, ChoiceSoFar] = {}
        self._fields: dict[str, Any] = {}
        self._missing: tuple[str, ...] = ("id", "created", "model", "system_fingerprint")
        self._extras = _chunk_extras()
        self._ways: dict[ChunkForm, ShortWay] = {}
        self._hopeless: set[ChunkForm] = set()  # forms without one
        self._credit = _CREDIT
        self._form: object = _NO_FORM  # of the last chunk, if one more of its kind can be taken the short way
        self._text_of: Callable[[Any], str] = str
        self._take_text: Callable[[str], object] = str
        self._others: list[tuple[Callable[[Any], Any], Callable[[Any], object]]] = []
        self._is_new = False  # whether something was added since the answer was built
        self._built = ChatCompletion()
        self._building = threading.Lock()

    def take(self, chunk: ChatCompletionChunk) -> None:
        """Take the next chunk just as its decoder made it; a short way where it has nothing new but its text."""
        if chunk._form is not self._form and not self._turn_to(chunk):
            return
        self._take_text(self._text_of(chunk.choices[0].delta))
        self._is_new = True
        if self._others:
            for get, take in self._others:
                take(get(chunk))
        if chunk.usage is not None and has_counts(chunk.usage):
            self.usage = chunk.usage

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Take the next chunk."""
        self._ways.clear()
        self._take_whole(chunk)

    def _turn_to(self, chunk: ChatCompletionChunk) -> bool:
        """Go over to the short way for chunks like this one; if none is known, take it in whole."""
        form = chunk._form
        way = self._ways.get(form) if form is not None else None
        if way is None:
            self._take_whole(chunk)
            self._learn(chunk, form)
            return False
        self._form, self._text_of, self._take_text, self._others = form, way.text_of, way.take_text, way.others
        return True

    def _learn(self, chunk: ChatCompletionChunk, form: ChunkForm | None) -> None:
        """Look for the short way behind a chunk that was taken in whole, which may have ended others."""
        self._credit += 1
        way = None
        can_be = form is not None and form not in self._hopeless and self._credit >= _LOOK
        if form is not None and can_be and chunk.choices[0].delta.reasoning_content != "":  # which shows too little
            from compatapi.shortway import find_short_way  # here, since few programs read so many chunks

            self._credit -= _LOOK
            way = find_short_way(chunk, self._choices[chunk.choices[0].index], self._extras, self._missing)
            if way is None:
                self._hopeless.add(form)
        if way is None or not all(way.goes_with(other) for other in self._ways.values()):
            self._ways.clear()
        if way is not None and form is not None:
            self._ways[form] = way

    def _take_whole(self, chunk: ChatCompletionChunk) -> None:
        self._form = _NO_FORM
        for choice in chunk.choices:
            so_far = self._choices.get(choice.index)
            if so_far is None:
                so_far = self._choices[choice.index] = ChoiceSoFar(choice.index)
            so_far.add(choice)
        self._is_new = True
        usage = chunk.usage
        if usage is not None and has_counts(usage):
            self.usage = usage
        self._add_fields(chunk)

    @property
    def completion(self) -> ChatCompletion:
        """The answer so far; a new object whenever something was added. Any thread may ask."""
        with self._building:
            if not self._is_new:
                return self._built
            self._is_new = False  # first, since another thread may add something meanwhile
            self._built = ChatCompletion(
                **self._fields,
                choices=[self._choices[index].build() for index in sorted(self._choices)],
                usage=self.usage,
                extra=Extra(copy.deepcopy(self._extras.fields)),
            )
            return self._built

    def _add_fields(self, chunk: ChatCompletionChunk) -> None:
        fields = self._fields
        for name in self._missing:  # rule 18: the first that is not empty counts
            if value := getattr(chunk, name):
                fields[name] = value
                self._missing = tuple(other for other in self._missing if other != name)
        if chunk.service_tier:
            fields["service_tier"] = chunk.service_tier
        if chunk.moderation:
            fields["moderation"] = chunk.moderation
        self._extras.add(chunk)


def has_counts(usage: Usage) -> bool:
    """Whether a usage counts anything; ``usage: {}`` does not (rule 14)."""
    return usage.total_tokens is not None or usage.completion_tokens is not None or usage.prompt_tokens is not None


def chunk_from_completion(completion: ChatCompletion) -> ChatCompletionChunk:
    """The whole answer of a server that does not stream, as the one chunk of a stream."""
    choices = [
        ChunkChoice(
            choice.index, _delta_from(choice.message), choice.finish_reason, choice.logprobs, extra=choice.extra
        )
        for choice in completion.choices
    ]
    names = ("id", "created", "model", "usage", "service_tier", "system_fingerprint", "moderation")
    fields = {name: getattr(completion, name) for name in names}
    return ChatCompletionChunk(**fields, choices=choices, extra=completion.extra)


def _delta_from(message: Message) -> Delta:
    calls = [
        ToolCallDelta(
            index,
            call.id or new_call_id(),
            call.type,
            FunctionCallDelta(call.function.name, call.function.arguments, extra=call.function.extra)
            if call.function
            else None,
            {"name": call.custom.name, "input": call.custom.input} if call.custom else None,
            extra=call.extra,
        )
        for index, call in enumerate(call for call in message.tool_calls or () if isinstance(call, ToolCall))
    ]
    call = message.function_call
    return Delta(
        role=message.role,
        content=message.text or None,
        reasoning_content=message.reasoning_content,
        refusal=message.refusal,
        tool_calls=calls or None,
        function_call=FunctionCallDelta(call.name, call.arguments) if call else None,
        annotations=list(message.annotations) if message.annotations else None,
        audio=message.audio,
        extra=message.extra,
    )
