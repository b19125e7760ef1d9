"""What the Ollama dialect sends: bodies, addresses, headers; and what it refuses."""

import base64
import json
import logging

import pytest

from compatapi.chat_types import (
    Audio,
    AudioPart,
    ChatCompletionRequest,
    FunctionCall,
    ImagePart,
    InputAudio,
    Message,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCall,
)
from compatapi.dialects.ollama import OllamaDialect
from compatapi.errors import CompatAPIError, ConfigError
from compatapi.http_types import Quirks, Secret, Target
from compatapi.service_types import EmbeddingRequest

DIALECT = OllamaDialect()
HELLO = [Message.user("hello")]
PICTURE = base64.b64encode(b"a picture").decode()
CALL = ToolCall("call_1", FunctionCall("weather", '{"city":"Rome"}'))


def target(base="http://127.0.0.1:11434", *, key=None, body=None, on_unsupported="raise", **quirks):
    """A target with quirks by keyword."""
    return Target(base, Secret(key) if key else None, Quirks(**quirks), body=body or {}, on_unsupported=on_unsupported)


def sent(messages=HELLO, *, stream=False, on_unsupported="raise", model="qwen3", **fields):
    """The JSON body of a request."""
    request = ChatCompletionRequest(model, messages, **fields)
    return json.loads(DIALECT.encode_request(request, target(on_unsupported=on_unsupported), stream).body)


def messages_of(*messages):
    """The messages of the JSON body."""
    return sent(messages)["messages"]


# --- addresses and heads


def test_a_blocking_request():
    """A blocking request says that it is none of a stream, which is what the server would do by itself."""
    request = DIALECT.encode_request(ChatCompletionRequest("qwen3", HELLO), target(), False)
    assert ("POST", "http://127.0.0.1:11434/api/chat", False) == (request.method, request.url, request.stream)
    assert {"Content-Type": "application/json", "Accept": "application/json"} == dict(request.headers)
    assert b'{"model":"qwen3","messages":[{"role":"user","content":"hello"}],"stream":false}' == request.body


def test_a_stream():
    """A streamed request says so in its body and in its Accept header."""
    request = DIALECT.encode_request(ChatCompletionRequest("qwen3", HELLO), target(), True)
    assert request.stream
    assert "application/x-ndjson" == request.headers["Accept"]
    assert b'{"model":"qwen3","messages":[{"role":"user","content":"hello"}],"stream":true}' == request.body


@pytest.mark.parametrize(
    ("base", "quirks", "url"),
    [
        ("http://localhost:11434", {}, "http://localhost:11434/api/chat"),
        ("http://localhost:11434/", {}, "http://localhost:11434/api/chat"),
        ("http://localhost:11434/api", {}, "http://localhost:11434/api/chat"),
        ("https://example.com/ollama?team=a", {}, "https://example.com/ollama/api/chat?team=a"),
        ("http://localhost:11434", {"chat_path": "/talk"}, "http://localhost:11434/api/talk"),
        ("http://localhost:11434", {"root": "/v9"}, "http://localhost:11434/v9/chat"),
    ],
)
def test_address(base, quirks, url):
    """The path goes behind the base URL, with /api once; the row of a provider may say otherwise."""
    assert url == DIALECT.encode_request(ChatCompletionRequest("m", HELLO), target(base, **quirks), True).url


def test_key():
    """A key is sent as a bearer token; without one there is no such header."""
    request = ChatCompletionRequest("m", HELLO)
    keyed = DIALECT.encode_request(request, target(key="a-key-for-tests"), False)
    assert "Bearer a-key-for-tests" == keyed.headers["Authorization"]
    assert "Authorization" not in DIALECT.encode_request(request, target(), False).headers


def test_body_of_the_call_wins():
    """Fields that a call sets go over those of the dialect, and None removes one."""
    request = ChatCompletionRequest("m", HELLO, temperature=1.0)
    made = DIALECT.encode_request(request, target(body={"options": None, "raw_mode": True}), False)
    assert {"model", "messages", "stream", "raw_mode"} == set(json.loads(made.body))


# --- options


def test_options():
    """The common fields are options by Ollama's names, and stop is always a list."""
    body = sent(
        temperature=0.0,
        top_p=0.9,
        seed=7,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        max_tokens=100,
        stop="END",
    )
    assert {
        "num_predict": 100,
        "temperature": 0.0,
        "top_p": 0.9,
        "seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "stop": ["END"],
    } == body["options"]


