"""Requests that a scripted server got, read back into our types from the words of each dialect."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compatapi.chat_types import ChatCompletionRequest, ImagePart, Message, ResponseFormat, TextPart, Tool, ToolCall
from compatapi.convert import to_dict
from compatapi.message_types import FunctionCall
from compatapi.testing import ChatScript, Headers, RecordedRequest, ScriptedTransport
from compatapi.testing.services import SERVICES

DIALECTS = sorted(SERVICES)
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)
PIXEL = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = Tool.from_schema("weather", "How it is outside", SCHEMA)
CALL = ToolCall("call_7", FunctionCall("weather", '{"city":"Oslo"}'))
TURNS = [
    Message.system("Be brief."),
    Message.user("How is the weather?"),
    Message.assistant("Let me see.", tool_calls=[CALL]),
    Message.tool("cold", "call_7"),
    Message.user("And tomorrow?"),
]


def recorded(dialect, request, stream=False, **options):
    """What a service of that dialect gets from our client."""
    with ScriptedTransport(ChatScript("Hm")) as transport, transport.client(dialect, **options) as client:
        ask = client.chat_completion_stream if stream else client.chat_completion
        ask(request)
        return transport.requests[0]


def read_back(dialect, *messages, **fields):
    """A request, by way of the service of that dialect."""
    return recorded(dialect, ChatCompletionRequest("model-1", messages or [Message.user("Hi")], **fields)).chat


def plain(messages):
    """Role, text, calls and the id of the call that is answered, of each message."""
    return [
        (
            message.role,
            message.text,
            [(call.name, call.parse_arguments()) for call in message.tool_calls or ()],
            message.tool_call_id is not None,
        )
        for message in messages
    ]


@each_dialect
@pytest.mark.parametrize("stream", [False, True])
def test_messages_tools_and_results(dialect, stream):
    """Turns come back with roles, texts, calls and results; so do model, tools and the wish for a stream."""
    request = ChatCompletionRequest("model-1", TURNS, tools=[TOOL])
    found = recorded(dialect, request, stream)
    chat = found.chat
    assert plain(request.messages) == plain(chat.messages)
    assert chat.messages[2].tool_calls[0].id == chat.messages[3].tool_call_id
    assert ("model-1", [to_dict(TOOL)]) == (chat.model, [to_dict(tool) for tool in chat.tools])
    assert (dialect, "chat", stream) == (found.dialect, found.operation, found.stream)


#: Fields of a request, and the dialects that have no word for one.
FIELDS = {
    "temperature": (0.5, ()),
    "top_p": (0.9, ()),
    "seed": (7, ("anthropic",)),
    "stop": (("END", "STOP"), ()),
    "max_tokens": (99, ("hunyuan",)),
    "tool_choice": ("none", ("ollama",)),
    "user": ("somebody", ("dashscope", "gemini", "hunyuan", "ollama")),
    "parallel_tool_calls": (False, ("gemini", "hunyuan", "ollama")),
    "reasoning_effort": ("none", ("gemini",)),  # which says it as a budget of 0
    "thinking_budget": (2048, ("hunyuan", "ollama", "openai")),
}


@pytest.mark.parametrize(
    ("dialect", "name"),
    [(dialect, name) for name, (_, without) in FIELDS.items() for dialect in DIALECTS if dialect not in without],
)
def test_fields(dialect, name):
    """Each common field comes back from the dialects that have a word for it."""
    value, _ = FIELDS[name]
    more = {"tools": [TOOL]} if name in ("tool_choice", "parallel_tool_calls") else {}
    assert value == getattr(read_back(dialect, **{name: value}, **more), name)


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "hunyuan"])
def test_the_form_of_the_answer(dialect):
    """A schema for the answer comes back; its name is a label that not all of them send."""
    wanted = read_back(dialect, response_format=ResponseFormat.from_schema("answer", SCHEMA)).response_format
    assert ("json_schema", SCHEMA) == (wanted.type, wanted.json_schema.schema)


def test_no_reasoning_of_gemini():
    """Gemini is told to think nothing by a budget of 0, and so it is read."""
    chat = read_back("gemini", reasoning_effort="none")
    assert (None, 0) == (chat.reasoning_effort, chat.thinking_budget)


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "ollama"])
def test_the_choice_of_one_tool(dialect):
    """A tool that has to be called is read back by its name."""
    choice = {"type": "function", "function": {"name": "weather"}}
    assert choice == read_back(dialect, tools=[TOOL], tool_choice=choice).tool_choice


@each_dialect
def test_images(dialect):
    """An image beside a text comes back as an image part with the same data."""
    chat = read_back(dialect, Message.user([TextPart("What is it?"), ImagePart.from_url(PIXEL)]))
    text, image = chat.messages[0].content
    assert ("What is it?", ImagePart) == (text.text, type(image))
    assert PIXEL.partition(",")[2] == image.image_url.url.partition(",")[2]


@pytest.mark.parametrize(
    ("dialect", "extra"),
    [
        ("anthropic", {"top_k": 5}),
        ("dashscope", {"enable_search": True}),
        ("gemini", {"safetySettings": [{"category": "c", "threshold": "t"}]}),
        ("hunyuan", {"EnableEnhancement": True}),
        ("ollama", {"keep_alive": "5m"}),
        ("openai", {"top_k": 5}),
    ],
)
def test_what_has_no_common_name_is_kept(dialect, extra):
    """A field of one service alone is in `extra` under the service's name."""
    chat = read_back(dialect, extra=extra)
    assert extra == {name: chat.extra[name] for name in extra}


