"""One answer: ask, show it while it arrives, keep what came when it is stopped."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from attrs import frozen

from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest, ToolCall
from compatapi.cli.statistics import Statistics
from compatapi.cli.terminal import Output
from compatapi.client import Client
from compatapi.convert import to_json
from compatapi.stream import ChatStream

__all__ = ["Answer", "JSONView", "TextView", "View", "ask"]


@frozen
class Answer:
    """What came of it.

    Attributes:
        completion: The answer, or what came of it until it was stopped.
        stopped: Whether Ctrl-C ended it.
    """

    completion: ChatCompletion
    stopped: bool


class View(Protocol):
    """How an answer is shown: chunks or a whole answer first, then `finish` and `end`.

    `end` comes always, `finish` unless an error ended the answer.
    """

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        """Show a piece of the answer."""

    def whole(self, completion: ChatCompletion) -> None:
        """Show an answer that came at once."""

    def finish(self, completion: ChatCompletion, stopped: bool) -> None:
        """Show what can be shown at the end only."""

    def end(self) -> None:
        """Leave every line ended."""


class JSONView:
    """Chunks as lines of JSON, one for each chunk; a whole answer as one line."""

    def __init__(self) -> None:
        self._out = Output()

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        """Write a line."""
        self._out.write_json(to_json(chunk))

    def whole(self, completion: ChatCompletion) -> None:
        """Write a line."""
        self._out.write_json(to_json(completion))

    def finish(self, completion: ChatCompletion, stopped: bool) -> None:
        """Write nothing: the chunks have said everything."""

    def end(self) -> None:
        """Write nothing: every line is ended."""


class TextView:
    """The text on standard output, the reasoning on standard error: a pipe gets the answer and nothing else.

    Args:
        show_reasoning: Whether reasoning is shown at all.
    """

    def __init__(self, *, show_reasoning: bool) -> None:
        self._out = Output()
        self._err = Output(is_error=True)
        self._show_reasoning = show_reasoning
        self._has_reasoning = False
        self._has_text = False

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        """Write what it adds to the first choice."""
        for choice in chunk.choices:
            if choice.index == 0:
                self._write(choice.delta.reasoning_content, choice.delta.content, choice.delta.refusal)

    def whole(self, completion: ChatCompletion) -> None:
        """Write the first choice."""
        self._write(completion.reasoning, completion.text, completion.refusal)

    def finish(self, completion: ChatCompletion, stopped: bool) -> None:
        """Write the tool calls, which come in pieces that nobody can read; an answer ends with a line end."""
        calls = completion.tool_calls
        if calls and self._has_text:
            self._out.line()
        for call in calls:
            self._out.line(describe_call(call))
        if not (self._has_text or calls or stopped):
            self._out.line()

    def end(self) -> None:
        """End the lines."""
        self._err.end_line()
        self._out.end_line()

    def _write(self, reasoning: str | None, *texts: str | None) -> None:
        if reasoning and self._show_reasoning:
            self._out.end_line()
            self._err.write(reasoning, dim=True)
            self._has_reasoning = True
        for text in filter(None, texts):
            if self._has_reasoning:
                self._has_reasoning = False
                self._err.line()
            self._has_text = True
            self._out.write(text)


def ask(
    client: Client,
    request: ChatCompletionRequest,
    view: View,
    *,
    whole: bool,
    reading: AbstractContextManager[None] | None = None,
) -> Answer:
    """Ask, show the answer and write its numbers to standard error. Ctrl-C stops the answer.

    Args:
        client: Whom to ask.
        request: What to ask.
        view: How to show it.
        whole: Whether to wait for the whole answer.
        reading: Entered while the answer is awaited and read.

    Raises:
        CompatAPIError: As the client does; what came before is shown, and ends with a line end.
    """
    numbers = Statistics()
    stream: ChatStream | None = None
    completion = ChatCompletion()
    stopped = False
    try:
        with reading or nullcontext():
            if whole:
                completion = client.chat_completion(request)
                view.whole(completion)
            else:
                stream = client.chat_completion_stream(request)
                with stream:
                    for chunk in stream:
                        numbers.add(chunk)
                        view.chunk(chunk)
                completion = stream.completion
    except KeyboardInterrupt:
        stopped = True
        completion = stream.completion if stream is not None else completion
    except BaseException:
        view.end()
        raise
    view.finish(completion, stopped)
    view.end()
    came_whole = whole and not stopped
    said = (numbers.line_of_whole if came_whole else numbers.line)(completion, request.model)
    notes = Output(is_error=True)
    if notes.is_terminal and Output().is_terminal:
        notes.line()  # the answer and its numbers stand below each other there
    notes.line(f"stopped: {said}" if stopped else said, dim=True)
    return Answer(completion, stopped)


def describe_call(call: ToolCall) -> str:
    """A tool call as a person would write it: ``get_weather(city="Rome", days=3)``."""
    try:
        arguments = call.parse_arguments()
    except ValueError:  # a custom tool takes free text, and a stopped answer has half of it
        return f"tool call: {call.name}({call.arguments})"
    named = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
    return f"tool call: {call.name}({', '.join(named)})"
