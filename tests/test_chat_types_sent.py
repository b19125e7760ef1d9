"""What programs build: messages, parts from local files, frozen objects, and the errors of wrong calls."""

import base64
import copy
import mimetypes
import pickle

import attrs
import pytest

from compatapi.chat_types import (
    AudioPart,
    ChatCompletionChunk,
    ChatCompletionRequest,
    ContentPart,
    Delta,
    FilePart,
    FunctionCall,
    FunctionDefinition,
    ImagePart,
    Message,
    RefusalPart,
    TextPart,
    Tool,
    ToolCall,
)
from compatapi.convert import from_dict, to_dict
from compatapi.service_types import EmbeddingRequest
from wire_examples import WIRE_CLASSES, full_json, json_fields, minimal

BYTES = b"\x00\xff picture"
TEXT = base64.b64encode(BYTES).decode()
SENT = [cls for cls in WIRE_CLASSES if cls.__setattr__ is not object.__setattr__]
RECEIVED = [cls for cls in WIRE_CLASSES if cls not in SENT]


def file_at(folder, name):
    """A small file with that name."""
    path = folder / name
    path.write_bytes(BYTES)
    return path


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Message.user("a"), {"role": "user", "content": "a"}),
        (Message.user("a", name="Ann"), {"role": "user", "content": "a", "name": "Ann"}),
        (Message.system("a"), {"role": "system", "content": "a"}),
        (Message.developer("a"), {"role": "developer", "content": "a"}),
        (Message.assistant("a"), {"role": "assistant", "content": "a"}),
        (Message.assistant(refusal="No"), {"role": "assistant", "refusal": "No"}),
        (Message.tool("42", "call_1"), {"role": "tool", "content": "42", "tool_call_id": "call_1"}),
        (Message("oracle", "a"), {"role": "oracle", "content": "a"}),
    ],
)
def test_a_message_for_each_role(message, expected):
    """Each role has a short call that makes what the wire wants."""
    assert expected == to_dict(message)


def test_an_assistant_message_carries_its_tool_calls():
    """Tool calls go back as objects or as dicts, with their arguments untouched."""
    call = {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"a" : 1}'}}
    message = Message.assistant(tool_calls=[ToolCall("a", FunctionCall("f", "")), call])
    first = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    assert {"role": "assistant", "tool_calls": [first, call]} == to_dict(message)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (["a"], [{"type": "text", "text": "a"}]),
        ((TextPart("a"), "b"), [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        (TextPart("a"), [{"type": "text", "text": "a"}]),
        ({"type": "text", "text": "a"}, [{"type": "text", "text": "a"}]),
        ((part for part in ["a"]), [{"type": "text", "text": "a"}]),
        ([ImagePart.from_url("u", detail="low")], [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]),
        ([RefusalPart("No")], [{"type": "refusal", "refusal": "No"}]),
        ([FilePart.from_id("file-1")], [{"type": "file", "file": {"file_id": "file-1"}}]),
        ([ContentPart("video", extra={"url": "u"})], [{"type": "video", "url": "u"}]),
        ([], []),
    ],
)
def test_content_in_parts(content, expected):
    """Content may be parts of any kind, one or many, as objects, dicts or strings."""
    assert {"role": "user", "content": expected} == to_dict(Message.user(content))


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.png", "image/png"),
        ("a.jpg", "image/jpeg"),
        ("a.GIF", "image/gif"),
        ("a.webp", "image/webp"),
        ("a", "application/octet-stream"),
    ],
)
def test_an_image_from_a_local_file(tmp_path, monkeypatch, name, media_type):
    """A local image is sent as a data URL; its media type does not depend on the machine's own tables."""
    monkeypatch.setattr(mimetypes, "guess_type", mimetypes.MimeTypes(filenames=()).guess_type)
    part = ImagePart.from_path(file_at(tmp_path, name), detail="high")
    image = {"url": f"data:{media_type};base64,{TEXT}", "detail": "high"}
    assert {"type": "image_url", "image_url": image} == to_dict(part)


@pytest.mark.parametrize(("name", "sound"), [("a.wav", "wav"), ("a.MP3", "mp3")])
def test_sound_from_a_local_file(tmp_path, name, sound):
    """Local sound is sent as base64 text; its format is the file's ending, or what the program says."""
    path = file_at(tmp_path, name)
    assert {"type": "input_audio", "input_audio": {"data": TEXT, "format": sound}} == to_dict(AudioPart.from_path(path))
    assert "flac" == AudioPart.from_path(str(path), format="flac").input_audio.format


