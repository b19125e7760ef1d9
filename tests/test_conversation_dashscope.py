"""A conversation with DashScope over real sockets: the server checks every field of what it is sent."""

import json

import pytest

from calls import error_of, hard_limit  # noqa: F401
from compatapi.chat_types import ChatCompletionRequest, ImagePart, Message, Tool
from compatapi.errors import AuthenticationError, ConfigError, ConnectionLost, IncompleteStreamError, StreamError
from compatapi.testing import ChatScript, EmbeddingsScript, ErrorScript, Reply, ScriptedServer, StreamReply
from compatapi.testing.faults import Cut, ErrorEvent
from styles import blocking, callback, generator

TOOLS = [Tool.from_schema("weather", "Tell the weather.", {"type": "object"})]
WIRE_TOOLS = [
    {
        "type": "function",
        "function": {"name": "weather", "description": "Tell the weather.", "parameters": {"type": "object"}},
    }
]
CHAT = "/api/v1/services/aigc/text-generation/generation"
HELLO = ChatCompletionRequest("qwen-plus", [Message.user("hello")])


def call(arguments, id="", name=None):
    """A piece of a tool call."""
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return {"index": 0, "id": id, "type": "function", "function": function}


FIRST = (
    {"content": "", "reasoning_content": "Look it up."},
    {"content": "A moment.", "reasoning_content": ""},
    {"content": "", "tool_calls": [call("", "call_rome", "weather")]},
    {"content": "", "tool_calls": [call('{"city": ')]},
    {"content": "", "tool_calls": [call('"Rome"}')]},
)
WHOLE_FIRST = {
    "content": "A moment.",
    "reasoning_content": "Look it up.",
    "tool_calls": [call('{"city": "Rome"}', "call_rome", "weather")],
}
SECOND = ({"content": "It is "}, {"content": "sunny."})
WHOLE_SECOND = {"content": "It is sunny."}


def result(message, finish="null", tokens=1):
    """One answer, or one event."""
    choice = {"message": {"role": "assistant", **message}, "finish_reason": finish}
    usage = {"input_tokens": 20, "output_tokens": tokens, "total_tokens": 20 + tokens}
    return {"output": {"choices": [choice]}, "usage": usage, "request_id": "q-1"}


def events(parts, finish=None, last=None):
    """The events of a streamed answer; without a finish reason they are cut short."""
    values = [result(part, tokens=number + 1) for number, part in enumerate(parts)]
    values += [result(last or {"content": ""}, finish, len(parts))] if finish else []
    return [
        f"id:{number + 1}\nevent:result\n:HTTP_STATUS/200\ndata:{json.dumps(value)}\n\n".encode()
        for number, value in enumerate(values)
    ]


def answer(stream, parts, whole, finish):
    """The script of one answer."""
    if stream:
        return StreamReply(events(parts, finish), done=False)
    return Reply(body=result(whole, finish, len(parts)))


@pytest.mark.parametrize("style", [blocking, generator, callback])
def test_two_turns_with_a_tool_and_reasoning(style):
    """Both turns are sent field by field as DashScope has them, and both answers arrive whole."""
    streams = style is not blocking
    scripts = (answer(streams, FIRST, WHOLE_FIRST, "tool_calls"), answer(streams, SECOND, WHOLE_SECOND, "stop"))
    with ScriptedServer(*scripts) as server:
        client = server.client("dashscope", api_key="a-key-for-tests")
        messages = [Message.system("Be brief."), Message.user("How is Rome?")]
        options = {"tools": TOOLS, "tool_choice": "auto", "thinking_budget": 500, "temperature": 0.5, "max_tokens": 99}
        first = style(client, ChatCompletionRequest("qwen-plus", messages, **options))
        assert ("A moment.", "Look it up.", "tool_calls") == (first.text, first.reasoning, first.finish_reason)
        [made] = first.tool_calls
        assert ("call_rome", "weather", {"city": "Rome"}) == (made.id, made.name, made.parse_arguments())
        messages += [first.message, Message.tool("sunny, 25 degrees", made.id)]
        second = style(client, ChatCompletionRequest("qwen-plus", messages, tools=TOOLS, extra={"top_k": 40}))
        assert ("It is sunny.", "stop", "q-1", "qwen-plus") == (
            second.text,
            second.finish_reason,
            second.id,
            second.model,
        )
        assert (20, 2, 22) == (
            second.usage.prompt_tokens,
            second.usage.completion_tokens,
            second.usage.total_tokens,
        )
    begin = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How is Rome?"}]
    rest = [
        {"role": "assistant", **WHOLE_FIRST},
        {"role": "tool", "content": "sunny, 25 degrees", "tool_call_id": "call_rome"},
    ]
    shape = {"result_format": "message", **({"incremental_output": True} if streams else {})}
    options = {"max_tokens": 99, "enable_thinking": True, "thinking_budget": 500, "temperature": 0.5}
    asked = [
        {
            "model": "qwen-plus",
            "input": {"messages": begin},
            "parameters": {**shape, **options, "tools": WIRE_TOOLS, "tool_choice": "auto"},
        },
        {
            "model": "qwen-plus",
            "input": {"messages": begin + rest},
            "parameters": {**shape, "top_k": 40, "tools": WIRE_TOOLS},
        },
    ]
    assert asked == [request.json() for request in server.requests]
    assert [("POST", CHAT)] * 2 == [(request.method, request.path) for request in server.requests]
    accept = "text/event-stream" if streams else "application/json"
    for request in server.requests:
        assert ("Bearer a-key-for-tests", accept) == (request.headers["Authorization"], request.headers["Accept"])
        assert ("enable" if streams else None) == request.headers.get("X-DashScope-SSE")
        assert "application/json" == request.headers["Content-Type"]


