"""What the Anthropic dialect makes of answers, errors and lists of models, and how answers go back."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.convert import from_json, to_dict, to_json
from compatapi.dialects.anthropic import AnthropicDialect
from compatapi.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ContextLengthError,
    DecodeError,
    IncompleteStreamError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StreamError,
)
from compatapi.http_types import Headers, HttpResponse, Quirks, Target
from streams import run, same_at_every_cut

DIALECT = AnthropicDialect(clock=lambda: 1_700_000_000.5)
TARGET = Target("https://api.example")
CITATION = {"type": "char_location", "cited_text": "a", "document_index": 0, "file_id": None}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "é"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"url": "u", "page_age": None}]}
USAGE = {"input_tokens": 3, "output_tokens": 4}


def message(*blocks, stop="end_turn", **fields):
    """A whole message of the wire."""
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": list(blocks),
            "stop_reason": stop, "stop_sequence": None, "usage": USAGE, **fields}  # fmt: skip


def text(said, **fields):
    """A block of text."""
    return {"type": "text", "text": said, **fields}


def thinking(said, signature="c2ln"):
    """A block of thinking."""
    return {"type": "thinking", "thinking": said, "signature": signature}


def call(id, name="f", **fields):
    """A block that calls a tool."""
    return {"type": "tool_use", "id": id, "name": name, "input": fields}


def whole(*blocks, **fields):
    """The completion of a whole message."""
    return DIALECT.decode_completion(json.dumps(message(*blocks, **fields)).encode())


def events(value):
    """The events that tell a whole message, as the service would, texts letter by letter."""
    yield {"type": "message_start", "message": {**value, "content": [], "stop_reason": None, "usage": USAGE}}
    for index, block in enumerate(value["content"]):
        start, deltas = dict(block), []
        for kind, name in (("text", "text"), ("thinking", "thinking"), ("signature", "signature")):
            if name in start and block["type"] in ("text", "thinking"):
                pieces = list(block[name]) if name != "signature" else [block[name]]
                deltas += [{"type": f"{kind}_delta", name: piece} for piece in pieces]
                start[name] = ""
        deltas = [{"type": "citations_delta", "citation": one} for one in block.get("citations") or ()] + deltas
        start |= {"citations": []} if block.get("citations") else {}
        if isinstance(block.get("input"), dict):
            start["input"] = {}
            written = json.dumps(block["input"]) if block["input"] else ""
            deltas += [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *written)]
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": value["stop_reason"]}, "usage": {"output_tokens": 4}}
    yield {"type": "message_stop"}


def sse(values):
    """The bytes of a stream of events."""
    return "".join(f"event: {value['type']}\ndata: {json.dumps(value)}  \n\n" for value in values).encode()


def streamed(*blocks, **fields):
    """The completion of a message that was streamed."""
    _, completion, error = run(sse(events(message(*blocks, **fields))), dialect="anthropic")
    assert error is None, repr(error)
    return completion


def sent_back(completion, *more):
    """The content of the assistant's turn, when the answer is appended to the conversation."""
    request = ChatCompletionRequest("m", [Message.user("a"), completion.message, Message.user("b"), *more])
    turns = json.loads(DIALECT.encode_request(request, TARGET, False).body)["messages"]
    return turns[1]["content"] if turns[1:] else []


# --- what is said ---------------------------------------------------------------------------------------------------


def test_a_whole_message():
    """A whole message is a completion with the common names, and the server's own words beside them."""
    usage = {"input_tokens": 3, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 100, "output_tokens": 4,
             "output_tokens_details": {"thinking_tokens": 2}, "service_tier": "standard"}  # fmt: skip
    blocks = (thinking("Hm."), text("Hi"), call("toolu_1", a=1))
    made = whole(*blocks, stop="tool_use", usage=usage, container={"id": "c"})
    expected = {
        "id": "msg_1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "claude-x",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hi",
                    "reasoning_content": "Hm.",
                    "tool_calls": [
                        {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
                    ],
                    "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "Hm.", "signature": "c2ln"}],
                },
                "finish_reason": "tool_calls",
                "native_finish_reason": "tool_use",
            }
        ],
        "usage": {
            "prompt_tokens": 123,
            "completion_tokens": 4,
            "total_tokens": 127,
            "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 100},
            "completion_tokens_details": {"reasoning_tokens": 2},
            "input_tokens": 3,
            "output_tokens_details": {"thinking_tokens": 2},
            "service_tier": "standard",
        },
        "container": {"id": "c"},
    }
    assert expected == to_dict(made)


