"""Conversations with a server that speaks Gemini's language, over real sockets: what it is sent, and what is heard."""

import json

import pytest

from calls import error_of, hard_limit  # noqa: F401
from compatapi import ChatCompletionRequest, Message, Tool
from compatapi.errors import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    IncompleteStreamError,
    RateLimitError,
    StreamError,
)
from compatapi.testing import ChatScript, EmbeddingsScript, ErrorScript, Reply, ScriptedServer, StreamReply
from compatapi.testing.faults import Cut, ErrorEvent
from styles import blocking, callback, generator, handle

KEY = "a-key-for-tests"
MODEL = "gemini-3-pro"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False}
TOOLS = [Tool.from_schema("weather", "The weather of a city", SCHEMA), {"googleSearch": {}}]
THOUGHT = {"text": "Two cities.", "thought": True}
TEXT = [{"text": "Let me "}, {"text": "look.", "thoughtSignature": "sig-text"}]
CALLS = [
    {"functionCall": {"name": "weather", "args": {"city": "Rome"}}, "thoughtSignature": "sig-call"},
    {"functionCall": {"name": "weather", "args": {"city": "Bern"}, "id": "fc-2"}},
]
FIRST = [[THOUGHT], [TEXT[0]], [TEXT[1]], CALLS]
SECOND = [[{"text": "Rome is "}], [{"text": "warmer."}]]
USAGE = {"promptTokenCount": 20, "candidatesTokenCount": 9, "thoughtsTokenCount": 4, "totalTokenCount": 33}
QUESTION = [Message.system("Be brief."), Message.user("Where is it warmer, Rome or Bern?")]
ASK = ChatCompletionRequest(MODEL, QUESTION)


def events_of(turns):
    """The events of a stream with these parts."""
    for number, parts in enumerate(turns, 1):
        candidate = {"content": {"parts": parts, "role": "model"}, "index": 0}
        candidate |= {"finishReason": "STOP"} if number == len(turns) else {}
        yield {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": "gemini-3-pro", "responseId": "r"}


def whole_of(turns):
    """The same as one answer."""
    parts = [part for each in turns for part in each]
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": "gemini-3-pro", "responseId": "r"}


def server_of(*answers):
    """A server that answers a wish for a stream with one, and any other with a whole answer."""
    scripts = iter(answers)

    def answer(request):
        turns = next(scripts)
        if request.stream:
            return StreamReply(events_of(turns), newline="\r\n", done=False)
        return Reply(body=whole_of(turns))

    return ScriptedServer(answer)


STYLES = pytest.mark.parametrize("style", [blocking, generator, callback, handle])


@STYLES
def test_two_turns_with_tools_and_reasoning(style):
    """Thoughts, signatures, calls and results go there and back, whichever way the program asks."""
    with server_of(FIRST, SECOND) as server:
        client = server.client("gemini", api_key=KEY)
        options = {"tools": TOOLS, "reasoning_effort": "low", "temperature": 0.5, "max_completion_tokens": 500}
        first = style(client, ChatCompletionRequest(MODEL, QUESTION, **options))
        results = [Message.tool('{"celsius": 24}', first.tool_calls[0].id), Message.tool("11", first.tool_calls[1].id)]
        request = ChatCompletionRequest(MODEL, [*QUESTION, first.message, *reversed(results)], **options)
        second = style(client, request)

        assert ("Two cities.", "Let me look.", "tool_calls") == (first.reasoning, first.text, first.finish_reason)
        cities = [call.parse_arguments()["city"] for call in first.tool_calls]
        assert ["Rome", "Bern"] == cities
        assert ("fc-2", True) == (first.tool_calls[1].id, first.tool_calls[0].id.startswith("call_"))
        assert ("Rome is warmer.", "stop", 33) == (second.text, second.finish_reason, second.usage.total_tokens)
        assert (13, 4) == (second.usage.completion_tokens, second.usage.completion_tokens_details.reasoning_tokens)

        asked, again = server.requests
        for sent in (asked, again):
            verb = "generateContent" if style is blocking else "streamGenerateContent?alt=sse"
            assert ("POST", f"/v1beta/models/{MODEL}:{verb}") == (sent.method, sent.path)
            assert (KEY, None) == (sent.headers["x-goog-api-key"], sent.headers.get("authorization"))
            assert "application/json" == sent.headers["content-type"]
            body = sent.json()
            assert {"contents", "tools", "systemInstruction", "generationConfig"} == body.keys()
            assert {"parts": [{"text": "Be brief."}]} == body["systemInstruction"]
            declared = {"name": "weather", "description": "The weather of a city", "parametersJsonSchema": SCHEMA}
            assert [{"functionDeclarations": [declared]}, {"googleSearch": {}}] == body["tools"]
            assert {
                "temperature": 0.5,
                "maxOutputTokens": 500,
                "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"},
            } == body["generationConfig"]
        user = {"role": "user", "parts": [{"text": "Where is it warmer, Rome or Bern?"}]}
        assert [user] == asked.json()["contents"]
        assert [
            user,
            {"role": "model", "parts": [THOUGHT, *TEXT, *CALLS]},
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "weather", "response": {"celsius": 24}}},
                    {"functionResponse": {"id": "fc-2", "name": "weather", "response": {"result": "11"}}},
                ],
            },
        ] == again.json()["contents"]


