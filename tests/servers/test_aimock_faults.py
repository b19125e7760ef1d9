"""aimock says no, breaks off, talks nonsense or keeps silent."""

import pytest

from compatapi import (
    AuthenticationError,
    Client,
    CompatAPIError,
    ConnectionLost,
    ContextLengthError,
    DecodeError,
    IncompleteStreamError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeout,
    ServerError,
    Timeouts,
    UnprocessableEntityError,
)
from servers.asking import STREAMS, WAYS, complete


def failure(kind, client, way, text, **options):
    """The error with which a call ends, which has to be of this very class."""
    with pytest.raises(CompatAPIError) as caught:
        complete(client, way, text, **options)
    assert kind is type(caught.value)
    return caught.value


# --- statuses


@WAYS
@pytest.mark.parametrize(
    ("status", "kind", "message", "type_", "code", "param"),
    [
        (
            400,
            ContextLengthError,
            "The prompt has 9000 tokens, the model takes 8192",
            "invalid_request_error",
            "context_length_exceeded",
            "messages",
        ),
        (403, PermissionDeniedError, "Not for this key", "permission_error", None, None),
        (422, UnprocessableEntityError, "Well-formed, but no", "server_error", None, "temperature"),
        (429, RateLimitError, "Slow down", "rate_limit_error", "rate_limit_exceeded", None),
        (500, ServerError, "Something broke", "server_error", None, None),
        (503, ServerError, "Overloaded", "overloaded_error", None, None),
    ],
)
def test_statuses(client, way, status, kind, message, type_, code, param):
    """Each status has its class, and every field of the error's body is handed on."""
    error = failure(kind, client, way, f"Fail with {status}")
    assert status == error.status_code
    assert message in str(error)
    assert (type_, code, param) == (error.type, error.code, error.param)
    assert message == error.body["error"]["message"]
    assert error.headers["x-request-id"] == error.request_id
    assert error.request_id.startswith("req-")


def test_the_seconds_to_wait_of_a_429(client):
    """Retry-After and the headers of the limits are handed on."""
    error = failure(RateLimitError, client, "blocking", "Fail with 429")
    assert (7.0, "150000") == (error.retry_after, error.headers["X-RateLimit-Limit-Tokens"])
    assert failure(ServerError, client, "blocking", "Fail with 500").retry_after is None


@WAYS
def test_a_wrong_key(aimock, way):
    """A key that the server does not know is a 401, and is not shown."""
    with Client(base_url=f"{aimock}/v1", api_key="sk-not-this-one", max_retries=0) as client:
        error = failure(AuthenticationError, client, way, "Count the planets")
    assert (401, "authentication_error", "invalid_api_key") == (error.status_code, error.type, error.code)
    assert "Invalid API key" in str(error)
    assert "not-this-one" not in repr(vars(error))


def test_no_key(aimock):
    """A client without a key sends none, and the server says so."""
    with Client(base_url=f"{aimock}/v1", max_retries=0) as client, pytest.raises(AuthenticationError):
        client.models()


@WAYS
def test_a_question_without_a_fixture(client, way):
    """aimock's answer to an unknown question is a 404 with a code of its own."""
    error = failure(NotFoundError, client, way, "What nobody wrote down")
    assert (404, "invalid_request_error", "no_fixture_match") == (error.status_code, error.type, error.code)
    assert "No fixture matched" in str(error)


def test_a_path_without_a_handler(aimock):
    """A base URL that lacks its /v1 ends in a 404 for the list of models."""
    with Client(base_url=aimock, api_key="test", max_retries=0) as client, pytest.raises(NotFoundError) as caught:
        client.models()
    assert 404 == caught.value.status_code


@WAYS
def test_a_strict_server(client, way):
    """In strict mode the unknown question is a 503, and the header of one call is enough to ask for it."""
    error = failure(ServerError, client, way, "What nobody wrote down", headers={"X-AIMock-Strict": "true"})
    assert (503, "no_fixture_match") == (error.status_code, error.code)


# --- retries


