"""`StreamDecoder` over the OpenAI dialect: the rule of the end, bodies that are no streams, limits, faults."""

import json

import pytest

from compatapi.convert import to_dict
from compatapi.errors import DecodeError, IncompleteStreamError, StreamError
from helpers import cut, same_every_way
from streams import DONE, body, decoder, event, run, say, sse, stop

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def outcome(pieces, **options):
    """What a stream gave: the texts of its chunks, the answer, and the class of the error."""
    chunks, completion, error = run(pieces, **options)
    if error is not None:
        assert error.completion is not None and completion.text == error.completion.text
    return [chunk.text for chunk in chunks], completion.text, error and type(error)


def every_way(data, **options):
    """The outcome, the same for every way to feed the bytes."""
    return same_every_way(data, lambda pieces: outcome(pieces, **options))


# --- the rule of the end --------------------------------------------------------------------------------------------

WHOLE = json.dumps(say("b")).encode()
AB = ["a", "b"]

ENDS = {
    "done mark and finish reason": (sse(say("a"), stop()), (["a", ""], "a", None)),
    "done mark alone": (sse(say("a")), (["a"], "a", None)),
    "done mark and nothing else": (sse(), ([], "", None)),
    "finish reason alone": (sse(say("a"), stop(), done=False), (["a", ""], "a", None)),
    "finish reason and usage": (sse(stop(), {"choices": [], "usage": USAGE}, done=False), (["", ""], "", None)),
    "neither": (sse(say("a"), done=False), (["a"], "a", IncompleteStreamError)),
    "empty finish reason": (sse(say("a", finish=""), done=False), (["a"], "a", IncompleteStreamError)),
    "one of two choices": (
        sse(say("a"), say("b", index=1), stop(), done=False),
        (["a", "", ""], "a", IncompleteStreamError),
    ),
    "half an event": (sse(say("a"), done=False) + b'data: {"id":"c1","cho', (["a"], "a", IncompleteStreamError)),
    "half a field name": (sse(say("a"), done=False) + b"da", (["a"], "a", IncompleteStreamError)),
    "half an event behind the end": (sse(say("a", finish="stop"), done=False) + b'data: {"id":', (["a"], "a", None)),
    "half the mark": (sse(say("a"), done=False) + b"data: [DO", (["a"], "a", IncompleteStreamError)),
    "mark with one LF": (sse(say("a"), done=False) + b"data: [DONE]\n", (["a"], "a", None)),
    "mark without LF": (sse(say("a"), done=False) + b"data: [DONE]", (["a"], "a", None)),
    "mark with blanks": (sse(say("a"), done=False) + b"data:  [DONE] \n\n", (["a"], "a", None)),
    "last event whole, not ended": (sse(say("a"), done=False) + b"data: " + WHOLE, (AB, "ab", IncompleteStreamError)),
    "last event whole, one LF": (
        sse(say("a"), done=False) + b"data: " + WHOLE + b"\n",
        (AB, "ab", IncompleteStreamError),
    ),
    "last event with finish reason, not ended": (
        sse(say("a"), done=False) + b"data: " + json.dumps(say("b", finish="stop")).encode(),
        (AB, "ab", None),
    ),
    "only the last event, not ended": (b"data: " + WHOLE, (["b"], "b", IncompleteStreamError)),
    "error event, not ended": (sse(say("a"), done=False) + b'data: {"error":"no"}', (["a"], "a", StreamError)),
    "two marks": (sse(say("a")) + DONE, (["a"], "a", None)),
    "chunk behind the mark": (sse(say("a")) + sse(say("b")), (["a"], "a", None)),
    "nonsense behind the mark": (sse(say("a")) + b"data: {oh\n\n<html>", (["a"], "a", None)),
    "error behind the mark": (sse(say("a")) + b'data: {"error":"no"}\n\n', (["a"], "a", None)),
    "nonsense": (sse(say("a"), done=False) + b"data: {oh\n\n" + DONE, (["a"], "a", DecodeError)),
    "no object": (sse(say("a"), "5"), (["a"], "a", DecodeError)),
    "wrong type": (sse(say("a"), body({"content": 5})), (["a"], "a", DecodeError)),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_rule_of_the_end(end):
    """A stream is whole by its mark or by finish reasons, and every other end is an error with the answer so far."""
    data, expected = ENDS[end]
    assert expected == every_way(data)


def test_a_stream_cut_anywhere():
    """Cut at any byte before its end is known, a stream raises and keeps what was whole."""
    data = sse(body({"role": "assistant", "content": ""}), say("a"), say("é😀"), stop())
    end = data.index(b'"finish_reason": "stop"')
    for size in range(1, end):
        texts, text, error = outcome([data[:size]])
        assert IncompleteStreamError is error, data[:size][-40:]
        assert "aé😀".startswith(text)
        assert text == "".join(texts)


def test_ends_without_mark():
    """Hosts that send neither mark nor finish reason end with the body, but not inside an event."""
    data = sse(say("a"), done=False)
    assert (["a"], "a", None) == every_way(data, ends_without_mark=True)
    assert (["a"], "a", IncompleteStreamError) == every_way(data + b'data: {"id', ends_without_mark=True)


# --- habits of event streams (rules 32 to 44) -----------------------------------------------------------------------

TWO = json.dumps(say("a")), json.dumps(stop())
HABITS = {
    "LF": sse(*TWO),
    "CRLF": sse(*TWO).replace(b"\n", b"\r\n"),
    "CR": sse(*TWO).replace(b"\n", b"\r"),
    "BOM": b"\xef\xbb\xbf" + sse(*TWO),
    "no space": sse(*TWO).replace(b"data: ", b"data:"),
    "single LF": "".join(f"data: {text}\n" for text in (*TWO, "[DONE]")).encode(),
    "single LF, not ended": "\n".join(f"data: {text}" for text in (*TWO, "[DONE]")).encode(),
    "single CRLF": "".join(f"data: {text}\r\n" for text in (*TWO, "[DONE]")).encode(),
    "one JSON text over lines": event(json.dumps(say("a"), indent=1).replace("\n", "\ndata: ")) + sse(TWO[1]),
    "comments": b": OPENROUTER PROCESSING\n\n" + b":\n\n".join([event(TWO[0]), event(TWO[1]), DONE]),
    "blank lines": b"\n\n\r\n" + sse(*TWO).replace(b"\n\n", b"\n\n\n\n"),
    "many blank lines": b"\n" * 3000 + sse(*TWO),
    "keepalive objects": sse({"type": "keepalive"}, TWO[0], {"type": "ping"}, TWO[1]),
    "keepalive events": b'event: ping\ndata: {"type": "ping"}\n\n' + sse(*TWO),
    "empty data": b"data:\n\ndata\n\n" + sse(*TWO),
    "event names and ids": b"".join(b"id: 1\nevent: message\n" + event(text) for text in TWO) + DONE,
    "spaces behind": event(TWO[0] + "   ") + event(TWO[1] + "\t") + DONE,
}


@pytest.mark.parametrize("habit", HABITS)
def test_habits_of_streams(habit):
    """Whatever the lines look like, the chunks are the same."""
    assert (["a", ""], "a", None) == every_way(HABITS[habit])


def test_only_comments():
    """A stream of comments alone was cut short."""
    assert ([], "", IncompleteStreamError) == every_way(b": keep-alive\n\n" * 5)


# --- answers that are no streams ------------------------------------------------------------------------------------

COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "a{}"}, "finish_reason": "stop"}],
    "usage": USAGE,
}
ANSWER = json.dumps(COMPLETION).encode()

