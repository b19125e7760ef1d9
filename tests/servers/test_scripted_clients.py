"""The official clients of all six services at a scripted server: none of them notices that it is one."""

import json

import anthropic
import dashscope
import ollama
import openai
import pytest
from google import genai
from google.genai import errors as google_errors
from google.genai import types
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.hunyuan.v20230901.hunyuan_client import HunyuanClient
from tencentcloud.hunyuan.v20230901.models import ChatCompletionsRequest

from calls import hard_limit  # noqa: F401
from compatapi.testing import ChatScript, EmbeddingsScript, ErrorScript, ModelsScript, ScriptedServer

TEXT, REASONING = "It is cold in Oslo, 日本 and 🎈: minus four.", "Look it up first. Then talk."
CALLS = [("get_weather", {"city": "Oslo", "days": 2}), ("get_time", {})]
ANSWERS = {
    "text": {"text": TEXT},
    "reasoning and text": {"text": TEXT, "reasoning": REASONING},
    "tools": {"text": "", "tool_calls": CALLS},
    "all": {"text": TEXT, "reasoning": REASONING, "tool_calls": CALLS},
}
each_answer = pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
STATUSES = (400, 401, 403, 404, 429, 500, 503)
ASK = [{"role": "user", "content": "How is the weather?"}]
KEY = "a-key-for-tests"


@pytest.fixture
def server():
    """A server that takes one key, and fails the test that leaves a script or asks too much."""
    with ScriptedServer(keys=KEY, strict=True) as server:
        yield server


@pytest.fixture
def open_server():
    """The same for clients that send no key."""
    with ScriptedServer(strict=True) as server:
        yield server


# --- OpenAI


@pytest.fixture
def openai_client(server):
    with openai.OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0) as client:
        yield client


@each_answer
def test_openai_blocking(server, openai_client, answer):
    """The whole answer has text, calls, end and usage, in the client's own types."""
    server.add(ChatScript(**answer))
    found = openai_client.chat.completions.create(model="m", messages=ASK)
    (choice,) = found.choices
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()]
    assert (answer["text"], answer.get("tool_calls", [])) == (choice.message.content or "", calls)
    assert ("m", "tool_calls" if calls else "stop") == (found.model, choice.finish_reason)
    assert (9, True) == (found.usage.prompt_tokens, found.usage.total_tokens > 9)
    assert ASK[0]["content"] == server.requests[0].chat.messages[0].text


@each_answer
def test_openai_streamed(server, openai_client, answer):
    """The stream helper puts the same together, and usage comes when asked for."""
    server.add(ChatScript(**answer))
    with openai_client.chat.completions.stream(
        model="m", messages=ASK, stream_options={"include_usage": True}
    ) as stream:
        pieces = [event.delta for event in stream if event.type == "content.delta"]
        found = stream.get_final_completion()
    (choice,) = found.choices
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()]
    assert (answer["text"], answer.get("tool_calls", [])) == ("".join(pieces), calls)
    assert 9 == found.usage.prompt_tokens


@pytest.mark.parametrize("status", STATUSES)
def test_openai_errors(server, openai_client, status):
    """A status is the client's own error, with the script's words and the header of patience."""
    server.add(ErrorScript(status, "No such luck.", retry_after=3))
    with pytest.raises(openai.APIStatusError, match=r"No such luck\.") as caught:
        openai_client.chat.completions.create(model="m", messages=ASK)
    assert (status, "3") == (caught.value.status_code, caught.value.response.headers["retry-after"])
    assert {400: openai.BadRequestError, 401: openai.AuthenticationError, 429: openai.RateLimitError}.get(
        status, type(caught.value)
    ) is type(caught.value)


def test_openai_beside_chat(server, openai_client):
    """Models and embeddings (which the client asks for in base64) are those of the scripts."""
    server.add(ModelsScript("m-1", "m-2"), EmbeddingsScript([[0.5, -1.0]]))
    assert ["m-1", "m-2"] == [model.id for model in openai_client.models.list()]
    assert [[0.5, -1.0]] == [one.embedding for one in openai_client.embeddings.create(model="e", input="x").data]


