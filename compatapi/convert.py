"""The cattrs converter: attrs classes from and to JSON values.

What its hooks do that stock cattrs does not:

* ``None`` is left out when writing; an explicit ``False``, ``0``, ``""`` or ``[]`` is written.
* Unknown fields of our wire classes are kept in ``extra`` and written back.
* Primitives are checked, never coerced: ``null`` does not become ``'None'``. What does not fit raises
  `compatapi.errors.DecodeError` with the path to it.
* Shapes that some servers write otherwise are read as the usual one (`compatapi.quirks`), and written back as they
  were.

One function is generated for each class when it is first needed, with the checks inlined and the object built by
position: stock hooks call a function for each field and class.
"""

from __future__ import annotations

import copy
import linecache
import types
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter

from compatapi import jsontext, quirks
from compatapi.chat_types import (
    AudioPart,
    ContentPart,
    Extra,
    FilePart,
    ImagePart,
    RefusalPart,
    TextPart,
    WireType,
    wire_names,
)
from compatapi.errors import CompatAPIError, DecodeError, at_path, cut

__all__ = ["converter", "from_dict", "from_json", "to_dict", "to_json"]

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

_PRIMITIVES = {str: "a string", bool: "true or false", int: "a whole number", float: "a number"}
_JSON_NAMES = {dict: "an object", list: "a list", type(None): "null", **_PRIMITIVES}

#: The converter that everything here uses, and that programs may use for classes of their own. An attrs class that
#: derives from `compatapi.chat_types.WireType` keeps unknown fields too.
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


# --- reading --------------------------------------------------------------------------------------------------------


class _Source:
    """The text of a generated function, and the names that it uses."""

    def __init__(self, head: str) -> None:
        self.lines = [head]
        self.names: dict[str, Any] = {"DecodeError": DecodeError, "at_path": at_path}

    def add(self, *lines: str) -> None:
        self.lines += ["    " + line for line in lines]

    def bind(self, stem: str, value: Any) -> str:
        name = f"{stem}_{len(self.names)}"
        self.names[name] = value
        return name

    def compile(self, name: str) -> Any:
        text = "\n".join(self.lines) + "\n"
        file = f"<compatapi {name}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # for tracebacks
        exec(compile(text, file, "exec"), self.names)
        return self.names["hook"]


def _make_structure(cls: type, _: Converter) -> Hook:
    """Generate the function that builds an object of an attrs class from a decoded JSON object."""
    attrs.resolve_types(cls)
    is_wire = issubclass(cls, WireType)
    own = [a for a in attrs.fields(cls) if a.init and a.name != "_extra"]
    own.sort(key=lambda a: bool(a.kw_only))
    source = _Source("def hook(data, _=None):")
    source.names |= {"cls": cls, "wrong": _wrong, "setattr_": object.__setattr__, "new": object.__new__}
    source.add("if data.__class__ is not dict: raise wrong(data, 'an object')", "get = data.get", "readings = None")
    for number, attribute in enumerate(own):
        _read_field(source, cls, attribute, f"v{number}")
    if is_wire and _is_plain(cls):
        # As its __init__ would, without the call of it: a tenth of the cost of a chunk.
        source.add("self = new(cls)", "self._extra = None", *(f"self.{a.name} = v{n}" for n, a in enumerate(own)))
    else:
        arguments = [f"{a.alias}=v{n}" if a.kw_only else f"v{n}" for n, a in enumerate(own)]
        source.add(f"self = cls({', '.join(arguments)})")
    if is_wire:
        _keep_extra(source, cls)
    source.add("return self")
    hook: Hook = source.compile(f"structure {cls.__name__}")
    return hook


def _is_plain(cls: type) -> bool:
    """Whether nothing happens when an object of the class is made but that its attributes are set."""
    works = any(a.converter or a.validator for a in attrs.fields(cls))
    return not _is_frozen(cls) and not works and not hasattr(cls, "__attrs_post_init__")


def _is_frozen(cls: type) -> bool:
    return getattr(cls, "__setattr__") is not getattr(object, "__setattr__")  # noqa: B009 - for the type checker