def test_a_document_from_a_local_file(tmp_path):
    """A local file is sent as a data URL with its name."""
    part = FilePart.from_path(str(file_at(tmp_path, "paper.pdf")))
    file = {"file_data": f"data:application/pdf;base64,{TEXT}", "filename": "paper.pdf"}
    assert {"type": "file", "file": file} == to_dict(part)


@pytest.mark.parametrize("make", [ImagePart.from_path, AudioPart.from_path, FilePart.from_path])
def test_a_missing_file_is_an_os_error(tmp_path, make):
    """A file that cannot be read is told where the part is made."""
    with pytest.raises(OSError, match="missing"):
        make(tmp_path / "missing.png")


def test_sent_and_received_classes_are_those_we_think():
    """Requests and messages are frozen, answers are not."""
    assert {ChatCompletionRequest, EmbeddingRequest, Message, Tool, ToolCall, TextPart} <= set(SENT)
    assert {ChatCompletionChunk, Delta} <= set(RECEIVED)


@pytest.mark.parametrize("cls", SENT, ids=lambda cls: cls.__name__)
def test_sent_classes_are_frozen(cls):
    """What is sent cannot be changed behind somebody's back."""
    value = minimal(cls)
    for name in json_fields(cls):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, name, None)


@pytest.mark.parametrize("cls", RECEIVED, ids=lambda cls: cls.__name__)
def test_received_classes_have_plain_slots(cls):
    """What is received can be changed, but a misspelled attribute is an error."""
    value = minimal(cls)
    for name in json_fields(cls):
        setattr(value, name, None)
    with pytest.raises(AttributeError):
        value.misspelled = 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: ChatCompletionRequest("m", [], 0.5),
        lambda: Message("user", "a", "Ann"),
        lambda: Message.tool("a", "call_1", "x"),
        lambda: Tool(None, "custom", {}),
        lambda: EmbeddingRequest("m", "a", "float"),
    ],
)
def test_beyond_the_obvious_everything_is_by_keyword(call):
    """A third thing by position is a TypeError, so that fields can be added anywhere."""
    with pytest.raises(TypeError):
        call()


@pytest.mark.parametrize("messages", ["Hi", {"role": "user", "content": "Hi"}, Message.user("Hi")])
def test_messages_are_a_list(messages):
    """A text or one message in place of the list is an error at the call, not nonsense on the wire."""
    with pytest.raises(TypeError):
        ChatCompletionRequest("m", messages)


def test_lists_are_kept_as_tuples():
    """A list that the program changes later does not change the request."""
    messages, stop = [Message.user("a")], ["x"]
    request = ChatCompletionRequest("m", messages, stop=stop)
    messages.append(Message.user("b"))
    stop.append("y")
    assert ((Message.user("a"),), ("x",)) == (request.messages, request.stop)


@pytest.mark.parametrize(
    ("value", "expected"), [("a", "a"), (["a", "b"], ["a", "b"]), ([1, 2], [1, 2]), ([[1], [2, 3]], [[1], [2, 3]])]
)
def test_embedding_input_in_all_four_forms(value, expected):
    """A text, texts, token ids, and lists of token ids are sent as they are."""
    assert {"model": "m", "input": expected} == to_dict(EmbeddingRequest("m", value))
    assert EmbeddingRequest("m", value) == from_dict(EmbeddingRequest, {"model": "m", "input": expected})


def test_function_definitions_keep_their_schema():
    """The JSON schema of a function is the program's dict, untouched, null included."""
    schema = {"type": "object", "default": None, "properties": {"a": {"enum": [None, 1]}}}
    assert {"name": "f", "parameters": schema} == to_dict(FunctionDefinition("f", parameters=schema))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
@pytest.mark.parametrize("cls", WIRE_CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_can_be_copied_and_pickled(cls, again):
    """A copy is equal in every field, unknown ones included, before and after somebody looked at them."""
    fresh = from_dict(cls, {**full_json(cls), "vendor_field": [1, None]})
    seen = from_dict(cls, {**full_json(cls), "vendor_field": [1, None]})
    assert {"vendor_field": [1, None]} == seen.extra
    for value in (fresh, seen, minimal(cls)):
        other = again(value)
        assert value == other and type(value) is type(other)
        assert to_dict(value) == to_dict(other)
        assert all(getattr(value, name) == getattr(other, name) for name in json_fields(cls))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copy_keeps_readings(again):
    """What stood on the wire is copied beside its reading."""
    data = {"reasoning": "R", "content": [{"type": "text", "text": "a"}]}
    delta = again(from_dict(Delta, data))
    assert ("R", "a", data) == (delta.reasoning_content, delta.content, to_dict(delta))