def test_openai_tries_again():
    """The client tries again as it is asked to, and not behind a request too many."""
    with ScriptedServer(ErrorScript(429, retry_after=0.01), ChatScript("Hi")) as server:
        client = openai.OpenAI(base_url=server.base_url, api_key=KEY, max_retries=2)
        assert "Hi" == client.chat.completions.create(model="m", messages=ASK).choices[0].message.content
        with pytest.raises(openai.InternalServerError, match="Unexpected request 3"):
            client.chat.completions.create(model="m", messages=ASK)
        assert 3 == len(server.requests)
        client.close()


# --- Anthropic


@pytest.fixture
def anthropic_client(server):
    with anthropic.Anthropic(base_url=server.url, api_key=KEY, max_retries=0) as client:
        yield client


def check_message(message, answer):
    """A message in the types of Anthropic's client says what the answer says."""
    blocks = {kind: [block for block in message.content if block.type == kind] for kind in ("text", "thinking")}
    calls = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
    assert answer["text"] == "".join(block.text for block in blocks["text"])
    assert answer.get("reasoning", "") == "".join(block.thinking for block in blocks["thinking"])
    assert all(block.signature for block in blocks["thinking"])
    assert answer.get("tool_calls", []) == calls
    assert ("tool_use" if calls else "end_turn", 9) == (message.stop_reason, message.usage.input_tokens)
    assert message.usage.output_tokens > 1


@each_answer
def test_anthropic_blocking(server, anthropic_client, answer):
    """The whole message has its blocks, signed thinking, end and usage."""
    server.add(ChatScript(**answer))
    check_message(anthropic_client.messages.create(model="m", max_tokens=100, messages=ASK), answer)
    assert ("anthropic", 100) == (server.requests[0].dialect, server.requests[0].chat.max_tokens)


@each_answer
def test_anthropic_streamed(server, anthropic_client, answer):
    """The stream adds up to the same message, and its text comes in pieces."""
    server.add(ChatScript(**answer))
    with anthropic_client.messages.stream(model="m", max_tokens=100, messages=ASK) as stream:
        texts = list(stream.text_stream)
        check_message(stream.get_final_message(), answer)
    assert len(texts) > 3 or not answer["text"]


def test_anthropic_goes_on(server, anthropic_client):
    """What was answered can be sent back, with results, and is read back by the server."""
    server.add(ChatScript("Look.", reasoning="Hm.", tool_calls=CALLS[:1]), ChatScript("Cold."))
    tools = [{"name": "get_weather", "description": "d", "input_schema": {"type": "object"}}]
    first = anthropic_client.messages.create(model="m", max_tokens=100, messages=ASK, tools=tools)
    result = {"type": "tool_result", "tool_use_id": first.content[-1].id, "content": "4 below"}
    turns = [*ASK, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    anthropic_client.messages.create(model="m", max_tokens=100, messages=turns, tools=tools)
    _, answer, told = server.requests[1].chat.messages
    assert ("Look.", "Hm.", "get_weather") == (answer.text, answer.reasoning_content, answer.tool_calls[0].name)
    assert ("tool", "4 below", answer.tool_calls[0].id) == (told.role, told.text, told.tool_call_id)


@pytest.mark.parametrize("status", STATUSES)
def test_anthropic_errors(server, anthropic_client, status):
    """A status is the client's own error, with type and words of the service."""
    server.add(ErrorScript(status, "No such luck.", retry_after=3))
    with pytest.raises(anthropic.APIStatusError, match=r"No such luck\.") as caught:
        anthropic_client.messages.create(model="m", max_tokens=100, messages=ASK)
    assert (status, "3") == (caught.value.status_code, caught.value.response.headers["retry-after"])
    assert "req_scripted" == caught.value.request_id


def test_anthropic_models(server, anthropic_client):
    """The list of models is that of the script."""
    server.add(ModelsScript("m-1", "m-2"))
    assert ["m-1", "m-2"] == [model.id for model in anthropic_client.models.list()]


# --- Ollama


@pytest.fixture
def ollama_client(open_server):
    with ollama.Client(host=open_server.url) as client:
        yield client


@each_answer
def test_ollama_blocking(open_server, ollama_client, answer):
    """The whole answer has text, thinking, calls, end and counts."""
    open_server.add(ChatScript(**answer))
    found = ollama_client.chat("m", ASK)
    calls = [(call.function.name, dict(call.function.arguments)) for call in found.message.tool_calls or ()]
    assert (answer["text"], answer.get("reasoning", "")) == (found.message.content, found.message.thinking or "")
    assert answer.get("tool_calls", []) == calls
    assert (True, "stop", 9) == (found.done, found.done_reason, found.prompt_eval_count)


@each_answer
def test_ollama_streamed(open_server, ollama_client, answer):
    """The lines add up to the same, and the last of them is done."""
    open_server.add(ChatScript(**answer))
    parts = list(ollama_client.chat("m", ASK, stream=True))
    calls = [call.function for part in parts for call in part.message.tool_calls or ()]
    assert answer["text"] == "".join(part.message.content or "" for part in parts)
    assert answer.get("reasoning", "") == "".join(part.message.thinking or "" for part in parts)
    assert answer.get("tool_calls", []) == [(call.name, dict(call.arguments)) for call in calls]
    assert [False] * (len(parts) - 1) + [True] == [part.done for part in parts]


@pytest.mark.parametrize("status", STATUSES)
def test_ollama_errors(open_server, ollama_client, status):
    """A status is the client's own error, with the script's words."""
    open_server.add(ErrorScript(status, "No such luck."))
    with pytest.raises(ollama.ResponseError, match=r"No such luck\.") as caught:
        ollama_client.chat("m", ASK)
    assert status == caught.value.status_code


def test_ollama_beside_chat(open_server, ollama_client):
    """Models and embeddings are those of the scripts."""
    open_server.add(ModelsScript("m-1", "m-2"), EmbeddingsScript([[0.5, -1.0]]))
    assert ["m-1", "m-2"] == [model.model for model in ollama_client.list().models]
    assert [[0.5, -1.0]] == [list(one) for one in ollama_client.embed("e", "x").embeddings]


# --- Gemini


@pytest.fixture
def google_client(server):
    with genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=server.url)) as client:
        yield client


