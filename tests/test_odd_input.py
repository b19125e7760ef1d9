"""Input that is odd or hostile, each time in the smallest program that shows what it must not do."""

from __future__ import annotations

import json
import pickle
import traceback

import pytest

from compatapi import (
    ChatCompletionRequest,
    Client,
    CompatAPIError,
    ConnectError,
    DecodeError,
    Message,
    ServerError,
    StreamDecoder,
    to_json,
)
from compatapi.formats.reading import guess_format
from compatapi.message_types import FunctionCall, ToolCall
from compatapi.testing import ChatScript, ErrorScript, ScriptedServer, ScriptedTransport
from compatapi.testing.faults import Html

REQUEST = ChatCompletionRequest("m", [Message.user("Hello")])
KEY = "sk-a-secret-of-some-length"
DIALECTS = ("openai", "anthropic", "gemini", "ollama", "hunyuan", "dashscope")


def event(value: object) -> bytes:
    """One event of a stream."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_deeply_nested_error_body(dialect):
    """An error whose body is nested 900 levels deep is one of ours, can be pickled and holds no key."""
    body = b'{"error": {"message": "no ' + KEY.encode() + b'", "x": ' + b"[" * 900 + b"]" * 900 + b"}}"
    with ScriptedServer(ErrorScript(500, body=body)) as server, pytest.raises(ServerError) as caught:
        server.client(dialect, api_key=f"{KEY}:{KEY}").chat_completion(REQUEST)
    assert 500 == pickle.loads(pickle.dumps(caught.value)).status_code
    assert KEY not in repr(vars(caught.value))


def test_a_deeply_nested_chunk():
    """A chunk that cannot be written, copied or pickled again is refused when it is read."""
    data = b'data: {"x": ' + b"[" * 900 + b"]" * 900 + b', "choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
    with pytest.raises(DecodeError, match="nested"):
        [to_json(chunk) for chunk in StreamDecoder("openai", REQUEST).feed(data)]


@pytest.mark.parametrize("names", [("f", "g"), ("f", "f")])
def test_deeply_nested_arguments(names):
    """Arguments that a model nests too deeply are a text like any other: the next call is told apart all the same."""
    deep = '{"a": ' + "[" * 5000 + "]" * 5000 + "}"
    decoder = StreamDecoder("openai", REQUEST)
    for name, arguments in zip(names, (deep, "{}"), strict=True):
        call = {"function": {"name": name, "arguments": arguments}}
        decoder.feed(event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}))
    assert deep == (decoder.completion.tool_calls or ())[0].arguments[: len(deep)]


def test_parsing_deeply_nested_arguments():
    """`ToolCall.parse_arguments` raises the ValueError that it promises."""
    call = ToolCall("1", FunctionCall("f", '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"))
    with pytest.raises(ValueError, match="deep"):
        call.parse_arguments()


def test_a_place_of_thousands_of_digits():
    """A piece of Gemini's arguments at a place that Python reads no number of is a DecodeError."""
    place = {"jsonPath": "$.a[" + "9" * 5000 + "]", "stringValue": "x"}
    call = {"name": "f", "willContinue": True, "partialArgs": [place]}
    with pytest.raises(DecodeError):
        StreamDecoder("gemini", REQUEST).feed(event({"candidates": [{"content": {"parts": [{"functionCall": call}]}}]}))


def test_a_token_that_is_no_text():
    """A token of Gemini's that is no text does not make a chunk that cannot be read again."""
    logprobs = {"chosenCandidates": [{"token": 2, "logProbability": -0.5}]}
    (chunk,) = StreamDecoder("gemini", REQUEST).feed(
        event({"candidates": [{"content": {"parts": [{"text": "a"}]}, "logprobsResult": logprobs}]})
    )
    assert b'"token":2' not in to_json(chunk)


