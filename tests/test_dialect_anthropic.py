"""What the Anthropic dialect sends: bodies field by field, addresses, headers, and what it refuses."""

import base64
import json
import logging

import pytest

from compatapi.chat_types import (
    Annotation,
    Audio,
    AudioPart,
    ChatCompletionRequest,
    FileData,
    FilePart,
    FunctionCall,
    FunctionDefinition,
    ImagePart,
    InputAudio,
    Message,
    RefusalPart,
    ResponseFormat,
    TextPart,
    Tool,
)
from compatapi.dialects.anthropic import AnthropicDialect
from compatapi.errors import ConfigError
from compatapi.http_types import Quirks, Secret, Target
from compatapi.service_types import EmbeddingRequest

DIALECT = AnthropicDialect(clock=lambda: 1_700_000_000.0)
HELLO = [Message.user("hello")]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool.from_schema("weather", "The weather.", SCHEMA)
WIRE_WEATHER = {"name": "weather", "description": "The weather.", "input_schema": SCHEMA}
CALLS = [
    {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}},
    {"id": "toolu_2", "type": "function", "function": {"name": "now", "arguments": ""}},
]
PIXEL = base64.b64encode(b"\x89PNG").decode()
CACHED = {"type": "ephemeral", "ttl": "1h"}


def target(base="https://api.example", *, key=None, headers=None, on_unsupported="raise", **quirks):
    """A target with quirks by keyword."""
    return Target(base, Secret(key) if key else None, Quirks(**quirks), headers or {}, on_unsupported=on_unsupported)


def sent(messages=HELLO, *, stream=False, drop=False, model="claude-x", **fields):
    """The JSON body that would be sent."""
    request = ChatCompletionRequest(model, messages, **fields)
    there = target(on_unsupported="drop" if drop else "raise")
    return json.loads(DIALECT.encode_request(request, there, stream).body)


def said(*messages):
    """The messages that would be sent."""
    return sent(messages)["messages"]


def part_of(part):
    """The block that a part of a user's message becomes."""
    [block] = said(Message.user([part]))[0]["content"]
    return block


def refusal(messages=HELLO, **fields):
    """The error for what cannot be said; with "drop" the same is sent without it, and the log says so."""
    with pytest.raises(ConfigError, match="'anthropic'") as caught:
        sent(messages, **fields)
    return caught.value.message


# --- address, headers, the smallest body ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1/messages"),
        ("https://api.longcat.chat/anthropic", "https://api.longcat.chat/anthropic/v1/messages"),
        ("https://relay.example/a?k=1", "https://relay.example/a/v1/messages?k=1"),
    ],
)
def test_where_it_goes(base, url):
    """Base URLs with and without the version lead to the same place."""
    assert url == DIALECT.encode_request(ChatCompletionRequest("m", HELLO), target(base), False).url


def test_the_headers():
    """The key has a header of its own, and the version of the API is named."""
    request = DIALECT.encode_request(ChatCompletionRequest("m", HELLO), target(key="k-1"), False)
    expected = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "x-api-key": "k-1",
        "anthropic-version": "2023-06-01",
    }
    assert expected == dict(request.headers)
    assert ("POST", False) == (request.method, request.stream)


def test_other_headers():
    """A row may want the key as a Bearer token, and a client may name another version, in any case of letters."""
    there = target(key="k-1", auth="bearer", headers={"Anthropic-Version": "2099-01-01", "anthropic-beta": "x"})
    request = DIALECT.encode_request(ChatCompletionRequest("m", HELLO), there, True)
    assert ("Bearer k-1", "text/event-stream", True) == (
        request.headers["Authorization"],
        request.headers["Accept"],
        request.stream,
    )
    assert ["2099-01-01"] == [value for name, value in request.headers.items() if name.lower() == "anthropic-version"]
    assert "x-api-key" not in request.headers


