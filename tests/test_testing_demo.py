"""The demo provider, over real HTTP: what it says, when it calls tools, how it refuses."""

import base64
import json
import math
import struct
import subprocess
import sys
import time

import pytest

from compatapi.testing import DemoServer, shared_demo_server
from compatapi.testing.demo_answers import example_of
from loopback import asking, chunks_of, exchange, fetch, post_json, read_until

CHAT = "/v1/chat/completions"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
                "note": {"type": "string"},
            },
            "required": ["city", "unit", "days"],
        },
    },
}


@pytest.fixture(scope="module")
def demo():
    with DemoServer(speed=math.inf) as server:
        yield server


def ask(demo, prompt, model="demo-story", **fields):
    """Return the message and the whole completion for one prompt."""
    messages = [{"role": "user", "content": prompt}]
    status, body = post_json(demo, CHAT, {"model": model, "messages": messages, **fields})
    assert 200 == status, body
    completion = json.loads(body)
    return completion["choices"][0]["message"], completion


def stream(demo, prompt, model="demo-story", **fields):
    messages = [{"role": "user", "content": prompt}]
    body = {"model": model, "messages": messages, "stream": True, **fields}
    status, answer = post_json(demo, CHAT, body)
    assert 200 == status, answer
    return chunks_of(answer)


def joined(chunks, name):
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get(name) or "" for delta in deltas)


def test_tells_a_story(demo):
    """The story has 150 to 250 words, and is the same streamed and whole."""
    message, _ = ask(demo, "Tell me a story")
    assert 150 <= len(message["content"].split()) <= 250
    assert message["content"] == joined(stream(demo, "Tell me a story"), "content")


@pytest.mark.parametrize(
    ("prompt", "part"),
    [
        ("Write a poem, please", "A word sets out"),
        ("Hi!", "Hello! I am the demo"),
        ("help", "What the demo can do"),
        ("What is a history?", "> What is a history?"),
        ("first\nsecond", "> first\n> second"),
        ([{"type": "text", "text": "from parts"}], "> from parts"),
        ("", "nothing in your message"),
    ],
)
def test_answers_by_topic(demo, prompt, part):
    """A known word brings its text, anything else an echo that says that this is the demo."""
    text = ask(demo, prompt)[0]["content"]
    assert part in text
    assert "demo" in text or "poem" in prompt


def test_is_paced():
    """At its own speed the demo sends 30 to 40 pieces a second, apart from each other."""
    demo = DemoServer()
    assert 30 <= demo.speed <= 40
    messages = [{"role": "user", "content": "Tell me a story"}]
    body = json.dumps({"model": "demo-story", "messages": messages, "stream": True})
    with demo, asking(demo, "POST", CHAT, body) as (_, response):
        began = time.monotonic()
        read_until(response, b'"content":" ', 10)
        assert time.monotonic() - began >= 9 / 40


def test_speed_must_be_above_zero():
    """A demo that would never say anything is refused."""
    with pytest.raises(ValueError):
        DemoServer(speed=0)


