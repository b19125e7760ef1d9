"""What the client sends: addresses, headers, keys and bodies, with `responses` in place of a network."""

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses

from calls import COMPLETION, REQUEST, TOLD, client_of, error_of, hard_limit  # noqa: F401
from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.client import Client
from compatapi.dialects.base import Provider
from compatapi.errors import ConfigError
from compatapi.http_types import Secret
from compatapi.providers import PROVIDERS
from compatapi.testing import add_stream

BASE = "http://example.test/v1"


@pytest.fixture
def web(monkeypatch):
    """A network without servers, and an environment without keys."""
    for row in PROVIDERS.values():
        for name in (*row.key_env, *row.base_url_env, *row.header_env.values(), *row.query_env.values()):
            monkeypatch.delenv(name, raising=False)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def sent(web, client, request=REQUEST, **options):
    """The request that a blocking call puts on the wire."""
    web.post(responses.matchers.re.compile(".*"), json=COMPLETION)
    assert "Hello there!" == client.chat_completion(request, **options).text
    return web.calls[-1].request


def body_of(request):
    """The JSON body that was sent."""
    return json.loads(request.body)


def query_of(request):
    """The query that was sent, as pairs in order."""
    return parse_qsl(urlsplit(request.url).query)


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("http://example.test/v1", "http://example.test/v1/chat/completions"),
        ("http://example.test/v1/", "http://example.test/v1/chat/completions"),
        ("http://example.test", "http://example.test/chat/completions"),
        ("http://example.test:8000/a/b", "http://example.test:8000/a/b/chat/completions"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"),
        ("http://example.test/v1?tenant=1", "http://example.test/v1/chat/completions?tenant=1"),
    ],
)
def test_urls(web, base, expected):
    """The path is added to the base URL, whose own query stays; nothing else is added."""
    assert expected == sent(web, client_of(base)).url


def test_queries(web):
    """Query parameters of the base URL, the client and the call are all sent; the call's replace the client's."""
    client = client_of(f"{BASE}?a=1", query={"b": "2", "c": "3"})
    assert [("a", "1"), ("b", "2"), ("c", "é &")] == query_of(sent(web, client, query={"c": "é &"}))
    assert [("a", "1"), ("b", "2"), ("c", "3")] == query_of(sent(web, client))


def test_minimal_body(web):
    """A minimal request has exactly two keys, and the body's length is told."""
    request = sent(web, client_of(BASE))
    assert {"model": "m", "messages": [{"role": "user", "content": "hello"}]} == body_of(request)
    assert str(len(request.body)) == request.headers["Content-Length"]
    assert ("application/json", "application/json") == (request.headers["Content-Type"], request.headers["Accept"])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Provider("mine", BASE), {"stream": True}),
        (PROVIDERS["openai"], {"stream": True, "stream_options": {"include_usage": True}}),
    ],
)
def test_streaming_body(web, row, expected):
    """A stream adds stream: true, and asks for usage where the provider's row says so; compression is not asked for."""
    add_stream(web, "Hi", provider=row)
    with Client(row, api_key="k").chat_completion_stream(REQUEST) as stream:
        assert "Hi" == "".join(chunk.text for chunk in stream)
    request = web.calls[0].request
    messages = [{"role": "user", "content": "hello"}]
    assert {"model": "m", "messages": messages, **expected} == body_of(request)
    assert ("text/event-stream", "identity") == (request.headers["Accept"], request.headers["Accept-Encoding"])


def test_the_request_has_the_last_word_on_usage(web):
    """A stream_options that the request has is sent as it is."""
    add_stream(web, "Hi")
    request = ChatCompletionRequest("m", [Message.user("x")], stream_options={"include_usage": False})
    Client(api_key="k").chat_completion_stream(request, lambda chunk: None)
    assert {"include_usage": False} == body_of(web.calls[0].request)["stream_options"]


