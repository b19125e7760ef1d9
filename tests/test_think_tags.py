"""Reasoning between think tags inside the content: told apart in whole answers and in streams, however they are cut."""

import json
import time

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from calls import hard_limit  # noqa: F401
from compatapi import ChatCompletionRequest, Client, Message, Timeouts
from compatapi.chat_types import ChatCompletionChunk
from compatapi.convert import from_json, to_dict, to_json
from compatapi.decoding import StreamDecoder
from compatapi.dialects.openai import OpenAIChunkDecoder, OpenAIDialect
from compatapi.dialects.thinktags import split_completion
from compatapi.errors import ConnectionLost, DecodeError, IncompleteStreamError, RequestTimeout, StreamError
from compatapi.providers import get_provider
from compatapi.testing import ChatScript, ScriptedServer
from compatapi.testing.faults import Reset, Stall
from streams import REQUEST, body, call, calls_of, event, part, read, run, say, sse, stop

#: What stands in the content, and what of it is reasoning and what text.
TEXTS = [
    ("<think>why</think>so", "why", "so"),
    ("<think>\nwhy\n</think>\n\nso", "\nwhy\n", "\n\nso"),
    (" \n<think>why</think>so", "why", "so"),
    ("<think></think>so", "", "so"),
    ("<think>why", "why", ""),
    ("<think>why</thi", "why</thi", ""),
    ("<think>a < b </ c <think> d</think>so", "a < b </ c <think> d", "so"),
    ("<think>why</think>so <think>no</think>", "why", "so <think>no</think>"),
    ("so <think>no</think>", "", "so <think>no</think>"),
    ("<thinking>no</thinking>", "", "<thinking>no</thinking>"),
    ("<thin", "", "<thin"),
    ("<", "", "<"),
    ("  ", "", "  "),
    ("</think>so", "", "</think>so"),
    ("so", "", "so"),
    ("", "", ""),
]


