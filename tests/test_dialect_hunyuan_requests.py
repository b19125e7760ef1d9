"""What the Hunyuan dialect sends: bodies field by field, and what it refuses."""

import json
import logging

import pytest

from calls import error_of
from compatapi.chat_types import ChatCompletionRequest, ContentPart, FilePart, ImagePart, Message, TextPart, Tool
from compatapi.dialects.hunyuan import OWN_FIELDS, HunyuanDialect
from compatapi.errors import ConfigError
from compatapi.http_types import Secret, Target
from compatapi.message_types import CustomCall, FunctionCall, RefusalPart, ToolCall

NOW = 1_700_000_000
DIALECT = HunyuanDialect(clock=lambda: NOW + 0.9)
HELLO = [Message.user("hello")]
WIRE = [{"Role": "user", "Content": "hello"}]
BASE = "https://hunyuan.tencentcloudapi.com"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = Tool.from_schema("get_weather", "Tell the weather", SCHEMA)
WEATHER_WIRE = {
    "Type": "function",
    "Function": {
        "Name": "get_weather",
        "Parameters": '{"type":"object","properties":{"city":{"type":"string"}}}',
        "Description": "Tell the weather",
    },
}
TIME_WIRE = {"Type": "function", "Function": {"Name": "now", "Parameters": '{"type":"object","properties":{}}'}}
CALL = ToolCall("call_a", FunctionCall("get_weather", '{"city":"Lima"}'))
CALL_WIRE = {
    "Id": "call_a",
    "Type": "function",
    "Function": {"Name": "get_weather", "Arguments": '{"city":"Lima"}'},
}


def target(base=BASE, key="test-id:test-secret", **fields):
    """A target with options by keyword."""
    return Target(base, Secret(key) if key else None, **fields)


def encoded(messages=HELLO, *, stream=False, to=None, **fields):
    """The HTTP request for a conversation and request fields."""
    return DIALECT.encode_request(ChatCompletionRequest("hunyuan-lite", messages, **fields), to or target(), stream)


def sent(messages=HELLO, **options):
    """The JSON body that would be sent, without the model."""
    body = json.loads(encoded(messages, **options).body)
    assert "hunyuan-lite" == body.pop("Model")
    return body


def refused(messages=HELLO, **options):
    """The text of the refusal."""
    return str(error_of(ConfigError, encoded, messages, **options))


# --- bodies ---------------------------------------------------------------------------------------------------------


def test_a_minimal_request():
    """A minimal request is a POST to the path / with two fields."""
    request = encoded()
    assert ("POST", f"{BASE}/", False) == (request.method, request.url, request.stream)
    assert b'{"Model":"hunyuan-lite","Messages":[{"Role":"user","Content":"hello"}]}' == request.body


def test_a_blocking_request_may_say_so():
    """Whether to stream is said where the request says it."""
    request = ChatCompletionRequest("hunyuan-lite", HELLO, stream=False)
    assert json.loads(DIALECT.encode_request(request, target(), False).body)["Stream"] is False
    assert json.loads(DIALECT.encode_request(request, target(), True).body)["Stream"] is True


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"temperature": 0}, {"Temperature": 0}),
        ({"top_p": 0.5}, {"TopP": 0.5}),
        ({"seed": 7}, {"Seed": 7}),
        ({"stop": "END"}, {"Stop": ["END"]}),
        ({"stop": ["A", "B"]}, {"Stop": ["A", "B"]}),
        ({"stop": []}, {"Stop": []}),
        ({"n": 1}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"stream_options": {"include_usage": True}}, {}),
        ({"reasoning_effort": "none"}, {"EnableThinking": False}),
        ({"reasoning_effort": "high"}, {"EnableThinking": True}),
        ({"thinking_budget": 0}, {"EnableThinking": False}),
        ({"tools": [WEATHER]}, {"Tools": [WEATHER_WIRE]}),
        ({"tools": [{"type": "function", "function": {"name": "now"}}]}, {"Tools": [TIME_WIRE]}),
        ({"functions": [{"name": "now"}]}, {"Tools": [TIME_WIRE]}),
        ({"tools": []}, {}),
        ({"tool_choice": "auto"}, {"ToolChoice": "auto"}),
        ({"tool_choice": "none"}, {"ToolChoice": "none"}),
        ({"function_call": "none"}, {"ToolChoice": "none"}),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
            {"Tools": [WEATHER_WIRE], "ToolChoice": "custom", "CustomTool": WEATHER_WIRE},
        ),
        ({"extra": {"StreamModeration": False}}, {"StreamModeration": False}),
        ({"extra": {"WebSearchOptions": {"Processes": True}}}, {"WebSearchOptions": {"Processes": True}}),
        ({"temperature": 1, "extra": {"Temperature": 2}}, {"Temperature": 2}),
    ],
)
def test_fields(fields, body):
    """Each request field has its word in the body."""
    assert {"Messages": WIRE, **body} == sent(**fields)


