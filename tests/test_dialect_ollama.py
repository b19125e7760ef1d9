"""What the Ollama dialect makes of answers: chunks, completions, errors, lists, embeddings; and of nonsense."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compatapi.accumulate import Accumulator
from compatapi.chat_types import ChatCompletionChunk, ChatCompletionRequest
from compatapi.convert import from_json, to_json
from compatapi.dialects.ollama import OllamaDialect
from compatapi.dialects.openai import OpenAIDialect
from compatapi.errors import (
    AuthenticationError,
    BadRequestError,
    CompatAPIError,
    ContextLengthError,
    DecodeError,
    IncompleteStreamError,
    NotFoundError,
    ServerError,
    StreamError,
)
from compatapi.framing import Frame
from compatapi.http_types import Headers, HttpResponse, Target
from streams import REQUEST, run

DIALECT = OllamaDialect()
TIME = "2026-03-04T05:06:07.123456789Z"


def line(message=None, **fields):
    """One line of the wire."""
    said = {} if message is None else {"message": {"role": "assistant", **message}}
    return {"model": "qwen3", "created_at": TIME, **said, "done": False, **fields}


def end(message=None, **fields):
    """The last line."""
    return line({"content": ""} if message is None else message, **{"done_reason": "stop", "done": True, **fields})


def ndjson(*values):
    """A stream of the lines."""
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def read(*values):
    """The chunks and the answer of a stream that must be whole."""
    chunks, completion, error = run(ndjson(*values), dialect="ollama")
    assert error is None, repr(error)
    return chunks, completion


# --- chunks


def test_first_and_later_chunks():
    """The role is said once; id and time are those of the first line on every chunk; each keeps its own created_at."""
    later = "2026-03-04T05:06:09Z"
    chunks, _ = read(line({"content": "a"}), line({"content": "b"}, created_at=later), end(created_at=later))
    assert ["assistant", None, None] == [chunk.choices[0].delta.role for chunk in chunks]
    assert [1772600767] * 3 == [chunk.created for chunk in chunks]
    assert 1 == len({chunk.id for chunk in chunks})
    assert chunks[0].id.startswith("chatcmpl-")
    assert [TIME, later, later] == [chunk.extra["created_at"] for chunk in chunks]
    assert {"created_at": TIME} == chunks[0].extra
    assert "qwen3" == chunks[0].model


def test_ids_are_told_by_the_answer():
    """The same bytes give the same id, another answer another one."""
    other = "2026-03-04T05:06:07.123456780Z"
    streams = [(line({"content": "a"}),), (line({"content": "a"}),), (line({"content": "a"}, created_at=other),)]
    ids = [read(*lines, end())[0][0].id for lines in streams]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-03-04T05:06:07Z", 1772600767),
        ("2026-03-04T05:06:07.9Z", 1772600767),
        ("2026-03-04T05:06:07.123456789+02:00", 1772593567),
        ("2026-03-03T22:06:07.1-07:00", 1772600767),
        ("yesterday", None),
        ("2026-13-40T05:06:07Z", None),
        (1772600767, None),
        (None, None),
    ],
)
def test_times(text, seconds):
    """A time of Go with up to nine digits and any offset is a Unix time; what is no time is none."""
    assert seconds == read(line({"content": "a"}, created_at=text), end(created_at=text))[1].created


def test_last_line_keeps_everything():
    """Counts and durations stand in the extra of the last chunk as they came, and the counts in usage too."""
    counts = {
        "total_duration": 5_000_000_001,
        "load_duration": 1,
        "prompt_eval_count": 21,
        "eval_count": 30,
        "eval_duration": 3,
    }
    chunks, completion = read(line({"content": "a"}), end(**counts))
    assert {"created_at": TIME, "done_reason": "stop", "done": True, **counts} == chunks[-1].extra == completion.extra
    assert (21, 30, 51) == (
        completion.usage.prompt_tokens,
        completion.usage.completion_tokens,
        completion.usage.total_tokens,
    )
    assert chunks[0].usage is None


def test_nothing_is_invented():
    """Without counts there is no usage; a bare "done" says no more than that the answer is at its end."""
    chunks, completion = read(line({"content": "a"}), line({"content": ""}, done=True))
    assert ("stop", None) == (completion.finish_reason, completion.usage)
    assert "done_reason" not in chunks[-1].extra


@pytest.mark.parametrize(
    ("raw", "calls", "reason", "native"),
    [
        ("stop", False, "stop", None),
        ("length", False, "length", None),
        ("load", False, "stop", "load"),
        ("unload", False, "stop", "unload"),
        ("weather", False, "weather", None),
        ("stop", True, "tool_calls", "stop"),
        ("length", True, "length", None),
        (None, True, "tool_calls", None),
    ],
)
def test_finish_reasons(raw, calls, reason, native):
    """Tool calls are a finish reason of their own; Ollama's own word is kept beside a mapped one."""
    call = {"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
    chunks, _ = read(line(call if calls else {"content": "a"}), end(done_reason=raw))
    choice = chunks[-1].choices[0]
    assert (reason, native) == (choice.finish_reason, choice.extra.get("native_finish_reason"))


def test_tool_calls_are_numbered_over_the_stream():
    """Each call has a number and an id of its own, whatever the wire says; the wire's number is kept."""
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    second = {"id": "call_9", "function": {"index": 0, "name": "g", "arguments": {}}}
    chunks, completion = read(line({"content": "", "tool_calls": [call]}), line({"tool_calls": [second, call]}), end())
    deltas = [delta for chunk in chunks for delta in chunk.choices[0].delta.tool_calls or ()]
    assert [0, 1, 2] == [delta.index for delta in deltas]
    assert "call_9" == deltas[1].id
    assert 3 == len({delta.id for delta in deltas})
    assert [None, 0, None] == [delta.function.extra.get("index") for delta in deltas]
    assert ['{"a":1}', "{}", '{"a":1}'] == [call.arguments for call in completion.tool_calls]


def test_arguments_of_another_type():
    """Arguments that are a text are taken as they are; none are none."""
    calls = [{"function": {"name": "f", "arguments": text}} for text in ('{"a": 1}', None, [1])]
    _, completion = read(line({"content": "", "tool_calls": calls}), end())
    assert ['{"a": 1}', "", "[1]"] == [call.arguments for call in completion.tool_calls]


def test_unknown_fields_of_a_message():
    """They are kept beside the message, so that it can be sent back."""
    message = {
        "content": "a",
        "mood": "calm",
        "tool_calls": [{"function": {"name": "f", "arguments": {}}, "sign": "x"}],
    }
    _, completion = read(line(message), end())
    choice = completion.choices[0]
    assert {"mood": "calm", "tool_calls": message["tool_calls"], "native_finish_reason": "stop"} == choice.extra
    assert {} == choice.message.extra
    request = ChatCompletionRequest("m", [completion.message])
    assert b'"arguments":{}' in DIALECT.encode_request(request, Target("http://localhost"), False).body


def test_images_of_an_answer():
    """Images of an answer are kept in its message, and go back with it."""
    _, completion = read(line({"content": "a", "images": ["QUJD"]}), end())
    body = DIALECT.encode_request(
        ChatCompletionRequest("m", [completion.message]), Target("http://localhost"), False
    ).body
    assert [{"role": "assistant", "content": "a", "images": ["QUJD"]}] == json.loads(body)["messages"]


def test_values_of_another_type_are_kept():
    """What has another type than it should is kept, and no text is made of it."""
    message = {"role": 1, "content": ["a"], "thinking": {"b": 1}, "tool_calls": {"c": 1}, "images": []}
    chunks, completion = read({**line(), "message": message}, end())
    assert {"role": 1, "content": ["a"], "thinking": {"b": 1}, "tool_calls": {"c": 1}} == chunks[0].choices[0].extra
    assert "" == completion.text == completion.reasoning


def test_lines_without_a_message():
    """A status line has no choice and keeps what it says."""
    chunks, completion = read({"status": "loading model"}, line({"content": "a"}), end())
    assert ([], {"status": "loading model"}) == (chunks[0].choices, chunks[0].extra)
    assert "a" == completion.text


def test_logprobs_that_are_no_list():
    """Logprobs of another shape stay in extra."""
    chunks, _ = read(line({"content": "a"}, logprobs="none"), end())
    assert (None, "none") == (chunks[0].choices[0].logprobs, chunks[0].extra["logprobs"])


def test_fast_and_slow_way_agree():
    """A line of the usual shape gives the same chunk as one that is looked at closely."""
    slow = [{**line({"content": text, "thinking": ""}), "logprobs": None} for text in "abc"]
    fast = [line({"content": text}) for text in "abc"]
    some, _ = read(*fast, end())
    others, _ = read(*slow, end())
    for chunk in others:
        chunk.extra.pop("logprobs", None)
    assert some == others


# --- ends


def test_cut_at_every_byte():
    """A stream is complete when its last line is, and never before."""
    data = ndjson(line({"content": "all of it"}), end(total_duration=12345))
    whole = data.rindex(b"}")
    for place in range(len(data)):
        _, completion, error = run(data[:place], dialect="ollama")
        assert (place > whole) == (error is None), data[:place]
        assert (error is None) == (completion.finish_reason == "stop")


def test_text_is_no_end():
    """Neither an answer of one line without done, nor a done that is no true, is an end."""
    for done in (False, None, 1, "true"):
        error = run(ndjson(line({"content": "a"}, done=done)), dialect="ollama")[2]
        assert IncompleteStreamError is type(error)


# --- whole answers


def test_blocking_and_streamed_agree():
    """A whole answer gives what the same answer gives in pieces, but for the times of the lines."""
    counts = {"total_duration": 5, "prompt_eval_count": 2, "eval_count": 3}
    call = {"id": "call_1", "function": {"name": "f", "arguments": {"a": 1}}}
    parts = [
        {"content": "", "thinking": "Hm."},
        {"content": "One "},
        {"content": "two"},
        {"content": "", "tool_calls": [call]},
    ]
    _, streamed = read(*map(line, parts), end(**counts))
    whole = {"content": "One two", "thinking": "Hm.", "tool_calls": [call]}
    blocking = DIALECT.decode_completion(json.dumps(end(whole, **counts)).encode(), REQUEST)
    assert streamed == blocking
    assert ("One two", "Hm.", "tool_calls") == (blocking.text, blocking.reasoning, blocking.finish_reason)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error":"out of memory"}', StreamError),
        (b"[]", DecodeError),
        (b"{}", DecodeError),
        (b'"text"', DecodeError),
        (b"nonsense", DecodeError),
        (b"", DecodeError),
    ],
)
def test_bodies_that_are_no_answer(body, error):
    """An error with status 200 is a StreamError, anything that is no answer a DecodeError."""
    with pytest.raises(error):
        DIALECT.decode_completion(body)


