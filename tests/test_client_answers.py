"""What the client makes of an answer: statuses, error bodies, answers that are no stream, callbacks, other calls."""

import base64
import struct

import pytest
import responses

from calls import COMPLETION, REQUEST, TOLD, client_of, error_of, hard_limit, sse  # noqa: F401
from compatapi import errors
from compatapi.client import Client
from compatapi.dialects.base import Provider
from compatapi.errors import ConfigError, DecodeError, IncompleteStreamError, StopStream, StreamError
from compatapi.http_types import Quirks
from compatapi.testing import chat_chunks

BASE = "http://example.test/v1"
CHAT = f"{BASE}/chat/completions"
STATUSES = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    402: errors.APIStatusError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    408: errors.APIStatusError,
    409: errors.ConflictError,
    413: errors.RequestTooLargeError,
    418: errors.APIStatusError,
    422: errors.UnprocessableEntityError,
    429: errors.RateLimitError,
    500: errors.ServerError,
    503: errors.ServerError,
    529: errors.ServerError,
    599: errors.ServerError,
}


@pytest.fixture
def web():
    """A network without servers."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def refused(web, kind=errors.APIStatusError, **answer):
    """The error of a blocking call that gets this answer, after checking that a streamed one raises its like."""
    web.post(CHAT, **answer)
    client = client_of(BASE, api_key=TOLD)
    error = error_of(kind, client.chat_completion, REQUEST)
    other = error_of(kind, client.chat_completion_stream, REQUEST)
    same = [{name: value for name, value in vars(one).items() if name != "stats"} for one in (error, other)]
    assert (str(error), same[0]) == (str(other), same[1])
    return error


def streamed(web, body, content_type="text/event-stream"):
    """The stream of an answer with status 200."""
    web.post(CHAT, body=body, content_type=content_type)
    return client_of(BASE).chat_completion_stream(REQUEST)


def broken(kind, stream):
    """The texts of a stream, and the error at its end."""
    texts = []
    with pytest.raises(kind) as caught:
        for chunk in stream:
            texts.append(chunk.text)
    assert kind is type(caught.value)
    assert caught.value.completion is not None
    return "".join(texts), caught.value


@pytest.mark.parametrize("status", STATUSES)
def test_statuses(web, status):
    """Each status has its class; code, type, param, request id, headers, status and body are kept."""
    body = {"error": {"message": "No.", "type": "t", "code": "c", "param": "p"}}
    headers = {"x-request-id": "req-1", "Retry-After": "7"}
    error = refused(web, STATUSES[status], status=status, json=body, headers=headers)
    assert (status, "c", "t", "p", "req-1", 7.0) == (
        error.status_code,
        error.code,
        error.type,
        error.param,
        error.request_id,
        error.retry_after,
    )
    assert (body, "7") == (error.body, error.headers["RETRY-AFTER"])
    assert "No." in str(error)
    assert str(status) in str(error)


def test_context_length(web):
    """A 400 whose code says that the prompt is too long has a class of its own."""
    body = {"error": {"message": "too long", "code": "context_length_exceeded"}}
    assert "too long" in str(refused(web, errors.ContextLengthError, status=400, json=body))


@pytest.mark.parametrize(
    "body",
    [
        '{"error": "told"}',
        '{"message": "told", "code": 1}',
        '{"detail": "told"}',
        '{"detail": [{"msg": "told", "loc": ["body"]}]}',
        '[{"error": {"message": "told"}}]',
        '{"base_resp": {"status_code": 1004, "status_msg": "told"}}',
        "told",
        '{"error": {"message": "told',
    ],
)
def test_error_bodies(web, body):
    """The message is found in error bodies of every shape, also in one that is cut."""
    assert "told" in str(refused(web, errors.BadRequestError, status=400, body=body))


@pytest.mark.parametrize("body", ["", "  \n", "null", "[]", "{}", '""', "\x00\xff"])
def test_error_bodies_that_say_nothing(web, body):
    """An error without words is still an error with its status."""
    assert 500 == refused(web, errors.ServerError, status=500, body=body).status_code


def test_a_page_with_status_502(web):
    """A page of a proxy is kept as text, cut to a bound, and the message is short."""
    page = "<html><body>Bad gateway</body></html>" + " " * 100_000
    error = refused(web, errors.ServerError, status=502, body=page, content_type="text/html")
    assert "Bad gateway" in error.body
    assert len(error.body) < 5_000
    assert len(str(error)) < 1_000


def test_a_huge_error_body(web):
    """Of a body of megabytes a bounded part is kept."""
    error = refused(web, errors.ServerError, status=500, body=b'{"error": "' + b"x" * 3_000_000)
    assert len(str(error.body)) < 5_000


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_redirects(web, status):
    """A redirect is refused with its target named, and nothing is sent there."""
    web.add(responses.POST, "http://evil.test/", json=COMPLETION)
    web.add(responses.GET, "http://evil.test/", json=COMPLETION)
    error = refused(web, errors.APIStatusError, status=status, headers={"Location": "http://evil.test/"})
    assert "http://evil.test/" in str(error)
    assert "base_url" in str(error)
    assert {CHAT} == {call.request.url for call in web.calls}


@pytest.mark.parametrize("status", [302, 401])
def test_a_server_that_quotes_the_key(web, status):
    """The key is masked when the server repeats it."""
    told = {"error": {"message": f"Wrong key: {TOLD}"}}
    web.post(CHAT, status=status, json=told, headers={"Location": f"http://x.test/?key={TOLD}", "X-Key": TOLD})
    kind = STATUSES.get(status, errors.APIStatusError)
    error = error_of(kind, client_of(BASE, api_key=TOLD).chat_completion, REQUEST)
    assert TOLD not in f"{error} {error!r} {error.body!r} {dict(error.headers)!r}"


def test_a_cookie_is_not_kept(web):
    """What a server sets as a cookie is not sent back to it."""
    web.post(CHAT, json=COMPLETION, headers={"Set-Cookie": "a=b"})
    client = client_of(BASE)
    for _ in range(2):
        client.chat_completion(REQUEST)
    assert "Cookie" not in web.calls[1].request.headers


ERROR = '{"error": {"message": "told", "code": "c"}}'


@pytest.mark.parametrize("body", [ERROR, f"\n\n {ERROR}\n", '{"object": "error", "message": "told", "code": "c"}'])
def test_an_error_with_status_200(web, body):
    """An error object is an error whatever the status, in a blocking call and in a stream."""
    web.post(CHAT, body=body, content_type="application/json", headers={"x-request-id": "req-1"})
    error = error_of(StreamError, client_of(BASE).chat_completion, REQUEST)
    assert ("c", "req-1") == (error.code, error.request_id)
    assert "told" in str(error)
    text, error = broken(StreamError, client_of(BASE).chat_completion_stream(REQUEST))
    assert ("", "c", "req-1") == (text, error.code, error.request_id)


def test_an_error_inside_a_stream(web):
    """What was said before the error is handed out and kept in the error."""
    stream = streamed(web, sse(*chat_chunks("Hi there", finish_reason=None), ERROR, done=False))
    text, error = broken(StreamError, stream)
    assert ("Hi there", "Hi there", "c") == (text, error.completion.text, error.code)


@pytest.mark.parametrize("content_type", ["text/html", "text/event-stream"])
def test_a_page_in_place_of_a_stream(web, content_type):
    """A page with status 200 is an error that quotes it."""
    page = "<!doctype html><title>Log in</title>"
    assert "Log in" in str(broken(StreamError, streamed(web, page, content_type))[1])


@pytest.mark.parametrize("body", ["", "\n\n", ": hello\n\n"])
def test_an_empty_stream(web, body):
    """A stream that says nothing is incomplete."""
    broken(IncompleteStreamError, streamed(web, body))


def test_a_whole_completion_in_place_of_a_stream(web):
    """A whole answer is handed on as one chunk."""
    web.post(CHAT, json=COMPLETION)
    stream = client_of(BASE).chat_completion_stream(REQUEST)
    assert ["Hello there!"] == [chunk.text for chunk in stream]
    assert ("Hello there!", "stop") == (stream.completion.text, stream.completion.choices[0].finish_reason)


@pytest.mark.parametrize("body", ["", "nonsense", "[]", "{}", '{"choices": 5}', '{"choices": [', "<html>"])
def test_nonsense_in_a_blocking_call(web, body):
    """A blocking answer that is no completion is a DecodeError with what came."""
    web.post(CHAT, body=body)
    error = error_of(DecodeError, client_of(BASE).chat_completion, REQUEST)
    assert body in f"{error} {error.data}" or error.path


def test_a_stream_in_place_of_a_whole_answer(web):
    """A blocking call that is answered by a stream returns the whole, and notices when it is cut."""
    web.post(CHAT, body=sse(*chat_chunks("Hi there")), content_type="text/event-stream; charset=utf-8")
    assert "Hi there" == client_of(BASE).chat_completion(REQUEST).text
    cut = sse(*chat_chunks("Hi there", finish_reason=None), done=False)
    web.replace(responses.POST, CHAT, body=cut, content_type="text/event-stream")
    error = error_of(IncompleteStreamError, client_of(BASE).chat_completion, REQUEST)
    assert "Hi there" == error.completion.text


def test_response_of_a_stream(web):
    """A stream tells status, headers and request id."""
    web.post(CHAT, body=sse(*chat_chunks("Hi")), headers={"X-Request-Id": "req-9", "X-Other": "1"})
    with client_of(BASE).chat_completion_stream(REQUEST) as stream:
        found = (stream.response.status_code, stream.response.request_id, stream.response.headers["x-other"])
    assert (200, "req-9", "1") == found


def test_callback_style(web):
    """The callback gets each chunk, the call returns the whole."""
    web.post(CHAT, body=sse(*chat_chunks("Hi there")))
    texts = []
    completion = client_of(BASE).chat_completion_stream(REQUEST, lambda chunk: texts.append(chunk.text))
    assert (["", "Hi", " there", ""], "Hi there") == (texts[:4], completion.text)


def test_the_callback_stops_or_fails(web):
    """StopStream ends the call from any depth; any other exception comes out as it is."""
    web.post(CHAT, body=sse(*chat_chunks("Hi there")))
    seen, problem = [], StopIteration("mine")

    def fail(chunk):
        raise problem

    client = client_of(BASE)
    with pytest.raises(StopIteration) as caught:
        client.chat_completion_stream(REQUEST, fail)
    assert problem is caught.value
    completion = client.chat_completion_stream(REQUEST, lambda chunk: deep(5, chunk, seen))
    assert completion.text.startswith("Hi")
    assert ["", "Hi"] == seen


def deep(levels, chunk, seen):
    """Raise StopStream from some depth, at the first text."""
    if levels:
        return deep(levels - 1, chunk, seen)
    seen.append(chunk.text)
    if chunk.text:
        raise StopStream
    return None


def test_models(web):
    """The list of models is read, with what else the host tells."""
    web.get(f"{BASE}/models", json={"object": "list", "data": [{"id": "a", "context": 5}, {"id": "b"}]})
    models = client_of(BASE, api_key="k").models(query={"page": "1"})
    assert (["a", "b"], {"context": 5}) == ([model.id for model in models], models[0].extra)
    request = web.calls[0].request
    assert ("Bearer k", None, f"{BASE}/models?page=1") == (request.headers["Authorization"], request.body, request.url)


def test_embeddings(web):
    """Embeddings come as floats, whether the server sent numbers or base64."""
    packed = base64.b64encode(struct.pack("<2f", 0.5, -2)).decode()
    data = [{"index": 0, "embedding": [1, 2.5]}, {"index": 1, "embedding": packed}]
    web.post(f"{BASE}/embeddings", json={"object": "list", "data": data, "usage": {"prompt_tokens": 3}})
    answer = client_of(BASE).embeddings("m", ["a", "b"], dimensions=2)
    assert [[1, 2.5], [0.5, -2.0]] == [item.embedding for item in answer.data]
    assert b'{"model":"m","input":["a","b"],"dimensions":2}' == web.calls[0].request.body
    error_of(ConfigError, client_of(BASE).embeddings, "m")


def test_calls_that_a_provider_has_not():
    """A provider without a list of models or without embeddings is a ConfigError."""
    client = Client(Provider("mine", BASE, quirks=Quirks(models_path=None, embeddings_path=None)))
    error_of(ConfigError, client.models)
    error_of(ConfigError, client.embeddings, "m", "text")