def raw(path, body, method="POST", **headers):
    """A request as a server records it."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return RecordedRequest(method=method, path=path, headers=Headers(pairs), body=json.dumps(body).encode())


def test_older_words_of_gemini():
    """Names in snake_case, calls without ids and schemas of OpenAPI are read too; results find their call by name."""
    body = {
        "system_instruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Both?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"n": n}}} for n in (1, 2)]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"name": "f", "response": {"result": f"r{n}"}}} for n in (1, 2)],
            },
        ],
        "tools": [{"function_declarations": [{"name": "f", "parameters": SCHEMA}]}, {"googleSearch": {}}],
        "generation_config": {"max_output_tokens": 5, "thinking_config": {"thinking_level": "LOW"}},
    }
    found = raw("/v1beta/models/gemini-x:streamGenerateContent", body)
    chat = found.chat
    assert ("gemini-x", 5, "low", True) == (chat.model, chat.max_tokens, chat.reasoning_effort, found.stream)
    assert ["call_0", "call_1"] == [call.id for call in chat.messages[2].tool_calls]
    assert [("call_0", "r1"), ("call_1", "r2")] == [(m.tool_call_id, m.text) for m in chat.messages[3:]]
    assert ["f", {"googleSearch": {}}] == [chat.tools[0].function.name, to_dict(chat.tools[1])]


def test_older_words_of_ollama():
    """Calls without ids get one, and a result without finds its call by the tool's name; silence asks for a stream."""
    calls = [{"function": {"name": name, "arguments": {}}} for name in ("f", "g")]
    body = {
        "model": "m",
        "messages": [
            {"role": "assistant", "content": "", "tool_calls": calls},
            {"role": "tool", "content": "of g", "tool_name": "g"},
            {"role": "tool", "content": "of f", "tool_name": "f"},
        ],
    }
    found = raw("/api/chat", body)
    assert [("call_1", "of g"), ("call_0", "of f")] == [(m.tool_call_id, m.text) for m in found.chat.messages[1:]]
    assert found.stream


