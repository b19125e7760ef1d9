"""The blocks of one of Anthropic's messages: text, thinking, tool use and what its servers add.

They come one after the other. A piece goes into the open block if it is of its kind, and otherwise closes it and opens
the next. A tool call whose arguments are not whole stays open, and what else comes waits behind it, because some
servers send the fragments of several calls in turn.

Where a block begins is told by the pieces in ``reasoning_details`` and ``content_blocks`` of a delta, which
`compatapi.dialects.anthropic.blocks` describes; without them, by the change of the kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compatapi.chat_types import Delta, ToolCallDelta
from compatapi.errors import ConfigError, DecodeError, cut
from compatapi.formats.writing import event
from compatapi.toolcalls import ToolCallSlots, new_call_id

__all__ = ["Blocks"]

_Piece = dict[str, Any]
#: Fields of a tool call that belong to Anthropic; whatever else a server said of it is none of its clients' business.
_OF_CALLS = ("caller", "toolset_name")

#: How Anthropic's sealed reasoning is called by those who name whose it is (OpenRouter); others leave the name out.
_OWN = "anthropic"


class Blocks:
    """Deltas in, the events of blocks out."""

    def __init__(self) -> None:
        self._number = -1
        self._kind = ""  # of the open block; empty when none is
        self._which: Any = None  # of its kind: the number of the block where it came from, or the slot of the call
        self._is_signed = False
        self._start_of_text = 0
        self._length = 0  # characters of text
        self._slots = ToolCallSlots()
        self._out: dict[int, int] = {}  # slot of a call -> how many pieces of its arguments are written
        self._waiting: list[tuple[str, Any, Any]] = []

    def add(self, delta: Delta) -> bytes:
        """The events of one delta."""
        fragments = list(delta.tool_calls or ())
        if delta.function_call is not None:  # the form of 2023
            fragments.append(ToolCallDelta(0, function=delta.function_call))
        slots = dict.fromkeys(self._slots.add(fragments))
        text = (delta.content or "") + (delta.refusal or "")
        details, marks = _pieces(delta, "reasoning_details"), [*filter(_is_block, _pieces(delta, "content_blocks"))]
        out = b""
        if delta.reasoning_content and not any(map(_thought, details)):
            out += self._put("thinking", None, delta.reasoning_content)
        if details or marks:
            more, text = self._add_pieces(details, marks, text)
            out += more
        if text:
            out += self._say(text)
        for slot in slots:
            out += self._call(slot)
        return out

    def close(self) -> bytes:
        """What waits, and the end of the open block."""
        return self._flush(at_end=True) + self._end()

    def _add_pieces(self, details: list[_Piece], marks: list[_Piece], text: str) -> tuple[bytes, str]:
        """Pieces in the order of their blocks, with the text in front of them; what is left of the text."""
        lead = sum(piece.get("index") == place for place, piece in enumerate(details)) if marks else len(details)
        out = b"".join(map(self._reason, details[:lead]))
        # One piece, nearly always. There are more where a whole answer was made into one delta.
        rest = sorted([*details[lead:], *marks], key=_place)
        for at, piece in enumerate(rest):
            start = next((other["start"] for other in rest[at:] if _is_text(other)), None)
            here = len(text) if start is None else max(start - self._length, 0)
            if text[:here]:
                out, text = out + self._say(text[:here]), text[here:]
            out += self._mark(piece) if _is_block(piece) else self._reason(piece)
        return out, text

    def _say(self, text: str) -> bytes:
        start, self._length = self._length, self._length + len(text)
        return self._put("text", start, text)

    def _reason(self, piece: _Piece) -> bytes:
        which, out = piece.get("index"), b""
        if text := _thought(piece):
            out += self._put("thinking", which, text)
        if not (_text(piece, "format") or _OWN).startswith(_OWN):
            return out  # what another service has sealed
        if data := _text(piece, "data"):
            out += self._put("redacted_thinking", which, data)
        if signature := _text(piece, "signature"):
            out += self._put("signature", which, signature)
        return out

    def _mark(self, piece: _Piece) -> bytes:
        if piece["type"] == "tool_use":  # a call, where something comes behind it
            named = (slot for slot, call in self._slots.calls.items() if call.id == piece.get("id"))
            return b"".join(map(self._call, named))
        return self._put("text block" if _is_text(piece) else "block", piece["index"], piece)

    def _call(self, slot: int) -> bytes:
        """What is new of the call in a slot."""
        if (self._kind, self._which) == ("call", slot):
            return self._arguments(slot) + self._flush()
        if slot not in self._out:
            is_waiting = any(("call", slot) == item[:2] for item in self._waiting)
            return b"" if is_waiting else self._put("call", slot, None)
        late = "".join(self._slots.calls[slot].arguments[self._out[slot] :])
        if late.strip():
            raise DecodeError(f"Arguments behind the end of a tool call: {cut(late, 80)!r}", data=cut(late))
        return b""

    # --- one block after the other

    def _put(self, kind: str, which: Any, value: Any) -> bytes:
        self._waiting.append((kind, which, value))
        return self._flush()

    def _flush(self, *, at_end: bool = False) -> bytes:
        out = b""
        while self._waiting and (at_end or self._kind != "call" or self._slots.calls[self._which].is_whole):
            kind, which, value = self._waiting.pop(0)
            out += _WRITERS[kind](self, which, value)
        return out

    def _write_text(self, start: int, text: str) -> bytes:
        begin = b"" if self._kind == "text" else self._begin("text", None, {"type": "text", "text": ""}, start)
        return begin + self._delta("text_delta", text=text)

    def _write_text_block(self, which: int, piece: _Piece) -> bytes:
        out = b""
        is_same = self._kind == "text" and self._which in (None, which) and self._start_of_text == piece["start"]
        if not is_same:
            out = self._begin("text", which, {"type": "text", "text": ""}, piece["start"])
        citations = piece.get("citations")
        for citation in citations if isinstance(citations, list) else ():
            out += self._delta("citations_delta", citation=citation)
        return out

    def _write_thinking(self, which: Any, text: str) -> bytes:
        return self._think(which) + self._delta("thinking_delta", thinking=text)

    def _write_signature(self, which: Any, signature: str) -> bytes:
        out = self._think(which, is_end=True) + self._delta("signature_delta", signature=signature)
        self._is_signed = True
        return out

    def _think(self, which: Any, *, is_end: bool = False) -> bytes:
        """Go on with a thinking block, or begin one; it has one signature, and text behind that is another's."""
        is_same = self._which is None or which is None or self._which == which
        if self._kind != "thinking" or not is_same or (self._is_signed and not is_end):
            return self._begin("thinking", which, {"type": "thinking", "thinking": "", "signature": ""})
        self._which = which if self._which is None else self._which
        return b""

    def _write_redacted(self, which: Any, data: str) -> bytes:
        return self._begin("redacted_thinking", which, {"type": "redacted_thinking", "data": data})

    def _write_call(self, slot: int, _: None) -> bytes:
        call = self._slots.calls[slot]
        if call.custom:
            raise ConfigError(f"Anthropic has no custom tools: the input of {call.name!r} is no JSON object")
        call.id = call.id or new_call_id()
        own = {name: call.extras.fields[name] for name in _OF_CALLS if name in call.extras.fields}
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}, **own}
        # The first piece of an input is empty in every recording.
        return self._begin("call", slot, block) + self._json_delta("") + self._arguments(slot)

    def _arguments(self, slot: int) -> bytes:
        pieces, start = self._slots.calls[slot].arguments, self._out.get(slot, 0)
        self._out[slot] = len(pieces)
        text = "".join(pieces[start:])
        # An input without fields was said by the start of its block.
        return self._json_delta(text) if text and not (start == 0 and text == "{}") else b""

    def _write_block(self, which: int, piece: _Piece) -> bytes:
        """A block of another kind: its first piece is the block, the others are deltas."""
        said, text = (
            {name: piece[name] for name in piece if name not in ("index", "partial_json")},
            piece.get("partial_json"),
        )
        if (self._kind, self._which) != ("block", which):
            is_use = str(said["type"]).endswith("tool_use")
            out = self._begin("block", which, said | ({"input": {}} if is_use and text is not None else {}))
            return (
                out
                + (self._json_delta("") if is_use and not said.get("input") else b"")
                + (self._json_delta(text) if text else b"")
            )
        if text:
            return self._json_delta(text)
        kind = said.pop("type")
        return self._delta(f"{kind}_delta", **said) if said.keys() - {"input"} else b""  # said in pieces before

    def _begin(self, kind: str, which: Any, block: _Piece, start: int = 0) -> bytes:
        out = self._end()
        self._number += 1
        self._kind, self._which, self._start_of_text, self._is_signed = kind, which, start, False
        return out + event("content_block_start", index=self._number, content_block=block)

    def _end(self) -> bytes:
        if not self._kind:
            return b""
        self._kind, self._which = "", None
        return event("content_block_stop", index=self._number)

    def _delta(self, kind: str, **value: Any) -> bytes:
        return event("content_block_delta", index=self._number, delta={"type": kind, **value})

    def _json_delta(self, text: str) -> bytes:
        return self._delta("input_json_delta", partial_json=text)


