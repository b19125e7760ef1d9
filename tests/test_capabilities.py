"""What every service can do, row by row of the table in docs/dialects.md, asked of six services over real sockets."""

import json
import re
from pathlib import Path

import pytest

from calls import hard_limit  # noqa: F401
from compatapi import (
    ChatCompletionChunk,
    ChatCompletionRequest,
    ChatStream,
    Message,
    Tool,
    iter_anthropic,
    iter_chunks,
    iter_json,
    iter_ndjson,
    iter_ollama,
    iter_sse,
)
from compatapi.accumulate import Accumulator
from compatapi.chat_types import ChatCompletion
from compatapi.convert import from_json
from compatapi.framing import NDJSONDecoder, SSEDecoder
from compatapi.testing import ChatScript, ScriptedServer, StreamReply, render

PAGE = Path(__file__).parents[1] / "docs" / "dialects.md"
#: What all of them say: reasoning, text, a call, and the tokens of prompt, answer and both.
REASONING, TEXT, NAME, ARGUMENTS, USAGE = "Look it up.", "One moment.", "weather", '{"city":"Rome"}', (12, 9, 21)
COUNTS = dict(zip(("prompt_tokens", "completion_tokens", "total_tokens"), USAGE, strict=True))
SCRIPT = ChatScript(pieces=["One ", "moment."], reasoning=REASONING, tool_calls=[(NAME, ARGUMENTS)], usage=COUNTS)
#: Where a stream is asked for, by the name of the provider's row.
PATHS = {
    "anthropic": "/v1/messages",
    "dashscope": "/api/v1/services/aigc/text-generation/generation",
    "gemini": "/v1beta/models/m-1:streamGenerateContent?alt=sse",
    "hunyuan": "/",
    "ollama": "/api/chat",
    "openai": "/v1/chat/completions",
}
REQUEST = ChatCompletionRequest(
    "m-1", [Message.user("Is it warm in Rome?")], tools=[Tool.from_schema(NAME, "Tell the weather", {"type": "object"})]
)
#: What each service says of its answer, in any style.
SAID = (TEXT, REASONING, [(NAME, ARGUMENTS)], "tool_calls", USAGE)
EACH = pytest.mark.parametrize("name", PATHS)
FOUR_EVENTS = ("message_start", "content_block_delta", "message_delta", "message_stop")


def said_in(completion):
    """What a completion says."""
    usage, calls = completion.usage, completion.tool_calls
    return (
        completion.text,
        completion.reasoning,
        [(call.name, call.arguments) for call in calls],
        completion.finish_reason,
        usage and (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens),
    )


def joined(chunks):
    """The completion of some chunks."""
    answer = Accumulator()
    for chunk in chunks:
        answer.add(chunk)
    return answer.completion


def service():
    """The server of all of them."""
    return ScriptedServer(lambda request: SCRIPT)


def streamed(name, script=SCRIPT):
    """The chunks of a service, and the stream behind them."""
    with ScriptedServer(script) as server, server.client(name) as client:
        stream = client.chat_completion_stream(REQUEST)
        return list(stream), stream


def written(name, write):
    """What a service says, written in a format."""
    with service() as server, server.client(name) as client:
        return b"".join(write(client.chat_completion_stream(REQUEST)))


def on_the_wire(name):
    """The body of a streamed answer of a service."""
    with service() as server, server.client(name) as client:
        client.chat_completion_stream(REQUEST, lambda chunk: None)
        return render(SCRIPT, server.requests[0]).body


# --- styles


def blocking(client):
    """Ask for the whole answer."""
    return client.chat_completion(REQUEST)


def generator(client):
    """Iterate."""
    with client.chat_completion_stream(REQUEST) as stream:
        assert said_in(joined(stream)) == said_in(stream.completion)
    return stream.completion


def callback(client):
    """Be called back."""
    chunks = []
    completion = client.chat_completion_stream(REQUEST, chunks.append)
    assert said_in(joined(chunks)) == said_in(completion)
    return completion


def handle(client):
    """Be called back from another thread."""
    texts, thoughts, calls = [], [], []
    started = client.start_stream(
        REQUEST, on_text=texts.append, on_reasoning=thoughts.append, on_tool_call=calls.append
    )
    completion = started.result(10)
    assert (TEXT, REASONING, 1) == ("".join(texts), "".join(thoughts), len(calls))
    return completion


