"""`Accumulator`: chunks become the answer so far, at any moment, for any number of choices."""

import base64
import copy
import gc
import json
import pickle
import time

import pytest

from compatapi.accumulate import Accumulator, EndTracker, chunk_from_completion
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk
from compatapi.convert import from_dict, to_dict
from compatapi.dialects.openai import OpenAIDialect
from streams import body, call, calls_of, chunk, part, read, say, stop, usage_of

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def gathered(*values, **options):
    """The answer of an accumulator that no dialect helps."""
    accumulator = Accumulator(**options)
    for value in values:
        accumulator.add(chunk(value))
    return accumulator.completion


def test_nothing_so_far():
    """Without a chunk the answer is empty and asking for its text does not fail."""
    completion = Accumulator().completion
    assert ([], "", None) == (completion.choices, completion.text, completion.usage)
    assert (False, False) == (EndTracker().has_spoken, EndTracker().is_finished)


def test_the_answer_at_any_moment():
    """The answer so far is there after each chunk, and what was given before does not change."""
    accumulator, seen = Accumulator(), []
    logprobs = {"content": [{"token": "x", "logprob": -1.0}]}
    details = [{"type": "reasoning.text", "index": 0, "text": "r"}]
    for text in "abc":
        accumulator.add(chunk(body({"content": text, "reasoning_details": details}, choice={"logprobs": logprobs})))
        seen.append(accumulator.completion)
    assert ["a", "ab", "abc"] == [completion.text for completion in seen]
    assert [1, 2, 3] == [len(completion.choices[0].logprobs.content) for completion in seen]
    assert ["r", "rr", "rrr"] == [completion.message.extra["reasoning_details"][0]["text"] for completion in seen]


@pytest.mark.parametrize("count", [2, 3, 17])
def test_any_number_of_choices(count):
    """Choices are told apart by index, whatever their order, and listed in that of the index."""
    order = [(turn * 7) % count if count == 17 else turn for turn in range(count - 1, -1, -1)]
    values = [say(f"{index}{turn}", index=index) for turn in "ab" for index in order]
    completion = gathered(*values, *[stop(f"r{index}", index=index) for index in order])
    assert list(range(count)) == [choice.index for choice in completion.choices]
    assert [f"{index}a{index}b" for index in range(count)] == [choice.message.text for choice in completion.choices]
    assert [f"r{index}" for index in range(count)] == [choice.finish_reason for choice in completion.choices]


def test_several_choices_in_one_chunk():
    """A chunk may hold several choices."""
    both = {"choices": [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]}
    assert ["aa", "bb"] == [choice.message.text for choice in gathered(both, both).choices]


def test_all_that_a_message_holds():
    """Role, text, reasoning and refusal are joined, each for itself; empty ones are absent."""
    first = body({"role": "assistant", "content": "", "refusal": ""})
    completion = gathered(first, say("a"), body({"reasoning_content": "r"}), say("b"), body({"reasoning_content": "s"}))
    assert {"role": "assistant", "content": "ab", "reasoning_content": "rs"} == to_dict(completion.message)
    refused = gathered(first, body({"refusal": "I can"}), body({"refusal": "not."}), stop())
    assert ("", "I cannot.") == (refused.text, refused.refusal)
    assert "content" not in to_dict(refused.message)


def test_role():
    """The first role counts; without one it is the assistant's."""
    assert "tool" == gathered(body({"role": "tool"}), body({"role": "assistant"})).message.role
    assert "assistant" == gathered(say("a")).message.role


def test_the_last_usage_wins():
    """The last usage with numbers counts; null, empty and missing ones do not."""
    early = {**USAGE, "completion_tokens": 1}
    values = [say("a", usage=early), say("b", usage=USAGE), say("c", usage={}), say("d", usage=None), say("e")]
    assert (3, 4, 7) == usage_of(gathered(*values))


def test_heads():
    """Of id, created, model and fingerprint the first that is not empty counts; the service tier may change."""
    values = [
        {"id": "", "created": 0, "model": "", "choices": []},
        {**say("a"), "system_fingerprint": "p1", "service_tier": "auto"},
        {**say("b"), "id": "c2", "created": 2, "model": "m2", "system_fingerprint": "p2", "service_tier": "default"},
    ]
    made = gathered(*values)
    assert ("c1", 1, "m", "p1", "default") == (
        made.id,
        made.created,
        made.model,
        made.system_fingerprint,
        made.service_tier,
    )
    assert "chat.completion" == made.object


def test_unknown_fields_are_kept():
    """Unknown fields of chunk, choice and delta are in the answer, the last that says something; padding is not."""
    first = body(
        {"content": "a", "channel": "x"},
        choice={"seed": 5, "stop_reason": None},
        citations=["u"],
        obfuscation="zz",
        p="pp",
    )
    last = body({"channel": None}, choice={"stop_reason": "eos"}, citations=[], timings={"n": 1})
    completion = gathered(first, last)
    assert {"citations": ["u"], "timings": {"n": 1}} == dict(completion.extra)
    assert {"seed": 5, "stop_reason": "eos"} == dict(completion.choices[0].extra)
    assert {"channel": "x"} == dict(completion.message.extra)