def test_limit_by_its_newer_name():
    """max_completion_tokens is num_predict, and goes before the older name; -1 is no limit."""
    assert {"num_predict": 5} == sent(max_completion_tokens=5, max_tokens=9)["options"]
    assert {"num_predict": -1} == sent(extra={"num_predict": -1})["options"]


def test_own_options():
    """Ollama's own options may be given one by one, or together; the latter win."""
    body = sent(
        temperature=1.0,
        stop=("a", "b"),
        extra={"num_ctx": 8192, "top_k": 40, "options": {"temperature": 0.2, "mirostat": 1}},
    )
    assert {"temperature": 0.2, "top_k": 40, "num_ctx": 8192, "stop": ["a", "b"], "mirostat": 1} == body["options"]
    with pytest.raises(ConfigError, match="options is an object"):
        sent(extra={"options": [1]})


def test_own_fields():
    """Ollama's own fields are sent beside the options."""
    extra = {"keep_alive": "5m", "truncate": False, "shift": True}
    body = sent(logprobs=True, top_logprobs=3, extra=extra)
    assert {**extra, "logprobs": True, "top_logprobs": 3} == {
        name: body[name] for name in body if name not in ("model", "messages", "stream")
    }
    assert sent(extra={"keep_alive": 0})["keep_alive"] == 0


@pytest.mark.parametrize(
    ("model", "fields", "think"),
    [
        ("qwen3", {}, None),
        ("qwen3", {"reasoning_effort": "none"}, False),
        ("qwen3", {"thinking_budget": 0}, False),
        ("qwen3", {"reasoning_effort": "low"}, True),
        ("qwen3", {"reasoning_effort": "max"}, True),
        ("gpt-oss:20b", {}, None),
        ("gpt-oss:20b", {"reasoning_effort": "none"}, False),
        ("gpt-oss:20b", {"reasoning_effort": "low"}, "low"),
        ("gpt-oss:120b-cloud", {"reasoning_effort": "medium"}, "medium"),
        ("hf.co/unsloth/GPT-OSS-20b", {"reasoning_effort": "high"}, "high"),
        ("gpt-oss", {"reasoning_effort": "minimal"}, "low"),
        ("gpt-oss", {"reasoning_effort": "xhigh"}, "high"),
        ("gpt-oss", {"thinking_budget": 8000}, "medium"),
        ("qwen3", {"extra": {"think": "max"}}, "max"),
        ("qwen3", {"reasoning_effort": "low", "extra": {"think": False}}, False),
    ],
)
def test_think(model, fields, think):
    """An effort is a word for the models that take one, and switches thinking on elsewhere."""
    assert think == sent(model=model, **fields).get("think")


def test_budget_without_words():
    """Tokens of thinking are not counted: a budget is refused where it cannot become a word."""
    with pytest.raises(ConfigError, match="thinking_budget"):
        sent(thinking_budget=1000)
    with pytest.raises(ConfigError, match="thinking_budget"):
        sent(model="gpt-oss", reasoning_effort="low", thinking_budget=1000)
    assert sent(thinking_budget=1000, on_unsupported="drop")["think"] is True


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ResponseFormat("text"), None),
        (ResponseFormat.json_object(), "json"),
        (ResponseFormat.from_schema("number", SCHEMA, strict=True), SCHEMA),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "description": "A number."}},
            {"description": "A number.", **SCHEMA},
        ),
        ({"type": "json_schema", "json_schema": {"name": "anything"}}, "json"),
    ],
)
def test_format(wanted, expected):
    """A response format is the word json, or the schema itself."""
    assert expected == sent(response_format=wanted).get("format")


def test_tools():
    """Tools go in OpenAI's form, without what Ollama does not know."""
    tool = Tool.from_schema("weather", "Tell the weather.", {"type": "object"}, strict=False)
    expected = {"name": "weather", "description": "Tell the weather.", "parameters": {"type": "object"}}
    body = sent(
        tools=[tool, {"type": "function", "function": {"name": "clock"}}],
        tool_choice="auto",
        n=1,
        parallel_tool_calls=True,
    )
    assert [{"type": "function", "function": expected}, {"type": "function", "function": {"name": "clock"}}] == body[
        "tools"
    ]
    assert {"model", "messages", "tools", "stream"} == set(body)


