"""What the Hunyuan dialect reads: chunks literally, whole answers, errors, and any bytes at all."""

import json
from pathlib import Path

import pytest

from compatapi.chat_types import (
    ChatCompletionChunk,
    ChatCompletionRequest,
    ChunkChoice,
    Delta,
    Message,
    PromptTokensDetails,
    Usage,
)
from compatapi.convert import to_dict
from compatapi.dialects.hunyuan import HunyuanDialect
from compatapi.framing import Frame, SSEDecoder
from compatapi.http_types import Secret, Target
from streams import REQUEST, run, without_nulls

DIALECT = HunyuanDialect(clock=lambda: 1_700_000_000.0)
FIXTURES = sorted((Path(__file__).parent / "fixtures" / "hunyuan").iterdir())
STREAMS = [case / "stream.sse" for case in FIXTURES if (case / "stream.sse").exists()]
TARGET = Target("https://hunyuan.tencentcloudapi.com", Secret("id:key"))


def event(delta=None, finish="", **fields):
    """An event with one choice."""
    choice = {"Index": 0, "Delta": delta or {}, "FinishReason": finish}
    return {"Id": "c-1", "Created": 5, "Choices": [choice], **fields}


def calls(*fragments):
    """An event with fragments of tool calls: (id, name, arguments) or with an index behind."""
    names = ("Id", "Name", "Arguments", "Index")
    made = [dict(zip(names, fragment, strict=False)) for fragment in fragments]
    for call in made:
        call["Function"] = {name: call.pop(name) for name in ("Name", "Arguments") if call.get(name) is not None}
    return event({"ToolCalls": [{"Type": "function", **call} for call in made]})


def name_of(path):
    """The name of a case."""
    return path.parent.name


def read(*values, model="m"):
    """The chunks of a stream, as one decoder makes them."""
    decoder = DIALECT.chunk_decoder(ChatCompletionRequest(model, []))
    return [chunk for value in values for chunk in decoder.decode(Frame(json.dumps(value)))]


def fragments(*values):
    """Number, id, type, name and arguments of each fragment of a tool call."""
    return [
        (call.index, call.id, call.type, call.function.name, call.function.arguments)
        for chunk in read(*values)
        for call in chunk.choices[0].delta.tool_calls
    ]


def stream_of(*values):
    """The bytes of a stream."""
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


# --- chunks ---------------------------------------------------------------------------------------------------------


def test_the_chunks_of_a_stream():
    """Each event is one chunk with what the server said, the model that was asked for, and usage at the end alone."""
    usage = [{"PromptTokens": 7, "CompletionTokens": n, "TotalTokens": 7 + n} for n in (1, 2, 2)]
    first = ChatCompletionChunk(
        "c-1",
        created=5,
        model="hunyuan-lite",
        choices=[ChunkChoice(0, Delta(role="assistant", content="Hel"))],
        extra={"Note": "n"},
    )
    second = ChatCompletionChunk(
        "c-1",
        created=5,
        model="hunyuan-lite",
        choices=[ChunkChoice(0, Delta(role="assistant", content="lo"))],
        extra={"Note": "n"},
    )
    last = ChatCompletionChunk(
        "c-1",
        created=5,
        model="hunyuan-lite",
        choices=[ChunkChoice(0, Delta(role="assistant", content=""), "stop")],
        usage=Usage(7, 2, 9),
        extra={"Note": "n"},
    )
    role = {"Role": "assistant"}
    assert [first, second, last] == read(
        event({**role, "Content": "Hel"}, Usage=usage[0], Note="n"),
        event({**role, "Content": "lo"}, Usage=usage[1], Note="n"),
        event({**role, "Content": ""}, "stop", Usage=usage[2], Note="n"),
        model="hunyuan-lite",
    )


def test_reasoning():
    """ReasoningContent is reasoning, and beside text both are there."""
    [chunk] = read(event({"ReasoningContent": "hm", "Content": "5"}))
    assert ("hm", "5") == (chunk.reasoning, chunk.text)


@pytest.mark.parametrize(
    ("raw", "common", "kept"),
    [
        ("stop", "stop", {}),
        ("tool_calls", "tool_calls", {}),
        ("sensitive", "content_filter", {"native_finish_reason": "sensitive"}),
        ("length", "length", {}),
        ("", None, {}),
        (None, None, {}),
        (5, None, {"FinishReason": 5}),
    ],
)
def test_finish_reasons(raw, common, kept):
    """An empty reason is none, the service's own word stays beside a mapped one, a new one is kept."""
    [chunk] = read(event({}, raw))
    assert (common, kept) == (chunk.choices[0].finish_reason, chunk.choices[0].extra)


