"""What is logged under ``compatapi``: a line for each request, retry and end, with the request id, and no secret."""

import logging

import pytest

from calls import REQUEST, TOLD, client_of, error_of, eventually, hard_limit  # noqa: F401
from compatapi import errors
from compatapi.testing import ChatScript, ErrorScript, Reply, ScriptedServer, StreamReply

ID = {"X-Request-Id": "req-7"}
BUSY = ErrorScript(503, f"busy {TOLD}", retry_after=0.001, headers=ID)
STREAM = ChatScript("one secret answer", headers=ID)


@pytest.fixture
def log(caplog):
    """The lines of our logger, as pairs of level and text."""
    caplog.set_level(logging.DEBUG, "compatapi")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "compatapi"]


def ways(client):
    """Every way to ask."""
    return [
        lambda: client.chat_completion_stream(REQUEST, lambda chunk: None),
        lambda: list(client.chat_completion_stream(REQUEST)),
        lambda: client.start_stream(REQUEST).result(5),
    ]


def test_a_request_that_succeeds(log):
    """One line for the request, with its address, one for the head, and one for the end, with the request id."""
    with ScriptedServer(lambda request: STREAM) as server:
        for number, way in enumerate(ways(server.client(api_key=TOLD)), 1):
            way()
            lines = log()
            assert 3 * number == len(lines)
            (first, asked), (second, answered), (third, ended) = lines[-3:]
            assert ("DEBUG", "DEBUG", "DEBUG") == (first, second, third)
            assert f"POST {server.base_url}/chat/completions" == asked
            assert answered.startswith("answer 200, request id req-7, after 0.")
            assert ended.startswith("stream ended, request id req-7, 7 events after 0.")


def test_the_other_calls(log):
    """Blocking calls and lists of models are logged alike."""
    with ScriptedServer(ChatScript("Hello there!", headers=ID), Reply(body={"data": []}, headers=ID)) as server:
        client = server.client()
        client.chat_completion(REQUEST)
        client.models()
        url = server.base_url
    texts = [text.partition(", after")[0] for _, text in log()]
    answer = "answer 200, request id req-7"
    assert [f"POST {url}/chat/completions", answer, f"GET {url}/models", answer] == texts


def test_a_retry(compatapi_server, compatapi_client_factory, log):
    """A retry is one line of level INFO, with attempt, error, request id and pause."""
    compatapi_server.add(BUSY, STREAM)
    compatapi_client_factory(api_key=TOLD, max_retries=1).chat_completion_stream(REQUEST, lambda chunk: None)
    assert ["DEBUG", "DEBUG", "INFO", "DEBUG", "DEBUG", "DEBUG"] == [level for level, _ in log()]
    assert "attempt 1 failed (ServerError, request id req-7), the next in 0.0 s" == log()[2][1]


@pytest.mark.parametrize("retries", [0, 2])
def test_a_failure(log, retries):
    """The end of a call that fails is one line, with the name of the error and the request id."""
    with ScriptedServer(lambda request: BUSY) as server:
        error_of(errors.ServerError, server.client(max_retries=retries).chat_completion, REQUEST)
    lines = log()
    assert retries == sum(level == "INFO" for level, _ in lines)
    assert 1 == sum("failed: ServerError" in text for _, text in lines)
    assert ("DEBUG", True) == (lines[-1][0], "req-7" in lines[-1][1])


def test_a_failure_without_an_answer(log):
    """A connection that is refused is logged as one failure."""
    with ScriptedServer() as server:
        url = server.base_url
    error_of(errors.ConnectError, client_of(url).chat_completion, REQUEST)
    assert ["DEBUG", "DEBUG"] == [level for level, _ in log()]
    assert "failed: ConnectError" in log()[-1][1]


def test_a_stream_that_breaks(compatapi_server, compatapi_client, log):
    """A stream that fails behind its head has a line for its end too."""
    compatapi_server.add(ChatScript("Hi", headers=ID, fault="no-end"))
    error_of(errors.IncompleteStreamError, compatapi_client.chat_completion_stream, REQUEST, lambda chunk: None)
    level, text = log()[-1]
    assert ("DEBUG", True, True) == (level, "IncompleteStreamError" in text, "req-7" in text)
    assert 3 == len(log())


def test_a_stream_that_is_left(log):
    """A stream that is left early, or cancelled, has one line for its end as well."""
    with ScriptedServer(lambda request: ChatScript("a b c", headers=ID, end="stall")) as server:
        client = server.client()
        with client.chat_completion_stream(REQUEST) as stream:
            next(stream)
        stream.close()
        assert log()[-1][1].startswith("stream closed, request id req-7, ")
        assert 3 == len(log())
        handle = client.start_stream(REQUEST)
        assert eventually(lambda: "a b c" == handle.completion.text)
        handle.cancel()
        assert handle.wait(2)
        assert log()[-1][1].startswith("stream failed: Cancelled, request id req-7")
        assert 6 == len(log())


def test_nothing_secret_and_nothing_said(log):
    """No line holds a header, a query, user info, what was asked or what was answered."""
    with ScriptedServer(BUSY, STREAM, ErrorScript(401, f"wrong key {TOLD}"), StreamReply(["Oops"])) as server:
        url = server.base_url.replace("http://", f"http://user:{TOLD}@")
        client = client_of(f"{url}?key={TOLD}", api_key=TOLD, max_retries=1, headers={"X-Other": TOLD})
        client.chat_completion_stream(REQUEST, lambda chunk: None)
        for kind in (errors.AuthenticationError, errors.StreamError):
            error_of(kind, client.chat_completion_stream, REQUEST, lambda chunk: None, query={"token": TOLD})
    text = "\n".join(text for _, text in log())
    assert 10 <= len(log())
    assert [] == [secret for secret in (TOLD, "hello", "secret", "Oops", "wrong key", "busy") if secret in text]


def test_nothing_is_logged_unasked(compatapi_server, compatapi_client_factory, caplog):
    """At the level WARNING, which is Python's own, a call that fails and one that succeeds say nothing."""
    caplog.set_level(logging.WARNING)
    compatapi_server.add(BUSY, STREAM, BUSY)
    client = compatapi_client_factory(max_retries=1)
    client.chat_completion_stream(REQUEST, lambda chunk: None)
    error_of(errors.ServerError, client.chat_completion, REQUEST, max_retries=0)
    assert [] == [record for record in caplog.records if record.name == "compatapi"]
