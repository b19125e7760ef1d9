"""The blocks of an answer of the Messages API, as deltas of the common form.

Text, thinking and calls of the program's tools are what every dialect has. The rest is kept in `Delta.extra` under the
names of `compatapi.dialects.native`, so that the next turn can send every block back to its place. ``index`` is the
number of a block in its answer, from 0.

* ``reasoning_details``: thinking with its signature, and redacted thinking.
* ``content_blocks``: blocks of server tools, as they came. The input of one comes as ``partial_json``, and once more as
  ``input`` when it is whole. A block of text with anything but thinking in front of it has a piece ``{"type": "text",
  "index", "start"}``, where ``start`` counts the characters of text before it; ``citations`` are in such a piece too. A
  call of a tool has ``{"type": "tool_use", "index", "id"}`` where something else comes behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from compatapi import jsontext
from compatapi.chat_types import Delta
from compatapi.dialects.native import call_delta
from compatapi.errors import ConfigError, DecodeError, cut
from compatapi.toolcalls import new_call_id

__all__ = ["Blocks", "text_of", "without"]


@define
class _Block:
    """One block while it is said: its number, of a call also its number among the calls."""

    kind: str
    index: int
    start: int
    call: int | None = None
    is_empty: bool = False  # of a call: the input so far is an object without fields
    is_whole: bool = False  # of a call: the input came with the start
    json: list[str] = field(factory=list)


#: What a delta belongs to when the start of its block is missing.
_IMPLIED = {"thinking_delta": "thinking", "signature_delta": "thinking", "input_json_delta": "tool_use"}


class Blocks:
    """The blocks of one answer, while it is said. Each method gives what it adds to the message, if anything."""

    def __init__(self) -> None:
        self._by_key: dict[int | None, _Block] = {}
        self._count = 0
        self._calls = 0
        self._length = 0  # characters of text
        self._only_thought = True
        self._unplaced: list[dict[str, Any]] = []  # calls behind which nothing else has come yet

    def open(self, key: Any, given: Any) -> Delta | None:
        """A block begins. ``key`` is how its deltas name it; any that is no number is the same."""
        if not isinstance(given, dict):
            return None
        kind = text_of(given.get("type")) or "text"
        # Numbers of our own: relays leave theirs out, start at 1, or use one again.
        block = self._by_key[key if isinstance(key, int) else None] = _Block(kind, self._count, self._length)
        self._count += 1
        pieces: list[dict[str, Any]] = []
        if kind != "tool_use":
            pieces, self._unplaced = self._unplaced, pieces
        delta = _OPENERS.get(kind, Blocks._open_other)(self, block, given)
        self._only_thought = self._only_thought and kind in ("thinking", "redacted_thinking")
        if pieces:
            delta = delta or Delta()
            delta.extra["content_blocks"] = pieces + delta.extra.get("content_blocks", [])
        return delta

    def _open_text(self, block: _Block, given: dict[str, Any]) -> Delta | None:
        text, rest = text_of(given.get("text")), without(given, "type", "text")
        self._length += len(text)
        if self._only_thought and not rest:
            return Delta(content=text) if text else None
        return _with("content_blocks", {**rest, "type": "text", "index": block.index, "start": block.start}, text)

    def _open_thinking(self, block: _Block, given: dict[str, Any]) -> Delta | None:
        names = {"thinking": "text", "signature": "signature"}
        said = {there: text for name, there in names.items() if (text := text_of(given.get(name)))}
        said |= without(given, "type", *names)
        return _thought(block, said) if said else None

    def _open_redacted(self, block: _Block, given: dict[str, Any]) -> Delta:
        return _with("reasoning_details", {**without(given), "type": "reasoning.encrypted", "index": block.index})

    def _open_call(self, block: _Block, given: dict[str, Any]) -> Delta:
        block.call, self._calls = self._calls, self._calls + 1
        arguments, id = given.get("input"), text_of(given.get("id")) or new_call_id()
        block.is_empty = arguments in ({}, "{}")
        block.is_whole = bool(arguments) and not block.is_empty  # of servers that are not Anthropic's
        self._unplaced.append({"type": "tool_use", "index": block.index, "id": id})
        rest = without(given, "type", "id", "name", "input")
        return call_delta(
            block.call, id, text_of(given.get("name")), _json_text(arguments) if block.is_whole else "", rest
        )

    def _open_other(self, block: _Block, given: dict[str, Any]) -> Delta:
        return _with("content_blocks", {**given, "index": block.index})

    def add(self, key: Any, delta: dict[str, Any]) -> list[Delta]:
        """A block goes on."""
        kind = delta.get("type")
        block = self._by_key.get(key if isinstance(key, int) else None)
        if block is None:
            opened = self.open(key, {"type": _IMPLIED.get(text_of(kind), "text")})
            return ([] if opened is None else [opened]) + self.add(key, delta)
        if kind == "text_delta":  # nearly all are
            text = text_of(delta.get("text"))
            self._length += len(text)
            return [Delta(None, text)] if text else []
        made = _DELTAS.get(text_of(kind), _other_delta)(block, delta)
        return [] if made is None else [made]

    def plain(self, key: Any, delta: dict[str, Any]) -> Delta | None:
        """What `add` would give, where it changes nothing by that but the length of the text (`spoke`)."""
        block, kind = self._by_key.get(key if isinstance(key, int) else None), delta.get("type")
        if block is None:
            return None
        if kind == "text_delta":
            text = text_of(delta.get("text"))
            return Delta(None, text) if text else None
        if kind == "thinking_delta":
            return _thinking_delta(block, delta)
        is_call = kind == "input_json_delta" and block.call is not None and not block.is_empty
        return _json_delta(block, delta) if is_call else None

    def spoke(self, text: str) -> None:
        """Count text that did not come through `add`."""
        self._length += len(text)

    def close(self, key: Any) -> Delta | None:
        """A block ends."""
        block = self._by_key.get(key if isinstance(key, int) else None)
        if block is None:
            return None
        if block.is_empty and block.call is not None:
            block.is_empty = False
            return call_delta(block.call, arguments="{}")
        pieces, block.json = block.json, []
        try:
            whole = jsontext.loads("".join(pieces)) if pieces else None
        except DecodeError:  # of an answer that reached its limit
            return None
        return _with("content_blocks", {"type": block.kind, "index": block.index, "input": whole}) if pieces else None


def _thinking_delta(block: _Block, delta: dict[str, Any]) -> Delta | None:
    text = text_of(delta.get("thinking"))
    return _thought(block, {"text": text}) if text else None


def _signature_delta(block: _Block, delta: dict[str, Any]) -> Delta | None:
    signature = text_of(delta.get("signature"))
    return _thought(block, {"signature": signature}) if signature else None


def _json_delta(block: _Block, delta: dict[str, Any]) -> Delta | None:
    text = text_of(delta.get("partial_json"))
    if not text or block.is_whole:
        return None
    if block.call is not None:
        block.is_empty = False
        return call_delta(block.call, arguments=text)
    block.json.append(text)
    return _with("content_blocks", {"type": block.kind, "index": block.index, "partial_json": text})


def _citations_delta(block: _Block, delta: dict[str, Any]) -> Delta:
    piece = {"citations": [delta.get("citation")], "type": "text", "index": block.index, "start": block.start}
    return _with("content_blocks", piece)


def _other_delta(block: _Block, delta: dict[str, Any]) -> Delta | None:
    said = without(delta, "type")
    if not said:
        return None
    if block.call is not None:
        return call_delta(block.call, extra=said)
    if block.kind == "thinking":
        return _thought(block, said)
    if block.kind == "text":
        said["start"] = block.start  # a piece without it would not be known as one of a text
    return _with("content_blocks", {**said, "type": block.kind, "index": block.index})


def _thought(block: _Block, said: dict[str, Any]) -> Delta:
    made = _with("reasoning_details", {"type": "reasoning.text", **said, "index": block.index})
    made.reasoning_content = text_of(said.get("text")) or None
    return made


def _with(name: str, piece: dict[str, Any], text: str = "") -> Delta:
    return Delta(content=text or None, extra={name: [piece]})


def text_of(value: Any) -> str:
    """A text, or an empty one in place of anything else."""
    return value if isinstance(value, str) else ""


def without(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The fields that say something, but for the named ones."""
    return {name: value for name, value in given.items() if name not in names and value not in (None, [])}


def _json_text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else jsontext.dumps(value).decode()
    except ConfigError as error:  # a number that no float holds, such as 1e400
        raise DecodeError(f"The input of a tool cannot be read: {cut(value, 80)}", data=cut(value)) from error


_OPENERS: dict[str, Callable[[Blocks, _Block, dict[str, Any]], Delta | None]] = {
    "redacted_thinking": Blocks._open_redacted,
    "text": Blocks._open_text,
    "thinking": Blocks._open_thinking,
    "tool_use": Blocks._open_call,
}
_DELTAS: dict[str, Callable[[_Block, dict[str, Any]], Delta | None]] = {
    "citations_delta": _citations_delta,
    "input_json_delta": _json_delta,
    "signature_delta": _signature_delta,
    "thinking_delta": _thinking_delta,
}
