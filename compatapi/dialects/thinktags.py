"""Reasoning that a model writes in front of its answer, between ``<think>`` and ``</think>``: told apart from the text.

An option of a provider's row (`Quirks.think_tags`), because an answer may speak of such tags; only one that opens the
answer counts, with white space in front of it at most. What is told apart are readings (`WireType.set_reading`): the
content as it was sent stays what is written. In a stream a tag may come in pieces, so text that may still become one
is held back, and comes out with the next chunk, with the finish reason, or at the end, whatever that is.
"""

from __future__ import annotations

from collections.abc import Iterable

from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChunkChoice, Delta
from compatapi.dialects.base import ChunkDecoder, held_back
from compatapi.framing import Frame

__all__ = ["CLOSE", "OPEN", "ThinkTagDecoder", "split_completion"]

OPEN, CLOSE = "<think>", "</think>"


class _Splitter:
    """The text of one choice, piece by piece."""

    def __init__(self) -> None:
        self.held = ""
        self.is_answer = False  # nothing is looked for any more
        self.is_told = False  # the server says the reasoning under a name of its own as well
        self._thinks = False

    def split(self, piece: str) -> tuple[str, str]:
        """What of the pieces so far is known to be reasoning, and what answer."""
        text, self.held = self.held + piece, ""
        if not self._thinks and not self.is_answer:
            start = text.lstrip()
            if OPEN.startswith(start):
                self.held = text
                return "", ""
            self._thinks = start.startswith(OPEN)
            self.is_answer = not self._thinks
            text = start[len(OPEN) :] if self._thinks else text
        if self.is_answer:
            return "", text
        before, close, after = text.partition(CLOSE)
        if close:
            self.is_answer = True
            return before, after
        kept = next((size for size in range(len(CLOSE) - 1, 0, -1) if text.endswith(CLOSE[:size])), 0)
        self.held = text[len(text) - kept :]
        return text[: len(text) - kept], ""

    def end(self) -> tuple[str, str]:
        """What was held back, at the end of the text: reasoning that was not closed stays reasoning."""
        text, self.held = self.held, ""
        return (text, "") if self._thinks else ("", text)


class ThinkTagDecoder:
    """The decoder of a dialect, with the reasoning of its chunks told apart.

    Args:
        inner: What decodes the frames.

    Attributes:
        done: Whether the end mark was seen.
    """

    def __init__(self, inner: ChunkDecoder) -> None:
        self.done = False
        self._inner = inner
        self._splitters: dict[int, _Splitter] = {}
        self._last = ChatCompletionChunk()

    def decode(self, frame: Frame) -> Iterable[ChatCompletionChunk]:
        """The chunks of one frame; behind the end mark, what was held back."""
        for chunk in self._inner.decode(frame):
            yield self._take(chunk)
        self.done = self._inner.done
        if self.done:
            yield from self.flush()

    def flush(self) -> list[ChatCompletionChunk]:
        """What was held back, at the end of the stream. For a tag, in a chunk that holds nothing but readings."""
        chunks = [self._take(chunk) for chunk in held_back(self._inner)]
        choices = []
        for index, splitter in sorted(self._splitters.items()):
            reasoning, content = splitter.end()
            if reasoning or content:
                choices.append(ChunkChoice(index))
                _read(choices[-1].delta, content, "" if splitter.is_told else reasoning)
        last = self._last
        if choices:
            chunks.append(ChatCompletionChunk(last.id, last.object, last.created, last.model, choices))
        return chunks

    def _take(self, chunk: ChatCompletionChunk) -> ChatCompletionChunk:
        for choice in chunk.choices:
            self._split(choice)
        self._last = chunk
        return chunk

    def _split(self, choice: ChunkChoice) -> None:
        splitter = self._splitters.get(choice.index)
        if splitter is None:
            splitter = self._splitters[choice.index] = _Splitter()
        if splitter.is_answer:
            return
        delta = choice.delta
        if delta.reasoning_content:
            splitter.is_told = True
        said = delta.content or ""
        reasoning, content = splitter.split(said) if said else ("", "")
        if choice.finish_reason is not None:
            reasoning, content = (a + b for a, b in zip((reasoning, content), splitter.end(), strict=True))
        if content != said or reasoning:
            _read(delta, content, "" if splitter.is_told else reasoning)


def _read(delta: Delta, content: str, reasoning: str) -> None:
    if content != (delta.content or ""):
        delta.set_reading("content", content or None)
    if reasoning:
        delta.set_reading("reasoning_content", reasoning)


def split_completion(completion: ChatCompletion) -> None:
    """Tell the reasoning of a whole answer apart from its text."""
    for choice in completion.choices:
        message = choice.message
        if not isinstance(message.content, str):
            continue
        splitter = _Splitter()
        (before, content), (after, rest) = splitter.split(message.content), splitter.end()
        if content + rest != message.content:
            message.set_reading("content", content + rest or None)
            if before + after and not message.reasoning_content:
                message.set_reading("reasoning_content", before + after)
