"""Streams recorded from OpenAI-compatible servers, read where they lie beside the repository.

The recordings belong to others and are not part of it; `test_fixtures` tests the same situations without them.
"""

import json
import re

import pytest

from compatapi.chat_types import ChatCompletionChunk
from compatapi.convert import from_dict, to_dict
from compatapi.dialects.openai import OpenAIDialect
from compatapi.errors import ContextLengthError, IncompleteStreamError, StreamError, status_error_class
from compatapi.http_types import HttpResponse
from helpers import RECORDINGS, cut
from streams import run, same_at_every_cut, without_nulls

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here (COMPATAPI_RECORDINGS)")

# Literal facts: beginning and length of the text, length of the reasoning, names of the tools, finish reason, tokens.
# Names, finish reasons and tokens were compared with a plain text search of the files, lengths come from `read_simply`.
FACTS = {
    "aliyun-compatible-reasoning": ('The word **"', 816, 3301, "", "stop", 1379),
    "aliyun-compatible-tool": ("", 0, 0, "weather", "tool_calls", 317),
    "avian-kimi-reasoning-tool": ("   ", 3, 133, "weather", "tool_calls", 123),
    "azure-first-chunk-filter-results": ("Oi!", 3, 0, "", "stop", 95),
    "azure-model-router": ("Capital of D", 19, 0, "", "stop", 93),
    "azure-old-version-text": ("I'm unable t", 199, 0, "", "stop", None),
    "azure-tool": ("", 0, 0, "weather", "tool_calls", 299),
    "cerebras-reasoning": ("Greetings, f", 79, 106, "", "stop", 138),
    "deepseek-reasoning": ("The product ", 32, 105, "", "stop", 64),
    "deepseek-text-usage": ("1, 2, 3.", 8, 0, "", "stop", 19),
    "deepseek-tools-parallel": ("", 0, 0, "search get_weather", "tool_calls", 266),
    "gemini-openai-tool": ("", 0, 0, "return_bool", "stop", 12),
    "gpustack-reasoning-no-done": ("\n\n1, 2, 3.", 10, 674, "", "stop", 186),
    "groq-error-mid-stream": ("maybe", 5, 361, "", None, None),
    "groq-reasoning": ("The tool ret", 57, 176, "", "stop", 397),
    "groq-text": ("Olá!", 4, 0, "", "stop", 24),
    "groq-tool": ("I'll check t", 50, 0, "weather", "tool_calls", 125),
    "huggingface-text": ("Paris", 5, 0, "", "stop", 42),
    "llamacpp-reasoning-tool": ("", 0, 67, "weather", "tool_calls", 181),
    "mistral-reasoning": ("The answer i", 16, 500, "", "stop", 152),
    "mistral-text": ("1, 2, 3", 7, 0, "", "stop", 30),
    "mistral-tool": ("", 0, 0, "plus", "tool_calls", 117),
    "moonshot-stream": ("Hello!", 6, 16, "", "stop", 21),
    "ollama-cloud-v1-reasoning": ("1  \n2  \n3", 9, 98, "", "stop", 119),
    "ollama-v1-text": ("Hello! How a", 91, 0, "", "stop", None),
    "openai-compatible-anthropic-tool": ("Reading it.", 11, 0, "read_file", "tool_calls", None),
    "openai-error-event-in-stream": ("", 0, 0, "", None, None),
    "openai-json-content-long": ('\n  {\n    "lo', 608, 0, "", "stop", 196),
    "openai-keepalive-nonstandard": ("Hello!", 6, 0, "", None, None),
    "openai-length-usage-chunk": ("", 0, 0, "", "length", 112),
    "openai-logprobs": ("Foo!", 4, 0, "", "stop", 11),
    "openai-reasoning-model-text": ("Olá!", 4, 0, "", "stop", 94),
    "openai-refusal": ("", 0, 0, "", "stop", 90),
    "openai-text": ("Hi there! Ho", 209, 0, "", "stop", None),
    "openai-three-choices": ('{"city":"San', 53, 0, "", "stop", 121),
    "openai-tool-single": ("", 0, 0, "get_weather", "tool_calls", 60),
    "openai-tools-parallel": ("", 0, 0, "GetWeatherArgs get_stock_price", "tool_calls", 209),
    "openai-web-search-annotations": ("The URL http", 80, 0, "", "stop", None),
    "openrouter-comments-text": ("Hello! 😊 How", 27, 0, "", "stop", 15),
    "openrouter-error-mid-stream": ("", 0, 42, "", "length", None),
    "openrouter-tool-comments": ("", 0, 0, "return_int", "tool_calls", 255),
    "perplexity-crlf-citations": ("The largest ", 154, 0, "", "stop", 55),
    "snowflake-thinking": ("15 × 27 = **", 93, 13, "", None, 118),
    "together-text": ("1, 2, 3, 4, ", 14, 0, "", "stop", 56),
    "vercel-gateway-reasoning-details": ("Olá!", 4, 0, "", "stop", 112),
    "vllm-text-old": ("<|im_end|>do", 39, 0, "", "length", None),
    "xai-reasoning": ("Olá!", 4, 46, "", "stop", 413),
    "xai-tool": ("", 0, 0, "weather", "tool_calls", 622),
    "zhipu-reasoning-tool": ("I'll check t", 50, 298, "weather", "tool_calls", 260),
    "zhipu-text": ("\nHello, fell", 64, 604, "", "stop", 162),
}
ERRORS = {
    "groq-error-mid-stream": "tool",
    "openrouter-error-mid-stream": "Token limit reached",
    "openai-error-event-in-stream": "The server had an error",
}
# Native streams of another dialect.
OTHERS = ("anthropic-", "gemini-")


