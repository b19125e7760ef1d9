"""Scripts as mocks of `responses`: the right URL and the right words for every provider."""

import pytest
import responses

from calls import REQUEST, error_of, hard_limit  # noqa: F401
from compatapi.client import Client
from compatapi.errors import ConnectError, RateLimitError, ServerError
from compatapi.providers import PROVIDERS
from compatapi.testing import add_completion, add_error, add_stream

#: One key for every dialect.
KEY = "an-id-for-tests:a-key-for-tests"


@pytest.fixture
def rsps(monkeypatch):
    """A network of mocks, all of which have to be asked, and an environment without keys and addresses."""
    for row in PROVIDERS.values():
        for name in (*row.key_env, *row.base_url_env, *row.header_env.values(), *row.query_env.values()):
            monkeypatch.delenv(name, raising=False)
    with responses.RequestsMock() as mock:
        yield mock


def address_of(name):
    """Where a provider is, if its row does not say."""
    row = PROVIDERS[name]
    return None if row.base_url and not callable(row.base_url) else "https://own.example.test"


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider(rsps, name):
    """A client of any row finds the mocks of its whole answer, its stream and its error."""
    where = {"provider": name, "base_url": address_of(name)}
    add_stream(rsps, "Hello there!", **where)
    add_completion(rsps, "Whole.", reasoning="Hm.", **where)
    add_error(rsps, 503, "busy", **where)
    with Client(name, base_url=where["base_url"], api_key=KEY, max_retries=0) as client:
        assert "Whole." == client.chat_completion(REQUEST).text
        assert "Hello there!" == "".join(chunk.text for chunk in client.chat_completion_stream(REQUEST))
        with pytest.raises(Exception, match="busy") as caught:
            client.chat_completion(REQUEST)
    assert caught.value.status_code in (500, 503)  # Hunyuan has no code for the second


def test_mocks_are_used_in_their_order(rsps):
    """Each mock answers one request, and an error is followed by what comes behind it."""
    add_error(rsps, 429, "slow down", retry_after=0.01)
    add_completion(rsps, "one")
    add_completion(rsps, "two")
    with Client(api_key=KEY) as client:
        assert ["one", "two"] == [client.chat_completion(REQUEST).text for _ in range(2)]
    assert 3 == len(rsps.calls)


def test_a_mock_of_an_answer_is_for_those_who_ask_for_it(rsps):
    """Who wants a stream gets no whole answer from a mock, and the difference is told."""
    add_completion(rsps, "whole")
    with Client(api_key=KEY, max_retries=0) as client:
        error = error_of(ConnectError, client.chat_completion_stream, REQUEST)
        assert "the request wants a stream" in str(error.__cause__)
        assert "whole" == client.chat_completion(REQUEST).text


def test_errors_have_the_fields_that_are_told(rsps):
    """What a program finds in an error is what the test said of it."""
    add_error(rsps, 429, "slow down", code="too_fast", retry_after=7)
    add_error(rsps, provider="anthropic")
    error = error_of(RateLimitError, Client(api_key=KEY, max_retries=0).chat_completion, REQUEST)
    assert ("too_fast", 7.0) == (error.code, error.retry_after)
    error_of(ServerError, Client("anthropic", api_key=KEY, max_retries=0).chat_completion, REQUEST)
