"""What the DashScope dialect sends: paths, heads, bodies; and what it refuses."""

import json
import logging

import pytest

from compatapi.chat_types import (
    Audio,
    AudioPart,
    ChatCompletionRequest,
    FilePart,
    FunctionCall,
    ImagePart,
    InputAudio,
    Message,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCall,
)
from compatapi.dialects.dashscope import DashScopeDialect
from compatapi.errors import ConfigError
from compatapi.http_types import Quirks, Secret, Target
from compatapi.service_types import EmbeddingRequest

DIALECT = DashScopeDialect()
BASE = "https://dashscope.example/api/v1"
TEXT = f"{BASE}/services/aigc/text-generation/generation"
MULTIMODAL = f"{BASE}/services/aigc/multimodal-generation/generation"
EMBEDDINGS = f"{BASE}/services/embeddings/text-embedding/text-embedding"
HELLO = [Message.user("hello")]
CALL = ToolCall("call_1", FunctionCall("weather", '{"city": "Rome"}'))


def target(*, key="a-key-for-tests", headers=None, body=None, on_unsupported="raise", **quirks):
    """A target with quirks by keyword."""
    secret = Secret(key) if key else None
    return Target(BASE, secret, Quirks(**quirks), headers or {}, body=body or {}, on_unsupported=on_unsupported)


def encoded(messages=HELLO, *, stream=False, model="qwen-plus", to=None, **fields):
    """The HTTP request."""
    return DIALECT.encode_request(ChatCompletionRequest(model, messages, **fields), to or target(), stream)


def parameters_of(**fields):
    """What stands in ``parameters`` beside the form of the result."""
    parameters = json.loads(encoded(**fields).body)["parameters"]
    assert "message" == parameters.pop("result_format")
    return parameters


def messages_of(*messages, **options):
    """The messages of the JSON body."""
    return json.loads(encoded(messages, **options).body)["input"]["messages"]


# --- paths and heads


def test_a_blocking_request():
    """A blocking request asks for messages, and says nothing of streams."""
    request = encoded()
    assert ("POST", TEXT, False) == (request.method, request.url, request.stream)
    assert (
        b'{"model":"qwen-plus","input":{"messages":[{"role":"user","content":"hello"}]},'
        b'"parameters":{"result_format":"message"}}' == request.body
    )
    expected = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Authorization": "Bearer a-key-for-tests",
    }
    assert expected == dict(request.headers)


def test_a_stream():
    """A stream is asked for by two headers, and deltas by a parameter; the body has no stream field."""
    request = encoded(stream=True)
    assert request.stream
    assert ("enable", "text/event-stream") == (request.headers["X-DashScope-SSE"], request.headers["Accept"])
    body = json.loads(request.body)
    assert {"result_format": "message", "incremental_output": True} == body["parameters"]
    assert ["model", "input", "parameters"] == list(body)


@pytest.mark.parametrize("base", ["https://dashscope.example", "https://dashscope.example/api/v1/"])
def test_base(base):
    """The version stands in the address once, whether the base URL has it or not."""
    request = DIALECT.encode_request(ChatCompletionRequest("qwen-plus", HELLO), Target(base), False)
    assert TEXT == request.url
    assert EMBEDDINGS == DIALECT.encode_embeddings(EmbeddingRequest("m", "a"), Target(base)).url


def test_headers_of_the_client_win():
    """A header that the client sets goes over that of the dialect."""
    request = encoded(stream=True, to=target(headers={"X-DashScope-SSE": "disable", "X-DashScope-WorkSpace": "ws-1"}))
    assert ("disable", "ws-1") == (request.headers["X-DashScope-SSE"], request.headers["X-DashScope-WorkSpace"])


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("qwen-plus", TEXT),
        ("qwen-max-latest", TEXT),
        ("qwen3-max", TEXT),
        ("qwen3-235b-a22b", TEXT),
        ("qwen3-coder-plus", TEXT),
        ("qwen2.5-72b-instruct", TEXT),
        ("qwq-plus", TEXT),
        ("deepseek-r1", TEXT),
        ("qwen3.5-plus", MULTIMODAL),
        ("qwen3.6-flash", MULTIMODAL),
        ("qwen4-max", MULTIMODAL),
        ("qwen-vl-max", MULTIMODAL),
        ("qwen3-vl-plus", MULTIMODAL),
        ("qwen2.5-vl-7b-instruct", MULTIMODAL),
        ("qwen-vl-ocr", MULTIMODAL),
        ("qvq-max", MULTIMODAL),
        ("qwen3-omni-flash", MULTIMODAL),
        ("qwen2-audio-instruct", MULTIMODAL),
        ("qwen3-asr-flash", MULTIMODAL),
    ],
)
def test_path_by_the_model(model, url):
    """Models that see or hear, and every Qwen from 3.5 on, are behind the multimodal path."""
    assert url == encoded(model=model).url


