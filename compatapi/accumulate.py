"""Put the chunks of a stream together again.

`Accumulator` takes chunks and gives the `ChatCompletion` so far, at any moment, for any number of choices. Pieces of
text are kept in lists and joined when somebody asks, because adding to a string for each chunk is quadratic.
`ToolCallSlots` tells which call a fragment belongs to; servers number them in many ways (rules 9 to 13 of
"OpenAI-compatible servers" in the documentation).
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import threading
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field

from compatapi.chat_types import (
    Annotation,
    Audio,
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    CustomCall,
    Delta,
    Extra,
    FunctionCall,
    FunctionCallDelta,
    Logprobs,
    Message,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
    WireType,
    wire_names,
)

__all__ = ["Accumulator", "ToolCallSlots", "chunk_from_completion", "new_call_id"]

#: Padding against the guessing of packet sizes (OpenAI, Mistral); of no use in an answer.
_PADDING = frozenset({"obfuscation", "p"})


def new_call_id() -> str:
    """A name for a tool call whose server gave none."""
    return f"call_{secrets.token_hex(12)}"


class _Extras:
    """The unknown fields of many pieces: of each, the last value that says something."""

    __slots__ = ("_known", "_unknown", "fields")

    def __init__(self, known: frozenset[str]) -> None:
        self.fields: dict[str, Any] = {}
        self._known = known
        # The pieces of one stream have few sets of keys, and looking one up is cheaper than looking at each key.
        self._unknown: dict[tuple[str, ...], tuple[str, ...]] = {}

    def add(self, piece: WireType) -> None:
        raw = piece._extra
        if not raw:
            return
        keys = tuple(raw)
        names = self._unknown.get(keys)
        if names is None:
            if len(self._unknown) > 100:
                self._unknown.clear()
            names = self._unknown[keys] = tuple(name for name in keys if name not in self._known)
        for name in names:
            value = raw[name]
            if value or name not in self.fields:
                self.fields[name] = value


def _extras_of(*classes: type[WireType], without: Iterable[str] = ()) -> Callable[[], _Extras]:
    known = frozenset(name for cls in classes for name in wire_names(cls)).union(without)
    return lambda: _Extras(known)


@define(eq=False)
class _Call:
    """A tool call while it grows."""

    id: str = ""
    type: str | None = None
    name: str = ""
    arguments: list[str] = field(factory=list)
    custom: bool = False
    extras: _Extras = field(factory=_extras_of(ToolCallDelta))
    function_extras: _Extras = field(factory=_extras_of(FunctionCallDelta))

    def add(self, fragment: ToolCallDelta) -> None:
        if fragment.id and not self.id:
            self.id = fragment.id
        self.type = fragment.type or self.type
        if fragment.custom is not None:
            self.custom = True
            name, text = fragment.custom.get("name"), fragment.custom.get("input")
        elif fragment.function is not None:
            name, text = fragment.function.name, fragment.function.arguments
            self.function_extras.add(fragment.function)
        else:
            name = text = None
        if name and name != self.name:
            self.name += name
        if text:
            self.arguments.append(text)
        self.extras.add(fragment)

    @property
    def is_whole(self) -> bool:
        """Whether the arguments so far are a JSON object."""
        if not self.arguments or not self.arguments[-1].rstrip().endswith("}"):
            return False  # joining for every fragment would be quadratic
        try:
            return isinstance(json.loads("".join(self.arguments)), dict)
        except ValueError:
            return False

    def build(self) -> ToolCall:
        self.id = self.id or new_call_id()
        text, extra = "".join(self.arguments), Extra(self.extras.fields)
        if self.custom:
            return ToolCall(self.id, None, self.type or "custom", custom=CustomCall(self.name, text), extra=extra)
        function = FunctionCall(self.name, text, extra=Extra(self.function_extras.fields))
        return ToolCall(self.id, function, self.type or "function", extra=extra)


class ToolCallSlots:
    """Tell the fragments of tool calls apart: each call has a slot, and the final order is that of the slots."""

    def __init__(self) -> None:
        self.calls: dict[int, _Call] = {}
        self._by_index: dict[int, int] = {}  # the index of the wire -> the slot that it means now
        self._last = -1

    def add(self, fragments: list[ToolCallDelta]) -> list[int]:
        """Take the fragments of one delta; return the slot of each."""
        return [self._add(fragment, place, len(fragments)) for place, fragment in enumerate(fragments)]

    def _add(self, fragment: ToolCallDelta, place: int, count: int) -> int:
        index = fragment.index
        if index is None:
            slot = self._slot_without_index(fragment, place, count)
        else:
            slot = self._by_index.get(index, -1)
            if slot < 0:
                slot = index if index not in self.calls else self._free_slot()
            elif self._starts_anew(self.calls[slot], fragment):
                slot = self._free_slot()
            self._by_index[index] = slot
        if slot not in self.calls:
            self.calls[slot] = _Call()
        self.calls[slot].add(fragment)
        self._last = slot
        return slot

    @staticmethod
    def _starts_anew(call: _Call, fragment: ToolCallDelta) -> bool:
        if not _name_of(fragment) or (fragment.id and fragment.id == call.id):
            return False
        # An index used again with a new id. Some servers give every fragment a fresh id: those come without a name.
        if fragment.id and call.id:
            return True
        # An index used again without ids: two JSON objects never make one.
        function = fragment.function
        return bool(function and (function.arguments or "").strip() and call.is_whole)

    def _slot_without_index(self, fragment: ToolCallDelta, place: int, count: int) -> int:
        if fragment.id:
            known = (slot for slot, call in self.calls.items() if call.id == fragment.id)
            return next(known, self._free_slot())
        if count > 1:  # several in one delta: told apart by their order
            slots = sorted(self.calls)
            known_place = place < len(slots) and not self._repeats(slots[place], fragment)
            return slots[place] if known_place else self._free_slot()
        if self._last < 0 or self._repeats(self._last, fragment):
            return self._free_slot()
        return self._last

    def _repeats(self, slot: int, fragment: ToolCallDelta) -> bool:
        """Whether a fragment without id and index begins another call, although ``slot`` is there."""
        call, name = self.calls[slot], _name_of(fragment)
        return bool(name and call.name and (name != call.name or call.is_whole))

    def _free_slot(self) -> int:
        return max(self.calls, default=-1) + 1


def _name_of(fragment: ToolCallDelta) -> str | None:
    if fragment.function is not None:
        return fragment.function.name
    name = fragment.custom.get("name") if fragment.custom else None
    return name if isinstance(name, str) else None


@define(eq=False)
class _ChoiceSoFar:
    """One choice while it grows."""

    index: int
    role: str | None = None
    content: list[str] = field(factory=list)
    reasoning: list[str] = field(factory=list)
    refusal: list[str] = field(factory=list)
    slots: ToolCallSlots = field(factory=ToolCallSlots)
    function_call: _Call | None = None
    annotations: list[Annotation] | None = None
    audio: list[Audio] = field(factory=list)
    logprobs: Logprobs | None = None
    finish_reason: str | None = None
    raw_finish_reason: str | None = None
    reasoning_name: str | None = None  # the wire's own name for reasoning text, where it differs
    reasoning_said: bool = False  # whether the wire itself spoke of reasoning_content
    details: list[Any] = field(factory=list)
    extras: _Extras = field(factory=_extras_of(ChunkChoice, Choice))
    message_extras: _Extras = field(factory=_extras_of(Delta, Message, without=("reasoning", "reasoning_details")))

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
        if raw and ("reasoning" in raw or "reasoning_details" in raw):
            self._note_reasoning(delta)
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

    def _note_reasoning(self, delta: Delta) -> None:
        if "reasoning_content" in delta.readings and isinstance(delta.extra.get("reasoning"), str):
            self.reasoning_name = "reasoning"
        details = delta.extra.get("reasoning_details")
        if isinstance(details, list):
            _merge_details(self.details, details)

    def _add_rare(self, delta: Delta) -> None:
        if delta.function_call is not None:
            self.function_call = self.function_call or _Call()
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
        calls, extra = self.slots.calls, Extra(self.message_extras.fields)
        if self.details:
            extra["reasoning_details"] = [d.build() if isinstance(d, _Detail) else d for d in self.details]
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
            self.index, message, self.raw_finish_reason, _copy_logprobs(self.logprobs), extra=Extra(self.extras.fields)
        )
        if self.raw_finish_reason != self.finish_reason:
            choice.set_reading("finish_reason", self.finish_reason)
        return choice


class Accumulator:
    """Chunks in, the answer so far out.

    Args:
        keep: ``False`` keeps no text, only what tells whether the answer is complete: for streams without an end.

    Attributes:
        usage: The last usage that the server sent, or ``None``.
    """

    def __init__(self, *, keep: bool = True) -> None:
        self.usage: Usage | None = None
        self._keep = keep
        self._choices: dict[int, _ChoiceSoFar] = {}
        self._open: set[int] = set()  # choices that have spoken and have no finish reason yet
        self._fields: dict[str, Any] = {}
        self._missing: tuple[str, ...] = ("id", "created", "model", "system_fingerprint")
        self._extras = _extras_of(ChatCompletionChunk, ChatCompletion, without=_PADDING)()
        self._version = 0
        self._built_version = 0
        self._built = ChatCompletion()
        self._building = threading.Lock()

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Take the next chunk."""
        for choice in chunk.choices:
            index = choice.index
            so_far = self._choices.get(index)
            if so_far is None:
                so_far = self._choices[index] = _ChoiceSoFar(index)
                self._open.add(index)
            if choice.finish_reason is not None:
                self._open.discard(index)
            if self._keep:
                so_far.add(choice)
        usage = chunk.usage
        if usage is not None and has_counts(usage):
            self.usage = usage
        if self._keep:
            self._add_fields(chunk)
        self._version += 1

    @property
    def is_finished(self) -> bool:
        """Whether somebody spoke, and every choice that did has a finish reason."""
        return bool(self._choices) and not self._open

    @property
    def has_spoken(self) -> bool:
        """Whether any choice has appeared."""
        return bool(self._choices)

    @property
    def completion(self) -> ChatCompletion:
        """The answer so far; a new object whenever something was added. Any thread may ask."""
        with self._building:
            version = self._version
            if version == self._built_version:
                return self._built
            self._built = ChatCompletion(
                **self._fields,
                choices=[self._choices[index].build() for index in sorted(self._choices)] if self._keep else [],
                usage=self.usage,
                extra=Extra(self._extras.fields),
            )
            self._built_version = version
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
    return any(n is not None for n in (usage.total_tokens, usage.completion_tokens, usage.prompt_tokens))