def test_the_smallest_body():
    """A request without options has model, messages and a limit, in the order of the documents."""
    expected = {"model": "claude-x", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4096}
    assert list(expected.items()) == list(sent().items())
    assert {**expected, "stream": True} == sent(stream=True)


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_completion_tokens": 8}, {"max_tokens": 8}),
        ({"max_tokens": 7, "max_completion_tokens": 8}, {"max_tokens": 8}),
        ({"max_tokens": 0}, {"max_tokens": 0}),
        ({"temperature": 0.0, "top_p": 0.5}, {"temperature": 0.0, "top_p": 0.5}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"user": "u-1"}, {"metadata": {"user_id": "u-1"}}),
        ({"safety_identifier": "u-1"}, {"metadata": {"user_id": "u-1"}}),
        ({"metadata": {"user_id": "u-1"}, "user": "u-1"}, {"metadata": {"user_id": "u-1"}}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"n": 1, "logprobs": False, "store": False, "modalities": ["text"], "frequency_penalty": 0.0}, {}),
        ({"response_format": {"type": "text"}, "stream_options": {"include_usage": True}, "stream": False}, {}),
        ({"extra": {"top_k": 40, "cache_control": CACHED}}, {"top_k": 40, "cache_control": CACHED}),
        ({"extra": {"container": "c_1", "mcp_servers": [{}]}}, {"container": "c_1", "mcp_servers": [{}]}),
        ({"extra": {"context_management": {"edits": []}}}, {"context_management": {"edits": []}}),
    ],
)
def test_options(fields, expected):
    """Each option is said under the service's own name; what is usual there anyway is not said."""
    body = sent(**fields)
    assert {"max_tokens": 4096, **expected} == {k: v for k, v in body.items() if k not in ("model", "messages")}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"thinking_budget": 2000}, (2000, 6096)),
        ({"thinking_budget": 2000, "max_tokens": 2001}, (2000, 2001)),
        ({"thinking_budget": 2000, "reasoning_effort": "high"}, (2000, 6096)),
        ({"reasoning_effort": "minimal"}, (1024, 5120)),
        ({"reasoning_effort": "low"}, (1024, 5120)),
        ({"reasoning_effort": "medium"}, (8192, 12288)),
        ({"reasoning_effort": "high"}, (24576, 28672)),
        ({"reasoning_effort": "high", "max_tokens": 8000}, (6000, 8000)),
        ({"reasoning_effort": "high", "max_tokens": 1100}, (1024, 1100)),
    ],
)
def test_thinking(fields, expected):
    """A budget is sent as it is, an effort as a budget; the limit leaves room for the answer behind it."""
    body = sent(**fields)
    assert {"type": "enabled", "budget_tokens": expected[0]} == body["thinking"]
    assert expected[1] == body["max_tokens"]


@pytest.mark.parametrize("fields", [{"reasoning_effort": "none"}, {"thinking_budget": 0}])
def test_no_thinking(fields):
    """Reasoning that is switched off is said too."""
    assert {"type": "disabled"} == sent(**fields)["thinking"]
    assert "thinking" not in sent()


def test_adaptive_thinking():
    """Newer models choose their budget; the service's own field says so, and the effort goes beside it."""
    adaptive = {"extra": {"thinking": {"type": "adaptive"}}}
    body = sent(reasoning_effort="xhigh", **adaptive)
    assert ({"type": "adaptive"}, {"effort": "xhigh"}) == (body["thinking"], body["output_config"])
    assert {"effort": "low"} == sent(reasoning_effort="minimal", **adaptive)["output_config"]
    assert {"effort": "max"} == sent(extra={"output_config": {"effort": "max"}})["output_config"]
    assert 4096 + 3000 == sent(extra={"thinking": {"type": "enabled", "budget_tokens": 3000}})["max_tokens"]


