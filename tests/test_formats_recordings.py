"""Recorded streams written again: in their own format as they were, in every other without loss."""

import json

import pytest

from compatapi.errors import CompatAPIError, ConfigError
from compatapi.formats import FORMATS, iter_anthropic, iter_chunks, iter_ollama, iter_sse
from compatapi.framing import SSEDecoder
from helpers import RECORDINGS, cut
from readings import readings
from streams import calls_of, usage_of, without_nulls

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here (COMPATAPI_RECORDINGS)")


def dialect_of(path):
    """The dialect of a recorded stream, by its name."""
    first = path.name.split("-")[0]
    if first in ("anthropic", "gemini") and "openai" not in path.name:
        return first
    return "ollama" if path.suffix == ".ndjson" else "openai"


STREAMS = sorted([*RECORDINGS.glob("*.sse"), *RECORDINGS.glob("ollama-*.ndjson")])
#: Streams that are errors, or were never finished.
BROKEN = {
    "groq-error-mid-stream",
    "openai-error-event-in-stream",
    "openrouter-error-mid-stream",
}
CUTS = (0.3, 0.6, 0.95)


def chunks_and_answer(data, source):
    """The chunks of a body, the answer, and the error that ended it."""
    reader, chunks, error = iter_chunks(data, source), [], None
    try:
        chunks.extend(reader)
    except CompatAPIError as found:
        error = found
    return chunks, reader.completion, error


class Again(list):
    """Chunks that were decoded before, and the error behind them."""

    is_complete = True

    def __init__(self, chunks, error):
        super().__init__(chunks)
        self.error = error

    def __iter__(self):
        yield from super().__iter__()
        if self.error is not None:
            raise self.error


def facts(completion):
    """What every format has a place for; arguments are compared as JSON values."""
    calls = [(name, json.loads(arguments or "{}")) for name, arguments in calls_of(completion)]
    return completion.text, completion.reasoning, calls, usage_of(completion)


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
@pytest.mark.parametrize("name", ["sse", "ndjson"])
def test_every_stream_comes_back_equal(path, name):
    """Chunks of each recording, written and read again, are the same: with extra fields, readings and the error."""
    chunks, completion, error = chunks_and_answer(path.read_bytes(), dialect_of(path))
    out = b"".join(FORMATS[name].write(Again(chunks, error), errors="emit"))
    again, _, error_again = chunks_and_answer(out, name)
    if name == "ndjson" and completion.choices and completion.finish_reason is None and error is None:
        assert "IncompleteStreamError" == type(error_again).__name__  # lines have no end mark
        error_again = None
    assert [type(error).__name__, chunks] == [type(error_again).__name__, again]
    if dialect_of(path) == "openai":
        assert readings(chunks) == readings(again)


@pytest.mark.parametrize("path", [path for path in STREAMS if path.stem not in BROKEN], ids=lambda path: path.stem)
@pytest.mark.parametrize("name", ["json", "ollama", "anthropic"])
def test_every_stream_says_the_same_in_every_format(path, name):
    """Text, reasoning, tool calls and usage of each recording are the same to whoever reads the other format."""
    expected = chunks_and_answer(path.read_bytes(), dialect_of(path))[1]
    try:
        out = b"".join(FORMATS[name].write(iter_chunks(path.read_bytes(), dialect_of(path))))
    except CompatAPIError as error:
        # What these two formats have no word for: a second choice, and arguments that were cut.
        known = {"openai-three-choices": "one choice", "anthropic-incomplete-tool-json": "no JSON object"}
        assert name != "json"
        assert known[path.stem] in str(error)
        return
    found = chunks_and_answer(out, name)[1]
    wanted, had = facts_or_text(expected), facts_or_text(found)
    if name == "anthropic" and wanted[-1] is None:
        wanted = (*wanted[:-1], (0, 0, 0))  # its clients want numbers
    if wanted[-1] and sum(wanted[-1][:2]) != wanted[-1][2] and name != "json":
        wanted = (*wanted[:-1], (*wanted[-1][:2], sum(wanted[-1][:2])))  # the total is not said, but added up
    refusal = expected.refusal if name != "json" else ""
    assert (wanted[0] + refusal, *wanted[1:]) == had