NO_STREAMS = {
    "error object": (b'{"error": {"message": "no"}}', ([], "", StreamError)),
    "error text": (b'{"error": "no"}\n', ([], "", StreamError)),
    "list with an error": (b'[{"error": {"message": "no"}}]', ([], "", StreamError)),
    "MiniMax": (b'{"base_resp": {"status_code": 1004, "status_msg": "no"}}', ([], "", StreamError)),
    "HTML": (b"<!DOCTYPE html>\n<html><body>no</body></html>", ([], "", StreamError)),
    "text": (b"upstream connect error: no\n", ([], "", StreamError)),
    "text without colon": (b"no", ([], "", StreamError)),
    "empty": (b"", ([], "", IncompleteStreamError)),
    "white space": (b"\n\n \n", ([], "", IncompleteStreamError)),
    "whole completion": (ANSWER, (["a{}"], "a{}", None)),
    "behind empty lines": (b"\n\n\n" + ANSWER + b"\n", (["a{}"], "a{}", None)),
    "behind very many empty lines": (b"\n" * 5000 + ANSWER, (["a{}"], "a{}", None)),
    "behind a BOM": (b"\xef\xbb\xbf" + ANSWER, (["a{}"], "a{}", None)),
    "error behind a BOM": (b'\xef\xbb\xbf{"error": "no"}', ([], "", StreamError)),
    "HTML behind a BOM": (b"\xef\xbb\xbf<html>no</html>", ([], "", StreamError)),
    "another object": (b'{"hello": 1}', ([], "", DecodeError)),
    "an empty list": (b"[]", ([], "", DecodeError)),
    "nonsense": (b"{oh no}", ([], "", DecodeError)),
}


@pytest.mark.parametrize("kind", NO_STREAMS)
def test_answers_that_are_no_streams(kind):
    """An error, a page or a whole answer in place of a stream is told apart, however its bytes come."""
    data, expected = NO_STREAMS[kind]
    assert expected == every_way(data)


@pytest.mark.parametrize("kind", [kind for kind, (_, end) in NO_STREAMS.items() if end[2] is StreamError])
def test_errors_in_place_of_a_stream_say_what_came(kind):
    """The error shows what the server said."""
    error = run(NO_STREAMS[kind][0])[2]
    assert "no" in error.message
    assert error.body