def test_the_other_fields_of_a_choice_stay_out():
    """A cumulative message beside the delta (Perplexity) is not kept again."""
    completion = gathered(
        say("a", choice={"message": {"content": "a"}}), say("b", choice={"message": {"content": "ab"}})
    )
    assert "ab" == completion.text
    assert {} == dict(completion.choices[0].extra)


def test_logprobs():
    """Log probabilities of text and refusal are joined."""

    def token(text):
        return {"token": text, "logprob": -0.5, "bytes": [1], "top_logprobs": []}

    values = [
        say("a", choice={"logprobs": {"content": [], "refusal": None}}),
        say("b", choice={"logprobs": {"content": [token("b")], "refusal": None}}),
        say("c", choice={"logprobs": {"content": [token("c"), token("d")], "refusal": [token("e")]}}),
        stop(choice={"logprobs": None}),
    ]
    completion = gathered(*values)
    assert {"content": [token("b"), token("c"), token("d")], "refusal": [token("e")]} == to_dict(
        completion.choices[0].logprobs
    )


def test_annotations():
    """Annotations of several chunks are joined."""
    notes = [{"type": "url_citation", "url_citation": {"url": f"https://example.org/{n}", "title": "t"}} for n in "12"]
    completion = gathered(say("a"), body({"annotations": notes[:1]}), body({"annotations": notes[1:]}), stop())
    assert notes == to_dict(completion.message)["annotations"]


@pytest.mark.parametrize("padded", [True, False])
def test_audio(padded):
    """Sound and transcript are joined, also where each piece of base64 is padded for itself."""
    sound = bytes(range(250))
    size = 50 if padded else 51
    pieces = [base64.b64encode(sound[at : at + size]).decode() for at in range(0, len(sound), size)]
    audio = [{"id": "au"}, {"transcript": "he"}, *({"data": data} for data in pieces), {"transcript": "llo"}]
    audio.append({"expires_at": 5, "voice": "v"})
    made = gathered(*[body({"audio": piece}) for piece in audio], stop()).message.audio
    assert ("au", "hello", 5) == (made.id, made.transcript, made.expires_at)
    assert sound == base64.b64decode(made.data)
    assert {"voice": "v"} == dict(made.extra)


def test_reasoning_is_written_back_under_its_own_name():
    """Reasoning goes back under the name that the server used, and under no other."""
    text = {"type": "reasoning.text", "index": 0, "text": "why", "format": "f"}
    for delta in ({"reasoning": "why"}, {"reasoning_content": "why"}, {"reasoning_details": [text]}):
        message = gathered(body(delta), say("a"), stop()).message
        assert "why" == message.reasoning_content
        assert {"role": "assistant", "content": "a", **delta} == to_dict(message)
    message = gathered(body({"content": [{"type": "thinking", "thinking": "why"}]}), say("a"), stop()).message
    assert ("why", "a") == (message.reasoning_content, message.text)


def test_reasoning_details_are_merged():
    """Pieces of one reasoning detail become one; others stay apart, with signatures and encrypted data whole."""

    def text(words, index=0, **more):
        return body({"reasoning_details": [{"type": "reasoning.text", "text": words, "index": index, **more}]})

    secret = {"type": "reasoning.encrypted", "data": "AAAA", "id": "rs_1", "format": None}
    other = {**secret, "data": "BBBB", "id": "rs_2"}
    values = [
        text("one ", format="x", id="i"),
        text("two", id="i"),
        text("", signature="sig"),
        text("next", index=1),
        body({"reasoning_details": [secret]}),
        body({"reasoning_details": [other]}),
        body({"reasoning_details": []}),
    ]
    details = gathered(*values, stop()).message.extra["reasoning_details"]
    assert [
        {"type": "reasoning.text", "text": "one two", "index": 0, "format": "x", "id": "i", "signature": "sig"},
        {"type": "reasoning.text", "text": "next", "index": 1},
        secret,
        other,
    ] == details


