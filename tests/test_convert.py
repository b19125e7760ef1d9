"""Reading and writing JSON values: nothing lost, nothing invented, and errors that say where."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from both_json import json_library  # noqa: F401 - an autouse fixture
from compatapi.chat_types import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionRequest,
    Choice,
    ChunkChoice,
    ContentPart,
    Delta,
    FunctionCall,
    FunctionCallDelta,
    Message,
    TextPart,
    Tool,
    ToolCall,
    Usage,
)
from compatapi.convert import from_dict, from_json, to_dict, to_json
from compatapi.errors import ConfigError, DecodeError
from compatapi.service_types import Embedding, EmbeddingRequest, EmbeddingResponse, Model
from wire_examples import WIRE_CLASSES, full_json, json_fields

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
UNKNOWN_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda name: f"x{name}_")


def marked(value, mark):
    """The JSON value with unknown fields in every object that stands in a place of a wire class."""
    if isinstance(value, list):
        return [marked(item, mark) for item in value]
    if not isinstance(value, dict) or value.keys() == {"key"}:  # the examples of free dicts have this one key
        return value
    return {**{name: marked(item, mark) for name, item in value.items()}, **mark}


@pytest.mark.parametrize("cls", WIRE_CLASSES, ids=lambda cls: cls.__name__)
def test_unknown_fields_are_kept_and_written_back_at_every_depth(cls):
    """No class forgets what it does not know, wherever it stands."""
    data = marked(full_json(cls), {"vendor_field": {"a": [1, None, {"b": False}]}, "vendor_null": None})
    value = from_dict(cls, data)
    assert {"vendor_field": {"a": [1, None, {"b": False}]}, "vendor_null": None} == value.extra
    assert data == to_dict(value)
    assert data == json.loads(to_json(from_json(cls, json.dumps(data))))


@pytest.mark.parametrize("cls", WIRE_CLASSES, ids=lambda cls: cls.__name__)
@settings(max_examples=15, deadline=None)
@given(unknown=st.dictionaries(UNKNOWN_NAMES, JSON_VALUES, max_size=4))
def test_any_unknown_fields_survive_the_round_trip(cls, unknown):
    """Whatever JSON a server puts beside the known fields comes out again as equal JSON."""
    unknown = {name: value for name, value in unknown.items() if name not in json_fields(cls)}
    data = {**full_json(cls), **unknown}
    assert unknown == from_dict(cls, data).extra
    assert data == json.loads(to_json(from_json(cls, json.dumps(data))))


def test_a_field_added_to_extra_later_is_written():
    """The extra of an object that was decoded is a dict that a program may add to."""
    chunk = from_dict(ChatCompletionChunk, {"id": "1", "choices": []})
    chunk.extra["provider"] = "mine"
    assert {"id": "1", "choices": [], "provider": "mine"} == to_dict(chunk)


def test_tool_call_arguments_stay_the_text_they_are():
    """Arguments are text: spaces, order and even nonsense are kept, and the empty text too."""
    for arguments in (
        '{"b" :1, "a":2.0}',
        "",
        " ",
        "{",
        "null",
        "é\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ):
        data = {"id": "1", "function": {"name": "f", "arguments": arguments}, "type": "function"}
        assert arguments == from_dict(ToolCall, data).arguments
        assert data == json.loads(to_json(from_json(ToolCall, json.dumps(data))))
        assert {"arguments": arguments} == to_dict(from_dict(FunctionCallDelta, {"arguments": arguments}))


def test_unknown_roles_and_finish_reasons_pass():
    """Open sets are strings: a server may say something new."""
    choice = {"index": 0, "message": {"role": "oracle", "content": "a"}, "finish_reason": "exhausted"}
    read = from_dict(Choice, choice)
    assert ("oracle", "exhausted") == (read.message.role, read.finish_reason)
    assert choice == to_dict(read)
    delta = {"index": 0, "delta": {"role": "oracle"}, "finish_reason": "eos"}
    assert delta == to_dict(from_dict(ChunkChoice, delta))


@pytest.mark.parametrize("cls", WIRE_CLASSES, ids=lambda cls: cls.__name__)
def test_null_is_never_the_text_none(cls):
    """Null in any field is absent or an error; it never turns into text, and is not written back."""
    for name in json_fields(cls):
        data = {**full_json(cls), name: None}
        try:
            value = from_dict(cls, data)
        except DecodeError as error:
            assert (name,) == error.path
        else:
            assert "None" != getattr(value, name)
            assert {**data, name: ...}.keys() - {name} == to_dict(value).keys()


@pytest.mark.parametrize("content", [None, ...])
def test_null_content_is_absent_content(content):
    """Content is null where a message holds only tool calls."""
    data = {"role": "assistant", **({} if content is ... else {"content": None})}
    message = from_dict(Message, data)
    assert (None, "") == (message.content, message.text)


REQUEST = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def request_with(**fields):
    """A request as JSON, with some fields replaced."""
    return {**REQUEST, **fields}


@pytest.mark.parametrize(
    ("cls", "data", "path"),
    [
        (ChatCompletionRequest, request_with(model=None), ("model",)),
        (ChatCompletionRequest, {"messages": []}, ("model",)),
        (ChatCompletionRequest, {"model": "m"}, ("messages",)),
        (ChatCompletionRequest, request_with(model=1), ("model",)),
        (ChatCompletionRequest, request_with(messages=None), ("messages",)),
        (ChatCompletionRequest, request_with(messages="Hi"), ("messages",)),
        (ChatCompletionRequest, request_with(messages=[{"role": "user"}, None]), ("messages", 1)),
        (ChatCompletionRequest, request_with(messages=["Hi"]), ("messages", 0)),
        (ChatCompletionRequest, request_with(messages=[{"role": 1}]), ("messages", 0, "role")),
        (ChatCompletionRequest, request_with(messages=[{"content": 1}]), ("messages", 0, "content")),
        (
            ChatCompletionRequest,
            request_with(
                messages=[{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": 1}]}]
            ),
            ("messages", 0, "content", 1, "text"),
        ),
        (
            ChatCompletionRequest,
            request_with(messages=[{"content": [{"type": "image_url", "image_url": {"url": None}}]}]),
            ("messages", 0, "content", 0, "image_url", "url"),
        ),
        (
            ChatCompletionRequest,
            request_with(messages=[{"content": [{"type": []}]}]),
            ("messages", 0, "content", 0, "type"),
        ),
        (ChatCompletionRequest, request_with(messages=[{"content": ["a", 1]}]), ("messages", 0, "content", 0)),
        (ChatCompletionRequest, request_with(temperature="hot"), ("temperature",)),
        (ChatCompletionRequest, request_with(n=1.5), ("n",)),
        (ChatCompletionRequest, request_with(n=True), ("n",)),
        (ChatCompletionRequest, request_with(stream=1), ("stream",)),
        (ChatCompletionRequest, request_with(stop=1), ("stop",)),
        (ChatCompletionRequest, request_with(stop=["a", None]), ("stop", 1)),
        (ChatCompletionRequest, request_with(modalities=["text", 1]), ("modalities", 1)),
        (ChatCompletionRequest, request_with(logit_bias=[1]), ("logit_bias",)),
        (ChatCompletionRequest, request_with(logit_bias={"50256": "no"}), ("logit_bias", "50256")),
        (ChatCompletionRequest, request_with(metadata={"a": "b", "c": None}), ("metadata", "c")),
        (ChatCompletionRequest, request_with(tools=[{"function": {"name": None}}]), ("tools", 0, "function", "name")),
        (ChatCompletionRequest, request_with(response_format="json"), ("response_format",)),
        (ChatCompletionRequest, [], ()),
        (EmbeddingRequest, {"model": "m", "input": ["a", None]}, ("input", 1)),
        (EmbeddingRequest, {"model": "m", "input": [[1], [2, "a"]]}, ("input", 1, 1)),
        (ChatCompletion, None, ()),
        (ChatCompletion, {"choices": {}}, ("choices",)),
        (ChatCompletion, {"choices": [{}, {"index": "0"}]}, ("choices", 1, "index")),
        (ChatCompletion, {"choices": [{"message": "Hi"}]}, ("choices", 0, "message")),
        (ChatCompletion, {"usage": 5}, ("usage",)),
        (ChatCompletion, {"usage": {"prompt_tokens": "5"}}, ("usage", "prompt_tokens")),
        (
            ChatCompletion,
            {"choices": [{"logprobs": {"content": [{"top_logprobs": [{"bytes": [1]}, {"bytes": [1, "2"]}]}]}}]},
            ("choices", 0, "logprobs", "content", 0, "top_logprobs", 1, "bytes", 1),
        ),
        (ChatCompletionChunk, {"choices": [None]}, ("choices", 0)),
        (ChatCompletionChunk, {"choices": [{"delta": []}]}, ("choices", 0, "delta")),
        (ChatCompletionChunk, {"choices": [{"delta": {"content": 1}}]}, ("choices", 0, "delta", "content")),
        (ChatCompletionChunk, {"choices": [{"finish_reason": 1}]}, ("choices", 0, "finish_reason")),
        (
            ChatCompletionChunk,
            {"choices": [{}, {"delta": {"tool_calls": [{}, {"function": {"name": []}}]}}]},
            ("choices", 1, "delta", "tool_calls", 1, "function", "name"),
        ),
        (Tool, {"function": 1}, ("function",)),
        (Model, {"object": "model"}, ("id",)),
        (Model, {"id": None}, ("id",)),
        (EmbeddingResponse, {"data": [{"embedding": [0.5, "x"]}]}, ("data", 0, "embedding", 1)),
        (list[Model], [{"id": "a"}, {"id": 1}], (1, "id")),
    ],
)
def test_what_does_not_fit_is_a_decode_error_with_its_path(cls, data, path):
    """A wrong type at any level is one error that says where it stands."""
    with pytest.raises(DecodeError) as caught:
        from_dict(cls, data)
    assert path == caught.value.path
    with pytest.raises(DecodeError) as caught:
        from_json(cls, json.dumps(data))
    assert path == caught.value.path


def test_a_decode_error_says_what_was_wanted_and_found():
    """The text of the error has the path, both types and the value; its data is cut."""
    with pytest.raises(DecodeError) as caught:
        from_dict(ChatCompletionChunk, {"choices": [{"delta": {"role": ["x" * 1000]}}]})
    text = str(caught.value)
    assert text.startswith("Expected a string, got a list: ['xxx")
    assert text.endswith(" at choices[0].delta.role")
    assert len(text) < 250 and len(caught.value.data) <= 503


def test_classes_come_first():
    """Arguments in the wrong order are told at once."""
    with pytest.raises(TypeError, match="class first"):
        from_dict({}, Delta)


def test_whole_numbers_are_numbers_and_floats_without_fraction_whole_numbers():
    """JSON knows one kind of number: 1 fits a float, 1.0 fits an int, and both are written as they stood."""
    assert 1 == from_dict(ChatCompletionRequest, request_with(temperature=1)).temperature
    request = from_dict(ChatCompletionRequest, request_with(seed=3.0))
    assert (3, int) == (request.seed, type(request.seed))
    assert b'"seed":3.0' in to_json(request)


def test_embeddings_may_be_base64_text():
    """Servers send base64 text when that encoding was asked for."""
    for value in ([0.5, 1], "AAAAPw=="):
        assert value == from_dict(Embedding, {"index": 0, "embedding": value}).embedding


def test_parts_of_unknown_type_keep_everything():
    """A part of a type that has no class here is a ContentPart with its fields in extra."""
    part = {"type": "video_url", "video_url": {"url": "u"}}
    message = from_dict(Message, {"role": "user", "content": [part, {"type": "text", "text": "a"}]})
    assert (ContentPart("video_url", extra={"video_url": {"url": "u"}}), TextPart("a")) == message.content
    assert part == to_dict(message)["content"][0]


def test_what_has_no_json_form_is_a_config_error():
    """A request that cannot be written is the caller's mistake."""
    for value in (float("nan"), float("inf"), object(), b"bytes", {1, 2}, "\ud83d"):
        with pytest.raises(ConfigError):
            to_json(ChatCompletionRequest("m", [], extra={"x": value}))


def test_objects_inside_extra_and_dicts_are_written():
    """Wire objects may stand in dicts and in extra when JSON is written."""
    request = ChatCompletionRequest(
        "m", [{"role": "user", "content": [TextPart("a")]}], extra={"call": FunctionCall("f"), "usage": [Usage(1)]}
    )
    expected = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}
    expected |= {"call": {"name": "f", "arguments": ""}, "usage": [{"prompt_tokens": 1}]}
    assert expected == json.loads(to_json(request))
