"""Chunks as Anthropic's events."""

import json

import pytest

from compatapi.chat_types import ChatCompletionChunk
from compatapi.errors import ConfigError, ConnectionLost, DecodeError, RequestTimeout, StreamError
from compatapi.formats import iter_anthropic, iter_chunks, iter_sse
from compatapi.framing import SSEDecoder
from streams import body, call, calls_of, chunk, part, read, say, stop, usage_of

USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 7,
    "total_tokens": 37,
    "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def events_of(data):
    """The JSON of the events, each checked to have its type on its event line too."""
    frames = SSEDecoder().feed(data)
    values = [json.loads(frame.data) for frame in frames]
    assert [frame.event for frame in frames] == [value["type"] for value in values]
    return values


def events(*values):
    """The JSON of the events that the wire dicts give."""
    return events_of(b"".join(iter_anthropic(read(*values)[0])))


def short(values):
    """Blocks as short lines: what begins, what is added, what ends; the message around them left out."""
    lines = []
    for value in values:
        kind = value["type"].removeprefix("content_block_")
        if kind == "start":
            block = value["content_block"]
            lines.append(f"{value['index']} {block['type']} {block.get('name') or block.get('data') or ''}".strip())
        elif kind == "delta":
            (said,) = (text for name, text in value["delta"].items() if name != "type")
            lines.append(f"{value['index']} + {said}")
        elif kind == "stop":
            lines.append(f"{value['index']} .")
    return lines


def thought(text=None, signature=None, index=0, **more):
    """A chunk with a piece of reasoning that has to be sent back."""
    piece = {"type": "reasoning.text", "index": index, "text": text, "signature": signature, **more}
    return body({"reasoning_content": text, "reasoning_details": [{k: v for k, v in piece.items() if v is not None}]})


