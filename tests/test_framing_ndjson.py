"""NDJSONDecoder against the rules of newline-delimited JSON as Ollama speaks it.

The numbers in the names count those rules. Rule 1 (the media type) and rule 12 (objects after the
last one) are matters of the layers above. Every stream is fed in every way.
"""

import json

import pytest

from compatapi.errors import DecodeError, IncompleteStreamError
from compatapi.framing import Frame, NDJSONDecoder
from helpers import cut, decode_every_way, drain, outcome, same_every_way

BOM = b"\xef\xbb\xbf"


def lines(data):
    """Decode a stream in every way."""
    return decode_every_way(NDJSONDecoder, data)


def failure(data):
    """The class of the error that ends the stream, the same in every way to feed it."""
    return same_every_way(data, lambda pieces: outcome(NDJSONDecoder(), pieces)[1])


def test_ndjson_rule_02_utf_8_without_byte_order_mark():
    """The stream is UTF-8; a byte order mark at its start is dropped, even when a read cuts it."""
    assert [Frame('{"a":"é"}')] == lines('{"a":"é"}\n'.encode())
    assert [Frame('{"a":1}')] == lines(BOM + b'{"a":1}\n')
    assert [Frame('{"a":1}')] == lines(BOM + b'{"a":1}')
    assert [] == lines(BOM)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_ndjson_rule_02_invalid_bytes_become_replacement_characters(end):
    """Invalid UTF-8 never fails by itself; it turns into U+FFFD."""
    assert [Frame('{"a":"\ufffd"}')] == lines(b'{"a":"\xff"}' + end)
    assert [Frame('{"a":"\ufffdx"}')] == lines(b'{"a":"\xf0\x9fx"}' + end)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":1}\n{"a":2}\n', ['{"a":1}', '{"a":2}']),
        (b'{"a":1}\r\n', ['{"a":1}']),
        (b'{"a":1}\r\n{"a":2}\r\n', ['{"a":1}', '{"a":2}']),
        (b' \t{"a": 1} \t\r\n', ['{"a": 1}']),
        (b' {"a": " x "} ', ['{"a": " x "}']),
    ],
)
def test_ndjson_rule_03_one_object_for_each_line(data, expected):
    """A line is a frame; its end may be CRLF, and white space around it goes."""
    assert [Frame(text) for text in expected] == lines(data)


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c"])
def test_ndjson_rule_04_only_lf_separates(character):
    """Other characters that Python takes for line ends are text."""
    text = f'{{"a":"x{character}y"}}'
    assert [Frame(text)] == lines(f"{text}\n".encode())


def test_ndjson_rule_04_lone_cr_does_not_separate():
    """A CR inside a line is white space between tokens."""
    assert [Frame('{"a":\r1}')] == lines(b'{"a":\r1}\n')


@pytest.mark.parametrize("data", [b'\n\n{"a":1}\n\n', b'\r\n \n{"a":1}\n\t\n  ', b'\n{"a":1}'])
def test_ndjson_rule_05_empty_lines_are_skipped(data):
    """Empty lines and lines of white space are no frames."""
    assert [Frame('{"a":1}')] == lines(data)


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\r\n", b" "])
def test_ndjson_rule_05_nothing_is_no_error(data):
    """A body without any line gives no frame and no error."""
    assert [] == lines(data)


@pytest.mark.parametrize("end", [b"", b"\r", b" "])
def test_ndjson_rule_06_last_line_needs_no_lf(end):
    """A complete last line counts without its LF."""
    assert [Frame('{"a":1}'), Frame('{"done":true}')] == lines(b'{"a":1}\n{"done":true}' + end)


def test_ndjson_rule_06_last_line_is_given_at_the_end_only():
    """Without its LF a line is not a frame before the end is known."""
    decoder = NDJSONDecoder()
    assert [] == decoder.feed(b'{"a":1}')
    assert [Frame('{"a":1}')] == decoder.close()


@pytest.mark.parametrize("last", [r'{"a":"\ud83d"}', '{"a":' + "9" * 5000 + "}", '{"a":1e999}'])
def test_ndjson_rule_06_complete_json_that_parsers_dislike_is_complete(last):
    """Half a surrogate pair or a number beyond all bounds is no sign that the stream was cut."""
    assert [Frame(last)] == drain(NDJSONDecoder(), [last.encode()])


@pytest.mark.parametrize(
    "rest",
    [
        b'{"do',
        b"{",
        b'{"a":"\xf0\x9f',
        b'{"a":1',
        b'{"a":[{}]',
        b'{"a":"}',
        b'{"a":1},',
        b'{"a":"x\\"}',
    ],
)
def test_ndjson_rule_07_cut_last_line_is_an_error(rest):
    """A last line that is not complete JSON means that the stream was cut short."""
    expected = ([Frame('{"a":1}')], IncompleteStreamError)
    data = b'{"a":1}\n' + rest
    assert expected == same_every_way(data, lambda pieces: outcome(NDJSONDecoder(), pieces))


