"""Framing on generated and recorded input, against a slow reference straight from the standard."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compatapi import framing
from compatapi.errors import CompatAPIError
from compatapi.framing import Frame, NDJSONDecoder, SSEDecoder
from helpers import RECORDINGS, cut, decode_every_way, drain, outcome
from streams import same_at_every_cut

TOKENS = [
    *(b"data:", b"data", b"event:", b"event: x", b"id", b"id: 1", b"retry: 15", b"retry:", b"2"),
    *(
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\n",
        b":",
        b" ",
        b"\t",
        b"\x00",
        b"x",
        b"[DONE]",
        b'{"a":1}',
        b"{",
    ),
    *(b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\xbf", b"\xf0\x9f", b"\x98\x80", b"\xc3\xa9", b"\xff"),
    *("\u2028".encode(), "\u0085".encode(), "٣".encode(), b"\x0b", b"\x0c", b"\x1c"),
]
tricky = st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join)
FIELDS = [
    b"data: x\n\n",
    b"data: \xc3\n\n",
    b"data: x\n",
    b"data:\r",
    b"event: x\r\n",
    *(b"event: x\ndata: x\n\n", b"event: x\ndata: y\n\n", b"event: \ndata: x\n\n", b"event:  \ndata: x\n\n"),
    *(b"event: x\ndata: x\ndata: y\n\n", b"event: x\nid: 1\ndata: y\n\n", b"data: x\nevent: x\n\n"),
    b"id: 1\n",
    b"retry: 15\n",
    b":\n",
    b"\r",
]
eventful = st.lists(st.sampled_from(FIELDS + TOKENS), max_size=40).map(b"".join)
anything = st.one_of(tricky, eventful, st.binary(max_size=120))
thorough = settings(max_examples=250, deadline=None)

line_end = st.sampled_from([b"\n", b"\r", b"\r\n"])
# Text of one line: no line end, no lone surrogate.
text = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=6)


@st.composite
def cut_anywhere(draw, whole):
    """Draw bytes and the pieces a network could make of them, empty ones included."""
    data = draw(whole)
    return cut(data, sorted(draw(st.lists(st.integers(0, len(data)), max_size=8))))


@st.composite
def stream_and_frames(draw):
    """Draw events and write them down in one of the many ways the standard allows."""
    data, frames, last_id, retry = b"", [], "", None
    for _ in range(draw(st.integers(0, 4))):
        lines, name = [], draw(text)
        if draw(st.booleans()):
            last_id = draw(text).replace("\0", "")
            lines.append(f"id: {last_id}")
        if draw(st.booleans()):
            retry = draw(st.integers(0, 10**6))
            lines.append(f"retry:{retry}")
        lines += [f": {draw(text)}", f"event: {name}"]
        payload = draw(st.lists(text, min_size=1, max_size=3))
        lines += [f"data: {part}" for part in payload]
        data += b"".join(line.encode() + draw(line_end) for line in lines)
        # A LF here would only be the second half of a CR that ended the last line.
        data += b"\r\n" if data.endswith(b"\r") else draw(line_end)
        data += b"\n"
        frames.append(Frame("\n".join(payload), name or "message", last_id, retry))
    return data, frames


class Reference:
    """The standard, word by word, on the whole text at once."""

    def __init__(self, data):
        self.frames = []
        self.retry, self.last_event_id = None, ""
        self.buffers = {"data": "", "event": "", "id": ""}
        characters = data.decode("utf-8", "replace").removeprefix("\ufeff")
        *lines, rest = re.split("\r\n|\n|\r", characters)
        for line in lines:
            self.process(line) if line else self.dispatch()
        self.dropped = rest

    def process(self, line):
        """Interpret one line that is not empty."""
        name, colon, value = line.partition(":")
        if colon and not name:
            return
        value = value.removeprefix(" ")
        if name == "event":
            self.buffers["event"] = value
        elif name == "data":
            self.buffers["data"] += value + "\n"
        elif name == "id" and "\0" not in value:
            self.buffers["id"] = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            self.retry = int(value)

    def dispatch(self):
        """Interpret an empty line."""
        self.last_event_id = self.buffers["id"]
        if self.buffers["data"]:
            self.frames.append(self.event())
        self.buffers.update(data="", event="")

    def event(self):
        """The event in the buffers."""
        name = self.buffers["event"] or "message"
        return Frame(self.buffers["data"].removesuffix("\n"), name, self.buffers["id"], self.retry)

    def unfinished(self):
        """The event that the end of the input drops, its last line read as a line."""
        self.process(self.dropped)
        return self.event() if self.buffers["data"] else None


@thorough
@given(cut_anywhere(anything), st.sampled_from([-1, 1 << 20]))
def test_sse_agrees_with_the_standard(pieces, many):
    """On any input at any cuts frames, id, time and unfinished event are the reference's, at once and line by line."""
    decoder, reference = SSEDecoder(), Reference(b"".join(pieces))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "_MANY", many)
        frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    assert reference.frames == frames
    assert (reference.last_event_id, reference.retry) == (decoder.last_event_id, decoder.retry)
    assert [] == decoder.close()
    assert reference.unfinished() == decoder.unfinished