def test_every_field_of_the_service_is_taken():
    """All fields that the service documents can be given by their own names."""
    own = {name: number for number, name in enumerate(OWN_FIELDS)}
    assert {"Messages": WIRE, **own} == sent(extra=own)


def test_the_order_of_the_fields():
    """Model and messages come first, what belongs to tools together."""
    body = encoded(
        stream=True,
        top_p=1,
        tools=[WEATHER],
        stop="x",
        tool_choice="auto",
        extra={"Citation": True},
        temperature=1,
    ).body
    names = ["Model", "Messages", "Stream", "Temperature", "TopP", "Stop", "Tools", "ToolChoice", "Citation"]
    assert names == list(json.loads(body))


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (Message.system("Be brief"), {"Role": "system", "Content": "Be brief"}),
        (Message.developer("Be brief"), {"Role": "system", "Content": "Be brief"}),
        (Message.user(""), {"Role": "user", "Content": ""}),
        (Message.user(["a", TextPart("b")]), {"Role": "user", "Content": "ab"}),
        (Message.assistant("Hi"), {"Role": "assistant", "Content": "Hi"}),
        (Message.assistant("Hi", reasoning_content="Let me think"), {"Role": "assistant", "Content": "Hi"}),
        (Message.assistant(tool_calls=[CALL]), {"Role": "assistant", "ToolCalls": [CALL_WIRE]}),
        (
            Message.assistant(
                "Look",
                tool_calls=[
                    {"id": "call_a", "function": {"name": "get_weather", "arguments": '{"city":"Lima"}'}},
                ],
            ),
            {"Role": "assistant", "Content": "Look", "ToolCalls": [CALL_WIRE]},
        ),
        (Message.tool("21 C", "call_a"), {"Role": "tool", "Content": "21 C", "ToolCallId": "call_a"}),
        ({"role": "user", "content": "plain"}, {"Role": "user", "Content": "plain"}),
        (
            Message("user", "Read it", extra={"FileIDs": ["file-1"]}),
            {"Role": "user", "Content": "Read it", "FileIDs": ["file-1"]},
        ),
        (
            Message.user(["What is it?", ImagePart.from_url("https://example.com/x.png")]),
            {
                "Role": "user",
                "Contents": [
                    {"Type": "text", "Text": "What is it?"},
                    {"Type": "image_url", "ImageUrl": {"Url": "https://example.com/x.png"}},
                ],
            },
        ),
        (
            Message.user([ImagePart.from_url("data:image/png;base64,AAAA", detail="auto")]),
            {
                "Role": "user",
                "Contents": [{"Type": "image_url", "ImageUrl": {"Url": "data:image/png;base64,AAAA"}}],
            },
        ),
        (
            Message.user([ContentPart("video_url", extra={"video_url": {"url": "https://example.com/v.mp4"}})]),
            {"Role": "user", "Contents": [{"Type": "video_url", "VideoUrl": {"Url": "https://example.com/v.mp4"}}]},
        ),
        (
            Message.user([{"type": "video_frames", "VideoFrames": {"Frames": ["https://example.com/1.png"]}}]),
            {
                "Role": "user",
                "Contents": [{"Type": "video_frames", "VideoFrames": {"Frames": ["https://example.com/1.png"]}}],
            },
        ),
    ],
)
def test_messages(message, wire):
    """Each kind of message and part has its form, and reasoning of earlier turns is left out on purpose."""
    assert [wire] == sent([message])["Messages"]


# --- what cannot be said --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 5),
        ("max_completion_tokens", 5),
        ("n", 2),
        ("presence_penalty", 0.0),
        ("frequency_penalty", 1),
        ("logit_bias", {"1": 1}),
        ("logprobs", True),
        ("top_logprobs", 2),
        ("response_format", {"type": "json_object"}),
        ("tool_choice", "required"),
        ("tool_choice", {"type": "function", "function": {"name": "nobody"}}),
        ("parallel_tool_calls", True),
        ("thinking_budget", 1000),
        ("verbosity", "low"),
        ("modalities", ["text"]),
        ("audio", {"voice": "a", "format": "wav"}),
        ("prediction", {"type": "content", "content": "x"}),
        ("web_search_options", {}),
        ("service_tier", "auto"),
        ("store", False),
        ("metadata", {"a": "b"}),
        ("safety_identifier", "x"),
        ("prompt_cache_key", "x"),
        ("user", "x"),
    ],
)
def test_fields_that_are_refused(name, value):
    """What the action has no word for is refused by its name, and the dialect is named."""
    said = refused(**{name: value})
    assert name in said
    assert "'hunyuan'" in said


