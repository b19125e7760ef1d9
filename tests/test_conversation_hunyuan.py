"""Whole conversations with a server that speaks as Tencent Hunyuan does and checks all that it is sent."""

import hashlib
import hmac
import json
import time

import pytest

from calls import error_of, hard_limit  # noqa: F401
from compatapi import ChatCompletionRequest, Client, Message, Tool
from compatapi.errors import ConfigError, ConnectionLost, IncompleteStreamError, ServerError, StreamError
from compatapi.testing import ChatScript, ErrorScript, Reply, ScriptedServer, StreamReply
from styles import blocking, callback, generator, handle

SECRET_ID, SECRET_KEY, TOKEN = "AKIDforTheseTestsAlone", "a-secret-key-for-tests", "a-token-for-tests"
KEY = f"{SECRET_ID}:{SECRET_KEY}"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool.from_schema("get_weather", "Tell the weather", SCHEMA)
QUESTION = Message.user("Is it warm in Lima?")
ASK = ChatCompletionRequest("hunyuan-lite", [QUESTION])
USAGE = {"PromptTokens": 20, "CompletionTokens": 9, "TotalTokens": 29}

#: What the two turns must be asked with, and what they are answered.
TOOLS_WIRE = [
    {
        "Type": "function",
        "Function": {
            "Name": "get_weather",
            "Parameters": '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}',
            "Description": "Tell the weather",
        },
    }
]
FIRST = [{"Role": "user", "Content": "Is it warm in Lima?"}]
SECOND = [
    *FIRST,
    {
        "Role": "assistant",
        "Content": "I will look.",
        "ToolCalls": [
            {
                "Id": "call_1",
                "Type": "function",
                "Function": {"Name": "get_weather", "Arguments": '{"city":"Lima"}'},
            }
        ],
    },
    {"Role": "tool", "Content": "21 C", "ToolCallId": "call_1"},
]


def delta(finish="", tokens=1, **fields):
    """An event of a stream."""
    return {
        "Note": "n",
        "Choices": [{"Index": 0, "Delta": {"Role": "assistant", **fields}, "FinishReason": finish}],
        "Created": 1716359713,
        "Id": "c-1",
        "Usage": {"PromptTokens": 20, "CompletionTokens": tokens, "TotalTokens": 20 + tokens},
    }


def call(arguments):
    """A fragment of the tool call, which repeats id and name as the service does."""
    return [
        {"Id": "call_1", "Type": "function", "Index": 0, "Function": {"Name": "get_weather", "Arguments": arguments}}
    ]


def whole(finish, **message):
    """A whole answer."""
    choice = {"Index": 0, "FinishReason": finish, "Message": {"Role": "assistant", **message}}
    answer = {"Id": "c-1", "Created": 1716359713, "Note": "n", "Choices": [choice], "Usage": USAGE}
    return Reply(body={"Response": {"RequestId": "r-1", **answer}})


STREAMED = [
    StreamReply(
        [
            delta(Content="", ReasoningContent="The tool "),
            delta(Content="", ReasoningContent="knows."),
            delta(Content="I will look.", tokens=4),
            delta(Content="", ToolCalls=call('{"city":'), tokens=6),
            delta(Content="", ToolCalls=call('"Lima"}'), tokens=9),
            delta("tool_calls", 9, Content=""),
        ],
        done=False,
    ),
    StreamReply([delta(Content="It is "), delta(Content="warm."), delta("stop", 9, Content="")], done=False),
]
WHOLE = [
    whole("tool_calls", Content="I will look.", ReasoningContent="The tool knows.", ToolCalls=call('{"city":"Lima"}')),
    whole("stop", Content="It is warm."),
]


def digest(key, text):
    """One step of the signature."""
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature_of(request, key=SECRET_KEY, secret_id=SECRET_ID):
    """The Authorization header that the service works out for a request, from the document and nothing of ours."""
    headers = request.headers
    names = ("content-type", "host", "x-tc-action")
    lines = "".join(f"{name}:{headers[name].lower()}\n" for name in names)
    canonical = f"POST\n/\n\n{lines}\n{';'.join(names)}\n{hashlib.sha256(request.body).hexdigest()}"
    stamp = headers["x-tc-timestamp"]
    date = time.strftime("%Y-%m-%d", time.gmtime(int(stamp)))
    scope = f"{date}/hunyuan/tc3_request"
    text = f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signing = digest(digest(digest(f"TC3{key}".encode(), date), "hunyuan"), "tc3_request")
    return (
        f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders={';'.join(names)},"
        f" Signature={digest(signing, text).hex()}"
    )