@EACH
@pytest.mark.parametrize("style", [blocking, generator, callback, handle], ids=lambda style: style.__name__)
def test_the_same_answer_in_every_style(name, style):
    """The same question gives equal text, reasoning, tool calls, finish reason and usage, whoever answers and how."""
    with service() as server, server.client(name) as client:
        assert SAID == said_in(style(client))
        assert 1 == len(server.requests)


# --- rows of the table


@EACH
def test_one_stream_type(name):
    """Every service gives a ChatStream of ChatCompletionChunk."""
    chunks, stream = streamed(name)
    assert ChatStream is type(stream)
    assert {ChatCompletionChunk} == {type(chunk) for chunk in chunks}
    assert len(chunks) > 4  # in pieces, as they came
    assert stream.is_complete


@EACH
def test_reasoning_text(name):
    """The reasoning comes piece by piece, apart from the text and in front of it."""
    chunks, _ = streamed(name)
    pieces = [(chunk.reasoning, chunk.text) for chunk in chunks if chunk.reasoning or chunk.text]
    assert [("Look", ""), (" it", ""), (" up.", ""), ("", "One "), ("", "moment.")] == pieces


@EACH
def test_usage_while_streaming(name):
    """A chunk of the stream has the usage, the completion has it at once, and a callback is told."""
    told, seen = [], []
    with service() as server, server.client(name) as client:
        with client.chat_completion_stream(REQUEST) as stream:
            for chunk in stream:
                if chunk.usage is not None:
                    seen.append(chunk.usage.total_tokens == stream.completion.usage.total_tokens)
        client.chat_completion_stream(REQUEST, on_usage=told.append)
    assert seen and all(seen)
    assert USAGE == (told[-1].prompt_tokens, told[-1].completion_tokens, told[-1].total_tokens)


@EACH
def test_structured_access(name):
    """Model, id, choices and finish reason are attributes of every chunk, whatever the wire calls them."""
    chunks, stream = streamed(name)
    assert {"m-1"} == {chunk.model for chunk in chunks}
    assert 1 == len({chunk.id for chunk in chunks} - {None})
    assert stream.completion.id in {chunk.id for chunk in chunks}
    assert {0} == {choice.index for chunk in chunks for choice in chunk.choices}
    assert ["tool_calls"] == [chunk.finish_reason for chunk in chunks if chunk.finish_reason]


#: Of each service that gives several answers to one request, the piece of a stream that says one of them.
CHOICES = {
    "dashscope": lambda at, text: {
        "output": {"choices": [{"index": at, "message": {"content": text}, "finish_reason": "stop"}]}
    },
    "gemini": lambda at, text: {
        "candidates": [{"index": at, "content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP"}]
    },
    "openai": lambda at, text: {"choices": [{"index": at, "delta": {"content": text}, "finish_reason": "stop"}]},
}


@pytest.mark.parametrize("name", CHOICES)
def test_all_choices(name):
    """A service that gives more than one answer to one request has all of them in the chunks."""
    events = [CHOICES[name](at, text) for at, text in enumerate(("one", "two"))]
    chunks, stream = streamed(name, StreamReply(events, done=False))
    assert ["one", "two"] == [choice.delta.content for chunk in chunks for choice in chunk.choices]
    assert ["one", "two"] == [choice.message.text for choice in stream.completion.choices]


@EACH
def test_pure_ollama(name):
    """Whoever answers can be written as Ollama's lines, with nothing in them that is not Ollama's."""
    lines = [json.loads(line) for line in written(name, iter_ollama).splitlines()]
    assert [False] * (len(lines) - 1) + [True] == [line["done"] for line in lines]
    assert {"model", "created_at", "message", "done"} == {key for line in lines[:-1] for key in line}
    assert TEXT == "".join(line["message"].get("content", "") for line in lines)
    assert REASONING == "".join(line["message"].get("thinking", "") for line in lines)
    calls = [call["function"] for line in lines for call in line["message"].get("tool_calls", ())]
    assert [(NAME, json.loads(ARGUMENTS))] == [(call["name"], call["arguments"]) for call in calls]
    assert ("stop", *USAGE[:2]) == tuple(lines[-1][key] for key in ("done_reason", "prompt_eval_count", "eval_count"))
    assert lines[-1]["total_duration"] > 0


