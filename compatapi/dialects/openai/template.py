"""Read a chunk by what it has in common with one that was read before.

The chunks of a stream differ in one string of the delta (text, reasoning, arguments of a tool call), and perhaps in one
of padding; everything else is repeated, byte for byte. `Template.learn` takes a chunk that was read in full, cuts its
JSON text at those strings, and proves by reading a probe that nothing but them depends on what stands there.
`Template.read` then decodes the strings alone. What does not fit, down to one byte, is left to be read in full: the
template is never another way to read, only a shorter one. It gives up on a stream whose chunks it cannot learn.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from attrs import frozen

from compatapi import jsontext
from compatapi.chat_types import ChatCompletionChunk, ChunkChoice, Delta, FunctionCallDelta, ToolCallDelta
from compatapi.errors import DecodeError
from compatapi.wire import Extra, WireType, make_copier

__all__ = ["Template"]

#: Strings of random length against the guessing of packet sizes (OpenAI, Mistral).
_PADDING = ("obfuscation", "p")
#: How often a stream may change its form before learning is no longer worth it.
_TRIES = 16
_PROBE = "probe of a template"
_LITERAL = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*')

_copy_chunk = make_copier(ChatCompletionChunk)
_copy_choice = make_copier(ChunkChoice)
_copy_delta = make_copier(Delta)
_copy_call = make_copier(ToolCallDelta)
_copy_function = make_copier(FunctionCallDelta)


def _with_content(old: Delta, text: str) -> Delta:
    delta = _copy_delta(old)
    delta.content = text
    return delta


def _with_reasoning(old: Delta, text: str) -> Delta:
    delta = _copy_delta(old)
    delta.reasoning_content = text
    return delta


def _with_reading(old: Delta, text: str) -> Delta:
    delta = _copy_delta(old)
    delta.reasoning_content = text
    extra = delta._extra = Extra(copy.deepcopy(old.extra), {"reasoning_content": (text, None)})
    extra["reasoning"] = text
    return delta


def _with_arguments(old: Delta, text: str) -> Delta:
    delta = _copy_delta(old)
    assert old.tool_calls is not None
    call = _copy_call(old.tool_calls[0])
    assert call.function is not None
    call.function = _copy_function(call.function)
    call.function.arguments = text
    delta.tool_calls = [call]
    return delta


@frozen
class _Kind:
    """A string of a delta that changes from chunk to chunk: its path, and how a delta with another one is made."""

    path: tuple[str | int, ...]
    put: Callable[[Delta, str], Delta]


_KINDS = (
    _Kind(("content",), _with_content),
    _Kind(("reasoning_content",), _with_reasoning),
    _Kind(("reasoning",), _with_reading),
    _Kind(("tool_calls", 0, "function", "arguments"), _with_arguments),
)
_DELTA = ("choices", 0, "delta")


class Template:
    """The common form of the chunks of one stream."""

    __slots__ = ("_choice", "_chunk", "_delta", "_head", "_middle", "_padding", "_put", "_raw", "_tail", "_tries")

    def __init__(self) -> None:
        self._tries = _TRIES
        self._head = self._middle = self._tail = self._padding = ""  # without a head there is no template

    def read(self, data: str) -> ChatCompletionChunk | None:
        """The chunk that ``data`` is; ``None`` when it has to be read in full."""
        head, tail = self._head, self._tail
        if not head or not data.startswith(head) or not data.endswith(tail):
            return None
        end, padding = len(data) - len(tail), None
        if self._padding:
            found = data.find(self._middle, len(head), end)
            if found < 0 or (padding := _string(data[found + len(self._middle) : end])) is None:
                return None
            end = found
        text = _string(data[len(head) : end])
        if not text:  # an empty one may mean something else
            return None
        choice = _copy_choice(self._choice)
        choice.delta = self._put(self._delta, text)
        chunk = _copy_chunk(self._chunk)
        chunk.choices = [choice]
        if padding is not None:
            chunk._extra = {**self._raw, self._padding: padding}
        return chunk

    def learn(self, data: str, value: dict[str, Any], chunk: ChatCompletionChunk) -> None:
        """Take the form of a chunk: its JSON text, the decoded value, and what was made of it."""
        if self._tries == 0 or not _is_plain(chunk):
            return
        delta = value["choices"][0]["delta"]
        kinds = [kind for kind in _KINDS if _get(delta, kind.path)]
        if len(kinds) != 1:
            return
        self._tries -= 1
        holes = [(*_DELTA, *kinds[0].path), *((name,) for name in _PADDING if isinstance(value.get(name), str))]
        spans = [span for path in holes if (span := _find(data, path[-1], _get(value, path)))]
        if len(spans) != len(holes) or spans != sorted(spans) or len(spans) > 2:
            return
        edges = [0, *(edge for span in spans for edge in span), len(data)]
        parts = [data[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
        probe = jsontext.loads(_PROBE.join(parts))
        if any(_get(probe, path) != _PROBE for path in holes):
            return
        for path in holes:
            _put(probe, path, _get(value, path))
        if probe != value:
            return
        # Copies: what is handed out may be changed by whoever gets it.
        self._chunk, self._choice, self._raw = _copy_chunk(chunk), _copy_choice(chunk.choices[0]), value
        self._put = kinds[0].put
        self._delta = self._put(chunk.choices[0].delta, _PROBE)
        self._head, self._tail = parts[0], parts[-1]
        self._middle, self._padding = (parts[1], str(holes[1][0])) if len(parts) > 2 else ("", "")


def _get(value: Any, path: tuple[str | int, ...]) -> Any:
    """The string at a path; ``None`` if there is none."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value if isinstance(value, str) else None