@thorough
@given(st.lists(st.sampled_from(FIELDS), max_size=12).map(b"".join))
def test_many_events_at_once_agree_with_the_standard(data):
    """Events with names and without, of which many are taken at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "_MANY", -1)
        assert Reference(data).frames == SSEDecoder().feed(data)


@settings(max_examples=60, deadline=None)
@given(stream_and_frames())
def test_sse_valid_stream_gives_its_frames_at_every_cut(stream):
    """What a server meant is what comes out, however it wrote it and wherever a read ends."""
    data, frames = stream
    assert frames == decode_every_way(SSEDecoder, data)


@thorough
@given(cut_anywhere(anything), st.sampled_from([1, 8, 40, 1 << 20]))
def test_any_bytes_raise_nothing_but_our_errors(pieces, limit):
    """Whatever is fed, and with whatever limit, only errors of our own family come out."""
    for decoder in (SSEDecoder(max_event_bytes=limit), NDJSONDecoder(max_event_bytes=limit)):
        frames, error = outcome(decoder, pieces)
        assert all(type(frame) is Frame for frame in frames)
        assert error is None or issubclass(error, CompatAPIError)


@thorough
@given(cut_anywhere(anything))
def test_ndjson_outcome_does_not_depend_on_the_cuts(pieces):
    """Pieces end the same way as the whole, and with the same frames when that way is no error."""
    cuts, whole = outcome(NDJSONDecoder(), pieces), outcome(NDJSONDecoder(), [b"".join(pieces)])
    assert whole[1] == cuts[1]
    assert whole[0] == cuts[0] or whole[1]


@thorough
@given(cut_anywhere(st.lists(text.map(lambda part: f'{{"a":"{part}"}}\n'.encode())).map(b"".join)))
def test_ndjson_lines_are_the_frames(pieces):
    """Each line that begins an object is one frame, its text unchanged."""
    texts = b"".join(pieces).decode().split("\n")[:-1]
    assert [Frame(line) for line in texts] == drain(NDJSONDecoder(), pieces)


def frames_at_every_cut(make_decoder, data):
    """The frames of a long stream; each place of it is a cut once."""
    return same_at_every_cut(data, lambda pieces: drain(make_decoder(), pieces))


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings in {RECORDINGS.name}")
def test_recorded_streams_agree_with_the_standard():
    """Recorded streams of real servers give the frames of the reference, cut at every place."""
    for path in sorted(RECORDINGS.glob("*.sse")):
        data = path.read_bytes()
        assert Reference(data).frames == frames_at_every_cut(SSEDecoder, data), path.name


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings in {RECORDINGS.name}")
def test_recorded_lines_are_frames():
    """Recorded streams of newline-delimited JSON give a frame for each line, cut at every place."""
    for path in sorted(RECORDINGS.glob("*.ndjson")):
        data = path.read_bytes()
        lines = [line.strip() for line in data.decode().split("\n") if line.strip()]
        frames = frames_at_every_cut(NDJSONDecoder, data)
        assert lines == [frame.data for frame in frames], path.name
