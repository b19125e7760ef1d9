"""The numbers of one answer: how many tokens, how soon, how fast."""

from __future__ import annotations

import time
from collections.abc import Callable

from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, Delta, Usage

__all__ = ["Statistics"]

#: What needs no mention, because it is visible or the rule.
_USUAL_ENDS = (None, "stop", "tool_calls")


class Statistics:
    """Counts while an answer arrives. Times are seconds of ``clock``.

    Args:
        clock: The present time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._first: float | None = None
        self._last = self._started
        self._pieces = 0
        self._has_reasoning = False

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Count a chunk that says something; a role or the usage alone is no piece of the answer."""
        deltas = [choice.delta for choice in chunk.choices]
        if not any(map(_says_something, deltas)):
            return
        self._last = self._clock()
        self._first = self._last if self._first is None else self._first
        self._pieces += 1
        self._has_reasoning = self._has_reasoning or any(delta.reasoning_content for delta in deltas)

    def line(self, completion: ChatCompletion, model: str) -> str:
        """The numbers in words, for an answer that came piece by piece."""
        counted = completion.usage.completion_tokens if completion.usage is not None else None
        parts = [_count(counted, "token")] if counted is not None else [f"about {_count(self._pieces, 'piece')}"]
        if self._first is None:
            parts.append(f"nothing came in {self._clock() - self._started:.2f} s")
        else:
            parts.append(f"first after {self._first - self._started:.2f} s")
            parts += self._rate(completion.usage)
        return _join(parts, completion, model)

    def line_of_whole(self, completion: ChatCompletion, model: str) -> str:
        """The numbers in words, for an answer that came at once."""
        elapsed = self._clock() - self._started
        counted = completion.usage.completion_tokens if completion.usage is not None else None
        if counted is None:
            return _join([f"answered in {elapsed:.2f} s"], completion, model)
        rate = f", {counted / elapsed:.1f} tokens/s" if elapsed > 0 else ""
        return _join([f"{_count(counted, 'token')} in {elapsed:.2f} s{rate}"], completion, model)

    def _rate(self, usage: Usage | None) -> list[str]:
        """Tokens per second from the first to the last; none for an answer in one piece."""
        elapsed = self._last - (self._first or 0.0)
        if self._pieces < 2 or elapsed <= 0:
            return []
        tokens = usage.completion_tokens if usage is not None else None
        if tokens is None:
            return [f"{(self._pieces - 1) / elapsed:.1f} pieces/s"]
        if usage is not None and usage.completion_tokens_details is not None and not self._has_reasoning:
            # Reasoning that was not shown was made before the first piece, and counts as tokens all the same.
            tokens -= usage.completion_tokens_details.reasoning_tokens or 0
        return [f"{(tokens - 1) / elapsed:.1f} tokens/s"] if tokens > 1 else []


def _says_something(delta: Delta) -> bool:
    return bool(
        delta.content or delta.reasoning_content or delta.refusal or delta.tool_calls or delta.function_call is not None
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _join(parts: list[str], completion: ChatCompletion, model: str) -> str:
    end = completion.finish_reason
    if end not in _USUAL_ENDS:
        parts = [*parts, f"finish reason {end}"]
    return f"{', '.join(parts)} ({completion.model or model})"
