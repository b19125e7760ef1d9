"""The numbers of a call, against a server that keeps a pace; errors carry them."""

import threading
import time

import pytest

from calls import NOISE, REQUEST, client_of, error_of, hard_limit, sse  # noqa: F401
from compatapi.call import Timeouts
from compatapi.errors import (
    Cancelled,
    CompatAPIError,
    ConnectError,
    IncompleteStreamError,
    RequestTimeout,
    ServerError,
    StreamError,
)
from compatapi.stats import Stats
from compatapi.testing import Raw, ScriptedServer, StreamReply, chat_chunks, error_reply
from streams import body, say, stop

SAID = chat_chunks("Hi there", finish_reason=None, usage=None)
TEXTS = [say("a"), 0.1, say("b"), 0.35, say("c"), stop()]


def near(expected, actual):
    """Whether a time is what it should be, on a busy machine."""
    return expected - 0.02 <= actual < expected + NOISE


def test_the_times_of_a_paced_stream():
    """Head, first data and first text are those of the server's pace; the longest gap is its longest pause."""
    paced = StreamReply([body({"role": "assistant"}), 0.2, *TEXTS], delay=0.15, first_delay=0.1)
    with ScriptedServer(paced) as server:
        began = time.monotonic()
        stream = client_of(server).chat_completion_stream(REQUEST)
        assert (None, None, None) == (stream.stats.first_data, stream.stats.first_text, stream.stats.total)
        assert "abc" == "".join(stream.text_stream())
        took, stats = time.monotonic() - began, stream.stats
    assert near(0.15, stats.head)
    assert near(0.25, stats.first_data)
    assert near(0.45, stats.first_text)
    assert near(0.9, stats.total) and stats.total <= took
    assert near(0.35, stats.longest_gap)
    assert stats.head <= stats.first_data <= stats.first_text <= stats.total


def test_reasoning_is_text():
    """The first text is the first that somebody could read: reasoning counts."""
    events = [body({"role": "assistant"}), 0.1, body({"reasoning_content": "hm"}), 0.3, say("a"), stop()]
    with ScriptedServer(StreamReply(events)) as server:
        stream = client_of(server).chat_completion_stream(REQUEST)
        assert 4 == len(list(stream))
        assert near(0.1, stream.stats.first_text)


def test_the_program_s_own_time_is_no_gap():
    """What the program takes between two pieces is not a wait for the server."""
    with ScriptedServer(StreamReply([say("a"), 0.05, say("b"), 0.05, stop()])) as server:
        stream = client_of(server).chat_completion_stream(REQUEST)
        for _ in stream:
            time.sleep(0.4)
    assert stream.stats.longest_gap < 0.05 + NOISE
    assert stream.stats.total > 0.4


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_events_and_bytes(framing, encoding):
    """Events are those of the stream with its end mark, bytes those of the body after decompression."""
    chunks = chat_chunks("one two three")
    with ScriptedServer(StreamReply(chunks, framing=framing, encoding=encoding)) as server:
        stream = client_of(server).chat_completion_stream(REQUEST)
        assert len(chunks) == len(list(stream))
    expected = sum(len(event) for event in StreamReply(chunks, framing="close").play(None) if type(event) is bytes)
    head = next(event for event in StreamReply(chunks, framing="close").play(None) if type(event) is bytes)
    assert (len(chunks) + 1, expected - len(head)) == (stream.stats.events, stream.stats.bytes)
    assert (0, 1) == (stream.stats.keep_alives, stream.stats.attempts)


def test_keep_alives():
    """Comments are counted, and are neither events nor data."""
    with ScriptedServer(StreamReply(TEXTS, first_delay=0.3, keepalive=0.04)) as server:
        stream = client_of(server).chat_completion_stream(REQUEST)
        assert 4 == len(list(stream))
    assert 5 <= stream.stats.keep_alives <= 20
    assert (5, True) == (stream.stats.events, near(0.3, stream.stats.first_data))


def test_attempts():
    """The attempts of the call, and its times from the beginning of the first."""
    busy = error_reply(503, "busy", headers={"retry-after-ms": "150"})
    with ScriptedServer(busy, busy, StreamReply(TEXTS)) as server:
        stream = client_of(server, max_retries=2).chat_completion_stream(REQUEST)
        assert 4 == len(list(stream))
    assert 3 == stream.stats.attempts
    assert near(0.3, stream.stats.head)