def _keep_extra(source: _Source, cls: type[WireType]) -> None:
    if cls._is_short_lived:
        source.add("self._extra = data")  # what is unknown in it is found out when somebody asks
    else:
        known, extra = source.bind("known", frozenset(wire_names(cls))), source.bind("extra", Extra)
        unknown = f"{extra}({{k: x for k, x in data.items() if k not in {known}}})"
        source.add(f"if not data.keys() <= {known}: setattr_(self, '_extra', {unknown})")
    apply = source.bind("apply", quirks.apply_readings)
    source.add(f"if readings is not None: {apply}(self, data, readings)")
    if cls in quirks.AFTER:
        keys, function = quirks.AFTER[cls]
        found = " or ".join(["readings is not None", *(f"{key!r} in data" for key in keys)])
        source.add(f"if {found}: {source.bind('after', function)}(self)")


def _read_field(source: _Source, cls: type, attribute: Any, v: str) -> None:
    name, (type_, optional) = attribute.name, _without_none(attribute.type)
    source.add(f"{v} = get({name!r})", f"if {v} is None:")
    source.add(*("    " + line for line in _when_absent(source, cls, attribute, v, optional)))
    if type_ is Any:
        return
    base = get_origin(type_) or type_
    if type_ in _PRIMITIVES or base is dict and not _typed_dict(type_):
        check = f"{v}.__class__ is not {base.__name__}" + (f" and {v}.__class__ is not int" if base is float else "")
        odd = source.bind("odd", _odd_value(base, quirks.LENIENT.get((cls, name))))
        source.add(f"elif {check}:", f"    w = {v}; {v} = {odd}(w, {name!r}); {_note(name, v, 'w')}")
    elif _is_list(type_):
        _read_list(source, name, type_, v, quirks.LENIENT.get((cls, name)))
    else:
        hook, kind = source.bind("hook", _hook_for(type_)), source.bind("type", type_)
        source.add(
            "else:",
            f"    try: {v} = {hook}({v}, {kind})",
            f"    except DecodeError as error: raise at_path(error, ({name!r},))",
        )


def _note(name: str, v: str, wire: str) -> str:
    return f"readings = {{**(readings or {{}}), {name!r}: ({v}, {wire})}}"


def _read_list(source: _Source, name: str, type_: Any, v: str, lenient: Callable[[Any], Any] | None) -> None:
    item = (get_args(type_) or (Any,))[0]
    is_tuple = (get_origin(type_) or type_) is tuple
    if lenient:
        odd = source.bind("odd", _odd_list(_hook_for(item), item, lenient))
        source.add(f"elif {v}.__class__ is not list: w = {v}; {v} = {odd}(w, {name!r}); {_note(name, v, 'w')}")
    else:
        source.add(f"elif {v}.__class__ is not list: raise at_path(wrong({v}, 'a list'), ({name!r},))")
    if item is Any:
        source.add(*([f"else: {v} = tuple({v})"] if is_tuple else []))
        return
    hook, kind = source.bind("hook", _hook_for(item)), source.bind("type", item)
    locate = source.bind("locate", _locate)
    build = f"[{hook}(x, {kind}) for x in {v}]"
    # Chunks nearly always have one choice; a comprehension costs a function call before Python 3.12.
    build = f"tuple({build})" if is_tuple else f"[{hook}({v}[0], {kind})] if len({v}) == 1 else {build}"
    source.add(
        "else:",
        f"    try: {v} = {build}",
        f"    except DecodeError as error: raise at_path({locate}(error, {hook}, {kind}, {v}), ({name!r},))",
    )


def _when_absent(source: _Source, cls: type, attribute: Any, v: str, optional: bool) -> list[str]:
    """The lines for a field that is not there or null. For a wire class the two are the same."""
    name = attribute.name
    missing = f"raise DecodeError('A field is missing', path=({name!r},))"
    null = f"raise at_path(wrong(None, {_wanted(attribute.type)!r}), ({name!r},))"
    kept = v
    if attribute.default is not attrs.NOTHING:
        missing = f"{v} = {_default(source, attribute)}"
        if isinstance(attribute.default, attrs.Factory):  # type: ignore[arg-type]
            # What is put into it later is written, so the reading has to be another object.
            kept = f"{source.bind('copy', copy.copy)}({v})"
    if not issubclass(cls, WireType):
        return [f"if {name!r} not in data: {missing}", "else: pass" if optional else f"else: {null}"]
    if optional:
        return ["pass"]
    if (cls, name) in quirks.ABSENT:
        missing = f"{v} = {source.bind('absent', quirks.ABSENT[cls, name])}"
    elif attribute.default is attrs.NOTHING:
        return [f"if {name!r} not in data: {missing}", f"else: {null}"]
    return [missing, _note(name, kept, "None")]


