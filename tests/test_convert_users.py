"""`compatapi.converter` with classes of a program's own."""

import enum
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union

import attrs
import pytest
from attrs import define, field, frozen

from both_json import json_library  # noqa: F401 - an autouse fixture
from compatapi.chat_types import Message, Usage
from compatapi.convert import converter, from_dict, from_json, to_dict, to_json
from compatapi.errors import CompatAPIError, DecodeError
from compatapi.wire import WireType

T = TypeVar("T")


class Color(enum.Enum):
    """An enumeration in a user's class."""

    RED = "red"


@define
class City:
    """A small class with a required and a defaulted field."""

    name: str
    people: int = 0


@define
class Street:
    """Has no field in common with a city."""

    road: str


@define
class Trip:
    """A class with everything that classes have."""

    title: str
    days: float = 1.5
    start: City | None = None
    stops: list[City] = field(factory=list)
    pair: tuple[City, ...] = ()
    by_day: dict[str, City] = field(factory=dict)
    counts: dict[str, int] = field(factory=dict)
    grid: list[list[int]] = field(factory=list)
    place: City | Street | None = None
    code: str | int = "x"
    old_style: Optional[Union[int, str]] = None  # noqa: UP007, UP045 - programs write this
    kind: Literal["work", "fun"] = "fun"
    color: Color = Color.RED
    mixed: tuple[int, str] = (0, "")
    free: Any = None
    note: Annotated[str, "doc"] = ""
    message: Message | None = None


FULL = {
    "title": "South",
    "days": 2,
    "start": {"name": "Rome", "people": 1},
    "stops": [{"name": "Bari", "people": 0}, {"name": "Pisa", "people": 2}],
    "pair": [{"name": "A", "people": 0}],
    "by_day": {"1": {"name": "B", "people": 0}},
    "counts": {"a": 1},
    "grid": [[1], [], [2, 3]],
    "place": {"road": "Appia"},
    "code": 7,
    "old_style": "o",
    "kind": "work",
    "color": "red",
    "mixed": [1, "a"],
    "free": {"any": [None, 1]},
    "note": "n",
    "message": {"role": "user", "content": "Hi", "vendor": 1},
}


def test_every_kind_of_field_is_structured():
    """Nested classes, lists, tuples, dicts, unions, optional fields and enumerations are built, and written back."""
    trip = from_dict(Trip, FULL)
    assert (City("Rome", 1), [City("Bari"), City("Pisa", 2)]) == (trip.start, trip.stops)
    assert ((City("A"),), {"1": City("B")}, {"a": 1}) == (trip.pair, trip.by_day, trip.counts)
    assert (Street("Appia"), 7, "o", Color.RED) == (trip.place, trip.code, trip.old_style, trip.color)
    assert ((1, "a"), [[1], [], [2, 3]]) == (trip.mixed, trip.grid)
    assert {"vendor": 1} == trip.message.extra
    assert FULL == to_dict(trip)
    assert trip == from_json(Trip, to_json(trip))
    assert trip == converter.structure(FULL, Trip)


def test_defaults_stand_for_what_is_absent():
    """A field that is not there takes its default; a factory makes a new object each time."""
    first, second = from_dict(Trip, {"title": "a"}), from_dict(Trip, {"title": "a"})
    assert Trip("a") == first == second
    first.stops.append(City("x"))
    assert [] == second.stops


def test_unknown_fields_of_a_users_class_are_ignored():
    """A class without extra takes what it knows."""
    assert City("Rome") == from_dict(City, {"name": "Rome", "mayor": "?", "people": 0})