def test_the_chunks_of_a_stream():
    """Every chunk names the message and the model; what is said in one event is in one chunk."""
    blocks = (thinking("Hm", ""), text("Hi"), call("toolu_1"))
    chunks = run(sse(events(message(*blocks, stop="tool_use"))), dialect="anthropic")[0]
    frame = {"id": "msg_1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "claude-x"}
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "input_tokens": 3}
    thought = {"type": "reasoning.text", "index": 0}
    deltas = [
        {"role": "assistant"},
        *({"reasoning_content": one, "reasoning_details": [{**thought, "text": one}]} for one in "Hm"),
        *({"content": one} for one in "Hi"),
        {"tool_calls": [{"index": 0, "id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {},
    ]
    expected = [{**frame, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    expected[0] |= {"usage": usage}
    expected[-1] |= {"usage": usage}
    expected[-1]["choices"][0] |= {"finish_reason": "tool_calls", "native_finish_reason": "tool_use"}
    assert expected == [to_dict(chunk) for chunk in chunks]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("compaction", "compaction"),
    ],
)
def test_stop_reasons(raw, expected):
    """Each stop reason has the common name, and its own beside it where the two differ; one that is new is kept."""
    for completion in (whole(text("Hi"), stop=raw), streamed(text("Hi"), stop=raw)):
        assert expected == completion.finish_reason
        beside = {} if raw == expected else {"native_finish_reason": raw}
        assert beside == completion.choices[0].extra


def test_what_stands_beside_a_stop_reason():
    """The sequence that stopped the model, and why it refused, are kept beside the finish reason."""
    details = {"type": "refusal", "category": "cyber", "explanation": "no"}
    made = whole(stop="refusal", stop_details=details)
    assert {"native_finish_reason": "refusal", "stop_details": details} == made.choices[0].extra
    made = whole(text("a"), stop="stop_sequence", stop_sequence="END")
    assert {"native_finish_reason": "stop_sequence", "stop_sequence": "END"} == made.choices[0].extra


def test_calls_without_arguments():
    """A call without arguments has an empty object, whole or streamed, so that its text is always JSON."""
    for completion in (whole(call("toolu_1")), streamed(call("toolu_1"))):
        assert [("f", "{}", {})] == [(one.name, one.arguments, one.parse_arguments()) for one in completion.tool_calls]


def test_usage_is_merged():
    """Numbers of the last event replace those of the first; those that it does not name stay."""
    values = list(events(message(text("Hi"))))
    values[0]["message"]["usage"] = {"input_tokens": 9, "cache_read_input_tokens": 5, "output_tokens": 1}
    values[-2]["usage"] = {"output_tokens": 7, "input_tokens": 10, "cache_read_input_tokens": None}
    chunks, completion, _ = run(sse(values), dialect="anthropic")
    counts = [(u.prompt_tokens, u.completion_tokens) for u in (chunk.usage for chunk in chunks) if u is not None]
    assert [(14, 1), (15, 7)] == counts
    assert 5 == completion.usage.prompt_tokens_details.cached_tokens


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request_error", BadRequestError),
        (401, "authentication_error", AuthenticationError),
        (403, "permission_error", PermissionDeniedError),
        (404, "not_found_error", NotFoundError),
        (429, "rate_limit_error", RateLimitError),
        (500, "api_error", ServerError),
        (529, "overloaded_error", ServerError),
    ],
)
def test_errors_with_a_status(status, kind, expected):
    """An error has the class of its status, and what the service says of it."""
    body = {"type": "error", "error": {"type": kind, "message": "No way"}, "request_id": "req_1"}
    response = HttpResponse(status, "", Headers({"retry-after": "3"}))
    error = DIALECT.decode_error(response, json.dumps(body).encode())
    assert expected is type(error)
    found = (error.status_code, error.type, error.request_id, error.retry_after, error.body)
    assert (status, kind, "req_1", 3.0, body) == found
    assert f"HTTP {status}: No way" == error.message


def test_a_prompt_that_is_too_long():
    """A prompt that the model cannot hold is told apart from other bad requests."""
    said = "prompt is too long: 3333404 tokens > 200000 maximum"
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": said}}
    error = DIALECT.decode_error(HttpResponse(400), json.dumps(body).encode())
    assert ContextLengthError is type(error)


@pytest.mark.parametrize(
    ("kind", "status"),
    [("overloaded_error", 529), ("rate_limit_error", 429), ("api_error", 500), ("timeout_error", 504), ("odd", None)],
)
def test_errors_in_a_stream(kind, status):
    """An error event says which status it stands for, and comes behind what was said before it."""
    values = [*list(events(message(text("Hi"))))[:4], {"type": "error", "error": {"type": kind, "message": "m"}}]
    chunks, completion, error = run(sse(values), dialect="anthropic")
    assert (StreamError, kind, status) == (type(error), error.type, error.status_code)
    assert ("Hi", "Hi") == ("".join(chunk.text for chunk in chunks), completion.text)


@pytest.mark.parametrize("body", [b"17", b'{"type":"message"}', b"[]", b"{", b'{"content":"x"}'])
def test_answers_that_are_none(body):
    """What is no message is not read as one."""
    with pytest.raises(DecodeError):
        DIALECT.decode_completion(body)


# --- models ---------------------------------------------------------------------------------------------------------


def test_models():
    """The list of models is asked for page by page, and each has the time at which it was made."""
    first = DIALECT.encode_models(TARGET)
    assert ("GET", "https://api.example/v1/models", "2023-06-01") == (
        first.method,
        first.url,
        first.headers["anthropic-version"],
    )
    items = [
        {"type": "model", "id": "claude-x", "display_name": "Claude X", "created_at": "2025-02-19T00:00:00Z"},
        {"type": "model", "id": "claude-y", "created_at": "long ago"},
    ]
    page = {"data": items, "has_more": True, "first_id": "claude-x", "last_id": "claude-y"}
    models = DIALECT.decode_models(json.dumps(page).encode())
    found = [(model.id, model.created, model.extra.get("display_name")) for model in models]
    assert [("claude-x", 1739923200, "Claude X"), ("claude-y", None, None)] == found
    second = DIALECT.encode_more_models(TARGET, json.dumps(page).encode())
    assert "https://api.example/v1/models?after_id=claude-y" == second.url
    for last in ({**page, "has_more": False}, {"data": []}, {**page, "last_id": None}):
        assert DIALECT.encode_more_models(TARGET, json.dumps(last).encode()) is None


def test_models_that_are_none():
    """A host without a list of models says so before it is asked; an answer that is no list is not read as one."""
    with pytest.raises(ConfigError, match="no list of models"):
        DIALECT.encode_models(Target("https://api.example", quirks=Quirks(models_path=None)))
    with pytest.raises(DecodeError, match="no list"):
        DIALECT.decode_models(b"[]")
    with pytest.raises(StreamError, match="No way"):
        DIALECT.decode_models(b'{"type":"error","error":{"type":"api_error","message":"No way"}}')


# --- the next turn --------------------------------------------------------------------------------------------------

ORDERS = {
    "thinking, text, calls": [thinking("Hm."), text("Hi"), call("toolu_1", a=1), call("toolu_2")],
    "redacted": [{"type": "redacted_thinking", "data": "AA=="}, thinking("Hm."), call("toolu_1")],
    "thinking not shown": [thinking(""), text("Hi")],
    "interleaved": [thinking("A", "MQ=="), text("1"), thinking("B", "Mg=="), text("2"), call("toolu_1")],
    "thinking in front of a call": [thinking("A"), text("1"), thinking("B"), call("toolu_1")],
    "text behind calls": [call("toolu_1"), text("1"), call("toolu_2", b=2), text("2")],
    "thinking behind a call": [text("1"), call("toolu_1"), thinking("A"), call("toolu_2"), text("2")],
    "search": [text("I look."), SEARCH, FOUND, text("It is "), text("a\n", citations=[CITATION, CITATION]), text("!")],
    "search at once": [thinking("A"), SEARCH, FOUND, text("é", citations=[CITATION]), call("toolu_1")],
    "citations in the first text": [text("é", citations=[CITATION])],
    "blocks of nobody": [
        {"type": "hologram", "light": {"a": [1, None]}},
        text("a"),
        {"type": "rest", "n": 0},
        text("b"),
    ],
}


@pytest.mark.parametrize("blocks", ORDERS.values(), ids=ORDERS)
def test_an_answer_goes_back_unchanged(blocks):
    """Every block of an answer is sent back as it came and where it stood, whole or streamed, also through JSON."""
    expected = blocks if len(blocks) > 1 or "citations" in blocks[0] else blocks[0]["text"]
    for completion in (whole(*blocks), streamed(*blocks)):
        assert expected == sent_back(completion)
        written = from_json(type(completion), to_json(completion))
        assert expected == sent_back(written)


BLOCK = st.one_of(
    st.text("ab \n", min_size=1).map(text),
    st.text("ab").map(lambda said: text(f"{said}.", citations=[CITATION])),
    st.text("ab").map(thinking),
    st.text("ab").map(lambda data: {"type": "redacted_thinking", "data": data}),
    st.sampled_from([SEARCH, FOUND]),
    st.just(None),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(BLOCK, max_size=8))
def test_any_answer_goes_back_unchanged(blocks):
    """Whatever blocks an answer has, in whatever order, they go back as they came; whole and streamed are equal."""
    blocks = [call(f"toolu_{at}") if block is None else block for at, block in enumerate(blocks)]
    one, other = whole(*blocks), streamed(*blocks)
    expected = blocks[0]["text"] if len(blocks) == 1 and blocks[0] == text(blocks[0].get("text")) else blocks
    assert expected == sent_back(one) == sent_back(other)
    for completion in (one, other):
        for piece in completion.message.extra.get("content_blocks", ()):
            piece.pop("partial_json", None)
    assert to_dict(one) == to_dict(other)


def test_thinking_that_broke_off():
    """Thinking that ended before it was signed is left out; where more was said behind it the server signs nothing."""
    assert [] == sent_back(whole(thinking("Hm", "")))
    assert "Hi" == sent_back(whole(text("Hi"), thinking("Hm", "")))
    assert [thinking("Hm", ""), text("Hi")] == sent_back(whole({"type": "thinking", "thinking": "Hm"}, text("Hi")))


def test_a_member_of_a_toolset_goes_back():
    """The name of the toolset goes back with the call, and with its result where a program puts it there."""
    block = {**call("toolu_1", "left_click", x=1), "toolset_name": "computer"}
    result = Message("tool", "done", tool_call_id="toolu_1", extra={"toolset_name": "computer"})
    request = ChatCompletionRequest("m", [Message.user("a"), whole(block).message, result])
    turns = json.loads(DIALECT.encode_request(request, TARGET, False).body)["messages"]
    answer = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "done", "toolset_name": "computer"}
    assert ([block], [answer]) == (turns[1]["content"], turns[2]["content"])