def _default(source: _Source, attribute: Any) -> str:
    default = attribute.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return source.bind("factory", default.factory) + "()"
    return source.bind("default", default)


def _wrong(value: Any, wanted: str) -> DecodeError:
    found = _JSON_NAMES.get(type(value), type(value).__name__)
    shown = "" if value is None else f": {cut(repr(value), 80)}"
    return DecodeError(f"Expected {wanted}, got {found}{shown}", data=cut(value))


def _wanted(type_: Any) -> str:
    base = get_origin(type_) or type_
    if base in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_wanted(a) for a in get_args(type_)))
    base = list if base is tuple else base
    return _JSON_NAMES.get(base, "an object")


def _odd_value(plain: type, lenient: Callable[[Any], Any] | None) -> Callable[[Any, str], Any]:
    """What reads a value of another JSON type than the field's, or raises."""

    def odd(value: Any, name: str) -> Any:
        reading = lenient(value) if lenient else quirks.UNREADABLE
        if reading is quirks.UNREADABLE and plain is int and value.__class__ is float and value.is_integer():
            reading = int(value)
        if reading is quirks.UNREADABLE:
            raise at_path(_wrong(value, _JSON_NAMES[plain]), (name,))
        return reading

    return odd


def _odd_list(hook: Hook, kind: Any, lenient: Callable[[Any], Any]) -> Callable[[Any, str], Any]:
    """What reads a value that is no list in place of one, or raises."""

    def odd(value: Any, name: str) -> Any:
        items = lenient(value)
        if items is quirks.UNREADABLE:
            raise at_path(_wrong(value, "a list"), (name,))
        try:
            return [hook(item, kind) for item in items]
        except DecodeError as error:
            raise at_path(error, (name,)) from None

    return odd


def _locate(error: DecodeError, hook: Hook, kind: Any, values: Iterable[Any]) -> DecodeError:
    """Find which item of a list failed; the fast way does not count them."""
    for index, value in enumerate(values):
        try:
            hook(value, kind)
        except DecodeError as found:
            return at_path(found, (index,))
    return error


def _is_list(type_: Any) -> bool:
    """Whether it is a list, or a tuple of any length."""
    base = get_origin(type_) or type_
    return base is list or (base is tuple and (not get_args(type_) or get_args(type_)[-1] is Ellipsis))


def _make_list(type_: Any, _: Converter) -> Hook:
    """The hook of a list that is no field by itself: in a list, in a union, alone."""
    item, make = (get_args(type_) or (Any,))[0], get_origin(type_) or type_
    read = _hook_for(item)

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is not list:
            raise _wrong(value, "a list")
        try:
            return make(value if item is Any else [read(x, item) for x in value])
        except DecodeError as error:
            raise _locate(error, read, item, value) from error.__cause__

    return hook


def _typed_dict(type_: Any) -> bool:
    """Whether it is a dict with string keys whose values are of a known type."""
    arguments = get_args(type_)
    return get_origin(type_) is dict and arguments[0] in (str, Any) and arguments[1] is not Any


def _make_dict(type_: Any, _: Converter) -> Hook:
    kind = get_args(type_)[1]
    read = _hook_for(kind)

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is not dict:
            raise _wrong(value, "an object")
        out = {}
        for key, item in value.items():
            try:
                out[key] = read(item, kind)
            except DecodeError as error:
                raise at_path(error, (key,)) from error.__cause__
        return out

    return hook


def _without_none(type_: Any) -> tuple[Any, bool]:
    if type_ is None:  # an attribute without an annotation
        return Any, True
    if get_origin(type_) not in (Union, types.UnionType):
        return type_, type_ is Any
    rest = [a for a in get_args(type_) if a is not type(None)]
    optional = len(rest) < len(get_args(type_))
    return (rest[0] if len(rest) == 1 else Union[tuple(rest)]), optional  # noqa: UP007


def _hook_for(type_: Any) -> Hook:
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