def test_text_has_the_bytes_of_anthropic():
    """Events, their keys and the order of both are those of the recordings."""
    out = b"".join(iter_anthropic(read(say("Hi é"), stop(usage=USAGE))[0])).decode()
    assert out == (
        'event: message_start\ndata: {"type":"message_start","message":{"id":"c1","type":"message","role":"assistant",'
        '"model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}\n\n'
        "event: content_block_start\n"
        'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
        "event: content_block_delta\n"
        'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi é"}}\n\n'
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        '"usage":{"input_tokens":6,"cache_creation_input_tokens":4,"cache_read_input_tokens":20,"output_tokens":7,'
        '"output_tokens_details":{"thinking_tokens":2}}}\n\n'
        'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )


def test_each_kind_has_a_block_of_its_own():
    """The index rises, and a block is closed before the next one begins."""
    found = events(
        body({"reasoning_content": "Hm"}),
        body({"reasoning_content": "m."}),
        say("Let me"),
        say(" see."),
        call(part("f", "", index=0, id="a")),
        call(part(None, '{"x":', index=0)),
        call(part(None, "1}", index=0)),
        call(part("g", "{}", index=1, id="b")),
        stop("tool_calls"),
    )
    assert [
        *("0 thinking", "0 + Hm", "0 + m.", "0 ."),
        *("1 text", "1 + Let me", "1 +  see.", "1 ."),
        *("2 tool_use f", "2 +", '2 + {"x":', "2 + 1}", "2 ."),
        *("3 tool_use g", "3 +", "3 ."),
    ] == [line.rstrip() for line in short(found)]
    assert "tool_use" == found[-2]["delta"]["stop_reason"]


def test_fragments_of_several_calls_in_turn_make_one_block_after_the_other():
    """What comes while a call is not whole waits behind it, also when it is text."""
    found = events(
        call(part("f", '{"x":', index=0, id="a"), part("g", '{"y":', index=1, id="b")),
        say("Text."),
        call(part(None, "2}", index=1)),
        call(part(None, "1}", index=0)),
        stop("tool_calls"),
    )
    assert [
        *("0 tool_use f", "0 +", '0 + {"x":', "0 + 1}", "0 ."),
        *("1 tool_use g", "1 +", '1 + {"y":2}', "1 ."),
        *("2 text", "2 + Text.", "2 ."),
    ] == [line.rstrip() for line in short(found)]


def test_a_call_without_arguments_holds_nothing_up_for_good():
    """Behind a call whose arguments never come, the rest is written at the end."""
    found = events(call(part("f", "", index=0, id="a")), call(part("g", "", index=1, id="b")), stop("tool_calls"))
    assert ["0 tool_use f", "0 +", "0 .", "1 tool_use g", "1 +", "1 ."] == [line.rstrip() for line in short(found)]


def test_arguments_that_were_cut_are_written_as_they_are():
    """Unlike Ollama, Anthropic has a place for arguments that are no whole JSON."""
    found = events(call(part("f", '{"x": [1,', index=0, id="a")), stop("length"))
    assert (['0 + {"x": [1,', "0 ."], "max_tokens") == (short(found)[2:], found[-2]["delta"]["stop_reason"])


def test_arguments_behind_a_block_that_is_closed_are_an_error():
    """A call that was whole, and is not, cannot be said any more."""
    source = read(call(part("f", "{}", index=0, id="a")), say("x"), call(part(None, "}", index=0)), stop())[0]
    with pytest.raises(DecodeError, match="behind the end of a tool call"):
        list(iter_anthropic(source))


def test_spaces_behind_a_block_that_is_closed_are_nothing():
    """White space behind the arguments changes nothing."""
    found = events(call(part("f", "{}", index=0, id="a")), say("x"), call(part(None, "\n", index=0)), stop())
    assert ["0 tool_use f", "0 +", "0 .", "1 text", "1 + x", "1 ."] == [line.rstrip() for line in short(found)]


def test_signatures_close_their_thinking():
    """A signature goes into the block that it signs; thinking behind it has a block of its own."""
    found = events(
        thought("A"), thought(signature="s1"), thought("B", index=1), thought(signature="s2", index=1), stop()
    )
    assert [
        *("0 thinking", "0 + A", "0 + s1", "0 ."),
        *("1 thinking", "1 + B", "1 + s2", "1 ."),
    ] == short(found)


def test_a_signature_alone_has_a_block():
    """Thinking that is not shown is still signed."""
    assert ["0 thinking", "0 + s", "0 ."] == short(events(thought(signature="s"), stop()))


def test_reasoning_that_other_servers_sign_is_signed_here():
    """Text under reasoning_content and a signature in reasoning_details belong together."""
    found = events(
        body({"reasoning": "A"}), body({"reasoning_details": [{"type": "reasoning.text", "signature": "s"}]}), stop()
    )
    assert ["0 thinking", "0 + A", "0 + s", "0 ."] == short(found)


def test_redacted_thinking_is_a_whole_block():
    """Encrypted reasoning is handed on as it came, each in its block."""
    redacted = {"type": "reasoning.encrypted", "data": "abc"}
    found = events(body({"reasoning_details": [{**redacted, "index": 0}, {**redacted, "index": 1}]}), say("x"), stop())
    assert ["0 redacted_thinking abc", "0 .", "1 redacted_thinking abc", "1 .", "2 text", "2 + x", "2 ."] == short(
        found
    )


def test_what_other_services_have_sealed_has_no_place():
    """Data and signatures that name another service mean nothing to Anthropic's clients; the text is kept."""
    sealed = {"type": "reasoning.encrypted", "data": "abc", "format": "google-gemini-v1"}
    signed = {"text": "A", "signature": "s", "format": "openai-responses-v1"}
    own = {"text": "B", "signature": "t", "format": "anthropic-claude-v1"}
    found = events(*(body({"reasoning_details": [piece]}) for piece in (sealed, signed, own)), stop())
    assert ["0 thinking", "0 + A", "0 + B", "0 + t", "0 ."] == short(found)


def test_blocks_of_other_services_have_no_place():
    """What has not the shape of Anthropic's blocks is left out."""
    odd = {"content_blocks": [{"inlineData": {}, "offset": 0}, 1], "reasoning_details": ["x"]}
    assert ["0 text", "0 + a", "0 ."] == short(events(body({"content": "a", **odd}), stop()))


def test_a_refusal_is_text():
    """What the model said when it refused is not lost."""
    assert ["0 text", "0 + No.", "0 ."] == short(events(body({"refusal": "No."}), stop()))


REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "odd": "odd",
}