def test_usage_is_told_once():
    """Usage counts all that came before: it is told with the end, and again only when the server counts anew."""
    counted = {"PromptTokens": 1, "CompletionTokens": 2, "TotalTokens": 3}
    chunks = read(
        event({"Content": "a"}, Usage=counted),
        event({}, "stop"),
        {"Id": "c-1", "Note": "later"},
        {"Id": "c-1", "Usage": {**counted, "TotalTokens": 4}},
    )
    assert [None, Usage(1, 2, 3), None, Usage(1, 2, 4)] == [chunk.usage for chunk in chunks]


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({"PromptTokens": 1.0, "TotalTokens": None}, Usage(1)),
        (
            {"PromptTokens": 1, "PromptTokensDetails": {"CachedTokens": "12"}},
            Usage(1, prompt_tokens_details=PromptTokensDetails(12)),
        ),
        (
            {"PromptTokensDetails": {"CachedTokens": "many", "X": 1}, "Fresh": [1]},
            Usage(
                prompt_tokens_details=PromptTokensDetails(extra={"CachedTokens": "many", "X": 1}),
                extra={"Fresh": [1]},
            ),
        ),
        (
            {"PromptTokens": 10**400, "prompt_tokens": 1},
            Usage(extra={"PromptTokens": 10**400, "Others": {"prompt_tokens": 1}}),
        ),
        ({"TotalTokens": True}, Usage(extra={"TotalTokens": True})),
    ],
)
def test_usage(raw, usage):
    """Counts may be floats or, where they are declared so, text; what is no count is kept as it is."""
    [chunk] = read(event({}, "stop", Usage=raw))
    assert usage == chunk.usage


def test_the_fragments_of_a_tool_call():
    """Id, type and name are said once, however often the server repeats them."""
    assert [
        (0, "a", "function", "f", ""),
        (0, None, None, None, '{"x":'),
        (0, None, None, None, "1}"),
    ] == fragments(calls(("a", "f", "", 0)), calls(("a", "f", '{"x":', 0)), calls(("a", "", "1}", 0)))


@pytest.mark.parametrize(
    ("events", "numbers"),
    [
        ([calls(("a", "f", "1", 3)), calls(("b", "g", "2", 5)), calls(("a", "f", "3", 3))], [3, 5, 3]),
        ([calls(("a", "f", "1"), ("b", "g", "2")), calls(("b", "g", "3")), calls(("a", "f", "4"))], [0, 1, 1, 0]),
        ([calls(("a", "f", "1", 0), ("b", "f", "2", 0)), calls(("b", "f", "3", 0))], [0, 1, 1]),
        ([calls(("a", None, "1", 0), ("b", None, "2", 0)), calls(("a", None, "3", 0))], [0, 1, 0]),
        ([calls(("a", "f", "1", 0)), calls((None, None, "2", 0)), calls((None, None, "3"))], [0, 0, 0]),
        ([calls((None, "f", "{}", 0)), calls((None, "g", "{}", 1))], [0, 1]),
    ],
)
def test_tool_calls_are_joined_by_their_id(events, numbers):
    """A call has the number of the server, or the next free one; its Id goes before a number that is used again."""
    assert numbers == [fragment[0] for fragment in fragments(*events)]


def test_a_tool_call_without_an_id():
    """A call without an Id gets one, once."""
    first, second = fragments(calls((None, "f", "{", 0)), calls(("", "f", "}", 0)))
    assert first[1].startswith("call_")
    assert (0, None, None, None, "}") == second


