"""The short way to read a chunk gives what the long way gives, and is taken where it can be."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.dialects.openai import OpenAIChunkDecoder, template
from compatapi.errors import CompatAPIError
from compatapi.framing import Frame
from helpers import RECORDINGS
from streams import body, call, part, say, stop

REQUEST = ChatCompletionRequest("m", [Message.user("hello")])


def read(frames, monkeypatch, *, tries):
    """What a decoder makes of payloads: chunks in full (their readings too), and the kind of error at the end."""
    monkeypatch.setattr(template, "_TRIES", tries)
    decoder, seen = OpenAIChunkDecoder(), []
    try:
        for frame in frames:
            for chunk in decoder.decode(frame):
                seen.append(show(chunk))
    except CompatAPIError as error:
        seen.append(type(error).__name__)
    return seen


def show(thing):
    """Everything of a wire object: attributes, unknown fields and readings. Made-up ids are random and left out."""
    if isinstance(thing, list | tuple):
        return [show(item) for item in thing]
    if not hasattr(thing, "wire_value"):
        return "made up" if isinstance(thing, str) and thing.startswith("call_made") else thing
    names = [name for name in thing.__slots__ if not name.startswith("_")]
    readings = {name: show(list(pair)) for name, pair in thing.readings.items()}
    return (
        type(thing).__name__,
        {name: show(getattr(thing, name)) for name in names},
        copy.deepcopy(dict(thing.extra)),
        readings,
    )


def both(payloads, monkeypatch):
    """What comes out, after checking that it is the same with templates and without; and how often one served."""
    monkeypatch.setattr("compatapi.dialects.openai.new_call_id", lambda: "call_made_up")
    frames = [Frame(payload if isinstance(payload, str) else json.dumps(payload)) for payload in payloads]
    served = []
    real = template.Template.read

    def counting(self, data):
        found = real(self, data)
        served.append(found is not None)
        return found

    monkeypatch.setattr(template.Template, "read", counting)
    short = read(frames, monkeypatch, tries=16)
    count = sum(served)
    long = read(frames, monkeypatch, tries=0)
    monkeypatch.setattr(template.Template, "read", real)
    assert long == short
    return count


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n\t{}[]:,\u2028\x7f\u3000é😀'), max_size=8
)
KINDS = {
    "content": say,
    "reasoning_content": lambda text: body({"reasoning_content": text}),
    "reasoning": lambda text: body({"reasoning": text}),
    "null beside": lambda text: body({"content": None, "reasoning_content": text}),
    "both": lambda text: body({"content": text, "reasoning_content": text}),
    "arguments": lambda text: call({"index": 0, "function": {"arguments": text}}),
    "padded": lambda text: say("x", obfuscation=text),
    "padded twice": lambda text: say(text, obfuscation=text, p=text),
    "padding in front": lambda text: {"obfuscation": text, **say(text)},
    "two choices": lambda text: {**say(text), "choices": [*say(text)["choices"], *say(text, index=1)["choices"]]},
    "object beside": lambda text: say(text, choice={"content_filter_results": {"hate": text}}),
    "the same object beside": lambda text: say(text, choice={"filters": {"hate": []}}, note=[{"a": 1}]),
    "usage": lambda text: say(text, usage={"total_tokens": len(text)}),
    "the same name in a text": lambda text: say('"content":"' + text, note='"content":"x"'),
    "error": lambda text: {"error": {"message": text}},
    "end": lambda text: stop(),
}


@given(
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), TEXTS), max_size=12), st.booleans(), st.sampled_from([None, 1])
)
def test_templates_change_nothing(pieces, ascii_only, indent):
    """Any sequence of chunks, in any spelling of JSON, is read alike with templates and without."""
    payloads = [json.dumps(KINDS[kind](text), ensure_ascii=ascii_only, indent=indent) for kind, text in pieces]
    with pytest.MonkeyPatch.context() as patch:
        both(payloads, patch)


@given(
    st.lists(TEXTS.filter(bool), min_size=3, max_size=6), st.sampled_from(["content", "reasoning_content", "reasoning"])
)
def test_a_damaged_chunk_is_read_alike(texts, kind):
    """A chunk that fits the template but for a byte is read in full."""
    good = [json.dumps(KINDS[kind](text), ensure_ascii=False) for text in ["one", "two", *texts]]
    with pytest.MonkeyPatch.context() as patch:
        for at in range(0, len(good[-1]), 7):
            both([*good[:-1], good[-1][:at] + "\x01" + good[-1][at + 1 :]], patch)


@pytest.mark.parametrize("kind", ["content", "reasoning_content", "reasoning", "null beside", "padded twice"])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_template_serves(kind, separators, monkeypatch):
    """Of a stream of one form all chunks but the first are read the short way."""
    texts = ["Hello", " wor", "ld\n", ', "quoted"', " \\ ", "é", "tab\t"]
    payloads = [json.dumps(KINDS[kind](text), separators=separators) for text in texts]
    expected = 0 if kind == "padded twice" else len(texts) - 1
    assert expected == both(payloads, monkeypatch)


def test_a_template_serves_tool_calls(monkeypatch):
    """The pieces of arguments are read the short way, and belong to their call."""
    first = call({"index": 0, "id": "c", "type": "function", **part("f", "")})
    pieces = [call({"index": 0, "function": {"arguments": text}}) for text in ('{"', "city", '": "', "Rome", '"}')]
    assert 4 == both([first, *pieces, stop("tool_calls")], monkeypatch)


@pytest.mark.parametrize("kind", ["content", "reasoning_content", "reasoning", "arguments", "the same object beside"])
def test_chunks_share_nothing(kind):
    """What a program does to a chunk, also to the one that was learnt from, shows in no other."""
    decoder = OpenAIChunkDecoder()
    chunks = []
    for text in ("one", "two", "three"):
        [made] = decoder.decode(Frame(json.dumps(KINDS[kind](text))))
        chunks.append(show(made))
        made.model, made.extra["mine"] = "changed", 1
        choice = made.choices[0]
        choice.finish_reason, choice.extra["mine"], choice.delta.extra["mine"] = "changed", 1, 1
        for found in (*made.extra.values(), *choice.extra.values()):
            if isinstance(found, dict | list):
                found.clear()
        choice.delta.set_reading("content", "changed")
        choice.delta.set_reading("reasoning_content", "changed")
        for piece in choice.delta.tool_calls or ():
            piece.extra["mine"], piece.function.name = 1, "changed"
    alone = [
        show(OpenAIChunkDecoder().decode(Frame(json.dumps(KINDS[kind](text))))[0]) for text in ("one", "two", "three")
    ]
    assert alone == chunks


def test_a_stream_of_many_forms_is_given_up(monkeypatch):
    """When the form changes with each chunk, learning ends after some tries."""
    payloads = [say("text", id=f"c{number}") for number in range(100)]
    tried = []
    real = template._find
    monkeypatch.setattr(template, "_find", lambda *found: tried.append(found) or real(*found))
    assert 0 == both(payloads, monkeypatch)
    assert 16 == len(tried)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here (COMPATAPI_RECORDINGS)")
def test_recordings_are_read_alike(monkeypatch):
    """Every recorded stream of the OpenAI form is read alike, and the short way serves in most of them."""
    served = {}
    for path in sorted(RECORDINGS.glob("*.sse")):
        lines = path.read_text("utf-8").replace("\r\n", "\n").split("\n")
        payloads = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
        if '"choices"' in payloads[0]:
            served[path.stem] = both(payloads, monkeypatch)
    assert len(served) > 40
    assert sum(count > 0 for count in served.values()) > 20
