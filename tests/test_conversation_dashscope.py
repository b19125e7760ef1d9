"""A conversation with DashScope over real sockets: the server checks every field of what it is sent."""

import json

import pytest

from calls import hard_limit  # noqa: F401
from compatapi.chat_types import ChatCompletionRequest, ImagePart, Message, Tool
from compatapi.client import Client
from compatapi.errors import AuthenticationError, CompatAPIError, ConfigError, IncompleteStreamError, StreamError
from compatapi.testing import Reply, ScriptedServer, StreamReply

TOOLS = [Tool.from_schema("weather", "Tell the weather.", {"type": "object"})]
WIRE_TOOLS = [
    {
        "type": "function",
        "function": {"name": "weather", "description": "Tell the weather.", "parameters": {"type": "object"}},
    }
]
CHAT = "/api/v1/services/aigc/text-generation/generation"
HELLO = [Message.user("hello")]


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


def ask(style, client, request):
    """The answer, in one of the styles of the client."""
    if style == "blocking":
        return client.chat_completion(request)
    if style == "callback":
        return client.chat_completion_stream(request, on_chunk=lambda chunk: None)
    with client.chat_completion_stream(request) as stream:
        for _ in stream:
            pass
    return stream.completion


def client_of(server, **options):
    """A client of the row."""
    return Client("dashscope", base_url=server.url, api_key="a-key-for-tests", **options)


@pytest.mark.parametrize("style", ["blocking", "generator", "callback"])
def test_two_turns_with_a_tool_and_reasoning(style):
    """Both turns are sent field by field as DashScope has them, and both answers arrive whole."""
    streams = style != "blocking"
    scripts = (answer(streams, FIRST, WHOLE_FIRST, "tool_calls"), answer(streams, SECOND, WHOLE_SECOND, "stop"))
    with ScriptedServer(*scripts) as server:
        client = client_of(server)
        messages = [Message.system("Be brief."), Message.user("How is Rome?")]
        options = {"tools": TOOLS, "tool_choice": "auto", "thinking_budget": 500, "temperature": 0.5, "max_tokens": 99}
        first = ask(style, client, ChatCompletionRequest("qwen-plus", messages, **options))
        assert ("A moment.", "Look it up.", "tool_calls") == (first.text, first.reasoning, first.finish_reason)
        [made] = first.tool_calls
        assert ("call_rome", "weather", {"city": "Rome"}) == (made.id, made.name, made.parse_arguments())
        messages += [first.message, Message.tool("sunny, 25 degrees", made.id)]
        second = ask(style, client, ChatCompletionRequest("qwen-plus", messages, tools=TOOLS, extra={"top_k": 40}))
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
        found = ask("generator", client_of(server), ChatCompletionRequest("qwen-plus", [question]))
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
        client_of(server).chat_completion_stream(
            ChatCompletionRequest("qwen-plus", HELLO), on_chunk=lambda chunk: pieces.append(chunk.text)
        )
    assert [text[place : place + 4] for place in range(0, len(text), 4)] == [piece for piece in pieces if piece]


def test_embeddings_and_models():
    """The client gets embeddings; a list of models is refused before anything is sent."""
    body = {
        "output": {"embeddings": [{"text_index": 0, "embedding": [0.5]}]},
        "usage": {"total_tokens": 3},
        "request_id": "q-1",
    }
    with ScriptedServer(Reply(body=body)) as server:
        client = client_of(server)
        found = client.embeddings("text-embedding-v4", "a", dimensions=1)
        with pytest.raises(ConfigError):
            client.models()
    [request] = server.requests
    assert ([0.5], 3) == (found.data[0].embedding, found.usage.total_tokens)
    assert "/api/v1/services/embeddings/text-embedding/text-embedding" == request.path
    assert {"model": "text-embedding-v4", "input": {"texts": ["a"]}, "parameters": {"dimension": 1}} == request.json()


def test_an_error_status():
    """An error has the class of its status, its code and its request id, in every style."""
    body = {"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": "q-9"}
    with ScriptedServer(*[Reply(401, body=body)] * 3) as server:
        for style in ("blocking", "generator", "callback"):
            with pytest.raises(AuthenticationError, match="Invalid API-key provided.") as caught:
                ask(style, client_of(server, max_retries=0), ChatCompletionRequest("qwen-plus", HELLO))
            assert ("InvalidApiKey", "q-9") == (caught.value.code, caught.value.request_id)


@pytest.mark.parametrize("end", ["clean", "cut"])
def test_a_stream_without_its_end(end):
    """A stream that ends before its finish reason is an error that carries what was received."""
    script = StreamReply(events(SECOND), done=False, end=end)
    with ScriptedServer(script) as server, pytest.raises(CompatAPIError) as caught:
        ask("generator", client_of(server, max_retries=0), ChatCompletionRequest("qwen-plus", HELLO))
    assert "It is sunny." == caught.value.completion.text
    assert end == "cut" or IncompleteStreamError is type(caught.value)


def test_an_error_event():
    """An error event ends the stream with its message, its code and the status of the code."""
    body = json.dumps({"code": "DataInspectionFailed", "message": "No.", "request_id": "q-3"})
    fault = f"id:3\nevent:error\n:HTTP_STATUS/400\ndata:{body}\n\n"
    script = StreamReply([*events(SECOND), fault], done=False)
    with ScriptedServer(script) as server, pytest.raises(StreamError, match="No.") as caught:
        ask("callback", client_of(server, max_retries=0), ChatCompletionRequest("qwen-plus", HELLO))
    assert (400, "DataInspectionFailed", "q-3") == (
        caught.value.status_code,
        caught.value.code,
        caught.value.request_id,
    )
    assert "It is sunny." == caught.value.completion.text
