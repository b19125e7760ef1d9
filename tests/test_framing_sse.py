"""SSEDecoder against the rules of "Server-sent events" in the WHATWG HTML Living Standard.

The numbers in the names count the rules of parsing (1 to 9 bytes to lines, 10 to 23 fields, 24 to
28 dispatch), the habits of servers (from 32) and a set of vectors. Streams are fed in every way.
"""

import pytest

from compatapi.framing import Frame, SSEDecoder
from helpers import cut, decode_every_way, drain, same_every_way

BOM = b"\xef\xbb\xbf"


def events(data):
    """Decode a stream in every way."""
    return decode_every_way(SSEDecoder, data)


def after(data, name):
    """Read one property of a decoder after the whole stream, fed in every way."""

    def run(pieces):
        decoder = SSEDecoder()
        drain(decoder, pieces)
        return getattr(decoder, name)

    return same_every_way(data, run)


def test_sse_rule_01_always_utf_8():
    """The stream is UTF-8."""
    assert [Frame("é")] == events(bytes.fromhex("64 61 74 61 3A C3 A9 0A 0A"))


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (b"\xff", "\ufffd"),
        (b"\xc3", "\ufffd"),
        (b"\xf0\x9fx", "\ufffdx"),
        (b"\xed\xa0\x80", "\ufffd" * 3),
        (b"\xc0\xaf", "\ufffd" * 2),
        (b"\xf4\x90\x80\x80", "\ufffd" * 4),
    ],
)
def test_sse_rule_02_invalid_bytes_become_replacement_characters(bad, text):
    """Invalid UTF-8 never fails; it turns into U+FFFD, one for each maximal broken part."""
    assert [Frame(text)] == events(b"data:" + bad + b"\n\n")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (BOM + b"data: x\n\n", [Frame("x")]),
        (BOM + BOM + b"data: x\n\n", []),
        (b"data: 1\n\n" + BOM + b"data: 2\n\n", [Frame("1")]),
        (b"\n" + BOM + b"data: x\n\n", []),
        (b"data: " + BOM + b"x\n\n", [Frame("\ufeffx")]),
        (BOM[:2] + b"data: x\n\n", []),
        (BOM + b"\n\ndata: x\n\n", [Frame("x")]),
    ],
)
def test_sse_rule_03_one_byte_order_mark_at_the_very_start_is_dropped(data, expected):
    """Exactly one byte order mark, at the very start, is dropped."""
    assert expected == events(data)


def test_sse_rule_04_character_split_between_reads():
    """A character cut by a read is put together again."""
    assert [Frame("😀")] == drain(SSEDecoder(), [b"data: \xf0\x9f", b"\x98\x80\n\n"])
    assert [Frame("é😀\u2028")] == events("data: é😀\u2028\n\n".encode())


@pytest.mark.parametrize("at", [1, 2])
def test_sse_rule_05_byte_order_mark_split_between_reads(at):
    """A byte order mark cut by a read is dropped as well."""
    assert [Frame("x")] == drain(SSEDecoder(), cut(BOM + b"data: x\n\n", [at]))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"data: a\r\ndata: b\rdata: c\n\n", [Frame("a\nb\nc")]),
        (b"data: a\r\n\r\n", [Frame("a")]),
        (b"data: a\r\r", [Frame("a")]),
        (b"data: a\r\n\rdata: b\r\n\r\n", [Frame("a"), Frame("b")]),
        (b"data: a\n\r\ndata: b\n\r", [Frame("a"), Frame("b")]),
        (b"data: a\n\rdata: b\r\n\n", [Frame("a"), Frame("b")]),
    ],
)
def test_sse_rule_06_lines_end_at_crlf_lf_or_cr(data, expected):
    """CRLF is one line end, a lone LF and a lone CR are one each, in any mixture."""
    assert expected == events(data)


def test_sse_rule_07_crlf_split_between_reads():
    """The LF of a CRLF that a read has cut is no blank line."""
    reads = [b"data: a\r", b"\ndata: b\r", b"\n\r\n"]
    assert [Frame("a\nb")] == drain(SSEDecoder(), reads)
    assert [Frame("a\nb")] == events(b"".join(reads))