@pytest.mark.parametrize(("reason", "said"), REASONS.items())
def test_finish_reasons(reason, said):
    """Reasons are said in Anthropic's words; one that it does not know stays as it is."""
    assert said == events(say("a"), stop(reason))[-2]["delta"]["stop_reason"]


def test_anthropics_own_reason_comes_back():
    """A reason that was Anthropic's before is said again; one of another service is not."""
    values = [stop("stop", choice={"native_finish_reason": native}) for native in ("pause_turn", "STOP")]
    assert ["pause_turn", "end_turn"] == [events(say("a"), value)[-2]["delta"]["stop_reason"] for value in values]


def test_usage_that_comes_first_is_in_the_start():
    """Counts of the first chunk begin the message; those that come later replace them."""
    first = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    found = events(say("a", usage=first), stop(usage={**first, "completion_tokens": 9}))
    assert {"input_tokens": 5, "output_tokens": 1} == found[0]["message"]["usage"]
    assert {"input_tokens": 5, "output_tokens": 9} == found[-2]["usage"]


def test_a_message_without_an_id_gets_one():
    """Anthropic's clients want an id."""
    (start, *_) = events_of(b"".join(iter_anthropic([ChatCompletionChunk(choices=[chunk(stop()).choices[0]])])))
    assert start["message"]["id"].startswith("msg_")


@pytest.mark.parametrize(
    "value",
    [
        say("b", choice={"index": 1}),
        call({"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}),
    ],
    ids=["second choice", "custom tool"],
)
def test_what_anthropic_has_no_word_for_is_refused(value):
    """A second choice and the call of a custom tool are errors that name the format, in the output too."""
    writing = iter_anthropic(
        read(say("a"), value, stop(choice={"index": value["choices"][0]["index"]}))[0], errors="emit"
    )
    last = events_of(b"".join(writing))[-1]
    assert isinstance(writing.error, ConfigError)
    assert ("error", True) == (last["type"], "nthropic" in last["error"]["message"])


ERRORS = [
    (StreamError("x", body={"error": {"message": "busy"}}, status_code=529), ("overloaded_error", "busy")),
    (StreamError("x", type="rate_limit_error"), ("rate_limit_error", "x")),
    (StreamError("x", type="something"), ("api_error", "x")),
    (RequestTimeout("slow"), ("timeout_error", "slow")),
    (ConnectionLost("gone"), ("api_error", "gone")),
]


@pytest.mark.parametrize(("error", "expected"), ERRORS)
def test_errors_have_anthropics_types(error, expected):
    """An error is an event of its own, with a type that Anthropic's clients know."""

    def source():
        yield from read(say("a"), stop())[0]
        raise error

    last = events_of(b"".join(iter_anthropic(source(), errors="emit")))[-1]
    assert expected == (last["error"]["type"], last["error"]["message"])


# --- there and back -------------------------------------------------------------------------------------------------


def sse(*values):
    return b"".join(b"event: %s\ndata: %s\n\n" % (v["type"].encode(), json.dumps(v).encode()) for v in values)


def block(index, given, *deltas):
    """The events of one block."""
    start = {"type": "content_block_start", "index": index, "content_block": given}
    between = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [start, *between, {"type": "content_block_stop", "index": index}]


def text(value):
    return {"type": "text_delta", "text": value}


def piece(value):
    return {"type": "input_json_delta", "partial_json": value}


NATIVE = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 50,
                "cache_creation_input_tokens": 1,
                "cache_read_input_tokens": 20,
                "cache_creation": {"ephemeral_5m_input_tokens": 1},
                "output_tokens": 1,
                "service_tier": "standard",
            },
        },
    },
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "A"},
        {"type": "signature_delta", "signature": "s"},
    ),
    *block(1, {"type": "redacted_thinking", "data": "xyz"}),
    *block(2, {"type": "text", "text": ""}, text("One "), text("two.")),
    *block(
        3,
        {"type": "text", "text": ""},
        {"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "t"}},
        text("Three."),
    ),
    *block(
        4,
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        piece(""),
        piece('{"query":'),
        piece(' "x"}'),
    ),
    *block(
        5,
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": [{"type": "web_search_result", "url": "u"}],
        },
    ),
    *block(6, {"type": "text", "text": ""}, text("Four.")),
    *block(
        7,
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, "caller": {"type": "direct"}},
        piece(""),
        piece('{"a"'),
        piece(": 1}"),
    ),
    *block(8, {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}}, piece("")),
    *block(
        9,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "B"},
        {"type": "signature_delta", "signature": "r"},
    ),
    *block(10, {"type": "compaction"}, {"type": "compaction_delta", "content": "c"}),
    *block(11, {"type": "text", "text": ""}, text("Five."))[:2],
    {"type": "new_event", "value": 1},
    *block(11, {}, text(" Six."))[1:],
    {
        "type": "message_delta",
        "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END", "container": {"id": "k"}},
        "usage": {
            "input_tokens": 50,
            "cache_creation_input_tokens": 1,
            "cache_read_input_tokens": 20,
            "output_tokens": 33,
            "server_tool_use": {"web_search_requests": 1},
        },
    },
    {"type": "message_stop"},
]


