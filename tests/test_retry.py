"""When to try again and how long to wait, as a pure policy."""

import pytest

from compatapi.errors import (
    APIStatusError,
    AuthenticationError,
    Cancelled,
    CompatAPIError,
    ConfigError,
    ConnectError,
    ConnectionLost,
    DecodeError,
    IncompleteStreamError,
    RateLimitError,
    RequestTimeout,
    StreamError,
    status_error_class,
)
from compatapi.http_types import Headers
from compatapi.retry import RetryEvent, RetryPolicy, parse_retry_after

NOW = 1445412470.0  # ten seconds before the date below
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


def status_error(status, headers=(), **fields):
    """An error as it is raised for an HTTP status."""
    return status_error_class(status)("No", status_code=status, headers=Headers(headers), **fields)


def is_retried(error):
    """Whether the policy wants a second attempt."""
    return RetryPolicy().delay(1, error, 0.0) is not None


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, *range(520, 525), 529])
def test_statuses_that_are_tried_again(status):
    """What a server says when it is busy or broken may go well a little later."""
    assert is_retried(status_error(status))


@pytest.mark.parametrize("status", [300, 302, 400, 401, 402, 403, 404, 405, 413, 418, 422, 451, 600])
def test_statuses_that_are_not(status):
    """What the request itself caused is not cured by waiting."""
    assert not is_retried(status_error(status))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectError("refused"), True),
        (ConnectionLost("reset"), True),
        (RequestTimeout("slow", clock="connect"), True),
        (RequestTimeout("slow", clock="idle"), False),
        (RequestTimeout("slow", clock="total"), False),
        (ConfigError("no key"), False),
        (StreamError("overloaded"), False),
        (DecodeError("nonsense"), False),
        (IncompleteStreamError("cut"), False),
        (Cancelled("closed"), False),
        (CompatAPIError("anything"), False),
    ],
)
def test_errors_without_a_status(error, expected):
    """Only a road that was broken before the answer is tried again."""
    assert expected is is_retried(error)


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "insufficient_quota"},
        {"type": "insufficient_quota"},
        {"code": "exceeded_current_quota_error"},
        {"type": "exceeded_current_quota_error"},
        {"code": "billing_hard_limit_reached"},
        {"code": "1113"},
        {"code": 1113},
    ],
)
def test_a_quota_that_is_used_up_is_not_waited_for(fields):
    """A 429 that no waiting cures is told at once, even when the server names a time."""
    assert not is_retried(status_error(429, **fields))
    assert not is_retried(status_error(429, retry_after=1.0, **fields))


@pytest.mark.parametrize(
    ("status", "told", "expected"),
    [
        (429, "false", False),
        (500, "False", False),
        (400, "true", True),
        (404, "TRUE", True),
        (429, "maybe", True),
        (400, "", False),
    ],
)
def test_the_server_has_the_last_word(status, told, expected):
    """x-should-retry overrides the table of statuses; another word in it does not count."""
    assert expected is is_retried(status_error(status, {"X-Should-Retry": told}))


def test_an_error_without_headers():
    """An error that a program made itself is judged like any other."""
    assert is_retried(RateLimitError("No", status_code=429))
    assert not is_retried(AuthenticationError("No", status_code=401))
    assert not is_retried(APIStatusError("No"))


def test_the_number_of_retries_is_bounded():
    """Two retries by default, none when they are turned off."""
    error = ConnectError("refused")
    assert [True, True, False, False] == [RetryPolicy().delay(n, error, 0.0) is not None for n in (1, 2, 3, 4)]
    assert RetryPolicy(max_retries=0).delay(1, error, 0.0) is None


@pytest.mark.parametrize(
    ("attempt", "expected"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (6, 8.0), (50, 8.0), (5000, 8.0)]
)
def test_the_pause_doubles_up_to_its_bound(attempt, expected):
    """Half a second, doubled each time up to 8 seconds, less up to a quarter by chance."""
    policy, error = RetryPolicy(max_retries=10**6), ConnectError("refused")
    assert expected == policy.delay(attempt, error, 0.0)
    assert expected * 0.75 == policy.delay(attempt, error, 1.0)
    assert expected * 0.875 == policy.delay(attempt, error, 0.5)


@pytest.mark.parametrize(
    ("asked", "expected"), [(0.0, 0.0), (0.02, 0.02), (7.0, 7.0), (60.0, 60.0), (60.1, None), (1e11, None)]
)
def test_the_pause_that_the_server_asks_for(asked, expected):
    """The server's wish is followed to the letter up to a cap; beyond it there is no second attempt."""
    assert expected == RetryPolicy().delay(1, status_error(429, retry_after=asked), 0.7)


def test_the_cap_is_a_setting():
    """A program may be more patient."""
    assert 300.0 == RetryPolicy(max_retry_after=600.0).delay(1, status_error(503, retry_after=300.0), 0.0)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 2 "}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": DATE}, 10.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 -0000"}, 10.0),
        ({"retry-after": "Wed, 21 Oct 2015 09:28:00 +0200"}, 10.0),
        ({"retry-after": "Wednesday, 21-Oct-15 07:28:00 GMT"}, 10.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:27:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 253402300799.0 - NOW),
        ({"retry-after": "Fri, 31 Dec 99999 23:59:59 GMT"}, None),
        ({"retry-after": "2015-10-21T07:28:00Z"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "20", "retry-after": "7"}, 0.02),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after-ms": "-1", "retry-after": "7"}, 7.0),
        ({"retry-after-ms": DATE}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-inf"}, None),
        ({"retry-after": "1e400"}, None),
        ({"retry-after": "0x10"}, None),
        ({"retry-after": "1_000"}, None),
        ({"retry-after": "1s"}, None),
        ({"retry-after": "2, 3"}, None),
        ({"retry-after": "\u0662"}, None),
        ({"retry-after": "99999999999"}, 99999999999.0),
        ({"retry-after": "9" * 5000}, None),
        ({"retry-after": ", , ,"}, None),
        ({"retry-after": "31 Foo 2015"}, None),
    ],
)
def test_retry_after_in_all_forms(headers, expected):
    """Milliseconds, seconds and dates are read; what is negative, no number or out of the world is not."""
    assert expected == parse_retry_after(headers, NOW)
    assert expected == parse_retry_after(Headers({name.title(): value for name, value in headers.items()}), NOW)


def test_an_event_tells_all_about_a_retry():
    """The callback is given the attempt, the bound, the pause and the error."""
    error = ConnectError("refused")
    event = RetryEvent(1, 2, 0.5, error)
    assert (1, 2, 0.5, error) == (event.attempt, event.max_retries, event.delay, event.error)