@pytest.mark.parametrize("data", [b"data: a\r\r", b"data: a\r\n\r", b"data: a\n\r", b"data: a\n\n"])
def test_sse_rule_07_event_is_dispatched_at_the_cr(data):
    """An event is out as soon as its blank line is, without waiting for a LF after the CR."""
    decoder = SSEDecoder()
    assert [Frame("a")] == decoder.feed(data)
    assert [] == decoder.feed(b"\n")
    assert [] == decoder.close()


@pytest.mark.parametrize("character", list("\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e\x00"))
def test_sse_rule_08_nothing_else_ends_a_line(character):
    """Other characters that Python takes for line ends are text."""
    assert [Frame(f"a{character}b")] == events(f"data: a{character}b\n\n".encode())


def test_sse_rule_09_no_limit_on_the_length_of_a_line():
    """A line may be longer than any buffer (the limit on an event is far above)."""
    text = "0123456789" * 10_000
    assert [Frame(text)] == events(f"data: {text}\n\n".encode())


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_sse_rule_10_empty_line_dispatches(end):
    """An empty line, however it is ended, dispatches the event."""
    assert [Frame("a"), Frame("b")] == events(end.join([b"data: a", b"", b"data: b", b"", b""]))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b": OPENROUTER PROCESSING\n\n", []),
        (b"data: a\n: c\ndata: b\n\n", [Frame("a\nb")]),
        (b":\n\n", []),
        (b":data: x\n\n", []),
        (b"data: a\n:\n\n", [Frame("a")]),
        (b"event: e\n: c\ndata: a\n\n", [Frame("a", event="e")]),
    ],
)
def test_sse_rule_11_comments_are_ignored(data, expected):
    """A line that starts with a colon does nothing, not even end an event."""
    assert expected == events(data)


@pytest.mark.parametrize(
    ("data", "text"),
    [(b'data: {"a":1}\n\n', '{"a":1}'), (b"data:a:b: c\n\n", "a:b: c"), (b"data::\n\n", ":")],
)
def test_sse_rule_12_a_line_splits_at_its_first_colon(data, text):
    """The first colon parts the name from the value; later ones are text."""
    assert [Frame(text)] == events(data)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"data:x\n\n", "x"),
        (b"data: x\n\n", "x"),
        (b"data:  x\n\n", " x"),
        (b"data:\tx\n\n", "\tx"),
        ("data:\u00a0x\n\n".encode(), "\u00a0x"),
        (b"data: \n\n", ""),
        (b"data:  \n\n", " "),
    ],
)
def test_sse_rule_13_one_space_after_the_colon_is_removed(data, text):
    """One space in front of the value is removed, no second one and nothing else."""
    assert [Frame(text)] == events(data)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_sse_rule_14_trailing_spaces_stay(end):
    """White space at the end of a value is part of it."""
    assert [Frame("x  ")] == events(b"data: x  " + end)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"data\n\n", [Frame("")]),
        (b"data\ndata\n\n", [Frame("\n")]),
        (b"event: a\nevent\ndata: x\n\n", [Frame("x")]),
        (b"dat\n\n", []),
    ],
)
def test_sse_rule_15_a_line_without_colon_is_a_field_with_the_empty_value(data, expected):
    """A bare field name has the empty value."""
    assert expected == events(data)


@pytest.mark.parametrize(
    "data",
    [
        b"Data: x\n\n",
        b" data: x\n\n",
        b"data : x\n\n",
        b"DATA: x\n\n",
        b"\tdata: x\n\n",
        b"data\x00: x\n\n",
        b"datas: x\n\n",
        b"data=x\n\n",
    ],
)
def test_sse_rule_16_field_names_are_compared_exactly(data):
    """Neither case nor white space of a field name is forgiven."""
    assert [] == events(data)


