"""The short way to read events of the native protocols gives what the long way gives, also to what comes behind."""

import copy
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.dialects import forms, get_dialect
from compatapi.dialects.ollama import OllamaChunkDecoder
from compatapi.framing import Frame
from helpers import RECORDINGS, read_events

REQUEST = ChatCompletionRequest("m", [Message.user("hello")])
FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(autouse=True, scope="module")
def learns_at_once():
    """A stream of a few events shall be enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "_SHORT", 0)
        yield


# --- anthropic ------------------------------------------------------------------------------------------------------


def delta(kind, index=0, **fields):
    """A delta of a block."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def block(kind, index=0, **fields):
    """The start of a block."""
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}}


def usage(number):
    """Counts that grow."""
    return {"promptTokenCount": 9, "candidatesTokenCount": number, "totalTokenCount": number + 9}


ANTHROPIC = {
    "text": lambda text: delta("text_delta", text=text),
    "text of another block": lambda text: delta("text_delta", 1, text=text),
    "padded text": lambda text: {**delta("text_delta", text="same"), "p": text},
    "thinking": lambda text: delta("thinking_delta", 1, thinking=text),
    "signature": lambda text: delta("signature_delta", 1, signature=text),
    "arguments": lambda text: delta("input_json_delta", 2, partial_json=text),
    "arguments of a server's tool": lambda text: delta("input_json_delta", 3, partial_json=text),
    "citation": lambda text: delta("citations_delta", citation={"cited_text": text}),
    "text begins": lambda text: block("text", text=text),
    "another text begins": lambda text: block("text", 1, text=""),
    "thinking begins": lambda text: block("thinking", 1, thinking=text),
    "call begins": lambda text: block("tool_use", 2, id=f"i{text}", name="f", input={}),
    "server's tool begins": lambda text: block("server_tool_use", 3, id=f"i{text}", name="f", input={}),
    "block ends": lambda text: {"type": "content_block_stop", "index": len(text) % 4},
    "ping": lambda text: {"type": "ping"},
    "half an emoji": lambda text: delta("text_delta", text=text + "\ud83d"),
    "the other half": lambda text: delta("text_delta", text="\ude00" + text),
    "no number": lambda text: {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}},
    "stop reason": lambda text: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
    "another message": lambda text: {"type": "message_start", "message": {"id": f"i{text}", "model": text}},
}

# --- gemini ---------------------------------------------------------------------------------------------------------


def parts(*found, candidate=None, **fields):
    """An event of one candidate."""
    made = {"content": {"parts": list(found), "role": "model"}, "index": 0, **(candidate or {})}
    return {"candidates": [made], "modelVersion": "m", "responseId": "r", **fields}


GEMINI = {
    "text": lambda text: parts({"text": text}, usageMetadata=usage(len(text))),
    "the same text": lambda text: parts({"text": "same"}, usageMetadata=usage(len(text))),
    "thought": lambda text: parts({"text": text, "thought": True}),
    "no thought": lambda text: parts({"text": text, "thought": False}),
    "counted thought": lambda text: parts(
        {"text": text, "thought": True}, usageMetadata={**usage(3), "thoughtsTokenCount": len(text)}
    ),
    "text behind thoughts": lambda text: parts(
        {"text": text}, usageMetadata={**usage(len(text) * 100), "thoughtsTokenCount": 700}
    ),
    "both counted": lambda text: parts(
        {"text": text}, usageMetadata={**usage(len(text)), "thoughtsTokenCount": len(text) * 100}
    ),
    "signed": lambda text: parts({"text": text, "thoughtSignature": text}),
    "image": lambda text: parts({"inlineData": {"mimeType": "image/png", "data": text}}),
    "call": lambda text: parts({"functionCall": {"name": "f", "args": {"a": text}, "id": f"i{text}"}}),
    "two parts": lambda text: parts({"text": text}, {"text": "x"}),
    "ratings": lambda text: parts({"text": text}, candidate={"safetyRatings": [{"category": text}]}),
    "log probabilities": lambda text: parts({"text": text}, candidate={"avgLogprobs": len(text) / 7}),
    "end": lambda text: parts({"text": text}, candidate={"finishReason": "STOP"}),
    "another model": lambda text: parts({"text": text}, modelVersion=text),
    "another answer": lambda text: parts({"text": text}, responseId=f"r{text}"),
    "nameless": lambda text: {"candidates": [{"content": {"parts": [{"text": text}]}}]},
    "second candidate": lambda text: parts({"text": text}, candidate={"index": 1}),
    "blocked": lambda text: parts({"text": text}, promptFeedback={"blockReason": "OTHER"}),
    "half an emoji": lambda text: parts({"text": text + "\ud83d"}),
    "the other half": lambda text: parts({"text": "\ude00" + text}),
    "no text": lambda text: parts({"text": 5, "thought": True}),
}