def test_a_picture_goes_to_the_multimodal_path():
    """A question with a picture goes to the other path, and its answer in parts is a text."""
    parts = [{"content": [{"text": "A "}]}, {"content": [{"text": "dog."}]}]
    script = StreamReply(events(parts, "stop", {"content": []}), done=False)
    with ScriptedServer(script) as server:
        question = Message.user(["What is it?", ImagePart.from_url("https://example.com/a.png")])
        found = generator(server.client("dashscope"), ChatCompletionRequest("qwen-plus", [question]))
    [request] = server.requests
    assert ("A dog.", "stop") == (found.text, found.finish_reason)
    assert "/api/v1/services/aigc/multimodal-generation/generation" == request.path
    content = [{"text": "What is it?"}, {"image": "https://example.com/a.png"}]
    assert [{"role": "user", "content": content}] == request.json()["input"]["messages"]


def test_a_server_that_repeats():
    """A server that passes over the wish for deltas gives the same answer, in pieces that are new."""
    text = "The sea is calm and the sky is blue."
    parts = [{"content": text[:size]} for size in range(4, len(text) + 1, 4)]
    script = StreamReply(events(parts, "stop", {"content": text}), done=False)
    with ScriptedServer(script) as server:
        pieces = []
        server.client("dashscope").chat_completion_stream(HELLO, on_text=pieces.append)
    assert [text[place : place + 4] for place in range(0, len(text), 4)] == [piece for piece in pieces if piece]


def test_embeddings_and_models():
    """The client gets embeddings; a list of models is refused before anything is sent."""
    with ScriptedServer(EmbeddingsScript([[0.5]])) as server:
        client = server.client("dashscope")
        found = client.embeddings("text-embedding-v4", "a", dimensions=1)
        with pytest.raises(ConfigError):
            client.models()
    [request] = server.requests
    assert ([0.5], 1) == (found.data[0].embedding, found.usage.total_tokens)
    assert "/api/v1/services/embeddings/text-embedding/text-embedding" == request.path
    assert {"model": "text-embedding-v4", "input": {"texts": ["a"]}, "parameters": {"dimension": 1}} == request.json()


@pytest.mark.parametrize("style", [blocking, generator, callback])
def test_an_error_status(style):
    """An error has the class of its status, its code and its request id, in every style."""
    with ScriptedServer(ErrorScript(401, "Invalid API-key provided.", code="InvalidApiKey")) as server:
        error = error_of(AuthenticationError, style, server.client("dashscope"), HELLO)
    assert ("HTTP 401: Invalid API-key provided.", "InvalidApiKey") == (error.message, error.code)
    assert "req-scripted" == error.request_id


@pytest.mark.parametrize(("fault", "kind"), [("no-end", IncompleteStreamError), (Cut(after=3), ConnectionLost)])
def test_a_stream_without_its_end(fault, kind):
    """A stream that ends before its finish reason is an error that carries what was received."""
    with ScriptedServer(ChatScript("It is sunny.", fault=fault)) as server:
        error = error_of(kind, generator, server.client("dashscope"), HELLO)
    assert "It is sunny." == error.completion.text


def test_an_error_event():
    """An error event ends the stream with its message, its code and the status of the code."""
    fault = ErrorEvent(3, 400, "No.", code="DataInspectionFailed")
    with ScriptedServer(ChatScript("It is sunny.", fault=fault)) as server:
        error = error_of(StreamError, callback, server.client("dashscope"), HELLO)
    assert ("DataInspectionFailed", 400) == (error.code, error.status_code)
    assert error.message.endswith(": No.")
    assert "It is sunny." == error.completion.text
    assert "req-scripted" == error.request_id