def pieces_of(text, size):
    """The text in pieces of one size."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def reading_of(chunks):
    """Reasoning and text that the chunks show."""
    return "".join(chunk.reasoning for chunk in chunks), "".join(chunk.text for chunk in chunks)


def wire_of(chunks):
    """The content that stands on the wire."""
    return "".join(choice.delta.wire_value("content") or "" for chunk in chunks for choice in chunk.choices)


def whole(text, **fields):
    """A whole answer with this content, read with the option."""
    message = {"role": "assistant", "content": text, **fields}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    completion = OpenAIDialect().decode_completion(json.dumps({"choices": [choice]}).encode())
    split_completion(completion)
    return completion


# --- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "reasoning", "answer"), TEXTS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("end", [[stop()], []], ids=["finish", "mark"])
def test_a_stream(text, reasoning, answer, size, end):
    """The same is told apart wherever the text is cut and however it ends, and the wire stays as it was."""
    pieces = [say(piece) for piece in pieces_of(text, size)]
    chunks, completion = read(body({"role": "assistant"}), *pieces, *end, think_tags=True)
    assert (reasoning, answer) == reading_of(chunks) == (completion.reasoning, completion.text)
    assert text == wire_of(chunks)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"), [("<think>why</think>so", "why", "so"), ("<think>w</", "w</", ""), ("<", "", "<")]
)
def test_a_last_chunk_with_text(text, reasoning, answer):
    """The chunk with the finish reason may bring text too; nothing is held back behind it."""
    [chunk], completion = read(body({"content": text}, finish="stop"), think_tags=True)
    assert (reasoning, answer, "stop") == (chunk.reasoning, chunk.text, chunk.finish_reason)
    assert (reasoning, answer) == (completion.reasoning, completion.text)


@pytest.mark.parametrize(("text", "reasoning", "answer"), TEXTS)
def test_a_whole_answer(text, reasoning, answer):
    """A whole answer is read like a stream, and written back as it was."""
    completion = whole(text)
    assert (reasoning, answer) == (completion.reasoning, completion.text)
    assert text == to_dict(completion)["choices"][0]["message"]["content"]


@given(st.text(alphabet="<>/think \nx", max_size=40), st.lists(st.integers(1, 7), min_size=1, max_size=9))
@settings(max_examples=300, deadline=None)
def test_any_text_cut_anywhere(text, sizes):
    """Blocking and streamed give equal text and reasoning, and nothing but the tags is missing."""
    pieces, at, turn = [], 0, 0
    while at < len(text):
        pieces.append(text[at : at + sizes[turn % len(sizes)]])
        at, turn = at + len(pieces[-1]), turn + 1
    chunks, completion = read(*map(say, pieces), stop(), think_tags=True)
    expected = whole(text)
    assert (expected.reasoning, expected.text) == reading_of(chunks) == (completion.reasoning, completion.text)
    assert text == wire_of(chunks)
    assert text.endswith(completion.text)
    if not completion.reasoning:
        assert completion.text == text or text.lstrip().startswith("<think>")


@given(st.text(alphabet="<>/think \nx", max_size=30))
@settings(max_examples=100, deadline=None)
def test_chunks_go_there_and_back(text):
    """A chunk with readings is written as the wire said it, and read again with the option gives the same."""
    chunks, _ = read(*map(say, pieces_of(text, 3)), stop(), think_tags=True)
    again = [from_json(ChatCompletionChunk, to_json(chunk)) for chunk in chunks]
    assert chunks == again
    assert reading_of(chunks) == reading_of(read(*map(to_dict, chunks), think_tags=True)[0])


# --- what stands beside the text ------------------------------------------------------------------------------------


def test_text_is_held_no_longer_than_needed():
    """Reasoning and text are handed on with the chunk that brings them; only what may become a tag waits."""
    chunks, _ = read(*map(say, ["<th", "ink>w", "hy<", "b</", "think", ">so", "<think>"]), stop(), think_tags=True)
    told = [("reasoning", chunk.reasoning) if chunk.reasoning else ("text", chunk.text) for chunk in chunks]
    assert told == [
        ("text", ""),
        ("reasoning", "w"),
        ("reasoning", "hy"),
        ("reasoning", "<b"),
        ("text", ""),
        ("text", "so"),
        ("text", "<think>"),
        ("text", ""),
    ]


def test_both_in_one_chunk():
    """A chunk may hold the end of the reasoning and the beginning of the text."""
    [chunk, _] = read(say("<think>a</think>b"), stop(), think_tags=True)[0]
    assert ("a", "b", "<think>a</think>b") == (
        chunk.reasoning,
        chunk.text,
        to_dict(chunk)["choices"][0]["delta"]["content"],
    )


def test_each_choice_for_itself():
    """Several choices are told apart, each by its own tags."""
    values = [say("<thi"), say("plain", index=1), say("nk>a</", index=0), say("!", index=1), say("think>b")]
    chunks, completion = read(*values, stop(), stop(index=1), think_tags=True)
    found = [(choice.message.reasoning_content, choice.message.text) for choice in completion.choices]
    assert [("a", "b"), (None, "plain!")] == found
    assert "plain!" == "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices if c.index == 1)


def test_tool_calls_behind_the_reasoning():
    """An answer of reasoning and a tool call has both, and no text."""
    values = [say("<think>look"), call(part("f", "{}", index=0, id="c")), stop("tool_calls")]
    _, completion = read(*values, think_tags=True)
    assert ("look", "", [("f", "{}")]) == (completion.reasoning, completion.text, calls_of(completion))


def test_reasoning_that_is_told_twice():
    """A host that says the reasoning beside the tags too (MiniMax) is read once, by its own field."""
    values = [
        body({"content": "<think>wh", "reasoning_content": "wh"}),
        body({"content": "y</think>so", "reasoning_content": "y"}),
    ]
    chunks, completion = read(*values, stop(), think_tags=True)
    assert ("why", "so") == reading_of(chunks) == (completion.reasoning, completion.text)
    made = whole("<think>why</think>so", reasoning_content="why")
    assert ("why", "so") == (made.reasoning, made.text)


def test_content_as_parts_is_left_alone():
    """Tags are looked for in text, not in arrays of parts that say themselves what they are."""
    made = whole([{"type": "image_url", "image_url": {"url": "x"}}])
    assert not made.reasoning


def test_the_option_off():
    """Without the option tags are text, and the decoder of the dialect is asked directly: nothing is paid."""
    chunks, completion = read(say("<think>a</think>b"), stop())
    assert ("", "<think>a</think>b") == reading_of(chunks) == (completion.reasoning, completion.text)
    assert type(StreamDecoder("openai", REQUEST)._decoder) is OpenAIChunkDecoder


# --- ends -----------------------------------------------------------------------------------------------------------

HELD = sse(say("<think>why"), say("</thi"), done=False)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (HELD, IncompleteStreamError),
        (HELD + b'data: {"choices":[{"index":0,"del', IncompleteStreamError),
        (HELD + event({"error": {"message": "no"}}), StreamError),
        (HELD + event("nonsense"), DecodeError),
        (HELD + b"data: " + b"x" * 5000 + b"\n\n", DecodeError),
    ],
)
def test_a_stream_that_fails(data, kind):
    """What was held back comes out in front of the error, whatever it is, and is in its answer so far."""
    for pieces in ([data], [data[at : at + 7] for at in range(0, len(data), 7)]):
        chunks, completion, error = run(pieces, think_tags=True, limits={"event": 4096})
        assert kind is type(error)
        assert ("why</thi", "") == reading_of(chunks)
        assert ("why</thi", "<think>why</thi") == (completion.reasoning, wire_of(chunks))
        assert error.completion == completion


def test_the_chunk_of_what_was_held_back():
    """It has id and model of those before it, and on the wire it says nothing."""
    chunk = run(HELD, think_tags=True)[0][-1]
    assert ("c1", 1, "m", "</thi") == (chunk.id, chunk.created, chunk.model, chunk.reasoning)
    assert [{"index": 0, "delta": {}}] == to_dict(chunk)["choices"]


def test_a_whole_answer_in_place_of_a_stream():
    """A server that does not stream is read in the same way."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "<think>a</think>b"}, "finish_reason": "stop"}
    chunks, completion, error = run(json.dumps({"choices": [choice]}).encode(), think_tags=True)
    assert error is None
    assert ("a", "b") == reading_of(chunks) == (completion.reasoning, completion.text)