# --- ollama ---------------------------------------------------------------------------------------------------------

TIMES = itertools.cycle(f"2025-06-01T12:00:0{second}.00{number}Z" for second in range(5) for number in range(9))


def line(role="assistant", **message):
    """A line of an answer, with the time."""
    return {"model": "m", "created_at": next(TIMES), "message": {"role": role, **message}, "done": False}


OLLAMA = {
    "text": lambda text: line(content=text),
    "thinking": lambda text: line(content="", thinking=text),
    "both": lambda text: line(content=text, thinking=text),
    "thinking alone": lambda text: line(thinking=text),
    "odd thinking": lambda text: line(content=text, thinking=[text]),
    "image": lambda text: line(content=text, images=[text]),
    "call": lambda text: line(content="", tool_calls=[{"function": {"name": "f", "arguments": {"a": text}}}]),
    "another role": lambda text: line(role="tool", content=text),
    "another model": lambda text: {**line(content=text), "model": f"m{text}"},
    "remote": lambda text: {**line(content=text), "remote_host": text},
    "end": lambda text: {**line(content=text), "done": True, "done_reason": "stop", "eval_count": 3},
    "half an emoji": lambda text: line(content=text + "\ud83d"),
    "the other half": lambda text: line(content="\ude00" + text),
    "timeless": lambda text: {**line(content=text), "created_at": ""},
}
KINDS = {"anthropic": ANTHROPIC, "gemini": GEMINI, "ollama": OLLAMA}
BEGIN = {
    "anthropic": [ANTHROPIC[name]("") for name in ("another message", "text begins", "thinking begins", "call begins")],
    "gemini": [GEMINI["text"]("Hello")],
    "ollama": [OLLAMA["text"]("Hello")],
}


def decoder_of(dialect):
    """A decoder that gives what it makes up the same name each time."""
    return type(get_dialect(dialect))(clock=lambda: 1_700_000_000.0).chunk_decoder(REQUEST)


def both(dialect, payloads):
    """How many payloads were read by a form, after checking that all comes out the same without forms."""
    payloads = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
    if dialect == "anthropic":  # which pads its events
        payloads = [payload[:-1] + " " * (number % 9) + payload[-1:] for number, payload in enumerate(payloads)]
    with pytest.MonkeyPatch.context() as patch:
        for module in ("toolcalls", "accumulate", "dialects.ollama", "dialects.gemini.answer"):
            patch.setattr(f"compatapi.{module}.new_call_id", lambda: "call_made_up")
        patch.setattr("compatapi.dialects.anthropic.blocks.new_call_id", lambda: "call_made_up")
        short, served = read_events(decoder_of(dialect), payloads, learns=True)
        long, _ = read_events(decoder_of(dialect), payloads, learns=False)
    assert long == short
    return served


