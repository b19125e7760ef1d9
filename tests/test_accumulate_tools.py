"""Tool calls put together again, whatever the habits of the server that cut them up."""

import pytest

from compatapi.accumulate import Accumulator
from compatapi.convert import to_dict
from streams import body, call, calls_of, chunk, part, read, stop

ARGUMENTS = '{"city": "Rome"}'
WHOLE = [("f", ARGUMENTS), ("g", "{}")]

# Each: the deltas of a stream, one list of fragments a delta; and the calls that it means.
HABITS = {
    "openai": (
        [
            [part("f", "", index=0, id="a", type="function")],
            [part(None, '{"city"', index=0)],
            [part(None, ': "Rome"}', index=0)],
            [part("g", "", index=1, id="b", type="function")],
            [part(None, "{}", index=1)],
        ],
        WHOLE,
    ),
    "interleaved": (
        [
            [part("f", "{", index=0, id="a"), part("g", "{", index=1, id="b")],
            [part(None, '"x":1', index=0), part(None, '"y":2', index=1)],
            [part(None, "}", index=1)],
            [part(None, "}", index=0)],
        ],
        [("f", '{"x":1}'), ("g", '{"y":2}')],
    ),
    "index starts at 1": (
        [[part("f", "", index=1, id="a")], [part(None, ARGUMENTS, index=1)], [part("g", "{}", index=2, id="b")]],
        WHOLE,
    ),
    "gaps": ([[part("f", ARGUMENTS, index=0, id="a")], [part("g", "{}", index=7, id="b")]], WHOLE),
    "out of order": ([[part("g", "{}", index=1, id="b")], [part("f", ARGUMENTS, index=0, id="a")]], WHOLE),
    "id repeated": (
        [
            [part("f", '{"city"', index=0, id="a")],
            [part(None, ': "Rome"}', index=0, id="a")],
            [part("g", "{", index=1, id="b")],
            [part(None, "}", index=1, id="b")],
        ],
        WHOLE,
    ),
    "id and name repeated": (
        [
            [part("f", '{"city"', index=0, id="a")],
            [part("f", ': "Rome"}', index=0, id="a")],
            [part("g", "{", index=1, id="b")],
            [part("g", "}", index=1, id="b")],
        ],
        WHOLE,
    ),
    "name repeated with an empty end": (
        [[part("f", ARGUMENTS, index=0, id="a")], [part("f", "", index=0, id="a")], [part("g", "{}", index=1, id="b")]],
        WHOLE,
    ),
    "name in two pieces": (
        [[part("get_", "", index=0, id="a")], [part("city", "", index=0)], [part(None, "{}", index=0)]],
        [("get_city", "{}")],
    ),
    "a new id with each fragment": (
        [[part("f", '{"city"', index=0, id="a")], [part(None, ': "Rome"}', index=0, id="a2")]],
        WHOLE[:1],
    ),
    "index used again with a new id": (
        [
            [part("f", '{"city"', index=0, id="a")],
            [part(None, ': "Rome"}', index=0)],
            [part("g", "{", index=0, id="b")],
            [part(None, "}", index=0)],
        ],
        WHOLE,
    ),
    "every index is 0, in one delta": (
        [[part("f", ARGUMENTS, index=0, id="a"), part("g", "{}", index=0, id="b")]],
        WHOLE,
    ),
    "every index is 0, without ids": ([[part("f", ARGUMENTS, index=0)], [part("g", "{}", index=0)]], WHOLE),
    "no index": (
        [
            [part("f", '{"city"', id="a")],
            [part(None, ': "Rome"}')],
            [part("g", "{", id="b")],
            [part(None, "}", id="")],
        ],
        WHOLE,
    ),
    "no index, id repeated": (
        [
            [part("f", '{"city"', id="a")],
            [part("g", "{", id="b")],
            [part(None, ': "Rome"}', id="a")],
            [part(None, "}", id="b")],
        ],
        WHOLE,
    ),
    "no index, whole, in one delta": ([[part("f", ARGUMENTS, id="a"), part("g", "{}", id="b")]], WHOLE),
    "no index, no ids, in one delta": ([[part("f", ARGUMENTS), part("g", "{}")]], WHOLE),
    "no index, empty ids, in one delta": ([[part("f", ARGUMENTS, id=""), part("g", "{}", id="")]], WHOLE),
    "no index, no ids, in pieces in one delta": (
        [[part("f", '{"city"'), part("g", "{")], [part(None, ': "Rome"}'), part(None, "}")]],
        WHOLE,
    ),
    "whole, in chunks of their own, no ids": ([[part("f", ARGUMENTS)], [part("g", "{}")]], WHOLE),
    "whole, in chunks of their own, empty ids": ([[part("f", ARGUMENTS, id="")], [part("g", "{}", id="")]], WHOLE),
    "the same function, in chunks of their own, no ids": (
        [[part("f", '{"n":1}', id="")], [part("f", '{"n":2}', id="")], [part("f", '{"n":2}', id="")]],
        [("f", '{"n":1}'), ("f", '{"n":2}'), ("f", '{"n":2}')],
    ),
    "two deltas with two whole calls each, no ids": (
        [[part("f", "{}"), part("g", "{}")], [part("f", '{"n":2}'), part("g", '{"n":2}')]],
        [("f", "{}"), ("g", "{}"), ("f", '{"n":2}'), ("g", '{"n":2}')],
    ),
    "index 0 left out": (
        [
            [part("f", "", id="a")],
            [part(None, ARGUMENTS)],
            [part("g", "", index=1, id="b")],
            [part(None, "{}", index=1)],
        ],
        WHOLE,
    ),
    "arguments as object": ([[part("f", {"city": "Rome"}, index=0, id="a")]], [("f", '{"city":"Rome"}')]),
    "arguments empty": ([[part("f", "", index=0, id="a")]], [("f", "")]),
    "arguments missing": ([[part("f", None, index=0, id="a")]], [("f", "")]),
    "no ids, arguments empty": ([[part("f", "")], [part("g", "")]], [("f", ""), ("g", "")]),
    "braces in text": (
        [[part("f", '{"a":"}', id="a")], [part(None, '{"}')]],
        [("f", '{"a":"}{"}')],
    ),
}