@pytest.mark.parametrize(
    ("model", "effort", "said", "limit"),
    [
        ("claude-opus-4-6", "high", "high", 28672),
        ("claude-sonnet-4-6", "xhigh", "high", 28672),
        ("claude-opus-4-7", "xhigh", "xhigh", 36864),
        ("claude-opus-4-8-20260401", "max", "max", 64000),
        ("claude-sonnet-5", "minimal", "low", 5120),
        ("anthropic/claude-opus-4.7", "medium", "medium", 12288),
        ("us.anthropic.claude-haiku-5-5-v1:0", "high", "high", 28672),
    ],
)
def test_models_that_are_told_a_word(model, effort, said, limit):
    """From Claude 4.6 on an effort is said as a word, because a budget is deprecated there and later refused."""
    body = sent(model=model, reasoning_effort=effort)
    assert {"type": "adaptive", "display": "summarized"} == body["thinking"]
    assert ({"effort": said}, limit) == (body["output_config"], body["max_tokens"])


@pytest.mark.parametrize(
    "model", ["claude-3-7-sonnet-20250219", "claude-sonnet-4-20250514", "claude-haiku-4-5-20251001", "LongCat-2"]
)
def test_models_that_are_told_a_budget(model):
    """Claude up to 4.5, and models of others, are told a number of tokens."""
    body = sent(model=model, reasoning_effort="high")
    assert {"type": "enabled", "budget_tokens": 24576} == body["thinking"]
    assert (64000, 59904) == (
        sent(model=model, reasoning_effort="max")["max_tokens"],
        sent(model=model, reasoning_effort="max")["thinking"]["budget_tokens"],
    )


@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-opus-4-7"])
def test_budgets_of_newer_models(model):
    """A budget that is asked for is sent to any model: what it takes is known to its server."""
    wanted = {"type": "enabled", "budget_tokens": 2000}
    assert wanted == sent(model=model, thinking_budget=2000)["thinking"]
    own = sent(model=model, reasoning_effort="low", extra={"output_config": {"effort": "max"}})
    assert {"effort": "max"} == own["output_config"]


def test_json_schema():
    """A schema for the answer is said beside the effort; its name and strictness have no word and need none."""
    wanted = ResponseFormat.from_schema("city", SCHEMA, strict=True)
    chosen = {"type": "json_schema", "schema": SCHEMA}
    assert {"format": chosen} == sent(response_format=wanted)["output_config"]
    both = sent(response_format=wanted, extra={"output_config": {"effort": "low"}})
    assert {"effort": "low", "format": chosen} == both["output_config"]


# --- tools ----------------------------------------------------------------------------------------------------------


def test_tools():
    """Functions are said by name, description and schema, whatever form a program wrote them in."""
    bare = {"name": "now", "input_schema": {"type": "object", "properties": {}}}
    assert [WIRE_WEATHER, bare] == sent(tools=[WEATHER, {"type": "function", "function": {"name": "now"}}])["tools"]
    assert [bare] == sent(functions=[{"name": "now"}])["tools"]
    strict = Tool.from_schema("weather", "The weather.", SCHEMA, strict=True)
    assert [{**WIRE_WEATHER, "strict": True}] == sent(tools=[strict])["tools"]


def test_fields_of_tools():
    """The service's own fields of a tool may stand beside the function or in it."""
    outside = {"type": "function", "function": {"name": "now"}, "cache_control": CACHED}
    inside = Tool(FunctionDefinition("now", extra={"cache_control": CACHED, "defer_loading": True}))
    body = sent(tools=[outside, inside])
    assert [CACHED, CACHED] == [tool["cache_control"] for tool in body["tools"]]
    assert body["tools"][1]["defer_loading"] is True


def test_own_tools():
    """Tools in the service's own shape, those of its server above all, are sent as they are, at their place."""
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    mine = {"name": "mine", "input_schema": SCHEMA}
    more = {"type": "mcp_toolset", "mcp_server_name": "one"}
    assert [search, WIRE_WEATHER, mine, more] == sent(tools=[search, WEATHER, mine, more])["tools"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ("any", {"type": "any"}),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "tool", "name": "weather"}),
        ({"type": "tool", "name": "weather"}, {"type": "tool", "name": "weather"}),
    ],
)
def test_tool_choice(choice, expected):
    """Each choice of tools has its word, and goes without parallel calls where that is asked for."""
    assert expected == sent(tools=[WEATHER], tool_choice=choice)["tool_choice"]
    assert expected == sent(tools=[WEATHER], tool_choice=choice, parallel_tool_calls=True)["tool_choice"]
    single = {} if choice == "none" else {"disable_parallel_tool_use": True}
    assert {**expected, **single} == sent(tools=[WEATHER], tool_choice=choice, parallel_tool_calls=False)["tool_choice"]