@EACH
def test_three_formats(name):
    """Whoever answers can be written as JSON, as server-sent events and as lines of JSON, which say the same."""
    chunks, _ = streamed(name)  # of one call: some services leave the time to the clock
    document, events, lines = (b"".join(write(chunks)) for write in (iter_json, iter_sse, iter_ndjson))
    assert SAID == said_in(from_json(ChatCompletion, document))
    assert b"data: [DONE]\n\n" == events[-14:]
    assert 1 == document.count(b"\n") == len(document.splitlines())
    assert SAID == said_in(joined(iter_chunks([events], "sse"))) == said_in(joined(iter_chunks([lines], "ndjson")))
    assert [*iter_chunks([events], "sse")] == [*iter_chunks([lines], "ndjson")]


def test_the_four_events_of_anthropic():
    """Each of the four events gives what it says: id and model, pieces of text, finish reason and usage, the end."""
    chunks, stream = streamed("anthropic")
    assert ("msg_scripted", "m-1", 12, 1) == (
        chunks[0].id,
        chunks[0].model,
        chunks[0].usage.prompt_tokens,
        chunks[0].usage.completion_tokens,
    )
    assert ["One ", "moment."] == [chunk.text for chunk in chunks if chunk.text]
    assert ("tool_calls", 9) == (chunks[-1].finish_reason, chunks[-1].usage.completion_tokens)
    assert stream.is_complete
    kinds = re.findall(rb"^event: (\w+)", on_the_wire("anthropic"), re.MULTILINE)
    assert {*FOUR_EVENTS} <= {kind.decode() for kind in kinds}


@EACH
def test_written_as_anthropic(name):
    """Whoever answers can be written as Anthropic's events, the four above all, in their order."""
    frames = SSEDecoder().feed(written(name, iter_anthropic))
    kinds = [frame.event for frame in frames]
    assert ["message_start", "content_block_start"] == kinds[:2]
    assert ["content_block_stop", "message_delta", "message_stop"] == kinds[-3:]
    assert kinds == [json.loads(frame.data)["type"] for frame in frames]
    deltas = [json.loads(frame.data)["delta"] for frame in frames if frame.event == "content_block_delta"]
    assert TEXT == "".join(delta.get("text", "") for delta in deltas)
    assert REASONING == "".join(delta.get("thinking", "") for delta in deltas)
    assert json.loads(ARGUMENTS) == json.loads("".join(delta.get("partial_json", "") for delta in deltas))


def keys_of(value):
    """All names of objects in a JSON value."""
    if isinstance(value, dict):
        return {*value}.union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def test_the_pascal_case_of_hunyuan():
    """Every name that goes to Hunyuan and comes from it is PascalCase; every attribute is spelled as for all others."""
    with service() as server, server.client("hunyuan") as client:
        assert SAID == said_in(client.chat_completion_stream(REQUEST, lambda chunk: None))
        asked = server.requests[0].json()
    answered = [json.loads(frame.data) for frame in SSEDecoder().feed(on_the_wire("hunyuan"))]
    assert {"Model", "Messages", "Role", "Content", "Stream", "Tools", "Function"} <= keys_of(asked)
    assert [] == [key for key in keys_of(asked) | keys_of(answered) if not re.fullmatch("([A-Z][a-z]*)+", key)]


def test_the_server_sent_events_of_gemini():
    """A stream is asked of Gemini by its own path, as server-sent events; a whole answer by another path."""
    with service() as server, server.client("gemini") as client:
        assert SAID == said_in(client.chat_completion_stream(REQUEST, lambda chunk: None))
        assert SAID == said_in(client.chat_completion(REQUEST))
        streamed, whole = server.requests
    assert PATHS["gemini"] == streamed.path
    assert ("text/event-stream", "/v1beta/models/m-1:generateContent") == (streamed.headers["accept"], whole.path)


@EACH
def test_each_goes_to_its_own_path(name):
    """A stream is asked for at the path of the service."""
    with service() as server, server.client(name) as client:
        client.chat_completion_stream(REQUEST, lambda chunk: None)
        assert ("POST", PATHS[name]) == (server.requests[0].method, server.requests[0].path)


def test_the_lines_of_ollama_are_no_events():
    """The one service that streams lines of JSON is read by the same call as the others."""
    frames = NDJSONDecoder().feed(on_the_wire("ollama"))
    assert [7] * 2 == [len(frames), len(streamed("ollama")[0])]


def test_the_page_has_this_table():
    """Each row of the table on the page names tests of this file, and each capability here is in it."""
    named = re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8"))
    here = {test for test in globals() if test.startswith("test_")}
    assert [] == [test for test in named if test not in here]
    assert len(named) >= 10
