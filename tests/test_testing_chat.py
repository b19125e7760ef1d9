"""Chat answers as chunks and as a whole: the order and the fields of OpenAI's wire format."""

import json

import pytest

from compatapi.testing import (
    ChatScript,
    ScriptedServer,
    chat_chunks,
    chat_completion,
    split_pieces,
)
from loopback import chunks_of, exchange, fetch, post_json


def deltas(chunks):
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


@pytest.mark.parametrize("text", ["", "one", " a  b\n\nc ", "\n", "ä 😀\u2028x"])
def test_pieces_join_to_the_text(text):
    """Cutting text into pieces loses nothing, whatever its white space."""
    assert text == "".join(split_pieces(text))


def test_chunks_of_a_text():
    """Role chunk, one delta per word, finish chunk, usage chunk without choices: in this order."""
    chunks = chat_chunks("Hello big world", model="m", id="i", created=5)
    expected = [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hello"},
        {"content": " big"},
        {"content": " world"},
        {},
    ]
    assert expected == deltas(chunks)
    assert [None] * 4 + ["stop"] == [one["choices"][0]["finish_reason"] for one in chunks[:-1]]
    assert [None] * 5 == [chunk["usage"] for chunk in chunks[:-1]]
    assert [] == chunks[-1]["choices"]
    assert (9, 3, 12) == tuple(chunks[-1]["usage"].values())[:3]
    heads = {(one["id"], one["object"], one["created"], one["model"]) for one in chunks}
    assert {("i", "chat.completion.chunk", 5, "m")} == heads


@pytest.mark.parametrize("usage", [False, None])
def test_chunks_without_usage(usage):
    """When usage is off, no chunk has the key, and the finish chunk is the last."""
    chunks = chat_chunks("x", usage=usage)
    assert not any("usage" in chunk for chunk in chunks)
    assert "stop" == chunks[-1]["choices"][0]["finish_reason"]


def test_usage_finish_reason_and_pieces_can_be_told():
    """A usage dict, a finish reason and the cut of the text are taken as they are given."""
    chunks = chat_chunks(pieces=["He", "llo"], usage={"total_tokens": 7}, finish_reason="odd")
    assert [{"content": "He"}, {"content": "llo"}] == deltas(chunks)[1:3]
    assert {"total_tokens": 7} == chunks[-1]["usage"]
    assert "odd" == chunks[-2]["choices"][0]["finish_reason"]
    unfinished = chat_chunks("x", usage=False, finish_reason=None)
    assert [None, None] == [one["choices"][0]["finish_reason"] for one in unfinished]


def test_reasoning_comes_before_the_text():
    """Reasoning is streamed as `reasoning_content`, first, and counted on its own."""
    chunks = chat_chunks("Yes.", reasoning="Let me think")
    assert ["role", "reasoning_content", "reasoning_content", "reasoning_content", "content"] == [
        next(iter(delta)) for delta in deltas(chunks) if delta
    ]
    usage = chunks[-1]["usage"]
    assert (4, 3) == (
        usage["completion_tokens"],
        usage["completion_tokens_details"]["reasoning_tokens"],
    )


def test_tool_calls_are_streamed_in_fragments_by_index():
    """Index, id, type, name and empty arguments first; then index and pieces of the arguments."""
    arguments = {"city": "São Paulo", "unit": "celsius"}
    chunks = chat_chunks("", tool_calls=[("weather", arguments), ("time", "")])
    role, *fragments = [one["tool_calls"][0] if "tool_calls" in one else one for one in deltas(chunks)]
    assert {"role": "assistant", "content": None, "refusal": None} == role
    first = {"name": "weather", "arguments": ""}
    expected = {"index": 0, "id": "call_scripted_0", "type": "function", "function": first}
    assert expected == fragments[0]
    pieces = [one for one in fragments[1:] if one.get("index") == 0]
    assert len(pieces) > 1
    assert all({"index", "function"} == set(one) for one in pieces)
    assert arguments == json.loads("".join(one["function"]["arguments"] for one in pieces))
    assert ["call_scripted_1"] == [one["id"] for one in fragments if one.get("index") == 1]
    assert "tool_calls" == chunks[-2]["choices"][0]["finish_reason"]


def test_completion_is_the_same_answer_whole():
    """The whole answer has the text, reasoning, calls and usage that the chunks add up to."""
    fields = {"reasoning": "Hm hm", "tool_calls": [("f", {"a": 1})]}
    whole, chunks = chat_completion("Well then", **fields), chat_chunks("Well then", **fields)
    message = whole["choices"][0]["message"]
    assert "chat.completion" == whole["object"]
    assert ("Well then", "Hm hm") == (message["content"], message["reasoning_content"])
    function = {"name": "f", "arguments": '{"a":1}'}
    call = {"id": "call_scripted_0", "type": "function", "function": function}
    assert [call] == message["tool_calls"]
    assert "tool_calls" == whole["choices"][0]["finish_reason"]
    assert chunks[-1]["usage"] == whole["usage"]


def test_completion_of_tool_calls_alone_has_no_content():
    """With tool calls and no text the content is null, as OpenAI sends it."""
    (choice,) = chat_completion("", tool_calls=[("f", "")])["choices"]
    assert choice["message"]["content"] is None
    assert "" == choice["message"]["tool_calls"][0]["function"]["arguments"]


def test_chat_script_follows_the_request():
    """`stream` and `stream_options` of the request decide about chunks, whole and usage."""
    script = ChatScript("Hi there")
    usage_wanted = {"stream": True, "stream_options": {"include_usage": True}}
    with ScriptedServer(script, script, script) as server:
        whole = json.loads(post_json(server, "/", {"model": "m"})[1])
        plain = chunks_of(post_json(server, "/", {"stream": True})[1])
        asked = chunks_of(post_json(server, "/", usage_wanted)[1])
    assert ("Hi there", "m") == (whole["choices"][0]["message"]["content"], whole["model"])
    assert 2 == whole["usage"]["completion_tokens"]
    assert not any("usage" in chunk for chunk in plain)
    assert ([], 2) == (asked[-1]["choices"], asked[-1]["usage"]["completion_tokens"])
    assert deltas(plain) == deltas(asked)


def test_chat_script_passes_on_how_to_answer():
    """Framing, end and headers of a chat script are those of its stream."""
    script = ChatScript("Hi", framing="close", end="cut", headers={"x-a": "1"})
    body = b'{"stream": true}'
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    with ScriptedServer(script) as server:
        answer = exchange(server, head + body)
    assert b"x-a: 1" in answer
    assert b"Transfer-Encoding" not in answer
    assert answer.endswith(b"\n\n")
    assert b"[DONE]" not in answer


def test_chat_script_refuses_what_is_no_chat_request():
    """A request without a JSON object is answered with 400."""
    with ScriptedServer(ChatScript("Hi")) as server:
        assert 400 == fetch(server)[0].status


def test_limited_cuts_off_after_so_many_tokens():
    """Reasoning counts first, then text; within the limit nothing changes."""
    answer = ChatScript("one two three", reasoning="a b")
    assert answer == answer.limited(5)
    cut = answer.limited(3).completion()
    assert ("one", "length") == (
        cut["choices"][0]["message"]["content"],
        cut["choices"][0]["finish_reason"],
    )
    assert 3 == cut["usage"]["completion_tokens"]
    assert "a" == answer.limited(1).reasoning
