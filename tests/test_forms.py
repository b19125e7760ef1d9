"""The short way to read a chunk gives what the long way gives, and is taken where it can be."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compatapi.accumulate import Accumulator
from compatapi.dialects import forms
from compatapi.dialects.forms import learning
from compatapi.dialects.openai import OpenAIChunkDecoder
from compatapi.framing import Frame
from helpers import RECORDINGS, read_events, show
from streams import body, call, part, say, stop


@pytest.fixture(autouse=True, scope="module")
def learns_at_once():
    """A stream of a few chunks shall be enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "_SHORT", 0)
        yield


def both(payloads):
    """How many payloads were read by a form, after checking that all comes out the same without forms."""
    payloads = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
    with pytest.MonkeyPatch.context() as patch:
        for module in ("dialects.openai", "toolcalls", "accumulate"):
            patch.setattr(f"compatapi.{module}.new_call_id", lambda: "call_made_up")
        short, served = read_events(OpenAIChunkDecoder(), payloads, learns=True)
        long, _ = read_events(OpenAIChunkDecoder(), payloads, learns=False)
    assert long == short
    return served


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
    "counted": lambda text: say(
        text, usage={"prompt_tokens": 7, "completion_tokens": len(text), "cost": 0.1 * len(text)}
    ),
    "named and timed": lambda text: say(text, id=f"c{len(text)}", created=len(text), model=text),
    "parts": lambda text: body({"content": [{"type": "text", "text": text}]}),
    "thinking parts": lambda text: body(
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}
    ),
    "details": lambda text: body({"reasoning": text, "reasoning_details": [{"type": "text", "text": text}]}),
    "minimax": lambda text: body({"reasoning_details": [{"format": "MiniMax-1", "text": text}]}),
    "logprobs": lambda text: say(
        text, choice={"logprobs": {"content": [{"token": text, "logprob": -len(text) / 7, "top_logprobs": []}]}}
    ),
    "token": lambda text: say(text, choice={"token_id": len(text) * 1000}, nodes=[[1.5, len(text)], {"a": text}]),
    "flagged": lambda text: say(text, choice={"flag": True}, seed=True),
    "not flagged": lambda text: say(text, choice={"flag": False}, seed=None),
    "flagged by words": lambda text: say(text, choice={"flag": text}, seed=len(text)),
    "an object of a name with dots": lambda text: {**say("x"), "a.b": {"c": text}, "delta": text},
    "noted": lambda text: body({"content": text, "note": "", "token_id": len(text)}),
    "noted by words": lambda text: body({"content": "x", "note": text, "token_id": None}),
    "a name not yet said": lambda text: say(text, id="", model=None),
    "a name said late": lambda text: say("x", id=text, model=text[:1]),
    "sealed details": lambda text: body(
        {"reasoning_details": [{"type": "text", "text": text, "signature": "s", "index": 0, "id": None}]}
    ),
    "numbered details": lambda text: body(
        {"content": text, "reasoning_details": [{"type": "text", "text": text, "index": len(text)}]}
    ),
    "two details": lambda text: body({"content": "x", "reasoning_details": [{"text": text}, {"data": text}]}),
    "cited blocks": lambda text: body({"content": text, "content_blocks": [{"text": text, "citations": [text]}]}),
    "refusal beside": lambda text: body({"content": text, "refusal": "No"}),
    "second choice": lambda text: say(text, index=1),
    "in the third choice": lambda text: say(text, index=2),
    "a call": lambda text: call(part(text or "f", text, index=len(text) % 2, id=f"i{text}")),
    "other arguments": lambda text: call({"index": 1, "function": {"arguments": text}}),
    "no index": lambda text: call({"function": {"arguments": text}}),
    "named arguments": lambda text: call({"index": 0, "function": {"name": "f", "arguments": text}}),
    "refusal": lambda text: body({"refusal": text}),
    "role": lambda text: body({"role": text, "content": "x"}),
    "tier": lambda text: say("x", service_tier=text),
    "error": lambda text: {"error": {"message": text}},
    "end": lambda text: stop(),
}


@given(
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), TEXTS), max_size=12), st.booleans(), st.sampled_from([None, 1])
)
def test_forms_change_nothing(pieces, ascii_only, indent):
    """Any sequence of chunks, in any spelling of JSON, is read alike with forms and without."""
    payloads = [json.dumps(KINDS[kind](text), ensure_ascii=ascii_only, indent=indent) for kind, text in pieces]
    both(payloads)


@given(st.lists(TEXTS, min_size=5, max_size=12), st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3))
def test_few_forms_change_nothing(texts, kinds):
    """Nor do they where a stream has few forms, so that each comes often."""
    both([KINDS[kinds[at % len(kinds)]](text) for at, text in enumerate(texts)])


@given(st.data(), st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5))
def test_forms_that_take_turns_change_nothing(data, kinds):
    """Nor do they where chunks of a few kinds come in any order, some of them empty."""
    words = st.sampled_from(["", "a", "bc", '"', "é", "0"])
    pieces = data.draw(st.lists(st.tuples(st.sampled_from(kinds), words), min_size=4, max_size=40))
    both([KINDS[kind](text) for kind, text in pieces])


def test_an_empty_piece_shows_nothing_of_those_behind_it():
    """That there was reasoning is known when it says something."""
    both([body({"reasoning_content": text}) for text in ("", "", "", "so", "", "on")])


