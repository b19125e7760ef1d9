"""Conversations of two turns over real sockets with a server that speaks the Messages API, told in advance."""

import base64
import json

import pytest

from calls import error_of, hard_limit  # noqa: F401
from compatapi.chat_types import ChatCompletionRequest, ImagePart, Message, TextPart, Tool
from compatapi.errors import (
    CompatAPIError,
    ConfigError,
    IncompleteStreamError,
    RateLimitError,
    ServerError,
    StreamError,
)
from compatapi.testing import ChatScript, ErrorScript, Reply, ScriptedServer, StreamReply
from compatapi.testing.faults import ErrorEvent
from styles import blocking, callback, generator

KEY = "a-key-for-tests"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
PIXEL = base64.b64encode(b"\x89PNG").decode()
CACHED = {"type": "ephemeral"}
CITATION = {"type": "web_search_result_location", "url": "u", "cited_text": "a", "encrypted_index": "SWR4"}
BLOCKS = [
    {"type": "thinking", "thinking": "Two cities.", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "AA=="},
    {"type": "text", "text": "I search."},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Rome"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"url": "u", "page_age": None}]},
    {"type": "text", "text": "Found it.", "citations": [CITATION]},
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}, "caller": {"type": "direct"}},
    {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
]
FIRST = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": BLOCKS,
         "stop_reason": "tool_use", "usage": {"input_tokens": 5, "output_tokens": 6}}  # fmt: skip
SECOND = {**FIRST, "id": "msg_2", "content": [{"type": "text", "text": "Sunny."}], "stop_reason": "end_turn"}


def event(value):
    """The bytes of one event."""
    return f"event: {value['type']}\ndata: {json.dumps(value)}    \n\n".encode()


