"""Answers recorded from the Gemini API, read where they lie beside the repository.

The recordings belong to others and are not part of it; `test_fixtures` tests the same situations without them.
"""

import json

import pytest

from compatapi.accumulate import Accumulator
from compatapi.chat_types import ChatCompletionChunk, ChatCompletionRequest, Message
from compatapi.convert import from_dict, to_dict, to_json
from compatapi.dialects import get_dialect
from compatapi.dialects.gemini import GeminiDialect
from compatapi.errors import AuthenticationError, IncompleteStreamError, NotFoundError, RateLimitError
from compatapi.framing import Frame
from compatapi.http_types import HttpResponse, Target
from helpers import RECORDINGS
from streams import REQUEST, run, same_at_every_cut, usage_of

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here (COMPATAPI_RECORDINGS)")

DIALECT = GeminiDialect(clock=lambda: 1_700_000_000.0)

# Literal facts: beginning and length of the text, length of the reasoning, calls, finish reason, tokens, chunks.
WEATHER = [("weather", '{"location":"Florence, Italy"}')]
SUMS = [("add", '{"b":3,"a":2}'), ("multiply", '{"a":2,"b":3}')]
FACTS = {
    "gemini-array-function-call.json": ("", 0, 0, [("pelican_name_generator", "{}")], "tool_calls", (105, 13, 118), 1),
    "gemini-function-call.sse": ("", 0, 0, SUMS, "tool_calls", (121, 74, 195), 1),
    "gemini-max-tokens.json": ("Okay, settle", 194, 0, [], "length", (30, 50, 80), 1),
    "gemini-text.sse": ("Olá!", 4, 0, [], "stop", (11, 23, 34), 1),
    "gemini-thinking-function-call.json": ("", 0, 407, WEATHER, "tool_calls", (54, 79, 133), 1),
    "gemini-thinking-function-call.sse": ("", 0, 270, WEATHER, "tool_calls", (54, 78, 132), 2),
    "gemini-thinking-text.sse": ("This is a gr", 1938, 1575, [], "stop", (34, 1256, 1290), 23),
}


def bytes_of(name):
    """The bytes of a recording."""
    return (RECORDINGS / name).read_bytes()


def objects_of(name):
    """The events of a recording."""
    data = bytes_of(name).decode()
    if name.endswith(".sse"):
        lines = data.replace("\r\n", "\n").split("\n")
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    value = json.loads(data)
    return value if isinstance(value, list) else [value]


def outcome(pieces):
    """What the library says."""
    chunks, made, error = run(pieces, dialect="gemini")
    assert error is None
    assert made.text == "".join(chunk.text for chunk in chunks)
    assert made.reasoning == "".join(chunk.reasoning for chunk in chunks)
    calls = [(call.name, call.arguments) for call in made.tool_calls]
    return made.text, made.reasoning, calls, made.finish_reason, usage_of(made), len(chunks)