def playing(answers, wanted):
    """A server's function that checks each request field by field; a wrong one is told and refused."""
    turns = iter(zip(answers, wanted, strict=True))

    def answer(request):
        script, (messages, stream) = next(turns)
        body = {"Model": "hunyuan-turbos-latest", "Messages": messages, **({"Stream": True} if stream else {})}
        body |= {"Temperature": 0, "Tools": TOOLS_WIRE, "EnableThinking": True, "EnableEnhancement": False}
        seen = {
            "body": json.loads(request.body),
            "place": (request.method, request.path, request.headers["host"]),
            "action": (request.headers["x-tc-action"], request.headers["x-tc-version"]),
            "time": abs(int(request.headers["x-tc-timestamp"]) - time.time()) < 60,
            "signature": request.headers["authorization"],
        }
        expected = {
            "body": body,
            "place": ("POST", "/", request.headers["host"]),
            "action": ("ChatCompletions", "2023-09-01"),
            "time": True,
            "signature": signature_of(request),
        }
        wrong = {name: (expected[name], seen[name]) for name in expected if expected[name] != seen[name]}
        return Reply(400, body={"message": f"wrong: {wrong}"}) if wrong else script

    return answer


def request_of(messages):
    """A request with tools, reasoning, and a field of the service's own."""
    return ChatCompletionRequest(
        "hunyuan-turbos-latest",
        messages,
        temperature=0,
        tools=[WEATHER],
        reasoning_effort="high",
        extra={"EnableEnhancement": False},
    )


@pytest.mark.parametrize("ask", [blocking, generator, callback, handle])
def test_two_turns_with_a_tool_and_reasoning(ask):
    """The answer with a tool call goes back without its reasoning, the result follows, and the second answer comes."""
    streams = ask is not blocking
    answers = STREAMED if streams else WHOLE
    wanted = [(FIRST, streams), (SECOND, streams)]
    with ScriptedServer(playing(answers, wanted)) as server:
        client = server.client("hunyuan", api_key=KEY)
        messages = [QUESTION]
        first = ask(client, request_of(messages))
        assert ("I will look.", "The tool knows.", "tool_calls") == (first.text, first.reasoning, first.finish_reason)
        [made] = first.tool_calls
        assert ("call_1", "get_weather", {"city": "Lima"}) == (made.id, made.name, made.parse_arguments())
        assert (20, 9, 29) == (first.usage.prompt_tokens, first.usage.completion_tokens, first.usage.total_tokens)
        messages += [first.message, Message.tool("21 C", made.id)]
        second = ask(client, request_of(messages))
        assert ("It is warm.", "stop", "c-1") == (second.text, second.finish_reason, second.id)
        assert "hunyuan-turbos-latest" == second.model
        assert 2 == len(server.requests)


