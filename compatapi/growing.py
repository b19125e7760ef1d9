"""One choice of an answer while its pieces come in.

Pieces of text are kept in lists and joined when somebody asks, because adding to a string for each chunk is quadratic.
"""

from __future__ import annotations

import base64
import binascii
import copy
from collections.abc import Callable
from typing import Any

from attrs import define, field

from compatapi.chat_types import (
    Annotation,
    Audio,
    Choice,
    ChunkChoice,
    Delta,
    Logprobs,
    Message,
    TokenLogprob,
    ToolCallDelta,
)
from compatapi.toolcalls import GrowingCall, ToolCallSlots
from compatapi.wire import Extra, Extras, extras_of

__all__ = ["GROWING", "PIECED", "ChoiceSoFar", "GrowingPiece"]

#: Extra fields of messages that come as lists of pieces, to be joined to what can be sent back.
PIECED = ("reasoning_details", "content_blocks")
#: Texts in such pieces that grow.
GROWING = frozenset({"text", "summary", "data", "signature", "partial_json"})


@define(eq=False)
class ChoiceSoFar:
    """One choice while it grows."""

    index: int
    role: str | None = None
    content: list[str] = field(factory=list)
    reasoning: list[str] = field(factory=list)
    refusal: list[str] = field(factory=list)
    slots: ToolCallSlots = field(factory=ToolCallSlots)
    function_call: GrowingCall | None = None
    annotations: list[Annotation] | None = None
    audio: list[Audio] = field(factory=list)
    logprobs: Logprobs | None = None
    finish_reason: str | None = None
    raw_finish_reason: str | None = None
    reasoning_name: str | None = None  # the wire's own name for reasoning text, where it differs
    reasoning_said: bool = False  # whether the wire itself spoke of reasoning_content
    pieced: dict[str, list[Any]] = field(factory=dict)
    extras: Extras = field(factory=extras_of(ChunkChoice, Choice))
    message_extras: Extras = field(factory=extras_of(Delta, Message, without=("reasoning", *PIECED)))

    def add(self, choice: ChunkChoice) -> None:
        delta = choice.delta
        raw = delta._extra
        if delta.content:
            self.content.append(delta.content)
            only_text = raw.__class__ is dict and len(raw) == 1 and "content" in raw
            if only_text and choice.finish_reason is None and choice.logprobs is None:
                self.extras.add(choice)
                return  # as most chunks are
        if delta.reasoning_content:
            self.reasoning.append(delta.reasoning_content)
            if not self.reasoning_said:
                self.reasoning_said = "reasoning_content" not in delta.readings
        if raw and ("reasoning" in raw or "reasoning_details" in raw or "content_blocks" in raw):
            self._note_pieces(delta)
        if delta.refusal:
            self.refusal.append(delta.refusal)
        if delta.tool_calls:
            self.slots.add(delta.tool_calls)
        if self.role is None and delta.role:
            self.role = delta.role
        if delta.function_call is not None or delta.annotations or delta.audio is not None:
            self._add_rare(delta)
        if choice.finish_reason is not None and self.finish_reason is None:
            self.finish_reason = choice.finish_reason
            self.raw_finish_reason = choice.wire_value("finish_reason")
        if choice.logprobs is not None:
            self._add_logprobs(choice.logprobs)
        self.extras.add(choice)
        self.message_extras.add(delta)

    def _note_pieces(self, delta: Delta) -> None:
        raw = delta._extra or {}
        if "reasoning_content" in delta.readings and isinstance(raw.get("reasoning"), str):
            self.reasoning_name = "reasoning"
        for name in PIECED:
            pieces = raw.get(name)
            if isinstance(pieces, list):
                # What a program has asked for it may change later; else it is ours alone.
                mine = copy.deepcopy(pieces) if isinstance(raw, Extra) else pieces
                _merge_pieces(self.pieced.setdefault(name, []), mine)

    def _add_rare(self, delta: Delta) -> None:
        if delta.function_call is not None:
            self.function_call = self.function_call or GrowingCall()
            self.function_call.add(ToolCallDelta(function=delta.function_call))
        if delta.annotations:
            self.annotations = [*(self.annotations or ()), *delta.annotations]
        if delta.audio is not None:
            self.audio.append(delta.audio)

    def _add_logprobs(self, new: Logprobs) -> None:
        old = self.logprobs = self.logprobs or Logprobs()
        old.content = _joined(old.content, new.content)
        old.refusal = _joined(old.refusal, new.refusal)

    def build(self) -> Choice:
        calls, extra = self.slots.calls, Extra(copy.deepcopy(self.message_extras.fields))
        for name, pieces in self.pieced.items():
            extra[name] = [piece.build() if isinstance(piece, GrowingPiece) else piece for piece in pieces]
        message = Message(
            self.role or "assistant",
            _text(self.content),
            reasoning_content=_text(self.reasoning),
            refusal=_text(self.refusal),
            tool_calls=[calls[slot].build() for slot in sorted(calls)] or None,
            annotations=self.annotations,
            audio=_join_audio(self.audio),
            function_call=self.function_call.build().function if self.function_call else None,
            extra=extra,
        )
        if self.reasoning_name:  # it is written back under the name that the server uses
            extra[self.reasoning_name] = message.reasoning_content
        if self.reasoning_name or not self.reasoning_said:
            extra.readings["reasoning_content"] = (message.reasoning_content, None)
        choice = Choice(
            self.index,
            message,
            self.raw_finish_reason,
            _copy_logprobs(self.logprobs),
            extra=Extra(copy.deepcopy(self.extras.fields)),
        )
        if self.raw_finish_reason != self.finish_reason:
            choice.set_reading("finish_reason", self.finish_reason)
        return choice