def test_parallel_tool_calls():
    """One call at a time is asked for as a choice of tools; without tools there is nothing to choose."""
    single = {"type": "auto", "disable_parallel_tool_use": True}
    assert single == sent(tools=[WEATHER], parallel_tool_calls=False)["tool_choice"]
    assert "tool_choice" not in sent(tools=[WEATHER], parallel_tool_calls=True)
    assert "tool_choice" not in sent(tool_choice="auto", parallel_tool_calls=False)
    assert {"type": "any"} == sent(tool_choice="required")["tool_choice"]


# --- turns ----------------------------------------------------------------------------------------------------------


def test_system_turns():
    """What the system says goes to the top, from wherever it stands in the conversation."""
    one = sent([Message.system("Be brief."), *HELLO])
    assert ("Be brief.", [{"role": "user", "content": "hello"}]) == (one["system"], one["messages"])
    late = [Message.user("a"), Message.assistant("b"), Message.developer("Be kind."), Message.user("c")]
    several = sent([Message.system("Be brief."), *late])
    texts = [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]
    assert texts == several["system"]
    assert ["a", "b", "c"] == [turn["content"] for turn in several["messages"]]


def test_a_cached_system_turn():
    """The mark of what is to be cached stays on its text, and may stand on a message too."""
    part = TextPart("Long.", extra={"cache_control": CACHED})
    expected = [{"type": "text", "text": "Long.", "cache_control": CACHED}]
    assert expected == sent([Message.system([part]), *HELLO])["system"]
    assert expected == sent([Message("system", "Long.", extra={"cache_control": CACHED}), *HELLO])["system"]
    assert [expected[0], {"type": "text", "text": "More."}] == said(Message.user([part, "More."]))[0]["content"]


def test_merged_turns():
    """Consecutive turns of one role are one, and turns without a word are none."""
    turns = said(Message.user("a"), Message.user(""), Message.user("b"), Message.assistant("c"), Message.assistant("d"))
    assert [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]},
    ] == turns
    assert [{"role": "user", "content": "a"}] == said(Message.user("a"), Message.assistant(None))


def test_a_turn_that_goes_on():
    """A conversation may end with the assistant; the white space that the service refuses there is left out."""
    assert "The best is (" == said(*HELLO, Message.assistant("The best is ( \n"))[-1]["content"]
    assert "a " == said(*HELLO, Message.assistant("a "), Message.user("b"))[1]["content"]
    assert [{"role": "user", "content": "hello"}] == said(*HELLO, Message.assistant(" \n"))


def test_calls_and_results():
    """Calls become objects; all results are blocks of one turn of the user, in front of what else is said."""
    turns = said(
        Message.user("Weather?"),
        Message.assistant("Looking.", tool_calls=CALLS),
        Message.user("Be quick."),
        Message.tool("sunny", "toolu_1"),
        Message("tool", "", tool_call_id="toolu_2", name="now", extra={"is_error": True}),
    )
    assert [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}},
                {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True},
                {"type": "text", "text": "Be quick."},
            ],
        },
    ] == turns