def test_keys_and_region_of_the_environment(monkeypatch):
    """Without a key at hand its parts come from the environment, and so does the region."""
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", SECRET_ID)
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("TENCENTCLOUD_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("TENCENTCLOUD_REGION", "ap-guangzhou")
    with ScriptedServer(STREAMED[1]) as server:
        assert "It is warm." == callback(Client("hunyuan", base_url=server.url), ASK).text
        [request] = server.requests
    assert (TOKEN, "ap-guangzhou") == (request.headers["x-tc-token"], request.headers["x-tc-region"])
    assert f"127.0.0.1:{server.port}" == request.headers["host"]
    assert signature_of(request) == request.headers["authorization"]


def test_what_a_call_adds_is_signed():
    """Headers and body fields that a single call adds do not break the signature."""
    with ScriptedServer(STREAMED[1]) as server:
        server.client("hunyuan", api_key=KEY).chat_completion_stream(
            ASK,
            lambda chunk: None,
            headers={"X-TC-Language": "en-US", "Content-Type": "application/json; charset=utf-8"},
            body={"TopP": 0.5},
            query={"trace": "1"},
        )
        [request] = server.requests
    assert ("/?trace=1", "en-US", 0.5) == (request.path, request.headers["x-tc-language"], request.json()["TopP"])
    assert 1 == len([name for name, _ in request.headers.pairs if name.lower() == "content-type"])
    assert signature_of(request) == request.headers["authorization"]


@pytest.mark.parametrize("ask", [blocking, generator, callback])
def test_a_limit_that_is_reached_is_tried_again(ask):
    """RequestLimitExceeded in a 200 is tried again with the same signed bytes, in place of a stream too."""
    events = []
    with ScriptedServer(ErrorScript(code="RequestLimitExceeded"), ChatScript("It is warm.")) as server:
        completion = ask(server.client("hunyuan", max_retries=1, on_retry=events.append), ASK)
        assert "It is warm." == completion.text
        first, second = server.requests
    assert [429] == [event.error.status_code for event in events]
    assert (first.body, first.headers["authorization"]) == (second.body, second.headers["authorization"])


@pytest.mark.parametrize("ask", [blocking, generator, callback])
def test_a_wrong_signature_is_not_tried_again(ask):
    """AuthFailure in a 200 is raised where the call stands, once, with code, status and request id."""
    with ScriptedServer(ErrorScript(code="AuthFailure.SignatureFailure"), strict=True) as server:
        error = error_of(StreamError, ask, server.client("hunyuan", max_retries=2), ASK)
    assert ("AuthFailure.SignatureFailure", 401, "req-scripted") == (error.code, error.status_code, error.request_id)


def test_the_error_stands_where_the_call_stands():
    """A 200 that holds an error is raised by the call that asks for a stream, not by the first iteration."""
    with ScriptedServer(ErrorScript(code="InvalidParameterValue.Model")) as server:
        assert 400 == error_of(StreamError, server.client("hunyuan").chat_completion_stream, ASK).status_code


def test_a_whole_answer_in_place_of_a_stream():
    """A whole answer in JSON, where a stream was asked for, is one chunk."""
    with ScriptedServer(ChatScript("It is warm.", fault="whole-instead")) as server:
        stream = server.client("hunyuan").chat_completion_stream(ASK)
        assert ["It is warm."] == [chunk.text for chunk in stream]


def test_an_error_that_quotes_the_key_is_masked():
    """Neither part of the key shows in an error of a server that quotes it."""
    said = {"Response": {"Error": {"Code": "AuthFailure", "Message": f"{SECRET_ID} and {SECRET_KEY} are unknown"}}}
    with ScriptedServer(Reply(body=said)) as server:
        error = error_of(StreamError, callback, server.client("hunyuan", api_key=KEY), ASK)
    shown = f"{error} {error!r} {vars(error)}"
    assert SECRET_ID not in shown
    assert SECRET_KEY not in shown


def test_the_id_of_the_request():
    """The id that the service gives in a header is that of the stream and of its error."""
    headers = {"X-TC-RequestId": "r-7"}
    broken = [delta(Content="It is "), {"ErrorMsg": {"Msg": "model timed out", "Code": 4001}}]
    with ScriptedServer(StreamReply(broken, done=False, headers=headers)) as server:
        error = error_of(StreamError, callback, server.client("hunyuan"), ASK)
    assert ("r-7", 4001, 504, "It is ") == (error.request_id, error.code, error.status_code, error.completion.text)


def test_an_error_status():
    """A status of the network layer is the usual error."""
    with ScriptedServer(ErrorScript(502, body="<html>Bad Gateway</html>")) as server:
        assert 502 == error_of(ServerError, callback, server.client("hunyuan"), ASK).status_code


@pytest.mark.parametrize(
    ("fault", "kind"), [("cut", ConnectionLost), ("reset", ConnectionLost), ("no-end", IncompleteStreamError)]
)
def test_a_stream_that_is_cut(fault, kind):
    """A stream without its finish reason is an error that carries the answer so far."""
    with ScriptedServer(ChatScript(pieces=["It is "], fault=fault)) as server:
        error = error_of(kind, callback, server.client("hunyuan"), ASK)
    assert ("It is ", None) == (error.completion.text, error.completion.finish_reason)


def test_what_is_refused_before_sending():
    """A key of another form, a field without a word, models and embeddings: nothing is sent."""
    with ScriptedServer() as server:
        client = server.client("hunyuan")
        error_of(ConfigError, callback, server.client("hunyuan", api_key="a-key-for-tests"), ASK)
        error_of(ConfigError, client.chat_completion, ChatCompletionRequest("m", [QUESTION], max_tokens=5))
        error_of(ConfigError, client.models)
        error_of(ConfigError, client.embeddings, "m", "text")
        assert [] == server.requests
