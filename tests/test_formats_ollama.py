"""Chunks as Ollama's lines."""

import json

import pytest

from compatapi.chat_types import ChatCompletionChunk, ChunkChoice, Delta
from compatapi.errors import ConfigError, DecodeError, StreamError
from compatapi.formats import iter_chunks, iter_ollama
from compatapi.stats import Stats
from streams import body, call, calls_of, part, read, say, stop, usage_of

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def lines(*values, **options):
    """The JSON objects of the lines that the wire dicts give, with the order of their keys."""
    return [json.loads(piece) for piece in b"".join(write(*values, **options)).splitlines()]


def write(*values, **options):
    """The bytes that the wire dicts give, with clocks that go on by a millisecond."""
    ticks = iter(range(0, 10**12, 10**6))
    return iter_ollama(read(*values)[0], clock=lambda: 1.5, timer=lambda: next(ticks), **options)


def test_text_has_the_bytes_of_ollama():
    """Keys, their order and the line ends are those of the recordings."""
    out = list(write(say("Hi é"), stop(usage=USAGE)))
    start = '{"model":"m","created_at":"1970-01-01T00:00:01Z","message":{"role":"assistant","content":'
    counts = '"prompt_eval_count":3,"prompt_eval_duration":1000000,"eval_count":2,"eval_duration":1000000}'
    assert [
        start + '"Hi é"},"done":false}\n',
        start + f'""}},"done_reason":"stop","done":true,"total_duration":2000000,{counts}\n',
    ] == [piece.decode() for piece in out]


def test_reasoning_is_thinking():
    """Reasoning has the key and the empty content that Ollama gives it."""
    found = lines(body({"reasoning_content": "Hm."}), say("4"), stop())
    assert [{"role": "assistant", "content": "", "thinking": "Hm."}, {"role": "assistant", "content": "4"}] == [
        line["message"] for line in found[:2]
    ]


def test_tool_calls_are_whole_and_their_arguments_are_objects():
    """Fragments are collected; all calls are on one line in front of the last, with ids and numbers."""
    found = lines(
        call(part("f", "", index=0, id="a")),
        call(part(None, '{"x": [1, ', index=0), part("g", "", index=1, id="b")),
        call(part(None, '"é"]}', index=0)),
        stop("tool_calls"),
    )
    assert [
        {"id": "a", "function": {"index": 0, "name": "f", "arguments": {"x": [1, "é"]}}},
        {"id": "b", "function": {"index": 1, "name": "g", "arguments": {}}},
    ] == found[0]["message"]["tool_calls"]
    assert (2, "stop", True) == (len(found), found[1]["done_reason"], found[1]["done"])


def test_a_tool_call_comes_with_the_finish_reason():
    """The line with the calls does not wait for the usage behind it."""
    writing = write(
        call(part("f", "{}", index=0, id="a")), stop("tool_calls"), {**body(), "choices": [], "usage": USAGE}
    )
    assert b'"tool_calls"' in next(writing)


@pytest.mark.parametrize(
    ("reason", "said"),
    [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), ("content_filter", "content_filter")],
)
def test_finish_reasons(reason, said):
    """Reasons are said in Ollama's words; one that it does not know stays as it is."""
    assert said == lines(say("a"), stop(reason))[-1]["done_reason"]


def test_usage_behind_the_finish_reason_is_in_the_last_line():
    """The last line waits for what comes behind the finish reason."""
    found = lines(say("a"), stop(), {**body(), "choices": [], "usage": USAGE})
    assert (3, 2) == (found[-1]["prompt_eval_count"], found[-1]["eval_count"])


def test_counts_that_nobody_gave_are_not_made_up():
    """Without usage there are durations and no counts."""
    assert {"total_duration", "prompt_eval_duration", "eval_duration"} == {
        name for name in lines(say("a"), stop())[-1] if name.endswith(("_count", "_duration"))
    }


def test_durations_of_a_stream_are_those_of_its_call():
    """A source with numbers of its call gives the time until its first piece, and until its end."""

    class Source(list):
        stats = Stats(first_data=0.25, total=1.0)

    last = json.loads(list(iter_ollama(Source(read(say("a"), stop())[0])))[-1])
    assert (10**9, 250_000_000, 750_000_000) == tuple(
        last[f"{name}_duration"] for name in ("total", "prompt_eval", "eval")
    )


def test_measured_durations_are_real():
    """Without such numbers the clock of the machine is asked, and the parts make the whole."""
    last = json.loads(list(iter_ollama(read(say("a"), stop())[0]))[-1])
    assert 0 < last["total_duration"] < 60 * 10**9
    assert last["total_duration"] == last["prompt_eval_duration"] + last["eval_duration"]


def test_the_time_is_the_chunks_own_or_now():
    """created_at is the time of the chunk; where it has none, or none that is a time, it is that of the clock."""
    found = [lines(say("a", created=time), stop(created=time))[0]["created_at"] for time in (86400, None, 10**15)]
    assert ["1970-01-02T00:00:00Z", "1970-01-01T00:00:01.500000Z", "1970-01-01T00:00:01.500000Z"] == found


def test_a_refusal_is_text():
    """Ollama has no refusals; what the model said is not lost."""
    assert "No." == lines(body({"refusal": "No."}), stop())[0]["message"]["content"]


def test_log_probabilities_are_kept():
    """Ollama has a place for them."""
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    found = lines(say("a", choice={"logprobs": {"content": [token]}}), stop())
    assert [token] == found[0]["logprobs"]


