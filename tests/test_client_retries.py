"""Trying again: what is tried again, how often, after which pause, and what a program is told."""

import pytest
import requests
import responses

from calls import COMPLETION, REQUEST, client_of, error_of, hard_limit, sse  # noqa: F401
from compatapi import errors
from compatapi.call import Call, Timeouts
from compatapi.client import Client
from compatapi.testing import Raw, Reply, ScriptedServer, StreamReply, chat_chunks, error_reply

BASE = "http://example.test/v1"
CHAT = f"{BASE}/chat/completions"


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between attempts, which are not waited for."""
    taken = []
    monkeypatch.setattr(Call, "pause", lambda call, seconds: taken.append(seconds))
    return taken


@pytest.fixture
def web():
    """A network without servers."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 505, 529])
def test_statuses_that_may_pass(web, pauses, status):
    """After a status that may pass the request is sent twice more, the same bytes each time."""
    web.post(CHAT, status=status, json={"error": "busy"})
    assert status == error_of_status(Client(base_url=BASE)).status_code
    assert (3, 2) == (len(web.calls), len(pauses))
    assert 1 == len({call.request.body for call in web.calls})


@pytest.mark.parametrize("status", [302, 400, 401, 402, 403, 404, 413, 422])
def test_statuses_that_stay(web, pauses, status):
    """After other statuses nothing is sent again."""
    web.post(CHAT, status=status, json={"error": "no"})
    assert status == error_of_status(Client(base_url=BASE)).status_code
    assert (1, []) == (len(web.calls), pauses)


def error_of_status(client):
    """The status error of a blocking call."""
    with pytest.raises(errors.APIStatusError) as caught:
        client.chat_completion(REQUEST)
    return caught.value


@pytest.mark.parametrize("code", ["insufficient_quota", "billing_hard_limit_reached"])
def test_an_empty_purse(web, pauses, code):
    """A 429 that says that no quota is left is not tried again."""
    web.post(CHAT, status=429, json={"error": {"message": "pay", "code": code}})
    error_of(errors.RateLimitError, Client(base_url=BASE).chat_completion, REQUEST)
    assert (1, []) == (len(web.calls), pauses)


def test_success_after_failures(web, pauses):
    """The answer of a later attempt is the answer; on_retry is told before each pause."""
    web.post(CHAT, status=500, json={"error": "first"})
    web.post(CHAT, body=requests.exceptions.ConnectionError("refused"))
    web.post(CHAT, json=COMPLETION)
    told = []
    client = Client(base_url=BASE, on_retry=lambda event: told.append((event, len(pauses))))
    assert "Hello there!" == client.chat_completion(REQUEST).text
    events = [event for event, _ in told]
    assert [(1, 2), (2, 2)] == [(event.attempt, event.max_retries) for event in events]
    assert [errors.ServerError, errors.ConnectError] == [type(event.error) for event in events]
    assert (pauses, [0, 1]) == ([event.delay for event in events], [before for _, before in told])
    assert all(0 < pause <= 1 for pause in pauses)


def test_an_exception_of_on_retry(web, pauses):
    """An exception of on_retry comes out unchanged and ends the call."""
    web.post(CHAT, status=500)
    problem = RuntimeError("mine")

    def fail(event):
        raise problem

    assert problem is error_of(RuntimeError, Client(base_url=BASE, on_retry=fail).chat_completion, REQUEST)
    assert 1 == len(web.calls)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, [7.0, 7.0]),
        ({"retry-after-ms": "1500", "Retry-After": "7"}, [1.5, 1.5]),
        ({"Retry-After": "3600"}, []),
        ({"x-should-retry": "false"}, []),
    ],
)
def test_what_the_server_asks_for(web, pauses, headers, expected):
    """The pause is what the server asks for; one that is too long, or forbidden, is none."""
    web.post(CHAT, status=429, headers=headers)
    error_of(errors.RateLimitError, Client(base_url=BASE).chat_completion, REQUEST)
    assert expected == pauses


@pytest.mark.parametrize("text", ["-5", "soon", "nan", "inf", "", "99999999999999999999999"])
def test_retry_after_that_makes_no_sense(web, pauses, text):
    """Nonsense in Retry-After is no reason to fail otherwise: our own pause, or none at all."""
    web.post(CHAT, status=503, headers={"Retry-After": text})
    error_of(errors.ServerError, Client(base_url=BASE).chat_completion, REQUEST)
    assert all(0 <= pause <= 1 for pause in pauses)