def test_order_of_the_fields():
    """The fields stand in the order of Ollama's documents."""
    body = sent(
        tools=[Tool.from_schema("f")],
        reasoning_effort="low",
        response_format=ResponseFormat.json_object(),
        seed=1,
        extra={"keep_alive": 0},
    )
    assert ["model", "messages", "tools", "think", "format", "options", "stream", "keep_alive"] == list(body)


# --- messages


def test_roles():
    """The developer is the system; any other role stays what it is."""
    said = messages_of(Message.developer("Be brief."), Message.system("Be kind."), Message("critic", "Bad."))
    assert [("system", "Be brief."), ("system", "Be kind."), ("critic", "Bad.")] == [
        (m["role"], m["content"]) for m in said
    ]


def test_content_is_one_text_and_images_stand_beside_it():
    """Parts of text are joined; the content of a data: URL goes into images, without its prefix."""
    image = ImagePart.from_url(f"data:image/png;base64,{PICTURE}")
    plain = ImagePart.from_url("data:image/svg+xml,%3Csvg/%3E", detail="auto")
    said = messages_of(Message.user(["What is ", image, TextPart("this?"), plain]))
    assert [
        {"role": "user", "content": "What is this?", "images": [PICTURE, base64.b64encode(b"<svg/>").decode()]}
    ] == said


def test_images_of_ollamas_own_form():
    """Images may be given as Ollama has them."""
    message = Message.user([ImagePart.from_url(f"data:image/png;base64,{PICTURE}")])
    message.extra["images"] = ["QUJD"]
    assert [{"role": "user", "content": "", "images": ["QUJD", PICTURE]}] == messages_of(message)
    with pytest.raises(ConfigError, match="images is a list"):
        sent([{"role": "user", "content": "", "images": "QUJD"}])


def test_a_turn_with_tools_and_thinking():
    """Thinking goes back, arguments are objects, and a result names its tool and its call."""
    said = messages_of(
        Message.user("Weather?"),
        Message.assistant(
            "A moment.",
            tool_calls=[CALL, {"id": "", "function": {"name": "clock", "arguments": ""}}],
            reasoning_content="Hm.",
        ),
        Message.tool("Sunny", "call_1"),
    )
    assert [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": "A moment.",
            "thinking": "Hm.",
            "tool_calls": [
                {"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Rome"}}},
                {"function": {"name": "clock", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "Sunny", "tool_name": "weather", "tool_call_id": "call_1"},
    ] == said


def test_a_result_that_names_its_tool():
    """A name given with a result goes before that of the call; a result of an unknown call has none."""
    named = Message("tool", "1", name="clock", tool_call_id="call_1")
    own = {"role": "tool", "content": "2", "tool_name": "moon"}
    said = messages_of(Message.assistant(tool_calls=[CALL]), named, own, Message.tool("3", "call_9"))
    assert "" == said[0]["content"]
    assert ["clock", "moon", None] == [m.get("tool_name") for m in said[1:]]
    assert ["call_1", None, "call_9"] == [m.get("tool_call_id") for m in said[1:]]


def test_number_of_a_call_goes_back():
    """The number that Ollama gave a call is sent back with it."""
    call = ToolCall("a", FunctionCall("weather", "{}", extra={"index": 1}))
    [said] = messages_of(Message.assistant(tool_calls=[call]))
    assert [{"id": "a", "function": {"index": 1, "name": "weather", "arguments": {}}}] == said["tool_calls"]


# --- what cannot be said