def test_the_call_of_a_function_of_2023_is_a_tool_call():
    """function_call is the same in one place less."""
    found = lines(
        body({"function_call": {"name": "f", "arguments": '{"a":'}}),
        body({"function_call": {"arguments": "1}"}}),
        stop("function_call"),
    )
    assert ("f", {"a": 1}) == tuple(
        found[0]["message"]["tool_calls"][0]["function"][name] for name in ("name", "arguments")
    )


@pytest.mark.parametrize("arguments", ['{"a": ', "[1]", "nonsense", '{"a": NaN}'])
def test_arguments_that_are_no_object_are_an_error(arguments):
    """Arguments that were cut, or are anything else, have no place in Ollama's lines; the stream does not end well."""
    out = []
    with pytest.raises((DecodeError, ConfigError)):
        out.extend(write(call(part("f", arguments, index=0, id="a")), stop("length")))
    assert [["error"]] == [list(json.loads(line)) for line in out]


def test_half_of_an_emoji_in_arguments_is_replaced():
    """JSON may hold half a surrogate pair, UTF-8 may not."""
    found = lines(call(part("f", '{"a": "\\ud83d"}', index=0, id="a")), stop("tool_calls"))
    assert {"a": "\ufffd"} == found[0]["message"]["tool_calls"][0]["function"]["arguments"]


@pytest.mark.parametrize(
    "value",
    [
        say("b", choice={"index": 1}),
        call({"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}),
    ],
    ids=["second choice", "custom tool"],
)
def test_what_ollama_has_no_word_for_is_refused(value):
    """A second choice and the call of a custom tool are errors that name the format, in the output too."""
    writing = write(say("a"), value, stop(choice={"index": value["choices"][0]["index"]}), errors="emit")
    last = json.loads(list(writing)[-1])
    assert isinstance(writing.error, ConfigError)
    assert "llama" in last["error"]


def test_an_error_is_its_text():
    """Ollama's errors are a text; the server's own words are in it, without ours."""

    def source():
        yield from read(say("a"), stop())[0]
        raise StreamError("The server reports an error: busy", body={"error": {"message": "busy"}})

    assert b'{"error":"busy"}\n' == list(iter_ollama(source(), errors="emit"))[-1]


# --- there and back -------------------------------------------------------------------------------------------------

NATIVE = [
    '{"model":"q","created_at":"2025-06-09T17:58:50.123456789+02:00","message":{"role":"assistant","content":"","thinking":"Hm."},"done":false}',
    '{"model":"q","created_at":"2025-06-09T17:58:51Z","message":{"role":"assistant","content":"a<b","images":["aGk="]},"done":false}',
    '{"model":"q","created_at":"2025-06-09T17:58:51Z","message":{"role":"assistant","content":""},"done":false}',
    '{"model":"q","created_at":"2025-06-09T17:58:51Z","message":{"role":"assistant","content":"","tool_calls":'
    '[{"id":"call_abc12345","function":{"index":0,"name":"f","arguments":{"x":1}}},{"function":{"name":"g","arguments":{}}}]},"done":false}',
    '{"model":"q","created_at":"2025-06-09T17:58:52Z","message":{"role":"assistant","content":"!","newer":1},"done":true,'
    '"done_reason":"stop","total_duration":5,"load_duration":1,"prompt_eval_count":21,"prompt_eval_duration":1,"eval_count":30,"eval_duration":3,"other":{"a":null}}',
]


def test_lines_of_ollama_come_back_as_they_were():
    """Times, durations, numbers, ids and what nobody knows come back, with their keys in their order."""
    out = b"".join(iter_ollama(iter_chunks("\n".join(NATIVE).encode(), "ollama")))
    ordered = {"object_pairs_hook": list}
    assert [json.loads(line, **ordered) for line in NATIVE] == [
        json.loads(line, **ordered) for line in out.splitlines()
    ]


def test_lines_of_ollama_come_back_through_sse():
    """What went through another format in between comes back as well."""
    from compatapi.formats import iter_sse

    between = b"".join(iter_sse(iter_chunks("\n".join(NATIVE).encode(), "ollama")))
    out = b"".join(iter_ollama(iter_chunks(between, "sse")))
    assert [json.loads(line) for line in NATIVE] == [json.loads(line) for line in out.splitlines()]


def test_a_whole_answer_is_one_line():
    """An answer without a stream is the last line with the whole message, in both directions."""
    whole = NATIVE[-1].encode()
    assert json.loads(whole) == json.loads(b"".join(iter_ollama(iter_chunks(whole, "ollama"))))


def test_the_completion_of_the_lines_is_that_of_the_chunks():
    """Who reads our lines has the same text, reasoning, calls, finish reason and usage."""
    chunks, expected = read(
        body({"role": "assistant", "reasoning_content": "Hm."}),
        say("Let me see."),
        call(part("f", '{"a":', index=0, id="x")),
        call(part(None, "1}", index=0)),
        stop("tool_calls", usage=USAGE),
    )
    reader = iter_chunks(iter_ollama(chunks), "ollama")
    list(reader)
    found = reader.completion
    assert (expected.text, expected.reasoning, expected.finish_reason, usage_of(expected)) == (
        found.text,
        found.reasoning,
        found.finish_reason,
        usage_of(found),
    )
    assert [("f", '{"a":1}')] == calls_of(found)


def test_an_answer_with_nothing_in_it_has_a_last_line():
    """Chunks without a word give the line that ends the stream."""
    chunk = ChatCompletionChunk(choices=[ChunkChoice(0, Delta(), "stop")])
    assert [True] == [json.loads(line)["done"] for line in iter_ollama([chunk])]