def test_results_with_parts():
    """A result may hold texts, images and documents."""
    image = ImagePart.from_url(f"data:image/png;base64,{PIXEL}")
    blocks = said(Message.tool(["Seen:", image, FilePart.from_id("file_1")], "toolu_1"))[0]["content"][0]["content"]
    assert [
        {"type": "text", "text": "Seen:"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
    ] == blocks


def data_url(media_type, data=b"abc"):
    """A data: URL."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            ImagePart.from_url("https://x.example/a.png", detail="auto"),
            {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
        ),
        (
            ImagePart.from_url(data_url("image/jpg")),
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "YWJj"}},
        ),
        (
            FilePart(FileData(file_data=data_url("application/pdf"), filename="a.pdf")),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "YWJj"},
                "title": "a.pdf",
            },
        ),
        (
            FilePart(FileData(file_data=data_url("text/markdown", "é".encode()))),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
        ),
        (
            FilePart(FileData(file_data="https://x.example/a.pdf")),
            {"type": "document", "source": {"type": "url", "url": "https://x.example/a.pdf"}},
        ),
        (
            FilePart(FileData(file_data=data_url("image/webp"))),
            {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "YWJj"}},
        ),
        (
            FilePart(FileData(file_id="f"), extra={"citations": {"enabled": True}, "title": "T", "context": "C"}),
            {
                "type": "document",
                "source": {"type": "file", "file_id": "f"},
                "citations": {"enabled": True},
                "title": "T",
                "context": "C",
            },
        ),
        (
            {"type": "search_result", "source": "s", "title": "t", "content": []},
            {"type": "search_result", "source": "s", "title": "t", "content": []},
        ),
    ],
)
def test_parts(part, expected):
    """Images and documents are said by what they are made of; parts in the service's own shape are sent as they are."""
    assert expected == part_of(part)


def test_refusals_of_earlier_turns():
    """A refusal that an assistant gave elsewhere is what it said."""
    assert "No." == said(*HELLO, Message.assistant(refusal="No."), Message.user("?"))[1]["content"]
    assert "No." == said(*HELLO, Message.assistant([RefusalPart("No.")]), Message.user("?"))[1]["content"]


# --- what cannot be said --------------------------------------------------------------------------------------------

SOUND = AudioPart(InputAudio("QUJD", "wav"))
UNSAID_FIELDS = [
    ({"n": 2}, "n"),
    ({"seed": 1}, "seed"),
    ({"logprobs": True}, "logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logit_bias": {"1": 2.0}}, "logit_bias"),
    ({"presence_penalty": 0.5}, "presence_penalty"),
    ({"verbosity": "low"}, "verbosity"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
    ({"prompt_cache_key": "k"}, "prompt_cache_key"),
    ({"store": True}, "store"),
    ({"metadata": {"a": "b"}}, "metadata.a"),
    ({"user": "a", "safety_identifier": "b"}, "user"),
    ({"service_tier": "flex"}, "service_tier"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"extra": {"nonsense": 1}}, "nonsense"),
    ({"thinking_budget": 1000}, "thinking_budget"),
    ({"thinking_budget": 2000, "max_tokens": 2000}, "thinking_budget"),
    ({"reasoning_effort": "high", "max_tokens": 1024}, "reasoning_effort"),
    ({"thinking_budget": 2000, "extra": {"thinking": {"type": "adaptive"}}}, "thinking_budget"),
    ({"reasoning_effort": "none", "extra": {"thinking": {"type": "adaptive"}}}, "reasoning_effort"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"response_format": {"type": "grammar"}}, "response_format"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "description": "d"}}},
        "response_format.json_schema.description",
    ),
    ({"tools": [{"type": "custom", "custom": {"name": "shell"}}]}, "tools[0]"),
    ({"tools": [{"type": "web_search"}]}, "tools[0]"),
    ({"tools": [{"type": "function", "function": {"name": "f"}, "color": "red"}]}, "tools[0].color"),
    ({"tools": [WEATHER], "tool_choice": "sometimes"}, "tool_choice"),
    ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice"),
]
UNSAID_MESSAGES = [
    (Message("moderator", "x"), "messages[1].role"),
    (Message.user("x", name="Ann"), "messages[1].name"),
    (Message("user", "x", extra={"mood": "gay"}), "messages[1].mood"),
    (Message("user", "x", extra={"reasoning_details": [{}]}), "messages[1].reasoning_details"),
    (Message.user([SOUND]), "messages[1].content[0]"),
    (Message.user([{"type": "video_url", "video_url": {"url": "x"}}]), "messages[1].content[0]"),
    (
        Message.user([ImagePart.from_url("https://x.example/", detail="high")]),
        "messages[1].content[0].image_url.detail",
    ),
    (Message.user([TextPart("x", extra={"title": "t"})]), "messages[1].content[0].title"),
    (Message.user([TextPart("x", extra={"color": "red"})]), "messages[1].content[0].color"),
    (Message.user([FilePart(FileData(file_data="QUJD"))]), "messages[1].content[0].file"),
    (Message.user([FilePart(FileData(file_data=data_url("application/zip")))]), "messages[1].content[0].file"),
    (Message.user([FilePart(FileData(file_id="f", extra={"a": 1}))]), "messages[1].content[0].file.a"),
    (Message.system([ImagePart.from_url("https://x.example/")]), "messages[1].content"),
    (Message("tool", "x"), "messages[1]"),
    (Message.assistant("x", reasoning_content="Hm."), "messages[1].reasoning_content"),
    (Message("assistant", "x", extra={"reasoning": "Hm."}), "messages[1].reasoning"),
    (
        Message("assistant", "x", extra={"reasoning_details": [{"type": "reasoning.text", "format": "openai"}]}),
        "messages[1].reasoning_details[0]",
    ),
    (
        Message("assistant", "x", extra={"reasoning_details": [{"type": "reasoning.summary", "summary": "s"}]}),
        "messages[1].reasoning_details[0]",
    ),
    (Message("assistant", "x", extra={"content_blocks": [{"executableCode": {}}]}), "messages[1].content_blocks[0]"),
    (Message("assistant", "x", annotations=[Annotation("url_citation")]), "messages[1].annotations"),
    (Message("assistant", "x", audio=Audio("a")), "messages[1].audio"),
    (Message("assistant", None, function_call=FunctionCall("f", "{}")), "messages[1].function_call"),
    (
        Message.assistant(tool_calls=[{"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}]),
        "messages[1].tool_calls[0]",
    ),
    (
        Message.assistant(tool_calls=[{**CALLS[0], "extra_content": {"google": {}}}]),
        "messages[1].tool_calls[0].extra_content",
    ),
]


@pytest.mark.parametrize(("fields", "named"), UNSAID_FIELDS, ids=lambda value: value if isinstance(value, str) else "")
def test_unsaid_fields(fields, named, caplog):
    """A field without a word there is refused by name; where it is to be dropped, the log says so."""
    assert f" {named} " in refusal(**fields).replace(";", " ;")
    with caplog.at_level(logging.WARNING, "compatapi"):
        body = sent(drop=True, **fields)
    assert [f" {named}"] == [f" {named}" for record in caplog.records if f" {named}" in record.getMessage()]
    assert [{"role": "user", "content": "hello"}] == body["messages"]


@pytest.mark.parametrize(
    ("message", "named"), UNSAID_MESSAGES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_unsaid_parts_of_messages(message, named, caplog):
    """A part of a message without a word there is refused by its path; the rest is sent where it is to be dropped."""
    assert f" {named} " in refusal([*HELLO, message, Message.user("bye")]).replace(";", " ;")
    with caplog.at_level(logging.WARNING, "compatapi"):
        body = sent([*HELLO, message, Message.user("bye")], drop=True)
    assert any(f" {named}" in record.getMessage() for record in caplog.records)
    texts = json.dumps(body["messages"])
    assert "hello" in texts and "bye" in texts and "Hm." not in texts


def test_arguments_that_are_no_object():
    """A call whose arguments broke off cannot be said: there is no object to send."""
    broken = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": '}}]
    with pytest.raises(ConfigError, match=r"messages\[1\].tool_calls\[0\].*no JSON object"):
        sent([*HELLO, Message.assistant(tool_calls=broken)])


def test_no_embeddings():
    """The service has no embeddings, and says so before anything is sent."""
    with pytest.raises(ConfigError, match="anthropic"):
        DIALECT.encode_embeddings(EmbeddingRequest("m", "x"), target())
