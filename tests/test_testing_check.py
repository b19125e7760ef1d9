"""Tests that fail for the right reason: what a scripted server says of requests that nobody expected."""

import re

import pytest

from calls import error_of, hard_limit  # noqa: F401
from compatapi import errors as e
from compatapi.chat_types import ChatCompletionRequest, Message, Tool, ToolCall
from compatapi.message_types import FunctionCall
from compatapi.testing import (
    ChatScript,
    ErrorScript,
    Expect,
    ModelsScript,
    RecordedRequest,
    Reply,
    ScriptedServer,
    ScriptedTransport,
    StreamReply,
    UnexpectedRequest,
    render,
)
from compatapi.testing.faults import Cut
from compatapi.testing.services import SERVICES

DIALECTS = sorted(SERVICES)
REQUEST = ChatCompletionRequest("model-1", [Message.system("Be brief."), Message.user("Hello")], temperature=0.5)
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)
each_kind = pytest.mark.parametrize("kind", [ScriptedServer, ScriptedTransport])
NOT_EXPECTED = (e.ServerError, e.StreamError)


def told(kind, what, request=REQUEST, dialect="openai"):
    """What `check` says of a request where another one was expected; None where it is content."""
    with kind(Expect(what, ChatScript("Yes."))) as server, server.client(dialect) as client:
        try:
            assert "Yes." == client.chat_completion(request).text
        except NOT_EXPECTED as error:
            assert "This is not the request that was expected." in str(error)
        try:
            server.check()
        except AssertionError as error:
            return str(error)
    return None


# --- expectations


@each_dialect
@each_kind
def test_the_request_that_was_expected(kind, dialect):
    """A request that is told as our own type is recognized in the words of each dialect."""
    assert told(kind, REQUEST, dialect=dialect) is None


@each_dialect
@each_kind
def test_another_request(kind, dialect):
    """Of another request each difference is a line, with the place, what was expected and what came."""
    other = ChatCompletionRequest("model-2", [Message.system("Be brief."), Message.user("Good bye")], temperature=0.5)
    lines = told(kind, other, dialect=dialect).splitlines()
    assert "The requests were not those of the scripts (1 unexpected, 0 unused):" == lines[0]
    assert lines[1].startswith("request 1, POST /")
    assert f"({dialect}): This is not the request that was expected." in lines[1]
    assert [
        "  messages[1].content: expected 'Good bye', got 'Hello'",
        "  model: expected 'model-2', got 'model-1'",
    ] == sorted(lines[2:])


@pytest.mark.parametrize(
    "what",
    [
        {"model": "model-1"},
        {"text": "Hello", "stream": False, "dialect": "openai", "operation": "chat"},
        {"text": re.compile("^Hell")},
        {"messages": [{"role": "system"}, Message.user("Hello")]},
        {"temperature": 0.5, "tools": None},
        lambda request: request.chat.temperature == 0.5,
        lambda request: None,
    ],
)
def test_fields_patterns_and_functions(what):
    """An expectation may tell some fields, a pattern for a text, or a function of the request."""
    assert told(ScriptedTransport, what) is None


def says_no(request):
    return False


def asserts(request):
    assert request.chat.model == "other", "it is another model"


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ({"text": "Bye"}, "text: expected 'Bye', got 'Hello'"),
        ({"text": re.compile("^x")}, "text: expected something with '^x', got 'Hello'"),
        ({"dialect": "ollama"}, "dialect: expected 'ollama', got 'openai'"),
        ({"seed": 5}, "seed: expected 5, and nothing came"),
        ({"messages": []}, "messages: expected 0 items, got 2: [{'role': 'system', 'content': 'Be brief.'}, "),
        (says_no, "says_no says that it is another one"),
        (asserts, "it is another model"),
    ],
)
def test_what_differs_is_told(what, line):
    """Whatever the expectation is, the text of the failure says what differs."""
    assert f"\n  {line}" in told(ScriptedTransport, what)


def test_calls_are_compared_by_their_meaning():
    """White space in the JSON of arguments makes no difference, nor does the name of the limit of tokens."""
    call = ToolCall("c", FunctionCall("f", '{"a": 1}'))
    turns = [Message.user("x"), Message.assistant(None, tool_calls=[call]), Message.tool("y", "c")]
    request = ChatCompletionRequest("m", turns, max_completion_tokens=5, tools=[Tool.from_schema("f")])
    for dialect in ("anthropic", "ollama", "openai"):
        assert told(ScriptedTransport, request, request, dialect) is None


# --- unexpected and unused


