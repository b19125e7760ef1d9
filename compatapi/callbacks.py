"""What a program wants to be told of a stream, and the telling.

`Callbacks` holds what the program gave. `Teller` turns chunks into calls: pieces of text and reasoning as they come,
tool calls when they are whole. Both callback styles use it: the blocking one and `compatapi.handle.StreamHandle`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import frozen

from compatapi.accumulate import has_counts
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChunkChoice, ToolCall, Usage
from compatapi.errors import Cancelled, StopStream
from compatapi.toolcalls import ToolCallSlots

if TYPE_CHECKING:
    from compatapi.stream import ChatStream

__all__ = ["Callbacks", "Teller", "last_word", "tell_all"]

Run = Callable[..., Any]


@frozen(kw_only=True)
class Callbacks:
    """What a program may be told; each is optional.

    Attributes:
        on_chunk: Every chunk.
        on_text: A piece of the first choice's text.
        on_reasoning: A piece of the first choice's reasoning text.
        on_tool_call: A tool call of any choice, once it is whole.
        on_usage: The tokens used, whenever the server tells them; the last word counts.
        on_done: The answer is complete, or was stopped by `StopStream`; with the whole answer.
        on_error: Something failed; with the error, which carries the answer so far.
        on_cancelled: Somebody cancelled; with the answer so far.
    """

    on_chunk: Callable[[ChatCompletionChunk], object] | None = None
    on_text: Callable[[str], object] | None = None
    on_reasoning: Callable[[str], object] | None = None
    on_tool_call: Callable[[ToolCall], object] | None = None
    on_usage: Callable[[Usage], object] | None = None
    on_done: Callable[[ChatCompletion], object] | None = None
    on_error: Callable[[BaseException], object] | None = None
    on_cancelled: Callable[[ChatCompletion], object] | None = None

    @property
    def wants_chunks_alone(self) -> bool:
        """Whether the program looks into the chunks by itself."""
        others = (self.on_text, self.on_reasoning, self.on_tool_call, self.on_usage)
        return all(other is None for other in others)


def _call(function: Callable[[Any], object], argument: Any) -> None:
    function(argument)


class Teller:
    """Tells one stream's chunks to the callbacks of a program.

    Args:
        callbacks: What the program wants to be told.
        run: Calls a callback with its argument, in the place and with the care that the style asks for; left out, at
            once.

    Attributes:
        told: What takes each chunk: `tell`, or the program's own function where there is nothing else to do.
    """

    def __init__(self, callbacks: Callbacks, run: Run | None = None) -> None:
        self._callbacks = callbacks
        self._run = run or _call
        alone = callbacks.on_chunk if run is None and callbacks.wants_chunks_alone else None
        self.told: Callable[[ChatCompletionChunk], object] = alone or self.tell
        self._calls: dict[int, _WholeCalls] = {}

    def tell(self, chunk: ChatCompletionChunk) -> None:
        """Tell of one chunk: the chunk itself, then what is in it."""
        callbacks, run = self._callbacks, self._run
        if callbacks.on_chunk is not None:
            run(callbacks.on_chunk, chunk)
        if callbacks.on_reasoning is not None and (piece := chunk.reasoning):
            run(callbacks.on_reasoning, piece)
        if callbacks.on_text is not None and (piece := chunk.text):
            run(callbacks.on_text, piece)
        if callbacks.on_tool_call is not None:
            for choice in chunk.choices:
                for call in self._whole_calls(choice):
                    run(callbacks.on_tool_call, call)
        if callbacks.on_usage is not None and chunk.usage is not None and has_counts(chunk.usage):
            run(callbacks.on_usage, chunk.usage)

    def tell_end(self) -> None:
        """Tell of the tool calls that only the end of the stream made whole."""
        on_tool_call = self._callbacks.on_tool_call
        for calls in self._calls.values():
            for call in calls.rest():
                if on_tool_call is not None:
                    self._run(on_tool_call, call)

    def _whole_calls(self, choice: ChunkChoice) -> list[ToolCall]:
        fragments, calls = choice.delta.tool_calls, self._calls.get(choice.index)
        if calls is None:
            if not fragments:
                return []
            calls = self._calls[choice.index] = _WholeCalls()
        return calls.add(choice)


class _WholeCalls:
    """The tool calls of one choice: a call is whole when the next one begins, or its choice ends."""

    def __init__(self) -> None:
        self._slots = ToolCallSlots()
        self._told: set[int] = set()

    def add(self, choice: ChunkChoice) -> list[ToolCall]:
        touched = set(self._slots.add(choice.delta.tool_calls)) if choice.delta.tool_calls else set()
        if choice.finish_reason is not None:
            return self.rest()
        if not touched:
            return []
        return self._tell(slot for slot in sorted(self._slots.calls) if slot < max(touched) and slot not in touched)

    def rest(self) -> list[ToolCall]:
        return self._tell(sorted(self._slots.calls))

    def _tell(self, slots: Any) -> list[ToolCall]:
        new = [slot for slot in slots if slot not in self._told]
        self._told.update(new)
        return [self._slots.calls[slot].build() for slot in new]


def last_word(
    callbacks: Callbacks, outcome: ChatCompletion | BaseException
) -> tuple[Callable[[Any], object] | None, Any]:
    """Which of the three last callbacks an outcome belongs to, and what it is told."""
    if isinstance(outcome, Cancelled):
        return callbacks.on_cancelled, outcome.completion or ChatCompletion()
    return (callbacks.on_error if isinstance(outcome, BaseException) else callbacks.on_done), outcome


def tell_all(open_stream: Callable[[], ChatStream], callbacks: Callbacks) -> ChatCompletion:
    """Open a stream and tell all of it: the callback style is the iterator, driven by a loop of ours.

    Raises:
        BaseException: What ended the stream, or what a callback has raised; but for `StopStream`.
    """
    try:
        completion = _tell_stream(open_stream(), callbacks)
    except BaseException as error:
        _tell_last(callbacks, error)
        raise
    _tell_last(callbacks, completion)
    return completion


def _tell_stream(stream: ChatStream, callbacks: Callbacks) -> ChatCompletion:
    teller = Teller(callbacks)
    told = teller.told
    with stream:
        try:
            for chunk in stream:
                told(chunk)
            teller.tell_end()
        except StopStream:
            pass
    return stream.completion


def _tell_last(callbacks: Callbacks, outcome: ChatCompletion | BaseException) -> None:
    function, argument = last_word(callbacks, outcome)
    if function is not None:
        with suppress(StopStream):  # there is nothing left to stop
            function(argument)