def test_thinking_that_is_no_thinking():
    """A block of thinking with the input of a tool, which no server should send, stops no next turn."""
    odd = {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{}"}}
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}
    _, completion, _ = run(sse([{"type": "message_start", "message": message()}, start, odd]), dialect="anthropic")
    assert completion.message.extra["content_blocks"]
    assert [] == sent_back(completion)


def test_answers_of_relays_go_back():
    """Thinking that a relay of this service's models handed on goes back signed, in pieces or in one."""
    ours = {"type": "reasoning.text", "format": "anthropic-claude-v1", "id": None}
    details = [{**ours, "index": 0, "text": "A"}, {**ours, "index": 0, "text": "B", "signature": "c2ln"}]
    details.append({"type": "reasoning.encrypted", "format": "anthropic-claude-v1", "data": "AA=="})
    given = Message("assistant", "Hi", reasoning_content="AB", extra={"reasoning_details": details})
    request = ChatCompletionRequest("m", [Message.user("a"), given, Message.user("b")])
    turn = json.loads(DIALECT.encode_request(request, TARGET, False).body)["messages"][1]
    blocks = turn["content"]
    assert {"redacted_thinking", "thinking", "text"} == {block["type"] for block in blocks}
    assert [thinking("AB")] == [block for block in blocks if block["type"] == "thinking"]
    assert text("Hi") in blocks