# --- through a client -----------------------------------------------------------------------------------------------

ASK = ChatCompletionRequest("m", [Message.user("Hi")])
PIECES = ["<think>wh", "y</th", "ink>so"]
ANSWER = ChatScript(pieces=PIECES)


def test_all_ways_to_ask():
    """Generator, callback, handle and blocking tell reasoning and text apart."""
    with ScriptedServer(*[ANSWER] * 4) as server, server.client("minimax") as client:
        with client.chat_completion_stream(ASK) as stream:
            assert ("why", "so") == reading_of(list(stream))
        assert ("why", "so") == (stream.completion.reasoning, stream.completion.text)
        told = {"reasoning": "", "text": ""}
        client.chat_completion_stream(
            ASK,
            on_reasoning=lambda piece: told.update(reasoning=told["reasoning"] + piece),
            on_text=lambda piece: told.update(text=told["text"] + piece),
        )
        assert {"reasoning": "why", "text": "so"} == told
        made = client.start_stream(ASK).result(10)
        assert ("why", "so") == (made.reasoning, made.text)
        made = client.chat_completion(ASK)
        assert ("why", "so") == (made.reasoning, made.text)


def test_a_connection_that_breaks():
    """What was held back is handed out before the error that the road broke, in every way to read."""
    script = ChatScript(pieces=PIECES, fault=Reset(after=2))
    with ScriptedServer(script, script) as server, server.client("minimax") as client:
        chunks = []
        with pytest.raises((ConnectionLost, IncompleteStreamError)) as caught:
            for chunk in client.chat_completion_stream(ASK):
                chunks.append(chunk)
        assert ("why</th", "") == reading_of(chunks)
        assert "why</th" == caught.value.completion.reasoning
        with pytest.raises((ConnectionLost, IncompleteStreamError)) as caught:
            client.chat_completion_stream(ASK, on_text=str)
        assert "why</th" == caught.value.completion.reasoning


def test_a_server_that_falls_silent():
    """What was held back is handed out when a clock runs out, and the error comes behind it."""
    script = ChatScript(pieces=PIECES, fault=Stall(after=2))
    with ScriptedServer(script) as server, server.client("minimax", timeouts=Timeouts(idle=0.2)) as client:
        stream, chunks = client.chat_completion_stream(ASK), []
        with pytest.raises(RequestTimeout):
            for chunk in stream:
                chunks.append(chunk)
        assert ("why</th", "") == reading_of(chunks)
        assert stream.closed


def test_a_stream_that_is_left():
    """Leaving a stream early closes it at once and hands out nothing more."""
    script = ChatScript(pieces=PIECES, fault=Stall(after=2))
    with ScriptedServer(script) as server, server.client("minimax") as client:
        began = time.monotonic()
        with client.chat_completion_stream(ASK) as stream:
            next(chunk for chunk in stream if chunk.reasoning)
        assert time.monotonic() - began < 5
        assert [] == list(stream)
        assert "wh" == stream.completion.reasoning


def test_a_row_of_ones_own():
    """Any row has the option, as data."""
    row = get_provider("vllm")
    row = evolve(row, quirks=evolve(row.quirks, think_tags=True))
    with ScriptedServer(ANSWER) as server, Client(row, base_url=server.base_url) as client:
        assert "so" == client.start_stream(ASK).result(10).text
