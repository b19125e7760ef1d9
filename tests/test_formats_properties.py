"""Written and read again: equal, for streams that hypothesis makes up."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compatapi.accumulate import Accumulator
from compatapi.errors import CompatAPIError
from compatapi.formats import FORMATS, iter_chunks
from helpers import cut
from readings import readings
from streams import body, calls_of, part, read, usage_of

few = settings(max_examples=60, deadline=None)

# No half of a surrogate pair: JSON of those is read as U+FFFD.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
said = text.filter(bool)
scalar = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text
)
values = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2), max_leaves=6
)
unknown = st.dictionaries(text.map("x-{}".format), values, max_size=2)
objects = st.dictionaries(text, values, max_size=3)
reasons = st.sampled_from(["stop", "length", "tool_calls", "content_filter", "eos", "max_tokens", "something"])
counts = st.fixed_dictionaries({"prompt_tokens": st.integers(0, 10**6), "completion_tokens": st.integers(0, 10**6)})


@st.composite
def usages(draw):
    made = draw(counts)
    return {**made, "total_tokens": sum(made.values())}


@st.composite
def fragments(draw):
    """A fragment of a tool call, in one of the ways in which servers write them."""
    made = part(draw(st.none() | said), draw(st.none() | text | objects), id=draw(said), **draw(unknown))
    return {**made, **({"index": draw(st.integers(0, 3))} if draw(st.booleans()) else {})}


@st.composite
def deltas(draw):
    """A delta with what servers put there, by any of its names."""
    names = draw(st.sets(st.sampled_from(["role", "content", "reasoning_content", "reasoning", "refusal"])))
    made = {name: draw(st.none() | text) for name in names}
    if draw(st.booleans()):
        made["tool_calls"] = draw(st.lists(fragments(), max_size=2))
    if draw(st.integers(0, 5)) == 0:
        made["content"] = [{"type": "text", "text": draw(text)}, {"type": "thinking", "thinking": draw(text)}]
    return {**made, **draw(unknown)}


@st.composite
def streams(draw):
    """The wire dicts of a whole stream of any server."""
    many = draw(st.integers(1, 2))
    made = [
        body(draw(deltas()), index=draw(st.integers(0, many - 1)), choice=draw(unknown), **draw(unknown))
        for _ in range(draw(st.integers(0, 6)))
    ]
    made += [body({}, finish=draw(reasons), index=index) for index in range(many)]
    return [*made, {"id": "c1", "choices": [], "usage": draw(usages())}] if draw(st.booleans()) else made


# Where a network cuts, as parts of the whole: durations make a stream longer or shorter from one run to the next.
cuts = st.lists(st.floats(0, 1), max_size=4)


def places_in(data, shares):
    return sorted(int(len(data) * share) for share in shares)


@few
@given(streams(), st.sampled_from(["sse", "ndjson"]), cuts)
def test_chunks_come_back_equal(values, name, shares):
    """SSE and NDJSON give the same chunks again, with extra fields and readings, wherever a network cuts them."""
    chunks, completion = read(*values)
    out = b"".join(FORMATS[name].write(chunks))
    reader = iter_chunks(cut(out, places_in(out, shares)), name)
    again = list(reader)
    assert chunks == again
    assert readings(chunks) == readings(again)
    assert completion == reader.completion


@few
@given(streams())
def test_the_completion_comes_back_equal(values):
    """JSON gives the same text, reasoning, calls, reasons, usage and extra fields again, for all choices."""
    chunks, expected = read(*values)
    reader = iter_chunks(b"".join(FORMATS["json"].write(chunks)), "json")
    list(reader)
    found = reader.completion
    assert [facts(expected, choice) for choice in expected.choices] == [
        facts(found, choice) for choice in found.choices
    ]
    assert (expected.id, expected.usage, dict(expected.extra)) == (found.id, found.usage, dict(found.extra))


def facts(completion, choice):
    message = choice.message
    calls = [(call.id, call.name, call.arguments) for call in message.tool_calls or ()]
    said = message.text, message.reasoning_content or "", message.refusal or ""
    return choice.index, said, calls, choice.finish_reason, dict(choice.extra)


# --- formats with one choice and whole arguments --------------------------------------------------------------------


@st.composite
def conversations(draw):
    """The wire dicts of an answer with reasoning, text and whole tool calls, in pieces."""
    made = [body({"role": "assistant"})]
    made += [body({"reasoning_content": piece}) for piece in draw(st.lists(said, max_size=3))]
    made += [body({"content": piece}) for piece in draw(st.lists(said, max_size=3))]
    calls = draw(st.lists(st.tuples(said, objects), max_size=3))
    pieces = []
    for index, (name, arguments) in enumerate(calls):
        whole = json.dumps(arguments, ensure_ascii=draw(st.booleans()))
        places = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=2)))
        made_of = [whole[start:end] for start, end in zip([0, *places], [*places, len(whole)], strict=True)]
        pieces.append(
            [part(name, "", index=index, id=f"id-{index}"), *(part(None, each, index=index) for each in made_of)]
        )
    in_turn = draw(st.booleans())
    while any(pieces):  # one call after the other, or their fragments in turn
        for queue in pieces if in_turn else pieces[:1]:
            if queue:
                made.append(body({"tool_calls": [queue.pop(0)]}))
        pieces = pieces if in_turn or pieces[0] else pieces[1:]
    reason = "tool_calls" if calls else draw(st.sampled_from(["stop", "length"]))
    return [*made, body({}, finish=reason, usage=draw(usages()))]


@pytest.mark.parametrize("name", ["ollama", "anthropic"])
@few
@given(values=conversations(), shares=cuts)
def test_the_answer_comes_back_equal(name, values, shares):
    """Text, reasoning, calls with their ids, finish reason and usage are the same to whoever reads the other format."""
    chunks, expected = read(*values)
    out = b"".join(FORMATS[name].write(chunks))
    reader = iter_chunks(cut(out, places_in(out, shares)), name)
    list(reader)
    assert known(expected) == known(reader.completion)


def known(completion):
    calls = [(call.id, call.name, json.loads(call.arguments)) for call in completion.tool_calls]
    return completion.text, completion.reasoning, calls, completion.finish_reason, usage_of(completion)


@few
@given(conversations(), st.sampled_from(sorted(FORMATS)), st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_what_is_cut_is_never_complete(values, name, share, share_of_bytes):
    """Chunks without the last one, and any part of the bytes that they give, never read as a whole answer."""
    chunks, _ = read(*values)
    some = chunks[: int(len(chunks) * share)]
    writing = FORMATS[name].write(some, errors="emit")
    out = b"".join(writing)
    assert writing.error is not None
    with pytest.raises(CompatAPIError):
        list(iter_chunks(out, name))
    with pytest.raises(CompatAPIError):
        list(iter_chunks(out[: int(len(out) * share_of_bytes)], name))


@few
@given(streams())
def test_every_stream_is_written_or_refused(values):
    """Whatever a server sends, each format writes it, or ends with an error that it says."""
    chunks, expected = read(*values)
    for name, row in FORMATS.items():
        writing = row.write(chunks, errors="emit")
        out = b"".join(writing)
        assert out, name
        assert (b'"error"' in out) or writing.error is None
    answer = Accumulator()
    for chunk in chunks:
        answer.add(chunk)  # writing changed nothing in them
    assert expected.choices[0].message.text == answer.completion.choices[0].message.text
    assert len(calls_of(expected)) == len(calls_of(answer.completion))
