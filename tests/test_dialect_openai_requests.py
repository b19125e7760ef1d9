"""What the OpenAI dialect sends: bodies, addresses, headers; and lists of models and embeddings."""

import base64
import json
import math
import struct

import pytest

from compatapi.chat_types import Audio, ChatCompletionRequest, Message, StreamOptions
from compatapi.convert import to_dict
from compatapi.dialects.addressing import join_url
from compatapi.dialects.openai import OpenAIDialect
from compatapi.errors import ConfigError, DecodeError, StreamError
from compatapi.http_types import Quirks, Secret, Target
from compatapi.service_types import EmbeddingRequest

DIALECT = OpenAIDialect()
HELLO = [Message.user("hello")]
WIRE = [{"role": "user", "content": "hello"}]


def target(base="https://api.example/v1", *, key=None, headers=None, query=None, body=None, **quirks):
    """A target with quirks by keyword."""
    secret = Secret(key) if key else None
    return Target(base, secret, Quirks(**quirks), headers or {}, query or {}, body or {})


def sent(request=None, stream=False, **options):
    """The JSON body of the request that would be sent."""
    request = request or ChatCompletionRequest("m", HELLO)
    return json.loads(DIALECT.encode_request(request, target(**options), stream).body)


def test_a_minimal_request():
    """A minimal request is a POST of two fields, and asks for JSON."""
    request = DIALECT.encode_request(ChatCompletionRequest("m", HELLO), target(), False)
    assert ("POST", "https://api.example/v1/chat/completions", False) == (request.method, request.url, request.stream)
    assert {"Content-Type": "application/json", "Accept": "application/json"} == dict(request.headers)
    assert {"model": "m", "messages": WIRE} == json.loads(request.body)


def test_a_stream_asks_for_a_stream():
    """A streamed request says so in its body and in its Accept header."""
    request = DIALECT.encode_request(ChatCompletionRequest("m", HELLO), target(), True)
    assert request.stream
    assert "text/event-stream" in request.headers["Accept"]
    assert {"model": "m", "messages": WIRE, "stream": True} == json.loads(request.body)


def test_a_blocking_request_never_streams():
    """Without a stream nothing about streams is sent unless the request says it."""
    assert "stream_options" not in sent(include_usage=True)
    assert sent(ChatCompletionRequest("m", HELLO, stream=False), include_usage=True)["stream"] is False


LONG = [Message.user("word " * 10_000)]


@pytest.mark.parametrize("odd", [math.nan, math.inf])
@pytest.mark.parametrize(
    "request_with",
    [
        lambda odd: ChatCompletionRequest("m", LONG, temperature=odd),
        lambda odd: ChatCompletionRequest("m", LONG, extra={"a": [odd]}),
        lambda odd: ChatCompletionRequest("m", LONG, extra={"messages": [{"role": "user", "content": odd}]}),
        lambda odd: ChatCompletionRequest("m", [*LONG, {"role": "user", "content": odd}]),
        lambda odd: ChatCompletionRequest("m", [*LONG, {"role": "user", "content": [{"type": "text", "text": odd}]}]),
        lambda odd: ChatCompletionRequest("m", [*LONG, {"role": "user", "content": "x", "weight": odd}]),
        lambda odd: ChatCompletionRequest("m", [*LONG, {"role": "assistant", "content": odd}]),
        lambda odd: ChatCompletionRequest("m", [*LONG, Message("assistant", "x", extra={"score": odd})]),
    ],
)
def test_no_number_that_json_does_not_have(request_with, odd):
    """A number that JSON does not have is refused wherever it stands, also beside messages of texts alone."""
    with pytest.raises(ConfigError, match="JSON"):
        sent(request_with(odd))
    with pytest.raises(ConfigError, match="JSON"):
        sent(ChatCompletionRequest("m", LONG), body={"a": {"b": odd}})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, {"include_usage": True}),
        (StreamOptions(include_usage=False), {"include_usage": False}),
        ({"include_usage": False}, {"include_usage": False}),
        (StreamOptions(include_obfuscation=False), {"include_usage": True, "include_obfuscation": False}),
    ],
)
def test_include_usage(asked, expected):
    """Usage is asked for where the host can do it, unless the request says something about it."""
    request = ChatCompletionRequest("m", HELLO, stream_options=asked)
    assert expected == sent(request, stream=True, include_usage=True)["stream_options"]
    assert (to_dict(asked) if asked else None) == sent(request, stream=True).get("stream_options")


