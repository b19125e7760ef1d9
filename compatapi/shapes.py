"""Hooks for the shapes that fields have: primitives, lists, dicts and unions. Checked, never coerced.

Each hook takes a decoded JSON value and gives the value for the field, or raises `compatapi.errors.DecodeError` whose
path begins at that value.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any, Union, get_args, get_origin

import attrs
from cattrs import Converter

from compatapi import quirks
from compatapi.errors import CompatAPIError, DecodeError, at_path, cut
from compatapi.wire import WireType

Hook = Callable[[Any, Any], Any]

PRIMITIVES = {str: "a string", bool: "true or false", int: "a whole number", float: "a number"}
JSON_NAMES = {dict: "an object", list: "a list", type(None): "null", **PRIMITIVES}


def wrong(value: Any, wanted: str) -> DecodeError:
    found = JSON_NAMES.get(type(value), type(value).__name__)
    shown = "" if value is None else f": {cut(repr(value), 80)}"
    return DecodeError(f"Expected {wanted}, got {found}{shown}", data=cut(value))


def wanted_name(type_: Any) -> str:
    base = get_origin(type_) or type_
    if base in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(wanted_name(a) for a in get_args(type_)))
    base = list if base is tuple else base
    return JSON_NAMES.get(base, "an object")


def odd_value(plain: type, lenient: Callable[[Any], Any] | None) -> Callable[[Any, str], Any]:
    """What reads a value of another JSON type than the field's, or raises."""

    def odd(value: Any, name: str) -> Any:
        reading = lenient(value) if lenient else quirks.UNREADABLE
        if reading is quirks.UNREADABLE and plain is int and value.__class__ is float and value.is_integer():
            reading = int(value)
        if reading is quirks.UNREADABLE:
            raise at_path(wrong(value, JSON_NAMES[plain]), (name,))
        return reading

    return odd


def odd_list(hook: Hook, kind: Any, lenient: Callable[[Any], Any]) -> Callable[[Any, str], Any]:
    """What reads a value that is no list in place of one, or raises."""

    def odd(value: Any, name: str) -> Any:
        items = lenient(value)
        if items is quirks.UNREADABLE:
            raise at_path(wrong(value, "a list"), (name,))
        try:
            return [hook(item, kind) for item in items]
        except DecodeError as error:
            raise at_path(error, (name,)) from None

    return odd


def locate(error: DecodeError, hook: Hook, kind: Any, values: Iterable[Any]) -> DecodeError:
    """Find which item of a list failed; the fast way does not count them."""
    for index, value in enumerate(values):
        try:
            hook(value, kind)
        except DecodeError as found:
            return at_path(found, (index,))
    return error


def is_list(type_: Any) -> bool:
    """Whether it is a list, or a tuple of any length."""
    base = get_origin(type_) or type_
    return base is list or (base is tuple and (not get_args(type_) or get_args(type_)[-1] is Ellipsis))


def make_list(type_: Any, converter: Converter) -> Hook:
    """The hook of a list that is no field by itself: in a list, in a union, alone."""
    item, make = (get_args(type_) or (Any,))[0], get_origin(type_) or type_
    read = hook_for(item, converter)

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is not list:
            raise wrong(value, "a list")
        try:
            return make(value if item is Any else [read(x, item) for x in value])
        except DecodeError as error:
            raise locate(error, read, item, value) from error.__cause__

    return hook


def is_typed_dict(type_: Any) -> bool:
    """Whether it is a dict with string keys whose values are of a known type."""
    arguments = get_args(type_)
    return get_origin(type_) is dict and arguments[0] in (str, Any) and arguments[1] is not Any


def make_dict(type_: Any, converter: Converter) -> Hook:
    kind = get_args(type_)[1]
    read = hook_for(kind, converter)

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is not dict:
            raise wrong(value, "an object")
        out = {}
        for key, item in value.items():
            try:
                out[key] = read(item, kind)
            except DecodeError as error:
                raise at_path(error, (key,)) from error.__cause__
        return out

    return hook


def without_none(type_: Any) -> tuple[Any, bool]:
    if type_ is None:  # an attribute without an annotation
        return Any, True
    if get_origin(type_) not in (Union, types.UnionType):
        return type_, type_ is Any
    rest = [a for a in get_args(type_) if a is not type(None)]
    optional = len(rest) < len(get_args(type_))
    return (rest[0] if len(rest) == 1 else Union[tuple(rest)]), optional  # noqa: UP007


def hook_for(type_: Any, converter: Converter) -> Hook:
    """The hook of a type, found when first called (classes may refer to each other)."""
    found: Hook | None = None

    def hook(value: Any, kind: Any) -> Any:
        nonlocal found
        if found is None:
            found = converter.get_structure_hook(type_)
        try:
            return found(value, kind)
        except CompatAPIError:
            raise
        except Exception as error:  # a hook of cattrs, or of the program's own
            raise DecodeError(f"The value does not fit {type_}: {cut(error, 100)}", data=cut(value)) from error

    return converter.get_structure_hook(type_) if attrs.has(type_) and issubclass(type_, WireType) else hook


def make_union(type_: Any, converter: Converter) -> Hook:
    """Choose among the members of a union by the JSON type of the value; an attrs class goes before a plain dict."""
    by_class: dict[type, tuple[Hook, Any]] = {}
    for member in get_args(type_):
        base = get_origin(member) or member
        json_class = dict if attrs.has(base) else list if base is tuple else base
        if json_class not in by_class or attrs.has(base):
            by_class[json_class] = (hook_for(member, converter), member)
    if float in by_class:
        by_class.setdefault(int, by_class[float])
    wanted = wanted_name(type_)

    def hook(value: Any, _: Any = None) -> Any:
        member = by_class.get(type(value))
        if member is None:
            if value is None and type(None) in by_class:
                return None
            raise wrong(value, wanted)
        return member[0](value, member[1])

    return hook


def is_json_union(type_: Any) -> bool:
    if get_origin(type_) not in (Union, types.UnionType):
        return False
    bases = [get_origin(a) or a for a in get_args(type_)]
    classes = [dict if attrs.has(b) else list if b is tuple else b for b in bases]
    known = {str, int, float, bool, dict, list, type(None)}
    # Two attrs classes cannot be told apart by their JSON type: such a union is left to cattrs.
    return set(classes) <= known and sum(attrs.has(b) for b in bases) <= 1


def make_primitive(plain: type) -> Hook:
    odd = odd_value(plain, None)

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is plain or (plain is float and value.__class__ is int):
            return value
        try:
            return odd(value, "")
        except DecodeError as error:
            error.path = ()
            raise

    return hook
