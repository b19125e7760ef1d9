"""A conversation with Ollama over real sockets: the server checks every field of what it is sent."""

import json

import pytest

from calls import error_of, hard_limit  # noqa: F401
from compatapi.chat_types import ChatCompletionRequest, Message, Tool
from compatapi.errors import ConnectionLost, IncompleteStreamError, NotFoundError, StreamError
from compatapi.testing import ChatScript, EmbeddingsScript, ErrorScript, Reply, ScriptedServer, StreamReply
from compatapi.testing.faults import Cut, ErrorEvent
from styles import blocking, callback, generator

TOOLS = [
    Tool.from_schema("weather", "Tell the weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
]
WIRE_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tell the weather.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
COUNTS = {"total_duration": 7, "load_duration": 1, "prompt_eval_count": 20, "eval_count": 5, "eval_duration": 3}
CALLS = [{"id": "call_rome", "function": {"index": 0, "name": "weather", "arguments": {"city": "Rome"}}}]
FIRST = {"content": "", "thinking": "Look it up."}, {"content": "A moment."}, {"content": "", "tool_calls": CALLS}
SECOND = {"content": "", "thinking": "Good."}, {"content": "It is "}, {"content": "sunny."}


def lines(parts):
    """The lines of a streamed answer."""
    made = [
        {
            "model": "qwen3",
            "created_at": f"2026-03-04T05:06:0{n}Z",
            "message": {"role": "assistant", **part},
            "done": False,
        }
        for n, part in enumerate(parts)
    ]
    last = {
        "model": "qwen3",
        "created_at": "2026-03-04T05:06:09Z",
        "message": {"role": "assistant", "content": ""},
        "done_reason": "stop",
        "done": True,
        **COUNTS,
    }
    return [(json.dumps(value) + "\n").encode() for value in [*made, last]]


def whole(parts):
    """The same as one answer."""
    message = {"role": "assistant", "content": "".join(part["content"] for part in parts)}
    for part in parts:
        message |= {name: value for name, value in part.items() if name != "content"}
    return {
        "model": "qwen3",
        "created_at": "2026-03-04T05:06:09Z",
        "message": message,
        "done_reason": "stop",
        "done": True,
        **COUNTS,
    }


def answer(stream, parts):
    """The script of one answer."""
    media = {"Content-Type": "application/x-ndjson"}
    return StreamReply(lines(parts), done=False, headers=media) if stream else Reply(body=whole(parts))


@pytest.mark.parametrize("style", [blocking, generator, callback])
def test_two_turns_with_a_tool_and_thinking(style):
    """Both turns are sent field by field as Ollama has them, and both answers arrive whole."""
    streams = style is not blocking
    with ScriptedServer(answer(streams, FIRST), answer(streams, SECOND)) as server:
        client = server.client("ollama", api_key="a-key-for-tests")
        messages = [Message.system("Be brief."), Message.user("How is Rome?")]
        options = {"tools": TOOLS, "reasoning_effort": "high", "temperature": 0.5, "max_tokens": 99}
        first = style(client, ChatCompletionRequest("qwen3", messages, **options, extra={"keep_alive": "5m"}))
        assert ("A moment.", "Look it up.", "tool_calls") == (first.text, first.reasoning, first.finish_reason)
        [call] = first.tool_calls
        assert ("call_rome", "weather", {"city": "Rome"}) == (call.id, call.name, call.parse_arguments())
        messages += [first.message, Message.tool("sunny, 25 degrees", call.id)]
        second = style(client, ChatCompletionRequest("qwen3", messages, tools=TOOLS, extra={"num_ctx": 4096}))
        assert ("It is sunny.", "Good.", "stop") == (second.text, second.reasoning, second.finish_reason)
        assert (20, 5, 25) == (second.usage.prompt_tokens, second.usage.completion_tokens, second.usage.total_tokens)
        assert {"total_duration": 7, "load_duration": 1, "eval_duration": 3}.items() <= second.extra.items()
    begin = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How is Rome?"}]
    rest = [
        {"role": "assistant", "content": "A moment.", "thinking": "Look it up.", "tool_calls": CALLS},
        {"role": "tool", "content": "sunny, 25 degrees", "tool_name": "weather", "tool_call_id": "call_rome"},
    ]
    asked = [
        {
            "model": "qwen3",
            "messages": begin,
            "tools": WIRE_TOOLS,
            "think": True,
            "options": {"num_predict": 99, "temperature": 0.5},
            "stream": streams,
            "keep_alive": "5m",
        },
        {
            "model": "qwen3",
            "messages": begin + rest,
            "tools": WIRE_TOOLS,
            "options": {"num_ctx": 4096},
            "stream": streams,
        },
    ]
    assert asked == [request.json() for request in server.requests]
    assert [("POST", "/api/chat")] * 2 == [(request.method, request.route) for request in server.requests]
    accept = "application/x-ndjson" if streams else "application/json"
    for request in server.requests:
        assert ("Bearer a-key-for-tests", accept) == (request.headers["Authorization"], request.headers["Accept"])
        assert "application/json" == request.headers["Content-Type"]


def test_models_and_embeddings():
    """The client lists the models and gets embeddings, without a key where there is none."""
    tags = {"models": [{"name": "qwen3:8b", "modified_at": "2026-03-04T05:06:07Z", "size": 5}]}
    with ScriptedServer(Reply(body=tags), EmbeddingsScript([[0.5], [0.25]])) as server:
        client = server.client("ollama", api_key=None)
        assert [("qwen3:8b", 1772600767)] == [(model.id, model.created) for model in client.models()]
        assert [[0.5], [0.25]] == [item.embedding for item in client.embeddings("nomic", ["a", "b"]).data]
    models, embeddings = server.requests
    assert ("GET", "/api/tags") == (models.method, models.route)
    assert ("/api/embed", {"model": "nomic", "input": ["a", "b"]}) == (embeddings.route, embeddings.json())
    assert "Authorization" not in models.headers


HELLO = ChatCompletionRequest("x", [Message.user("hello")])


@pytest.mark.parametrize("style", [blocking, generator, callback])
def test_an_error_status(style):
    """An error has the class of its status and the text of its body, in every style."""
    with ScriptedServer(ErrorScript(404, "model 'x' not found")) as server:
        assert "HTTP 404: model 'x' not found" == error_of(NotFoundError, style, server.client("ollama"), HELLO).message


@pytest.mark.parametrize(("fault", "kind"), [("no-end", IncompleteStreamError), (Cut(after=3), ConnectionLost)])
def test_a_stream_without_its_last_line(fault, kind):
    """A stream that ends before its last line is an error that carries what was received."""
    with ScriptedServer(ChatScript("It is sunny.", fault=fault)) as server:
        error = error_of(kind, generator, server.client("ollama"), HELLO)
    assert "It is sunny." == error.completion.text


def test_an_error_line():
    """An error line ends the stream with its text."""
    with ScriptedServer(ChatScript("It is sunny.", fault=ErrorEvent(3, message="out of memory"))) as server:
        error = error_of(StreamError, callback, server.client("ollama"), HELLO)
    assert error.message.endswith(": out of memory")
    assert "It is sunny." == error.completion.text
