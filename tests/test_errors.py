"""The error classes: one family, each with its fields, through pickle and copy."""

import copy
import pickle

import pytest

from compatapi import errors
from compatapi.chat_types import ChatCompletion, Choice, Message
from compatapi.errors import (
    APIError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    CompatAPIError,
    ConfigError,
    ConflictError,
    ContextLengthError,
    DecodeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeout,
    RequestTooLargeError,
    ServerError,
    StopStream,
    StreamError,
    TransportError,
    UnprocessableEntityError,
    at_path,
    cut,
    fill,
    status_error_class,
)
from compatapi.http_types import Headers

CLASSES = [
    member
    for name in errors.__all__
    if isinstance(member := getattr(errors, name), type) and issubclass(member, CompatAPIError)
]
COMMON = {
    "completion": ChatCompletion(id="1", choices=[Choice(0, Message.assistant("so far"))], extra={"x": 1}),
    "request_id": "req_1",
    "stats": {"chunks": 3},
}
API = {"code": 1113, "type": "t", "param": "p", "body": {"error": {"message": "m", "more": [1, None]}}}
FIELDS = {
    RequestTimeout: {"clock": "idle", "limit": 1.5, "elapsed": 1.6},
    APIStatusError: {"status_code": 418, "headers": Headers({"X-Request-Id": "req_1"}), "retry_after": 2.5},
    APIError: API,
    DecodeError: {"path": ("choices", 0, "delta"), "data": "nonsense", "position": 7},
}


def full_error(cls):
    """An error of the class with every field set, and those fields."""
    values = {**COMMON}
    for owner, fields in FIELDS.items():
        values |= fields if issubclass(cls, owner) else {}
    return cls("what happened", **values), values


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_keeps_its_fields_through_copy_and_pickle(cls, again):
    """A copy has the same class, text, arguments and fields."""
    error, values = full_error(cls)
    other = again(error)
    assert cls is type(other) and other is not error
    assert (str(error), repr(error), error.args) == (str(other), repr(other), other.args)
    assert values == {name: getattr(other, name) for name in values} == vars(other)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_pickle(protocol):
    """An error without an answer in it can be pickled by any protocol."""
    error = pickle.loads(pickle.dumps(RequestTimeout("slow", clock="idle", limit=1.0), protocol))
    assert ("slow", "idle", 1.0) == (error.message, error.clock, error.limit)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_field_has_a_default(cls):
    """An error that is given only its text has every attribute that its class promises."""
    _, values = full_error(cls)
    error = cls("text")
    assert ("text", "text") == (str(error), error.message)
    assert all(hasattr(error, name) for name in values)
    assert (None, None, None) == (error.completion, error.request_id, error.stats)
    assert "" == cls().message


@pytest.mark.parametrize(
    ("cls", "parent"),
    [
        (ConfigError, CompatAPIError),
        (errors.ConnectError, TransportError),
        (RequestTimeout, TransportError),
        (errors.ConnectionLost, TransportError),
        (APIStatusError, APIError),
        (ContextLengthError, BadRequestError),
        (RequestTooLargeError, BadRequestError),
        (StreamError, APIError),
        (DecodeError, CompatAPIError),
        (errors.IncompleteStreamError, CompatAPIError),
        (errors.Cancelled, CompatAPIError),
    ],
)
def test_the_family_is_as_it_is_drawn(cls, parent):
    """An except clause for a parent catches its children."""
    assert issubclass(cls, parent) and issubclass(parent, CompatAPIError)


def test_stop_stream_is_no_error_of_ours():
    """A program that catches all our errors does not catch its own wish to stop."""
    assert not issubclass(StopStream, CompatAPIError)


def test_all_is_sorted_and_complete():
    """Every public name of the module is in __all__, in order."""
    public = {
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert sorted(errors.__all__) == errors.__all__
    assert public <= set(errors.__all__)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, APIStatusError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, APIStatusError),
        (408, APIStatusError),
        (409, ConflictError),
        (413, RequestTooLargeError),
        (418, APIStatusError),
        (422, UnprocessableEntityError),
        (425, APIStatusError),
        (429, RateLimitError),
        (500, ServerError),
        (502, ServerError),
        (529, ServerError),
        (599, ServerError),
        (302, APIStatusError),
        (600, APIStatusError),
        (999, APIStatusError),
    ],
)
def test_the_class_of_a_status(status, cls):
    """Each status has one class; one that nobody knows has the general one."""
    assert cls is status_error_class(status)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, ContextLengthError),
        (413, ContextLengthError),
        (429, RateLimitError),
        (500, ServerError),
        (422, UnprocessableEntityError),
    ],
)
def test_a_prompt_that_is_too_long(status, cls):
    """A code that speaks of the context length counts for 400 and 413 only."""
    assert cls is status_error_class(status, too_long=True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), "Wrong"),
        (("model",), "Wrong at model"),
        (("choices", 0, "delta"), "Wrong at choices[0].delta"),
        ((1, "id"), "Wrong at [1].id"),
        (("grid", 1, 2), "Wrong at grid[1][2]"),
    ],
)
def test_a_decode_error_shows_its_path(path, expected):
    """The path is in the text as a programmer would write it; the message is without it."""
    error = DecodeError("Wrong", path=path)
    assert (expected, "Wrong") == (str(error), error.message)


def test_steps_are_put_in_front_of_a_path():
    """An error on its way up learns where it was, from inside to outside."""
    error = DecodeError("Wrong", path=("name",))
    assert error is at_path(error, ("calls", 2))
    assert ("calls", 2, "name") == error.path


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [
        ("short", 10, "short"),
        ("x" * 11, 10, "x" * 10 + "..."),
        (b"ab\xff", 10, "ab\ufffd"),
        (memoryview(b"abc"), 2, "ab..."),
        (bytearray("é" * 20, "utf-8"), 5, "é" * 5 + "..."),
        (["a", 1], 100, "['a', 1]"),
        (None, 10, "None"),
    ],
)
def test_long_values_are_cut(value, limit, expected):
    """What goes into an error is bounded, whatever it is."""
    assert expected == cut(value, limit)


def test_only_empty_fields_are_filled():
    """What is known closer to the fault stays."""
    error = APIStatusError("No", code="mine")
    assert error is fill(error, {"code": "other", "param": "p", "request_id": "r", "completion": None})
    assert ("mine", "p", "r", None) == (error.code, error.param, error.request_id, error.completion)