def test_body_with_a_byte_order_mark():
    """A byte order mark and white space around a body are passed over."""
    body = b"\xef\xbb\xbf" + json.dumps(end({"content": "a"})).encode() + b"\r\n"
    assert "a" == DIALECT.decode_completion(body).text


# --- errors


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (400, '"llama3" does not support thinking', BadRequestError),
        (400, "the input length exceeds the context length", ContextLengthError),
        (401, "unauthorized", AuthenticationError),
        (404, "model 'x' not found", NotFoundError),
        (503, "server busy, please try again.  maximum pending requests exceeded", ServerError),
    ],
)
def test_errors_by_status(status, text, error):
    """The text of an error stands in its message, and its class is that of the status."""
    body = json.dumps({"error": text, "signin_url": "https://example.com"}).encode()
    found = DIALECT.decode_error(HttpResponse(status, headers=Headers({"Retry-After": "3"})), body)
    assert (error, status, 3.0) == (type(found), found.status_code, found.retry_after)
    assert f"HTTP {status}: {text}" == found.message
    assert "https://example.com" == found.body["signin_url"]


def test_error_line():
    """An error line carries the answer so far, its text and its body."""
    error = run(ndjson(line({"content": "Half"}), {"error": "ran out of luck"}), dialect="ollama")[2]
    assert (StreamError, "Half") == (type(error), error.completion.text)
    assert ("The server reports an error: ran out of luck", {"error": "ran out of luck"}) == (error.message, error.body)