@pytest.mark.parametrize("line", [b"status: 429", b"foo", b"Event: a", b"events: a", b"{}", b"\xff: a"])
def test_sse_rule_17_other_fields_are_ignored(line):
    """A field of another name has no effect."""
    assert [Frame("x")] == events(line + b"\ndata: x\n\n")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"event: a\nevent: b\ndata: x\n\n", [Frame("x", event="b")]),
        (b"event:\ndata: x\n\n", [Frame("x")]),
        (b"event: a\nevent:\ndata: x\n\n", [Frame("x")]),
        (b"data: x\nevent: a\n\n", [Frame("x", event="a")]),
        (b"event: a\ndata: x\n\ndata: y\n\n", [Frame("x", event="a"), Frame("y")]),
        ("event: é \ndata: x\n\n".encode(), [Frame("x", event="é ")]),
    ],
)
def test_sse_rule_18_event_sets_the_type(data, expected):
    """The last `event` of an event names its type; the empty value means "message"."""
    assert expected == events(data)


def test_sse_rule_19_data_lines_are_joined_by_lf():
    """Each `data` adds a line."""
    assert [Frame("a\nb")] == events(b"data: a\ndata: b\n\n")
    assert [Frame("\na\n\n")] == events(b"data\ndata: a\ndata:\ndata: \n\n")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"id: 7\ndata: x\n\n", [Frame("x", id="7")]),
        (b"id: 7\ndata: x\n\nid: 8\0\ndata: y\n\n", [Frame("x", id="7"), Frame("y", id="7")]),
        (b"id: 7\ndata: x\n\nid\ndata: y\n\n", [Frame("x", id="7"), Frame("y")]),
        (b"id: \0\ndata: x\n\n", [Frame("x")]),
        (b"data: x\nid: 1\nid:  2 \n\n", [Frame("x", id=" 2 ")]),
    ],
)
def test_sse_rule_20_id_sets_the_last_event_id(data, expected):
    """An `id` without NUL is the id of its event; one with NUL is ignored."""
    assert expected == events(data)


def test_sse_rule_21_the_id_lasts():
    """A dispatch does not reset the last event id."""
    assert [Frame("x", id="7"), Frame("y", id="7")] == events(b"id: 7\ndata: x\n\ndata: y\n\n")


@pytest.mark.parametrize(
    ("value", "retry"),
    [
        (" 1500", 1500),
        ("15", 15),
        (" 0", 0),
        (" 007", 7),
        (" 1" + "0" * 18, 10**18),
        (" 1.5", None),
        (" -1", None),
        (" 10s", None),
        ("", None),
        (" ", None),
        (" +5", None),
        ("  5", None),
        (" 5 ", None),
        (" 1_0", None),
        (" 0x5", None),
        (" ²", None),
        (" ١٥", None),
    ],
)
def test_sse_rule_22_retry_is_ascii_digits_alone(value, retry):
    """Only a value of ASCII digits, at least one, is a reconnection time in milliseconds."""
    data = f"retry:{value}\ndata: x\n\n".encode()
    assert [Frame("x", retry=retry)] == events(data)
    assert retry == after(data, "retry")


def test_sse_rule_22_ignored_retry_leaves_the_one_before():
    """A retry that is no number does not undo one that was."""
    data = b"retry: 9\ndata: x\n\nretry: no\ndata: y\n\nretry\nretry: 4\ndata: z\n\n"
    assert [Frame("x", retry=9), Frame("y", retry=9), Frame("z", retry=4)] == events(data)


def test_sse_rule_22_absurdly_long_number_is_no_failure():
    """More digits than Python turns into an int (4300) do not break the stream."""
    frames = events(b"retry: " + b"9" * 5000 + b"\ndata: x\n\n")
    assert ["x"] == [frame.data for frame in frames]


def test_sse_rule_23_retry_and_id_alone_dispatch_nothing():
    """A block of only `retry` and `id` sets its values without an event."""
    assert [] == events(b"retry: 100\n\n")
    assert 100 == after(b"retry: 100\n\n", "retry")
    assert [] == events(b"id: 1\nretry: 100\n\n")