def _put(value: Any, path: tuple[str | int, ...], text: str) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = text


def _find(data: str, name: str | int, text: str) -> tuple[int, int] | None:
    """Where the characters of a string begin and end that is the value of ``name``."""
    for colon in (":", ": "):
        label = f'"{name}"{colon}"'
        start = data.find(label)
        while start >= 0:
            start += len(label)
            literal = _LITERAL.match(data, start)
            if literal and _string(literal[0]) == text:
                return start, literal.end()
            start = data.find(label, start)
    return None


def _string(raw: str) -> str | None:
    """What the characters between two quotes of a JSON text mean; ``None`` if they are none or not simply so."""
    if "\\" not in raw:
        return raw if '"' not in raw and raw.isprintable() else None
    if "\\ud" in raw or "\\uD" in raw:  # it may be half of a pair
        return None
    try:
        text = jsontext.loads(f'"{raw}"')
    except DecodeError:
        return None
    return text if isinstance(text, str) else None


def _is_plain(chunk: ChatCompletionChunk) -> bool:
    """Whether nothing of a chunk but its one string is an object of its own, which chunks must not share.

    What is in the unknown fields may be shared: a program that asks for them gets a copy (`WireType.extra`).
    """
    if len(chunk.choices) != 1 or chunk.usage is not None or chunk.moderation is not None:
        return False
    choice = chunk.choices[0]
    delta = choice.delta
    if choice.finish_reason is not None or choice.logprobs is not None:
        return False
    if delta.function_call is not None or delta.annotations is not None or delta.audio is not None:
        return False
    things: list[WireType] = [chunk, choice]
    if delta.tool_calls is not None:
        if len(delta.tool_calls) != 1 or delta.tool_calls[0].id or delta.tool_calls[0].function is None:
            return False
        things += [delta.tool_calls[0], delta.tool_calls[0].function]
    extra = delta._extra
    if not isinstance(extra, Extra) or extra.readings.keys() != {"reasoning_content"}:
        things.append(delta)  # else it is one that `_with_reading` makes anew
    return all(thing._extra.__class__ is dict for thing in things)
