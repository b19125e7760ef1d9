"""The native protocols of Anthropic, Gemini and Ollama against aimock, and OpenAI's beside them."""

import json

import pytest

from compatapi import (
    AuthenticationError,
    ChatCompletionRequest,
    Client,
    ConfigError,
    Message,
    RateLimitError,
    ResponseFormat,
    Tool,
)
from servers.asking import WAYS, ask, complete

WEATHER = Tool.from_schema(
    "get_weather",
    "The weather in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
PLANETS = "There are eight planets, from Mercury to Neptune."
MODELS = {
    "openai": "gpt-5-mini",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
    "ollama": "qwen3",
}
BASES = {"openai": "/v1"}
ROWS = pytest.mark.parametrize("row", MODELS)
NATIVE = pytest.mark.parametrize("row", [row for row in MODELS if row != "openai"])


@pytest.fixture
def client(aimock, row):
    """A client of the row for the server, that tries once only."""
    with Client(row, base_url=aimock + BASES.get(row, ""), api_key="test", max_retries=0) as client:
        yield client


@ROWS
@WAYS
def test_text(client, row, way):
    """The text, the end and the role are the same whoever answers."""
    completion = complete(client, way, ask("Count the planets", MODELS[row]))
    assert (PLANETS, "stop", "assistant") == (completion.text, completion.finish_reason, completion.message.role)


@pytest.mark.parametrize("row", ["anthropic", "gemini"])  # as Ollama it counts nothing
@WAYS
def test_usage(client, row, way):
    """What the server counts is the usage, whatever it calls it."""
    usage = complete(client, way, ask("Count the planets", MODELS[row])).usage
    assert (9, 11, 20) == (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)


@NATIVE
def test_pieces(client, row):
    """The pieces arrive as the server cut them."""
    with client.chat_completion_stream(ask("Count the planets", MODELS[row])) as stream:
        texts = [chunk.text for chunk in stream if chunk.text]
    assert [PLANETS[at : at + 7] for at in range(0, len(PLANETS), 7)] == texts


@ROWS
@WAYS
def test_reasoning(client, row, way):
    """Reasoning is kept apart from text."""
    completion = complete(client, way, ask("Is nine prime?", MODELS[row]))
    assert "Nine is odd. But three divides it, so it is not prime." == completion.reasoning
    assert "No, it is three times three." == completion.text


@ROWS
@WAYS
def test_two_turns_with_a_tool(client, row, way):
    """The model calls a tool, is told the result, and answers with it."""
    request = ask("How cold is Oslo?", MODELS[row], tools=[WEATHER])
    completion = complete(client, way, request)
    (call,) = completion.tool_calls
    assert ("tool_calls", "get_weather") == (completion.finish_reason, call.name)
    assert {"city": "Oslo", "unit": "celsius"} == call.parse_arguments()
    result = Message.tool('{"degrees": -4}', call.id)
    second = ChatCompletionRequest(MODELS[row], [*request.messages, completion.message, result], tools=[WEATHER])
    assert "It is cold in Oslo: minus four degrees." == complete(client, way, second).text


@ROWS
@WAYS
def test_two_turns_with_reasoning_and_tools(client, row, way):
    """Reasoning that has to come back does: the server refuses a second turn that does not begin with it."""
    request = ask("Look twice", MODELS[row], tools=[WEATHER], reasoning_effort="low")
    first = complete(client, way, request)
    assert ("I look at both.", "Two cities are asked for.") == (first.text, first.reasoning)
    calls = [(call.name, call.parse_arguments()) for call in first.tool_calls]
    assert [("get_weather", {"city": "Rome"}), ("get_time", {})] == calls
    results = [Message.tool(f"result of {call.name}", call.id) for call in first.tool_calls]
    messages = [*request.messages, first.message, *results, Message.user("Is nine prime?")]
    second = ChatCompletionRequest(MODELS[row], messages, tools=[WEATHER], reasoning_effort="low")
    assert "No, it is three times three." == complete(client, way, second).text


@ROWS
@WAYS
def test_a_wrong_key(aimock, row, way):
    """A key that the server does not know is an AuthenticationError in each protocol."""
    client = Client(row, base_url=aimock + BASES.get(row, ""), api_key="another-key", max_retries=0)
    with client, pytest.raises(AuthenticationError) as caught:
        complete(client, way, ask("Count the planets", MODELS[row]))
    assert 401 == caught.value.status_code


@ROWS
@WAYS
def test_too_many_requests(client, row, way):
    """A 429 is a RateLimitError with the server's words."""
    with pytest.raises(RateLimitError, match="Slow down") as caught:
        complete(client, way, ask("Fail with 429", MODELS[row]))
    assert 429 == caught.value.status_code


@NATIVE
def test_what_cannot_be_said(client, row):
    """A field that the protocol has no word for is refused before anything is sent."""
    with pytest.raises(ConfigError, match=f"{row}.*logit_bias"):
        client.chat_completion(ask("Count the planets", MODELS[row], logit_bias={"1": 1.0}))
    dropped = ask("Count the planets", MODELS[row], logit_bias={"1": 1.0})
    assert PLANETS == client.chat_completion(dropped, on_unsupported="drop").text


@pytest.mark.parametrize("row", ["gemini", "ollama"])
def test_embeddings(client, row):
    """The numbers of an embedding arrive exactly."""
    response = client.embeddings("an-embedder", "a red apple")
    assert [[0.25, -0.5, 1.0, 0.0078125]] == [item.embedding for item in response.data]


@pytest.mark.parametrize("row", ["ollama"])
def test_models(client, row):
    """The list of models is read in the host's own form."""
    assert client.models()


@NATIVE
def test_a_schema(client, row):
    """An answer by a JSON schema is JSON."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    request = ask("Name a town", MODELS[row], response_format=ResponseFormat.from_schema("city", schema))
    assert {"city": "Oslo", "inhabitants": 700000} == json.loads(client.chat_completion(request).text)