@pytest.mark.parametrize("name", ["top_k", "Model", "stream_moderation", "Stream"])
def test_unknown_extra_fields_are_refused(name):
    """A field that is neither common nor one of the service's own is refused."""
    assert name in refused(extra={name: 1})


ODD_CALL = ToolCall("c", FunctionCall("f", "{}"), extra={"extra_content": {"google": {}}})


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (Message("critic", "x"), "messages[0].role"),
        (Message.user("x", name="Ann"), "messages[0].name"),
        (Message.assistant("x", refusal="no"), "messages[0].refusal"),
        (Message("user", "x", extra={"audio_id": "a"}), "messages[0].audio_id"),
        (Message("assistant", "x", extra={"reasoning_details": [{"type": "x"}]}), "messages[0].reasoning_details"),
        (Message("assistant", "x", annotations=[]), None),
        (Message("assistant", "x", function_call=FunctionCall("f", "{}")), "messages[0].function_call"),
        (Message("user", "x", tool_calls=[CALL]), "messages[0].tool_calls"),
        (Message("user", "x", tool_call_id="c"), "messages[0].tool_call_id"),
        (Message("user", "x", reasoning_content="hm"), "messages[0].reasoning_content"),
        (Message.user([FilePart.from_id("f")]), "messages[0].content[0]"),
        (Message.assistant([RefusalPart("no")]), "messages[0].content[0]"),
        (Message.user([ContentPart("hologram")]), "messages[0].content[0]"),
        (Message.user([TextPart("x", extra={"cache_control": {"type": "x"}})]), "messages[0].content[0].cache_control"),
        (Message.user([ImagePart.from_url("u", detail="low")]), "messages[0].content[0].image_url.detail"),
        (Message.assistant(tool_calls=[ODD_CALL]), "messages[0].tool_calls[0].extra_content"),
        (
            Message.assistant(tool_calls=[ToolCall("c", None, "custom", custom=CustomCall("f", "x"))]),
            "messages[0].tool_calls[0]",
        ),
        (Message.assistant(tool_calls=[{"id": 5}]), "messages[0].tool_calls[0]"),
    ],
)
def test_messages_that_are_refused(message, path):
    """A part of a message that has no word is refused by its path; one that holds nothing is not."""
    if path is None:
        assert [{"Role": "assistant", "Content": "x"}] == sent([message])["Messages"]
    else:
        assert path in refused([message])


@pytest.mark.parametrize(
    ("tool", "path"),
    [
        (Tool.from_schema("f", strict=True), "tools[0].function.strict"),
        (Tool(type="custom", custom={"name": "f"}), "tools[0]"),
        ({"type": "function", "function": {"name": "f", "cache": 1}}, "tools[0].function.cache"),
    ],
)
def test_tools_that_are_refused(tool, path):
    """What a tool says beyond name, description and parameters is refused."""
    assert path in refused(tools=[tool])


def test_what_is_refused_can_be_dropped(caplog):
    """With on_unsupported="drop" the rest is sent, and the log names each thing that is not."""
    messages = [
        Message("critic", "x"),
        Message.user(["hello", FilePart.from_id("f")], name="Ann"),
        Message.assistant(tool_calls=[CALL, ToolCall("c", None, "custom", custom=CustomCall("f", "x"))]),
    ]
    fields = {
        "max_tokens": 5,
        "n": 3,
        "tool_choice": "required",
        "response_format": {"type": "json_object"},
        "thinking_budget": 1000,
        "extra": {"top_k": 1},
    }
    with caplog.at_level(logging.WARNING, "compatapi"):
        body = sent(messages, to=target(on_unsupported="drop"), **fields)
    said = caplog.text
    for name in (
        "messages[0].role",
        "messages[1].content[1]",
        "messages[1].name",
        "messages[2].tool_calls[1]",
        *fields,
    ):
        assert ("top_k" if name == "extra" else name) in said
    assert {
        "Messages": [
            {"Role": "user", "Contents": [{"Type": "text", "Text": "hello"}]},
            {"Role": "assistant", "ToolCalls": [CALL_WIRE]},
        ],
        "EnableThinking": True,
    } == body


def test_there_are_no_models_and_no_embeddings():
    """The action has neither, and a clear error says so before anything is sent."""
    assert "no list of models" in str(error_of(ConfigError, DIALECT.encode_models, target()))
    assert "no embeddings" in str(error_of(ConfigError, DIALECT.encode_embeddings, None, target()))