def test_blocks_of_anthropic():
    """Blocks of text, thinking, calls, results and files are read into the turns and parts that stand for them."""
    body = {
        "model": "m",
        "max_tokens": 5,
        "system": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}],
        "messages": [
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                    {"type": "text", "text": "So."},
                    {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "done"}]},
                    {"type": "document", "source": {"type": "url", "url": "https://a.test/b.pdf"}, "title": "b"},
                ],
            },
        ],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    chat = raw("/v1/messages", body).chat
    system, answer, result, question = chat.messages
    assert ("One.Two.", "So.", "Hm.") == (system.text, answer.text, answer.reasoning_content)
    assert ["c2ln"] == [detail["signature"] for detail in answer.extra["reasoning_details"]]
    assert ("t1", "done") == (result.tool_call_id, result.text)
    assert ("https://a.test/b.pdf", "b") == (question.content[0].file.file_data, question.content[0].file.filename)
    assert (1024, "web_search_20250305") == (chat.thinking_budget, to_dict(chat.tools[0])["type"])


@pytest.mark.parametrize(
    ("found", "dialect", "operation"),
    [
        (raw("/openai/v1/chat/completions?x=1", {}), "openai", "chat"),
        (raw("/anthropic/v1/messages", {}), "anthropic", "chat"),
        (raw("/v1/models", {}, "GET"), "openai", "models"),
        (raw("/v1/models?limit=1", {}, "GET", anthropic_version="2023-06-01"), "anthropic", "models"),
        (raw("/v1beta/models", {}, "GET"), "gemini", "models"),
        (raw("/", {}, X_TC_Action="ChatCompletions"), "hunyuan", "chat"),
        (raw("/compatible-mode/v1/chat/completions", {}), "openai", "chat"),
        (raw("/", {}), None, None),
    ],
)
def test_paths(found, dialect, operation):
    """A request speaks the dialect that its path and headers belong to, whatever stands in front of the path."""
    assert (dialect, operation) == (found.dialect, found.operation)


@pytest.mark.parametrize(
    "found",
    [
        raw("/v1/chat/completions", [1]),
        raw("/v1/chat/completions", {"model": "m", "messages": 5}),
        raw("/v1/messages", {"messages": [{"role": "user"}]}),
        raw("/v1/embeddings", {"model": "m", "input": "x"}),
    ],
    ids=["no object", "no messages", "no content", "embeddings"],
)
def test_what_is_no_chat_request(found):
    """A body of another shape is a ValueError that names the path."""
    with pytest.raises(ValueError, match=found.path):
        assert found.chat


#: Names and texts that the dialects know, where it hurts most.
WORDS = (
    *("messages", "contents", "input", "Messages", "role", "Role", "content", "Content", "Contents", "parts", "text"),
    *("type", "Type", "tools", "Tools", "tool_calls", "ToolCalls", "function", "Function", "functionCall", "system"),
    *("image", "source", "tool_result", "tool_use", "assistant", "model", "user", "tool", "generationConfig"),
    *("parameters", "thinking", "tool_choice", "toolConfig", "functionResponse", "systemInstruction", "options"),
)
VALUES = st.recursive(
    st.sampled_from(WORDS) | st.integers(0, 3) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
PATHS = {
    "anthropic": "/v1/messages",
    "dashscope": "/api/v1/services/aigc/text-generation/generation",
    "gemini": "/v1beta/models/m:generateContent",
    "hunyuan": "/",
    "ollama": "/api/chat",
    "openai": "/v1/chat/completions",
}


@given(dialect=st.sampled_from(DIALECTS), body=st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=5))
def test_any_body_is_read_or_refused(dialect, body):
    """Whatever JSON comes, it is read as a request, or refused with a ValueError, and nothing else happens."""
    found = raw(PATHS[dialect], body, X_TC_Action="ChatCompletions")
    assert dialect == found.dialect
    try:
        chat = found.chat
    except ValueError as error:
        assert PATHS[dialect] in str(error)
    else:
        assert isinstance(chat, ChatCompletionRequest)
