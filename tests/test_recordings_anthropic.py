"""Answers recorded from the Messages API, read where they lie beside the repository.

The recordings belong to others and are not part of it; `test_fixtures` tests the same situations without them.
"""

import json

import pytest

from compatapi.chat_types import ChatCompletionChunk, ChatCompletionRequest, Message
from compatapi.convert import from_json, to_dict, to_json
from compatapi.dialects import get_dialect
from compatapi.dialects.anthropic import AnthropicDialect
from compatapi.errors import AuthenticationError, ContextLengthError, IncompleteStreamError
from compatapi.framing import Frame
from compatapi.http_types import HttpResponse, Target
from helpers import RECORDINGS
from streams import REQUEST, run, same_at_every_cut, usage_of

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here (COMPATAPI_RECORDINGS)")

DIALECT = AnthropicDialect(clock=lambda: 1_700_000_000.0)

# Literal facts: beginning and length of the text, length of the reasoning, names and lengths of arguments of the tools,
# finish reason, tokens of prompt and answer.
FACTS = {
    "anthropic-citations.sse": ("The Ruby pro", 72, 0, [], "stop", (672, 39)),
    "anthropic-incomplete-tool-json.sse": ("I'll create ", 135, 0, [("make_file", 149)], "length", (450, 124)),
    "anthropic-redacted-thinking.sse": ("I notice tha", 359, 0, [], "stop", (92, 189)),
    "anthropic-refusal.sse": ("", 0, 0, [], "content_filter", (20, 0)),
    "anthropic-text.sse": ("Hello!", 6, 0, [], "stop", (10, 5)),
    "anthropic-thinking-tool.sse": ("", 0, 180, [("fixed_version", 2)], "tool_calls", (598, 92)),
    "anthropic-tool.sse": ("", 0, 0, [("pelican_name_generator", 2)], "tool_calls", (543, 40)),
    "anthropic-web-search.sse": ("I'll check t", 875, 0, [], "stop", (9911, 343)),
    "anthropic-text.json": ("2 + 2 = 4", 9, 0, [], "stop", (16, 13)),
    "anthropic-thinking-tool.json": ("I need to se", 118, 744, [("search", 51)], "tool_calls", (494, 249)),
}
STREAMS = [name for name in FACTS if name.endswith(".sse")]
#: Of these names the values say how the answer was told, and not what it is.
FORM = {"type", "index"}


def bytes_of(name):
    """The bytes of a recording."""
    return (RECORDINGS / name).read_bytes()


def answer_of(name):
    """The completion of a recording."""
    if name.endswith(".json"):
        return DIALECT.decode_completion(bytes_of(name))
    _, completion, error = run(bytes_of(name), dialect="anthropic")
    assert error is None, repr(error)
    return completion


def events_of(name):
    """The JSON objects of a recorded stream, line by line."""
    lines = bytes_of(name).decode().split("\n")
    return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]


def read_simply(name):
    """Text, reasoning, arguments and stop reason of a recording, by a reader that knows nothing of the library."""
    found = {"text": "", "thinking": "", "partial_json": "", "stop": None}
    servers = set()
    for event in events_of(name):
        block, delta = event.get("content_block") or {}, event.get("delta") or {}
        if block.get("type") == "server_tool_use":
            servers.add(event["index"])
        for key in ("text", "thinking"):
            found[key] += block.get(key, "") + delta.get(key, "")
        if event.get("index") not in servers:
            found["partial_json"] += delta.get("partial_json", "")
        found["stop"] = delta.get("stop_reason") or found["stop"]
    return found


def leaves(value, name=""):
    """The names and values at the ends of a JSON value; what says nothing, and the form of the events, is left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, name)
    elif value not in (None, "") and name not in FORM:
        yield value


@pytest.mark.parametrize("name", FACTS)
def test_literal_facts(name):
    """Each recording says what is known of it, and the file's own words agree."""
    made = answer_of(name)
    calls = [(call.name, len(call.arguments)) for call in made.tool_calls]
    found = (made.text[:12], len(made.text), len(made.reasoning), calls, made.finish_reason, usage_of(made)[:2])
    assert FACTS[name] == found


@pytest.mark.parametrize("name", STREAMS)
def test_as_a_simple_reader_reads_it(name):
    """Text, thinking, arguments and stop reason are those that stand in the file."""
    made, simple = answer_of(name), read_simply(name)
    assert (simple["text"], simple["thinking"]) == (made.text, made.reasoning)
    arguments = "".join(call.arguments for call in made.tool_calls)
    assert (simple["partial_json"] or ("{}" if made.tool_calls else "")) == arguments
    assert simple["stop"] == made.choices[0].extra["native_finish_reason"]