def test_numbers_while_it_runs():
    """They can be looked at in the middle, and stay as they are when the stream is left."""
    with ScriptedServer(StreamReply(SAID, interval=0.05, end="stall")) as server:
        stream = client_of(server).chat_completion_stream(REQUEST)
        seen = []
        for _ in stream:
            seen.append((stream.stats.events, stream.stats.bytes))
            if len(seen) == 3:
                break
    assert [1, 2, 3] == [events for events, _ in seen]
    assert 0 < seen[0][1] < seen[1][1] < seen[2][1] == stream.stats.bytes


def stats_of(kind, script, **options):
    """The numbers in the error of a stream."""
    with ScriptedServer(*([script] * 3)) as server:
        error = error_of(kind, client_of(server, **options).chat_completion_stream, REQUEST, lambda chunk: None)
    assert type(error.stats) is Stats
    return error.stats


def test_errors_before_an_answer():
    """An error before the stream carries the attempts, and the head if there was one."""
    busy = error_reply(503, "busy", headers={"retry-after-ms": "1"})
    stats = stats_of(ServerError, busy, max_retries=2)
    assert (3, True, 0, None) == (stats.attempts, 0 <= stats.head < NOISE, stats.events, stats.first_data)
    stats = stats_of(RequestTimeout, StreamReply(delay=30), timeouts=Timeouts(first_token=0.1))
    assert (1, None) == (stats.attempts, stats.head)
    with ScriptedServer() as server:
        url = server.base_url
    error = error_of(ConnectError, client_of(url).models)
    assert (1, None, 0) == (error.stats.attempts, error.stats.head, error.stats.bytes)


@pytest.mark.parametrize(
    ("kind", "script", "events"),
    [
        (IncompleteStreamError, StreamReply(SAID, done=False), 3),
        (StreamError, StreamReply([*SAID, {"error": {"message": "overloaded"}}]), 4),
        (RequestTimeout, StreamReply(SAID, end="stall"), 3),
        (CompatAPIError, StreamReply(SAID, end="reset"), 3),
    ],
)
def test_errors_in_a_stream(kind, script, events):
    """An error in the middle carries what was counted until then."""
    with ScriptedServer(script) as server:
        client = client_of(server, timeouts=Timeouts(idle=0.2))
        with pytest.raises(kind) as caught:
            client.chat_completion_stream(REQUEST, lambda chunk: None)
    stats = caught.value.stats
    assert (events, 1, True) == (stats.events, stats.attempts, stats.bytes > 100)
    assert 0 <= stats.head <= stats.first_text <= stats.total


def test_errors_of_a_handle():
    """A handle's error carries them too, and so does its being cancelled."""
    with ScriptedServer(StreamReply(SAID, done=False), StreamReply(SAID, end="stall")) as server:
        client = client_of(server)
        assert 3 == error_of(IncompleteStreamError, client.start_stream(REQUEST).result, 5).stats.events
        said = threading.Event()
        handle = client.start_stream(REQUEST, on_text=lambda text: said.set())
        assert said.wait(5)
        handle.cancel()
        assert error_of(Cancelled, handle.result, 5).stats.attempts == 1


def test_a_head_that_says_nothing():
    """An answer without a piece of data has a head and no first data."""
    with ScriptedServer(Raw([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])) as server:
        error = error_of(IncompleteStreamError, client_of(server).chat_completion_stream, REQUEST, lambda chunk: None)
    assert (None, None, 0, 0) == (
        error.stats.first_data,
        error.stats.first_text,
        error.stats.events,
        error.stats.bytes,
    )
    assert error.stats.head is not None


def test_an_answer_that_came_at_once():
    """Many events in one piece are counted one by one."""
    chunks = chat_chunks("a b c d e f g h")
    with ScriptedServer(StreamReply([sse(*chunks)], done=False)) as server:
        stream = client_of(server).chat_completion_stream(REQUEST)
        assert "a b c d e f g h" == "".join(stream.text_stream())
    assert (len(chunks) + 1, len(sse(*chunks))) == (stream.stats.events, stream.stats.bytes)