@each_dialect
@each_kind
def test_a_request_too_many(kind, dialect):
    """It gets an error in its dialect's words that is not tried again, and `check` names it."""
    with kind() as server, server.client(dialect, max_retries=3) as client:
        for ask in (client.chat_completion, client.chat_completion_stream):
            with pytest.raises(NOT_EXPECTED, match="The scripts of this server are used up"):
                ask(REQUEST)
        assert 2 == len(server.requests) == len(server.unexpected)
        error = error_of(AssertionError, server.check)
    assert re.search(rf"request 2, POST \S+ \({dialect}, a stream\): The scripts of this server are used", str(error))


@each_kind
def test_scripts_that_are_left(kind):
    """Each script that nobody asked for is a line."""
    with kind(ChatScript("one"), ChatScript("two"), Reply(204)) as server, server.client() as client:
        client.chat_completion(REQUEST)
        assert 2 == len(server.unused())
        lines = str(error_of(AssertionError, server.check)).splitlines()
    assert "The requests were not those of the scripts (0 unexpected, 2 unused):" == lines[0]
    assert ["unused: ChatScript(text='two')", "unused: Reply(status=204)"] == lines[1:]


@each_kind
def test_strict_checks_at_the_end(kind):
    """A strict one fails where its block ends, but never hides another error."""
    with pytest.raises(AssertionError, match="1 unused"), kind(ChatScript("Hi"), strict=True):
        pass
    with pytest.raises(KeyError), kind(ChatScript("Hi"), strict=True):
        raise KeyError("another")
    with kind(ChatScript("Hi"), strict=True) as server, server.client() as client:
        assert "Hi" == client.chat_completion(REQUEST).text


@pytest.mark.parametrize(
    ("script", "ask", "why"),
    [
        (ChatScript("Hi"), "models", "answers a request for chat, and this asks for models"),
        (ModelsScript("m"), "chat_completion", "answers a request for models, and this asks for chat"),
    ],
)
def test_a_script_for_something_else(script, ask, why):
    """A script that answers something else than is asked for is unexpected too."""
    with ScriptedTransport(script) as transport, transport.client() as client:
        arguments = () if ask == "models" else (REQUEST,)
        with pytest.raises(e.ServerError, match=why):
            getattr(client, ask)(*arguments)
        with pytest.raises(AssertionError, match=why):
            transport.check()


def test_functions_may_refuse_and_fail():
    """A function says that a request is unexpected by raising; its own failures are unexpected as well."""

    def choose(request):
        if request.stream:
            raise UnexpectedRequest("no streams here")
        return {}["nothing"]

    with ScriptedTransport(choose) as transport, transport.client() as client:
        with pytest.raises(e.ServerError, match="no streams here"):
            client.chat_completion_stream(REQUEST)
        with pytest.raises(e.ServerError, match="KeyError: 'nothing'"):
            client.chat_completion(REQUEST)
        assert ["no streams here", "KeyError: 'nothing'"] == [found.why for found in transport.unexpected]


@each_kind
def test_a_function_can_be_added(kind):
    """A server that was made without scripts takes a function later, but not beside scripts that wait."""
    with kind() as server, server.client() as client:
        server.add(lambda request: ChatScript(request.chat.messages[-1].text))
        assert ["Hello", "Hello"] == [client.chat_completion(REQUEST).text for _ in range(2)]
        error_of(TypeError, server.add, ChatScript("Hi"))
    with kind(ChatScript("Hi")) as server:
        error_of(TypeError, server.add, lambda request: ChatScript("Ho"))


def test_functions_may_tell_what_is_left():
    """A function with a method `unused` tells `check` what it still waits for."""

    class Choose:
        def __call__(self, request):
            return ChatScript("Hi")

        def unused(self):
            return ["the second question"]

    with ScriptedTransport(Choose()) as transport, pytest.raises(AssertionError, match="unused: the second question"):
        transport.check()


class Breaks:
    """A script that fails after so many of its steps."""

    def __init__(self, *steps):
        self.steps = steps

    def play(self, request):
        yield from self.steps
        raise LookupError("nothing more")


@each_kind
def test_a_script_that_fails_before_its_answer(kind):
    """A script that fails before it has said anything is told to the client, and is unexpected."""
    with kind(Breaks(0.0)) as server, server.client() as client:
        with pytest.raises(e.ServerError, match="A script of this server failed at POST /v1/chat/completions: Lookup"):
            client.chat_completion(REQUEST)
        assert "LookupError: nothing more" in str(error_of(AssertionError, server.check))


