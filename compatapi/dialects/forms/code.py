"""Write the function that reads the JSON texts of one form.

It is given the fixed parts of the text, what stands in the holes between them, and the objects that a *probe* was read
as: a text whose holes hold values that stand nowhere else. Where a probe's value is found in the objects, the function
puts what it reads. The text of the function depends on the kind of form alone, so that each kind is compiled once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any

from attrs import field, frozen

from compatapi import jsontext
from compatapi.errors import DecodeError
from compatapi.wire import ChunkForm, Extra, WireType, wire_names

__all__ = ["NotToBeLearnt", "Probe", "ReaderDraft"]

_MARK = "a probe \u00e9 "
#: What a number may have been added to, so that the sum is still known as that of a probe.
_NEAR = 1_000_000
#: Characters of a fixed part that are looked for; to look for a long text costs more than to compare it in one place.
_ENOUGH = 12
_WHOLE = re.compile(r"-?\d+")

Path = tuple[Any, ...]


class NotToBeLearnt(Exception):
    """The form is one that a function like this cannot read."""


@frozen
class Probe:
    """What stands in one hole of the probe.

    Attributes:
        token: The token that it replaces.
        number: Which hole it is.
        value: What the token of the probe means: a string, a whole number, or another number.
        name: What the function calls it.
    """

    token: str
    number: int
    value: Any = field(init=False)
    name: str = field(init=False)

    @value.default
    def _make_value(self) -> Any:
        if self.token.startswith('"'):
            return f"{_MARK}{self.number}."
        whole = 1_000_000_007 + 3 * _NEAR * self.number
        return whole if _WHOLE.fullmatch(self.token) else whole + 0.5

    @name.default
    def _make_name(self) -> str:
        return f"h{self.number}"

    @property
    def text(self) -> str:
        """The token of the probe."""
        return f'"{self.value}"' if isinstance(self.value, str) else repr(self.value)


def read_string(raw: str) -> str | None:
    """What the characters between two quotes of a JSON text mean; ``None`` if they are none or not simply so."""
    if "\\" not in raw:
        return raw if min(raw, default=" ") >= " " and '"' not in raw else None
    if "\\ud" in raw or "\\uD" in raw:  # it may be half of a pair
        return None
    try:
        text = jsontext.loads(f'"{raw}"')
    except DecodeError:
        return None
    return text if isinstance(text, str) else None


def read_number(raw: str, kind: type) -> Any:
    """The number that a JSON text is; ``None`` if it is none of that kind."""
    try:
        value = jsontext.loads(raw)
    except DecodeError:
        return None
    return value if value.__class__ is kind else None


class ReaderDraft:
    """The function for one form, while it is being written.

    Args:
        thing: What the probe was read as.
        fixed: The parts of the text around the holes, one more than there are holes.
        probes: What stands in the holes.
        told: The path of an attribute whose text the function tells to ``tell`` (see `make`).
        may_be_empty: The names of holes in which an empty string may stand.

    Attributes:
        landed: The paths at which each hole was found (see `ChunkForm.varied`).

    Raises:
        NotToBeLearnt: Something in it cannot be made in this way.
    """

    def __init__(
        self,
        thing: WireType,
        fixed: Sequence[str],
        probes: Sequence[Probe],
        told: Path,
        may_be_empty: Collection[str],
    ) -> None:
        self._lines: list[str] = []
        self._constants: list[Any] = []
        self._remembered: list[str] = []  # between two calls of the function
        self._probes = {(probe.value.__class__, probe.value): probe for probe in probes}
        self._told = told
        self.landed: dict[str, set[Path]] = {probe.name: set() for probe in probes}
        self._match(fixed, probes, may_be_empty)
        made = self._build(thing, ())
        form = ChunkForm(frozenset().union(*self.landed.values()))
        self._add(f"{made}._form = {self._constant(form)}", f"return {made}")
        if not all(self.landed.values()):  # the objects do not show what it means
            raise NotToBeLearnt

    def make(self, tell: Callable[[str], object]) -> Callable[[str], Any]:
        """The function: a text in, the object or ``None`` out."""
        names = ", ".join(f"c{number}" for number in range(len(self._constants)))
        head = f"def make(new, new_dict, Extra, string, number, tell, {names}):\n  "
        head += "".join(f"{name} = " for name in self._remembered) + "None\n  def read(data):\n    "
        made: Callable[[str], Any] = _compiled(head + "\n    ".join(self._lines) + "\n  return read\n")(
            object.__new__, dict.__new__, Extra, read_string, read_number, tell, *self._constants
        )
        return made

    def _add(self, *lines: str) -> None:
        self._lines += lines

    def _constant(self, value: Any) -> str:
        if value is None or value is True or value is False:
            return repr(value)
        self._constants.append(value)
        return f"c{len(self._constants) - 1}"

    def _match(self, fixed: Sequence[str], probes: Sequence[Probe], may_be_empty: Collection[str]) -> None:
        # The quotes of a string belong to the fixed parts.
        parts, is_string = list(fixed), [isinstance(probe.value, str) for probe in probes]
        for number, quoted in enumerate(is_string):
            if quoted:
                parts[number] += '"'
                parts[number + 1] = '"' + parts[number + 1]
        head, tail = parts[0], parts[-1]
        self._add(
            f"if not (data.startswith({self._constant(head)}) and data.endswith({self._constant(tail)})): return None",
            f"at = {self._constant(len(head))}",
        )
        for number, probe in enumerate(probes):
            name, last = probe.name, number == len(probes) - 1
            if last:
                self._add(f"end = len(data) - {self._constant(len(tail))}")
            else:
                part = parts[number + 1]
                self._add(f"end = data.find({self._constant(part[:_ENOUGH])}, at)", "if end < 0: return None")
                if len(part) > _ENOUGH:
                    self._add(f"if not data.startswith({self._constant(part)}, end): return None")
            self._add(f"{name} = data[at:end]")
            if is_string[number]:
                self._add(
                    rf"""if not {name}.isprintable() or '"' in {name} or '\\' in {name}: {name} = string({name})""",
                    f"if {name} is None: return None" if name in may_be_empty else f"if not {name}: return None",
                )
            else:
                # Many a number, a time in seconds for one, is that of the chunk before.
                plain = f"{name}.isdigit() and {name}.isascii() and {name}[0] != '0' and len({name}) < 19"
                kind = self._constant(probe.value.__class__)
                self._add(
                    f"nonlocal text{number}, value{number}",
                    f"if {name} != text{number}:",
                    f"  text{number} = {name}",
                    f"  value{number} = int({name}) if {kind} is int and {plain} else number({name}, {kind})",
                    f"{name} = value{number}",
                    f"if not {name}: return None",
                )
                self._remembered += [f"text{number}", f"value{number}"]
            if not last:
                self._add(f"at = end + {self._constant(len(parts[number + 1]))}")

    def _build(self, thing: Any, path: Path) -> str:
        """The expression for a thing; what it needs is written before."""
        if thing.__class__ in (str, int, float):
            return self._build_leaf(thing, path)
        if thing is None or thing.__class__ is bool:
            return repr(thing)
        if isinstance(thing, WireType):
            return self._build_object(thing, path)
        if thing.__class__ in (list, tuple):
            items = "".join(f"{self._build(item, (*path, at))}, " for at, item in enumerate(thing))
            return f"[{items}]" if thing.__class__ is list else f"({items})"
        if thing.__class__ is dict:
            pairs = (f"{self._constant(key)}: {self._build(value, (*path, key))}" for key, value in thing.items())
            return f"{{{', '.join(pairs)}}}"
        raise NotToBeLearnt

    def _build_leaf(self, thing: Any, path: Path) -> str:
        probe = self._probes.get((thing.__class__, thing))
        if probe is None:
            if isinstance(thing, str) and _MARK in thing:
                raise NotToBeLearnt  # made of a hole and something else
            return self._build_sum(thing, path) if thing.__class__ is int else self._constant(thing)
        self.landed[probe.name].add(path)
        return probe.name

    def _build_sum(self, thing: int, path: Path) -> str:
        """A number that stands in no hole: that in one with a fixed number added, as counts of tokens are; or fixed."""
        for value, probe in ((value, probe) for (kind, value), probe in self._probes.items() if kind is int):
            if abs(thing - value) < _NEAR:
                self.landed[probe.name].add(path)
                return f"{probe.name} + {self._constant(thing - value)}"
        return self._constant(thing)

    def _build_object(self, thing: WireType, path: Path) -> str:
        cls = type(thing)
        if cls.__setattr__ is not object.__setattr__:
            raise NotToBeLearnt
        name = f"o{len(self._lines)}"
        self._add(f"{name} = new({self._constant(cls)})")
        for attribute in wire_names(cls):
            value = self._build(getattr(thing, attribute), (*path, attribute))
            self._add(f"{name}.{attribute} = {value}")
            if (*path, attribute) == self._told and value != "None":
                self._add(f"tell({value})")
        self._add(f"{name}._extra = {self._build_extra(thing, path)}")
        return name

    def _build_extra(self, thing: WireType, path: Path) -> str:
        extra = thing._extra
        if extra is None:
            return "None"
        if isinstance(extra, Extra):
            name = f"o{len(self._lines)}"
            self._add(f"{name} = new_dict(Extra)")
            self._add(f"{name}.readings = {self._build(extra.readings, (*path, '_readings'))}")
            for key, value in extra.items():
                self._add(f"{name}[{self._constant(key)}] = {self._build(value, (*path, '_extra', key))}")
            return name
        known = wire_names(type(thing))
        unknown = {key: value for key, value in extra.items() if key not in known}
        before, constants = sum(map(len, self.landed.values())), len(self._constants)
        written = self._build(unknown, (*path, "_extra"))
        if before < sum(map(len, self.landed.values())):
            return written
        del self._constants[constants:]
        return self._constant(unknown)  # the same for all: a program that asks for them gets copies


@lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    scope: dict[str, Any] = {}
    exec(compile(text, "<compatapi form>", "exec"), scope)
    return scope["make"]