def test_what_grows_anew_in_each_chunk_is_never_learnt():
    """MiniMax repeats in each detail what it said before; the decoder keeps account of that, also behind empty ones."""
    texts = ["", "", "so", "so on", "so on and", "so on and on"]
    assert 0 == both([KINDS["minimax"](text) for text in texts])


NEVER_SERVED = ("error", "end", "a call", "two choices", "no index", "named arguments", "role", "minimax")
NEVER_SERVED += ("numbered details",)  # each number is a form of its own
SERVED = {
    name: ["Hello", " wor", "ld\n", ', "quoted"', " \\ ", "é", "tab\t", "\u3000", "'", "😀"]
    for name in sorted(KINDS)
    if name not in NEVER_SERVED
}


@given(
    st.lists(TEXTS.filter(bool), min_size=1, max_size=3),
    st.sampled_from(sorted(SERVED)),
    st.sampled_from(["\x01", '"', "0", "\\", ","]),
    st.integers(0, 23),
)
def test_a_damaged_chunk_is_read_alike(texts, kind, wrong, start):
    """A chunk that fits a form but for a character is read in full."""
    good = [json.dumps(KINDS[kind](text), ensure_ascii=False) for text in ["one", "other", *texts]]
    for at in range(start, len(good[-1]), 23):
        both([*good[:-1], good[-1][:at] + wrong + good[-1][at + 1 :]])


#: Chunks of which the answer takes in more than texts that grow and last values.
TAKEN_WHOLE = ("logprobs", "tier", "numbered details", "two details", "cited blocks")


@pytest.mark.parametrize("kind", [kind for kind in SERVED if kind not in TAKEN_WHOLE])
def test_the_answer_takes_in_what_differs_only(kind, monkeypatch):
    """Of chunks of one form the answer takes in but the first one whole; also where two forms take turns."""
    whole = []
    real = Accumulator._take_whole
    monkeypatch.setattr(Accumulator, "_take_whole", lambda self, chunk: whole.append(chunk) or real(self, chunk))
    first = [call(part("f", "", index=0, id="c")), call(part("g", "", index=1, id="d"))]
    for kinds in ([kind], [kind, "in the third choice"]):
        whole.clear()
        values = [*first, *(KINDS[each](text) for text in SERVED[kind] for each in kinds)]
        decoder, answer = OpenAIChunkDecoder(), Accumulator()
        for payload in (json.dumps(value, ensure_ascii=False) for value in values):
            known = decoder.known(payload)
            for chunk in decoder.decode(Frame(payload)) if known is None else [known]:
                answer.take(chunk)
        # Two of each kind were learnt from, and the first that was read by its form was taken in whole.
        assert len(first) + 3 * len({*kinds}) == len(whole)


@pytest.mark.parametrize("kind", SERVED)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_form_serves(kind, separators):
    """Of chunks that differ in their values all but the first two are read by their form."""
    payloads = [json.dumps(KINDS[kind](text), separators=separators, ensure_ascii=False) for text in SERVED[kind]]
    first = [call(part("f", "", index=0, id="c")), call(part("g", "", index=1, id="d"))]
    assert len(payloads) - 2 == both([*first, *payloads] if "arguments" in kind else payloads)


def test_a_form_serves_tool_calls():
    """The pieces of arguments are read by their form, and belong to their call."""
    first = call({"index": 0, "id": "c", "type": "function", **part("f", "")})
    pieces = [call({"index": 0, "function": {"arguments": text}}) for text in ('{"', "city", '": "', "Rome", '"}')]
    assert 3 == both([first, *pieces, stop("tool_calls")])


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


def test_a_short_stream_is_not_learnt(monkeypatch):
    """Learning costs what reading a hundred chunks costs, so that it waits for some."""
    monkeypatch.setattr(forms, "_SHORT", 12)
    payloads = [say(f"text {number}") for number in range(20)]
    assert 20 - 12 - 2 == both(payloads)


@pytest.mark.parametrize("count", [10, 500])
def test_what_would_be_long_to_learn_is_not_learnt(count):
    """No function is written for chunks of many values, nor for long ones."""
    numbers = [say("text", numbers=list(range(start, start + count))) for start in range(0, 4000, 1000)]
    assert (2 if count == 10 else 0) == both(numbers)


def test_forms_that_never_serve_are_given_up(monkeypatch):
    """When no chunk is like another, learning ends after some tries, and goes on when forms have earned it."""
    looked = []
    real = learning.key_of
    monkeypatch.setattr(learning, "key_of", lambda tokens: looked.append(tokens) or real(tokens))
    decoder = OpenAIChunkDecoder()
    for number in range(1000):
        decoder.decode(Frame(json.dumps(say("text", **{f"field{number}": 1}))))
    assert 100 == len(looked)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here (COMPATAPI_RECORDINGS)")
def test_recordings_are_read_alike():
    """Every recorded stream of the OpenAI form is read alike, and the short way serves in most of them."""
    served = {}
    for path in sorted(RECORDINGS.glob("*.sse")):
        lines = path.read_text("utf-8").replace("\r\n", "\n").split("\n")
        payloads = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
        if '"choices"' in payloads[0]:
            served[path.stem] = both(payloads)
    assert len(served) > 40
    assert sum(count > 0 for count in served.values()) > 20