_WRITERS: dict[str, Callable[[Blocks, Any, Any], bytes]] = {
    "block": Blocks._write_block,
    "call": Blocks._write_call,
    "redacted_thinking": Blocks._write_redacted,
    "signature": Blocks._write_signature,
    "text": Blocks._write_text,
    "text block": Blocks._write_text_block,
    "thinking": Blocks._write_thinking,
}


def _pieces(delta: Delta, name: str) -> list[_Piece]:
    found = delta.extra.get(name)
    return [piece for piece in found if isinstance(piece, dict)] if isinstance(found, list) else []


def _text(piece: _Piece, name: str) -> str:
    value = piece.get(name)
    return value if isinstance(value, str) else ""


def _thought(piece: _Piece) -> str:
    return _text(piece, "text") or _text(piece, "summary")


def _is_block(piece: _Piece) -> bool:
    """Whether a piece has the shape of Anthropic's blocks; those of other services it has no place for."""
    kind = piece.get("type")
    return isinstance(kind, str) and isinstance(piece.get("index"), int) and not kind.startswith("reasoning.")


def _is_text(piece: _Piece) -> bool:
    return piece.get("type") == "text" and isinstance(piece.get("start"), int)


def _place(piece: _Piece) -> int:
    index = piece.get("index")
    return index if isinstance(index, int) else -1