def test_fields_of_one_call(web):
    """Body fields of a call are set or, with None, removed; the next call is without them."""
    client = client_of(BASE)
    request = ChatCompletionRequest("m", [Message.user("x")], temperature=0.0, seed=1)
    body = body_of(sent(web, client, request, body={"top_k": 5, "seed": None}))
    assert {"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 0.0, "top_k": 5} == body
    assert {"model", "messages", "temperature", "seed"} == set(body_of(sent(web, client, request)))


def test_headers_of_client_and_call(web):
    """Headers of the call replace the client's, which replace ours, in whatever case they are written."""
    client = client_of(BASE, api_key="k", headers={"X-A": "1", "X-B": "1", "user-agent": "mine"})
    headers = sent(web, client, headers={"x-b": "2", "authorization": "Token t"}).headers
    found = [headers[name] for name in ("X-A", "X-B", "User-Agent", "Authorization")]
    assert ["1", "2", "mine", "Token t"] == found
    assert "Bearer k" == sent(web, client).headers["Authorization"]


@pytest.mark.parametrize("headers", [{"X-A": "1\r\nX-B: 2"}, {"X-A": "\u20ac"}, {"X-A\r\nX-B": "1"}, {"X A": "1"}])
def test_headers_that_cannot_be_sent(web, headers):
    """A header with a line break or a foreign letter is refused before sending, and its value is not shown."""
    client = client_of(BASE, headers={"Authorization": f"{TOLD}\n"})
    assert TOLD not in str(error_of(ConfigError, client.chat_completion, REQUEST))
    error_of(ConfigError, client_of(BASE).chat_completion, REQUEST, headers=headers)
    assert 0 == len(web.calls)


def test_key_and_organization_from_the_environment(web, monkeypatch):
    """Key, base URL, organization and project are read when the client is made, and only then."""
    monkeypatch.setenv("OPENAI_API_KEY", "first")
    monkeypatch.setenv("OPENAI_BASE_URL", BASE)
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj")
    client = Client()
    monkeypatch.setenv("OPENAI_API_KEY", "second")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.test")
    request = sent(web, client)
    assert f"{BASE}/chat/completions" == request.url
    found = [request.headers[name] for name in ("Authorization", "OpenAI-Organization", "OpenAI-Project")]
    assert ["Bearer first", "org", "proj"] == found


def test_a_base_url_alone_gets_no_key(web, monkeypatch):
    """A base URL without a provider gets no key from the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", TOLD)
    assert "Authorization" not in sent(web, Client(base_url=BASE)).headers


def test_azure(web):
    """Azure gets its key in a header of its own, under both forms of its address."""
    request = sent(web, Client("azure", base_url="https://r.openai.azure.com", api_key="k"))
    assert "https://r.openai.azure.com/openai/v1/chat/completions" == request.url
    assert ("k", False) == (request.headers["api-key"], "Authorization" in request.headers)
    client = Client("azure-deployment", base_url="https://r.openai.azure.com", api_key="k", query={"api-version": "1"})
    expected = "https://r.openai.azure.com/openai/deployments/m/chat/completions?api-version=1"
    assert expected == sent(web, client).url


@pytest.mark.parametrize("flaw", ["\n", "\r\n", " ", "\u20ac", "\x00", "\t"])
@pytest.mark.parametrize("where", ["argument", "secret", "environment"])
def test_unusable_keys(monkeypatch, flaw, where):
    """A key with a line break, a blank or a letter beyond ASCII is refused at once and not shown."""
    key = f"{TOLD}{flaw}more" if where == "argument" else f"{TOLD}{flaw}"
    if where == "environment" and "\x00" not in flaw:
        monkeypatch.setenv("OPENAI_API_KEY", key)
        error = error_of(ConfigError, Client)
    else:
        error = error_of(ConfigError, Client, api_key=Secret(key) if where == "secret" else key)
    shown = f"{error!r} {error} {error.__dict__} {error.__cause__!r} {error.__context__!r}"
    assert TOLD not in shown


def test_a_client_does_not_show_its_key():
    """Neither repr nor str of a client, its target or its provider has the key."""
    client = Client(api_key=TOLD)
    assert TOLD not in f"{client!r} {client} {client._target!r} {client.provider!r} {vars(client)!r}"


@pytest.mark.parametrize("name", ["openai", "azure", "groq"])
def test_missing_keys(web, name):
    """A provider that wants a key is refused without one, with the variable's name."""
    error = error_of(ConfigError, Client, name, base_url="https://example.test")
    assert PROVIDERS[name].key_env[0] in str(error)


def test_unknown_provider():
    """An unknown provider is refused with a hint."""
    assert "openai" in str(error_of(ConfigError, Client, "opneai"))


@pytest.mark.parametrize("url", ["example.test/v1", "ftp://x/v1", "http://", "http://[::1", "http://x:port", "//x"])
def test_unusable_urls(url):
    """A base URL that is none is refused when the client is made."""
    error_of(ConfigError, Client, base_url=url)


def test_netrc_does_not_replace_the_key(web, monkeypatch, tmp_path):
    """An entry for the host in a .netrc file neither replaces our key nor adds one."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine example.test login user password wrong\ndefault login user password wrong\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert "Bearer k" == sent(web, client_of(BASE, api_key="k")).headers["Authorization"]
    assert "Authorization" not in sent(web, client_of(BASE)).headers


@pytest.mark.parametrize("wrong", [None, "hello", {"model": "m", "messages": []}, [Message.user("x")]])
def test_wrong_requests(web, wrong):
    """What is no request is refused in words, before sending."""
    client = client_of(BASE)
    for method in (client.chat_completion, client.chat_completion_stream):
        assert "ChatCompletionRequest" in str(error_of(ConfigError, method, wrong))
    assert 0 == len(web.calls)


def test_wrong_arguments(web):
    """Arguments of wrong types are refused in words, before sending."""
    client = client_of(BASE)
    error_of(ConfigError, client.chat_completion_stream, REQUEST, "no function")
    error_of(ConfigError, client.chat_completion, REQUEST, timeouts=5)
    error_of(ConfigError, client_of, BASE, timeouts=5)
    error_of(ConfigError, client_of, BASE, api_key=5)
    error_of(ConfigError, client.chat_completion, REQUEST, headers={"X-A": 5})
    with pytest.raises(TypeError, match="timeout"):
        client.chat_completion(REQUEST, timeout=5)
    assert 0 == len(web.calls)


def test_blocking_call_of_a_streaming_request(web):
    """A request with stream=True is a clear error in a blocking call, and welcome in a streaming one."""
    request = ChatCompletionRequest("m", [Message.user("x")], stream=True)
    assert "chat_completion_stream" in str(error_of(ConfigError, client_of(BASE).chat_completion, request))
    add_stream(web, "Hi", base_url=BASE)
    assert "Hi" == client_of(BASE).chat_completion_stream(request, lambda chunk: None).text


def test_closed_client(web):
    """A closed client makes no more calls, and may be closed again."""
    with client_of(BASE) as client:
        sent(web, client)
    client.close()
    for call in (
        lambda: client.chat_completion(REQUEST),
        lambda: client.chat_completion_stream(REQUEST),
        client.models,
    ):
        assert "closed" in str(error_of(ConfigError, call))
    assert 1 == len(web.calls)