def leaves(value):
    """Every value in a JSON value that holds no others; arguments of calls are looked into."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return leaves(json.loads(value)) if isinstance(value, str) and value.startswith("{") else [value]


def test_no_recording_is_forgotten():
    """Each recorded answer of the Gemini API is in the table."""
    names = {path.name for path in RECORDINGS.glob("gemini-*") if "openai" not in path.name}
    assert {name for name in names if "error" not in name} == {*FACTS, "gemini-models-list.json"}


@pytest.mark.parametrize("name", FACTS)
def test_facts(name):
    """Whole, byte by byte and cut at every place, the answer is what the table says and what the file says."""
    text, reasoning, calls, finish, usage, count = same_at_every_cut(bytes_of(name), outcome)
    begin, length, thought, *others = FACTS[name]
    assert (begin, length, thought) == (text[: len(begin)], len(text), len(reasoning))
    assert others == [calls, finish, usage, count]
    parts = [
        part
        for value in objects_of(name)
        for candidate in value["candidates"]
        for part in candidate.get("content", {}).get("parts", [])
    ]
    assert text == "".join(part.get("text", "") for part in parts if not part.get("thought"))
    assert reasoning == "".join(part.get("text", "") for part in parts if part.get("thought"))


@pytest.mark.parametrize("name", FACTS)
def test_nothing_is_lost(name):
    """Each value of an event stands in its chunk, but for the role and the mark of a thought."""
    chunks, _, _ = run(bytes_of(name), dialect="gemini")
    for event, chunk in zip(objects_of(name), chunks, strict=True):
        found = leaves(to_dict(chunk))
        assert [] == [leaf for leaf in leaves(event) if leaf not in found and leaf not in ("model", True)]


@pytest.mark.parametrize("name", FACTS)
def test_through_the_common_form(name):
    """Every chunk, written as an OpenAI chunk and read again by that dialect, is equal; and so is their answer."""
    chunks, completion, _ = run(bytes_of(name), dialect="gemini")
    reader, answer = get_dialect("openai").chunk_decoder(REQUEST), Accumulator()
    again = [read for chunk in chunks for read in reader.decode(Frame(to_json(chunk).decode()))]
    assert chunks == again == [from_dict(ChatCompletionChunk, to_dict(chunk)) for chunk in chunks]
    for chunk in again:
        answer.add(chunk)
    assert to_dict(completion) == to_dict(answer.completion)


@pytest.mark.parametrize("name", [name for name in FACTS if name.endswith(".json")])
def test_blocking(name):
    """A recorded whole answer gives the same when it is decoded as one."""
    made = DIALECT.decode_completion(bytes_of(name), REQUEST)
    begin, length, thought, calls, finish, usage, _ = FACTS[name]
    assert (length, thought, finish, usage) == (len(made.text), len(made.reasoning), made.finish_reason, usage_of(made))
    assert calls == [(call.name, call.arguments) for call in made.tool_calls]
    assert made.text.startswith(begin)


@pytest.mark.parametrize("name", [name for name in FACTS if name.endswith(".sse")])
def test_cut_short(name):
    """A recording that is cut anywhere ends by its finish reason, or with an error."""
    data = bytes_of(name)
    whole = run(data, dialect="gemini")[1].text
    for at in range(0, len(data), max(7, len(data) // 400)):
        chunks, completion, error = run(data[:at], dialect="gemini")
        assert whole.startswith(completion.text)
        assert isinstance(error, IncompleteStreamError) or any(chunk.finish_reason for chunk in chunks)


def signatures_of(value):
    """All thought signatures."""
    if isinstance(value, dict):
        mine = [value["thoughtSignature"]] if "thoughtSignature" in value else []
        return mine + [found for item in value.values() for found in signatures_of(item)]
    return [found for item in value for found in signatures_of(item)] if isinstance(value, list) else []


@pytest.mark.parametrize("name", FACTS)
def test_signatures_go_back(name):
    """Every recorded signature is in the next request, and every call and text."""
    made = run(bytes_of(name), dialect="gemini")[1]
    request = ChatCompletionRequest("m", [Message.user("hello"), made.message])
    body = json.loads(DIALECT.encode_request(request, Target("https://e.org"), False).body)
    assert signatures_of(objects_of(name)) == signatures_of(body)
    parts = body["contents"][1]["parts"]
    assert made.text == "".join(part.get("text", "") for part in parts if not part.get("thought"))
    assert len(made.tool_calls) == sum("functionCall" in part for part in parts)


def test_the_list_of_models():
    """All models of the recorded page are there, by their short names."""
    models = DIALECT.decode_models(bytes_of("gemini-models-list.json"))
    names = [each["name"] for each in json.loads(bytes_of("gemini-models-list.json"))["models"]]
    assert names == [f"models/{model.id}" for model in models]
    assert ("gemini-2.5-flash", 1048576) == (models[0].id, models[0].extra["inputTokenLimit"])


@pytest.mark.parametrize(
    ("status", "kind", "said", "name", "delay"),
    [
        (400, AuthenticationError, "API key not valid", "INVALID_ARGUMENT", None),
        (404, NotFoundError, "not found", "NOT_FOUND", None),
        (429, RateLimitError, "exceeded your current quota", "RESOURCE_EXHAUSTED", 48.0),
    ],
)
def test_error_bodies(status, kind, said, name, delay):
    """A recorded error has its class, its words, its status text, and the seconds to wait."""
    error = DIALECT.decode_error(HttpResponse(status), bytes_of(f"gemini-error-{status}.json"))
    assert (kind, status, name, delay) == (type(error), error.status_code, error.type, error.retry_after)
    assert said in error.message
