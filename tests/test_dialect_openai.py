"""The accents of OpenAI-compatible servers: rules 1 to 20 of "OpenAI-compatible servers", section 3, one by one."""

import json

import pytest

from compatapi.chat_types import ChatCompletionChunk
from compatapi.convert import from_dict, to_dict
from compatapi.dialects.openai import OpenAIDialect
from streams import body, call, calls_of, part, read, say, stop, usage_of, without_nulls

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
COUNTS = (3, 4, 7)


def read_choice(**choice):
    """The chunks and the answer of a stream whose middle chunk has exactly these fields in its choice."""
    return read(say("a"), {"id": "c1", "choices": [choice]}, stop())


@pytest.mark.parametrize(
    "fields",
    [
        {"usage": USAGE},
        {"prompt_filter_results": [{"prompt_index": 0}]},
        {"x_groq": {"id": "req"}},
        {"citations": ["https://example.org"]},
    ],
)
@pytest.mark.parametrize("choices", [{}, {"choices": []}], ids=["without", "empty"])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_compat_rule_01_choices_may_be_absent_or_empty(fields, choices, place):
    """A chunk without choices is valid anywhere, and what it carries is kept."""
    values = [say("a"), say("b"), stop()]
    values.insert(place, {"id": "c1", **choices, **fields})
    chunks, completion = read(*values)
    assert 4 == len(chunks)
    assert "ab" == completion.text
    assert fields == {name: to_dict(completion)[name] for name in fields}


def test_compat_rule_02_null_choices():
    """``choices: null`` is the same as an empty list."""
    chunks, completion = read(say("a"), {"id": "c1", "choices": None, "usage": USAGE}, stop())
    assert [] == chunks[1].choices
    assert COUNTS == usage_of(completion)


@pytest.mark.parametrize(
    "choice",
    [
        {"index": 0, "finish_reason": None, "content_filter_offsets": {"start_offset": 0}},
        {"delta": {"content": ""}, "finish_reason": None},
        {"index": 0, "delta": {"content": ""}},
        {},
    ],
    ids=["no delta", "no index", "no finish_reason", "nothing"],
)
def test_compat_rule_03_a_choice_may_lack_fields(choice):
    """A choice may lack delta, index (0 then) and finish_reason (null then)."""
    chunks, completion = read_choice(**choice)
    got = chunks[1].choices[0]
    assert (0, None, None) == (got.index, got.finish_reason, got.delta.content or None)
    assert "a" == completion.text
    assert "stop" == completion.finish_reason


def test_compat_rule_03_a_chunk_behind_the_end():
    """A chunk of the filter behind the finish reason opens nothing again."""
    late = {"id": "", "choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {"end_offset": 9}}]}
    _, completion = read(say("a"), stop(), late)
    assert "stop" == completion.finish_reason
    assert {"end_offset": 9} == completion.choices[0].extra["content_filter_offsets"]


def test_compat_rule_04_null_delta():
    """``delta: null`` is the same as an empty one, and is not written as one."""
    chunks, _ = read_choice(index=0, delta=None)
    assert chunks[1].choices[0].delta.content is None
    assert {"id": "c1", "choices": [{"index": 0}]} == to_dict(chunks[1])


def test_compat_rule_05_empty_finish_reason():
    """``finish_reason: ""`` is the same as null, and the raw value stays."""
    chunks, completion = read(say("a", finish=""), say("b", finish=""), stop())
    assert [None, None, "stop"] == [chunk.finish_reason for chunk in chunks]
    assert "" == to_dict(chunks[0])["choices"][0]["finish_reason"]
    assert ("ab", "stop") == (completion.text, completion.finish_reason)


def test_compat_rule_06_two_finish_reasons():
    """Of two finish reasons of one choice the first is given, and both stay as they were on the wire."""
    chunks, completion = read(say("a"), stop("length"), stop("stop"))
    assert [None, "length", None] == [chunk.finish_reason for chunk in chunks]
    assert "stop" == to_dict(chunks[2])["choices"][0]["finish_reason"]
    assert "length" == completion.finish_reason


def test_compat_rule_06_each_choice_has_its_own():
    """The finish reason of one choice does not hide that of another."""
    _, completion = read(say("a"), say("b", index=1), stop("length"), stop("stop", index=1))
    assert ["length", "stop"] == [choice.finish_reason for choice in completion.choices]


DETAILS = [{"type": "reasoning.text", "index": 0, "text": "why"}]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "why"},
        {"reasoning": "why"},
        {"reasoning_details": DETAILS},
        {"reasoning_details": [{"type": "reasoning.summary", "index": 0, "summary": "why"}]},
        {"reasoning_content": "why", "reasoning": "other", "reasoning_details": DETAILS},
        {"reasoning_content": "", "reasoning": "why", "reasoning_details": DETAILS},
        {"reasoning_content": None, "reasoning": None, "reasoning_details": DETAILS},
        {"reasoning": "why", "reasoning_details": [*DETAILS, {"type": "reasoning.encrypted", "data": "x"}]},
    ],
)
def test_compat_rule_07_reasoning(delta):
    """Reasoning is the first of its three names that is not empty, never two of them joined."""
    chunks, completion = read(body({"role": "assistant", "content": "", **delta}), say("b"), stop())
    assert ["why", "", ""] == [chunk.reasoning for chunk in chunks]
    assert ("why", "b") == (completion.reasoning, completion.text)
    assert without_nulls({"role": "assistant", "content": "", **delta}) == without_nulls(
        to_dict(chunks[0].choices[0].delta)
    )


