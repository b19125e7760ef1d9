"""Streams of every kind of server, as bytes in ``fixtures/<dialect>``: a folder a case, with what must come out.

The bytes are written for these tests after the shapes that servers send.
"""

import json
import re
from pathlib import Path

import pytest

from compatapi.accumulate import Accumulator
from compatapi.chat_types import ChatCompletionChunk
from compatapi.convert import from_dict, to_dict, to_json
from compatapi.dialects import get_dialect
from compatapi.errors import CompatAPIError
from compatapi.framing import Frame
from streams import REQUEST, run, same_at_every_cut, usage_of, without_nulls

CASES = sorted(folder for folder in (Path(__file__).parent / "fixtures").glob("*/*") if folder.is_dir())
OPENAI = [case for case in CASES if case.parent.name == "openai"]
USUAL = ("text", "reasoning", "tool_calls", "usage", "finish_reason", "error")


def name_of(case):
    """Dialect and name of a case."""
    return f"{case.parent.name}/{case.name}"


def bytes_of(case):
    """The bytes that the server sends."""
    [path] = [path for path in case.iterdir() if path.name in ("stream.sse", "stream.ndjson", "body.json")]
    return path.read_bytes()


def expected_of(case):
    """What must come out."""
    return json.loads((case / "expected.json").read_text(encoding="utf-8"))


def outcome(pieces, dialect):
    """What came out, in the form of the files; made-up ids are random and left out."""
    chunks, completion, error = run(pieces, dialect=dialect)
    if error is not None:
        assert error.completion == completion
    return {
        "text": completion.text,
        "reasoning": completion.reasoning,
        "tool_calls": [[call.name, call.arguments] for call in completion.tool_calls],
        "usage": usage_of(completion) and list(usage_of(completion)),
        "finish_reason": completion.finish_reason,
        "error": error and type(error).__name__,
        "chunks": len(chunks),
        "said": ["".join(chunk.text for chunk in chunks), "".join(chunk.reasoning for chunk in chunks)],
    }


def without_made_ids(completion):
    """A completion as a dict, without the ids that were made up for tool calls, which are random."""
    value = to_dict(completion)
    for choice in value.get("choices", ()):
        for call in choice["message"].get("tool_calls", ()):
            if re.fullmatch("call_[0-9a-f]{24}", call.get("id", "")):
                del call["id"]
    return value


# What a file may say besides: its name there, and how it is found in the answer.
MORE = {
    "texts": lambda made, chunks: [choice.message.text for choice in made.choices],
    "finish_reasons": lambda made, chunks: [choice.finish_reason for choice in made.choices],
    "raw_finish_reason": lambda made, chunks: made.choices[0].wire_value("finish_reason"),
    "finish_chunks": lambda made, chunks: sum(chunk.finish_reason is not None for chunk in chunks),
    "refusal": lambda made, chunks: made.refusal,
    "tokens": lambda made, chunks: [item.token for item in made.choices[0].logprobs.content],
    "urls": lambda made, chunks: [note.url_citation.url for note in made.message.annotations],
    "function_call": lambda made, chunks: [made.message.function_call.name, made.message.function_call.arguments],
    "audio": lambda made, chunks: [made.message.audio.id, made.message.audio.transcript, made.message.audio.data],
    "details": lambda made, chunks: made.message.extra["reasoning_details"],
    "reasoning_tokens": lambda made, chunks: made.usage.completion_tokens_details.reasoning_tokens,
    "id": lambda made, chunks: made.id,
    "model": lambda made, chunks: made.model,
}


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_fixture(case):
    """The stream gives what its file says, whole, byte by byte and at every cut."""
    expected = expected_of(case)
    made = same_at_every_cut(bytes_of(case), lambda pieces: outcome(pieces, case.parent.name))
    # Usage beside an error in the same event: nothing says whether it counts.
    usual = [name for name in USUAL[:5] if not (expected["error"] and name == "usage")]
    assert {name: expected[name] for name in usual if name != "tool_calls"} == {
        name: made[name] for name in usual if name != "tool_calls"
    }
    assert [call[:2] for call in expected["tool_calls"]] == made["tool_calls"]
    assert (expected["error"] and expected["error"]["class"]) == made["error"]
    assert [expected["text"], expected["reasoning"]] == made["said"]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_fixture_in_detail(case):
    """What else the file says is in the answer: ids, error fields, unknown fields, logprobs and the like."""
    expected = expected_of(case)
    chunks, completion, error = run(bytes_of(case), dialect=case.parent.name)
    for call, (_, _, *name) in zip(completion.tool_calls, expected["tool_calls"], strict=True):
        assert [call.id] == name or (name in ([], [None]) and call.id)
    if error is not None:
        fields = {name: value for name, value in expected["error"].items() if name not in ("class", "message")}
        assert fields == {name: getattr(error, name) for name in fields}
        assert expected["error"].get("message", "") in error.message
        assert isinstance(error, CompatAPIError)
    for name, look in MORE.items():
        assert name not in expected or expected[name] == look(completion, chunks)
    extra = expected.get("extra", {})
    assert extra == {name: completion.extra.get(name) for name in extra}
    assert not set(expected.get("no_extra", ())) & set(completion.extra)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_fixture_through_the_common_form(case):
    """Every chunk, written as an OpenAI chunk and read again by that dialect, is equal; and so is their answer."""
    chunks, completion, _ = run(bytes_of(case), dialect=case.parent.name)
    reader, answer = get_dialect("openai").chunk_decoder(REQUEST), Accumulator()
    again = [read for chunk in chunks for read in reader.decode(Frame(to_json(chunk).decode()))]
    assert chunks == again
    for chunk in again:
        answer.add(chunk)
    assert without_made_ids(completion) == without_made_ids(answer.completion)


@pytest.mark.parametrize("case", [case for case in OPENAI if (case / "stream.sse").exists()], ids=name_of)
def test_fixture_round_trip(case):
    """Every chunk, encoded, is what the wire said with nulls left out, and decodes to an equal chunk."""
    wire = []
    for line in bytes_of(case).decode("utf-8-sig").replace("\r\n", "\n").split("\n"):
        payload = line.removeprefix("data: ")
        if payload == "[DONE]":
            break
        if line.startswith("data: {") and line.endswith("}") and "choices" in payload:
            wire.append(json.loads(payload))
    chunks, _, error = run(bytes_of(case))
    # The last event of a stream that fails may be the error itself.
    assert len(wire) - (error is not None) <= len(chunks) <= len(wire)
    for value, chunk in zip(wire, chunks, strict=False):
        written = to_dict(chunk)
        assert without_nulls(value) == without_nulls(written)
        assert chunk == from_dict(ChatCompletionChunk, json.loads(json.dumps(written)))


def test_every_case_is_complete():
    """Each folder holds one file of bytes and one of what must come out, with the usual fields."""
    assert len(OPENAI) > 60
    for case in CASES:
        assert 2 == len(list(case.iterdir())), case.name
        expected = expected_of(case)
        assert list(USUAL) == list(expected)[: len(USUAL)], case.name
        assert set(expected) <= {*USUAL, *MORE, "extra", "no_extra"}, case.name