@STYLES
def test_a_blocked_prompt(style):
    """A prompt that is not answered is an answer without words, and says why."""
    feedback = {"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "m", "responseId": "r"}

    def answer(request):
        return StreamReply([feedback], done=False) if request.stream else Reply(body=feedback)

    with ScriptedServer(answer) as server:
        completion = style(server.client("gemini"), ASK)
    assert ("", "content_filter") == (completion.text, completion.finish_reason)
    assert {"blockReason": "SAFETY"} == completion.extra["promptFeedback"]
    assert "SAFETY" == completion.choices[0].extra["native_finish_reason"]


@STYLES
def test_a_bad_key(style):
    """A bad key is raised where the call stands, and is not shown."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    error = {"code": 400, "message": f"API key not valid: {KEY}", "status": "INVALID_ARGUMENT", "details": details}
    with ScriptedServer(ErrorScript(400, body={"error": error})) as server:
        raised = error_of(AuthenticationError, style, server.client("gemini", api_key=KEY), ASK)
    assert (400, "API_KEY_INVALID") == (raised.status_code, raised.code)
    assert KEY not in str(raised)


def test_retries_wait_as_long_as_google_asks():
    """The delay in the details of an error is the pause before the next attempt."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.05s"}]
    error = {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED", "details": details}
    seen = []
    with ScriptedServer(ErrorScript(429, body=[{"error": error}]), ChatScript("Rome is warmer.")) as server:
        client = server.client("gemini", max_retries=1, on_retry=seen.append)
        assert "Rome is warmer." == client.chat_completion(ASK).text
    assert [(0.05, RateLimitError)] == [(event.delay, type(event.error)) for event in seen]


@pytest.mark.parametrize(("fault", "kind"), [("no-end", IncompleteStreamError), (Cut(after=2), ConnectionLost)])
def test_a_stream_that_is_cut(fault, kind):
    """A stream without a finish reason is an error that carries what was said."""
    with ScriptedServer(ChatScript("Rome is", fault=fault)) as server:
        assert "Rome is" == error_of(kind, generator, server.client("gemini"), ASK).completion.text


def test_an_error_in_the_stream():
    """An error behind text is raised behind it, with the answer so far."""
    with ScriptedServer(ChatScript("Rome is", fault=ErrorEvent(2, 503, "overloaded"))) as server:
        error = error_of(StreamError, generator, server.client("gemini"), ASK)
    assert error.message.endswith(": overloaded")
    assert ("Rome is", "UNAVAILABLE", 503) == (error.completion.text, error.type, error.status_code)


def test_an_array_in_place_of_a_stream():
    """A server that does not know ``alt=sse`` sends an array, which is the same answer."""
    array = "[" + "\n,\r\n".join(json.dumps(event, indent=2) for event in events_of(FIRST)) + "\n]"
    reply = Reply(body=array, headers={"Content-Type": "application/json; charset=UTF-8"})
    with ScriptedServer(reply) as server:
        completion = generator(server.client("gemini"), ASK)
    assert ("Let me look.", "tool_calls", 2) == (completion.text, completion.finish_reason, len(completion.tool_calls))
    assert "sig-text" == completion.message.extra["reasoning_details"][0]["data"]


def test_models():
    """The list is read page by page."""
    pages = [
        Reply(body={"models": [{"name": "models/a"}, {"name": "models/b"}], "nextPageToken": "t"}),
        Reply(body={"models": [{"name": "models/c", "thinking": True}]}),
    ]
    with ScriptedServer(*pages) as server:
        models = server.client("gemini", api_key=KEY).models()
    assert ["a", "b", "c"] == [model.id for model in models]
    assert models[2].extra["thinking"] is True
    assert ["/v1beta/models?pageSize=1000", "/v1beta/models?pageSize=1000&pageToken=t"] == [
        request.path for request in server.requests
    ]
    assert [KEY, KEY] == [request.headers["x-goog-api-key"] for request in server.requests]


def test_embeddings():
    """One text and several are asked for in Google's two ways, and answered in the common one."""
    with ScriptedServer(EmbeddingsScript([[0.5]]), EmbeddingsScript([[1.0], [2.0]])) as server:
        client = server.client("gemini")
        assert [[0.5]] == [item.embedding for item in client.embeddings("e-1", "hi", dimensions=1).data]
        assert [[1.0], [2.0]] == [item.embedding for item in client.embeddings("e-1", ["a", "b"]).data]
    one, two = server.requests
    assert "/v1beta/models/e-1:embedContent" == one.path
    assert {"content": {"parts": [{"text": "hi"}]}, "outputDimensionality": 1} == one.json()
    assert ("/v1beta/models/e-1:batchEmbedContents", 2) == (two.path, len(two.json()["requests"]))


def test_nothing_is_sent_that_cannot_be_said():
    """A field without a word stops the call before there is a connection."""
    with ScriptedServer() as server, pytest.raises(ConfigError, match="'gemini' has no word for logit_bias"):
        server.client("gemini").chat_completion(ChatCompletionRequest(MODEL, QUESTION, logit_bias={"1": 1}))
    assert 0 == server.connections