@pytest.mark.parametrize("habit", HABITS)
def test_tool_calls(habit):
    """Tool calls come out whole and in order, by the decoder and by an accumulator alone, with different ids."""
    deltas, expected = HABITS[habit]
    values = [call(*fragments) for fragments in deltas] + [stop("tool_calls")]
    _, decoded = read(*values)
    alone = Accumulator()
    for value in values:
        alone.add(chunk(value))
    for completion in (decoded, alone.completion):
        assert expected == calls_of(completion)
        assert len(expected) == len({made.id for made in completion.tool_calls} - {""})
        assert {"function"} == {made.type for made in completion.tool_calls}


@pytest.mark.parametrize("habit", HABITS)
def test_the_indices_of_chunks_are_enough(habit):
    """A program that joins the fragments of the chunks by their index gets the same calls and ids."""
    deltas, expected = HABITS[habit]
    chunks, completion = read(*[call(*fragments) for fragments in deltas], stop("tool_calls"))
    joined = {}
    for fragment in (f for c in chunks for choice in c.choices for f in choice.delta.tool_calls or ()):
        name, arguments, ids = joined.get(fragment.index, ("", "", []))
        name += "" if fragment.function.name in (None, name) else fragment.function.name
        joined[fragment.index] = (name, arguments + (fragment.function.arguments or ""), [*ids, fragment.id])
    calls = [joined[index] for index in sorted(joined)]
    assert expected == [made[:2] for made in calls]
    assert [made.id for made in completion.tool_calls] == [next(filter(None, made[2])) for made in calls]


def test_ids_stay_the_same():
    """A made-up id does not change when the answer is asked for again."""
    alone = Accumulator()
    alone.add(chunk(call(part("f", "{", index=0))))
    first = alone.completion.tool_calls[0].id
    alone.add(chunk(call(part(None, "}", index=0))))
    assert first == alone.completion.tool_calls[0].id


def test_an_id_that_comes_late():
    """An id that comes with the second fragment is the call's id."""
    alone = Accumulator()
    for value in (part("f", "{", index=0), part(None, "}", index=0, id="late")):
        alone.add(chunk(call(value)))
    assert "late" == alone.completion.tool_calls[0].id


def test_unknown_fields_of_calls_are_kept():
    """Unknown fields of a call and of its function are kept, so that they can be sent back."""
    google = {"google": {"thought_signature": "s"}}
    fragment = {**part("f", "{}", index=0, id="a"), "extra_content": google}
    fragment["function"]["parsed"] = True
    _, completion = read(call(fragment), stop("tool_calls"))
    expected = {
        "id": "a",
        "type": "function",
        "function": {"name": "f", "arguments": "{}", "parsed": True},
        "extra_content": google,
    }
    assert expected == to_dict(completion.message)["tool_calls"][0]


def test_custom_tools():
    """The input of a custom tool is joined like arguments."""
    _, completion = read(
        call({"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT"}}),
        call({"index": 0, "custom": {"input": " 1"}}),
        stop("tool_calls"),
    )
    expected = {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    assert [expected] == to_dict(completion.message)["tool_calls"]


def test_old_function_call():
    """The old ``function_call`` is joined too."""
    pieces = [{"name": "f", "arguments": ""}, {"arguments": '{"a"'}, {"arguments": ":1}"}]
    _, completion = read(*[body({"function_call": piece}) for piece in pieces], stop("function_call"))
    called = completion.message.function_call
    assert ("f", '{"a":1}') == (called.name, called.arguments)
    assert completion.message.tool_calls is None
    assert "function_call" == completion.choices[0].wire_value("finish_reason")


def test_calls_of_each_choice_are_apart():
    """The same index in two choices means two calls."""
    values = [call(part(name, "{}", index=0, id=name), index=place) for place, name in enumerate("fg")]
    _, completion = read(*values, stop(), stop(index=1))
    assert [["f"], ["g"]] == [[made.name for made in choice.message.tool_calls] for choice in completion.choices]


def test_the_answer_can_be_sent_back():
    """The message of a tool call, encoded, is what OpenAI expects in the conversation."""
    _, completion = read(call(part("f", "{}", index=0, id="a", type="function")), stop("tool_calls"))
    made = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert {"role": "assistant", "tool_calls": [made]} == to_dict(completion.message)