@pytest.mark.parametrize("options", [{"query": {"key": KEY}}, {}])
def test_a_key_in_the_query_of_an_unreachable_host(options):
    """No text of an error or of its causes shows the query of the URL, where Google's key may be."""
    with ScriptedServer() as server:
        url = server.url if options else f"{server.url}/v1?key={KEY}"
    with pytest.raises(ConnectError) as caught:
        server.client("gemini", base_url=url, api_key=KEY, **options).chat_completion(REQUEST)
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_key_in_a_page_that_is_no_json():
    """The error of json that lies below a DecodeError does not hold the key that a page quotes."""
    page = ChatScript(fault=Html(f"<html>{KEY}</html>"))
    with ScriptedServer(page) as server, pytest.raises(CompatAPIError) as caught:
        server.client(api_key=KEY).chat_completion(REQUEST)
    below: list[BaseException] = [caught.value]
    for error in below:
        below += [each for each in (error.__cause__, error.__context__) if each is not None and each not in below]
    assert [] == [error for error in below if KEY in repr((error.args, vars(error)))]


def test_a_model_of_dashscope_that_says_one_word_for_ever():
    """The same delta again and again, with tokens counted for each, is handed on; it is no silence."""
    decoder, count = StreamDecoder("dashscope", REQUEST, accumulate=False), 0
    for tokens in range(1, 101):
        choice = {"message": {"role": "assistant", "content": "ha "}, "finish_reason": "null"}
        count += len(decoder.feed(event({"output": {"choices": [choice]}, "usage": {"output_tokens": tokens}})))
    assert 100 == count


def test_a_server_of_ollama_that_streams_whatever_it_is_asked():
    """Lines in answer to a wish for a whole answer are put together, as events are."""
    with ScriptedServer(ChatScript(pieces=["a", "b"], fault="stream-instead")) as server:
        assert "ab" == server.client("ollama").chat_completion(REQUEST).text


@pytest.mark.parametrize("message", ["Hello", ("user", "Hello"), None, 3])
def test_a_message_that_is_none(message):
    """What is no message is told where the request is made, with its place."""
    with pytest.raises(TypeError, match=r"messages\[1\] is a"):
        ChatCompletionRequest("m", [Message.user("Hello"), message])


@pytest.mark.parametrize("dialect", [dialect for dialect in DIALECTS if dialect != "openai"])
@pytest.mark.parametrize("field", [{"response_format": "json"}, {"thinking_budget": "x"}])
def test_fields_of_the_wrong_type(dialect, field):
    """A field that has another type than it should have is one of our errors."""
    with pytest.raises(CompatAPIError):
        ScriptedTransport().client(dialect).chat_completion(ChatCompletionRequest("m", REQUEST.messages, **field))


def test_an_empty_body_is_called_empty():
    """An answer of nothing is said to be empty, not to lack a character."""
    with ScriptedServer(ChatScript(fault="empty")) as server, pytest.raises(DecodeError, match="empty"):
        server.client().chat_completion(REQUEST)


def test_a_missing_key_of_two_parts(monkeypatch):
    """The third part of Hunyuan's key, which only temporary credentials have, is not asked for."""
    for name in ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CompatAPIError) as caught:
        Client("hunyuan")
    assert "TENCENTCLOUD_SESSION_TOKEN" not in str(caught.value)


def test_a_chunk_without_object_is_recognized():
    """A stream whose chunks have choices with a delta is OpenAI's, without the word ``object`` too."""
    assert "openai" == guess_format(event({"choices": [{"index": 0, "delta": {"content": "a"}}]}))


def test_half_an_emoji_in_a_choice_whose_index_is_a_list():
    """Nonsense beside half of an emoji is an error of ours, like any other nonsense."""
    decoder = StreamDecoder("openai", REQUEST)
    with pytest.raises(DecodeError, match="index"):
        decoder.feed(b'data: {"choices":[{"index":[null],"delta":{"content":"\\ud83d"}}]}\n\n')