@pytest.mark.parametrize("dialect", KINDS)
@given(data=st.data())
def test_forms_change_nothing(dialect, data):
    """Any sequence of events of a few kinds is read alike with forms and without."""
    kinds = data.draw(st.lists(st.sampled_from(sorted(KINDS[dialect])), min_size=1, max_size=5))
    words = st.sampled_from(["", "a", "bc", '"', "é", "0", "three"])
    pieces = data.draw(st.lists(st.tuples(st.sampled_from(kinds), words), min_size=3, max_size=30))
    begin = BEGIN[dialect] if data.draw(st.booleans()) else []
    both(dialect, [*copy.deepcopy(begin), *(KINDS[dialect][kind](text) for kind, text in pieces)])


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [
        *[("anthropic", kind) for kind in ("text", "thinking", "arguments")],
        *[
            ("gemini", kind)
            for kind in ("text", "the same text", "thought", "counted thought", "text behind thoughts", "ratings")
        ],
        *[("ollama", kind) for kind in ("text", "thinking", "both")],
    ],
)
def test_a_form_serves(dialect, kind):
    """Of events that differ in their values all but the first few are read by their form."""
    words = ["Hello", " wor", "ld\n", ', "quoted"', " \\ ", "é", "tab\t", "'"] * 2
    served = both(dialect, [*BEGIN[dialect], *(KINDS[dialect][kind](text) for text in words)])
    assert len(words) - 4 <= served < len(words)


@pytest.mark.parametrize("dialect", KINDS)
def test_what_comes_behind_knows_what_forms_have_read(dialect):
    """Places in the text, which later events tell, count what was read by a form."""
    kind = KINDS[dialect]
    texts = [kind["text"](text) for text in ("one", "two", "three", "four", "five", "six")]
    behind = {"anthropic": ("block ends", "server's tool begins", "another text begins", "citation")}
    names = behind.get(dialect, ("image", "call", "text"))
    assert 2 < both(dialect, [*BEGIN[dialect], *texts, *(kind[name]("x") for name in names)])


def payloads_of(path):
    """The data of the events of a stream, or its lines."""
    lines = path.read_text("utf-8").replace("\r\n", "\n").split("\n")
    if path.suffix == ".ndjson":
        return [line for line in lines if line.strip()]
    return [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]


def dialect_of(payloads):
    """The dialect of a recording."""
    first = payloads[0] if payloads else ""
    marks = {'"message_start"': "anthropic", '"candidates"': "gemini", '"created_at"': "ollama"}
    return next((dialect for mark, dialect in marks.items() if mark in first), None)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here (COMPATAPI_RECORDINGS)")
def test_recordings_are_read_alike():
    """Every recorded stream of a native protocol is read alike, and the short way serves in many of them."""
    served = {}
    for path in sorted([*RECORDINGS.glob("*.sse"), *RECORDINGS.glob("*.ndjson")]):
        payloads = payloads_of(path)
        if dialect := dialect_of(payloads):
            served[path.stem] = both(dialect, payloads)
    assert len(served) > 15
    assert sum(count > 0 for count in served.values()) > 5


@pytest.mark.parametrize(
    "path",
    sorted(path for dialect in KINDS for path in (FIXTURES / dialect).glob("*/stream.*")),
    ids=lambda path: "-".join(path.parts[-3:-1]),
)
def test_fixtures_are_read_alike(path):
    """So is every stream of the fixtures; most are too short for a form to serve."""
    payloads = payloads_of(path)
    assert 0 <= both(path.parts[-3], payloads) < max(1, len(payloads))


@pytest.mark.parametrize("dialect", KINDS)
def test_half_an_emoji_ends_what_was_learnt(dialect):
    """The other half is put in front of the next text, whatever its form."""
    texts = [KINDS[dialect][kind]("x") for kind in ("text", "text", "text", "text", "half an emoji", "text", "text")]
    both(dialect, [*BEGIN[dialect], *texts])
    both(dialect, texts)


def test_a_line_before_the_answer_has_begun():
    """Nothing is plain of which the model, the role and the name of the answer are not known yet."""
    decoder = OllamaChunkDecoder()
    [chunk] = decoder.decode(Frame(json.dumps(OLLAMA["text"]("Hello"))))
    assert ("assistant", "Hello") == (chunk.choices[0].delta.role, chunk.text)