def test_path_by_the_content():
    """A request with anything but text goes to the multimodal path, where every content is a list."""
    image = ImagePart.from_url("https://example.com/a.png")
    request = encoded([Message.system("Look."), Message.user(["What?", image]), Message.assistant(tool_calls=[CALL])])
    assert MULTIMODAL == request.url
    said = json.loads(request.body)["input"]["messages"]
    assert [[{"text": "Look."}], [{"text": "What?"}, {"image": "https://example.com/a.png"}], [{"text": ""}]] == [
        m["content"] for m in said
    ]
    wire = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]}
    assert MULTIMODAL == encoded([wire]).url
    assert TEXT == encoded([Message.user(["a", TextPart("b")])]).url


def test_path_by_the_row():
    """The row of a provider may name the path, and with it the form of the content."""
    multimodal = encoded(to=target(chat_path="/services/aigc/multimodal-generation/generation"))
    assert (MULTIMODAL, [{"text": "hello"}]) == (
        multimodal.url,
        json.loads(multimodal.body)["input"]["messages"][0]["content"],
    )
    text = encoded(model="qwen3.5-plus", to=target(chat_path="/chat"))
    assert (f"{BASE}/chat", "hello") == (text.url, json.loads(text.body)["input"]["messages"][0]["content"])
    with pytest.raises(ConfigError, match="path of texts"):
        encoded([Message.user([ImagePart.from_url("https://example.com/a.png")])], to=target(chat_path="/chat"))


# --- parameters


def test_parameters():
    """The common fields are parameters under their own names."""
    fields = {
        "temperature": 0.0,
        "top_p": 0.8,
        "seed": 3,
        "presence_penalty": 1.5,
        "n": 2,
        "logprobs": True,
        "top_logprobs": 2,
        "parallel_tool_calls": True,
        "max_tokens": 50,
    }
    assert {**fields, "stop": ["a"]} == parameters_of(**fields, stop="a")
    assert {"max_tokens": 7} == parameters_of(max_completion_tokens=7, max_tokens=9)


def test_own_parameters():
    """DashScope's own parameters may be given one by one, or together; the latter win."""
    extra = {"top_k": 40, "repetition_penalty": 1.1, "enable_search": True, "search_options": {"forced_search": True}}
    assert extra == parameters_of(extra=extra)
    assert {"top_k": 1, "max_input_tokens": 9} == parameters_of(
        extra={"top_k": 40, "parameters": {"top_k": 1, "max_input_tokens": 9}}
    )
    with pytest.raises(ConfigError, match="parameters is an object"):
        parameters_of(extra={"parameters": [1]})


def test_deltas_may_be_declined():
    """A few models refuse incremental output: it can be switched off, and does not stand in a blocking request."""
    off = {"incremental_output": False}
    assert off == parameters_of(stream=True, extra=off)
    assert off == parameters_of(stream=True, extra={"parameters": off})
    assert {} == parameters_of(extra=off)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"reasoning_effort": "none"}, {"enable_thinking": False}),
        ({"thinking_budget": 0}, {"enable_thinking": False}),
        ({"reasoning_effort": "low"}, {"enable_thinking": True, "thinking_budget": 1024}),
        ({"reasoning_effort": "high"}, {"enable_thinking": True, "thinking_budget": 24576}),
        ({"reasoning_effort": "max"}, {"enable_thinking": True}),
        ({"thinking_budget": 500}, {"enable_thinking": True, "thinking_budget": 500}),
        ({"reasoning_effort": "low", "thinking_budget": 500}, {"enable_thinking": True, "thinking_budget": 500}),
        ({"extra": {"enable_thinking": True}}, {"enable_thinking": True}),
    ],
)
def test_thinking(fields, expected):
    """An effort or a budget switches thinking on, and is said in tokens; the largest efforts set no limit."""
    assert expected == parameters_of(**fields)


def test_tools():
    """Tools and their choice go in OpenAI's form."""
    tool = Tool.from_schema("weather", "Tell the weather.", {"type": "object"})
    wire = {
        "type": "function",
        "function": {"name": "weather", "description": "Tell the weather.", "parameters": {"type": "object"}},
    }
    assert {"tools": [wire], "tool_choice": "none"} == parameters_of(tools=[tool], tool_choice="none")
    named = {"type": "function", "function": {"name": "weather"}}
    assert {"tools": [wire], "tool_choice": named} == parameters_of(tools=[tool], tool_choice=named)


def test_response_format():
    """A response format goes as it is."""
    assert {"response_format": {"type": "json_object"}} == parameters_of(response_format=ResponseFormat.json_object())
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True}
    wanted = ResponseFormat.from_schema("n", {"type": "object"}, strict=True)
    assert {"response_format": {"type": "json_schema", "json_schema": schema}} == parameters_of(response_format=wanted)


# --- messages


def test_a_turn_with_tools_and_reasoning():
    """Messages go as OpenAI has them: arguments as the model wrote them, reasoning under its name."""
    said = messages_of(
        Message.developer("Be brief."),
        Message.user(["How is ", TextPart("Rome?")]),
        Message.assistant(None, tool_calls=[CALL], reasoning_content="Look."),
        Message("tool", "sunny", tool_call_id="call_1", name="weather"),
    )
    function = {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How is Rome?"},
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "Look.",
            "tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "sunny", "name": "weather", "tool_call_id": "call_1"},
    ] == said


