"""Readings: an attribute holds the usual form, the wire keeps its own.

Numbers are those of the rules on OpenAI-compatible servers.
"""

import json

import pytest

from both_json import json_library  # noqa: F401 - an autouse fixture
from compatapi.chat_types import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    Delta,
    FunctionCall,
    FunctionCallDelta,
    ImagePart,
    ImageURL,
    Message,
    TextPart,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from compatapi.convert import from_dict, from_json, to_dict, to_json
from compatapi.errors import DecodeError
from wire_examples import without_nulls

THINKING = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "Let me "}, {"type": "text", "text": "see"}]},
    {"type": "text", "text": "Hi"},
]


def same_again(cls, data):
    """Read; check that the wire form is written back and that FT-06 holds; return the object."""
    value = from_json(cls, json.dumps(data))
    assert without_nulls(data) == without_nulls(to_dict(value))
    assert value == from_json(cls, to_json(value))
    assert value == from_dict(cls, data)
    return value


@pytest.mark.parametrize("choices", [{}, {"choices": None}, {"choices": []}])
def test_rules_01_and_02_a_chunk_without_choices(choices):
    """No choices, null and an empty list read the same; what was absent stays so."""
    chunk = same_again(ChatCompletionChunk, {"id": "1", **choices})
    assert ([], "", None) == (chunk.choices, chunk.text, chunk.finish_reason)
    assert (choices.get("choices") == []) == ("choices" in to_dict(chunk))


@pytest.mark.parametrize("data", [{}, {"index": None, "delta": None, "finish_reason": None}])
def test_rules_03_and_04_a_choice_without_anything(data):
    """A choice may lack index, delta and finish reason, or have null there."""
    choice = same_again(ChunkChoice, data)
    assert (0, Delta(), None) == (choice.index, choice.delta, choice.finish_reason)
    assert {} == to_dict(choice)


def test_a_choice_without_message():
    """A filtered answer may come without a message; an empty one is read."""
    answer = same_again(ChatCompletion, {"choices": [{"finish_reason": "content_filter"}]})
    assert ("", "content_filter") == (answer.text, answer.finish_reason)


@pytest.mark.parametrize("absent", [[], None])
def test_what_is_put_into_an_absent_field_is_written(absent):
    """A default that stands for an absent field is an ordinary value once the program has changed it."""
    chunk = from_dict(ChatCompletionChunk, {"id": "1"} if absent == [] else {"id": "1", "choices": None})
    chunk.choices.append(ChunkChoice(0, Delta(content="a")))
    assert {"id": "1", "choices": [{"index": 0, "delta": {"content": "a"}}]} == to_dict(chunk)
    choice = from_dict(ChunkChoice, {"index": 0})
    choice.delta.content = "a"
    assert {"index": 0, "delta": {"content": "a"}} == to_dict(choice)


def test_what_is_put_into_a_reading_is_written():
    """A reading that the program replaces or changes is written in the usual form."""
    delta = from_dict(Delta, {"content": [{"type": "text", "text": "a"}]})
    delta.content = "b"
    assert {"content": "b"} == to_dict(delta)
    chunk = from_dict(ChatCompletionChunk, {"x_groq": {"usage": {"prompt_tokens": 1}}})
    chunk.usage.completion_tokens = 5
    assert {"prompt_tokens": 1, "completion_tokens": 5} == to_dict(chunk)["usage"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reasoning_content": "R"}, "R"),
        ({"reasoning": "R"}, "R"),
        ({"reasoning_content": "", "reasoning": "R"}, "R"),
        ({"reasoning_content": None, "reasoning": "R"}, "R"),
        ({"reasoning_content": "R", "reasoning": "R"}, "R"),
        ({"reasoning": "R", "reasoning_details": [{"type": "reasoning.text", "text": "R"}]}, "R"),
        ({"reasoning": None, "reasoning_details": [{"text": "R"}, {"summary": "S"}, {"data": "x"}]}, "RS"),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, None),
        ({"reasoning_details": None}, None),
        ({"reasoning": {"effort": "low"}}, None),
        ({"reasoning": ""}, None),
        ({"content": THINKING}, "Let me see"),
        ({"content": [{"type": "thinking", "thinking": "R"}]}, "R"),
    ],
)
def test_rule_07_reasoning_under_its_other_names(fields, expected):
    """The first non-empty of the names counts, and two of them are never joined."""
    assert expected == same_again(Delta, fields).reasoning_content
    if "content" not in fields:
        assert expected == same_again(Message, {"role": "assistant", **fields}).reasoning_content
    answer = same_again(ChatCompletion, {"choices": [{"index": 0, "message": {"role": "assistant", **fields}}]})
    assert (expected or "") == answer.reasoning


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (THINKING, "Hi"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "thinking", "thinking": "R"}], None),
        ([], None),
        ("plain", "plain"),
        (None, None),
    ],
)
def test_rule_08_content_as_an_array_of_parts(content, expected):
    """The text parts of an array are the content, in chunks and in whole answers."""
    assert expected == same_again(Delta, {"content": content}).content
    assert expected == same_again(Choice, {"message": {"role": "assistant", "content": content}}).message.content


def test_rule_08_the_wire_value_is_at_hand():
    """An object tells what stood on the wire for a reading, and the value itself for anything else."""
    delta = from_dict(Delta, {"content": THINKING, "role": "assistant"})
    assert (THINKING, "assistant", None) == tuple(map(delta.wire_value, ("content", "role", "reasoning_content")))
    delta.set_reading("role", "user")
    assert ("user", "assistant") == (delta.role, delta.wire_value("role"))
    assert {"content": THINKING, "role": "assistant"} == to_dict(delta)