def google_said(found):
    """Text, reasoning and calls of a response of Google's client."""
    parts = found.candidates[0].content.parts or []
    kinds = [[part.text or "" for part in parts if bool(part.thought) is wanted] for wanted in (False, True)]
    texts = ["".join(kind) for kind in kinds]
    return [*texts, [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]]


@each_answer
def test_google_blocking(server, google_client, answer):
    """The whole response has text, thoughts, calls, end and usage."""
    server.add(ChatScript(**answer))
    found = google_client.models.generate_content(model="gemini-x", contents="How is the weather?")
    assert [answer["text"], answer.get("reasoning", ""), answer.get("tool_calls", [])] == google_said(found)
    assert ("STOP", 9) == (found.candidates[0].finish_reason, found.usage_metadata.prompt_token_count)
    assert ("gemini-x", ASK[0]["content"]) == (server.requests[0].chat.model, server.requests[0].chat.messages[0].text)


@each_answer
def test_google_streamed(server, google_client, answer):
    """The events add up to the same."""
    server.add(ChatScript(**answer))
    events = [*google_client.models.generate_content_stream(model="gemini-x", contents="How is the weather?")]
    text, thought, calls = zip(*map(google_said, events), strict=True)
    assert (answer["text"], answer.get("reasoning", "")) == ("".join(text), "".join(thought))
    assert answer.get("tool_calls", []) == [call for found in calls for call in found]
    assert "STOP" == events[-1].candidates[0].finish_reason


@pytest.mark.parametrize("status", STATUSES)
def test_google_errors(server, google_client, status):
    """A status is the client's own error, with code, name and words."""
    server.add(ErrorScript(status, "No such luck.", retry_after=3))
    with pytest.raises(google_errors.APIError, match=r"No such luck\.") as caught:
        google_client.models.generate_content(model="gemini-x", contents="x")
    assert (status, "3s") == (caught.value.code, caught.value.details["error"]["details"][0]["retryDelay"])


# --- Hunyuan


def hunyuan_client(server, secret="test-key"):
    """Tencent's client, which signs its requests."""
    http = HttpProfile(protocol="http", endpoint=server.url.removeprefix("http://"))
    return HunyuanClient(credential.Credential("test-id", secret), "", ClientProfile(httpProfile=http))