@WAYS
def test_a_429_is_tried_again(aimock, way):
    """After a 429 with Retry-After the same request is sent again, and its answer is handed out."""
    events = []
    with Client(base_url=f"{aimock}/v1", api_key="test", max_retries=1, on_retry=events.append) as client:
        completion = complete(client, way, "Fail once", headers={"X-Test-Id": f"retry, {way}"})
    assert "The second attempt is answered." == completion.text
    ((attempt, delay, kind),) = [(event.attempt, event.delay, type(event.error)) for event in events]
    assert (1, 0.0, RateLimitError) == (attempt, delay, kind)


def test_retries_have_an_end(aimock):
    """When all attempts fail, the last error comes out."""
    events = []
    with Client(base_url=f"{aimock}/v1", api_key="test", max_retries=2, on_retry=events.append) as client:
        options = {"headers": {"X-AIMock-Chaos-Disconnect": "1"}}
        failure(ConnectionLost, client, "blocking", "Count the planets", **options)
    assert [1, 2] == [event.attempt for event in events]


# --- faults


@WAYS
def test_a_connection_closed_instead_of_an_answer(client, way):
    """A server that hangs up before the head of its answer is a lost connection."""
    failure(ConnectionLost, client, way, "Count the planets", headers={"X-AIMock-Chaos-Disconnect": "1"})


@STREAMS
def test_a_stream_that_breaks_off(client, way):
    """A stream that is cut in the middle is an error, and what came before is kept."""
    error = failure(ConnectionLost, client, way, "Break off after four chunks")
    text = error.completion.text
    assert text and "One, two, three, four, five, six, seven.".startswith(text)
    assert "seven" not in text
    assert error.completion.finish_reason is None
    assert error.request_id.startswith("req-")


def test_a_body_that_is_no_json(client):
    """A blocking answer that is no JSON is a decode error that shows it."""
    error = failure(DecodeError, client, "blocking", "Count the planets", headers={"X-AIMock-Chaos-Malformed": "1"})
    assert "{malformed json: <<<chaos>>>" == error.data
    assert 1 == error.position


@STREAMS
def test_a_body_that_is_neither_stream_nor_json(client, way):
    """Where a stream was asked for, the same body is one of our errors too, and no answer."""
    options = {"headers": {"X-AIMock-Chaos-Malformed": "1"}}
    with pytest.raises((DecodeError, IncompleteStreamError)) as caught:
        complete(client, way, "Count the planets", **options)
    assert "chaos" in str(caught.value)
    assert "" == caught.value.completion.text


@WAYS
def test_chaos_that_drops(client, way):
    """A request that aimock drops by chance is a 500 with its own code."""
    error = failure(ServerError, client, way, "Count the planets", headers={"X-AIMock-Chaos-Drop": "1"})
    assert (500, "chaos_drop") == (error.status_code, error.code)


@WAYS
def test_silence_before_the_answer(client, way):
    """A server that does not even send a head is given up by the clock of the first token."""
    options = {"headers": {"X-AIMock-Chaos-Latency": "30000"}, "timeouts": Timeouts(first_token=0.3)}
    error = failure(RequestTimeout, client, way, "Count the planets", **options)
    assert ("first_token", 0.3) == (error.clock, error.limit)


@STREAMS
def test_silence_before_the_first_chunk(client, way):
    """The same clock runs when the server waits before its first chunk."""
    error = failure(RequestTimeout, client, way, "Wait before the first chunk", timeouts=Timeouts(first_token=0.3))
    assert "first_token" == error.clock


@STREAMS
def test_silence_in_the_middle(client, way):
    """Between chunks it is the idle clock, and the error has what came before."""
    error = failure(RequestTimeout, client, way, "Wait between chunks", timeouts=Timeouts(idle=0.3))
    assert ("idle", 0.3) == (error.clock, error.limit)
    assert "assistant" == error.completion.message.role


@WAYS
def test_a_late_answer_is_an_answer(client, way):
    """A delay within the limits harms nothing."""
    options = {"headers": {"X-AIMock-Chaos-Latency": "200"}, "timeouts": Timeouts(first_token=30, idle=30, total=60)}
    assert "This was too long" == complete(client, way, "Stop at the limit", **options).text