def _make_union(type_: Any, _: Converter) -> Hook:
    """Choose among the members of a union by the JSON type of the value; an attrs class goes before a plain dict."""
    by_class: dict[type, tuple[Hook, Any]] = {}
    for member in get_args(type_):
        base = get_origin(member) or member
        json_class = dict if attrs.has(base) else list if base is tuple else base
        if json_class not in by_class or attrs.has(base):
            by_class[json_class] = (_hook_for(member), member)
    if float in by_class:
        by_class.setdefault(int, by_class[float])
    wanted = _wanted(type_)

    def hook(value: Any, _: Any = None) -> Any:
        member = by_class.get(type(value))
        if member is None:
            if value is None and type(None) in by_class:
                return None
            raise _wrong(value, wanted)
        return member[0](value, member[1])

    return hook


def _json_union(type_: Any) -> bool:
    if get_origin(type_) not in (Union, types.UnionType):
        return False
    bases = [get_origin(a) or a for a in get_args(type_)]
    classes = [dict if attrs.has(b) else list if b is tuple else b for b in bases]
    known = {str, int, float, bool, dict, list, type(None)}
    # Two attrs classes cannot be told apart by their JSON type: such a union is left to cattrs.
    return set(classes) <= known and sum(attrs.has(b) for b in bases) <= 1


def _make_primitive(plain: type) -> Hook:
    odd = _odd_value(plain, None)

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is plain or (plain is float and value.__class__ is int):
            return value
        try:
            return odd(value, "")
        except DecodeError as error:
            error.path = ()
            raise

    return hook


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


# --- writing --------------------------------------------------------------------------------------------------------


def _make_unstructure(cls: type, _: Converter) -> Callable[[Any], dict[str, Any]]:
    """Generate the function that writes an object of an attrs class as a dict without the fields that are None."""
    attrs.resolve_types(cls)
    is_wire = issubclass(cls, WireType)
    by_name = {a.name: a for a in attrs.fields(cls)}
    source = _Source("def hook(self):")
    source.add("out = {}")
    for name in wire_names(cls) if is_wire else by_name:
        value = _writing(source, by_name[name].type)
        # Nothing but None is left out: an explicit default is information.
        source.add(f"v = self.{name}", "if v is not None:", f"    out[{name!r}] = {value}")
    if is_wire:
        source.add(f"if self._extra is not None: {source.bind('write_extra', _write_extra)}(self, out)")
    source.add("return out")
    hook: Callable[[Any], dict[str, Any]] = source.compile(f"unstructure {cls.__name__}")
    return hook


def _writing(source: _Source, type_: Any) -> str:
    type_, _ = _without_none(type_)
    base = get_origin(type_) or type_
    if type_ in _PRIMITIVES or base is dict and get_args(type_)[1:] in ((Any,), (str,), (float,)):
        return "v"
    if base in (list, tuple):
        item = (get_args(type_) or (Any,))[0]
        return "list(v)" if item in _PRIMITIVES else f"[{_write_item(source, item)}(x) for x in v]"
    return f"{_write_item(source, type_)}(v)"


def _write_item(source: _Source, type_: Any) -> str:
    if attrs.has(type_) and not type_.__subclasses__():
        return source.bind("write", converter.get_unstructure_hook(type_))
    return source.bind("write", converter.unstructure)


def _write_extra(self: WireType, out: dict[str, Any]) -> None:
    """Write what stood on the wire where an attribute holds a reading, and the unknown fields."""
    for name in self.readings:
        value = self.wire_value(name)
        if value is None:
            out.pop(name, None)
        else:
            out[name] = converter.unstructure(value)
    out.update(self.extra)


def _is_attrs(type_: Any) -> bool:
    # A generic class with its arguments, Box[int], is no class: cattrs knows how to fill it in.
    return isinstance(type_, type) and attrs.has(type_)


converter.register_structure_hook_factory(_json_union, _make_union)
for _plain in _PRIMITIVES:
    converter.register_structure_hook(_plain, _make_primitive(_plain))
converter.register_structure_hook_factory(_is_list, _make_list)
converter.register_structure_hook_factory(_typed_dict, _make_dict)
converter.register_structure_hook_factory(_is_attrs, _make_structure)
converter.register_unstructure_hook_factory(_is_attrs, _make_unstructure)
_part_hooks = {cls: converter.get_structure_hook(cls) for cls in (*_PARTS.values(), ContentPart)}
converter.register_structure_hook_func(lambda t: t is ContentPart, _structure_part)
