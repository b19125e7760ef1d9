"""The numbers of a call, against a server that keeps a pace; errors carry them."""

import threading
import time

import pytest
from attrs import evolve

from calls import NOISE, REQUEST, client_of, error_of, hard_limit  # noqa: F401
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
from compatapi.testing import ChatScript, ErrorScript, ScriptedServer, StreamReply, render
from compatapi.testing.faults import ErrorEvent, Reset, Stall
from streams import body, say, stop

TEXTS = [say("a"), 0.1, say("b"), 0.35, say("c"), stop()]


def near(expected, actual):
    """Whether a time is what it should be, on a busy machine."""
    return expected - 0.02 <= actual < expected + NOISE


def test_the_times_of_a_paced_stream(compatapi_server, compatapi_client):
    """Head, first data and first text are those of the server's pace; the longest gap is its longest pause."""
    paced = StreamReply([body({"role": "assistant"}), 0.2, *TEXTS], delay=0.15, first_delay=0.1)
    compatapi_server.add(paced)
    began = time.monotonic()
    stream = compatapi_client.chat_completion_stream(REQUEST)
    assert (None, None, None) == (stream.stats.first_data, stream.stats.first_text, stream.stats.total)
    assert "abc" == "".join(stream.text_stream())
    took, stats = time.monotonic() - began, stream.stats
    assert near(0.15, stats.head)
    assert near(0.25, stats.first_data)
    assert near(0.45, stats.first_text)
    assert near(0.9, stats.total) and stats.total <= took
    assert near(0.35, stats.longest_gap)
    assert stats.head <= stats.first_data <= stats.first_text <= stats.total


def test_reasoning_is_text(compatapi_server, compatapi_client):
    """The first text is the first that somebody could read: reasoning counts."""
    events = [body({"role": "assistant"}), 0.1, body({"reasoning_content": "hm"}), 0.3, say("a"), stop()]
    compatapi_server.add(StreamReply(events))
    stream = compatapi_client.chat_completion_stream(REQUEST)
    assert 4 == len(list(stream))
    assert near(0.1, stream.stats.first_text)


def test_the_program_s_own_time_is_no_gap(compatapi_server, compatapi_client):
    """What the program takes between two pieces is not a wait for the server."""
    compatapi_server.add(StreamReply([say("a"), 0.05, say("b"), 0.05, stop()]))
    stream = compatapi_client.chat_completion_stream(REQUEST)
    for chunk in stream:
        if chunk.text == "a":
            time.sleep(0.4)
    assert stream.stats.longest_gap < 0.05 + NOISE
    assert stream.stats.total > 0.4


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_events_and_bytes(framing, encoding):
    """Events are those of the stream with its end mark, bytes those of the body after decompression."""
    script = ChatScript("one two three", framing=framing, encoding=encoding)
    with ScriptedServer(script) as server:
        stream = server.client().chat_completion_stream(REQUEST)
        assert 6 == len(list(stream))
        expected = len(render(evolve(script, encoding=None), server.requests[0]).body)
    assert (7, expected) == (stream.stats.events, stream.stats.bytes)
    assert (0, 1) == (stream.stats.keep_alives, stream.stats.attempts)


def test_keep_alives(compatapi_server, compatapi_client):
    """Comments are counted, and are neither events nor data."""
    compatapi_server.add(StreamReply([say("a"), stop()], first_delay=0.3, keepalive=0.04))
    stream = compatapi_client.chat_completion_stream(REQUEST)
    assert 2 == len(list(stream))
    assert 5 <= stream.stats.keep_alives <= 20
    assert (3, True) == (stream.stats.events, near(0.3, stream.stats.first_data))


def test_attempts(compatapi_server, compatapi_client_factory):
    """The attempts of the call, and its times from the beginning of the first."""
    busy = ErrorScript(503, "busy", retry_after=0.15)
    compatapi_server.add(busy, busy, ChatScript("Hi there"))
    stream = compatapi_client_factory(max_retries=2).chat_completion_stream(REQUEST)
    assert 5 == len(list(stream))
    assert 3 == stream.stats.attempts
    assert near(0.3, stream.stats.head)


