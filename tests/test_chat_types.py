"""The wire types of a chat completion: what they hold, what they write, and how they are made.

FT-01 to FT-06 are the cases that the first design of the chunk type was tested with.
"""

import attrs
import pytest

from both_json import json_library  # noqa: F401 - an autouse fixture
from compatapi.chat_types import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionRequest,
    Choice,
    ChunkChoice,
    CustomCall,
    Delta,
    FunctionCall,
    Message,
    ResponseFormat,
    TextPart,
    Tool,
    ToolCall,
    Usage,
)
from compatapi.convert import from_dict, from_json, to_dict, to_json
from wire_examples import WIRE_CLASSES, full_json, json_fields, minimal

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1730000000, "model": "gpt-4o-mini"}


def chunk_of(choice):
    """A chunk with one choice, from JSON text."""
    return from_json(ChatCompletionChunk, to_json({**HEAD, "choices": [{"index": 0, **choice}]}))


def test_ft_01_first_chunk_carries_role_and_no_finish_reason():
    """The first chunk of a stream says who speaks and has no finish reason."""
    choice = chunk_of({"delta": {"role": "assistant", "content": ""}, "finish_reason": None}).choices[0]
    assert ("assistant", "", None) == (choice.delta.role, choice.delta.content, choice.finish_reason)
    assert {"index": 0, "delta": {"role": "assistant", "content": ""}} == to_dict(choice)


def test_ft_02_last_chunk_has_finish_reason_no_role_no_content():
    """The last chunk of a choice has its finish reason and an empty delta."""
    chunk = chunk_of({"delta": {}, "finish_reason": "stop"})
    delta = chunk.choices[0].delta
    assert ("stop", None, None) == (chunk.finish_reason, delta.role, delta.content)
    assert {"index": 0, "delta": {}, "finish_reason": "stop"} == to_dict(chunk.choices[0])


def test_ft_03_middle_chunk_has_content_alone():
    """A chunk in the middle holds its text and nothing else."""
    chunk = chunk_of({"delta": {"content": " world"}, "finish_reason": None})
    assert " world" == chunk.text
    assert {"content": " world"} == to_dict(chunk.choices[0].delta)
    assert Delta(content=" world") == chunk.choices[0].delta


def test_ft_04_empty_delta_is_valid_all_none_and_serialises_to_an_empty_object():
    """A delta without anything is a delta."""
    assert all(getattr(Delta(), name) is None for name in json_fields(Delta))
    assert {} == to_dict(Delta())
    assert b"{}" == to_json(Delta())
    assert Delta() == from_json(Delta, "{}")


@pytest.mark.parametrize("cls", WIRE_CLASSES, ids=lambda cls: cls.__name__)
def test_ft_05_unset_optional_fields_are_absent(cls):
    """What nobody has set is not written; null never is."""
    value = minimal(cls)
    unset = {name for name in json_fields(cls) if getattr(value, name) is None}
    assert set(json_fields(cls)) - unset == set(to_dict(value))
    assert None not in to_dict(value).values()
    assert b"null" not in to_json(value)


@pytest.mark.parametrize("cls", WIRE_CLASSES, ids=lambda cls: cls.__name__)
def test_ft_05_fields_that_are_set_are_all_there(cls):
    """Every field of a class is read and written under its own name."""
    data = full_json(cls)
    assert data == to_dict(from_dict(cls, data))


def test_ft_05_finish_reason_is_absent_until_the_end():
    """A choice that goes on does not say how it ended, not even by null."""
    assert {"index": 0, "delta": {}} == to_dict(ChunkChoice())
    assert "finish_reason" not in to_dict(Choice(0, Message.assistant("Hi")))


@pytest.mark.parametrize(
    "chunk",
    [
        ChatCompletionChunk(**HEAD, choices=[ChunkChoice(0, Delta(role="assistant", content="Hi"))]),
        ChatCompletionChunk(**HEAD, choices=[ChunkChoice(1, Delta(), "tool_calls")], extra={"x": [1, None]}),
        ChatCompletionChunk(**HEAD, usage=Usage(1, 2, 3)),
        ChatCompletionChunk(),
    ],
)
def test_ft_06_a_chunk_survives_the_round_trip_equal(chunk):
    """Writing and reading a chunk gives an equal chunk."""
    assert chunk == from_json(ChatCompletionChunk, to_json(chunk))
    assert chunk == from_dict(ChatCompletionChunk, to_dict(chunk))