@pytest.mark.parametrize("name", STREAMS)
def test_at_every_cut(name):
    """Where the network cuts a recording does not show in its chunks."""
    chunks = same_at_every_cut(bytes_of(name), lambda pieces: list(map(to_dict, run(pieces, dialect="anthropic")[0])))
    assert len(chunks) > 1


@pytest.mark.parametrize("name", STREAMS)
def test_nothing_is_lost(name):
    """Every value of a recorded event is in the chunks that it became: in a field, or in what they keep beside them."""
    decoder = DIALECT.chunk_decoder(REQUEST)
    for event in events_of(name):
        chunks = list(decoder.decode(Frame(json.dumps(event))))
        kept = set(map(repr, leaves([to_dict(chunk) for chunk in chunks])))
        assert set(map(repr, leaves(event))) <= kept, event


@pytest.mark.parametrize("name", [name for name in FACTS if name.endswith(".json")])
def test_nothing_of_a_whole_answer_is_lost(name):
    """Every value of a recorded answer is in the completion; the input of a tool is in its arguments."""
    kept = set(map(repr, leaves(to_dict(answer_of(name)))))
    for call in answer_of(name).tool_calls:
        kept |= set(map(repr, leaves(call.parse_arguments())))
    assert set(map(repr, leaves(json.loads(bytes_of(name))))) <= kept


@pytest.mark.parametrize("name", STREAMS)
def test_through_the_common_form(name):
    """Every chunk, written as an OpenAI chunk and read again by that dialect, is equal."""
    chunks = run(bytes_of(name), dialect="anthropic")[0]
    reader = get_dialect("openai").chunk_decoder(REQUEST)
    assert chunks == [read for chunk in chunks for read in reader.decode(Frame(to_json(chunk).decode()))]
    assert chunks == [from_json(ChatCompletionChunk, to_json(chunk)) for chunk in chunks]


@pytest.mark.parametrize("name", STREAMS)
def test_cut_short(name):
    """A recording without its end is an error, unless its stop reason had been told."""
    data = bytes_of(name)
    whole = answer_of(name).text
    for share in range(1, 20):
        chunks, completion, error = run(data[: len(data) * share // 20], dialect="anthropic")
        assert whole.startswith(completion.text)
        assert any(chunk.finish_reason for chunk in chunks) or isinstance(error, IncompleteStreamError)


def blocks_of(name):
    """The blocks of a recording, put together by a reader that knows nothing of the library."""
    if name.endswith(".json"):
        return json.loads(bytes_of(name))["content"]
    blocks, inputs = {}, {}
    for event in events_of(name):
        index, delta = event.get("index"), event.get("delta") or {}
        if event["type"] == "content_block_start":
            blocks[index] = event["content_block"]
        if event["type"] == "content_block_delta":
            if "citation" in delta:
                blocks[index]["citations"].append(delta["citation"])
            inputs[index] = inputs.get(index, "") + delta.get("partial_json", "")
            for key in {"text", "thinking", "signature"} & delta.keys():
                blocks[index][key] += delta[key]
    for index, text in inputs.items():
        if text:
            blocks[index]["input"] = json.loads(text)
    without_citations = [{k: v for k, v in block.items() if v != [] or k != "citations"} for block in blocks.values()]
    return [block for block in without_citations if block.get("text") != ""]


@pytest.mark.parametrize("name", [name for name in FACTS if "incomplete" not in name])
def test_the_answer_goes_back_unchanged(name):
    """Appended to the conversation, a recorded answer is sent back block by block as it came."""
    turns = [Message.user("a"), answer_of(name).message, Message.user("b")]
    body = DIALECT.encode_request(ChatCompletionRequest("m", turns), Target("https://api.example"), False).body
    blocks = blocks_of(name)
    sent = json.loads(body)["messages"][1]["content"] if blocks else []
    assert blocks == ([{"type": "text", "text": sent}] if isinstance(sent, str) else sent)


@pytest.mark.parametrize(
    ("name", "status", "kind", "type_", "said"),
    [
        ("anthropic-error-400.json", 400, ContextLengthError, "invalid_request_error", "prompt is too long: 3333404"),
        ("anthropic-error-401.json", 401, AuthenticationError, "authentication_error", "invalid x-api-key"),
    ],
)
def test_error_bodies(name, status, kind, type_, said):
    """A recorded error has the class of its status and what the service says of it."""
    error = DIALECT.decode_error(HttpResponse(status), bytes_of(name))
    assert (kind, type_, status) == (type(error), error.type, error.status_code)
    assert said in error.message
    assert error.request_id.startswith("req_011CeCG")