def test_reasoning_that_is_not_wanted():
    """The row of a host that takes no reasoning back leaves it out."""
    message = Message.assistant("a", reasoning_content="b")
    assert [{"role": "assistant", "content": "a"}] == messages_of(message, to=target(reasoning_field=None))


def test_parts():
    """Images, sounds and films go under their own names, as addresses or data: URLs."""
    parts = [
        ImagePart.from_url("data:image/png;base64,QUJD"),
        AudioPart(InputAudio("QUJD", "wav")),
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
        {"type": "video", "video": ["https://example.com/1.png", "https://example.com/2.png"]},
        "What is it?",
    ]
    assert [
        {"image": "data:image/png;base64,QUJD"},
        {"audio": "data:audio/wav;base64,QUJD"},
        {"video": "https://example.com/a.mp4"},
        {"video": ["https://example.com/1.png", "https://example.com/2.png"]},
        {"text": "What is it?"},
    ] == messages_of(Message.user(parts))[0]["content"]


def test_the_beginning_of_an_answer():
    """DashScope goes on with an answer that is marked as partial."""
    [_, said] = messages_of(*HELLO, {"role": "assistant", "content": "Once upon", "partial": True})
    assert {"role": "assistant", "content": "Once upon", "partial": True} == said


# --- what cannot be said

REFUSED = [
    ({"tool_choice": "required"}, "tool_choice"),
    ({"frequency_penalty": 1.0}, "frequency_penalty"),
    ({"logit_bias": {"1": 2}}, "logit_bias"),
    ({"user": "somebody"}, "user"),
    ({"verbosity": "low"}, "verbosity"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"extra": {"topK": 3}}, "topK"),
    ({"tools": [{"type": "web_search"}]}, r"tools\[0\]"),
    ({"tools": [Tool.from_schema("weather", strict=True)]}, "strict"),
    ({"messages": [Message.user([ImagePart.from_url("https://example.com/a.png", detail="low")])]}, "detail"),
    ({"messages": [Message.user(["a", FilePart.from_id("f1")])]}, r"messages\[0\].content\[1\].*file"),
    ({"messages": [Message.user(["a", {"type": "video_url", "video_url": {"url": "u", "fps": 2}}])]}, r"content\[1\]"),
    ({"messages": [Message.user("a", name="Ann")]}, r"messages\[0\].name"),
    ({"messages": [Message("function", "a")]}, r"messages\[0\].role \('function'\)"),
    ({"messages": [Message.assistant(refusal="No.")]}, r"messages\[0\].refusal"),
    ({"messages": [Message("assistant", "a", audio=Audio("a1"))]}, r"messages\[0\].audio"),
    ({"messages": [{"role": "assistant", "content": "a", "content_blocks": [{"type": "x"}]}]}, "content_blocks"),
    ({"messages": [Message.assistant(tool_calls=[ToolCall("a", FunctionCall("f"), extra={"sign": "x"})])]}, "sign"),
    ({"messages": [Message.assistant(tool_calls=[{"id": "a", "type": "custom", "custom": {"name": "f"}}])]}, "custom"),
]


@pytest.mark.parametrize(("fields", "named"), REFUSED, ids=[named for _, named in REFUSED])
def test_refused(fields, named, caplog):
    """What DashScope has no word for is an error that names field and dialect; with drop it is left out and logged."""
    request = ChatCompletionRequest(**{"model": "qwen-plus", "messages": HELLO, **fields})
    with pytest.raises(ConfigError, match=named) as caught:
        DIALECT.encode_request(request, target(), False)
    assert "'dashscope'" in str(caught.value)
    with caplog.at_level(logging.WARNING, "compatapi"):
        body = json.loads(DIALECT.encode_request(request, target(on_unsupported="drop"), False).body)
    assert [True] == [text.endswith("dropped") for text in caplog.messages]
    assert ["model", "input", "parameters"] == list(body)


# --- lists and embeddings


def test_no_list_of_models():
    """DashScope has no list of models in its own form."""
    with pytest.raises(ConfigError, match="no list of models"):
        DIALECT.encode_models(target())


def test_embeddings_request():
    """Embeddings are asked for by a list of texts, with the parameters of DashScope."""
    request = DIALECT.encode_embeddings(EmbeddingRequest("text-embedding-v4", "a"), target())
    assert EMBEDDINGS == request.url
    assert b'{"model":"text-embedding-v4","input":{"texts":["a"]}}' == request.body
    extra = {"text_type": "query", "parameters": {"instruct": "Find."}}
    several = EmbeddingRequest("m", ["a", "b"], dimensions=64, encoding_format="float", extra=extra)
    assert {
        "model": "m",
        "input": {"texts": ["a", "b"]},
        "parameters": {"dimension": 64, "text_type": "query", "instruct": "Find."},
    } == json.loads(DIALECT.encode_embeddings(several, target()).body)


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
    with pytest.raises(ConfigError, match="no embeddings"):
        DIALECT.encode_embeddings(EmbeddingRequest("m", "a"), target(embeddings_path=None))