@pytest.mark.parametrize("cls", WIRE_CLASSES, ids=lambda cls: cls.__name__)
def test_ft_06_every_class_survives_the_round_trip_equal(cls):
    """Writing and reading an object gives an equal one, with everything set and with nothing."""
    full = from_dict(cls, {**full_json(cls), "vendor_field": {"a": [1, None]}})
    assert full == from_json(cls, to_json(full))
    assert minimal(cls) == from_json(cls, to_json(minimal(cls)))
    assert full != minimal(cls)


def test_objects_of_another_class_are_not_equal():
    """Equality asks for the same class, not only for the same fields."""
    assert Delta() != ChatCompletionRequest("m", [])
    assert Delta() != {}
    assert Delta(content="a") != Delta(content="b")
    assert Delta(extra={"a": 1}) != Delta()


def test_a_minimal_request_has_exactly_two_keys():
    """A model and a message are all that is sent when nothing else is asked for."""
    request = ChatCompletionRequest("gpt-5-mini", [Message.user("Hi")])
    assert {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]} == to_dict(request)


def test_explicit_false_zero_and_empty_values_are_sent():
    """Only None means absent."""
    request = ChatCompletionRequest(
        "m", [], stream=False, temperature=0, seed=0, user="", stop=[], tools=[], metadata={}, logit_bias={}
    )
    expected = {"model": "m", "messages": [], "stream": False, "temperature": 0, "seed": 0, "user": ""}
    assert {**expected, "stop": [], "tools": [], "metadata": {}, "logit_bias": {}} == to_dict(request)
    assert {"role": "user", "content": ""} == to_dict(Message.user(""))
    assert {"role": "assistant", "tool_calls": []} == to_dict(Message.assistant(tool_calls=[]))
    assert {"content": "", "tool_calls": []} == to_dict(Delta(content="", tool_calls=[]))


def test_plain_dicts_are_accepted_and_sent_as_they_are():
    """Messages, tools and response formats may be dicts, with fields nobody knows and even with null."""
    message = {"role": "critic", "content": [{"type": "hologram", "n": 0}], "note": None}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "default": None}}}
    form = {"type": "grammar", "grammar": "root ::= 'a'", "x": None}
    request = ChatCompletionRequest("m", [message, Message.user("Hi")], tools=[tool], response_format=form)
    sent = to_dict(request)
    assert [message, {"role": "user", "content": "Hi"}] == sent["messages"]
    assert ([tool], form) == (sent["tools"], sent["response_format"])
    assert sent == from_json(dict, to_json(request))


def test_vendor_fields_stand_beside_the_others():
    """What is given as extra is sent, with the name it was given."""
    request = ChatCompletionRequest("m", [], extra={"top_k": 4, "thinking": {"type": "enabled"}, "none": None})
    expected = {"model": "m", "messages": [], "top_k": 4, "thinking": {"type": "enabled"}, "none": None}
    assert expected == to_dict(request)


def test_extra_that_names_a_field_is_not_dropped():
    """What is accepted is sent: a known field may come through extra too, and wins over the attribute."""
    assert 0.5 == to_dict(ChatCompletionRequest("m", [], extra={"temperature": 0.5}))["temperature"]
    assert 2 == to_dict(ChatCompletionRequest("m", [], seed=1, extra={"seed": 2}))["seed"]


def test_evolved_objects_keep_their_extra():
    """attrs.evolve changes one field and keeps the unknown ones, also of what was decoded."""
    data = {"model": "m", "messages": [], "top_k": 4}
    request = attrs.evolve(from_dict(ChatCompletionRequest, data), stream=True)
    assert {**data, "stream": True} == to_dict(request)
    chunk = attrs.evolve(from_dict(ChatCompletionChunk, {**HEAD, "usage": {}, "choices": [], "x": 1}), usage=None)
    assert {**HEAD, "choices": [], "x": 1} == to_dict(chunk)


