"""JSON text: the same values and the same errors with orjson and with the standard library."""

import datetime
import enum
import json
import math
import uuid
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from both_json import json_library  # noqa: F401 - an autouse fixture
from compatapi import jsontext
from compatapi.chat_types import Usage
from compatapi.convert import converter
from compatapi.errors import ConfigError, DecodeError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


class Color(enum.Enum):
    """An enumeration of texts."""

    RED = "red"


class Level(enum.IntEnum):
    """An enumeration of numbers."""

    LOW = 3


@dataclass
class Point:
    """A class that attrs does not know."""

    x: int
    y: int | None = None


@settings(max_examples=100, deadline=None)
@given(value=VALUES)
def test_any_value_survives(value):
    """What is written is read again equal, from text and from bytes."""
    data = jsontext.dumps(value)
    assert value == jsontext.loads(data) == jsontext.loads(data.decode())
    assert value == json.loads(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("-0.0", -0.0),
        ("1E2", 100.0),
        ("5e-324", 5e-324),
        ("0.1", 0.1),
        (" \t\r\n[1]\n", [1]),
        ('{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"\\u00e9\\n\\/"', "é\n/"),
        ('"\u2028"', "\u2028"),
        ('""', ""),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551616", 2.0**64),
        ("-9223372036854775809", -(2.0**63)),
        ("123456789012345678901234567890", 123456789012345678901234567890.0),
        ("[" * 200 + "]" * 200, json.loads("[" * 200 + "]" * 200)),
    ],
)
def test_texts_and_their_values(text, expected):
    """Numbers, escapes, white space and duplicate keys (the last one wins) read the same, and so do their types."""
    for form in (text, text.encode(), bytearray(text.encode()), memoryview(text.encode())):
        value = jsontext.loads(form)
        assert expected == value and type(expected) is type(value)
        assert not isinstance(value, float) or math.copysign(1, expected) == math.copysign(1, value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a\\ud83d"', "a\ufffd"),
        ('"\\uDE00b"', "\ufffdb"),
        ('"\\ude00\\ud83d"', "\ufffd\ufffd"),
        ('"\\ud83d\\ude00\\ud83d"', "\U0001f600\ufffd"),
        ('{"\\ud83d": ["x\\udc00", {"a": 1}]}', {"\ufffd": ["x\ufffd", {"a": 1}]}),
        ('"\\\\ud83d"', "\\ud83d"),
        ('"a\ud83db"', "a\ufffdb"),
        ('["\ude00", "\\u0041"]', ["\ufffd", "A"]),
    ],
)
def test_half_of_a_surrogate_pair_is_a_replacement_character(text, expected):
    """A server that cuts an emoji in two does not break the text around it, and the result can be written again."""
    # As ASCII: the report of a failure cannot be sent to another process with halves of pairs in it.
    assert ascii(expected) == ascii(jsontext.loads(text))
    assert expected == jsontext.loads(jsontext.dumps(jsontext.loads(text)))


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("nul", 0),
        ("{", 1),
        ("[1;2]", 2),
        ('{"a":1} x', 8),
        ("01", 1),
        ("\ufeff{}", 0),
        ('"é" x', 4),
        ('{"a" 1}', 5),
        ("\xa01", 0),
        ("data: {}", 0),
        ("<html>", 0),
        (b'"\xff"', 1),
        (b'"\xc3\xa9\xff"', 3),
        (b'"\xed\xa0\xbd"', 1),
        (b'"\xc3', 1),
        ('"a\nb"', 2),
        ("'a'", 0),
        (".5", 0),
        ('{"a":1}' * 2, 7),
    ],
)
def test_what_is_no_json_is_a_decode_error_with_its_position(text, position):
    """The error tells the place and the text; a library's own error is only its cause."""
    with pytest.raises(DecodeError) as caught:
        jsontext.loads(text)
    assert position == caught.value.position
    assert isinstance(caught.value.data, str)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", '[1, {"a": NaN}]', "9" * 5000])
def test_numbers_that_json_does_not_know_are_refused(text):
    """NaN and infinity are no JSON, and a number of thousands of digits is an attack."""
    with pytest.raises(DecodeError, match="no JSON"):
        jsontext.loads(text)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "[" * 200_000 + "]" * 200_000])
def test_nesting_without_end_is_a_decode_error(text):
    """Deep nesting ends in our error, never in a RecursionError or a crash."""
    with pytest.raises(DecodeError):
        jsontext.loads(text)