def test_a_whole_answer_in_place_of_a_stream():
    """A whole answer is handed on as one chunk, with all that it holds."""
    chunks, completion, error = run(ANSWER)
    assert error is None
    assert ("chat.completion.chunk", "stop") == (chunks[0].object, chunks[0].finish_reason)
    assert COMPLETION == to_dict(completion)
    assert (7, "stop") == (completion.usage.total_tokens, completion.finish_reason)


def test_a_whole_answer_cut_anywhere():
    """A whole answer that was cut is an answer cut short, wherever the cut is."""
    for size in range(1, len(ANSWER)):
        assert ([], "", IncompleteStreamError) == outcome([ANSWER[:size]]), ANSWER[:size]


# --- limits and faults ----------------------------------------------------------------------------------------------

BIG = b"data: " + b"x" * 400 + b"\n\n"


@pytest.mark.parametrize("before", [b"", sse(say("a"), done=False)], ids=["first", "later"])
@pytest.mark.parametrize("data", [BIG, BIG[:-2], b"data: x\n" * 200], ids=["ended", "not ended", "lines"])
def test_the_limit_of_an_event(before, data):
    """An event over the limit is an error that names the limit, however its bytes come."""
    text = "a" if before else ""
    options = {"limits": {"event": 300}}
    assert ([text] if text else [], text, DecodeError) == every_way(before + data, **options)
    assert "300 bytes" in run(before + data, **options)[2].message


def test_the_limit_of_an_event_behind_the_end():
    """What is behind the mark is not looked at, however large."""
    assert (["a"], "a", None) == every_way(sse(say("a")) + BIG * 3, limits={"event": 300})


def test_the_limit_of_a_body():
    """An answer that is no stream has a limit of its own."""
    options = {"limits": {"body": 100}}
    assert ([], "", DecodeError) == every_way(ANSWER, **options)
    assert "100 bytes" in run(ANSWER, **options)[2].message
    assert (["a", ""], "a", None) == every_way(sse(*TWO), **options)


@pytest.mark.parametrize("fault", [b"data: {oh\n\n", b'data: {"error":"no"}\n\n', b"data: " + b"x" * 400])
def test_chunks_before_a_fault_come_first(fault):
    """Chunks before a fault in the same bytes are returned, the next call raises, and so does every other."""
    made = decoder(limits={"event": 300})
    chunks = made.feed(sse(say("a"), say("b"), done=False) + fault)
    assert ["a", "b"] == [chunk.text for chunk in chunks]
    errors = []
    for again in (lambda: made.feed(b""), lambda: made.feed(DONE), made.close, made.close):
        with pytest.raises((DecodeError, StreamError)) as caught:
            again()
        errors.append(caught.value)
    assert [errors[0]] * 4 == errors
    assert "ab" == errors[0].completion.text == made.completion.text


def test_chunks_of_a_close_come_before_its_fault():
    """A last event that is whole is given out by close, and the call behind it tells that the stream was cut."""
    made = decoder()
    assert [] == made.feed(b"data: " + WHOLE)
    assert ["b"] == [chunk.text for chunk in made.close()]
    for _ in range(2):
        with pytest.raises(IncompleteStreamError):
            made.close()
    assert "b" == made.completion.text


@pytest.mark.parametrize("data", [sse(*TWO), b"data: " + TWO[1].encode(), ANSWER])
def test_closing_twice(data):
    """Closing again gives nothing new."""
    made = decoder()
    made.feed(data)
    made.close()
    assert [] == made.close()


def test_what_is_known_at_any_moment():
    """The decoder tells whether the mark was seen and whether the answer is whole."""
    made, seen = decoder(), []
    for piece in (b"", event(say("a")), event(stop()), DONE, b"junk"):
        made.feed(piece)
        seen.append((made.done, made.is_complete, made.completion.text))
    assert [
        (False, False, ""),
        (False, False, "a"),
        (False, True, "a"),
        (True, True, "a"),
        (True, True, "a"),
    ] == seen


def test_without_accumulating():
    """Without accumulating, chunks and the rule of the end are the same, and the answer is empty."""
    data = sse(say("a"), stop(usage=USAGE), done=False)
    chunks, completion, error = run(data, accumulate=False)
    assert (["a", ""], None) == ([chunk.text for chunk in chunks], error)
    assert ([], None) == (completion.choices, completion.usage)
    assert IncompleteStreamError is type(run(sse(say("a"), done=False), accumulate=False)[2])


def test_several_events_in_one_read():
    """One read may hold many events and the half of another."""
    data = sse(*map(say, "abc"), stop())
    for size in (7, 100, 250, 400):
        assert (["a", "b", "c", ""], "abc", None) == outcome(cut(data, range(size, len(data), size)))
