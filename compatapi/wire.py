"""What all wire classes share: unknown fields, and readings of known ones.

A server may say a known thing in its own way: reasoning text under another name, a missing index, content as an array.
The attribute then holds the usual reading, and `WireType.wire_value` gives what stood on the wire. Only the latter is
written and compared, so that reading and writing again loses and invents nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from attrs import define, field, fields

__all__ = ["ChunkForm", "Extra", "Extras", "WireType", "extras_of", "wire_names"]


class Extra(dict[str, Any]):
    """The unknown fields of one object; ``readings`` maps an attribute to (its reading, what stood on the wire)."""

    __slots__ = ("readings",)

    def __init__(self, items: Mapping[str, Any] = {}, readings: Mapping[str, tuple[Any, Any]] | None = None) -> None:
        super().__init__(items)
        self.readings = dict(readings) if readings else {}


@define(eq=False)
class ChunkForm:
    """What many chunks of one stream share: they were read by one function, and are the same but for a few values.

    Attributes:
        varied: Where the values stand that may differ: attributes, keys and indices, with the unknown fields of an
            object under ``_extra`` and its readings under ``_readings``.
    """

    varied: frozenset[tuple[Any, ...]]


@define(eq=False, repr=False)
class WireType:
    """What all wire classes share: unknown fields, comparison and repr without the absent ones."""

    #: Whether decoding keeps the decoded object itself as `_extra`, and the unknown fields are looked for only when
    #: somebody asks: computing them costs more than decoding the rest. For objects that live for a moment.
    _is_short_lived: ClassVar[bool] = False

    # An Extra once somebody has asked. In a program's own subclass attrs compares it, whichever of the two it is.
    _extra: dict[str, Any] | None = field(
        default=None, kw_only=True, alias="extra", eq=lambda extra: extra or None, hash=False
    )

    @property
    def extra(self) -> dict[str, Any]:
        """The fields that this class does not know, by their names on the wire. They are written back.

        What a program puts in is written too, and wins over an attribute of the same name.
        """
        extra = self._extra
        if not isinstance(extra, Extra):
            known = wire_names(type(self)) if self._is_short_lived else ()
            unknown = ((name, value) for name, value in (extra or {}).items() if name not in known)
            # Chunks may share what they were decoded from, and must not show what is done to one of them.
            extra = Extra({name: copy.deepcopy(value) if known else value for name, value in unknown})
            object.__setattr__(self, "_extra", extra)
        return extra

    def wire_value(self, name: str) -> Any:
        """What stood on the wire for the attribute ``name``; ``None`` if nothing did."""
        value = getattr(self, name)
        readings = self.readings
        if readings and name in readings and readings[name][0] == value:
            return readings[name][1]
        return value

    def set_reading(self, name: str, value: Any) -> None:
        """Give an attribute a reading that differs from what stands on the wire, which stays what is written."""
        wire = self.wire_value(name)
        self.extra  # noqa: B018 - makes it an Extra
        # A copy, so that a reading that is changed later is seen to be another value.
        self.readings[name] = (copy.deepcopy(value), wire)
        object.__setattr__(self, name, value)

    @property
    def readings(self) -> dict[str, tuple[Any, Any]]:
        """The attributes that hold a reading: name to (reading, value on the wire)."""
        return self._extra.readings if isinstance(self._extra, Extra) else {}

    def __eq__(self, other: object) -> bool:
        if self.__class__ is not other.__class__ or not isinstance(other, WireType):
            return NotImplemented
        same = all(self.wire_value(name) == other.wire_value(name) for name in wire_names(type(self)))
        return same and self.extra == other.extra

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = [f"{name}={value!r}" for name in wire_names(type(self)) if (value := getattr(self, name)) is not None]
        if self.extra:
            parts.append(f"extra={dict(self.extra)!r}")
        return f"{type(self).__name__}({', '.join(parts)})"


_names: dict[type, tuple[str, ...]] = {}


def wire_names(cls: type[WireType]) -> tuple[str, ...]:
    """The attributes of a class that are JSON fields, the positional ones first."""
    names = _names.get(cls)
    if names is None:
        own = [a for a in fields(cls) if not a.name.startswith("_")]
        own.sort(key=lambda a: bool(a.kw_only))
        names = _names[cls] = tuple(a.name for a in own)
    return names


class Extras:
    """The unknown fields of many pieces: of each, the last value that says something."""

    __slots__ = ("_keys", "_known", "_last", "_names", "_unknown", "fields")

    def __init__(self, known: frozenset[str]) -> None:
        self.fields: dict[str, Any] = {}
        self._known = known
        # The pieces of one stream have few sets of keys, and looking one up is cheaper than looking at each key.
        self._unknown: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._keys: tuple[str, ...] = ()
        self._last: dict[str, Any] | None = None
        self._names: tuple[str, ...] = ()

    def add(self, piece: WireType) -> None:
        raw = piece._extra
        if not raw or raw is self._last:
            return
        self._last = raw
        keys = tuple(raw)
        if keys != self._keys:  # most pieces have the keys of the piece before
            self._keys, self._names = keys, self._names_of(keys)
        for name in self._names:
            value = raw[name]
            if value or name not in self.fields:
                self.fields[name] = value

    def names_in(self, piece: WireType) -> tuple[str, ...]:
        """The names of the unknown fields of a piece."""
        return self._names_of(tuple(piece._extra)) if piece._extra else ()

    def follower(self, name: str) -> Callable[[Any], None]:
        """What takes in one field that there was before: a short way for those who know that no other has changed."""
        fields = self.fields

        def follow(value: Any) -> None:
            if value:
                fields[name] = value

        return follow

    def _names_of(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        names = self._unknown.get(keys)
        if names is None:
            if len(self._unknown) > 100:
                self._unknown.clear()
            names = self._unknown[keys] = tuple(name for name in keys if name not in self._known)
        return names


def extras_of(*classes: type[WireType], without: Iterable[str] = ()) -> Callable[[], Extras]:
    """What makes an `Extras` for pieces of these classes, whose own fields are no unknown ones."""
    known = frozenset(name for cls in classes for name in wire_names(cls)).union(without)
    return lambda: Extras(known)
