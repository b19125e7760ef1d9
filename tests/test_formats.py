"""Writing chunks for others: what all formats share, and those that say chunks as they are."""

import json

import pytest

from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChunkChoice, Delta
from compatapi.convert import from_json
from compatapi.decoding import StreamDecoder
from compatapi.errors import (
    ConfigError,
    ConnectionLost,
    DecodeError,
    IncompleteStreamError,
    RequestTimeout,
    StreamError,
)
from compatapi.formats import FORMATS, iter_chunks, iter_json, iter_ndjson, iter_sse
from compatapi.http_types import HttpResponse
from compatapi.stream import ChatStream
from streams import REQUEST, body, call, chunk, part, read, say, sse, stop, usage_of

HELLO = [say("Hel"), say("lo"), stop(usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})]
OVERLOADED = {"error": {"message": "Try later", "type": "overloaded", "param": None, "code": 7, "hint": "soon"}}


def chunks(*values):
    """Chunks of the wire dicts, as the dialect reads them."""
    return read(*values)[0]


def failing(error, *values):
    """The chunks of the wire dicts, and then an error."""
    yield from chunks(*values)
    raise error


def written(writing):
    """The bytes that come out before the error, and the error."""
    out = b""
    try:
        for piece in writing:
            out += piece
    except Exception as error:
        return out, error
    return out, None


class Source:
    """Chunks that note whether they were closed."""

    def __init__(self, *values, is_complete=False):
        self.chunks, self.closed, self.is_complete = iter(chunks(*values)), 0, is_complete

    def __iter__(self):
        return self.chunks

    def close(self):
        self.closed += 1


# --- formats that say chunks as they are ----------------------------------------------------------------------------


def test_sse_has_the_bytes_of_openai():
    """Each chunk is one event without a type, and the end mark comes last."""
    head = '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    assert [
        f'data: {head}{{"content":"Hi \\"é\\""}}}}]}}\n\n'.encode(),
        f'data: {head}{{}},"finish_reason":"stop"}}]}}\n\n'.encode(),
        b"data: [DONE]\n\n",
    ] == list(iter_sse(chunks(say('Hi "é"'), stop())))


def test_ndjson_is_one_chunk_a_line():
    """Each line is the JSON of one chunk, whatever line ends are in its text."""
    lines = b"".join(iter_ndjson(chunks(say("a\nb\u2028c"), stop()))).split(b"\n")
    assert ["a\nb\u2028c", "", None] == [from_json(ChatCompletionChunk, text).text if text else None for text in lines]


def test_json_is_the_whole_completion():
    """The document is the completion of the chunks, in one piece at the end."""
    (document,) = iter_json(chunks(*HELLO))
    completion = from_json(ChatCompletion, document)
    assert ("Hello", "stop", (3, 2, 5), "chat.completion") == (
        completion.text,
        completion.finish_reason,
        usage_of(completion),
        completion.object,
    )


def test_json_keeps_reasoning_that_had_no_name():
    """Reasoning from inside a content array is written, under the usual name."""
    thought = body({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]})
    (document,) = iter_json(chunks(thought, say("4"), stop()))
    assert {"role": "assistant", "content": "4", "reasoning_content": "Hm."} == (
        json.loads(document)["choices"][0]["message"]
    )


def test_a_chunk_is_written_before_the_next_is_asked_for():
    """The iterators are usable before the stream ends."""
    asked = []

    def source():
        for made in chunks(*HELLO):
            asked.append(made)
            yield made

    writing = iter_sse(source())
    assert 0 == len(asked)
    next(writing)
    assert 1 == len(asked)
    next(writing)
    assert 2 == len(asked)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_in_the_table(name):
    """A row of the table has a function that writes, a media type, and an ending with a dot."""
    row = FORMATS[name]
    out = list(row.write(chunks(*HELLO)))
    assert out and all(isinstance(piece, bytes) and piece for piece in out)
    assert ("/" in row.media_type, row.ending[0]) == (True, ".")


# --- ends -----------------------------------------------------------------------------------------------------------

