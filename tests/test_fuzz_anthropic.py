"""Mutilated streams and bodies of the Messages API: they end in chunks or in one of our errors, and nothing else."""

import copy
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compatapi.chat_types import ChatCompletionChunk, ChatCompletionRequest, Message
from compatapi.convert import from_json, to_json
from compatapi.dialects import get_dialect
from compatapi.dialects.anthropic import AnthropicDialect
from compatapi.errors import ConfigError, DecodeError, IncompleteStreamError, StreamError
from compatapi.framing import Frame
from compatapi.http_types import Target
from streams import REQUEST, run

DIALECT = AnthropicDialect(clock=lambda: 1_700_000_000.0)
TEXTS = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "text", "thinking",
         "tool_use", "text_delta", "input_json_delta", "citations_delta", "error", "", "{}", "é"]  # fmt: skip
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([2**64, 1.5, 1e300, *TEXTS]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "text", "index", "error", "message", "usage", "input"]), inner, max_size=2
        )
    ),
    max_leaves=5,
)


def starting(index, **block):
    """The start of a block."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def going_on(index, kind, **delta):
    """A piece of a block."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", **delta}}


PLAIN = [
    {
        "type": "message_start",
        "message": {"id": "msg_1", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 3}},
    },
    starting(0, type="thinking", thinking="", signature=""),
    going_on(0, "thinking", thinking="Hm"),
    going_on(0, "signature", signature="c2ln"),
    {"type": "content_block_stop", "index": 0},
    starting(1, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
    going_on(1, "input_json", partial_json='{"query": "x"}'),
    {"type": "content_block_stop", "index": 1},
    starting(2, type="text", text=""),
    going_on(2, "text", text="Hi"),
    going_on(2, "citations", citation={"type": "char_location", "cited_text": "a"}),
    starting(3, type="tool_use", id="toolu_1", name="f", input={}),
    going_on(3, "input_json", partial_json='{"a": 1}'),
    {"type": "content_block_stop", "index": 3},
    {"type": "ping"},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
]


def spots(value, path=()):
    """The paths to all values in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from spots(inner, (*path, key))


@st.composite
def mutilated(draw):
    """A stream with some values of its events replaced or removed, and some events left out or in another order."""
    values = copy.deepcopy(draw(st.lists(st.sampled_from(PLAIN), min_size=1, max_size=6) | st.just(PLAIN)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(values) - 1))
        places = list(spots(values[at]))
        place, key = values, at
        for step in places[draw(st.integers(0, len(places) - 1))]:
            place, key = place[key], step
        if isinstance(place, list) or draw(st.booleans()):
            place[key] = draw(ODD)
        else:
            del place[key]
    names = [value.get("type") if isinstance(value, dict) else "error" for value in values]
    return "".join(f"event: {n}\ndata: {json.dumps(v)}\n\n" for n, v in zip(names, values, strict=True)).encode()


def send_back(completion):
    """Say the answer as part of a conversation."""
    request = ChatCompletionRequest("m", [Message.user("a"), completion.message, Message.user("b")])
    return DIALECT.encode_request(request, Target("https://api.example"), False)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(mutilated())
def test_mutilated_streams(data):
    """Whatever is wrong in a stream, it ends in chunks or in one of our errors; chunks read again are equal."""
    chunks, completion, error = run(data, dialect="anthropic")
    assert error is None or isinstance(error, DecodeError | StreamError | IncompleteStreamError), repr(error)
    reader = get_dialect("openai").chunk_decoder(REQUEST)
    for chunk in chunks:
        written = to_json(chunk)
        assert chunk == from_json(ChatCompletionChunk, written)
        assert [chunk] == list(reader.decode(Frame(written.decode())))
    try:
        assert send_back(completion).body
    except ConfigError as problem:
        assert "messages[1]" in problem.message


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ODD | st.fixed_dictionaries({"type": st.just("message"), "content": st.lists(ODD, max_size=3), "usage": ODD}))
def test_mutilated_bodies(value):
    """A body is read, or refused with one of our errors."""
    try:
        completion = DIALECT.decode_completion(json.dumps(value).encode())
    except (DecodeError, StreamError) as error:
        assert error.message
    else:
        assert isinstance(completion.text, str)