class _Detail:
    """A reasoning detail while it grows."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._pieces: dict[str, list[str]] = {}

    def takes(self, detail: dict[str, Any]) -> bool:
        """Whether ``detail`` goes on with this one: same type and index, and no other id."""
        fields = self._fields
        same = all(fields.get(key) == detail.get(key) for key in ("type", "index"))
        return same and (not fields.get("id") or not detail.get("id") or fields["id"] == detail["id"])

    def add(self, detail: dict[str, Any]) -> None:
        for key, value in detail.items():
            if key in ("text", "summary", "data") and isinstance(value, str):
                self._pieces.setdefault(key, []).append(value)
            if value is not None or key not in self._fields:
                self._fields[key] = value

    def build(self) -> dict[str, Any]:
        return self._fields | {key: "".join(pieces) for key, pieces in self._pieces.items()}


def _merge_details(into: list[Any], details: list[Any]) -> None:
    """Join pieces of one reasoning detail, so that it can be sent back as one."""
    for detail in details:
        if not isinstance(detail, dict):
            into.append(detail)
            continue
        if not into or not isinstance(into[-1], _Detail) or not into[-1].takes(detail):
            into.append(_Detail())
        into[-1].add(detail)


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
    return pieces[0]


def _join_audio(pieces: list[Audio]) -> Audio | None:
    if not pieces:
        return None
    extras = _extras_of(Audio)()
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