def test_compat_rule_07_details_without_text():
    """Encrypted reasoning has no text, and is kept."""
    secret = [{"type": "reasoning.encrypted", "index": 0, "data": "xyz", "id": "rs_1"}]
    chunks, completion = read(body({"reasoning_details": secret}), say("b"), stop())
    assert "" == chunks[0].reasoning
    assert secret == completion.message.extra["reasoning_details"]


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("plain", "plain", ""),
        (None, "", ""),
        ([], "", ""),
        ([{"type": "text", "text": "pla"}, {"type": "text", "text": "in"}], "plain", ""),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}], "", "why"),
        ([{"type": "thinking", "thinking": "why"}, {"type": "text", "text": "plain"}], "plain", "why"),
        ([{"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "plain"}], "plain", ""),
    ],
)
def test_compat_rule_08_content_as_parts(content, text, reasoning):
    """Content may be a string, null or parts; text goes to content, thinking to reasoning."""
    chunks, completion = read(body({"content": content}), stop())
    assert (text, reasoning) == (chunks[0].text, chunks[0].reasoning)
    assert (text, reasoning) == (completion.text, completion.reasoning)
    assert content == to_dict(chunks[0].choices[0].delta).get("content")


def test_compat_rule_09_without_index_new_ids():
    """A fragment without index and with a new id is a new call; one without id belongs to the last."""
    chunks, completion = read(
        call(part("f", '{"a"', id="x1")),
        call(part(None, ":1}")),
        call(part("g", "{", id="x2")),
        call(part(None, "}")),
        stop(),
    )
    assert [("f", '{"a":1}'), ("g", "{}")] == calls_of(completion)
    assert [0, 0, 1, 1] == [chunk.choices[0].delta.tool_calls[0].index for chunk in chunks[:4]]


def test_compat_rule_09_without_index_known_id():
    """A fragment without index and with an id that was seen belongs to the call of that id."""
    _, completion = read(
        call(part("f", "{", id="x1")), call(part("g", "{", id="x2")), call(part(None, "}", id="x1")), stop()
    )
    assert [("f", "{}"), ("g", "{")] == calls_of(completion)


def test_compat_rule_09_several_in_one_delta():
    """Several fragments without index in one delta are told apart by their order."""
    _, completion = read(call(part("f", '{"a"'), part("f", '{"b"')), call(part(None, ":1}"), part(None, ":2}")), stop())
    assert [("f", '{"a":1}'), ("f", '{"b":2}')] == calls_of(completion)


def test_compat_rule_09_the_index_is_no_wire_value():
    """An index that was found out is a reading: it is not written back."""
    chunks, _ = read(call(part("f", "{}", id="x1")), stop())
    fragment = chunks[0].choices[0].delta.tool_calls[0]
    assert 0 == fragment.index
    assert {"id": "x1", "function": {"name": "f", "arguments": "{}"}} == to_dict(fragment)


@pytest.mark.parametrize("names", [{}, {"id": ""}, {"id": None}, {"id": "", "index": 0}, {"index": 0}])
def test_compat_rule_10_a_missing_id_is_made_up(names):
    """A call without an id gets one when it starts; chunks and answer agree on it, the wire does not show it."""
    chunks, completion = read(call(part("f", "{}", type="function", **names)), stop())
    fragment = chunks[0].choices[0].delta.tool_calls[0]
    assert fragment.id.startswith("call_") and len(fragment.id) > 15
    assert fragment.id == completion.tool_calls[0].id
    assert (names.get("id") is not None) == ("id" in to_dict(fragment))


def test_compat_rule_10_made_up_ids_differ():
    """Two calls without ids get different ones."""
    _, completion = read(call(part("f", "{}"), part("f", "{}")), stop())
    assert 2 == len({made.id for made in completion.tool_calls})


@pytest.mark.parametrize("indices", [(1, 2), (0, 2), (5, 3)])
def test_compat_rule_11_indices_with_gaps(indices):
    """Indices are kept as they are, and order the final list."""
    one, two = indices
    chunks, completion = read(
        call(part("f", "", index=one, id="x1")),
        call(part("g", "", index=two, id="x2")),
        call(part(None, "{1}", index=one)),
        call(part(None, "{2}", index=two)),
        stop(),
    )
    assert [one, two, one, two] == [chunk.choices[0].delta.tool_calls[0].index for chunk in chunks[:4]]
    expected = [("f", "{1}"), ("g", "{2}")]
    assert (expected if one < two else expected[::-1]) == calls_of(completion)


@pytest.mark.parametrize(
    ("arguments", "text"), [({"a": [1]}, '{"a":[1]}'), ({}, "{}"), (None, ""), ("", ""), ('{"a": 1}', '{"a": 1}')]
)
def test_compat_rule_12_arguments_as_object_or_null(arguments, text):
    """Arguments as an object become JSON text, null becomes the empty text; a string is left as it is."""
    fragment = {"index": 0, "id": "x1", "function": {"name": "f", "arguments": arguments}}
    chunks, completion = read(call(fragment), stop())
    assert [("f", text)] == calls_of(completion)
    assert arguments == to_dict(chunks[0].choices[0].delta.tool_calls[0])["function"].get("arguments")


@pytest.mark.parametrize("names", [{"index": 0, "id": "x1"}, {"index": 0}, {"id": "x1"}, {}])
def test_compat_rule_13_a_repeated_name(names):
    """A name that comes again with each fragment is not appended."""
    fragments = [call(part("f", text, **names)) for text in ("", '{"a"', ":1", "}")]
    assert [("f", '{"a":1}')] == calls_of(read(*fragments, stop())[1])


def test_compat_rule_14_usage_on_every_chunk():
    """The last usage that is not null counts; an empty one and zeros on early chunks are harmless."""
    zero = dict.fromkeys(USAGE, 0)
    early = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    chunks, completion = read(
        say("a", usage={}), say("b", usage=zero), say("c", usage=early), stop(usage=USAGE), say("", usage=None)
    )
    assert COUNTS == usage_of(completion)
    assert early == to_dict(chunks[2].usage)


@pytest.mark.parametrize(
    "place",
    [
        {"x_groq": {"id": "req", "usage": USAGE}},
        {"choice": {"usage": USAGE}},
        {"usage": None, "choice": {"usage": USAGE}},
        {"usage": USAGE, "x_groq": {"usage": USAGE}},
    ],
)
@pytest.mark.parametrize("finish", ["stop", None])
def test_compat_rule_15_usage_in_other_places(place, finish):
    """Usage may be in x_groq and in the choice, with or without a finish reason there."""
    chunks, completion = read(say("a", finish=finish, **place), stop())
    assert COUNTS == usage_of(completion)
    assert COUNTS == (chunks[0].usage.prompt_tokens, chunks[0].usage.completion_tokens, chunks[0].usage.total_tokens)


@pytest.mark.parametrize("place", ["x_groq", "choice"])
def test_compat_rule_15_the_details_come_along(place):
    """Usage from another place is read whole, with its details and what is unknown in it."""
    full = {**USAGE, "prompt_tokens_details": {"cached_tokens": 2}, "cost": 0.5}
    _, completion = read(stop(**{place: {"usage": full}}))
    assert 2 == completion.usage.prompt_tokens_details.cached_tokens
    assert {"cost": 0.5} == dict(completion.usage.extra)


def test_compat_rule_15_the_usual_place_wins():
    """Usage at the top is not replaced by that of another place."""
    _, completion = read(stop(usage=USAGE, x_groq={"usage": dict.fromkeys(USAGE, 9)}))
    assert COUNTS == usage_of(completion)


def test_compat_rule_16_stop_with_tool_calls():
    """A finish reason "stop" beside tool calls is left as it is."""
    _, completion = read(call(part("f", "{}", index=0, id="x1"), finish="stop"))
    assert "stop" == completion.finish_reason
    assert [("f", "{}")] == calls_of(completion)


REASONS = {
    "stop": ["eos", "eos_token", "stop_sequence", "end_turn", "normal"],
    "length": ["max_tokens", "model_length"],
    "content_filter": ["sensitive", "safety", "content_filtered"],
    "tool_calls": ["function_call", "tool_use"],
}


@pytest.mark.parametrize(("usual", "raw"), [(usual, raw) for usual, raws in REASONS.items() for raw in raws])
def test_compat_rule_17_finish_reasons(usual, raw):
    """A finish reason of another vocabulary is read as the usual one, and the raw one stays."""
    chunks, completion = read(say("a"), stop(raw))
    assert (usual, usual) == (chunks[1].finish_reason, completion.finish_reason)
    assert raw == chunks[1].choices[0].wire_value("finish_reason")
    assert raw == completion.choices[0].wire_value("finish_reason")
    assert raw == to_dict(completion)["choices"][0]["finish_reason"]


@pytest.mark.parametrize("raw", ["error", "network_error", "insufficient_system_resource", "abort"])
def test_compat_rule_17_finish_by_failure(raw):
    """A finish reason that tells of a failure is read as "error" or "stop", and the raw one stays."""
    _, completion = read(say("a"), stop(raw))
    assert completion.finish_reason in ("error", "stop")
    assert raw == completion.choices[0].wire_value("finish_reason")


def test_compat_rule_17_an_unknown_reason_passes():
    """A finish reason that nobody knows yet is given as it is."""
    assert "tired" == read(say("a"), stop("tired"))[1].finish_reason


@pytest.mark.parametrize(
    ("raw", "created"), [(0, 0), (1.5, 1), ("1730000000", 1730000000), ("1730000000.5", 1730000000), ("soon", None)]
)
def test_compat_rule_18_created(raw, created):
    """``created`` may be 0, a float or text, and is written as it was."""
    chunks, _ = read({**say("a"), "created": raw}, stop())
    assert created == chunks[0].created
    assert raw == to_dict(chunks[0])["created"]


def test_compat_rule_18_first_id_that_is_not_empty():
    """Id, created and model may be empty, missing or change: the first that is not empty counts."""
    empty = {"id": "", "created": 0, "model": "", "choices": []}
    later = {**say("b"), "id": "c2", "created": 2, "model": "m2"}
    _, completion = read(empty, {"choices": []}, say("a"), later, stop())
    assert ("c1", 1, "m") == (completion.id, completion.created, completion.model)
    assert "ab" == completion.text


def test_compat_rule_19_another_model():
    """The model of the answer may differ from the one asked for."""
    assert "m-2024" == read({**say("a"), "model": "m-2024"}, {**stop(), "model": "m-2024"})[1].model


def test_compat_rule_20_odd_usage():
    """Numbers in usage may be floats, details null, and unknown keys are kept."""
    odd = {
        "prompt_tokens": 3.0,
        "completion_tokens": 4.6,
        "total_tokens": 7.6,
        "prompt_tokens_details": None,
        "completion_tokens_details": {"reasoning_tokens": 1.5, "image_tokens": 0},
        "queue_time": 0.25,
    }
    chunks, completion = read(say("a"), stop(usage=odd))
    assert COUNTS == usage_of(completion)
    assert 1 == completion.usage.completion_tokens_details.reasoning_tokens
    assert {"queue_time": 0.25} == dict(completion.usage.extra)
    assert {name: value for name, value in odd.items() if value is not None} == to_dict(chunks[1].usage)


def test_compat_section_2_tool_calls_as_object():
    """Older TGI sends ``tool_calls`` as one object instead of a list."""
    one = {"index": 0, "id": "", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    chunks, completion = read(body({"tool_calls": one}), stop())
    assert [("f", "{}")] == calls_of(completion)
    assert one == to_dict(chunks[0].choices[0].delta)["tool_calls"]


def test_compat_section_2_whole_message_at_the_end():
    """A whole message in the last chunk (MiniMax) does not say the answer again."""
    last = {"id": "c1", "object": "chat.completion", "choices": [{"index": 0, "message": {"content": "ab"}}]}
    last["choices"][0]["finish_reason"] = "stop"
    chunks, completion = read(say("a"), say("b"), last)
    assert "ab" == "".join(chunk.text for chunk in chunks)
    assert ("ab", "stop") == (completion.text, completion.finish_reason)


def test_compat_section_2_whole_message_alone():
    """A whole message where deltas belong is the answer when nothing was said before."""
    message = {"role": "assistant", "content": "ab", "reasoning": "why"}
    _, completion = read({"id": "c1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    assert ("ab", "why", "stop") == (completion.text, completion.reasoning, completion.finish_reason)


def detail(text, format="MiniMax-response-v1", **fields):
    """A chunk with one detail of reasoning."""
    piece = {"type": "reasoning.text", "id": "reasoning-text-1", "format": format, "index": 0, "text": text, **fields}
    return body({"content": "", "reasoning_details": [piece]})


DETAILS = {
    "cumulative": (["The", "The user", "The user greets."], "The user greets."),
    "incremental": (["The", " user", " greets."], "The user greets."),
    "the same again": (["The", "The", "The user"], "The user"),
    "adding after the second": (["Ha", " ha", " ha ha"], "Ha ha ha ha"),
}


@pytest.mark.parametrize("case", DETAILS)
def test_compat_rule_21_details_that_repeat(case):
    """Details of MiniMax that repeat what was said add only what is new; those that add are joined."""
    texts, expected = DETAILS[case]
    chunks, completion = read(*map(detail, texts), say("Hi"), stop())
    assert expected == "".join(chunk.reasoning for chunk in chunks) == completion.reasoning
    [joined] = completion.message.extra["reasoning_details"]
    assert (expected, "reasoning-text-1") == (joined["text"], joined["id"])
    again = [from_dict(ChatCompletionChunk, to_dict(chunk)) for chunk in chunks]
    assert chunks == again
    assert [chunk.reasoning for chunk in chunks] == [chunk.reasoning for chunk in again]


def test_compat_rule_21_each_detail_for_itself():
    """A second thought begins anew, and may repeat itself too."""
    second = {"id": "reasoning-text-2", "index": 1}
    chunks, completion = read(detail("One"), detail("One."), detail("Two", **second), detail("Two!", **second), stop())
    assert ["One", ".", "Two", "!", ""] == [chunk.reasoning for chunk in chunks]
    assert ["One.", "Two!"] == [item["text"] for item in completion.message.extra["reasoning_details"]]


def test_compat_rule_21_beside_text():
    """What repeats in a chunk with text is cut too."""
    chunks, completion = read(detail("One"), {**detail("One."), **say("Hi")}, stop())
    assert "Hi" == completion.text
    last = detail("One.")
    last["choices"][0]["delta"]["content"] = "Hi"
    chunks, completion = read(detail("One"), last, stop())
    assert (["One", ".", ""], "Hi") == ([chunk.reasoning for chunk in chunks], completion.text)


@pytest.mark.parametrize("format", ["anthropic-claude-v1", None, 5])
def test_compat_rule_21_other_formats_add(format):
    """Details of others are pieces, also when one happens to begin like those before it."""
    assert "HaHa!" == read(detail("Ha", format), detail("Ha!", format), stop())[1].reasoning


@pytest.mark.parametrize("details", [[5], [], "x", [{"format": "minimax", "text": 5}], [{"format": "minimax"}]])
def test_compat_rule_21_odd_details(details):
    """Details of no known shape are kept and say nothing."""
    odd = body({"content": "", "reasoning": "r", "reasoning_details": details})
    chunks, completion = read(odd, odd, stop())
    assert "rr" == completion.reasoning
    assert details == chunks[0].choices[0].delta.extra["reasoning_details"]


def test_compat_whole_answers_follow_the_same_rules():
    """What holds for chunks holds for a whole answer: reasoning, parts, finish reasons, ids, arguments."""
    message = {
        "content": [{"type": "thinking", "thinking": "why"}, {"type": "text", "text": "a"}],
        "tool_calls": [{"id": "", "function": {"name": "f", "arguments": {"a": 1}}}],
    }
    value = {"id": "c1", "created": "5", "choices": [{"message": message, "finish_reason": "tool_use"}], "usage": USAGE}
    completion = OpenAIDialect().decode_completion(b"\n\n\n" + json.dumps(value).encode())
    assert ("a", "why", "tool_calls", 5) == (
        completion.text,
        completion.reasoning,
        completion.finish_reason,
        completion.created,
    )
    assert [("f", '{"a":1}')] == calls_of(completion)
    assert completion.tool_calls[0].id.startswith("call_")
    again = to_dict(completion)
    assert value["choices"][0]["finish_reason"] == again["choices"][0]["finish_reason"]
    assert message["tool_calls"] == again["choices"][0]["message"]["tool_calls"]
