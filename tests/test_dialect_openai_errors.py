"""Error bodies of every shape (section 4.1) and errors inside a stream (section 4.2) of OpenAI-compatible servers."""

import copy
import json
import pickle

import pytest

from compatapi.dialects.openai import OpenAIDialect
from compatapi.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ContextLengthError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTooLargeError,
    ServerError,
    StreamError,
    UnprocessableEntityError,
)
from compatapi.http_types import Headers, HttpResponse
from streams import body, event, fail, run, say, sse, stop


def error_of(value, status=400, reason="", **headers):
    """The error of an answer; ``value`` is JSON, or bytes."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return OpenAIDialect().decode_error(HttpResponse(status, reason, Headers(names)), data)


# Shape: body, then message, code, type, param, request id.
SHAPES = {
    "openai": (
        {"error": {"message": "no", "type": "invalid_request_error", "param": "top_p", "code": "bad"}},
        ("no", "bad", "invalid_request_error", "top_p", None),
    ),
    "openrouter": (
        {"error": {"message": "no", "code": 401, "metadata": {"raw": "x", "provider_name": None}}, "user_id": "u"},
        ("no", 401, None, None, None),
    ),
    "perplexity": ({"error": {"message": "no", "type": "bad_key", "code": 401}}, ("no", 401, "bad_key", None, None)),
    "mistral": ({"detail": "no"}, ("no", None, None, None, None)),
    "fastapi": (
        {"detail": [{"loc": ["body", "n"], "msg": "no", "type": "missing"}, {"msg": "nor this"}]},
        ("no", None, None, None, None),
    ),
    "flat with object": (
        {"object": "error", "message": "no", "type": "BadRequest", "param": None, "code": 400},
        ("no", 400, "BadRequest", None, None),
    ),
    "flat": (
        {"message": "no", "type": "wrong_key", "param": "p", "code": "c"},
        ("no", "c", "wrong_key", "p", None),
    ),
    "text": ({"error": "no"}, ("no", None, None, None, None)),
    "text with type": ({"error": "no", "error_type": "overloaded"}, ("no", None, "overloaded", None, None)),
    "xai": ({"code": "invalid-argument", "error": "no"}, ("no", "invalid-argument", None, None, None)),
    "zhipu": ({"error": {"code": "1211", "message": "no"}}, ("no", "1211", None, None, None)),
    "dashscope": (
        {"code": "InvalidApiKey", "message": "no", "request_id": "r-1"},
        ("no", "InvalidApiKey", None, None, "r-1"),
    ),
    "gateway": ({"message": "no"}, ("no", None, None, None, None)),
    "azure": (
        {
            "error": {
                "message": "no",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}},
            }
        },
        ("no", "content_filter", None, "prompt", None),
    ),
    "azure front": ({"error": {"code": "404", "message": "no"}}, ("no", "404", None, None, None)),
    "azure gateway": ({"statusCode": 401, "message": "no"}, ("no", None, None, None, None)),
    "gemini": ([{"error": {"code": 400, "message": "no", "status": "BAD"}}], ("no", 400, None, None, None)),
    "minimax": ({"base_resp": {"status_code": 1004, "status_msg": "no"}}, ("no", 1004, None, None, None)),
    "tencent": (
        {"Response": {"Error": {"Code": "AuthFailure", "Message": "no"}, "RequestId": "r-2"}},
        ("no", "AuthFailure", None, None, "r-2"),
    ),
    "cohere": ({"message": "no", "id": "i"}, ("no", None, None, None, None)),
    "volcengine": (
        {"error": {"code": "AuthenticationError", "message": "no", "param": "", "type": "Unauthorized"}},
        ("no", "AuthenticationError", "Unauthorized", None, None),
    ),
    "aliyun": (
        {"error": {"message": "no", "type": "t", "param": None, "code": "invalid_api_key"}, "request_id": "r-3"},
        ("no", "invalid_api_key", "t", None, "r-3"),
    ),
    "xinference": ({"detail": "no"}, ("no", None, None, None, None)),
    "zhipu, filtered": (
        {"contentFilter": [{"level": 1, "role": "user"}], "error": {"code": "1301", "message": "no"}},
        ("no", "1301", None, None, None),
    ),
    "msg": ({"code": 500, "msg": "no", "success": False}, ("no", 500, None, None, None)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_compat_error_shapes(shape):
    """Message, code, type, param and request id are found in a body of any shape, and the body is kept."""
    value, expected = SHAPES[shape]
    error = error_of(value)
    assert expected == (
        error.message.removeprefix("HTTP 400: "),
        error.code,
        error.type,
        error.param,
        error.request_id,
    )
    assert value == error.body


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"error": {"message": "one"}, "message": "two"}, "one"),
        ({"error": "one", "message": "two"}, "one"),
        ({"message": "one", "detail": "two"}, "one"),
        ({"detail": "one", "msg": "two"}, "one"),
        ({"msg": "one", "base_resp": {"status_msg": "two"}}, "one"),
        ({"base_resp": {"status_msg": "one"}, "Response": {"Error": {"Message": "two"}}}, "one"),
        ({"error": {"message": ""}, "message": "one"}, "one"),
        ({"error": {"message": {"text": "two"}}, "detail": "one"}, "one"),
    ],
)
def test_compat_error_message_lookup_order(value, said):
    """The message is looked for in the documented order."""
    assert f"HTTP 400: {said}" == error_of(value).message


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html><body>502 Bad Gateway</body></html>", "<html><body>502 Bad Gateway</body></html>"),
        (b"upstream is down\n", "upstream is down"),
        (b'{"unknown": "shape"}', '{"unknown": "shape"}'),
        (b'"only text"', "only text"),
        (b"", "Bad Gateway"),
        (b" \n", "Bad Gateway"),
        (b"\xff\xfe down", "\ufffd\ufffd down"),
        (b'{"error": {"message": "cut of', '{"error": {"message": "cut of'),
    ],
)
def test_compat_error_bodies_without_a_message(data, said):
    """Without a message the error shows the beginning of the body, or the reason of the status."""
    error = error_of(data, 502, "Bad Gateway")
    assert f"HTTP 502: {said}" == error.message
    assert ServerError is type(error)


def test_compat_error_long_bodies_are_cut():
    """Of a long body that is no JSON the message shows 500 characters, and a bounded part is kept."""
    error = error_of(b"x" * 100_000, 502)
    assert f"HTTP 502: {'x' * 500}..." == error.message
    assert len(error.body) < 10_000


CLASSES = {
    400: BadRequestError,
    401: AuthenticationError,
    402: APIStatusError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: RequestTooLargeError,
    418: APIStatusError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    500: ServerError,
    502: ServerError,
    503: ServerError,
    529: ServerError,
}


@pytest.mark.parametrize("status", CLASSES)
def test_compat_error_classes(status):
    """The class follows the status."""
    error = error_of({"error": {"message": "no"}}, status)
    assert CLASSES[status] is type(error)
    assert status == error.status_code


@pytest.mark.parametrize("status", [400, 413])
def test_compat_error_context_length(status):
    """A code that speaks of the context length has a class of its own."""
    value = {"error": {"message": "no", "code": "context_length_exceeded"}}
    assert ContextLengthError is type(error_of(value, status))
    assert AuthenticationError is type(error_of(value, 401))


def test_compat_error_headers():
    """Request id and pause come from the headers, whose names are found in any case."""
    error = error_of({"error": "no", "request_id": "body"}, 429, X_Request_ID="head", Retry_After="7")
    assert ("head", 7.0, "7") == (error.request_id, error.retry_after, error.headers["RETRY-AFTER"])


@pytest.mark.parametrize("name", ["apim-request-id", "x-kong-request-id", "mistral-correlation-id", "cf-ray"])
def test_compat_error_request_id_headers(name):
    """The request id has several names."""
    assert "r" == error_of({}, 500, **{name: "r"}).request_id


def test_compat_error_travels():
    """An error of a status can be pickled and copied with all its fields."""
    error = error_of(SHAPES["openai"][0], 429, retry_after="1")
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert (str(error), type(error)) == (str(twin), type(twin))
        assert error.__dict__ == twin.__dict__


# --- how long to wait -----------------------------------------------------------------------------------------------

NOW = 1_700_000_000


def wait_of(value, status=429, **headers):
    """The seconds that an error asks to wait, with a clock that stands still."""
    answer = HttpResponse(status, "", Headers({name.replace("_", "-"): text for name, text in headers.items()}))
    return OpenAIDialect(clock=lambda: NOW).decode_error(answer, json.dumps(value).encode()).retry_after


RESET = str((NOW + 30) * 1000)
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "48.5s"}


@pytest.mark.parametrize(
    ("expected", "value", "headers"),
    [
        (48.5, [{"error": {"code": 429, "message": "no", "details": [{"@type": "other"}, RETRY_INFO]}}], {}),
        (48.5, {"error": {"code": 429, "message": "no", "details": [RETRY_INFO]}}, {}),
        (30.0, {"error": {"code": 429, "metadata": {"headers": {"X-RateLimit-Reset": RESET}}}}, {}),
        (30.0, {"error": {"code": 429}}, {"x_ratelimit_reset": RESET}),
        (0.0, {"error": {"code": 429}}, {"x_ratelimit_reset": str((NOW - 5) * 1000)}),
        (7.0, {"error": {"details": [RETRY_INFO]}}, {"retry_after": "7", "x_ratelimit_reset": RESET}),
        (None, {"error": {"code": 429}}, {"x_ratelimit_reset": "12"}),
        (None, {"error": {"code": 429}}, {"x_ratelimit_reset_requests": "2m59.5s"}),
        (None, {"error": {"details": [{"retryDelay": "soon"}, 5, {"retryDelay": 4}]}}, {}),
        (None, {"error": {"details": "x", "metadata": {"headers": "x"}}}, {}),
        (None, "busy", {}),
    ],
)
def test_compat_section_4_3_retry_hints(expected, value, headers):
    """A host may say how long to wait in the body (Google), or as a time of reset (OpenRouter); Retry-After wins."""
    assert expected == wait_of(value, **headers)


def test_compat_section_4_3_a_reset_is_no_hint_elsewhere():
    """When a rate limit begins anew says nothing about an error of the server."""
    assert wait_of({"error": "no"}, 503, x_ratelimit_reset=RESET) is None


# --- inside a stream ------------------------------------------------------------------------------------------------

FORMS = {
    "error object": ({"error": {"message": "no", "type": "server_error", "code": None}}, (None, "server_error")),
    "error text": ({"error": "no"}, (None, None)),
    "vllm": ({"error": {"object": "error", "message": "no", "type": "B", "param": None, "code": 400}}, (400, "B")),
    "beside choices": ({**say(""), "error": {"code": 400, "message": "no"}}, (400, None)),
    "in the choice": (body({}, finish="error", choice={"error": {"code": 502, "message": "no"}}), (502, None)),
    "xai": ({"code": "bad", "error": "no"}, ("bad", None)),
    "minimax": ({"base_resp": {"status_code": 1002, "status_msg": "no"}}, (1002, None)),
    "minimax with null choices": (
        {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "no"}},
        (1002, None),
    ),
    "minimax with choices": ({**say(""), "base_resp": {"status_code": 1002, "status_msg": "no"}}, (1002, None)),
    "flat": ({"object": "error", "message": "no", "code": 400}, (400, None)),
    "list": ([{"error": {"message": "no", "code": 400}}], (400, None)),
    "hunyuan": ({"Response": {"Error": {"Code": "X", "Message": "no"}}}, ("X", None)),
}


@pytest.mark.parametrize("behind", [b"", b"data: [DONE]\n\n"], ids=["end", "DONE"])
@pytest.mark.parametrize("before", [(), (say("a"), say("b"))], ids=["first", "later"])
@pytest.mark.parametrize("form", FORMS)
def test_compat_error_in_stream(form, before, behind):
    """An error inside a stream is raised, and what was given out before stays valid."""
    value, (code, kind) = FORMS[form]
    chunks, completion, error = run(sse(*before, value, done=False) + behind)
    assert StreamError is type(error)
    assert (code, kind, value) == (error.code, error.type, error.body if "choice" not in form else value)
    assert error.message.endswith(": no")
    assert "ab"[: len(before)] == "".join(chunk.text for chunk in chunks)
    assert "ab"[: len(before)] == completion.text == error.completion.text


STATUSES = {
    "minimax, too many requests": ({"base_resp": {"status_code": 1002, "status_msg": "no"}}, 429),
    "minimax, key": ({"base_resp": {"status_code": 1004, "status_msg": "no"}}, 401),
    "minimax, timeout": ({"base_resp": {"status_code": 1001, "status_msg": "no"}}, 504),
    "minimax, parameter": ({"base_resp": {"status_code": 2013, "status_msg": "no"}}, 400),
    "minimax, unknown": ({"base_resp": {"status_code": 9999, "status_msg": "no"}}, None),
    "minimax, no status": ({"base_resp": {"status_code": 429, "status_msg": "no"}}, None),
    "openrouter": ({"error": {"code": 502, "message": "no"}}, 502),
    "as text": ({"error": {"code": "404", "message": "no"}}, 404),
    "flat": ({"object": "error", "message": "no", "code": 400}, 400),
    "zhipu": ({"error": {"code": "1211", "message": "no"}}, None),
    "word": ({"error": {"code": "server_error", "message": "no"}}, None),
    "none": ({"error": "no"}, None),
}


@pytest.mark.parametrize("case", STATUSES)
def test_compat_the_status_that_a_code_stands_for(case):
    """An error with status 200 says which status it stands for, where its code is known: retries go by it."""
    value, status = STATUSES[case]
    assert status == fail(value).status_code
    with pytest.raises(StreamError) as caught:
        OpenAIDialect().decode_completion(json.dumps(value).encode())
    assert status == caught.value.status_code


@pytest.mark.parametrize(
    "data", [{"error": {"message": "no"}}, {"message": "no", "code": "x"}, '"no"', "no", {"x": "no"}]
)
def test_compat_error_event(data):
    """An event named error is one, whatever its data look like."""
    error = run(sse(say("a"), done=False) + b"event: error\n" + event(data))[2]
    assert StreamError is type(error)
    assert "no" in error.message
    assert "a" == error.completion.text


@pytest.mark.parametrize("nothing", [None, {}, "", False])
@pytest.mark.parametrize("choices", [{}, {"choices": []}], ids=["with choices", "without"])
def test_compat_error_that_is_none(nothing, choices):
    """An empty ``error`` is no error."""
    chunks, completion, error = run(sse({**say("a"), **choices, "error": nothing}, say("b"), stop()))
    assert error is None
    assert 3 == len(chunks)
    assert ("b" if choices else "ab") == completion.text


def test_compat_error_base_resp_that_is_fine():
    """A ``base_resp`` with status 0 is no error."""
    fine = {"status_code": 0, "status_msg": ""}
    assert run(sse(say("a", base_resp=fine), stop(base_resp=fine)))[2] is None


def test_compat_error_behind_the_finish_reason():
    """An error is raised although a finish reason was seen before it."""
    assert StreamError is type(fail(say("a"), stop("length"), {"error": {"message": "no"}}))


def test_compat_error_behind_a_text_in_one_event():
    """Chunks before the error are given out although a single LF separates the events (rule 36)."""
    data = event(json.dumps(say("a")) + "\ndata: " + json.dumps(say("b")) + '\ndata: {"error": "no"}')
    chunks, completion, error = run(data)
    assert StreamError is type(error)
    assert ["a", "b"] == [chunk.text for chunk in chunks]
    assert "ab" == completion.text == error.completion.text


def test_compat_error_travels_with_the_answer():
    """An error of a stream can be pickled with the answer so far in it."""
    error = fail(say("a"), {"error": {"message": "no", "code": 1}})
    twin = pickle.loads(pickle.dumps(error))
    assert ("a", 1, str(error)) == (twin.completion.text, twin.code, str(twin))


@pytest.mark.parametrize("value", ["c", "t", "1e400"])
def test_compat_error_of_our_family_for_nonsense(value):
    """Whatever a server sends, no exception of another family gets out."""
    line = json.dumps(say("a", usage={"prompt_tokens": "@"})).replace('"@"', value)
    assert run(sse(say("b"), line))[1].text.startswith("b")