def test_numbers_while_it_runs(compatapi_server, compatapi_client):
    """They can be looked at in the middle, and stay as they are when the stream is left."""
    compatapi_server.add(ChatScript("Hi there", interval=0.05, fault=Stall(after=2)))
    stream = compatapi_client.chat_completion_stream(REQUEST)
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
        error = error_of(kind, server.client(**options).chat_completion_stream, REQUEST, lambda chunk: None)
    assert type(error.stats) is Stats
    return error.stats


def test_errors_before_an_answer():
    """An error before the stream carries the attempts, and the head if there was one."""
    busy = ErrorScript(503, "busy", retry_after=0.001)
    stats = stats_of(ServerError, busy, max_retries=2)
    assert (3, True, 0, None) == (stats.attempts, 0 <= stats.head < NOISE, stats.events, stats.first_data)
    stats = stats_of(RequestTimeout, ChatScript(fault="silence"), timeouts=Timeouts(first_token=0.1))
    assert (1, None) == (stats.attempts, stats.head)
    with ScriptedServer() as server:
        url = server.base_url
    error = error_of(ConnectError, client_of(url).models)
    assert (1, None, 0) == (error.stats.attempts, error.stats.head, error.stats.bytes)


@pytest.mark.parametrize(
    ("kind", "script", "events"),
    [
        (IncompleteStreamError, ChatScript("Hi there", fault="no-end"), 3),
        (StreamError, ChatScript("Hi there", fault=ErrorEvent(after=2, message="overloaded")), 4),
        (RequestTimeout, ChatScript("Hi there", fault=Stall(after=2)), 3),
        (CompatAPIError, ChatScript("Hi there", fault=Reset(after=2)), 3),
    ],
)
def test_errors_in_a_stream(compatapi_server, compatapi_client_factory, kind, script, events):
    """An error in the middle carries what was counted until then."""
    compatapi_server.add(script)
    client = compatapi_client_factory(timeouts=Timeouts(idle=0.2))
    with pytest.raises(kind) as caught:
        client.chat_completion_stream(REQUEST, lambda chunk: None)
    stats = caught.value.stats
    assert (events, 1, True) == (stats.events, stats.attempts, stats.bytes > 100)
    assert 0 <= stats.head <= stats.first_text <= stats.total


def test_errors_of_a_handle(compatapi_server, compatapi_client):
    """A handle's error carries them too, and so does its being cancelled."""
    compatapi_server.add(ChatScript("Hi there", fault="no-end"), ChatScript("Hi there", fault=Stall(after=2)))
    assert 3 == error_of(IncompleteStreamError, compatapi_client.start_stream(REQUEST).result, 5).stats.events
    said = threading.Event()
    handle = compatapi_client.start_stream(REQUEST, on_text=lambda text: said.set())
    assert said.wait(5)
    handle.cancel()
    assert error_of(Cancelled, handle.result, 5).stats.attempts == 1


def test_a_head_that_says_nothing(compatapi_server, compatapi_client):
    """An answer without a piece of data has a head and no first data."""
    compatapi_server.add(ChatScript(fault="empty"))
    error = error_of(IncompleteStreamError, compatapi_client.chat_completion_stream, REQUEST, lambda chunk: None)
    assert (None, None, 0, 0) == (
        error.stats.first_data,
        error.stats.first_text,
        error.stats.events,
        error.stats.bytes,
    )
    assert error.stats.head is not None


def test_an_answer_that_came_at_once(compatapi_server, compatapi_client):
    """Many events in one piece are counted one by one."""
    scripts = [ChatScript("a b c d e f g h", fault=fault) for fault in ("joined", None)]
    compatapi_server.add(*scripts)
    streams = [compatapi_client.chat_completion_stream(REQUEST) for _ in scripts]
    assert ["a b c d e f g h"] * 2 == ["".join(stream.text_stream()) for stream in streams]
    assert 12 == streams[0].stats.events
    assert 1 == len({(stream.stats.events, stream.stats.bytes) for stream in streams})
