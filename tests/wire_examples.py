"""Every wire class, and for each an object with nothing optional and a JSON object with everything.

The examples are made from the annotations of the classes, so a field that is added later is tested too.
"""

import types
from typing import Any, Union, get_args, get_origin

import attrs

from compatapi import chat_types, service_types
from compatapi.wire import WireType


def _classes():
    for module in (chat_types, service_types):
        for name in module.__all__:
            member = getattr(module, name)
            if isinstance(member, type) and issubclass(member, WireType) and member is not WireType:
                yield member


WIRE_CLASSES = sorted(_classes(), key=lambda cls: cls.__name__)


def json_fields(cls: type) -> dict[str, Any]:
    """The attributes of a class that stand on the wire, by name."""
    attrs.resolve_types(cls)
    return {a.name: a for a in attrs.fields(cls) if not a.name.startswith("_")}


def full_json(cls: type) -> dict[str, Any]:
    """A JSON object that has every field of the class."""
    return {
        name: a.default if name == "type" and isinstance(a.default, str) else _sample(a.type)
        for name, a in json_fields(cls).items()
    }


def minimal(cls: type) -> Any:
    """An object of the class that is given only what the class demands."""
    needed = {name: _sample(a.type) for name, a in json_fields(cls).items() if a.default is attrs.NOTHING}
    nested = {
        "messages": [chat_types.Message.user("Hi")],
        "image_url": chat_types.ImageURL("u"),
        "input_audio": chat_types.InputAudio("AAAA", "wav"),
        "file": chat_types.FileData(),
    }
    return cls(**{name: nested.get(name, value) for name, value in needed.items()})


def _sample(type_: Any) -> Any:
    if get_origin(type_) in (Union, types.UnionType):
        type_ = next(member for member in get_args(type_) if member is not type(None))
    base = get_origin(type_) or type_
    if base in (list, tuple):
        return [_sample(get_args(type_)[0])]
    if base is dict:
        value = get_args(type_)[1]
        return {"key": _sample(str if value is Any else value)}
    return full_json(type_) if attrs.has(base) else {str: "sample", int: 3, float: 0.5, bool: True}[base]


def without_nulls(value: Any) -> Any:
    """A JSON value without the members of objects that are null, at any depth."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
