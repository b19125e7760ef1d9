"""Fuzzing the whole way of the bytes: whatever a server sends, cut anywhere, ends in chunks or in one of our errors.

Hypothesis tries a bounded number of streams in every run; ``COMPATAPI_FUZZ=100000 pytest tests/test_fuzz.py`` tries
that many.
"""

from __future__ import annotations

import copy
import json
import os
import pickle

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compatapi import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionRequest,
    CompatAPIError,
    StreamDecoder,
    from_dict,
    from_json,
    to_dict,
    to_json,
)
from compatapi.dialects import get_dialect
from compatapi.http_types import Limits

REQUEST = ChatCompletionRequest("m", [])
TRIES = int(os.environ.get("COMPATAPI_FUZZ", "150"))
fuzz = settings(
    max_examples=TRIES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

TEXT = st.text(max_size=8) | st.sampled_from(["", "[DONE]", "stop", "call_1", "\ud83d", "assistant", "1e400", "\u2028"])
# Whole numbers that 64 bits do not hold come back as floats.
WHOLE = st.integers(-3, 3) | st.integers(-(2**63), 2**64 - 1)
SCALAR = st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False) | TEXT
ANY = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)


def record(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """An object with some of these fields, each right or wrong, and sometimes something else altogether."""
    known = st.fixed_dictionaries({}, optional={name: value | ANY for name, value in fields.items()})
    return st.builds(lambda a, b: {**b, **a}, known, st.dictionaries(TEXT, ANY, max_size=2)) | ANY


FUNCTION = record(name=TEXT, arguments=TEXT | record())
CALL = record(index=st.integers(0, 3), id=TEXT, type=TEXT, function=FUNCTION, custom=record(name=TEXT, input=TEXT))
PART = record(type=st.sampled_from(["text", "thinking"]), text=TEXT, thinking=TEXT | st.lists(record(text=TEXT)))
LOGPROBS = record(content=st.lists(record(token=TEXT, logprob=st.floats(), bytes=st.lists(st.integers())), max_size=2))
DELTA = record(
    role=TEXT,
    content=TEXT | st.lists(PART, max_size=2),
    reasoning_content=TEXT,
    reasoning=TEXT,
    reasoning_details=st.lists(record(type=TEXT, text=TEXT, index=st.integers(0, 1)), max_size=2),
    refusal=TEXT,
    tool_calls=st.lists(CALL, max_size=3),
    audio=record(id=TEXT, data=TEXT),
    annotations=st.lists(record(type=TEXT), max_size=1),
)
USAGE = record(prompt_tokens=st.integers(), total_tokens=st.floats(), prompt_tokens_details=record(cached_tokens=ANY))
CHOICE = record(index=st.integers(0, 2), delta=DELTA, message=DELTA, finish_reason=TEXT, logprobs=LOGPROBS, usage=USAGE)
CHUNK = record(
    id=TEXT, object=TEXT, created=ANY, model=TEXT, choices=st.lists(CHOICE, max_size=3), usage=USAGE, error=ANY,
    x_groq=record(usage=USAGE), base_resp=record(status_code=st.integers()),
)  # fmt: skip
ODD_BYTES = [
    *(b"data: [DONE]\n\n", b": ping\n\n", b"event: error\n", b"data: {}\n\n", b"data:\n\n", b"\r\n"),
    *(b'data: {"a":1}\ndata: {"b":2}\n\n', b"data: \xff\xfe\n\n", b'{"error": 1}', b"<html>", b"retry: 1\n"),
    *(b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n', b"data: [1, 2]\n\n", b"data: 1\n\n", b'data: "'),
    b"\xef\xbb\xbf",
]
EVENT = (
    CHUNK.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n")
    | st.sampled_from(ODD_BYTES)
    | st.binary(max_size=12)
)
STREAM = st.lists(EVENT, max_size=6).map(b"".join)


def run(pieces: list[bytes]) -> tuple[list[ChatCompletionChunk], str, ChatCompletion]:
    """The chunks of a stream, the class of its error or nothing, and the answer."""
    decoder = StreamDecoder(get_dialect("openai"), REQUEST, limits=Limits(event=4096, body=4096))
    chunks: list[ChatCompletionChunk] = []
    error = ""
    try:
        for piece in pieces:
            chunks += decoder.feed(piece)
        chunks += decoder.close()
        decoder.check()
    except CompatAPIError as problem:
        error = type(problem).__name__
        assert pickle.loads(pickle.dumps(problem)).args == problem.args
    return chunks, error, decoder.completion


@fuzz
@given(STREAM, st.lists(st.integers(0, 400), max_size=8))
def test_any_stream_at_any_cuts(data, cuts):
    """Whatever comes, however it is cut: the same chunks, the same end, and no error but ours."""
    whole = run([data])
    marks = sorted({min(cut, len(data)) for cut in cuts})
    pieces = [data[a:b] for a, b in zip([0, *marks], [*marks, len(data)], strict=True)]
    parts = run(pieces)
    assert [without_made_ids(c) for c in whole[0]] == [without_made_ids(c) for c in parts[0]]
    assert whole[1] == parts[1]
    assert whole[2].text == parts[2].text


def without_made_ids(chunk: ChatCompletionChunk) -> dict[str, object]:
    """What the wire said: names that were made up for calls are other ones each time."""
    return to_dict(chunk)


@fuzz
@given(CHUNK)
def test_any_chunk_goes_there_and_back(value):
    """What can be read can be written, and reads as the same; a copy and a pickle are equal."""
    try:
        chunk = from_dict(ChatCompletionChunk, value)
        text = to_json(chunk)
    except CompatAPIError:
        return
    again = from_json(ChatCompletionChunk, text)
    assert again == chunk
    assert copy.deepcopy(chunk) == chunk
    assert pickle.loads(pickle.dumps(chunk)) == chunk
    assert chunk.text.__class__ is chunk.reasoning.__class__ is str


@fuzz
@given(
    record(choices=st.lists(record(index=ANY, message=DELTA, finish_reason=TEXT), max_size=2), usage=USAGE, error=ANY)
)
def test_any_whole_answer(value):
    """A whole answer is read, or refused with one of our errors."""
    try:
        completion = get_dialect("openai").decode_completion(json.dumps(value).encode())
    except CompatAPIError as error:
        assert str(error)
        return
    assert completion.text.__class__ is str
    assert all(call.id for call in completion.tool_calls)