def test_what_is_unknown_is_kept_and_the_message_can_be_sent():
    """What a delta holds besides is kept in its choice, so that the message can go back as it is."""
    delta = {
        "Role": "assistant",
        "Content": "x",
        "Mood": 1,
        "role": "pirate",
        "ToolCalls": [{"Id": "a", "Index": 0, "Function": {"Name": "f", "Arguments": "{}", "Z": 2}, "Y": 3}, "odd"],
    }
    [chunk] = read(event(delta, "tool_calls", usage=1, Fresh=2, Gone=None))
    assert {"Fresh": 2, "Others": {"usage": 1}} == chunk.extra
    left = {"Mood": 1, "role": "pirate", "ToolCalls": [{"Y": 3, "Function": {"Z": 2}}]}
    assert {"Delta": left} == chunk.choices[0].extra
    _, completion, _ = run(stream_of(event(delta, "tool_calls")), dialect="hunyuan")
    again = ChatCompletionRequest("m", [Message.user("x"), completion.message, Message.tool("1", "a")])
    assert [
        {"Role": "user", "Content": "x"},
        {
            "Role": "assistant",
            "Content": "x",
            "ToolCalls": [{"Id": "a", "Type": "function", "Function": {"Name": "f", "Arguments": "{}"}}],
        },
        {"Role": "tool", "Content": "1", "ToolCallId": "a"},
    ] == json.loads(DIALECT.encode_request(again, TARGET, False).body)["Messages"]


@pytest.mark.parametrize("case", [case for case in FIXTURES if "error" not in case.name], ids=lambda case: case.name)
def test_every_answer_can_be_sent_back(case):
    """The message of every answer of the fixtures, appended to the conversation, can be sent, without its reasoning."""
    [path] = [path for path in case.iterdir() if path.name != "expected.json"]
    _, completion, _ = run(path.read_bytes(), dialect="hunyuan")
    request = ChatCompletionRequest("m", [Message.user("x"), completion.message])
    [_, message] = json.loads(DIALECT.encode_request(request, TARGET, False).body)["Messages"]
    assert "assistant" == message["Role"]
    assert "ReasoningContent" not in message
    assert len(completion.tool_calls) == len(message.get("ToolCalls", ()))


def test_frames_that_say_nothing():
    """An empty frame and an empty object are no chunks, and the end mark ends."""
    decoder = DIALECT.chunk_decoder(REQUEST)
    assert [[], [], False] == [list(decoder.decode(Frame(" "))), list(decoder.decode(Frame("{}"))), decoder.done]
    assert [[], True] == [list(decoder.decode(Frame(" [DONE]"))), decoder.done]


# --- nothing is lost ------------------------------------------------------------------------------------------------


def leaves(value):
    """The values of a JSON value that are neither objects, lists nor null."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None else [value]


@pytest.mark.parametrize("path", [path for path in STREAMS if "error" not in path.parent.name], ids=name_of)
def test_every_value_of_a_stream_is_found(path):
    """Each value of an event is in its chunk, but for what was said before: ids and names of calls, usage so far."""
    decoder = DIALECT.chunk_decoder(REQUEST)
    said = {"", "m", 0, "function"}
    for frame in SSEDecoder().feed(path.read_bytes()):
        if not frame.data.startswith("{"):
            continue
        value = json.loads(frame.data)
        found = [leaf for chunk in decoder.decode(frame) for leaf in leaves(to_dict(chunk))]
        said |= {leaf for leaf in found if isinstance(leaf, str)}
        for name in ("Usage", "ErrorMsg"):
            value.pop(name, None)
        assert [] == [leaf for leaf in leaves(value) if leaf not in found and leaf not in said]


@pytest.mark.parametrize("name", ["text", "reasoning", "sensitive", "tools-parallel-by-index", "search"])
def test_whole_and_streamed_answers_are_equal(name):
    """The same answer, whole, is the same completion: text, reasoning, calls, usage, finish reason and extra."""
    data = next(path for path in STREAMS if path.parent.name == name).read_bytes()
    _, streamed, error = run(data, dialect="hunyuan")
    assert error is None
    message = streamed.message
    whole = {
        "Id": streamed.id,
        "Created": streamed.created,
        **streamed.extra,
        "Choices": [
            {
                "Index": 0,
                "FinishReason": {"content_filter": "sensitive"}.get(streamed.finish_reason, streamed.finish_reason),
                "Message": {
                    "Role": "assistant",
                    "Content": message.content or "",
                    "ReasoningContent": message.reasoning_content,
                    "ToolCalls": [
                        {"Id": call.id, "Type": call.type, "Function": {"Name": call.name, "Arguments": call.arguments}}
                        for call in streamed.tool_calls
                    ],
                },
            }
        ],
        "Usage": {
            "PromptTokens": streamed.usage.prompt_tokens,
            "CompletionTokens": streamed.usage.completion_tokens,
            "TotalTokens": streamed.usage.total_tokens,
        },
    }
    blocking = DIALECT.decode_completion(json.dumps({"Response": whole}).encode(), REQUEST)
    assert without_nulls(to_dict(streamed)) == without_nulls(to_dict(blocking))