@pytest.mark.parametrize("cls", WIRE_CLASSES, ids=lambda cls: cls.__name__)
def test_the_repr_names_the_class_and_no_absent_field(cls):
    """A repr is short: what is None is not in it."""
    assert repr(minimal(cls)).startswith(cls.__name__ + "(")
    assert "None" not in repr(minimal(cls))
    assert "_extra" not in repr(from_dict(cls, full_json(cls)))


def test_conveniences_of_a_completion():
    """The first choice's text, reasoning, refusal, tool calls and finish reason are at hand, and never raise."""
    call = ToolCall("call_1", FunctionCall("f", "{}"))
    message = Message.assistant("Hi", reasoning_content="Hm", refusal="No", tool_calls=[call])
    answer = ChatCompletion(choices=[Choice(0, message, "stop")])
    assert ("Hi", "Hm", "No") == (answer.text, answer.reasoning, answer.refusal)
    assert ((call,), "stop", message) == (answer.tool_calls, answer.finish_reason, answer.message)
    empty = ChatCompletion()
    assert ("", "", "", (), None) == (
        empty.text,
        empty.reasoning,
        empty.refusal,
        empty.tool_calls,
        empty.finish_reason,
    )
    assert Message("assistant") == empty.message


def test_conveniences_of_a_chunk():
    """A chunk speaks for the choice with index 0, wherever that stands, and never raises."""
    zero, one = ChunkChoice(0, Delta(content="a", reasoning_content="r")), ChunkChoice(1, Delta(content="b"), "stop")
    for choices in ([zero, one], [one, zero]):
        chunk = ChatCompletionChunk(choices=choices)
        assert ("a", "r", None) == (chunk.text, chunk.reasoning, chunk.finish_reason)
    for choices in ([], [one]):
        chunk = ChatCompletionChunk(choices=choices)
        assert ("", "", None) == (chunk.text, chunk.reasoning, chunk.finish_reason)


def test_the_text_of_a_message_is_that_of_its_text_parts():
    """Text is found in a string, in parts and in dicts; other parts add none."""
    parts = ["a", TextPart("b"), {"type": "text", "text": "c"}, {"type": "image_url"}, {"type": "x", "text": None}]
    assert "abc" == Message.user(parts).text
    assert ("Hi", "") == (Message.user("Hi").text, Message.assistant().text)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("", {}), (" \n", {}), ("{}", {}), ('{"city": "Rome", "n": 2}', {"city": "Rome", "n": 2})],
)
def test_tool_call_arguments_parse_to_a_dict(arguments, expected):
    """The arguments are JSON text of an object; empty text means none."""
    assert expected == ToolCall("call_1", FunctionCall("f", arguments)).parse_arguments()


@pytest.mark.parametrize("arguments", ["[1]", "1", "null", '"a"', '{"a":', "no JSON"])
def test_tool_call_arguments_that_are_no_object_are_a_value_error(arguments):
    """A model may write nonsense; the program is told in one way."""
    with pytest.raises(ValueError):
        ToolCall("call_1", FunctionCall("f", arguments)).parse_arguments()


def test_tool_calls_know_their_name_and_arguments():
    """Name and arguments are found for functions, custom tools and calls that hold neither."""
    function, custom = ToolCall("1", FunctionCall("f", "{}")), ToolCall("2", type="custom", custom=CustomCall("g", "x"))
    assert [("f", "{}"), ("g", "x"), ("", "")] == [(c.name, c.arguments) for c in (function, custom, ToolCall("3"))]


def test_tools_and_response_formats_from_schemas():
    """A schema makes a function tool or a response format in the form of the wire."""
    schema = {"type": "object", "properties": {}}
    function = {"name": "f", "description": "Do", "parameters": schema, "strict": False}
    assert {"type": "function", "function": function} == to_dict(Tool.from_schema("f", "Do", schema, strict=False))
    json_schema = {"name": "a", "schema": schema, "strict": True}
    form = ResponseFormat.from_schema("a", schema, strict=True)
    assert {"type": "json_schema", "json_schema": json_schema} == to_dict(form)
    assert {"type": "json_object"} == to_dict(ResponseFormat.json_object())