@pytest.mark.parametrize("way", ["direct", "through SSE"])
def test_events_of_anthropic_come_back_as_they_were(way):
    """Every block, signature, citation, count and unknown event comes back in its place, its keys in their order."""
    chunks = iter_chunks(sse(*NATIVE), "anthropic")
    if way == "through SSE":
        chunks = iter_chunks(iter_sse(chunks), "sse")
    found = events_of(b"".join(iter_anthropic(chunks)))
    assert [json.dumps(value) for value in NATIVE] == [json.dumps(value) for value in found]


def test_a_whole_message_becomes_its_blocks_in_their_order():
    """An answer without a stream, in one chunk, has its blocks where they were."""
    content = [
        {"type": "thinking", "thinking": "A", "signature": "s"},
        {"type": "text", "text": "One."},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "Two."},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
        {"type": "thinking", "thinking": "B", "signature": "r"},
        {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
    ]
    message = {**NATIVE[0]["message"], "content": content, "stop_reason": "tool_use"}
    found = events_of(b"".join(iter_anthropic(iter_chunks(json.dumps(message).encode(), "anthropic"))))
    assert [
        *("0 thinking", "0 + A", "0 + s", "0 .", "1 text", "1 + One.", "1 ."),
        *("2 server_tool_use web_search", "2 .", "3 web_search_tool_result", "3 .", "4 text", "4 + Two.", "4 ."),
        *("5 tool_use f", "5 +", '5 + {"a":1}', "5 .", "6 thinking", "6 + B", "6 + r", "6 ."),
        *("7 tool_use g", "7 +", "7 ."),
    ] == [line.rstrip() for line in short(found)]


def test_a_delta_that_nobody_knows_breaks_no_text():
    """An unknown delta inside a text makes no block of its own, which would be a text without text."""
    deltas = [text("a"), {"type": "shiny_delta", "shine": 1}, text("b")]
    start = {"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "model": "m", "content": []}}
    end = [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}]
    came = sse(start, *block(0, {"type": "text", "text": ""}, *deltas), *end)
    out = events_of(b"".join(iter_anthropic(iter_chunks(came, "anthropic"))))
    assert ["0 text", "0 + a", "0 + b", "0 ."] == short(out[1:-2])


def test_the_completion_of_the_events_is_that_of_the_chunks():
    """Who reads our events has the same text, reasoning, calls, finish reason and usage."""
    chunks, expected = read(
        body({"role": "assistant", "reasoning_content": "Hm."}),
        say("Let me see."),
        call(part("f", '{"a":', index=0, id="x")),
        call(part(None, "1}", index=0)),
        stop("tool_calls", usage=USAGE),
    )
    reader = iter_chunks(iter_anthropic(chunks), "anthropic")
    list(reader)
    found = reader.completion
    assert (expected.text, expected.reasoning, expected.finish_reason, usage_of(expected), calls_of(expected)) == (
        found.text,
        found.reasoning,
        found.finish_reason,
        usage_of(found),
        calls_of(found),
    )