def hunyuan_request(stream):
    """A request of Tencent's client."""
    request = ChatCompletionsRequest()
    request.from_json_string(
        json.dumps({"Model": "m", "Messages": [{"Role": "user", "Content": "x"}], "Stream": stream})
    )
    return request


@pytest.fixture
def signed_server():
    """A server that checks signatures."""
    with ScriptedServer(keys="test-id:test-key", strict=True) as server:
        yield server


@each_answer
def test_hunyuan(signed_server, answer):
    """Tencent's client signs as the server checks, and sees the whole answer and its events."""
    signed_server.add(ChatScript(**answer), ChatScript(**answer))
    client = hunyuan_client(signed_server)
    message = client.ChatCompletions(hunyuan_request(False)).Choices[0].Message
    calls = [(call.Function.Name, json.loads(call.Function.Arguments)) for call in message.ToolCalls or ()]
    assert (answer["text"], answer.get("tool_calls", [])) == (message.Content, calls)
    events = [json.loads(event["data"]) for event in client.ChatCompletions(hunyuan_request(True))]
    assert answer["text"] == "".join(event["Choices"][0]["Delta"]["Content"] for event in events)
    assert ("tool_calls" if calls else "stop") == events[-1]["Choices"][0]["FinishReason"]


def test_hunyuan_errors(signed_server):
    """Errors have the service's codes, and a wrong secret is found out."""
    signed_server.add(ErrorScript(429, "No such luck."))
    with pytest.raises(TencentCloudSDKException, match=r"RequestLimitExceeded.*No such luck\."):
        hunyuan_client(signed_server).ChatCompletions(hunyuan_request(False))
    with pytest.raises(TencentCloudSDKException, match="AuthFailure.SignatureFailure"):
        hunyuan_client(signed_server, "another-key").ChatCompletions(hunyuan_request(False))


# --- DashScope


@each_answer
@pytest.mark.parametrize("incremental", [False, True])
def test_dashscope(server, monkeypatch, answer, incremental):
    """Aliyun's client sees the whole answer, and events with what is new, or with all so far, as it asks."""
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{server.url}/api/v1")
    server.add(ChatScript(**answer), ChatScript(**answer))
    ask = {"api_key": KEY, "messages": ASK, "result_format": "message"}
    whole = dashscope.Generation.call("qwen-x", **ask).output.choices[0].message
    calls = [
        (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in whole.get("tool_calls", ())
    ]
    assert (answer["text"], answer.get("tool_calls", [])) == (whole.content, calls)
    events = [*dashscope.Generation.call("qwen-x", **ask, stream=True, incremental_output=incremental)]
    texts = [event.output.choices[0].message.content for event in events]
    assert answer["text"] == ("".join(texts) if incremental else texts[-1])
    assert ("tool_calls" if calls else "stop") == events[-1].output.choices[0].finish_reason


def test_dashscope_errors(server, monkeypatch):
    """Errors have status, code and words."""
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{server.url}/api/v1")
    server.add(ErrorScript(429, "No such luck."))
    found = dashscope.Generation.call("qwen-x", api_key=KEY, messages=ASK, result_format="message")
    assert (429, "Throttling.RateQuota", "No such luck.") == (found.status_code, found.code, found.message)


# --- faults

#: What the clients, or the libraries of HTTP below them, say of a body that is cut, and of an error in a stream.
SAID = {"cut": "incomplete chunked read|Connection error", "error-event": "had an error while it answered"}


@pytest.mark.parametrize("fault", SAID)
def test_faults_are_seen_by_all(fault):
    """An answer that breaks off, and an error in its middle, are errors in each client."""
    script = ChatScript(TEXT, fault=fault)
    with ScriptedServer(script, script, script) as server:
        with (
            pytest.raises(Exception, match=SAID[fault]),
            anthropic.Anthropic(base_url=server.url, api_key=KEY, max_retries=0) as client,
            client.messages.stream(model="m", max_tokens=9, messages=ASK) as stream,
        ):
            stream.get_final_message()
        with pytest.raises(Exception, match=SAID[fault]), ollama.Client(host=server.url) as client:
            list(client.chat("m", ASK, stream=True))
        with (
            pytest.raises(Exception, match=SAID[fault]),
            openai.OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0) as client,
        ):
            list(client.chat.completions.create(model="m", messages=ASK, stream=True))
