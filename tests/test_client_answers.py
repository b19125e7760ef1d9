"""What the client makes of an answer: statuses, error bodies, answers that are no stream, callbacks, other calls."""

import base64
import struct

import pytest

from calls import REQUEST, TOLD, error_of, hard_limit  # noqa: F401
from compatapi import errors
from compatapi.client import Client
from compatapi.dialects.base import Provider
from compatapi.errors import ConfigError, DecodeError, IncompleteStreamError, StopStream, StreamError
from compatapi.http_types import Quirks
from compatapi.testing import ChatScript, ErrorScript, Expect, Reply, ScriptedTransport, StreamReply
from compatapi.testing.faults import ErrorEvent

HI = ChatScript("Hi there")
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


def client_told(*scripts, **options):
    """A client that gets these answers."""
    return ScriptedTransport(*scripts).client(**options)


def refused(kind, script):
    """The error of a blocking call that gets this answer, after checking that a streamed one raises its like."""
    client = client_told(script, script, api_key=TOLD)
    error = error_of(kind, client.chat_completion, REQUEST)
    other = error_of(kind, client.chat_completion_stream, REQUEST)
    same = [{name: value for name, value in vars(one).items() if name != "stats"} for one in (error, other)]
    assert (str(error), same[0]) == (str(other), same[1])
    return error


def broken(kind, script):
    """The texts of a stream that is answered so, and the error at its end."""
    texts = []
    with pytest.raises(kind) as caught:
        for chunk in client_told(script).chat_completion_stream(REQUEST):
            texts.append(chunk.text)
    assert kind is type(caught.value)
    assert caught.value.completion is not None
    return "".join(texts), caught.value


@pytest.mark.parametrize("status", STATUSES)
def test_statuses(status):
    """Each status has its class; code, type, param, request id, headers, status and body are kept."""
    told = {"type": "t", "code": "c", "param": "p"}
    script = ErrorScript(status, "No.", **told, retry_after=7, headers={"x-request-id": "req-1"})
    error = refused(STATUSES[status], script)
    assert (status, "c", "t", "p", "req-1", 7.0) == (
        error.status_code,
        error.code,
        error.type,
        error.param,
        error.request_id,
        error.retry_after,
    )
    assert ({"error": {"message": "No.", **told}}, "7") == (error.body, error.headers["RETRY-AFTER"])
    assert "No." in str(error)
    assert str(status) in str(error)


def test_context_length():
    """A 400 whose code says that the prompt is too long has a class of its own."""
    script = ErrorScript(400, "too long", code="context_length_exceeded")
    assert "too long" in str(refused(errors.ContextLengthError, script))


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
def test_error_bodies(body):
    """The message is found in error bodies of every shape, also in one that is cut."""
    assert "told" in str(refused(errors.BadRequestError, Reply(400, body=body)))


@pytest.mark.parametrize("body", ["", "  \n", "null", "[]", "{}", '""', "\x00\xff"])
def test_error_bodies_that_say_nothing(body):
    """An error without words is still an error with its status."""
    assert 500 == refused(errors.ServerError, Reply(500, body=body)).status_code


def test_a_page_with_status_502():
    """A page of a proxy is kept as text, cut to a bound, and the message is short."""
    page = "<html><body>Bad gateway</body></html>" + " " * 100_000
    error = refused(errors.ServerError, Reply(502, body=page, headers={"Content-Type": "text/html"}))
    assert "Bad gateway" in error.body
    assert len(error.body) < 5_000
    assert len(str(error)) < 1_000


def test_a_huge_error_body():
    """Of a body of megabytes a bounded part is kept."""
    error = refused(errors.ServerError, Reply(500, body=b'{"error": "' + b"x" * 3_000_000))
    assert len(str(error.body)) < 5_000


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_redirects(status):
    """A redirect is refused with its target named, and nothing is sent there."""
    transport = ScriptedTransport(lambda request: Reply(status, headers={"Location": "http://evil.test/"}))
    error = error_of(errors.APIStatusError, transport.client().chat_completion, REQUEST)
    error_of(errors.APIStatusError, transport.client().chat_completion_stream, REQUEST)
    assert "http://evil.test/" in str(error)
    assert "base_url" in str(error)
    assert ["scripted.invalid"] * 2 == [request.headers["host"] for request in transport.requests]


@pytest.mark.parametrize("status", [302, 401])
def test_a_server_that_quotes_the_key(status):
    """The key is masked when the server repeats it."""
    headers = {"Location": f"http://x.test/?key={TOLD}", "X-Key": TOLD}
    kind = STATUSES.get(status, errors.APIStatusError)
    error = refused(kind, ErrorScript(status, f"Wrong key: {TOLD}", headers=headers))
    assert TOLD not in f"{error} {error!r} {error.body!r} {dict(error.headers)!r}"


def test_a_cookie_is_not_kept():
    """What a server sets as a cookie is not sent back to it."""
    transport = ScriptedTransport(*[ChatScript("Hi", headers={"Set-Cookie": "a=b"})] * 2)
    client = transport.client()
    for _ in range(2):
        client.chat_completion(REQUEST)
    assert "Cookie" not in transport.requests[1].headers


ERROR = '{"error": {"message": "told", "code": "c"}}'