def test_usage_is_consistent(demo):
    """Tokens are counted alike in both forms, sum up, and come in streams only when asked for."""
    _, whole = ask(demo, "Write a poem")
    chunks = stream(demo, "Write a poem", stream_options={"include_usage": True})
    assert whole["usage"] == chunks[-1]["usage"]
    usage = whole["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert not any("usage" in chunk for chunk in stream(demo, "Write a poem"))


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_max_tokens_stops_the_answer(demo, name):
    """Both names of the limit cut the text, and the finish reason says so."""
    message, completion = ask(demo, "Tell me a story", **{name: 7})
    assert 7 == completion["usage"]["completion_tokens"]
    assert "length" == completion["choices"][0]["finish_reason"]
    assert message["content"].startswith("# The lamp")


@pytest.mark.parametrize(
    ("model", "fields", "thinks"),
    [
        ("demo-story", {}, False),
        ("demo-story", {"reasoning_effort": "none"}, False),
        ("demo-story", {"reasoning_effort": "low"}, True),
        ("demo-reasoner", {}, True),
        ("demo-reasoner", {"reasoning_effort": "none"}, False),
    ],
)
def test_reasoning_on_request(demo, model, fields, thinks):
    """Reasoning comes with an effort, or from the model that always does it."""
    chunks = stream(demo, "Write a poem", model, **fields)
    assert thinks == ("a poem" in joined(chunks, "reasoning_content"))
    assert model == chunks[0]["model"]


def test_tool_round_trip(demo):
    """The first tool is called with arguments that fit, and its result is in the next answer."""
    prompt = {"role": "user", "content": "What is the weather in New York for 3 days?"}
    fields = {"model": "demo-story", "tools": [WEATHER]}
    first = json.loads(post_json(demo, CHAT, {**fields, "messages": [prompt]})[1])
    assert "tool_calls" == first["choices"][0]["finish_reason"]
    message = first["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert "get_weather" == call["function"]["name"]
    expected = {"city": "New York", "unit": "celsius", "days": 3}
    assert expected == json.loads(call["function"]["arguments"])

    result = {"role": "tool", "tool_call_id": call["id"], "content": '{"sky": "clear"}'}
    messages = [prompt, message, result]
    second = json.loads(post_json(demo, CHAT, {**fields, "messages": messages})[1])
    assert "stop" == second["choices"][0]["finish_reason"]
    assert "**sky**: clear" in second["choices"][0]["message"]["content"]


def test_tool_choice_is_followed(demo):
    """A named function is the one that is called; "none" calls nothing."""
    other = {"type": "function", "function": {"name": "other"}}
    choice = {"type": "function", "function": {"name": "other"}}
    message, _ = ask(demo, "x", tools=[WEATHER, other], tool_choice=choice)
    assert {"name": "other", "arguments": "{}"} == message["tool_calls"][0]["function"]
    assert "tool_calls" not in ask(demo, "x", tools=[WEATHER], tool_choice="none")[0]


def test_json_schema_answers(demo):
    """A response format with a schema is answered with JSON of that shape."""
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    assert {"ok": True} == json.loads(ask(demo, "x", response_format=wanted)[0]["content"])
    told = ask(demo, "x", response_format={"type": "json_object"})[0]["content"]
    assert {"answer": "x"} == json.loads(told)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": 4}, 4),
        ({"type": "string", "default": "d"}, "d"),
        ({"type": ["null", "boolean"]}, True),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"type": "number", "minimum": 5}, 5),
        ({"type": "integer", "maximum": 0}, 0),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, ["a"]),
        ({"type": "array"}, ["say it"]),
        ({"type": "null"}, None),
        ({"properties": {"city": {}, "date": {}}}, {"city": "Lisbon", "date": "2025-06-01"}),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "boolean"}}}, True),
    ],
)
def test_made_up_values_fit_their_schema(schema, expected):
    """Every kind of JSON schema gets a value of its kind."""
    assert expected == example_of(schema, "say it")


def test_models(demo):
    """The list names all models, and each can be had alone."""
    listed = json.loads(fetch(demo, path="/v1/models")[1])["data"]
    assert ["demo-story", "demo-reasoner", "demo-embedding"] == [row["id"] for row in listed]
    assert listed[1] == json.loads(fetch(demo, path="/v1/models/demo-reasoner")[1])
    assert 404 == fetch(demo, path="/v1/models/gpt")[0].status


def embed(demo, given, **fields):
    body = {"model": "demo-embedding", "input": given, **fields}
    return json.loads(post_json(demo, "/v1/embeddings", body)[1])