def test_rule_08_content_of_other_parts_stays_in_parts():
    """An answer with an image in it is not cut down to its text."""
    content = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}]
    message = same_again(Choice, {"message": {"role": "assistant", "content": content}}).message
    assert (TextPart("a"), ImagePart(ImageURL("u"))) == message.content
    assert "a" == message.text


def test_a_refusal_among_the_parts_is_the_refusal():
    """A refusal arrives as such when a server writes it as a part."""
    content = [{"type": "refusal", "refusal": "No"}]
    answer = same_again(ChatCompletion, {"choices": [{"message": {"role": "assistant", "content": content}}]})
    assert ("No", "") == (answer.refusal, answer.text)


@pytest.mark.parametrize(
    ("arguments", "expected"), [({"city": "Rome"}, '{"city":"Rome"}'), ({}, "{}"), ([1], "[1]"), ("{}", "{}"), ("", "")]
)
def test_rule_12_arguments_as_an_object(arguments, expected):
    """Arguments that come as an object are read as JSON text."""
    assert expected == same_again(FunctionCallDelta, {"arguments": arguments}).arguments
    assert expected == same_again(FunctionCall, {"name": "f", "arguments": arguments}).arguments


def test_rule_12_arguments_as_null():
    """Null means no arguments."""
    assert "" == same_again(FunctionCall, {"name": "f", "arguments": None}).arguments
    assert same_again(FunctionCallDelta, {"name": "f", "arguments": None}).arguments is None


def test_rule_12_arguments_that_no_json_text_can_hold_are_a_decode_error():
    """A number that is no finite float is the server's fault, not the caller's."""
    with pytest.raises(DecodeError) as caught:
        from_json(FunctionCall, '{"name":"f","arguments":{"a":1e400}}')
    assert ("arguments",) == caught.value.path


def test_rule_15_usage_in_x_groq():
    """Usage that stands in a field of one host is read as usage."""
    chunk = same_again(ChatCompletionChunk, {"x_groq": {"id": "r", "usage": {"prompt_tokens": 3, "queue_time": 0.5}}})
    assert (3, {"queue_time": 0.5}) == (chunk.usage.prompt_tokens, chunk.usage.extra)
    assert "usage" not in to_dict(chunk)
    both = same_again(ChatCompletionChunk, {"usage": {"prompt_tokens": 1}, "x_groq": {"usage": {"prompt_tokens": 2}}})
    assert 1 == both.usage.prompt_tokens


@pytest.mark.parametrize("x_groq", [None, "x", {}, {"usage": None}, {"usage": {}}, {"usage": []}, {"id": "r"}])
def test_rule_15_x_groq_without_usage(x_groq):
    """The field of that host may hold anything else."""
    assert same_again(ChatCompletionChunk, {"id": "1", "x_groq": x_groq}).usage is None


@pytest.mark.parametrize(
    ("created", "expected"),
    [(0, 0), (1730000000.75, 1730000000), ("1730000000", 1730000000), ("1.5e3", 1500), ("yesterday", None), ("", None)]
    + [({"seconds": 1}, None), ([], None), (True, None), ("nan", None), ("inf", None)],
)
@pytest.mark.parametrize("cls", [ChatCompletion, ChatCompletionChunk])
def test_rule_18_created_in_any_form(cls, created, expected):
    """A time that is a float or text is read as a whole number; nonsense is read as absent."""
    value = same_again(cls, {"created": created, "choices": []})
    assert (expected, created) == (value.created, value.wire_value("created"))


@pytest.mark.parametrize("cls", [ChatCompletion, ChatCompletionChunk, ToolCallDelta, ToolCall])
def test_ids_that_are_numbers_are_read_as_text(cls):
    """An id is text for the program, and a number for the server that sent one."""
    assert "7" == same_again(cls, {"id": 7}).id


def test_a_tool_call_without_id_and_name():
    """Servers leave ids and names out, or send null."""
    for data in ({"function": {}}, {"id": None, "type": None, "function": {"name": None}}):
        call = same_again(ToolCall, data)
        assert ("", "function", "", "") == (call.id, call.type, call.name, call.arguments)


def test_rule_20_numbers_in_usage_may_be_floats():
    """Counts are whole numbers for the program; null details and unknown keys are kept."""
    usage = same_again(Usage, {"prompt_tokens": 9.0, "total_tokens": 9.5, "prompt_tokens_details": None, "cost": 0.1})
    assert (9, 9, None, {"cost": 0.1}) == (
        usage.prompt_tokens,
        usage.total_tokens,
        usage.completion_tokens,
        usage.extra,
    )


@pytest.mark.parametrize("number", ["1e400", "-1e400"])
def test_rule_20_a_count_beyond_all_floats_is_a_decode_error(number):
    """A count that is infinite is told with its path, and makes no trouble in the field of one host."""
    with pytest.raises(DecodeError) as caught:
        from_json(ChatCompletionChunk, f'{{"usage":{{"total_tokens":{number}}}}}')
    assert ("usage", "total_tokens") == caught.value.path
    assert from_json(ChatCompletionChunk, f'{{"x_groq":{{"usage":{{"total_tokens":{number}}}}}}}').usage is None