def test_numbers_of_retries(web, pauses):
    """max_retries of the client and of the call say how many more attempts there are; 0 means none."""
    web.post(CHAT, status=500)
    error_of(errors.ServerError, client_of(BASE, max_retries=0).chat_completion, REQUEST)
    assert 1 == len(web.calls)
    error_of(errors.ServerError, client_of(BASE, max_retries=0).chat_completion, REQUEST, max_retries=3)
    assert 5 == len(web.calls)
    error_of(errors.ServerError, client_of(BASE, max_retries=3).chat_completion_stream, REQUEST, max_retries=0)
    assert 6 == len(web.calls)


def test_an_error_with_status_200_is_not_tried_again(web, pauses):
    """Neither an error in an answer with status 200 nor nonsense is tried again."""
    web.post(CHAT, json={"error": {"message": "no", "code": "rate_limit"}})
    error_of(errors.StreamError, Client(base_url=BASE).chat_completion, REQUEST)
    web.replace(responses.POST, CHAT, body="nonsense")
    error_of(errors.DecodeError, Client(base_url=BASE).chat_completion, REQUEST)
    assert 2 == len(web.calls)


def test_a_stream_is_opened_again_but_never_continued(web, pauses):
    """A stream is tried again while it does not begin, and never once it has begun."""
    web.post(CHAT, status=503)
    web.post(CHAT, body=sse(*chat_chunks("Hi", finish_reason=None), done=False))
    stream = Client(base_url=BASE).chat_completion_stream(REQUEST)
    error_of(errors.IncompleteStreamError, list, stream)
    assert (2, 1) == (len(web.calls), len(pauses))


def test_retries_of_the_other_calls(web, pauses):
    """models and embeddings are tried again as well."""
    web.get(f"{BASE}/models", status=500)
    web.post(f"{BASE}/embeddings", status=500)
    error_of(errors.ServerError, Client(base_url=BASE).models)
    error_of(errors.ServerError, Client(base_url=BASE).embeddings, "m", "text")
    assert 6 == len(web.calls)


@pytest.mark.parametrize("broken", [Raw([]), Raw([b"HTTP/1.1 200 O"]), Raw([], reset=True)])
def test_connections_that_break_before_an_answer(pauses, broken):
    """A connection that is closed before an answer began is tried again, on a new one."""
    with ScriptedServer(broken, broken, Reply(body=COMPLETION)) as server:
        assert "Hello there!" == Client(base_url=server.base_url).chat_completion(REQUEST).text
    assert (3, 3) == (len(server.requests), server.connections)


def test_a_status_with_a_huge_body_is_tried_again(pauses):
    """That the rest of a long error body is not read does not end the call."""
    busy = Reply(503, body=b"x" * 2_000_000)
    with ScriptedServer(busy, busy, Reply(body=COMPLETION)) as server:
        client = Client(base_url=server.base_url)
        assert "Hello there!" == client.chat_completion(REQUEST).text


def test_a_status_with_a_huge_body_and_a_real_pause():
    """The pause after a long error body is an ordinary pause."""
    busy = Reply(503, body=b"x" * 2_000_000, headers={"retry-after-ms": "10"})
    with ScriptedServer(busy, Reply(body=COMPLETION)) as server:
        assert "Hello there!" == Client(base_url=server.base_url).chat_completion(REQUEST).text


def test_a_cut_error_body_keeps_its_status(pauses):
    """A status that is known is not lost because the body behind it breaks off."""
    cut = Raw([b'HTTP/1.1 401 No\r\nContent-Length: 500\r\n\r\n{"error": {"message": "bad key'])
    with ScriptedServer(cut, cut, cut) as server:
        error = error_of(errors.AuthenticationError, Client(base_url=server.base_url).chat_completion, REQUEST)
    assert "bad key" in str(error)
    assert 1 == len(server.requests)


def test_the_clock_of_the_call_goes_on():
    """The total clock counts attempts and pauses, also behind answers that were read to their end."""
    busy = error_reply(503, "busy", headers={"Retry-After": "30"})
    with ScriptedServer(busy, busy) as server:
        client = Client(base_url=server.base_url, timeouts=Timeouts(total=0.3))
        error = error_of(errors.RequestTimeout, client.chat_completion, REQUEST)
    assert ("total", 0.3) == (error.clock, error.limit)
    assert error.elapsed < 1


def test_the_clock_of_the_call_goes_on_in_a_stream():
    """The total clock of a stream that needed a second attempt ends that stream."""
    again = error_reply(503, "busy", headers={"retry-after-ms": "10"})
    slow = StreamReply(chat_chunks("a b c d e f g h"), interval=0.1)
    with ScriptedServer(again, slow) as server:
        stream = Client(base_url=server.base_url, timeouts=Timeouts(total=0.4)).chat_completion_stream(REQUEST)
        error = error_of(errors.RequestTimeout, list, stream)
    assert "total" == error.clock
    assert error.completion.text.startswith("a")