def test_an_answer_that_was_changed():
    """A program may shorten an answer, or write parts in its place: all of what it wrote is sent, with the rest."""
    completion = whole(text("I look."), SEARCH, FOUND, text("It is warm."))
    short = copy.copy(completion.message)
    object.__setattr__(short, "content", "I")
    completion.choices[0].message = short
    assert [text("I"), SEARCH, FOUND] == sent_back(completion)
    object.__setattr__(short, "content", ({"type": "text", "text": "A"}, {"type": "text", "text": "B"}))
    assert [text("A"), text("B"), SEARCH, FOUND] == sent_back(completion)


def test_a_search_that_was_stopped():
    """The input of a server tool that was stopped in the middle goes back as far as it can be read."""
    values = list(events(message(text("I look."), SEARCH, FOUND)))
    at = next(n for n, value in enumerate(values) if value["type"] == "content_block_start" and value["index"] == 1)
    for count, expected in ((4, {}), (len(json.dumps(SEARCH["input"])) + 2, SEARCH["input"])):
        completion = run(sse(values[: at + count]), dialect="anthropic")[1]
        assert [text("I look."), {**SEARCH, "input": expected}] == sent_back(completion)


# --- whatever comes -------------------------------------------------------------------------------------------------


def test_a_cut_stream_is_never_whole():
    """Cut at every byte, a stream is complete only when its stop reason was there."""
    data = sse(events(message(thinking("Hm"), text("Hi"), call("toolu_1", a=1))))
    reason = data.index(b"event: message_delta")
    end = data.index(b"\n", data.index(b"\n", reason) + 1)
    for at in range(len(data)):
        _, completion, error = run(data[:at], dialect="anthropic")
        assert isinstance(error, IncompleteStreamError) is (at < end - 2), f"cut at {at}"
        assert (None if error else "stop") == completion.finish_reason


def test_every_cut_gives_the_same():
    """Where the network cuts the bytes does not show."""
    data = sse(events(message(thinking("é😀"), text("é😀"), SEARCH, FOUND, text("é😀"))))
    chunks = same_at_every_cut(data, lambda pieces: [to_dict(chunk) for chunk in run(pieces, dialect="anthropic")[0]])
    assert "é😀é😀" == "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