def test_embeddings(demo):
    """Vectors have length one, are the same each time, in both encodings, and near when alike."""
    answer = embed(demo, ["a red fox", "one red fox", "cold tea"])
    vectors = [row["embedding"] for row in answer["data"]]
    assert [0, 1, 2] == [row["index"] for row in answer["data"]]
    assert all(math.isclose(1.0, math.hypot(*vector), abs_tol=1e-5) for vector in vectors)
    near, far = (sum(map(float.__mul__, vectors[0], other)) for other in vectors[1:])
    assert near > far
    assert {"prompt_tokens": 8, "total_tokens": 8} == answer["usage"]
    packed = embed(demo, "a red fox", encoding_format="base64")["data"][0]["embedding"]
    assert pytest.approx(vectors[0], abs=1e-6) == struct.unpack("<16f", base64.b64decode(packed))


def test_embedding_inputs_and_dimensions(demo):
    """Token lists are taken like texts, and the number of dimensions can be told."""
    assert 1 == len(embed(demo, [1, 2, 3])["data"])
    assert 2 == len(embed(demo, [[1], [2]])["data"])
    assert 4 == len(embed(demo, "x", dimensions=4)["data"][0]["embedding"])
    assert "dimensions" == embed(demo, "x", dimensions=0)["error"]["param"]


@pytest.mark.parametrize(
    ("path", "body", "status", "part"),
    [
        ("/v1/nothing", {}, 404, "Unknown request URL: POST /v1/nothing"),
        (CHAT, {"model": "demo-story"}, 400, "'messages'"),
        (CHAT, {"messages": [{"role": "user"}]}, 400, "'model'"),
        (CHAT, {"model": "gpt", "messages": [{}]}, 404, "'gpt' does not exist"),
        (CHAT, {"model": "demo-story", "messages": ["x"]}, 400, "wrong shape"),
        (CHAT, [], 400, "not a JSON object"),
        ("/v1/embeddings", {"model": "demo-embedding"}, 400, "'input'"),
        ("/v1/embeddings", {"model": "demo-story", "input": "x"}, 404, "does not exist"),
    ],
)
def test_refusals(demo, path, body, status, part):
    """What is wrong is refused as OpenAI does it, with a message that says what."""
    received, answer = post_json(demo, path, body)
    error = json.loads(answer)["error"]
    assert status == received
    assert part in error["message"]
    assert {"message", "type", "param", "code"} == set(error)


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "invalid_api_key"), (429, "rate_limit_exceeded"), (500, None), (503, None)],
)
def test_errors_can_be_rehearsed(demo, status, code):
    """A model named after a status answers with it, and has a request id like every answer."""
    body = json.dumps({"model": f"demo-error-{status}", "messages": [{"role": "user"}]})
    response, answer = fetch(demo, "POST", CHAT, body)
    assert status == response.status
    assert code == json.loads(answer)["error"]["code"]
    assert response.headers["x-request-id"].startswith("req-demo-")


@pytest.mark.parametrize(("model", "closed"), [("stream", True), ("cut", False)])
def test_broken_streams_can_be_rehearsed(demo, model, closed):
    """An error event ends one of them properly; the other is cut off without any end."""
    messages = [{"role": "user", "content": "Tell me a story"}]
    asked = {"model": f"demo-error-{model}", "messages": messages, "stream": True}
    body = json.dumps(asked).encode()
    head = b"POST %s HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    answer = exchange(demo, head % (CHAT.encode(), len(body)) + body)
    assert closed == answer.endswith(b"0\r\n\r\n")
    assert closed == (b'data: {"error":' in answer)
    assert b"[DONE]" not in answer
    assert b'"content":" lamp"' in answer


def test_shared_server_is_one_and_comes_back():
    """There is one per process; after it was closed the next call starts another."""
    server = shared_demo_server()
    assert server is shared_demo_server()
    assert 200 == fetch(server, path="/v1/models")[0].status
    server.close()
    assert server is not shared_demo_server()
    shared_demo_server().close()


def test_shared_server_ends_with_the_process():
    """A program that used it ends by itself, at once and without a word."""
    code = "from compatapi.testing import shared_demo_server; print(shared_demo_server().url)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert (0, "") == (run.returncode, run.stderr)
    assert run.stdout.startswith("http://127.0.0.1:")