def bytes_of(name):
    """The bytes of a recording."""
    return (RECORDINGS / f"{name}.sse").read_bytes()


def objects_of(name):
    """The JSON objects of a recording, line by line, up to the end mark or an error."""
    for line in bytes_of(name).decode().replace("\r\n", "\n").split("\n"):
        payload = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if payload == "[DONE]":
            return
        if payload:
            value = json.loads(payload)
            yield value
            if value.get("error"):
                return


def read_simply(name):
    """What a recording says, by a reader that knows nothing of the library."""
    text, reasoning, calls, usage, finish = "", "", {}, None, None
    for value in objects_of(name):
        usage = value.get("usage") or (value.get("x_groq") or {}).get("usage") or usage
        for choice in value.get("choices") or []:
            delta = choice.get("delta") or {}
            if choice["index"] or value.get("error"):
                continue
            finish = finish or choice.get("finish_reason")
            parts = delta.get("content") or ""
            for part in [{"type": "text", "text": parts}] if isinstance(parts, str) else parts:
                text += part.get("text", "")
                reasoning += "".join(piece["text"] for piece in part.get("thinking", []))
            details = delta.get("reasoning_details") or []
            reasoning += (
                delta.get("reasoning_content")
                or delta.get("reasoning")
                or "".join(detail.get("text") or detail.get("summary") or "" for detail in details)
            )
            for number, fragment in enumerate(delta.get("tool_calls") or []):
                call = calls.setdefault(fragment.get("index", number), ["", ""])
                call[0] = call[0] or fragment["function"].get("name") or ""
                call[1] += fragment["function"].get("arguments") or ""
    counts = usage and [usage.get(key) for key in ("prompt_tokens", "completion_tokens", "total_tokens")]
    return {
        "text": text,
        "reasoning": reasoning,
        "calls": [calls[key] for key in sorted(calls)],
        "usage": counts,
        "finish": finish,
    }


def outcome(pieces):
    """What the library says."""
    chunks, made, error = run(pieces)
    usage = made.usage
    answer = {
        "text": made.text,
        "reasoning": made.reasoning,
        "calls": [[call.name, call.arguments] for call in made.tool_calls],
        "usage": usage and [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens],
        "finish": made.finish_reason,
    }
    assert made.text == "".join(chunk.text for chunk in chunks)
    assert made.reasoning == "".join(chunk.reasoning for chunk in chunks)
    return answer, len(chunks), error and (type(error), str(error))


