"""Hooks for attrs classes: one function is generated for each class, to read it and to write it.

The checks are inlined and the object is built by position or attribute by attribute; stock hooks call a function for
each field and class. The text of a function is shown in tracebacks.
"""

from __future__ import annotations

import copy
import linecache
from collections.abc import Callable
from typing import Any, get_args, get_origin

import attrs
from cattrs import Converter

from compatapi import quirks
from compatapi.errors import DecodeError, at_path
from compatapi.shapes import (
    PRIMITIVES,
    Hook,
    hook_for,
    is_list,
    is_typed_dict,
    locate,
    odd_list,
    odd_value,
    wanted_name,
    without_none,
    wrong,
)
from compatapi.wire import Extra, WireType, wire_names

__all__ = ["make_structure", "make_unstructure"]


class Source:
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


def make_structure(cls: type, converter: Converter) -> Hook:
    """Generate the function that builds an object of an attrs class from a decoded JSON object."""
    attrs.resolve_types(cls)
    is_wire = issubclass(cls, WireType)
    own = [a for a in attrs.fields(cls) if a.init and a.name != "_extra"]
    own.sort(key=lambda a: bool(a.kw_only))
    source = Source("def hook(data, _=None):")
    source.names |= {"cls": cls, "wrong": wrong, "setattr_": object.__setattr__, "new": object.__new__}
    source.add("if data.__class__ is not dict: raise wrong(data, 'an object')", "get = data.get", "readings = None")
    if cls in quirks.ALONE:
        _read_alone(source, quirks.ALONE[cls], [a.name for a in own])
    for number, attribute in enumerate(own):
        _read_field(source, cls, attribute, f"v{number}", converter)
    if is_wire and _is_plain(cls):
        # As its __init__ would, without the call of it: a tenth of the cost of a chunk.
        source.add("self = new(cls)", "self._extra = None", *(f"self.{a.name} = v{n}" for n, a in enumerate(own)))
        source.add(*(f"self.{a.name} = {_default(source, a)}" for a in attrs.fields(cls) if not a.init))
    else:
        arguments = [f"{a.alias}=v{n}" if a.kw_only else f"v{n}" for n, a in enumerate(own)]
        source.add(f"self = cls({', '.join(arguments)})")
    if is_wire:
        _keep_extra(source, cls)
    source.add("return self")
    hook: Hook = source.compile(f"structure {cls.__name__}")
    return hook


def _read_alone(source: Source, alone: str, names: list[str]) -> None:
    """A short way for an object that holds nothing but one string; it is no other way, only fewer questions."""
    source.add(
        "if len(data) == 1:",
        f"    v = get({alone!r})",
        "    if v.__class__ is str:",
        "        self = new(cls)",
        "        self._extra = data",
        *(f"        self.{name} = {'v' if name == alone else 'None'}" for name in names),
        "        return self",
    )


def _is_plain(cls: type) -> bool:
    """Whether nothing happens when an object of the class is made but that its attributes are set."""
    works = any(a.converter or a.validator for a in attrs.fields(cls))
    return not _is_frozen(cls) and not works and not hasattr(cls, "__attrs_post_init__")


def _is_frozen(cls: type) -> bool:
    return getattr(cls, "__setattr__") is not getattr(object, "__setattr__")  # noqa: B009 - for the type checker


def _keep_extra(source: Source, cls: type[WireType]) -> None:
    if cls._is_short_lived:
        source.add("self._extra = data")  # what is unknown in it is found out when somebody asks
    else:
        known, extra = source.bind("known", frozenset(wire_names(cls))), source.bind("extra", Extra)
        unknown = f"{extra}({{k: x for k, x in data.items() if k not in {known}}})"
        source.add(f"if not {known}.issuperset(data): setattr_(self, '_extra', {unknown})")
    apply = source.bind("apply", quirks.apply_readings)
    source.add(f"if readings is not None: {apply}(self, data, readings)")
    if cls in quirks.AFTER:
        keys, function = quirks.AFTER[cls]
        found = " or ".join(["readings is not None", *(f"{key!r} in data" for key in keys)])
        source.add(f"if {found}: {source.bind('after', function)}(self)")


def _read_field(source: Source, cls: type, attribute: Any, v: str, converter: Converter) -> None:
    name, (type_, optional) = attribute.name, without_none(attribute.type)
    source.add(f"{v} = get({name!r})", f"if {v} is None:")
    source.add(*("    " + line for line in _when_absent(source, cls, attribute, v, optional)))
    if type_ is Any:
        return
    base = get_origin(type_) or type_
    if type_ in PRIMITIVES or base is dict and not is_typed_dict(type_):
        check = f"{v}.__class__ is not {base.__name__}" + (f" and {v}.__class__ is not int" if base is float else "")
        odd = source.bind("odd", odd_value(base, quirks.LENIENT.get((cls, name))))
        source.add(f"elif {check}:", f"    w = {v}; {v} = {odd}(w, {name!r}); {_note(name, v, 'w')}")
    elif is_list(type_):
        _read_list(source, name, type_, v, quirks.LENIENT.get((cls, name)), converter)
    else:
        hook, kind = source.bind("hook", hook_for(type_, converter)), source.bind("type", type_)
        source.add(
            "else:",
            f"    try: {v} = {hook}({v}, {kind})",
            f"    except DecodeError as error: raise at_path(error, ({name!r},))",
        )