def test_sse_rule_24_blank_line_sets_the_last_event_id():
    """The id counts from the blank line on, even when no event was dispatched there."""
    assert [Frame("x", id="5")] == events(b"id: 5\n\ndata: x\n\n")
    assert "5" == after(b"id: 5\n\n", "last_event_id")
    assert "4" == after(b"id: 4\n\nid: 5\n", "last_event_id")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"event: ping\n\n", []),
        (b"event: a\n\ndata: x\n\n", [Frame("x")]),
        (b"data\n\n", [Frame("")]),
        (b"data:\n\n", [Frame("")]),
    ],
)
def test_sse_rule_25_no_data_field_no_event(data, expected):
    """A block without `data` dispatches nothing and drops its type; empty data is an event."""
    assert expected == events(data)


def test_sse_rule_26_one_trailing_lf_is_removed():
    """Only the last LF goes; type and data start anew after a dispatch."""
    assert [Frame("a\n"), Frame("b")] == events(b"data: a\ndata:\n\ndata: b\n\n")


def test_sse_rule_27_several_empty_lines_are_harmless():
    """Empty lines in a row are no events."""
    assert [Frame("a"), Frame("b")] == events(b"data: a\n\n\n\ndata: b\n\n")


@pytest.mark.parametrize("rest", [b"data: b\n", b"data: b", b"data: b\r", b"data: b\r\n", b"dat", b"\r"])
def test_sse_rule_28_unended_event_is_dropped_at_the_end(rest):
    """What no empty line has ended is not an event."""
    assert [Frame("a")] == events(b"data: a\n\n" + rest)


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (b"", None),
        (b"\n", None),
        (b"dat", None),
        (b": data", None),
        (b"event: b\nid: 2\n", None),
        (b"data", Frame("", id="1")),
        (b"data: b", Frame("b", id="1")),
        (b"data: b\n", Frame("b", id="1")),
        (b"data: b\r", Frame("b", id="1")),
        (b"data: b\r\ndata: c", Frame("b\nc", id="1")),
        (b"data: b\nevent: e", Frame("b", event="e", id="1")),
        (b"data: b\nid: 2", Frame("b", id="2")),
        (b"data: \xf0\x9f", Frame("\ufffd", id="1")),
    ],
)
def test_sse_rule_28_unended_event_can_be_looked_at(rest, expected):
    """`unfinished` is the dropped event, for lenient layers above, or None without a data field."""
    assert expected == after(b"id: 1\ndata: a\n\n" + rest, "unfinished")


def test_sse_rule_28_looking_at_the_unended_event_changes_nothing():
    """Reading `unfinished` between feeds has no effect on the frames."""
    data = BOM + "event: e\r\nid: 4\rdata: é😀\r\n: c\ndata: y\n\ndata: z\r\r".encode()
    decoder, frames, seen = SSEDecoder(), [], []
    for at in range(len(data)):
        frames += decoder.feed(data[at : at + 1])
        seen.append(decoder.unfinished)
    assert [Frame("é😀\ny", event="e", id="4"), Frame("z", id="4")] == frames
    assert frames[0] in seen
    assert frames[1] in seen
    assert seen[-1] is None


def test_sse_rule_32_done_marker_is_an_ordinary_event():
    """`[DONE]` means nothing to this layer; what follows it is still decoded."""
    data = b'data: {"a":1}\n\ndata: [DONE]\n\ndata: x\n\n'
    assert [Frame('{"a":1}'), Frame("[DONE]"), Frame("x")] == events(data)


def test_sse_rule_36_data_lines_without_a_blank_line_are_one_event():
    """JSON texts that miss the blank line between them arrive as one event of two lines."""
    assert [Frame('{"a":1}\n{"a":2}')] == events(b'data: {"a":1}\ndata: {"a":2}\n\n')


def test_sse_rule_37_data_without_a_space():
    """The space after the colon is optional."""
    assert [Frame('{"a":1}'), Frame("[DONE]")] == events(b'data:{"a":1}\n\ndata:[DONE]\n\n')


@pytest.mark.parametrize(
    "beat",
    [
        b": OPENROUTER PROCESSING\n\n",
        b":HTTP_STATUS/200\n",
        b": ping\n\n",
        b": keep-alive\n",
        b"\n\n\n",
    ],
)
def test_sse_rule_38_heartbeats_as_comments_or_empty_lines_are_silent(beat):
    """Heartbeats before, between and after events leave no trace."""
    data = beat + b"data: a\n\n" + beat + b"data: b\n\n" + beat
    assert [Frame("a"), Frame("b")] == events(data)