def events(message):
    """The events of a message."""
    yield event({"type": "message_start", "message": {**message, "content": [], "stop_reason": None}})
    yield event({"type": "ping"})
    for index, block in enumerate(message["content"]):
        start, deltas = dict(block), []
        if block["type"] == "text":
            start |= {"text": "", **({"citations": []} if "citations" in block else {})}
            deltas = [{"type": "citations_delta", "citation": one} for one in block.get("citations", ())]
            deltas += [{"type": "text_delta", "text": piece} for piece in (block["text"][:3], block["text"][3:])]
        elif block["type"] == "thinking":
            start |= {"thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": block["thinking"]}]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        elif "input" in block:
            start["input"] = {}
            written = json.dumps(block["input"]) if block["input"] else ""
            pieces = ("", written[:5], written[5:])
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        yield event({"type": "content_block_start", "index": index, "content_block": start})
        yield from (event({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas)
        yield event({"type": "content_block_stop", "index": index})
    yield event({"type": "message_delta", "delta": {"stop_reason": message["stop_reason"]}, "usage": message["usage"]})
    yield event({"type": "message_stop"})


def streaming(message):
    """The message as a stream; behind its last event the service says nothing more."""
    return StreamReply(list(events(message)), done=False)


QUESTION = Message.user(["Weather in Rome?", ImagePart.from_url(f"data:image/png;base64,{PIXEL}")])
SYSTEM = Message.system([TextPart("Be brief.", extra={"cache_control": CACHED})])
OPTIONS = {
    "tools": [
        Tool.from_schema("weather", "The weather.", SCHEMA),
        Tool.from_schema("now"),
        {"type": "web_search_20250305", "name": "web_search"},
    ],
    "parallel_tool_calls": True,
    "thinking_budget": 2000,
    "stop": ["END"],
    "user": "u-1",
}
ASKED = {"role": "user", "content": [
    {"type": "text", "text": "Weather in Rome?"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
]}  # fmt: skip
RESULTS = {"role": "user", "content": [
    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"},
    {"type": "tool_result", "tool_use_id": "toolu_2", "content": "noon"},
    {"type": "text", "text": "Well?"},
]}  # fmt: skip
BODY = {
    "model": "claude-x",
    "messages": [ASKED],
    "max_tokens": 6096,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": CACHED}],
    "stop_sequences": ["END"],
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "tools": [
        {"name": "weather", "description": "The weather.", "input_schema": SCHEMA},
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
        {"type": "web_search_20250305", "name": "web_search"},
    ],
    "metadata": {"user_id": "u-1"},
}


@pytest.mark.parametrize("ask", [blocking, generator, callback])
@pytest.mark.parametrize(
    ("row", "base"), [("anthropic", ""), ("anthropic", "/v1"), ("longcat-anthropic", "/anthropic")]
)
def test_two_turns(ask, row, base):
    """A model thinks, searches and calls two tools; what it said goes back block by block with the results."""
    script = (lambda message: Reply(body=message)) if ask is blocking else streaming
    with ScriptedServer(script(FIRST), script(SECOND)) as server:
        client = server.client(row, base_url=server.url + base, api_key=KEY)
        turns = [SYSTEM, QUESTION]
        first = ask(client, ChatCompletionRequest("claude-x", turns, **OPTIONS))
        turns += [
            first.message,
            Message.tool("sunny", "toolu_1"),
            Message.tool("noon", "toolu_2"),
            Message.user("Well?"),
        ]
        second = ask(client, ChatCompletionRequest("claude-x", turns, **OPTIONS))
    assert ("Two cities.", "I search.Found it.", "tool_calls") == (first.reasoning, first.text, first.finish_reason)
    assert [("weather", {"city": "Rome"}), ("now", {})] == [
        (call.name, call.parse_arguments()) for call in first.tool_calls
    ]
    assert (5, 6, 11) == (first.usage.prompt_tokens, first.usage.completion_tokens, first.usage.total_tokens)
    assert ("Sunny.", "stop", "msg_2") == (second.text, second.finish_reason, second.id)
    one, two = server.requests
    stream = {} if ask is blocking else {"stream": True}
    assert {**BODY, **stream} == one.json()
    assert {**BODY, "messages": [ASKED, {"role": "assistant", "content": BLOCKS}, RESULTS], **stream} == two.json()
    path = {"": "/v1/messages", "/v1": "/v1/messages", "/anthropic": "/anthropic/v1/messages"}[base]
    for asked in (one, two):
        assert ("POST", path, "2023-06-01") == (asked.method, asked.path, asked.headers["anthropic-version"])
        assert "application/json" == asked.headers["content-type"]
        assert ("application/json" if ask is blocking else "text/event-stream") == asked.headers["accept"]
        keys = (asked.headers.get("x-api-key"), asked.headers.get("authorization"))
        assert ((KEY, None) if row == "anthropic" else (None, f"Bearer {KEY}")) == keys


HELLO = ChatCompletionRequest("claude-x", [Message.user("Hi")])


def test_what_the_call_says():
    """Headers and body fields of one call are sent with it, and win."""
    with ScriptedServer(ChatScript("Hi")) as server:
        body = {"max_tokens": 9, "extra": 1}
        server.client("anthropic").chat_completion(HELLO, headers={"anthropic-beta": "one,two"}, body=body)
    [asked] = server.requests
    assert "one,two" == asked.headers["anthropic-beta"]
    assert {"model": "claude-x", "messages": [{"role": "user", "content": "Hi"}], **body} == asked.json()


def test_what_cannot_be_said_is_not_sent():
    """A field without a word there is an error before anything is sent; it is dropped where the client says so."""
    with ScriptedServer(ChatScript("Sunny.")) as server:
        client = server.client("anthropic")
        request = ChatCompletionRequest("claude-x", [Message.user("Hi")], seed=1)
        error = error_of(ConfigError, client.chat_completion, request)
        assert "seed" in error.message and "anthropic" in error.message
        assert [] == list(server.requests)
        assert "Sunny." == client.chat_completion(request, on_unsupported="drop").text


def test_models():
    """The list of models is read page by page."""
    pages = [
        {
            "data": [{"type": "model", "id": "a", "created_at": "1970-01-01T00:01:00Z"}],
            "has_more": True,
            "last_id": "a",
        },
        {"data": [{"type": "model", "id": "b", "display_name": "B"}], "has_more": False, "last_id": "b"},
    ]
    with ScriptedServer(*(Reply(body=page) for page in pages)) as server:
        models = server.client("anthropic", api_key=KEY).models()
    assert [("a", 60), ("b", None)] == [(model.id, model.created) for model in models]
    assert ["/v1/models", "/v1/models?after_id=a"] == [asked.path for asked in server.requests]
    assert [(KEY, "2023-06-01")] * 2 == [
        (asked.headers["x-api-key"], asked.headers["anthropic-version"]) for asked in server.requests
    ]


def test_what_there_is_not():
    """Embeddings, and models of a host that has no list of them, are errors before anything is sent."""
    with ScriptedServer() as server:
        error_of(ConfigError, server.client("anthropic").embeddings, "m", "x")
        error_of(ConfigError, server.client("longcat-anthropic").models)
        assert [] == list(server.requests)


def failing(script):
    """What a stream of a script that fails ends with."""
    with ScriptedServer(script) as server, pytest.raises(CompatAPIError) as caught:
        callback(server.client("anthropic"), HELLO)
    return caught.value


def test_error_statuses():
    """An error status is the error of that name, with what the service says of it."""
    error = failing(ErrorScript(429, "Slow down", retry_after=7, headers={"request-id": "req_2"}))
    assert RateLimitError is type(error)
    assert ("rate_limit_error", 7.0, "req_2") == (error.type, error.retry_after, error.request_id)
    error = failing(ErrorScript(529))
    assert (ServerError, "overloaded_error", 529) == (type(error), error.type, error.status_code)


def test_an_overloaded_server_is_asked_again():
    """A server that was overloaded is asked again, before anything was said."""
    with ScriptedServer(ErrorScript(529, "Overloaded", retry_after=0.01), ChatScript("Sunny."), strict=True) as server:
        assert "Sunny." == callback(server.client("anthropic", max_retries=1), HELLO).text


def test_an_error_in_mid_stream():
    """An error event carries what was said before it, and the status that it stands for."""
    error = failing(ChatScript("Sunny.", fault=ErrorEvent(status=529)))
    assert StreamError is type(error)
    assert ("Sunny.", "overloaded_error", 529) == (error.completion.text, error.type, error.status_code)


def test_a_cut_stream():
    """A stream that ends before its stop reason is an error with the answer so far."""
    error = failing(ChatScript("Sunny.", fault="no-end"))
    assert IncompleteStreamError is type(error)
    assert ("Sunny.", None) == (error.completion.text, error.completion.finish_reason)
