"""`ChatStream` over a body of bytes: an error behind the last chunks is raised, at once and every time."""

import pytest

from compatapi.errors import ConnectionLost, DecodeError, IncompleteStreamError, StreamError
from compatapi.http_types import HttpResponse
from compatapi.stream import ChatStream
from streams import DONE, decoder, event, say, sse, stop


def stream(*pieces):
    """A stream over the pieces; an exception among them is raised in its place."""

    def come():
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    return ChatStream(HttpResponse(200, body=come()), decoder())


def texts_until(kind, made):
    """The texts of the chunks before an error of the kind."""
    texts = []
    with pytest.raises(kind) as caught:
        for chunk in made:
            texts.append(chunk.text)
    assert "".join(texts) == caught.value.completion.text
    return texts


def test_cut_behind_a_last_event_that_is_whole():
    """A stream that ends with a whole event without its blank line, and without an end, was cut short."""
    assert ["a", "b"] == texts_until(IncompleteStreamError, stream(event(say("a")), event(say("b"))[:-2]))


def test_fault_in_the_last_bytes():
    """An error in the same bytes as the last chunks is raised although nothing comes behind it."""
    assert ["a"] == texts_until(StreamError, stream(sse(say("a"), {"error": "no"}, done=False)))
    assert ["a"] == texts_until(DecodeError, stream(sse(say("a"), "{oh", done=False)))


def test_fault_is_raised_without_waiting():
    """An error behind chunks is raised before the next bytes are waited for."""
    late = AssertionError("the body was read behind the error")
    assert ["a"] == texts_until(StreamError, stream(sse(say("a"), {"error": "no"}, done=False), late))


def test_the_road_breaks_behind_the_fault():
    """What the server said goes before what the road did."""
    made = stream(sse(say("a"), {"error": "no"}, done=False), ConnectionLost("broken"))
    assert ["a"] == texts_until(StreamError, made)


def test_the_road_breaks_inside_and_behind():
    """A broken road is an error inside the answer, and none behind a finish reason."""
    assert ["a"] == texts_until(ConnectionLost, stream(event(say("a")), ConnectionLost("broken")))
    made = stream(sse(say("a"), stop(), done=False), ConnectionLost("broken"))
    assert ["a", ""] == [chunk.text for chunk in made]


def test_nothing_is_read_behind_the_mark():
    """After the end mark nothing more is waited for."""
    made = stream(event(say("a")) + DONE, AssertionError("the body was read behind the mark"))
    assert ["a"] == list(made.text_stream())
    assert "a" == made.completion.text