def test_sse_rule_39_heartbeats_as_events_are_frames():
    """A heartbeat that is an event is given on; the layer above skips it."""
    data = b'event: ping\ndata: {"type": "ping"}\n\ndata: {"type": "keepalive"}\n\n'
    assert [Frame('{"type": "ping"}', event="ping"), Frame('{"type": "keepalive"}')] == events(data)


@pytest.mark.parametrize("name", ["error", "result", "content_block_delta", "content-delta"])
def test_sse_rule_40_event_names_arrive(name):
    """The names that servers give their events are in the frame, with and without the space."""
    assert [Frame("{}", event=name)] == events(f"event: {name}\ndata: {{}}\n\n".encode())
    assert [Frame("{}", event=name)] == events(f"event:{name}\ndata:{{}}\n\n".encode())


def test_sse_rule_43_lines_of_several_megabytes():
    """A line of 8 MiB is decoded, in one read and in many."""
    text = "base64/+" * (1 << 20)
    data = f"data: {text}\n\n".encode()
    assert [Frame(text)] == drain(SSEDecoder(), [data])
    assert [Frame(text)] == drain(SSEDecoder(), cut(data, range(16384, len(data), 16384)))


def test_sse_rule_44_a_read_may_hold_many_events_or_part_of_a_character():
    """Each read gives the events that are complete by it, no fewer and no more."""
    decoder = SSEDecoder()
    reads = [b"data: 1\n\ndata: 2\n\ndata: \xf0", b"\x9f", b"\x98", b"\x80\n", b"\n", b"data"]
    frames = [decoder.feed(read) for read in reads]
    assert [[Frame("1"), Frame("2")], [], [], [], [Frame("😀")], []] == frames


VECTORS = {
    1: (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Frame("YHOO\n+2\n10")]),
    2: (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event",
        [Frame("first event", id="1"), Frame("second event")],
    ),
    3: (b"data\n\ndata\ndata\n\ndata:", [Frame(""), Frame("\n")]),
    4: (b"data:test\n\ndata: test\n\n", [Frame("test"), Frame("test")]),
    5: (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
        [Frame("73857293", event="add"), Frame("2153", event="remove")],
    ),
    6: (b"\n\n\n", []),
    7: (b"", []),
    8: (b"data: a\n\n", [Frame("a")]),
    9: (b"data: [DONE]\n\n", [Frame("[DONE]")]),
    10: (
        b'id:1\nevent:result\n:HTTP_STATUS/200\ndata:{"a":1}\n\n',
        [Frame('{"a":1}', event="result", id="1")],
    ),
    11: (b'event: error\ndata: {"error":{}}\n\n', [Frame('{"error":{}}', event="error")]),
    12: (b'data: {"a":\ndata: 1}\n\n', [Frame('{"a":\n1}')]),
    13: (b"retry: 3000\nid: x\n\n", []),
    14: (b"data: x\r\r", [Frame("x")]),
    15: (b"data: a\n\r\n\rdata: b\n\n", [Frame("a"), Frame("b")]),
}


@pytest.mark.parametrize("number", VECTORS, ids=lambda number: f"sse_vector_{number:02}")
def test_sse_vector(number):
    """The vectors of the standard and of servers give their events."""
    data, expected = VECTORS[number]
    assert expected == events(data)


def test_sse_vector_08_one_byte_at_a_time():
    """An event that comes one byte at a time is out with its last byte."""
    decoder = SSEDecoder()
    frames = [decoder.feed(bytes([byte])) for byte in b"data: a\n\n"]
    assert [[]] * 8 + [[Frame("a")]] == frames


def test_sse_vector_13_values_without_an_event():
    """The reconnection time and the last event id are known without an event."""
    data = VECTORS[13][0]
    assert (3000, "x") == (after(data, "retry"), after(data, "last_event_id"))


def test_sse_vector_14_read_ends_between_two_cr():
    """A blank line of lone CRs that a read cuts in two is a blank line."""
    decoder = SSEDecoder()
    assert [] == decoder.feed(b"data: x\r")
    assert [Frame("x")] == decoder.feed(b"\r")