class GrowingPiece:
    """One detail of reasoning, or one block of content, while it grows."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {}
        self._citations: list[Any] = []

    def takes(self, piece: dict[str, Any]) -> bool:
        """Whether ``piece`` goes on with this one: same type and index, and no other id."""
        fields = self._fields
        if fields.get("type") != piece.get("type") or fields.get("index") != piece.get("index"):
            return False
        return not fields.get("id") or not piece.get("id") or bool(fields["id"] == piece["id"])

    def add(self, piece: dict[str, Any]) -> None:
        for key, value in piece.items():
            if key in GROWING and isinstance(value, str):
                self._texts.setdefault(key, []).append(value)
            if key == "citations" and isinstance(value, list):
                self._citations += value
            if value is not None or key not in self._fields:
                self._fields[key] = value

    def taker(self, key: str) -> Callable[[str], None]:
        """What takes more text of one kind: a short way for those who know that there is nothing else."""
        return self._texts.setdefault(key, []).append

    def build(self) -> dict[str, Any]:
        made = self._fields | {key: "".join(texts) for key, texts in self._texts.items()}
        return made | ({"citations": list(self._citations)} if self._citations else {})


def _merge_pieces(into: list[Any], pieces: list[Any]) -> None:
    """Join the pieces of one thing, so that it can be sent back as one."""
    for piece in pieces:
        if not isinstance(piece, dict):
            into.append(piece)
            continue
        if not into or not isinstance(into[-1], GrowingPiece) or not into[-1].takes(piece):
            into.append(GrowingPiece())
        into[-1].add(piece)


def _joined(old: list[TokenLogprob] | None, new: list[TokenLogprob] | None) -> list[TokenLogprob] | None:
    if old is None or new is None:
        return old if new is None else list(new)
    old.extend(new)
    return old


def _copy_logprobs(logprobs: Logprobs | None) -> Logprobs | None:
    if logprobs is None:
        return None
    content, refusal = logprobs.content, logprobs.refusal
    return Logprobs(None if content is None else list(content), None if refusal is None else list(refusal))


def _text(pieces: list[str]) -> str | None:
    if not pieces:
        return None
    count = len(pieces)
    if count > 1:  # so that asking again and again costs no more than the pieces that are new
        # Another thread may be adding to the end meanwhile.
        pieces[:count] = ["".join(pieces[:count])]
    return pieces[0] or None


def _join_audio(pieces: list[Audio]) -> Audio | None:
    if not pieces:
        return None
    extras = extras_of(Audio)()
    for piece in pieces:
        extras.add(piece)
    expires = [piece.expires_at for piece in pieces if piece.expires_at is not None]
    return Audio(
        id=next((piece.id for piece in pieces if piece.id), None),
        data=_join_base64([piece.data for piece in pieces if piece.data]) or None,
        expires_at=expires[-1] if expires else None,
        transcript="".join(piece.transcript or "" for piece in pieces) or None,
        extra=Extra(extras.fields),
    )


def _join_base64(pieces: list[str]) -> str:
    if not any("=" in piece for piece in pieces[:-1]):
        return "".join(pieces)
    try:  # each piece is padded for itself
        return base64.b64encode(b"".join(base64.b64decode(piece) for piece in pieces)).decode("ascii")
    except binascii.Error:
        return "".join(pieces)
