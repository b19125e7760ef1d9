"""Streams and answers recorded from Ollama, read where they lie beside the repository."""

import json

import pytest

from compatapi.accumulate import Accumulator
from compatapi.chat_types import ChatCompletionChunk
from compatapi.convert import from_dict, to_dict, to_json
from compatapi.dialects.ollama import OllamaDialect
from compatapi.dialects.openai import OpenAIDialect
from compatapi.errors import IncompleteStreamError, NotFoundError
from compatapi.framing import Frame
from compatapi.http_types import HttpResponse
from helpers import RECORDINGS
from streams import REQUEST, calls_of, run, same_at_every_cut, usage_of

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here (COMPATAPI_RECORDINGS)")

# Beginning and length of the text, length of the reasoning, tool calls, finish reason, tokens, first time, chunks:
# found by reading the files, lengths by `read_simply`.
FACTS = {
    "ollama-chat-counts": ("Why did the ", 212, 0, [], "stop", (17, 50, 67), 1716582406, 50),
    "ollama-text": ("Hello! How a", 91, 0, [], "stop", (13, 23, 36), 1731832918, 23),
    "ollama-thinking": ("Sure thing! ", 89, 225, [], "stop", (69, 76, 145), 1755183186, 67),
    "ollama-tools": (
        "",
        0,
        0,
        [("weather", {"city": "Detroit"}), ("search", {"query": "Detroit Tigers game time today"})],
        "tool_calls",
        (218, 306, 524),
        1749491935,
        3,
    ),
}


def bytes_of(name):
    """The bytes of a recording."""
    return (RECORDINGS / f"{name}.ndjson").read_bytes()


def objects_of(name):
    """The JSON objects of a recording."""
    return [json.loads(line) for line in bytes_of(name).split(b"\n") if line.strip()]


def read_simply(name):
    """What a recording says, by a reader that knows nothing of the library."""
    messages, last = [value["message"] for value in objects_of(name)], objects_of(name)[-1]
    calls = [call["function"] for message in messages for call in message.get("tool_calls", [])]
    return {
        "text": "".join(message["content"] for message in messages),
        "reasoning": "".join(message.get("thinking", "") for message in messages),
        "calls": [(call["name"], call["arguments"]) for call in calls],
        "usage": (last["prompt_eval_count"], last["eval_count"], last["prompt_eval_count"] + last["eval_count"]),
        "finish": "tool_calls" if calls else last["done_reason"],
    }


def outcome(pieces):
    """What the library says, and how many chunks there were."""
    chunks, made, error = run(pieces, dialect="ollama")
    answer = {
        "text": made.text,
        "reasoning": made.reasoning,
        "calls": [(name, json.loads(arguments)) for name, arguments in calls_of(made)],
        "usage": usage_of(made),
        "finish": made.finish_reason,
    }
    assert error is None
    return answer, len(chunks)


def test_no_recording_is_forgotten():
    """Each recorded stream is in the table."""
    assert {path.stem for path in RECORDINGS.glob("*.ndjson")} == set(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_facts(name):
    """The answer has the text, reasoning, calls, finish reason, tokens and time that the table says."""
    answer, count = outcome([bytes_of(name)])
    begin, length, thought, calls, finish, tokens, time, chunks = FACTS[name]
    assert begin == answer["text"][: len(begin)]
    assert (length, thought, calls) == (len(answer["text"]), len(answer["reasoning"]), answer["calls"])
    assert (finish, tokens, chunks) == (answer["finish"], answer["usage"], count)
    assert time == run(bytes_of(name), dialect="ollama")[1].created


@pytest.mark.parametrize("name", FACTS)
def test_whole_and_at_every_cut(name):
    """The answer is that of a simple reading of the file, whole, byte by byte and cut at every place."""
    assert read_simply(name) == same_at_every_cut(bytes_of(name), outcome)[0]


def wire_of(chunk):
    """A line of the wire, from what a chunk keeps."""
    delta, extra = chunk.choices[0].delta, dict(chunk.extra)
    message = {"role": "assistant", "content": delta.content or ""}
    if delta.reasoning_content:
        message["thinking"] = delta.reasoning_content
    for call in delta.tool_calls or ():
        arguments = {"name": call.function.name, "arguments": json.loads(call.function.arguments)}
        message.setdefault("tool_calls", []).append({"function": {**call.function.extra, **arguments}})
    head = {"model": chunk.model, "created_at": extra.pop("created_at"), "message": message}
    reason = {"done_reason": extra.pop("done_reason")} if "done_reason" in extra else {}
    return {**head, **reason, "done": extra.pop("done", False), **extra}


@pytest.mark.parametrize("name", FACTS)
def test_nothing_is_lost(name):
    """The bytes of the recording can be written again from its chunks alone."""
    chunks, _, _ = run(bytes_of(name), dialect="ollama")
    lines = (json.dumps(wire_of(chunk), ensure_ascii=False, separators=(",", ":")) + "\n" for chunk in chunks)
    assert bytes_of(name).decode().rstrip() == "".join(lines).rstrip()


@pytest.mark.parametrize("name", FACTS)
def test_through_the_common_form(name):
    """Every chunk, written as an OpenAI chunk and read again, is equal; and so is the answer."""
    chunks, completion, _ = run(bytes_of(name), dialect="ollama")
    reader, answer = OpenAIDialect().chunk_decoder(REQUEST), Accumulator()
    again = [read for chunk in chunks for read in reader.decode(Frame(to_json(chunk).decode()))]
    assert chunks == again
    assert chunks == [from_dict(ChatCompletionChunk, json.loads(json.dumps(to_dict(chunk)))) for chunk in chunks]
    for chunk in again:
        answer.add(chunk)
    assert completion == answer.completion


@pytest.mark.parametrize("name", FACTS)
def test_cut_short(name):
    """A recording without its last line is an error that carries the rest."""
    data = bytes_of(name).rstrip()
    whole, first = run(data, dialect="ollama")[1].text, data.index(b"\n")
    for share in range(10):
        error = run(data[: first + (len(data) - first) * share // 10], dialect="ollama")[2]
        assert IncompleteStreamError is type(error)
        assert whole.startswith(error.completion.text)


def test_embeddings():
    """The recorded embedding has its 768 numbers, its tokens, and its durations in nanoseconds."""
    data = (RECORDINGS / "ollama-embed.json").read_bytes()
    found, wire = OllamaDialect().decode_embeddings(data), json.loads(data)
    assert wire["embeddings"] == [item.embedding for item in found.data]
    assert (768, "nomic-embed-text", 9) == (len(found.data[0].embedding), found.model, found.usage.total_tokens)
    assert {"total_duration": 25770000, "load_duration": 8437500, "prompt_eval_count": 9} == found.extra


def test_error_body():
    """The recorded error is of a model that is not there."""
    data = (RECORDINGS / "ollama-error-404.json").read_bytes()
    error = OllamaDialect().decode_error(HttpResponse(404), data)
    assert (NotFoundError, 404) == (type(error), error.status_code)
    assert "HTTP 404: model 'nonexistent-model:latest' not found" == error.message