@pytest.mark.parametrize("body", [ERROR, f"\n\n {ERROR}\n", '{"object": "error", "message": "told", "code": "c"}'])
def test_an_error_with_status_200(body):
    """An error object is an error whatever the status, in a blocking call and in a stream."""
    script = Reply(body=body, headers={"Content-Type": "application/json", "x-request-id": "req-1"})
    error = error_of(StreamError, client_told(script).chat_completion, REQUEST)
    assert ("c", "req-1") == (error.code, error.request_id)
    assert "told" in str(error)
    text, error = broken(StreamError, script)
    assert ("", "c", "req-1") == (text, error.code, error.request_id)


def test_an_error_inside_a_stream():
    """What was said before the error is handed out and kept in the error."""
    text, error = broken(StreamError, ChatScript("Hi there", fault=ErrorEvent(after=2, code="c")))
    assert ("Hi there", "Hi there", "c") == (text, error.completion.text, error.code)


@pytest.mark.parametrize("content_type", ["text/html", "text/event-stream"])
def test_a_page_in_place_of_a_stream(content_type):
    """A page with status 200 is an error that quotes it."""
    page = Reply(body="<!doctype html><title>Log in</title>", headers={"Content-Type": content_type})
    assert "Log in" in str(broken(StreamError, page)[1])


@pytest.mark.parametrize("body", ["", "\n\n", ": hello\n\n"])
def test_an_empty_stream(body):
    """A stream that says nothing is incomplete."""
    broken(IncompleteStreamError, StreamReply([body] if body else [], done=False))


def test_a_whole_completion_in_place_of_a_stream():
    """A whole answer is handed on as one chunk."""
    stream = client_told(ChatScript("Hello there!", fault="whole-instead")).chat_completion_stream(REQUEST)
    assert ["Hello there!"] == [chunk.text for chunk in stream]
    assert ("Hello there!", "stop") == (stream.completion.text, stream.completion.choices[0].finish_reason)


@pytest.mark.parametrize("body", ["", "nonsense", "[]", "{}", '{"choices": 5}', '{"choices": [', "<html>"])
def test_nonsense_in_a_blocking_call(body):
    """A blocking answer that is no completion is a DecodeError with what came."""
    error = error_of(DecodeError, client_told(Reply(body=body)).chat_completion, REQUEST)
    assert body in f"{error} {error.data}" or error.path


def test_a_stream_in_place_of_a_whole_answer():
    """A blocking call that is answered by a stream returns the whole, and notices when it is cut."""
    whole, cut = (ChatScript("Hi there", fault=fault) for fault in ("stream-instead", ["stream-instead", "no-end"]))
    client = client_told(whole, cut)
    assert "Hi there" == client.chat_completion(REQUEST).text
    error = error_of(IncompleteStreamError, client.chat_completion, REQUEST)
    assert "Hi there" == error.completion.text


def test_response_of_a_stream():
    """A stream tells status, headers and request id."""
    script = ChatScript("Hi", headers={"X-Request-Id": "req-9", "X-Other": "1"})
    with client_told(script).chat_completion_stream(REQUEST) as stream:
        found = (stream.response.status_code, stream.response.request_id, stream.response.headers["x-other"])
    assert (200, "req-9", "1") == found


def test_callback_style():
    """The callback gets each chunk, the call returns the whole."""
    texts = []
    completion = client_told(HI).chat_completion_stream(REQUEST, lambda chunk: texts.append(chunk.text))
    assert (["", "Hi", " there", ""], "Hi there") == (texts[:4], completion.text)


def test_the_callback_stops_or_fails():
    """StopStream ends the call from any depth; any other exception comes out as it is."""
    seen, problem = [], StopIteration("mine")

    def fail(chunk):
        raise problem

    client = client_told(HI, HI)
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


def test_models():
    """The list of models is read, with what else the host tells."""
    told = Reply(body={"object": "list", "data": [{"id": "a", "context": 5}, {"id": "b"}]})
    transport = ScriptedTransport(Expect({"method": "GET", "path": "/v1/models?page=1", "key": "k"}, told), strict=True)
    with transport:
        models = transport.client(api_key="k").models(query={"page": "1"})
    assert (["a", "b"], {"context": 5}) == ([model.id for model in models], models[0].extra)
    assert b"" == transport.requests[0].body


def test_embeddings():
    """Embeddings come as floats, whether the server sent numbers or base64."""
    packed = base64.b64encode(struct.pack("<2f", 0.5, -2)).decode()
    data = [{"index": 0, "embedding": [1, 2.5]}, {"index": 1, "embedding": packed}]
    transport = ScriptedTransport(Reply(body={"object": "list", "data": data, "usage": {"prompt_tokens": 3}}))
    answer = transport.client().embeddings("m", ["a", "b"], dimensions=2)
    assert [[1, 2.5], [0.5, -2.0]] == [item.embedding for item in answer.data]
    assert b'{"model":"m","input":["a","b"],"dimensions":2}' == transport.requests[0].body
    error_of(ConfigError, transport.client().embeddings, "m")


def test_calls_that_a_provider_has_not():
    """A provider without a list of models or without embeddings is a ConfigError."""
    client = Client(Provider("mine", "http://example.test/v1", quirks=Quirks(models_path=None, embeddings_path=None)))
    error_of(ConfigError, client.models)
    error_of(ConfigError, client.embeddings, "m", "text")