def test_ndjson_rule_07_deep_nesting_in_a_cut_line_is_an_ordinary_error():
    """A cut line nested deeper than any parser goes is a cut line, not a crash."""
    assert IncompleteStreamError is outcome(NDJSONDecoder(), [b'{"a":' + b"[" * 200_000])[1]


def test_ndjson_rule_08_lines_and_characters_split_between_reads():
    """A line is put together from its reads, a character too."""
    reads = [b'{"a":"', b"\xf0\x9f", b"\x98\x80", b'"}\n']
    assert [Frame('{"a":"😀"}')] == drain(NDJSONDecoder(), reads)
    assert [Frame('{"a":"😀"}')] == lines(b"".join(reads))


def test_ndjson_rule_08_each_read_gives_the_lines_it_completes():
    """A frame is out with the LF of its line."""
    decoder = NDJSONDecoder()
    frames = [decoder.feed(read) for read in (b'{"a":1}\n{"a":2}\n{"a"', b":3}", b"\n", b'{"a":4}')]
    assert [[Frame('{"a":1}'), Frame('{"a":2}')], [], [Frame('{"a":3}')], []] == frames


def test_ndjson_rule_08_long_line_in_small_reads():
    """A line of 8 MiB is put together from its reads."""
    text = json.dumps({"a": "base64/+" * (1 << 20)})
    data = f"{text}\n".encode()
    assert [Frame(text)] == drain(NDJSONDecoder(), cut(data, range(16384, len(data), 16384)))


def test_ndjson_rule_09_raw_lf_always_separates():
    """An escaped newline is text; a raw one ends the line even inside a string."""
    assert [Frame('{"a":"x\\ny"}')] == lines(b'{"a":"x\\ny"}\n')
    assert DecodeError is failure(b'{"a":"x\ny"}\n')


def test_ndjson_rule_10_error_object_is_a_line():
    """An error object is a frame like others; the layer above ends the stream."""
    data = b'{"a":1}\n{"error":"out of memory"}\n'
    assert [Frame('{"a":1}'), Frame('{"error":"out of memory"}')] == lines(data)
    assert [Frame('{"error":"no model"}')] == lines(b'{"error":"no model"}')


def test_ndjson_rule_11_missing_done_is_no_matter_of_the_decoder():
    """Whole lines are a whole input here; the layer above looks for `done`."""
    assert [Frame('{"done":false}')] == lines(b'{"done":false}\n')


@pytest.mark.parametrize("line", [b": ping", b"data: {}", b"event: x", b"# c", b"id: 1", b"[DONE]"])
def test_ndjson_rule_13_no_comments_heartbeats_or_fields(line):
    """What would be a comment or a field of server-sent events is nonsense here."""
    assert DecodeError is failure(b'{"a":1}\n' + line + b"\n")


def test_ndjson_rule_13_no_event_names_ids_or_times():
    """A line's frame has the defaults for what only server-sent events have."""
    (frame,) = lines(b'{"event":"x","id":"7","retry":1}\n')
    assert ("message", "", None) == (frame.event, frame.id, frame.retry)


@pytest.mark.parametrize("value", [b"[1]", b'"text"', b"1", b"-1", b"null", b"true", b"}", b"<html>", b"\xff"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n{}\n"])
def test_ndjson_rule_14_other_values_are_an_error(value, end):
    """A line that does not begin an object is an error, as the first line and later."""
    assert DecodeError is failure(value + end)
    assert DecodeError is failure(b'{"a":1}\n' + value + end)


@pytest.mark.parametrize("value", [b"[1]", b"null", b"<html>"])
def test_ndjson_rule_14_other_values_are_an_error_without_lf_too(value):
    """A last line that does not begin an object is an error of the same class."""
    assert DecodeError is failure(b'{"a":1}\n' + value)


def test_ndjson_rule_14_error_shows_the_line():
    """The error carries the offending line."""
    with pytest.raises(DecodeError) as caught:
        NDJSONDecoder().feed(b"<html>busy</html>\n")
    assert "<html>busy</html>" == caught.value.data


@pytest.mark.parametrize("data", [b"[1]\n", b"[1]", b'{"a"'])
def test_ndjson_rule_14_decoder_that_failed_refuses_further_use(data):
    """After an error, from `feed` or from `close`, nothing more is taken."""
    decoder = NDJSONDecoder()
    assert outcome(decoder, [data])[1] in (DecodeError, IncompleteStreamError)
    assert ([], DecodeError) == outcome(decoder, [b'{"a":1}\n'])


def test_ndjson_rule_15_raw_and_escaped_text_is_left_alone():
    """The decoder neither escapes nor unescapes."""
    text = r'{"a":"é 漢 😀 \u003cb\u003e \u0026"}'
    assert [Frame(text)] == lines(f"{text}\n".encode())


def test_ndjson_rule_16_status_lines():
    """Status streams follow the same rules."""
    texts = ['{"status":"pulling manifest"}', '{"status":"x","total":9}', '{"status":"success"}']
    assert [Frame(text) for text in texts] == lines("\n".join(texts).encode())