@each_kind
def test_a_script_that_fails_in_its_answer(kind):
    """A script that fails in the middle ends its connection, and is unexpected."""
    with kind(Breaks(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")) as server, server.client() as client:
        with pytest.raises(e.ConnectionLost):
            client.chat_completion(REQUEST)
        assert "LookupError: nothing more" in str(error_of(AssertionError, server.check))


@each_dialect
@pytest.mark.parametrize("stream", [True, False])
def test_what_cannot_be_said(dialect, stream):
    """Half of a surrogate pair in a script is an error that `check` tells, in each dialect."""
    with ScriptedServer(ChatScript("half \ud83d")) as server, server.client(dialect) as client:
        with pytest.raises(NOT_EXPECTED, match="A script of this server failed"):
            list(client.chat_completion_stream(REQUEST)) if stream else client.chat_completion(REQUEST)
        assert "surrogate" in str(error_of(AssertionError, server.check))


@pytest.mark.parametrize("dialect", ["anthropic", "gemini", "ollama"])
def test_arguments_that_are_no_json(dialect):
    """Where the arguments of a call are JSON and not text, a script with others says whose they are."""
    script = ChatScript(tool_calls=[("look_up", '{"half": ')])
    with ScriptedTransport(script) as transport, transport.client(dialect) as client:
        assert "arguments of 'look_up' are no JSON" in str(error_of(e.ServerError, client.chat_completion, REQUEST))


@pytest.mark.parametrize(
    ("make", "kind", "told"),
    [
        (lambda: ChatScript("a", fault="cutt"), ValueError, "did you mean 'cut'"),
        (lambda: ChatScript("a", fault=Cut), TypeError, r"such as Cut\(after=2\), not <class"),
        (lambda: ChatScript("a", framing="whole"), ValueError, "framing is one of 'chunked', 'close', 'length', not"),
        (lambda: ChatScript("a", encoding="br"), ValueError, "encoding is one of None, 'gzip', 'deflate', not 'br'"),
        (lambda: ChatScript("a", end="never"), ValueError, "end is one of 'clean', 'cut', 'reset', 'stall', not"),
        (lambda: Expect("Hello", ChatScript("a")), TypeError, "a request, a dict of its fields, or a function"),
        (lambda: ScriptedServer(ChatScript("a"), ChatScript), TypeError, "give scripts or one function"),
    ],
)
def test_mistakes_are_told_at_once(make, kind, told):
    """A wrong value is refused where it is written, in one line that says what would be right."""
    with pytest.raises(kind, match=told):
        make()


# --- clients of a row


def test_nothing_of_the_environment(monkeypatch):
    """The row of a provider at a scripted server has no key, address or header of the environment."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID"):
        monkeypatch.setenv(name, "https://from.the.environment")
    with ScriptedServer(ChatScript("Hi")) as server, server.client() as client:
        client.chat_completion(REQUEST)
        assert f"{server.url}/v1" == client.base_url == server.provider().base_url
        assert ("test-id:test-key", False) == (
            server.requests[0].key,
            "openai-organization" in server.requests[0].headers,
        )


@pytest.mark.parametrize("name", ["azure", "groq", "openrouter", "gemini-openai", "zhipu", "ollama-v1", "demo"])
def test_any_row_can_ask(name):
    """Each provider's row finds its way to the server, and is answered in the words of its dialect."""
    with ScriptedServer(ChatScript("Hi"), strict=True) as server, server.client(name) as client:
        assert "Hi" == client.chat_completion(REQUEST).text
        assert "openai" == server.requests[0].dialect


# --- rendering


def test_rendering():
    """A script can be rendered to status, headers and body, without chunks and pauses."""
    request = RecordedRequest(method="POST", path="/v1/chat/completions", body=b'{"stream": true}')
    found = render(StreamReply(["a", 5.0, "b"], done=False), request)
    assert (200, b"ab") == (found.status, found.body)
    assert "text/event-stream; charset=utf-8" == dict(found.headers)["Content-Type"]
    assert "transfer-encoding" not in {name.lower() for name, _ in found.headers}
    refused = render(ErrorScript(429, "Slow."), request)
    assert (429, b"Slow.") == (refused.status, re.search(b"Slow.", refused.body)[0])


@pytest.mark.parametrize("fault", ["cut", "head-cut", "no-http", "no-answer"])
def test_what_breaks_off_cannot_be_rendered(fault):
    """An answer that is none, or has no end, is a ValueError."""
    request = RecordedRequest(method="POST", path="/v1/chat/completions", body=b'{"stream": false}')
    with pytest.raises(ValueError, match="the script "):
        render(ChatScript("Hi", fault=fault), request)
