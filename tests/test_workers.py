"""What travels to worker processes and back: errors, wire classes, numbers, answers."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import attrs
import pytest

import compatapi
from calls import REQUEST, hard_limit  # noqa: F401
from compatapi import errors
from compatapi.chat_types import ChatCompletion, Choice, Message
from compatapi.convert import from_dict, to_dict
from compatapi.errors import CompatAPIError
from compatapi.http_types import Headers
from compatapi.stats import Stats
from compatapi.testing import ChatScript, ErrorScript, ScriptedServer
from jobs import ask, give_back, raise_it
from wire_examples import WIRE_CLASSES, full_json, minimal

COMMON = {
    "completion": ChatCompletion(id="1", choices=[Choice(0, Message.assistant("so far"))], extra={"x": 1}),
    "request_id": "req_1",
    "stats": Stats(head=0.5, first_data=1.0, events=3, bytes=100, attempts=2),
}
FIELDS = {
    errors.RequestTimeout: {"clock": "idle", "limit": 1.5, "elapsed": 1.6},
    errors.APIStatusError: {"status_code": 418, "headers": Headers({"X-Request-Id": "req_1"}), "retry_after": 2.5},
    errors.APIError: {"code": 1113, "type": "t", "param": "p", "body": {"error": {"more": [1, None]}}},
    errors.DecodeError: {"path": ("choices", 0), "data": "nonsense", "position": 7},
}
ERROR_CLASSES = [
    member
    for member in vars(errors).values()
    if isinstance(member, type) and issubclass(member, CompatAPIError | errors.StopStream)
]


def full_error(cls):
    """An error with all fields set."""
    values = dict(COMMON)
    for owner, fields in FIELDS.items():
        values |= fields if issubclass(cls, owner) else {}
    return cls("what happened", **values) if issubclass(cls, CompatAPIError) else cls("enough")


def examples(classes):
    """Of each wire class: one with every field, and one with what it demands."""
    return [value for cls in classes for value in (from_dict(cls, full_json(cls)), minimal(cls))]


# The parent of these tests has threads, with which a fork of a pool is a gamble; forks are tested above.
@pytest.fixture(scope="module")
def pool():
    """Worker processes, started anew."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


def test_every_error_comes_out_of_a_worker(pool):
    """An error that a worker returns or raises arrives with its class, text and all fields."""
    made = [full_error(cls) for cls in ERROR_CLASSES]
    assert len(made) > 20
    raised = [pool.submit(raise_it, error).exception(10) for error in made]
    for error, other, again in zip(made, pool.map(give_back, made, timeout=10), raised, strict=True):
        for one in (other, again):
            assert type(error) is type(one)
            assert (str(error), repr(error), error.args) == (str(one), repr(one), one.args)
            assert vars(error) == {name: value for name, value in vars(one).items() if name != "__notes__"}


def test_every_wire_class_comes_out_of_a_worker(pool):
    """Each wire class arrives with all its fields, what was not set unset, and writes the same JSON."""
    made = examples(WIRE_CLASSES)
    assert len(made) > 60
    for value, other in zip(made, pool.map(give_back, made, chunksize=8, timeout=10), strict=True):
        assert type(value) is type(other)
        assert value == other
        assert to_dict(value) == to_dict(other)
        assert repr(value) == repr(other)


def test_numbers_and_requests_come_out_of_a_worker(pool):
    """So do statistics, clocks, limits and whole requests."""
    made = [COMMON["stats"], compatapi.Timeouts(idle=3), compatapi.Limits(event=5), REQUEST]
    assert made == list(pool.map(give_back, made, timeout=10))
    assert {True} == {attrs.has(type(value)) for value in made}


def test_what_a_worker_got_from_a_server(pool):
    """Errors and answers of real calls in a worker arrive whole."""
    slow = ErrorScript(429, "slow", retry_after=7, headers={"X-Request-Id": "r1"})
    with ScriptedServer(slow, ChatScript("Hi there")) as server:
        error, completion = pool.submit(ask, server.base_url).result(10)
    assert (429, 7.0, "r1", 1) == (error.status_code, error.retry_after, error.request_id, error.stats.attempts)
    assert "slow" == error.body["error"]["message"]
    assert "Hi there" == completion.text