def _note(name: str, v: str, wire: str) -> str:
    return f"readings = {{**(readings or {{}}), {name!r}: ({v}, {wire})}}"


def _read_list(
    source: Source, name: str, type_: Any, v: str, lenient: Callable[[Any], Any] | None, converter: Converter
) -> None:
    item = (get_args(type_) or (Any,))[0]
    is_tuple = (get_origin(type_) or type_) is tuple
    if lenient:
        odd = source.bind("odd", odd_list(hook_for(item, converter), item, lenient))
        source.add(f"elif {v}.__class__ is not list: w = {v}; {v} = {odd}(w, {name!r}); {_note(name, v, 'w')}")
    else:
        source.add(f"elif {v}.__class__ is not list: raise at_path(wrong({v}, 'a list'), ({name!r},))")
    if item is Any:
        source.add(*([f"else: {v} = tuple({v})"] if is_tuple else []))
        return
    hook, kind = source.bind("hook", hook_for(item, converter)), source.bind("type", item)
    find = source.bind("locate", locate)
    build = f"[{hook}(x, {kind}) for x in {v}]"
    if item in PRIMITIVES and not is_tuple:  # bytes of tokens, embeddings: nothing is called, unless one is odd
        odd = "x.__class__ is not " + (f"{item.__name__}" if item is not float else "float and x.__class__ is not int")
        source.add(
            "else:",
            f"    for x in {v}:",
            f"        if {odd}:",
            f"            try: {v} = {build}",
            f"            except DecodeError as error: raise at_path({find}(error, {hook}, {kind}, {v}), ({name!r},))",
            "            break",
        )
        return
    # Chunks nearly always have one choice; a comprehension costs a function call before Python 3.12.
    build = f"tuple({build})" if is_tuple else f"[{hook}({v}[0], {kind})] if len({v}) == 1 else {build}"
    source.add(
        "else:",
        f"    try: {v} = {build}",
        f"    except DecodeError as error: raise at_path({find}(error, {hook}, {kind}, {v}), ({name!r},))",
    )


def _when_absent(source: Source, cls: type, attribute: Any, v: str, optional: bool) -> list[str]:
    """The lines for a field that is not there or null. For a wire class the two are the same."""
    name = attribute.name
    missing = f"raise DecodeError('A field is missing', path=({name!r},))"
    null = f"raise at_path(wrong(None, {wanted_name(attribute.type)!r}), ({name!r},))"
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


def _default(source: Source, attribute: Any) -> str:
    default = attribute.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return source.bind("factory", default.factory) + "()"
    return source.bind("default", default)


def make_unstructure(cls: type, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    """Generate the function that writes an object of an attrs class as a dict without the fields that are None."""
    attrs.resolve_types(cls)
    is_wire = issubclass(cls, WireType)
    by_name = {a.name: a for a in attrs.fields(cls)}
    source = Source("def hook(self):")
    source.add("out = {}")
    for name in wire_names(cls) if is_wire else by_name:
        value = _writing(source, by_name[name].type, converter)
        # Nothing but None is left out: an explicit default is information.
        value = f"self.{name}" if value == "v" else value
        bind = [] if value == f"self.{name}" else [f"    v = self.{name}"]
        source.add(f"if self.{name} is not None:", *bind, f"    out[{name!r}] = {value}")
    if is_wire:
        write, own = source.bind("write_extra", _write_extra), source.bind("converter", converter)
        source.add(f"if self._extra is not None: {write}(self, out, {own})")
    source.add("return out")
    hook: Callable[[Any], dict[str, Any]] = source.compile(f"unstructure {cls.__name__}")
    return hook


def _writing(source: Source, type_: Any, converter: Converter) -> str:
    type_, _ = without_none(type_)
    base = get_origin(type_) or type_
    if type_ in PRIMITIVES or base is dict and get_args(type_)[1:] in ((Any,), (str,), (float,)):
        return "v"
    if base in (list, tuple):
        item = (get_args(type_) or (Any,))[0]
        return "list(v)" if item in PRIMITIVES else f"[{_write_each(source, item, converter)} for x in v]"
    written = f"{_write_item(source, type_, converter)}(v)"
    # What may be a text or something else mostly is a text.
    return f"v if v.__class__ is str else {written}" if str in get_args(type_) else written


def _write_each(source: Source, item: Any, converter: Converter) -> str:
    write = f"{_write_item(source, item, converter)}(x)"
    for cls in get_args(item):  # of a message or a dict, for example; the converter looks up the class of each
        if attrs.has(cls):
            known = f"{source.bind('write', converter.get_unstructure_hook(cls))}(x)"
            write = f"{known} if x.__class__ is {source.bind('class', cls)} else {write}"
    return write


def _write_item(source: Source, type_: Any, converter: Converter) -> str:
    if attrs.has(type_) and not type_.__subclasses__():
        return source.bind("write", converter.get_unstructure_hook(type_))
    return source.bind("write", converter.unstructure)


def _write_extra(self: WireType, out: dict[str, Any], converter: Converter) -> None:
    """Write what stood on the wire where an attribute holds a reading, and the unknown fields."""
    for name in self.readings:
        value = self.wire_value(name)
        if value is None:
            out.pop(name, None)
        else:
            out[name] = converter.unstructure(value)
    out.update(self.extra)
