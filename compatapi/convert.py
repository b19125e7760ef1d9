"""The cattrs converter: attrs classes from and to JSON values.

What its hooks do that stock cattrs does not:

* ``None`` is left out when writing; an explicit ``False``, ``0``, ``""`` or ``[]`` is written.
* Unknown fields of our wire classes are kept in ``extra`` and written back.
* Primitives are checked, never coerced: ``null`` does not become ``'None'``. What does not fit raises
  `compatapi.errors.DecodeError` with the path to it.
* Shapes that some servers write otherwise are read as the usual one (`compatapi.quirks`), and written back as they
  were.
"""

from __future__ import annotations

from typing import Any, TypeVar

import attrs
from cattrs import Converter

from compatapi import jsontext
from compatapi.chat_types import AudioPart, ContentPart, FilePart, ImagePart, RefusalPart, TextPart
from compatapi.errors import CompatAPIError, DecodeError, cut
from compatapi.hooks import make_structure, make_unstructure
from compatapi.shapes import (
    PRIMITIVES,
    is_json_union,
    is_list,
    is_typed_dict,
    make_dict,
    make_list,
    make_primitive,
    make_union,
)

__all__ = ["converter", "from_dict", "from_json", "to_dict", "to_json"]

T = TypeVar("T")
#: The converter that everything here uses, and that programs may use for classes of their own. An attrs class that
#: derives from `compatapi.wire.WireType` keeps unknown fields too.
converter = Converter(detailed_validation=False)


def to_dict(value: Any) -> dict[str, Any]:
    """A wire object (or any attrs object) as a dict of JSON values, without the fields that are ``None``."""
    result: dict[str, Any] = converter.unstructure(value)
    return result


def to_json(value: Any) -> bytes:
    """A wire object as compact JSON in UTF-8. Raises `compatapi.ConfigError` for a value that has no JSON form."""
    return jsontext.dumps(converter.unstructure(value), converter.unstructure)


def from_dict(cls: type[T], data: Any) -> T:
    """An object of the class from JSON values.

    Raises:
        DecodeError: The data does not fit the class; ``path`` says where.
    """
    if isinstance(data, type):
        raise TypeError("from_dict takes the class first and the data second")
    try:
        return converter.structure(data, cls)
    except CompatAPIError:
        raise
    except Exception as error:  # whatever a hook for a class of the program's own raises
        name = getattr(cls, "__name__", cls)  # a union has none
        raise DecodeError(f"The data does not fit {name}: {cut(error)}", data=cut(data)) from error


def from_json(cls: type[T], text: str | bytes) -> T:
    """An object of the class from JSON text.

    Raises:
        DecodeError: The text is no JSON (``position`` says where), or does not fit the class (``path`` says where).
    """
    return from_dict(cls, jsontext.loads(text))


# --- parts of a message, told apart by their type -------------------------------------------------------------------

_PARTS: dict[str, type[ContentPart]] = {
    "text": TextPart,
    "image_url": ImagePart,
    "input_audio": AudioPart,
    "file": FilePart,
    "refusal": RefusalPart,
}


def _structure_part(value: Any, _: Any = None) -> ContentPart:
    kind = value.get("type") if isinstance(value, dict) else None
    cls = _PARTS.get(kind, ContentPart) if isinstance(kind, str) else ContentPart
    part: ContentPart = _part_hooks[cls](value, cls)
    return part


def _is_attrs(type_: Any) -> bool:
    # A generic class with its arguments, Box[int], is no class: cattrs knows how to fill it in.
    return isinstance(type_, type) and attrs.has(type_)


converter.register_structure_hook_factory(is_json_union, make_union)
for _plain in PRIMITIVES:
    converter.register_structure_hook(_plain, make_primitive(_plain))
converter.register_structure_hook_factory(is_list, make_list)
converter.register_structure_hook_factory(is_typed_dict, make_dict)
converter.register_structure_hook_factory(_is_attrs, make_structure)
converter.register_unstructure_hook_factory(_is_attrs, make_unstructure)
_part_hooks = {cls: converter.get_structure_hook(cls) for cls in (*_PARTS.values(), ContentPart)}
converter.register_structure_hook_func(lambda t: t is ContentPart, _structure_part)
