"""Tell the fragments of streamed tool calls apart, and put them together.

Servers number them in many ways: no index, gaps, starting at 1, an index used again, an id repeated or missing (rules 9
to 13 of "OpenAI-compatible servers" in the documentation). `ToolCallSlots` gives each call a slot.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from attrs import define, field

from compatapi.chat_types import CustomCall, FunctionCall, FunctionCallDelta, ToolCall, ToolCallDelta
from compatapi.wire import Extra, Extras, extras_of

__all__ = ["GrowingCall", "ToolCallSlots", "new_call_id"]


def new_call_id() -> str:
    """A name for a tool call whose server gave none."""
    return f"call_{os.urandom(12).hex()}"


@define(eq=False)
class GrowingCall:
    """A tool call while it grows."""

    id: str = ""
    type: str | None = None
    name: str = ""
    arguments: list[str] = field(factory=list)
    custom: bool = False
    extras: Extras = field(factory=extras_of(ToolCallDelta))
    function_extras: Extras = field(factory=extras_of(FunctionCallDelta))

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
        except (ValueError, RecursionError):
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
        self.calls: dict[int, GrowingCall] = {}
        self._by_index: dict[int | None, int] = {}  # the index of the wire -> the slot that it means now
        self._last = -1

    def add(self, fragments: list[ToolCallDelta]) -> list[int]:
        """Take the fragments of one delta; return the slot of each."""
        if len(fragments) == 1:  # as most are: more arguments for a call that is known by its index
            fragment = fragments[0]
            slot, function = self._by_index.get(fragment.index, -1), fragment.function
            if slot >= 0 and function is not None and not (function.name or fragment.id or fragment.custom):
                self.calls[slot].add(fragment)
                self._last = slot
                return [slot]
        return [self._add(fragment, place, len(fragments)) for place, fragment in enumerate(fragments)]

    @property
    def last(self) -> GrowingCall:
        """The call of the last fragment."""
        return self.calls[self._last]

    def grower(self) -> Callable[[str], None]:
        """What takes more arguments for the call of the last fragment: a short way for those who know that it is so."""
        slot, take = self._last, self.last.arguments.append

        def grow(arguments: str) -> None:
            if arguments:
                take(arguments)
            self._last = slot

        return grow

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
            self.calls[slot] = GrowingCall()
        self.calls[slot].add(fragment)
        self._last = slot
        return slot

    @staticmethod
    def _starts_anew(call: GrowingCall, fragment: ToolCallDelta) -> bool:
        if not name_of(fragment) or (fragment.id and fragment.id == call.id):
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
        call, name = self.calls[slot], name_of(fragment)
        return bool(name and call.name and (name != call.name or call.is_whole))

    def _free_slot(self) -> int:
        return max(self.calls, default=-1) + 1


def name_of(fragment: ToolCallDelta) -> str | None:
    if fragment.function is not None:
        return fragment.function.name
    name = fragment.custom.get("name") if fragment.custom else None
    return name if isinstance(name, str) else None