def test_no_recording_is_forgotten():
    """Each recording of the OpenAI form is in the table."""
    names = {path.stem for path in RECORDINGS.glob("*.sse")}
    native = {name for name in names if name.startswith(OTHERS) and not name.startswith("gemini-openai")}
    assert names - native == set(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_facts(name):
    """The answer has the text, reasoning, calls, finish reason and tokens that the table says."""
    answer, _, _ = outcome([bytes_of(name)])
    begin, length, thought, tools, finish, tokens = FACTS[name]
    assert begin == answer["text"][: len(begin)]
    assert (length, thought, tools) == (
        len(answer["text"]),
        len(answer["reasoning"]),
        " ".join(name for name, _ in answer["calls"]),
    )
    assert (finish, tokens) == (answer["finish"], answer["usage"] and answer["usage"][2])
    assert all(isinstance(json.loads(arguments), dict) for _, arguments in answer["calls"])


@pytest.mark.parametrize("name", FACTS)
def test_whole_and_at_every_cut(name):
    """The answer is that of a simple reading of the file, whole, byte by byte and cut at every place."""
    answer, _, error = same_at_every_cut(bytes_of(name), outcome)
    expected = read_simply(name)
    if name in ERRORS:
        assert StreamError is error[0]
        assert ERRORS[name] in error[1]
        del answer["usage"], expected["usage"]  # nothing says whether usage beside an error counts
    else:
        assert error is None
    assert expected == answer


@pytest.mark.parametrize("name", FACTS)
def test_around_the_borders_of_events(name):
    """Reads that end a few bytes before or behind each event change nothing."""
    data = bytes_of(name)
    borders = [at for at in range(1, len(data)) if data.startswith(b"data:", at) and data[at - 1 : at] == b"\n"]
    expected = outcome([data])
    for shift in range(-3, 4):
        assert expected == outcome(cut(data, [at + shift for at in borders]))


@pytest.mark.parametrize("name", ["cerebras-reasoning", "zhipu-text"])
def test_true_sizes_of_reads(name):
    """The reads in which a stream once arrived give the same."""
    data = bytes_of(name)
    sizes = json.loads((RECORDINGS / f"{name}.sse.reads.json").read_text())
    places = [sum(sizes[:count]) for count in range(1, len(sizes))]
    assert outcome([data]) == outcome(cut(data, places))
    assert len(data) == sum(sizes)


@pytest.mark.parametrize("name", FACTS)
def test_round_trip(name):
    """Every chunk, encoded, is what the wire said with nulls left out, and decodes to an equal chunk."""
    wire = [value for value in objects_of(name) if "choices" in value and not value.get("error")]
    chunks, _, _ = run(bytes_of(name))
    assert [without_nulls(value) for value in wire] == [without_nulls(to_dict(chunk)) for chunk in chunks]
    assert chunks == [from_dict(ChatCompletionChunk, json.loads(json.dumps(to_dict(chunk)))) for chunk in chunks]


BODIES = sorted(path.name for path in RECORDINGS.glob("*-error-*.json") if not path.name.startswith("anthropic-"))


@pytest.mark.parametrize("name", BODIES)
def test_error_bodies(name):
    """A recorded error body gives the class of its status and the message that stands in it."""
    data = (RECORDINGS / name).read_bytes()
    status = int(re.search("error-([0-9]{3})", name).group(1))
    error = OpenAIDialect().decode_error(HttpResponse(status), data)
    expected = ContextLengthError if "context length" in data.decode() else status_error_class(status)
    assert expected is type(error)
    said = error.message.removeprefix(f"HTTP {status}: ").removesuffix("...")
    assert 5 < len(said) and said[:100] in json.dumps(error.body, ensure_ascii=False)
    assert not said.startswith(("{", "["))


@pytest.mark.parametrize("name", FACTS)
def test_cut_short(name):
    """A recording without its end is an error, or ends by its finish reasons."""
    data = bytes_of(name)
    whole = run(data)[1].text
    for share in range(1, 10):
        chunks, completion, error = run(data[: len(data) * share // 10])
        assert whole.startswith(completion.text)
        ended = any(choice.finish_reason for chunk in chunks for choice in chunk.choices)
        assert ended or isinstance(error, IncompleteStreamError | StreamError)