def facts_or_text(completion):
    """The facts, with arguments that were cut as their text."""
    try:
        return facts(completion)
    except ValueError:
        return completion.text, completion.reasoning, calls_of(completion), usage_of(completion)


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("ollama-*.ndjson")), ids=lambda path: path.stem)
def test_lines_of_ollama_come_back(path):
    """Each line of a recording comes back as the same JSON, with its keys in their order."""
    out = b"".join(iter_ollama(iter_chunks(path.read_bytes(), "ollama")))
    wanted = [json.loads(line, object_pairs_hook=list) for line in path.read_bytes().splitlines() if line.strip()]
    assert wanted == [json.loads(line, object_pairs_hook=list) for line in out.splitlines()]


def events_of(data):
    decoder = SSEDecoder()
    frames = decoder.feed(data)
    return [json.loads(frame.data) for frame in [*frames, *filter(None, [decoder.unfinished])]]


def comparable(values):
    """Events without what cannot come back, which the documentation lists."""
    usage, kept, is_open = {}, [], set()
    for value in values:
        kind, index = value["type"], value.get("index")
        if kind == "message_start":
            usage = dict(value["message"]["usage"])
        if kind == "message_delta":
            kept += [{"type": "content_block_stop", "index": number} for number in sorted(is_open)]
            value["usage"] = {**usage, **value["usage"]}  # numbers of the start need not be said again
        if kind == "content_block_start":
            is_open.add(index)
            if not value["content_block"].get("citations", True):
                del value["content_block"]["citations"]
        if kind == "content_block_stop":
            is_open.discard(index)
        is_empty = kind == "content_block_delta" and "" in value["delta"].values()
        if kind != "ping" and not is_empty:
            kept.append(without_nulls(value))
    empty = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    stop = {"type": "content_block_stop", "index": 0}
    if kept[1:3] == [empty, stop]:  # a text without a word
        del kept[1:3]
    return kept


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("anthropic-*.sse")), ids=lambda path: path.stem)
def test_events_of_anthropic_come_back(path):
    """The events of a recording come back, but for pings, padding, nulls and what is empty."""
    out = b"".join(iter_anthropic(iter_chunks(path.read_bytes(), "anthropic")))
    assert comparable(events_of(path.read_bytes())) == comparable(events_of(out))


ENDS = {"sse": b"[DONE]", "ollama": b'"done":true', "anthropic": b"message_stop", "json": b'\n{"id"'}


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_a_stream_that_is_cut_never_looks_complete(path):
    """A recording cut where its decoder says so is written without the end of any format."""
    data = path.read_bytes()
    for place in (int(len(data) * share) for share in CUTS):
        pieces = cut(data[:place], [])
        _, _, error = chunks_and_answer(b"".join(pieces), dialect_of(path))
        for name, end in ENDS.items():
            writing = FORMATS[name].write(iter_chunks(pieces, dialect_of(path)), errors="emit")
            out = b"".join(writing)
            if error is not None or isinstance(writing.error, ConfigError):
                assert end not in b"\n" + out
                assert b"error" in out


def test_text_of_a_stream_arrives_before_its_end():
    """What is written is written at once: the first text is out before the second half of the body is read."""
    path = RECORDINGS / "openai-text.sse"
    data, read = path.read_bytes(), []

    def pieces():
        for place in (data[: len(data) // 2], data[len(data) // 2 :]):
            read.append(place)
            yield place

    for name in ("sse", "ndjson", "ollama", "anthropic"):
        read.clear()
        next(FORMATS[name].write(iter_chunks(pieces(), "openai")))
        assert 1 == len(read), name
    assert b"".join(iter_sse(iter_chunks(data, "openai"))).endswith(b"[DONE]\n\n")