def test_the_text_around_the_fault_is_shown_and_cut():
    """A long text is not in the message; what surrounds the fault is."""
    with pytest.raises(DecodeError) as caught:
        jsontext.loads('{"a": "' + "x" * 5000 + '", here}')
    assert "here}" in str(caught.value)
    assert len(str(caught.value)) < 300 and len(caught.value.data) <= 503


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, 2.5, True, False, None, "é\u2028"]}, '{"a":[1,2.5,true,false,null,"é\u2028"]}'),
        ("null", '"null"'),
        ((1, 2), "[1,2]"),
        (2**70, "1180591620717411303424"),
        ([-(2**64), None], "[-18446744073709551616,null]"),
        ({1: 2, None: 3, 1.5: 5}, '{"1":2,"null":3,"1.5":5}'),
        ({True: 4}, '{"true":4}'),
        (Color.RED, '"red"'),
        (Level.LOW, "3"),
        (Usage(1), '{"prompt_tokens":1}'),
        ([{"a": Usage(1)}, None], '[{"a":{"prompt_tokens":1}},null]'),
        (Point(1), '{"x":1,"y":null}'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        ({"": {}}, '{"":{}}'),
    ],
)
def test_values_and_their_texts(value, expected):
    """Text is compact UTF-8, and the same with either library."""
    assert expected.encode() == jsontext.dumps(value, converter.unstructure)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        [1, float("inf")],
        {"a": {"b": -float("inf")}},
        {float("nan"): 1},
        object(),
        b"bytes",
        {1, 2},
        {(1, 2): 3},
        {Color.RED: 1},
        {uuid.UUID(int=1): 1},
        {datetime.date(2020, 1, 1): 1},
        datetime.datetime(2020, 1, 1),
        [datetime.date(2020, 1, 1), None],
        datetime.time(1),
        "half \ud83d",
        {"\ude00": 1},
        [2**70, "\ud83d"],
    ],
)
def test_what_has_no_json_form_is_a_config_error(value):
    """Nothing is written for what JSON cannot say; the error is ours with either library."""
    with pytest.raises(ConfigError):
        jsontext.dumps(value, converter.unstructure)


def test_the_error_names_what_has_no_json_form():
    """The text of the error helps to find the value."""
    with pytest.raises(ConfigError, match="bytes"):
        jsontext.dumps({"a": b"xyz"}, converter.unstructure)
    with pytest.raises(ConfigError, match="surrogate"):
        jsontext.dumps({"a": "x\ud83d"})


def test_deep_and_circular_values():
    """A nesting that a person would write is written; one without end is a ConfigError."""
    deep = []
    for _ in range(300):
        deep = [deep]
    assert b"[" * 301 + b"]" * 301 == jsontext.dumps(deep)
    circle = []
    circle.append(circle)
    with pytest.raises(ConfigError):
        jsontext.dumps(circle)
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(ConfigError):
        jsontext.dumps(deep)


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet='{}[]",:0123456789.eE+-\\udnulltrfas \n\ud83d', max_size=14))
def test_any_text_gives_a_value_or_our_error(text):
    """Whatever text comes, the outcome is what the standard library says under our rules."""
    try:
        expected = json.loads(text, parse_constant=lambda name: 1 / 0)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(DecodeError):
            jsontext.loads(text)
    else:
        assert expected == jsontext.loads(text) or "\\u" in text or "\ud83d" in text or "e" in text.lower()


LONG = "word " * 10_000


@pytest.mark.parametrize("odd", [math.nan, -math.inf])
@pytest.mark.parametrize("wrap", [lambda n: n, lambda n: [{"a": (1, n)}], lambda n: {"b": [0.5, [n]]}])
def test_no_number_in_a_long_text(odd, wrap):
    """A number that JSON does not have is refused beside a long text too, however deep."""
    with pytest.raises(ConfigError, match="JSON"):
        jsontext.dumps([LONG, wrap(odd)])


@pytest.mark.parametrize("value", [None, [None, 1.5], {"a": ({"b": True},)}, Usage(1), uuid.UUID(int=5)])
def test_values_beside_a_long_text(value):
    """What is written beside a long text is what is written alone."""
    alone = jsontext.dumps(value, converter.unstructure).decode()
    assert f'["{LONG}",{alone}]' == jsontext.dumps([LONG, value], converter.unstructure).decode()