#: What a whole answer ends with.
ENDS = {
    "anthropic": b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    "ollama": b'"done":true',
    "sse": b"[DONE]",
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "source",
    [[say("Hel")], [say("Hel", choice={"index": 0}), body({"tool_calls": [part("f", '{"a"', index=0, id="x")]})], []],
    ids=["text", "call", "nothing"],
)
def test_chunks_that_end_too_early_never_look_complete(name, source):
    """Chunks without a finish reason raise at their end, behind the words of the format for an error."""
    out, error = written(FORMATS[name].write(chunks(*source)))
    assert isinstance(error, IncompleteStreamError)
    assert b'"error"' in out
    assert ENDS.get(name, b"finish_reason") not in out


@pytest.mark.parametrize("name", FORMATS)
def test_a_source_that_knows_its_end_needs_no_finish_reason(name):
    """A stream that ended by its end mark alone is written as complete, without a finish reason made up."""
    out, error = written(FORMATS[name].write(Source(say("Hello"), is_complete=True)))
    assert error is None
    assert ENDS.get(name, b"Hello") in out
    assert b'reason":"' not in out


@pytest.mark.parametrize("name", FORMATS)
def test_an_error_comes_behind_what_was_received(name):
    """What came before the error is written, then the error, then it is raised; there is no end."""
    broken = ConnectionLost("The connection broke")
    writing = FORMATS[name].write(failing(broken, say("Hello")))
    out, error = written(writing)
    assert error is broken is writing.error
    assert out.index(b"Hello") < out.index(b"The connection broke") or name == "json"
    assert ENDS.get(name, b"finish_reason") not in out


@pytest.mark.parametrize("name", FORMATS)
def test_an_error_behind_the_finish_reason_is_no_end(name):
    """An error is said even if the finish reason has come."""
    out, error = written(FORMATS[name].write(failing(StreamError("Late", body=OVERLOADED), *HELLO)))
    assert isinstance(error, StreamError)
    assert b"Try later" in out
    assert ENDS.get(name, b'\n{"id"') not in out.partition(b"Try later")[2]


@pytest.mark.parametrize("name", FORMATS)
def test_errors_can_be_written_only(name):
    """With errors="emit" the error is in the bytes and on the iterator, and not raised."""
    writing = FORMATS[name].write(failing(ConnectionLost("Broken"), say("Hello")), errors="emit")
    out, error = written(writing)
    assert error is None
    assert b"Broken" in out
    assert isinstance(writing.error, ConnectionLost)


@pytest.mark.parametrize("errors", ["raise", "emit"])
def test_what_is_no_error_of_the_library_passes_unwritten(errors):
    """An exception of the program itself is raised as it is: its text is nobody's business at the other end."""
    out, error = written(iter_sse(failing(ZeroDivisionError("secret"), say("Hello")), errors=errors))
    assert isinstance(error, ZeroDivisionError)
    assert b"secret" not in out
    assert b"[DONE]" not in out


def test_another_word_for_errors_is_refused():
    """A wrong argument is an error at the call."""
    with pytest.raises(ConfigError, match="raise.*emit.*'ignore'"):
        iter_sse([], errors="ignore")


ERRORS = [
    (StreamError("Server: Try later", body=OVERLOADED, type="overloaded", code=7), OVERLOADED["error"]),
    (RequestTimeout("Too slow", clock="idle"), {"message": "Too slow", "type": "server_error", "code": "timeout"}),
    (
        DecodeError("Nonsense", path=("a", 0)),
        {"message": "Nonsense at a[0]", "type": "server_error", "code": "bad_answer"},
    ),
    (StreamError("No body"), {"message": "No body"}),
    (StreamError("Server: words", body={"error": "words"}), {"message": "words"}),
]


@pytest.mark.parametrize(("error", "expected"), ERRORS)
def test_errors_as_openai_says_them(error, expected):
    """An error object has message, type, param and code, and what else the server said in its own."""
    empty = {"message": None, "type": None, "param": None, "code": None}
    out, _ = written(iter_sse(failing(error)))
    assert {"error": empty | expected} == json.loads(out.removeprefix(b"data: "))
    assert b"data: " + written(iter_ndjson(failing(error)))[0] + b"\n" == out


