"""Telling deltas from answers that repeat themselves: no text is lost and none comes twice."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compatapi.accumulate import Accumulator
from compatapi.chat_types import ChatCompletionChunk, ChunkChoice, Delta, FunctionCallDelta, ToolCallDelta, Usage
from compatapi.dialects.dashscope.repeats import SURE, Repeats


def chunk(content=None, *, reasoning=None, arguments=None, finish=None, tokens=None, index=0):
    """A chunk with texts as they came."""
    calls = [ToolCallDelta(0, "a", "function", FunctionCallDelta("f", arguments))] if arguments is not None else None
    usage = None if tokens is None else Usage(9, tokens, 9 + tokens)
    delta = Delta(content=content, reasoning_content=reasoning, tool_calls=calls)
    return ChatCompletionChunk(choices=[ChunkChoice(index, delta, finish)], usage=usage)


def say(*texts, last="", tokens=True):
    """Chunks that say the texts, one token each, and a last one with the finish reason."""
    chunks = [chunk(text, tokens=count + 1 if tokens else None) for count, text in enumerate(texts)]
    return [*chunks, chunk(last, finish="stop", tokens=len(texts) if tokens else None)]


def read(chunks, repeats=None):
    """The answer, and after how many chunks each text was out."""
    filter, answer, out = Repeats(repeats), Accumulator(), []
    for one in chunks:
        for told in filter.add(one):
            answer.add(told)
        out.append(answer.completion.text)
    for told in filter.flush():
        answer.add(told)
    return answer.completion, out


def text_of(chunks, **options):
    """The text of the answer."""
    return read(chunks, **options)[0].text


# --- deltas


@pytest.mark.parametrize(
    "words",
    [
        ["ha", "ha"],
        ["ha"] * 100,
        ["ha", "haha", "ha"],
        ["no", "no", "no", "!"],
        ["1", "11", "111", "1111"],
        ["#", "##", "###", " title"],
        [" ", "  ", "   ", "x"],
        ["\n", "\n\n", "\n\n\n"],
        ["a", "ab", "abc", "abcd"],
        ["-" * 10, "-" * 19, "-" * 20],
        ["The quick brown fox", "The quick brown fox jumps"],
        ["", "", "a", "", "b"],
    ],
)
@pytest.mark.parametrize("tokens", [True, False])
def test_deltas_that_look_like_repetitions(words, tokens):
    """Short deltas that begin with the one before are deltas, once one comes that does not, as at the usual end."""
    assert "".join(words) == text_of(say(*words, tokens=tokens))


def test_deltas_are_handed_on_at_once():
    """Nothing waits behind a delta that does not begin with the one before."""
    _, out = read(say("The", " sea", " is", " is", " is calm."))
    assert ["The", "The sea", "The sea is", "The sea is is", "The sea is is is calm."] == out[:5]


def test_a_repeated_word_waits_for_the_next():
    """A word that is said again waits, and comes with the event that tells."""
    _, out = read(say("ha", "ha", "ha", " funny", " ha", " ha"))
    assert ["ha", "ha", "ha", "hahaha funny", "hahaha funny ha", "hahaha funny ha ha"] == out[:6]


def test_the_same_word_with_the_finish_reason():
    """At the end, the same text again is new if tokens were counted for it, and else a repetition."""
    again = chunk("ha", finish="stop", tokens=2)
    assert "haha" == text_of([chunk("ha", tokens=1), again])
    assert "ha" == text_of([chunk("ha", tokens=1), chunk("ha", finish="stop", tokens=1)])
    assert "ha" == text_of([chunk("ha"), chunk("ha", finish="stop")])


def test_what_cannot_be_told():
    """Deltas that grow to the end, and a long delta with which a longer one begins, are read as repetitions."""
    assert "haha" == text_of([chunk("ha", tokens=1), chunk("haha", finish="stop", tokens=3)])
    line = "-" * SURE
    assert f"{line}-" == text_of([chunk(line), chunk(f"{line}-"), chunk(f"{line}--", finish="stop")])[:-1]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet="ab", max_size=3), max_size=12), st.booleans())
@example(["a", "a", "a"], True)
def test_any_short_deltas(words, tokens):
    """Whatever short deltas come, an end that says nothing shows that they are deltas."""
    assert "".join(words) == text_of(say(*words, tokens=tokens))


# --- repetitions


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80), st.lists(st.integers(0, 80), max_size=12), st.booleans(), st.sampled_from([None, True]))
def test_any_repetitions(text, cuts, tokens, repeats):
    """A text that is repeated from its beginning with each event comes once, wherever the events cut it."""
    cuts = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    chunks = say(*[text[:cut] for cut in cuts], last=text, tokens=tokens)
    assert text == text_of(chunks, repeats=repeats)


def test_repetitions_are_handed_on_when_it_is_sure():
    """Only what is said before it is sure waits: then each event gives what is new."""
    text = "The sea is calm and the sky is blue."
    _, out = read(say(*[text[:size] for size in range(4, len(text) + 1, 4)], last=text))
    assert text[:4] == out[0] == out[4]
    assert [text[: 4 * number] for number in range(6, 10)] == out[5:9]


def test_reasoning_and_arguments_repeat_too():
    """One text that tells, tells for all of them."""
    long = "Let me see what the weather is."
    chunks = [
        chunk("", reasoning=long[:10]),
        chunk("", reasoning=long[:25]),
        chunk("", reasoning=long),
        chunk("A", reasoning=long),
        chunk("A moment", reasoning=long, arguments='{"a":'),
        chunk("A moment", reasoning=long, arguments='{"a":1}'),
        chunk("A moment", reasoning=long, arguments='{"a":1}', finish="tool_calls"),
    ]
    answer, _ = read(chunks)
    assert (long, "A moment") == (answer.reasoning, answer.text)
    assert ['{"a":1}'] == [call.arguments for call in answer.tool_calls]


def test_reasoning_that_is_over_tells_deltas():
    """A reasoning that is empty behind one that is not shows that events do not repeat."""
    answer, _ = read(
        [chunk("", reasoning="ha"), chunk("ha", reasoning=""), chunk("ha", reasoning=""), chunk("", finish="stop")]
    )
    assert ("ha", "haha") == (answer.reasoning, answer.text)


def test_texts_that_are_not_there_tell_nothing():
    """An event without a text of a kind is no sign of anything."""
    answer, _ = read([chunk("Hi"), chunk(None), chunk("Hi there"), chunk(None, finish="stop")])
    assert "Hi there" == answer.text


def test_choices_are_told_apart():
    """A text of one choice repeats nothing of another."""
    answer, _ = read([chunk("ha"), chunk("ha", index=1), chunk("haha", index=1), chunk("!"), chunk("", finish="stop")])
    assert ["ha!", "hahaha"] == [choice.message.text for choice in answer.choices]


def test_a_server_that_changes_its_mind():
    """When the text before is rewritten in part, only what is behind it is new."""
    old = "The sea is calm and the sky is bleu"
    answer = text_of(say(old[:30], old, old[:-2] + "ue.", last=old[:-2] + "ue."), repeats=None)
    assert "The sea is calm and the sky is bleu." == answer


def test_deltas_after_all():
    """A text that has another beginning is new, although repetitions were expected, and so is all behind it."""
    assert "Hi there, you you" == text_of(say("Hi", " there", ", you", " you"), repeats=True)


def test_flush():
    """What waits when the stream breaks off is handed on."""
    answer, out = read([chunk("Hi", tokens=1), chunk("Hi there", tokens=2)])
    assert ("Hi", "Hi there") == (out[-1], answer.text)
    assert "haha" == text_of([chunk("ha", tokens=1), chunk("ha", tokens=2)])
    assert [] == Repeats().flush()