@pytest.mark.parametrize("known", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("said", ["max_tokens", "max_completion_tokens"])
def test_max_tokens_has_the_name_that_the_host_knows(known, said):
    """The limit is sent under the one name that the host knows, and as it was said where both are known."""
    request = ChatCompletionRequest("m", HELLO, **{said: 5})
    assert {known: 5} == {name: value for name, value in sent(request, max_tokens=known).items() if "max" in name}
    assert {said: 5} == {name: value for name, value in sent(request).items() if "max" in name}


def test_both_limits_are_sent_when_both_are_said():
    """Nothing that was said is dropped."""
    body = sent(ChatCompletionRequest("m", HELLO, max_tokens=5, max_completion_tokens=6), max_tokens="max_tokens")
    assert (5, 6) == (body["max_tokens"], body["max_completion_tokens"])


def test_renames():
    """A field may have another name at the host."""
    body = sent(ChatCompletionRequest("m", HELLO, seed=0), renames={"seed": "random_seed"})
    assert 0 == body["random_seed"]
    assert "seed" not in body


@pytest.mark.parametrize("message", [Message.developer("x"), {"role": "developer", "content": "x"}])
def test_developer_role(message):
    """The developer role becomes system where the host does not know it; the message itself stays."""
    request = ChatCompletionRequest("m", [message, *HELLO])
    assert ["system", "user"] == [item["role"] for item in sent(request, developer_role=False)["messages"]]
    assert ["developer", "user"] == [item["role"] for item in sent(request)["messages"]]
    assert "developer" == to_dict(message)["role"]


def test_extra_fields():
    """Fields of one vendor and explicit false values are sent."""
    request = ChatCompletionRequest(
        "m", HELLO, temperature=0, logprobs=False, stop=[], extra={"safe_prompt": None, "x": 1}
    )
    body = sent(request)
    assert (0, False, [], 1) == (body["temperature"], body["logprobs"], body["stop"], body["x"])


def test_body_overrides():
    """Fields of the call win over those of the request, and None removes one."""
    request = ChatCompletionRequest("m", HELLO, temperature=1, user="u")
    options = {"temperature": 0.5, "user": None, "stream_options": None, "top_k": 3, "absent": None}
    body = sent(request, stream=True, include_usage=True, body=options)
    assert {"model": "m", "messages": WIRE, "stream": True, "temperature": 0.5, "top_k": 3} == body


def test_overrides_may_be_wire_objects():
    """An override may be an object of ours."""
    assert {"include_usage": True} == sent(body={"stream_options": StreamOptions(True)})["stream_options"]


@pytest.mark.parametrize("form", [Message, dict])
def test_messages_in_extra_win(form):
    """What a program puts into extra wins over the attribute of that name, also the messages, and stays as it is."""
    own = [form(role="developer", content="a"), form(role="user", content="b")]
    request = ChatCompletionRequest("m", HELLO, extra={"messages": own})
    expected = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    assert expected == sent(request, developer_role=False)["messages"]
    assert "developer" == to_dict(own[0])["role"]


def test_audio_is_named_and_not_sent_back():
    """Of a spoken answer only the id is sent back."""
    spoken = Message("assistant", audio=Audio("a1", "AAAA", 5, "hello"))
    assert {"role": "assistant", "audio": {"id": "a1"}} == sent(ChatCompletionRequest("m", [spoken]))["messages"][0]


def test_headers():
    """The key goes into the Authorization header; headers of the call win."""
    options = target(key="k", headers={"Accept": "x/y", "X-Title": "t"})
    headers = DIALECT.encode_request(ChatCompletionRequest("m", HELLO), options, False).headers
    assert ("Bearer k", "x/y", "t") == (headers["Authorization"], headers["Accept"], headers["X-Title"])


def test_key_in_another_header():
    """The key goes into the header that the provider's row names, and only there."""
    headers = DIALECT.encode_models(target(key="k", auth="api-key")).headers
    assert "k" == headers["api-key"]
    assert "Authorization" not in headers


# --- addresses ------------------------------------------------------------------------------------------------------

CHAT = "/chat/completions"
AZURE = {"root": "/openai", "chat_path": "/deployments/{model}/chat/completions"}
WHOLE_PATH = {"chat_path": "/openai/deployments/{model}/chat/completions"}


@pytest.mark.parametrize(
    ("base", "quirks", "url"),
    [
        ("https://h/v1", {}, "https://h/v1/chat/completions"),
        ("https://h/v1/", {}, "https://h/v1/chat/completions"),
        ("https://h", {}, "https://h/chat/completions"),
        ("https://h/", {}, "https://h/chat/completions"),
        ("https://h/api/paas/v4", {}, "https://h/api/paas/v4/chat/completions"),
        ("http://h:8080/v1//", {}, "http://h:8080/v1/chat/completions"),
        ("https://h/v1?k=1", {}, "https://h/v1/chat/completions?k=1"),
        ("https://h/v1/?k=1", {}, "https://h/v1/chat/completions?k=1"),
        ("https://r.example", AZURE, "https://r.example/openai/deployments/m/chat/completions"),
        ("https://r.example/openai/", AZURE, "https://r.example/openai/deployments/m/chat/completions"),
        (
            "https://r.example/openai/deployments/d?api-version=1",
            AZURE,
            "https://r.example/openai/deployments/d/chat/completions?api-version=1",
        ),
        ("https://r.example", WHOLE_PATH, "https://r.example/openai/deployments/m/chat/completions"),
        (
            "https://r.example/openai/deployments/d/",
            WHOLE_PATH,
            "https://r.example/openai/deployments/d/chat/completions",
        ),
        ("https://r.example", {"root": "/openai/v1"}, "https://r.example/openai/v1/chat/completions"),
        ("https://r.example/openai/v1/", {"root": "/openai/v1"}, "https://r.example/openai/v1/chat/completions"),
    ],
)
def test_join_url(base, quirks, url):
    """Base and path are joined, with or without slash and query, in both forms of Azure, and nothing is guessed."""
    path = quirks.get("chat_path", CHAT)
    assert url == join_url(target(base, **quirks), path, "m")


def test_join_url_adds_the_query():
    """The query of the base stays, that of the call is added and encoded."""
    joined = join_url(target("https://h/v1?a=1", query={"api-version": "2", "x y": "&"}), CHAT)
    assert "https://h/v1/chat/completions?a=1&api-version=2&x+y=%26" == joined


def test_join_url_encodes_the_model():
    """A model's name cannot change the path."""
    assert "https://h/openai/deployments/a%2Fb%20c/chat/completions" == join_url(
        target("https://h", **AZURE), AZURE["chat_path"], "a/b c"
    )


def test_models_beside_a_deployment():
    """The list of models of Azure does not hang below a deployment."""
    options = target("https://r.example/openai/deployments/d?api-version=1", **AZURE)
    assert "https://r.example/openai/models?api-version=1" == DIALECT.encode_models(options).url


# --- models and embeddings ------------------------------------------------------------------------------------------

MODELS = [{"id": "a", "object": "model", "created": 5, "owned_by": "o", "active": True}, {"id": "b"}]


@pytest.mark.parametrize("value", [{"object": "list", "data": MODELS}, MODELS, {"data": MODELS}])
def test_models(value):
    """A list of models may be an object or a bare array, and its fields may be missing or unknown."""
    models = DIALECT.decode_models(json.dumps(value).encode())
    assert [("a", 5, "o"), ("b", None, None)] == [(model.id, model.created, model.owned_by) for model in models]
    assert {"active": True} == dict(models[0].extra)


def test_models_request():
    """The list of models is a GET; a host without one is said so before sending."""
    request = DIALECT.encode_models(target(key="k"))
    assert ("GET", "https://api.example/v1/models", None) == (request.method, request.url, request.body)
    with pytest.raises(ConfigError, match="no list of models"):
        DIALECT.encode_models(target(models_path=None))


@pytest.mark.parametrize("data", [b"<html>", b'{"data": 5}', b"5", b'{"data": [{"name": "no id"}]}'])
def test_models_that_are_none(data):
    """What is no list of models is a clear error."""
    with pytest.raises(DecodeError):
        DIALECT.decode_models(data)


def test_models_that_are_an_error():
    """An error in an answer with status 200 is raised as one."""
    with pytest.raises(StreamError, match="no such key"):
        DIALECT.decode_models(b'{"error": {"message": "no such key"}}')


VECTOR = [1.0, -0.5, 0.25]


@pytest.mark.parametrize("vector", [VECTOR, base64.b64encode(struct.pack("<3f", *VECTOR)).decode(), [1, -0.5, 0.25]])
def test_embeddings(vector):
    """Embeddings may be numbers or base64 of little-endian 32-bit floats."""
    value = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": vector}, {"index": 1, "embedding": []}],
        "model": "e",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
    response = DIALECT.decode_embeddings(json.dumps(value).encode())
    assert [(0, VECTOR), (1, [])] == [(item.index, item.embedding) for item in response.data]
    assert ("e", 8) == (response.model, response.usage.total_tokens)


@pytest.mark.parametrize("vector", ["!!!", "AAA=", "AAAAAAA="])
def test_embeddings_that_are_nonsense(vector):
    """Base64 that holds no floats is a clear error."""
    with pytest.raises(DecodeError):
        DIALECT.decode_embeddings(json.dumps({"data": [{"index": 0, "embedding": vector}]}).encode())


@pytest.mark.parametrize(
    ("inputs", "wire"),
    [("a", "a"), (["a", "b"], ["a", "b"]), ([1, 2], [1, 2]), ([[1, 2], [3]], [[1, 2], [3]])],
)
def test_embeddings_request(inputs, wire):
    """A request for embeddings holds a text, texts, token ids or lists of them."""
    request = DIALECT.encode_embeddings(EmbeddingRequest("e", inputs, dimensions=3), target(body={"x": 1}))
    assert "https://api.example/v1/embeddings" == request.url
    assert {"model": "e", "input": wire, "dimensions": 3, "x": 1} == json.loads(request.body)
    with pytest.raises(ConfigError, match="no embeddings"):
        DIALECT.encode_embeddings(EmbeddingRequest("e", inputs), target(embeddings_path=None))