# --- lists and embeddings


def test_models():
    """A model has its name as id and its time as created; everything else is kept."""
    details = {"format": "gguf", "family": "llama"}
    first = {
        "name": "llama3:8b",
        "model": "llama3:8b",
        "modified_at": "2026-03-04T05:06:07.1+02:00",
        "size": 5,
        "digest": "ab",
        "details": details,
    }
    models = DIALECT.decode_models(json.dumps({"models": [first, {"model": "tiny"}]}).encode())
    assert [("llama3:8b", 1772593567, "library"), ("tiny", None, "library")] == [
        (m.id, m.created, m.owned_by) for m in models
    ]
    assert {name: first[name] for name in first if name != "name"} == models[0].extra


@pytest.mark.parametrize(
    "body", [b"[]", b'{"models":{}}', b'{"models":[1]}', b'{"models":[{"size":1}]}', b'{"data":[]}']
)
def test_lists_that_are_none(body):
    """What is no list of models is a DecodeError."""
    with pytest.raises(DecodeError):
        DIALECT.decode_models(body)


def test_embeddings():
    """Embeddings are numbered, the tokens of the prompt are the usage, and everything is kept."""
    wire = {
        "model": "nomic",
        "embeddings": [[0.5, -1], [0.25]],
        "total_duration": 7,
        "load_duration": 1,
        "prompt_eval_count": 9,
    }
    found = DIALECT.decode_embeddings(json.dumps(wire).encode())
    assert [(0, [0.5, -1]), (1, [0.25])] == [(item.index, item.embedding) for item in found.data]
    assert ("nomic", 9, None, 9) == (
        found.model,
        found.usage.prompt_tokens,
        found.usage.completion_tokens,
        found.usage.total_tokens,
    )
    assert {"total_duration": 7, "load_duration": 1, "prompt_eval_count": 9} == found.extra
    assert DIALECT.decode_embeddings(b'{"embeddings":[]}').usage is None


