"""Recorded bodies as chunks, and telling what a body is."""

import json

import pytest

from compatapi.dialects.openai import OpenAIDialect
from compatapi.errors import ConfigError, DecodeError, IncompleteStreamError
from compatapi.formats import FORMATS, READERS, guess_format, iter_chunks
from helpers import RECORDINGS
from streams import body, read, say, sse, stop

HELLO = [say("Hel"), say("lo"), stop()]


@pytest.mark.parametrize("source", ["openai", "sse", OpenAIDialect()])
def test_a_body_is_read_by_name_or_dialect(source):
    """The name of a dialect or of a format, and a dialect of one's own, read a body to its end."""
    reader = iter_chunks(sse(*HELLO), source)
    assert read(*HELLO)[0] == list(reader)
    assert (True, "Hello") == (reader.is_complete, reader.completion.text)


def test_an_unknown_name_is_refused():
    """A name that nobody has is an error that lists the others."""
    with pytest.raises(ConfigError, match="'nonsense'.*anthropic.*ndjson"):
        iter_chunks(b"", "nonsense")


def test_nothing_is_read_behind_the_end():
    """Pieces behind the end mark are not asked for: a connection may stay open."""

    def pieces():
        yield sse(*HELLO)
        raise AssertionError("asked for more")

    assert 3 == len(list(iter_chunks(pieces(), "sse")))


def test_an_error_does_not_wait_for_more_bytes():
    """An error behind chunks of the same piece is raised before the next piece is waited for."""

    def pieces():
        yield sse(say("a"), {"error": {"message": "no"}}, done=False)
        raise AssertionError("waited")

    chunks = iter_chunks(pieces(), "sse")
    assert "a" == next(chunks).text
    with pytest.raises(Exception, match="reports an error: no"):
        next(chunks)


def test_a_body_that_is_cut_says_so():
    """What was whole comes first, then the error, and the answer is not complete."""
    reader, texts = iter_chunks(sse(say("a"), done=False), "sse"), []
    with pytest.raises(IncompleteStreamError):
        texts.extend(chunk.text for chunk in reader)
    assert (["a"], False) == (texts, reader.is_complete)


def test_a_list_of_models_is_no_answer():
    """JSON of another kind is an error."""
    with pytest.raises(DecodeError):
        list(iter_chunks(b'{"object":"list","data":[]}', "json"))


def test_what_was_not_read_can_be_left():
    """Closing ends it; there are no more chunks."""
    reader = iter_chunks(sse(*HELLO), "sse")
    next(reader)
    reader.close()
    assert [] == list(reader)


# --- telling --------------------------------------------------------------------------------------------------------

#: What each format, and each dialect, begins with.
READS = {"anthropic": "anthropic", "json": "json", "ndjson": "ndjson", "ollama": "ollama", "sse": "openai"}


@pytest.mark.parametrize(("name", "expected"), READS.items())
def test_each_format_tells_what_it_is(name, expected):
    """The beginning of what we write is enough to know how to read it; a part of it is never taken for another form."""
    data = b"\r\n" + b"".join(FORMATS[name].write(read(*HELLO)[0]))
    found = [guess_format(data[:end]) for end in range(len(data) + 1)]
    assert {None, expected} >= set(found)
    assert expected == guess_format(data, is_whole=True)
    assert expected in found
    assert expected in READERS


UNSURE = [
    b"",
    b"{",
    b"<html>",
    b"nonsense\n\n",
    b'{"a":1}\n',
    b"[1]\n",
    b'{"a":1}\n{"b":',
    b'data: {"choices":[]}\n\n',
    b"data: [DONE]\n\n",
    b": comment\n\n",
    b"data: 1\n\n",
]


@pytest.mark.parametrize("data", UNSURE)
@pytest.mark.parametrize("is_whole", [False, True])
def test_what_is_not_certain_is_not_guessed(data, is_whole):
    """Nothing is assumed about a body without a clear mark."""
    assert guess_format(data, is_whole=is_whole) is None


def test_a_document_on_several_lines_is_told_when_it_is_whole():
    """JSON that somebody has indented has to be read to its end."""
    data = json.dumps({"object": "chat.completion", "choices": []}, indent=2).encode()
    assert (None, "json") == (guess_format(data), guess_format(data, is_whole=True))


def test_a_heartbeat_in_front_does_not_matter():
    """The first event that tells something counts."""
    start = b': hi\n\nevent: ping\ndata: {"type":"ping"}\n\n'
    assert "openai" == guess_format(b"\xef\xbb\xbf" + start + sse(body({})))


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here (COMPATAPI_RECORDINGS)")
def test_recordings_are_told_rightly_or_not_at_all():
    """No recording is taken for something that it is not, and most are told."""
    kinds = {"anthropic": "anthropic", "gemini": "gemini", "ollama": "ollama"}
    wrong, told = [], 0
    for path in [*RECORDINGS.glob("*.sse"), *RECORDINGS.glob("ollama-*.ndjson")]:
        found = guess_format(path.read_bytes())
        native = kinds.get(path.name.split("-")[0])
        expected = native if native and "-openai-" not in path.name and "-v1-" not in path.name else "openai"
        told += found is not None
        wrong += [path.name] if found not in (None, expected) else []
    assert [] == wrong
    assert told > 50