def test_none_is_left_out_and_falsy_values_are_not():
    """The rule of the wire holds for users' classes."""
    assert {"name": "", "people": 0} == to_dict(City("", 0))
    assert "start" not in to_dict(Trip("a"))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"title": None}, ("title",)),
        ({"title": 1}, ("title",)),
        ({"days": "2"}, ("days",)),
        ({"days": None}, ("days",)),
        ({"start": {"people": 1}}, ("start", "name")),
        ({"start": []}, ("start",)),
        ({"stops": [{"name": "a"}, {"name": None}]}, ("stops", 1, "name")),
        ({"stops": None}, ("stops",)),
        ({"stops": {}}, ("stops",)),
        ({"pair": [{"name": "a"}, 1]}, ("pair", 1)),
        ({"by_day": {"1": {"name": "a"}, "2": {"name": 2}}}, ("by_day", "2", "name")),
        ({"counts": {"a": 1, "b": None}}, ("counts", "b")),
        ({"grid": [[1], [2, "3"]]}, ("grid", 1, 1)),
        ({"place": {"road": None}}, ("place", "road")),
        ({"place": {"planet": "Mars"}}, ("place",)),
        ({"code": 1.5}, ("code",)),
        ({"code": True}, ("code",)),
        ({"kind": "rest"}, ("kind",)),
        ({"color": "blue"}, ("color",)),
        ({"note": None}, ("note",)),
        ({"message": {"role": 1}}, ("message", "role")),
    ],
)
def test_what_does_not_fit_has_its_path(change, path):
    """Null or a wrong type in a user's class is a DecodeError that says where, never the text 'None'."""
    with pytest.raises(DecodeError) as caught:
        from_dict(Trip, {**FULL, **change})
    assert path == caught.value.path


@define
class Notes(WireType):
    """A user's own wire class, with the equality that attrs makes."""

    text: str
    usage: Usage | None = None


@frozen
class FrozenNotes(WireType):
    """The same, frozen."""

    text: str


@pytest.mark.parametrize("cls", [Notes, FrozenNotes])
def test_a_users_wire_class_keeps_extra(cls):
    """Deriving from WireType is all it takes to keep unknown fields, and to compare by them."""
    data = {"text": "a", "x": {"y": None}}
    value, other = from_dict(cls, data), from_dict(cls, data)
    assert {"x": {"y": None}} == value.extra
    assert data == to_dict(value)
    assert value == other  # one of them was asked for its extra, the other was not
    assert value != from_dict(cls, {**data, "x": 1})
    assert cls("a") == from_dict(cls, {"text": "a"})
    assert attrs.evolve(value, text="b").extra == value.extra


def test_null_in_a_required_field_of_a_users_wire_class():
    """A wire class of a program is as strict as ours."""
    with pytest.raises(DecodeError) as caught:
        from_dict(list[Notes], [{"text": "a"}, {"text": None}])
    assert (1, "text") == caught.value.path


@define
class Checked:
    """A class whose validator and converter may raise."""

    number: int = field(validator=attrs.validators.lt(10))
    letters: tuple[str, ...] = field(converter=tuple, factory=tuple)
    hidden: int = field(init=False, default=5)
    _private: int = 0


@define
class Holder:
    """Holds the class with a validator."""

    items: list[Checked]


def test_validators_and_converters_run():
    """What a validator raises comes out as a DecodeError with its path, and its cause."""
    assert Checked(1, ["a"], private=3) == from_dict(Checked, {"number": 1, "letters": ["a"], "_private": 3})
    with pytest.raises(DecodeError) as caught:
        from_dict(Holder, {"items": [{"number": 1}, {"number": 11}]})
    assert ("items", 1) == caught.value.path
    assert isinstance(caught.value.__cause__, ValueError)


@define
class Box(Generic[T]):
    """A generic class."""

    content: T


@define
class Row:
    """A class with a bare tuple and a bare list."""

    values: tuple = ()
    more: list = field(factory=list)


Bare = attrs.make_class("Bare", ["anything"])


def test_generic_and_untyped_classes():
    """A generic class is filled in; an attribute without annotation takes any value, null included."""
    assert Box(City("a")) == from_dict(Box[City], {"content": {"name": "a"}})
    assert ([1], None) == (from_dict(Bare, {"anything": [1]}).anything, from_dict(Bare, {"anything": None}).anything)
    assert Row((1, "a"), [None]) == from_dict(Row, {"values": [1, "a"], "more": [None]})


@pytest.mark.parametrize("cls", [list[City], dict[str, City], City | Street, City | None, Box[City], Color, int])
def test_whatever_the_type_an_error_is_ours(cls):
    """Types that are no classes work too, and what does not fit them is one of our errors."""
    with pytest.raises(CompatAPIError):
        from_dict(cls, {"what": object()})