@pytest.mark.parametrize("body", [b'{"embedding":1}', b'{"embeddings":[1]}', b'{"embeddings":{}}', b"1"])
def test_embeddings_that_are_none(body):
    """What holds no embeddings is a DecodeError."""
    with pytest.raises(DecodeError):
        DIALECT.decode_embeddings(body)


# --- nonsense

SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
    | st.just(TIME)
)
ANY = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def record(**fields):
    """An object with some of these fields, each right or wrong."""
    return st.fixed_dictionaries({}, optional={name: value | ANY for name, value in fields.items()}) | ANY


FUNCTION = record(
    name=st.text(max_size=4), arguments=st.dictionaries(st.text(max_size=3), ANY, max_size=2), index=st.integers()
)
MESSAGE = record(
    role=st.just("assistant"),
    content=st.text(max_size=5),
    thinking=st.text(max_size=5),
    tool_calls=st.lists(record(id=st.text(max_size=3), function=FUNCTION), max_size=2),
    images=st.lists(st.text(max_size=3), max_size=1),
)
LINE = record(
    model=st.just("m"),
    created_at=st.just(TIME),
    message=MESSAGE,
    done=st.booleans(),
    done_reason=st.sampled_from(["stop", "load"]),
    eval_count=st.integers(),
    logprobs=st.lists(record(token=st.text(max_size=2)), max_size=1),
    error=st.text(max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINE.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=8), max_size=4))
def test_any_lines(lines):
    """Whatever a server sends ends in chunks or in one of our errors, and each chunk is read as it was written."""
    chunks, completion, error = run(b"\n".join(lines), dialect="ollama")
    assert error is None or type(error) in (StreamError, DecodeError, IncompleteStreamError)
    assert completion.text == "".join(chunk.text for chunk in chunks)
    for chunk in chunks:
        try:
            text = to_json(chunk)
        except CompatAPIError:  # a number that is no finite float
            continue
        assert chunk == from_json(ChatCompletionChunk, text)


def test_decoding_again_from_the_common_form():
    """Chunks, written and read as OpenAI's, give the same completion."""
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    chunks, completion = read(line({"content": "a", "thinking": "b", "tool_calls": [call]}), end(eval_count=1))
    reader, answer = OpenAIDialect().chunk_decoder(REQUEST), Accumulator()
    for chunk in chunks:
        for again in reader.decode(Frame(to_json(chunk).decode())):
            answer.add(again)
    assert completion == answer.completion