def test_reasoning_details_do_not_touch_the_chunks():
    """Merging details leaves the chunks as they were."""
    value = body({"reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0}]})
    accumulator, pieces = Accumulator(), [chunk(copy.deepcopy(value)) for _ in range(2)]
    for piece in pieces:
        accumulator.add(piece)
    assert [{**value, "choices": [{"index": 0, "delta": value["choices"][0]["delta"]}]}] * 2 == [
        {**to_dict(piece), "choices": [{"index": 0, "delta": to_dict(piece.choices[0].delta)}]} for piece in pieces
    ]


def test_the_end_of_one_choice():
    """Who has spoken is at the end with a finish reason, and stays there whatever follows."""
    tracker = EndTracker()
    tracker.add(chunk(say("a" * 1000, usage=USAGE)))
    assert (True, False) == (tracker.has_spoken, tracker.is_finished)
    tracker.add(chunk(stop()))
    assert tracker.is_finished
    tracker.add(chunk(say("")))
    assert tracker.is_finished


def test_the_end_needs_every_choice_that_spoke():
    """Every choice that spoke needs a finish reason; an empty one is none."""
    tracker = EndTracker()
    for value, finished in (
        ({"choices": []}, False),
        (say("a"), False),
        (say("b", index=1), False),
        (stop(), False),
        (stop(index=1), True),
        ({"choices": [], "usage": USAGE}, True),
    ):
        tracker.add(chunk(value))
        assert finished is tracker.is_finished


def test_the_answer_travels():
    """The answer can be pickled, and survives JSON, with readings and unknown fields."""
    made = gathered(body({"reasoning": "r", "x": 1}), call(part("f", {"a": 1}, index=0, id="c")), stop("eos", y=2))
    assert made == pickle.loads(pickle.dumps(made)) == from_dict(ChatCompletion, to_dict(made))


def seconds(values):
    """The least processor time of three runs."""
    times = []
    for _ in range(3):
        accumulator = Accumulator()
        gc.collect()
        start = time.process_time()
        for value in values:
            accumulator.add(value)
        assert accumulator.completion.choices
        times.append(time.process_time() - start)
    return min(times)


PIECE = "x" * 4000
GROWING = {
    "text": body({"content": PIECE}),
    "reasoning": body({"reasoning": PIECE}),
    "details": body({"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": PIECE}]}),
    "arguments": call(part(None, PIECE, index=0)),
    "arguments, name repeated": call(part("f", PIECE)),
    "audio": body({"audio": {"data": PIECE, "transcript": PIECE}}),
    "logprobs": body({}, choice={"logprobs": {"content": [{"token": "x", "logprob": -1.0}] * 20}}),
}


@pytest.mark.parametrize("kind", GROWING)
def test_linear_cost(kind):
    """Ten times the chunks cost about ten times as much (far under the hundred times of joining again and again)."""
    piece = chunk(GROWING[kind])
    small, large = seconds([piece] * 300), seconds([piece] * 3000)
    assert large < 35 * max(small, 0.001)


# --- whole answers as a chunk ---------------------------------------------------------------------------------------

WHOLE = {
    "id": "c1",
    "object": "chat.completion",
    "created": 5,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_use",
            "native_finish_reason": "x",
            "message": {
                "role": "assistant",
                "content": "a",
                "reasoning": "r",
                "refusal": "n",
                "tool_calls": [
                    {"id": "", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
                    {"id": "b", "type": "custom", "custom": {"name": "g", "input": "i"}},
                ],
                "annotations": [{"type": "url_citation", "url_citation": {"url": "https://example.org"}}],
                "audio": {"id": "au", "data": "AAAA", "transcript": "t"},
                "sensitive": False,
            },
            "logprobs": {"content": [{"token": "a", "logprob": -1.0}]},
        },
        {"index": 1, "finish_reason": "length", "message": {"role": "assistant", "content": "b"}},
    ],
    "usage": USAGE,
    "service_tier": "default",
    "system_fingerprint": "p",
    "base_resp": {"status_code": 0},
}


def test_chunk_from_completion():
    """A whole answer as one chunk holds everything, and accumulates to the same answer."""
    completion = OpenAIDialect().decode_completion(json.dumps(WHOLE).encode())
    made = chunk_from_completion(completion)
    assert ChatCompletionChunk is type(made)
    assert ("chat.completion.chunk", "a", "r", "tool_calls") == (
        made.object,
        made.text,
        made.reasoning,
        made.finish_reason,
    )
    accumulator = Accumulator()
    accumulator.add(made)
    again = accumulator.completion
    assert [("f", '{"a":1}'), ("g", "i")] == calls_of(again)
    assert [call.id for call in completion.tool_calls] == [call.id for call in again.tool_calls]
    expected = to_dict(completion)
    expected["choices"][0]["message"]["tool_calls"] = to_dict(again.message)["tool_calls"]
    assert expected == to_dict(again)


def test_old_function_call_from_a_completion():
    """The old ``function_call`` of a whole answer is in the chunk."""
    message = {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}
    completion = from_dict(ChatCompletion, {"choices": [{"message": message, "finish_reason": "function_call"}]})
    assert message["function_call"] == to_dict(chunk_from_completion(completion).choices[0].delta)["function_call"]


def test_by_the_decoder_and_alone():
    """For a plain stream the accumulator alone gives what the stream gives."""
    values = [
        body({"role": "assistant", "content": ""}),
        say("a"),
        say("b"),
        stop(),
        {"id": "c1", "choices": [], "usage": USAGE},
    ]
    assert read(*values)[1] == gathered(*values)
