"""Trying again: what is tried again, how often, after which pause, and what a program is told."""

import pytest
import requests
import responses

from calls import REQUEST, error_of, hard_limit  # noqa: F401
from compatapi import errors
from compatapi.call import Call, Timeouts
from compatapi.client import Client
from compatapi.testing import (
    ChatScript,
    ErrorScript,
    Raw,
    Reply,
    ScriptedServer,
    ScriptedTransport,
    add_completion,
    add_error,
)

BASE = "http://example.test/v1"
HELLO = ChatScript("Hello there!")


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between attempts, which are not waited for."""
    taken = []
    monkeypatch.setattr(Call, "pause", lambda call, seconds: taken.append(seconds))
    return taken


def always(script):
    """A transport that gives the same answer to every request."""
    return ScriptedTransport(lambda request: script)


def trying(transport, **options):
    """A client that tries again as often as clients do by themselves."""
    return Client(transport.provider(), transport=transport, **options)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 505, 529])
def test_statuses_that_may_pass(pauses, status):
    """After a status that may pass the request is sent twice more, the same bytes each time."""
    transport = always(ErrorScript(status, "busy"))
    assert status == error_of_status(trying(transport)).status_code
    assert (3, 2) == (len(transport.requests), len(pauses))
    assert 1 == len({request.body for request in transport.requests})


@pytest.mark.parametrize("status", [302, 400, 401, 402, 403, 404, 413, 422])
def test_statuses_that_stay(pauses, status):
    """After other statuses nothing is sent again."""
    transport = always(ErrorScript(status, "no"))
    assert status == error_of_status(trying(transport)).status_code
    assert (1, []) == (len(transport.requests), pauses)


def error_of_status(client):
    """The status error of a blocking call."""
    with pytest.raises(errors.APIStatusError) as caught:
        client.chat_completion(REQUEST)
    return caught.value


@pytest.mark.parametrize("code", ["insufficient_quota", "billing_hard_limit_reached"])
def test_an_empty_purse(pauses, code):
    """A 429 that says that no quota is left is not tried again."""
    transport = always(ErrorScript(429, "pay", code=code))
    error_of(errors.RateLimitError, trying(transport).chat_completion, REQUEST)
    assert (1, []) == (len(transport.requests), pauses)


def test_success_after_failures(pauses):
    """The answer of a later attempt is the answer; on_retry is told before each pause."""
    told = []
    with responses.RequestsMock() as web:
        add_error(web, 500, "first", base_url=BASE)
        web.post(f"{BASE}/chat/completions", body=requests.exceptions.ConnectionError("refused"))
        add_completion(web, base_url=BASE)
        client = Client(base_url=BASE, on_retry=lambda event: told.append((event, len(pauses))))
        assert "Hello there!" == client.chat_completion(REQUEST).text
    events = [event for event, _ in told]
    assert [(1, 2), (2, 2)] == [(event.attempt, event.max_retries) for event in events]
    assert [errors.ServerError, errors.ConnectError] == [type(event.error) for event in events]
    assert (pauses, [0, 1]) == ([event.delay for event in events], [before for _, before in told])
    assert all(0 < pause <= 1 for pause in pauses)


def test_an_exception_of_on_retry(pauses):
    """An exception of on_retry comes out unchanged and ends the call."""
    transport, problem = always(ErrorScript(500)), RuntimeError("mine")

    def fail(event):
        raise problem

    assert problem is error_of(RuntimeError, trying(transport, on_retry=fail).chat_completion, REQUEST)
    assert 1 == len(transport.requests)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, [7.0, 7.0]),
        ({"retry-after-ms": "1500", "Retry-After": "7"}, [1.5, 1.5]),
        ({"Retry-After": "3600"}, []),
        ({"x-should-retry": "false"}, []),
    ],
)
def test_what_the_server_asks_for(pauses, headers, expected):
    """The pause is what the server asks for; one that is too long, or forbidden, is none."""
    transport = always(ErrorScript(429, headers=headers))
    error_of(errors.RateLimitError, trying(transport).chat_completion, REQUEST)
    assert expected == pauses


@pytest.mark.parametrize("text", ["-5", "soon", "nan", "inf", "", "99999999999999999999999"])
def test_retry_after_that_makes_no_sense(pauses, text):
    """Nonsense in Retry-After is no reason to fail otherwise: our own pause, or none at all."""
    transport = always(ErrorScript(503, headers={"Retry-After": text}))
    error_of(errors.ServerError, trying(transport).chat_completion, REQUEST)
    assert all(0 <= pause <= 1 for pause in pauses)


def test_numbers_of_retries(pauses):
    """max_retries of the client and of the call say how many more attempts there are; 0 means none."""
    transport = always(ErrorScript(500))
    error_of(errors.ServerError, transport.client(max_retries=0).chat_completion, REQUEST)
    assert 1 == len(transport.requests)
    error_of(errors.ServerError, transport.client(max_retries=0).chat_completion, REQUEST, max_retries=3)
    assert 5 == len(transport.requests)
    error_of(errors.ServerError, transport.client(max_retries=3).chat_completion_stream, REQUEST, max_retries=0)
    assert 6 == len(transport.requests)


def test_an_error_with_status_200_is_not_tried_again(pauses):
    """Neither an error in an answer with status 200 nor nonsense is tried again."""
    told = ErrorScript(200, body={"error": {"message": "no", "code": "rate_limit"}})
    with ScriptedTransport(told, ChatScript(fault="bad-json"), strict=True) as transport:
        error_of(errors.StreamError, trying(transport).chat_completion, REQUEST)
        error_of(errors.DecodeError, trying(transport).chat_completion, REQUEST)
    assert [] == pauses


def test_a_stream_is_opened_again_but_never_continued(pauses):
    """A stream is tried again while it does not begin, and never once it has begun."""
    with ScriptedTransport(ErrorScript(503), ChatScript("Hi", fault="no-end"), strict=True) as transport:
        stream = trying(transport).chat_completion_stream(REQUEST)
        error_of(errors.IncompleteStreamError, list, stream)
    assert 1 == len(pauses)


def test_retries_of_the_other_calls(pauses):
    """models and embeddings are tried again as well."""
    transport = always(ErrorScript(500))
    error_of(errors.ServerError, trying(transport).models)
    error_of(errors.ServerError, trying(transport).embeddings, "m", "text")
    assert ["models"] * 3 + ["embeddings"] * 3 == [request.operation for request in transport.requests]


@pytest.mark.parametrize("fault", ["no-answer", "head-cut", "reset-at-once"])
def test_connections_that_break_before_an_answer(pauses, fault):
    """A connection that is closed before an answer began is tried again, on a new one."""
    broken = ChatScript(fault=fault)
    with ScriptedServer(broken, broken, HELLO, strict=True) as server:
        assert "Hello there!" == server.client(max_retries=2).chat_completion(REQUEST).text
    assert (3, 3) == (len(server.requests), server.connections)


def test_a_status_with_a_huge_body_is_tried_again(pauses):
    """That the rest of a long error body is not read does not end the call."""
    busy = Reply(503, body=b"x" * 2_000_000)
    with ScriptedServer(busy, busy, HELLO, strict=True) as server:
        assert "Hello there!" == server.client(max_retries=2).chat_completion(REQUEST).text


def test_a_status_with_a_huge_body_and_a_real_pause():
    """The pause after a long error body is an ordinary pause."""
    busy = Reply(503, body=b"x" * 2_000_000, headers={"retry-after-ms": "10"})
    with ScriptedServer(busy, HELLO, strict=True) as server:
        assert "Hello there!" == server.client(max_retries=2).chat_completion(REQUEST).text


def test_a_cut_error_body_keeps_its_status(pauses):
    """A status that is known is not lost because the body behind it breaks off."""
    cut = Raw([b'HTTP/1.1 401 No\r\nContent-Length: 500\r\n\r\n{"error": {"message": "bad key'])
    with ScriptedServer(cut, strict=True) as server:
        error = error_of(errors.AuthenticationError, server.client(max_retries=2).chat_completion, REQUEST)
    assert "bad key" in str(error)


def test_the_clock_of_the_call_goes_on():
    """The total clock counts attempts and pauses, also behind answers that were read to their end."""
    with ScriptedTransport(ErrorScript(503, "busy", retry_after=30)) as transport:
        error = error_of(
            errors.RequestTimeout, trying(transport, timeouts=Timeouts(total=0.3)).chat_completion, REQUEST
        )
    assert ("total", 0.3) == (error.clock, error.limit)
    assert error.elapsed < 1


def test_the_clock_of_the_call_goes_on_in_a_stream():
    """The total clock of a stream that needed a second attempt ends that stream."""
    slow = ChatScript("a b c d e f g h", interval=10)
    with ScriptedTransport(ErrorScript(503, "busy", retry_after=0.01), slow) as transport:
        stream = trying(transport, timeouts=Timeouts(total=40.5)).chat_completion_stream(REQUEST)
        error = error_of(errors.RequestTimeout, list, stream)
    assert ("total", "a b c d") == (error.clock, error.completion.text)