def test_an_error_is_read_again_as_it_was():
    """Who reads the written error gets the same message, code and type."""
    out, _ = written(iter_sse(failing(StreamError("...", body=OVERLOADED, type="overloaded", code=7), say("a"))))
    again, error = [], None
    try:
        again.extend(iter_chunks(out, "sse"))
    except StreamError as found:
        error = found
    assert ("The server reports an error: Try later", "overloaded", 7) == (str(error), error.type, error.code)


def test_json_keeps_what_came_before_an_error_inside_it():
    """A document with an error is no completion at its top; what was received is in the error."""
    out, _ = written(iter_json(failing(ConnectionLost("Broken"), say("Hel"))))
    value = json.loads(out)
    assert ["error"] == list(value)
    assert ("Broken", "Hel") == (
        value["error"]["message"],
        value["error"]["completion"]["choices"][0]["message"]["content"],
    )


# --- closing --------------------------------------------------------------------------------------------------------


def test_the_source_is_closed_at_the_end():
    """A source that can be closed is closed when everything is written."""
    source = Source(*HELLO)
    list(iter_sse(source))
    assert source.closed


@pytest.mark.parametrize("pieces", [0, 1])
def test_closing_early_closes_the_source(pieces):
    """A WSGI server whose client has gone closes the iterator, and with it the stream, even before the first piece."""
    source = Source(*HELLO)
    writing = iter_sse(source)
    for _ in range(pieces):
        next(writing)
    writing.close()
    assert source.closed
    assert [] == list(writing)


def test_a_list_needs_no_close():
    """Sources that cannot be closed are fine."""
    writing = iter_sse([ChatCompletionChunk(choices=[ChunkChoice(0, Delta(content="a"))])])
    next(writing)
    writing.close()
    assert [] == list(writing)


def test_a_number_that_json_has_not_ends_the_output_with_an_error():
    """What cannot be written is an error, in the output too."""
    value = chunk(say("a"))
    value.extra["odd"] = float("nan")
    out, error = written(iter_sse([value]))
    assert isinstance(error, ConfigError)
    assert b"no JSON form" in out


def test_tool_calls_of_any_server_come_out_with_the_numbers_of_the_wire():
    """Chunks are written with what stood on the wire, not with the reading of it."""
    (first, *_) = iter_sse(chunks(call(part("f", "{}", id="x")), stop("tool_calls")))
    assert b'"tool_calls":[{"id":"x","function":{"name":"f","arguments":"{}"}}]' in first
    assert sse(*HELLO, done=True).endswith(b"[DONE]\n\n")


def stream_of(data):
    """A `ChatStream` over the bytes of a body."""
    return ChatStream(HttpResponse(200, body=iter([data])), StreamDecoder("openai", REQUEST))


@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_that_ended_by_its_mark_alone_is_complete(name):
    """A server that sends the end mark and no finish reason has answered."""
    out, error = written(FORMATS[name].write(stream_of(sse(say("Hello")))))
    assert error is None
    assert ENDS.get(name, b"Hello") in out


@pytest.mark.parametrize("name", ["sse", "ndjson", "ollama", "anthropic"])
def test_a_stream_that_somebody_closed_is_not_complete(name):
    """Closing a stream ends its loop quietly, and what was written of it does not look whole."""
    stream = stream_of(sse(say("Hel"), say("lo"), stop()))
    writing = FORMATS[name].write(stream)
    out = next(writing)
    stream.close()
    rest, error = written(writing)
    assert isinstance(error, IncompleteStreamError)
    assert ENDS.get(name, b"finish_reason") not in out + rest
    assert not stream.is_complete


@pytest.mark.parametrize("form", ["ndjson", "ollama"])
def test_readers_that_cut_at_other_line_ends(form):
    """A line is one line too for readers that cut where Python's splitlines does, as Ollama's own client."""
    said = "a\u0085b\u2028c\u2029d\x0b\x0c\x1ce"
    out = b"".join(FORMATS[form].write(chunks(say(said), stop())))
    assert out.decode().splitlines() == out.decode().rstrip("\n").split("\n")
    reader = iter_chunks(out, form)
    list(reader)
    assert said == reader.completion.text
