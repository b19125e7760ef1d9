"""What the DashScope dialect makes of answers: chunks, completions, errors, embeddings; and of nonsense."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compatapi.chat_types import ChatCompletionChunk, ChatCompletionRequest
from compatapi.convert import from_json, to_json
from compatapi.dialects.dashscope import DashScopeDialect
from compatapi.dialects.dashscope.answer import STATUSES
from compatapi.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    CompatAPIError,
    ContextLengthError,
    DecodeError,
    IncompleteStreamError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTooLargeError,
    ServerError,
    StreamError,
)
from compatapi.framing import Frame
from compatapi.http_types import Headers, HttpResponse, Target
from streams import REQUEST, run

DIALECT = DashScopeDialect(clock=lambda: 1_700_000_000.9)
USAGE = {"input_tokens": 22, "output_tokens": 17, "total_tokens": 39}


def result(message=None, finish="null", **fields):
    """One event of the wire, or a whole answer."""
    choice = {"message": {"role": "assistant", **(message or {"content": ""})}, "finish_reason": finish}
    return {"output": {"choices": [choice]}, "usage": USAGE, "request_id": "q-1", **fields}


def sse(*values, event="result"):
    """A stream of the events."""
    return "".join(
        f"id:{number + 1}\nevent:{event}\n:HTTP_STATUS/200\ndata:{json.dumps(value)}\n\n"
        for number, value in enumerate(values)
    ).encode()


def read(*values):
    """The chunks and the answer of a stream that must be whole."""
    chunks, completion, error = run(sse(*values), dialect="dashscope")
    assert error is None, repr(error)
    return chunks, completion


def call(arguments, id="", index=0, name=None):
    """A piece of a tool call."""
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return {"index": index, "id": id, "type": "function", "function": function}


# --- chunks


def test_chunks():
    """Id, time and model are on every chunk, the role is said once, and each has the usage so far."""
    chunks, completion = read(result({"content": "a"}), result({"content": "b"}), result(finish="stop"))
    assert [("q-1", 1_700_000_000, "m")] * 3 == [(chunk.id, chunk.created, chunk.model) for chunk in chunks]
    assert ["assistant", None, None] == [chunk.choices[0].delta.role for chunk in chunks]
    assert [39] * 3 == [chunk.usage.total_tokens for chunk in chunks]
    assert [{}] * 3 == [chunk.extra for chunk in chunks]
    assert ("ab", "stop") == (completion.text, completion.finish_reason)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("null", None),
        (None, None),
        ("", None),
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("rain", "rain"),
        (1, None),
    ],
)
def test_finish_reasons(raw, reason):
    """The word null is no finish reason; any other word is one."""
    chunks, _, _ = run(sse(result({"content": "a"}, raw)), dialect="dashscope")
    assert reason == chunks[0].choices[0].finish_reason


def test_usage():
    """Tokens and their kinds have the usual names; a missing total is the sum, and what else was counted is kept."""
    usage = {
        "input_tokens": 5,
        "output_tokens": 7,
        "image_tokens": 3,
        "video_tokens": None,
        "plugins": {"search": {"count": 1}},
        "output_tokens_details": {"reasoning_tokens": 4, "text_tokens": 3},
        "prompt_tokens_details": {"cached_tokens": 2},
        "input_tokens_details": {"text_tokens": 2},
    }
    found = read(result({"content": "a"}, "stop", usage=usage))[1].usage
    assert (5, 7, 12) == (found.prompt_tokens, found.completion_tokens, found.total_tokens)
    assert (4, 3) == (found.completion_tokens_details.reasoning_tokens, found.completion_tokens_details.text_tokens)
    assert 2 == found.prompt_tokens_details.cached_tokens
    expected = {name: usage[name] for name in ("image_tokens", "plugins", "input_tokens_details")}
    assert expected == found.extra


def test_what_stands_beside_the_choices():
    """Search results and the like are kept under their own names, for the whole answer."""
    info, tool = {"search_results": [{"index": 1, "url": "https://example.com"}]}, [{"type": "code_interpreter"}]
    first = result({"content": "a"})
    first["output"] |= {"search_info": info, "tool_info": tool}
    chunks, completion = read(first, result(finish="stop"))
    assert {"search_info": info, "tool_info": tool} == chunks[0].extra == completion.extra


def test_unknown_fields_of_a_message():
    """They are kept beside the message, so that it can be sent back."""
    calls = [{**call("{}", "call_1", name="f"), "sign": "x"}]
    message = {"content": [{"text": "a"}, {"image": "u"}], "phase": "end", "annotations": None, "tool_calls": calls}
    _, completion = read(result(message, "stop"))
    choice = completion.choices[0]
    assert {"content": message["content"], "phase": "end", "tool_calls": calls} == choice.extra
    assert ({}, "a") == (choice.message.extra, completion.text)
    body = DIALECT.encode_request(ChatCompletionRequest("m", [completion.message]), Target("http://x"), False).body
    assert "a" == json.loads(body)["input"]["messages"][0]["content"]


def test_values_of_another_type_are_kept():
    """What has another type than it should is kept, and no text is made of it."""
    message = {"role": 1, "content": 2, "reasoning_content": ["a"], "tool_calls": {"c": 1}}
    chunks, completion = read(result(message, "stop"))
    assert message == chunks[0].choices[0].extra
    assert "" == completion.text == completion.reasoning


def test_pieces_of_tool_calls():
    """Id, name and type stand in the first piece of a call alone, however often they come."""
    pieces = [call("", "call_1", name="f"), call('{"a"', "call_1", name="f"), call(":1}"), call("")]
    chunks, completion = read(
        *(result({"content": "", "tool_calls": [piece]}) for piece in pieces), result(finish="tool_calls")
    )
    deltas = [chunk.choices[0].delta.tool_calls[0] for chunk in chunks[:-1]]
    assert [("call_1", "function", "f")] + [(None, None, None)] * 3 == [(d.id, d.type, d.function.name) for d in deltas]
    assert [("call_1", "f", '{"a":1}')] == [(made.id, made.name, made.arguments) for made in completion.tool_calls]


def test_a_name_behind_the_id():
    """A name that comes with a later piece is not lost."""
    pieces = [call("", "call_1"), call("{}", name="f")]
    _, completion = read(
        *(result({"content": "", "tool_calls": [piece]}) for piece in pieces), result(finish="tool_calls")
    )
    assert [("call_1", "f", "{}")] == [(made.id, made.name, made.arguments) for made in completion.tool_calls]


def test_calls_without_numbers():
    """Without numbers, calls are told apart by their ids and their order."""
    bare = [
        {key: value for key, value in call("{", id, name=name).items() if key != "index"}
        for id, name in (("a", "f"), ("b", "g"))
    ]
    rest = {"id": "", "function": {"arguments": "}"}}
    again = {"id": "a", "function": {"arguments": "}"}}
    _, completion = read(
        result({"content": "", "tool_calls": bare}),
        result({"content": "", "tool_calls": [rest]}),
        result({"content": "", "tool_calls": [again]}),
        result(finish="tool_calls"),
    )
    assert [("a", "f", "{}"), ("b", "g", "{}")] == [
        (made.id, made.name, made.arguments) for made in completion.tool_calls
    ]


def test_calls_without_ids():
    """A call without an id gets one, once."""
    pieces = [[call('{"a":', name="f")], [call("1}")]]
    chunks, completion = read(
        *(result({"content": "", "tool_calls": piece}) for piece in pieces), result(finish="tool_calls")
    )
    ids = [delta.id for chunk in chunks for delta in chunk.choices[0].delta.tool_calls or ()]
    assert ids == [completion.tool_calls[0].id, None]
    assert '{"a":1}' == completion.tool_calls[0].arguments


def test_incremental_output_that_was_declined():
    """Who declines deltas gets repetitions, of which only what is new is handed on, from the first event."""
    request = ChatCompletionRequest("m", [], extra={"parameters": {"incremental_output": False}})
    decoder = DIALECT.chunk_decoder(request)
    values = [result({"content": text}) for text in ("a", "ab", "abc")]
    out = [chunk.text for value in values for chunk in decoder.decode(Frame(json.dumps(value), "result"))]
    assert ["a", "b", "c"] == out


def test_what_waits_is_not_lost():
    """Chunks that wait for the next event are handed out when there is none."""
    decoder = DIALECT.chunk_decoder(REQUEST)
    values = [result({"content": text}) for text in ("Hi", "Hi there")]
    out = [chunk.text for value in values for chunk in decoder.decode(Frame(json.dumps(value), "result"))]
    assert (["Hi"], [" there"]) == (out, [chunk.text for chunk in decoder.flush()])


# --- ends


@pytest.mark.parametrize("last", ["", "all of it."])
def test_cut_at_every_byte(last):
    """A stream is complete when its finish reason is there, and never before."""
    data = sse(result({"content": "all of it. "}), result({"content": last}, "stop"))
    whole = data.rindex(b"}")
    for place in range(len(data)):
        _, completion, error = run(data[:place], dialect="dashscope")
        assert (place > whole) == (error is None), data[:place]
        assert (error is None) == (completion.finish_reason == "stop")


def test_events_that_say_nothing():
    """An event without an answer, and what comes behind the finish reason, change nothing."""
    data = sse(result({"content": "a"}), result(finish="stop")) + b"id:3\nevent:done\ndata:\n\nevent:done\ndata:{}\n\n"
    chunks, completion, error = run(data, dialect="dashscope")
    assert (2, "a", None) == (len(chunks), completion.text, error)
    chunks, _, _ = run(sse({"output": {}, "request_id": "q-1"}), dialect="dashscope")
    assert [[]] == [chunk.choices for chunk in chunks]


# --- whole answers


@pytest.mark.parametrize("multimodal", [False, True])
def test_blocking_and_streamed_agree(multimodal):
    """A whole answer gives what the same answer gives in pieces."""

    def content(text):
        return [{"text": text}] if multimodal else text

    parts = [
        {"content": content(""), "reasoning_content": "Hm."},
        {"content": content("One "), "reasoning_content": ""},
        {"content": content("two"), "reasoning_content": ""},
        {"content": content(""), "tool_calls": [call('{"a":', "call_1", name="f")]},
        {"content": content(""), "tool_calls": [call("1}")]},
    ]
    _, streamed = read(*map(result, parts), result({"content": content("")}, "tool_calls"))
    whole = {
        "content": content("One two"),
        "reasoning_content": "Hm.",
        "tool_calls": [call('{"a":1}', "call_1", name="f")],
    }
    blocking = DIALECT.decode_completion(json.dumps(result(whole, "tool_calls")).encode(), REQUEST)
    assert streamed == blocking
    assert ("One two", "Hm.", "tool_calls") == (blocking.text, blocking.reasoning, blocking.finish_reason)


def test_text_format():
    """An answer in the form of a text is an answer too."""
    body = {"output": {"text": "Hi", "finish_reason": "stop"}, "usage": USAGE, "request_id": "q-1"}
    completion = DIALECT.decode_completion(json.dumps(body).encode())
    assert ("Hi", "stop", "q-1", None) == (completion.text, completion.finish_reason, completion.id, completion.model)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"code":"InvalidApiKey","message":"Invalid.","request_id":"q"}', StreamError),
        (b'{"status_code":400,"code":"InvalidParameter","message":"No.","output":null}', StreamError),
        (b'{"code":"InvalidParameter","message":"No.","output":{}}', StreamError),
        (b'{"message":"Unauthorized"}', StreamError),
        (b'{"request_id":"q"}', DecodeError),
        (b'{"output":[]}', DecodeError),
        (b"[]", DecodeError),
        (b"nonsense", DecodeError),
        (b"", DecodeError),
    ],
)
def test_bodies_that_are_no_answer(body, error):
    """An error with status 200 is a StreamError, anything that is no answer a DecodeError."""
    with pytest.raises(error):
        DIALECT.decode_completion(body)


# --- errors


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "InvalidParameter", BadRequestError),
        (400, "DataInspectionFailed", BadRequestError),
        (400, "Arrearage", BadRequestError),
        (401, "InvalidApiKey", AuthenticationError),
        (403, "AccessDenied.Unpurchased", PermissionDeniedError),
        (404, "ModelNotFound", NotFoundError),
        (408, "RequestTimeOut", APIStatusError),
        (413, "BadRequest.TooLarge", RequestTooLargeError),
        (429, "Throttling.RateQuota", RateLimitError),
        (500, "InternalError.Algo", ServerError),
        (503, "ModelServingError", ServerError),
    ],
)
def test_errors(status, code, error):
    """A flat error has class, code, message and request id; inside a stream its code tells the status."""
    body = {"code": code, "message": "It went wrong.", "request_id": "q-2"}
    found = DIALECT.decode_error(HttpResponse(status, headers=Headers({"Retry-After": "3"})), json.dumps(body).encode())
    assert (error, status, code, "q-2", 3.0) == (
        type(found),
        found.status_code,
        found.code,
        found.request_id,
        found.retry_after,
    )
    assert (f"HTTP {status}: It went wrong.", body) == (found.message, found.body)
    streamed = run(sse(body, event="error"), dialect="dashscope")[2]
    assert (StreamError, status, code, "q-2") == (
        type(streamed),
        streamed.status_code,
        streamed.code,
        streamed.request_id,
    )
    assert status == STATUSES.get(code, STATUSES.get(code.partition(".")[0]))


def test_a_prompt_that_is_too_long():
    """A prompt that is too long is told by the words of the message."""
    body = b'{"code":"InvalidParameter","message":"Range of input length should be [1, 30720]","request_id":"q"}'
    found = DIALECT.decode_error(HttpResponse(400), body)
    assert (ContextLengthError, "InvalidParameter", "q", 400) == (
        type(found),
        found.code,
        found.request_id,
        found.status_code,
    )
    assert "30720" in found.message


def test_status_inside_an_error():
    """A status that stands in the error itself goes before that of its code."""
    error = run(sse({"status_code": 503, "code": "Throttling", "message": "No."}), dialect="dashscope")[2]
    assert (503, "Throttling") == (error.status_code, error.code)


# --- embeddings


def test_embeddings():
    """Embeddings have the places of their texts, and the tokens are the usage."""
    items = [
        {"text_index": 1, "embedding": [0.5]},
        {"text_index": 0, "embedding": [1], "sparse_embedding": [{"index": 7}]},
    ]
    body = {"output": {"embeddings": items, "note": 1}, "usage": {"total_tokens": 9}, "request_id": "q-1"}
    found = DIALECT.decode_embeddings(json.dumps(body).encode())
    assert [(1, [0.5]), (0, [1])] == [(item.index, item.embedding) for item in found.data]
    assert {"sparse_embedding": [{"index": 7}]} == found.data[1].extra
    assert (9, None) == (found.usage.total_tokens, found.usage.prompt_tokens)
    assert {"note": 1, "request_id": "q-1"} == found.extra


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"output":{}}', DecodeError),
        (b'{"output":{"embeddings":[1]}}', DecodeError),
        (b'{"output":{"embeddings":[{"embedding":"QUJD"}]}}', DecodeError),
        (b'{"code":"InvalidParameter","message":"No."}', StreamError),
        (b"[]", DecodeError),
    ],
)
def test_embeddings_that_are_none(body, error):
    """What holds no embeddings is refused."""
    with pytest.raises(error):
        DIALECT.decode_embeddings(body)


# --- nonsense

SCALAR = st.none() | st.booleans() | st.integers(-2, 2**63) | st.floats(allow_nan=False) | st.text(max_size=4)
ANY = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def record(**fields):
    """An object with some of these fields, each right or wrong."""
    return st.fixed_dictionaries({}, optional={name: value | ANY for name, value in fields.items()}) | ANY


TEXTS = st.text(alphabet="ab", max_size=3)
FUNCTION = record(name=st.text(max_size=3), arguments=TEXTS)
CALL = record(index=st.integers(0, 2), id=TEXTS, type=st.just("function"), function=FUNCTION)
MESSAGE = record(
    role=st.just("assistant"),
    content=TEXTS | st.lists(record(text=TEXTS), max_size=2),
    reasoning_content=TEXTS,
    tool_calls=st.lists(CALL, max_size=2),
)
CHOICE = record(
    index=st.integers(0, 1),
    message=MESSAGE,
    finish_reason=st.sampled_from(["null", "stop"]),
    logprobs=record(content=st.lists(record(token=TEXTS, logprob=st.floats()), max_size=1)),
)
EVENT = record(
    output=record(choices=st.lists(CHOICE, max_size=2), text=TEXTS, finish_reason=TEXTS),
    usage=record(
        input_tokens=st.integers(0),
        output_tokens=st.integers(0),
        output_tokens_details=record(reasoning_tokens=st.integers()),
    ),
    request_id=st.just("q-1"),
    code=st.text(max_size=3),
    message=st.text(max_size=3),
)
NAMES = st.sampled_from([b"result", b"result", b"error", b"done"])
FRAME = st.builds(lambda name, value: b"event:%b\ndata:%b\n\n" % (name, json.dumps(value).encode()), NAMES, EVENT)


@settings(max_examples=150, deadline=None)
@given(st.lists(FRAME | st.binary(max_size=8), max_size=5))
def test_any_events(frames):
    """Whatever a server sends ends in chunks or in one of our errors, and each chunk is read as it was written."""
    chunks, completion, error = run(b"".join(frames), dialect="dashscope")
    assert error is None or type(error) in (StreamError, DecodeError, IncompleteStreamError)
    assert completion.text == "".join(chunk.text for chunk in chunks)
    for chunk in chunks:
        try:
            text = to_json(chunk)
        except CompatAPIError:  # a number that is no finite float
            continue
        assert chunk == from_json(ChatCompletionChunk, text)