SOUND = AudioPart(InputAudio("QUJD", "wav"))
REFUSED = [
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tool_choice": "none"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, "tool_choice"),
    ({"parallel_tool_calls": False}, "parallel_tool_calls"),
    ({"n": 2}, "n"),
    ({"logit_bias": {"1": 2}}, "logit_bias"),
    ({"user": "somebody"}, "user"),
    ({"metadata": {"a": "b"}}, "metadata"),
    ({"verbosity": "low"}, "verbosity"),
    ({"modalities": ["audio"]}, "modalities"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"extra": {"topK": 3}}, "topK"),
    ({"response_format": {"type": "grammar"}}, "response_format"),
    ({"response_format": {"type": "json_object", "syntax": "x"}}, "response_format.syntax"),
    ({"tools": [{"type": "web_search"}]}, r"tools\[0\]"),
    ({"tools": [Tool.from_schema("weather", strict=True)]}, "strict"),
    ({"messages": [Message.user([ImagePart.from_url("https://example.com/a.png")])]}, r"messages\[0\].content\[0\]"),
    ({"messages": [Message.user([ImagePart.from_url(f"data:image/png;base64,{PICTURE}", detail="low")])]}, "detail"),
    ({"messages": [Message.user(["a", SOUND])]}, r"messages\[0\].content\[1\].*input_audio"),
    ({"messages": [Message.user("a", name="Ann")]}, r"messages\[0\].name"),
    ({"messages": [Message.assistant(refusal="No.")]}, r"messages\[0\].refusal"),
    ({"messages": [Message("assistant", "a", audio=Audio("a1"))]}, r"messages\[0\].audio"),
    ({"messages": [Message("assistant", None, function_call=FunctionCall("f"))]}, "function_call"),
    ({"messages": [{"role": "assistant", "content": "a", "reasoning_details": [{"type": "x"}]}]}, "reasoning_details"),
    ({"messages": [{"role": "assistant", "content": "a", "annotations": [{"type": "url_citation"}]}]}, "annotations"),
    (
        {"messages": [Message.assistant(tool_calls=[ToolCall("a", FunctionCall("f", "{}"), extra={"sign": "x"})])]},
        "sign",
    ),
    (
        {
            "messages": [
                Message.assistant(tool_calls=[{"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}])
            ]
        },
        "custom",
    ),
]


@pytest.mark.parametrize(("fields", "named"), REFUSED, ids=[named for _, named in REFUSED])
def test_refused(fields, named, caplog):
    """What Ollama has no word for is an error that names field and dialect; with drop it is left out and logged."""
    request = ChatCompletionRequest(**{"model": "m", "messages": HELLO, **fields})
    with pytest.raises(ConfigError, match=named) as caught:
        DIALECT.encode_request(request, target(), False)
    assert "'ollama'" in str(caught.value)
    with caplog.at_level(logging.WARNING, "compatapi"):
        body = json.loads(DIALECT.encode_request(request, target(on_unsupported="drop"), False).body)
    assert [True] == [text.endswith("dropped") for text in caplog.messages]
    assert {"model", "messages", "stream"} <= set(body) <= {"model", "messages", "stream", "tools", "format"}


def test_arguments_that_are_no_object():
    """A call whose arguments are no JSON object cannot be sent, and the error shows where it stands."""
    for text in ('{"city":', "[1]", "nonsense"):
        with pytest.raises(ConfigError, match=r"messages\[0\].tool_calls\[0\]"):
            sent([Message.assistant(tool_calls=[ToolCall("a", FunctionCall("f", text))])])


# --- lists and embeddings


def test_models_request():
    """The list of models is a GET of /api/tags, unless the row of the provider says otherwise."""
    request = DIALECT.encode_models(target(key="a-key-for-tests"))
    assert ("GET", "http://127.0.0.1:11434/api/tags", None) == (request.method, request.url, request.body)
    assert "Bearer a-key-for-tests" == request.headers["Authorization"]
    assert "http://127.0.0.1:11434/api/all" == DIALECT.encode_models(target(models_path="/all")).url
    with pytest.raises(ConfigError, match="no list of models"):
        DIALECT.encode_models(target(models_path=None))


def test_embeddings_request():
    """Embeddings are asked for by one text or several, with Ollama's own fields."""
    extra = {"truncate": False, "keep_alive": "5m", "options": {"num_ctx": 512}}
    request = DIALECT.encode_embeddings(EmbeddingRequest("nomic", ["a", "b"], dimensions=64, extra=extra), target())
    assert ("POST", "http://127.0.0.1:11434/api/embed") == (request.method, request.url)
    assert {"model": "nomic", "input": ["a", "b"], "dimensions": 64, **extra} == json.loads(request.body)
    one = DIALECT.encode_embeddings(EmbeddingRequest("nomic", "a", encoding_format="float"), target())
    assert b'{"model":"nomic","input":"a"}' == one.body


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (EmbeddingRequest("m", [1, 2]), "numbers of tokens"),
        (EmbeddingRequest("m", "a", encoding_format="base64"), "encoding_format"),
        (EmbeddingRequest("m", "a", user="somebody"), "user"),
    ],
)
def test_embeddings_that_cannot_be_said(request_, named):
    """Numbers of tokens, base64 and users are refused; so is a host without embeddings."""
    with pytest.raises(ConfigError, match=named):
        DIALECT.encode_embeddings(request_, target())
    with pytest.raises(CompatAPIError, match="no embeddings"):
        DIALECT.encode_embeddings(EmbeddingRequest("m", "a"), target(embeddings_path=None))
