"""Nothing leaks and nothing is mixed up: descriptors, threads, connections, answers, memory over a long stream."""

import gc
import json
import sys
import threading
import time
import tracemalloc
import weakref

import pytest

from calls import REQUEST, Running, eventually, hard_limit, open_files, server_context, settled  # noqa: F401
from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.errors import CompatAPIError
from compatapi.http_types import HttpResponse
from compatapi.stream import ChatStream
from compatapi.testing import ChatScript, ErrorScript, ScriptedServer, StreamReply
from compatapi.testing.faults import Stall
from loopback import CERTIFICATE
from streams import DONE, decoder, event, say

STALL = ChatScript("Hi there", fault=Stall(after=2))
WHOLE = ChatScript("one two three")


def break_off(client):
    """Leave the loop after the first text."""
    for chunk in client.chat_completion_stream(REQUEST):
        if chunk.text:
            return chunk.text


def cancel(client):
    """Cancel a handle that is being read."""
    begun = threading.Event()
    handle = client.start_stream(REQUEST, lambda chunk: begun.set())
    begun.wait(5)
    return handle.cancel()


def drop(client):
    """Forget a stream."""
    return next(client.chat_completion_stream(REQUEST)) is not None


def as_before(server, files, threads):
    """Whether descriptors and threads are as many as before, once the server has seen the ends."""
    settled()
    assert server.wait_until(lambda: server.open_connections == 0, 5.0)
    assert eventually(lambda: open_files() <= files, 3.0), (files, open_files())
    assert eventually(lambda: threading.active_count() <= threads, 3.0), threading.enumerate()
    return True


def test_a_thousand_streams_left_in_three_ways():
    """Of 1,000 streams a third is broken off, a third cancelled and a third dropped, by four threads: nothing stays."""
    with ScriptedServer(lambda request: STALL) as server:
        client = server.client()
        for leave in (break_off, cancel, drop):  # starts what stays, such as the watchdog
            leave(client)
        assert server.wait_until(lambda: server.open_connections == 0)
        settled()
        files, threads = open_files(), threading.active_count()

        def leave_many(first):
            return sum(bool((break_off, cancel, drop)[number % 3](client)) for number in range(first, 1000, 4))

        assert 1000 == sum(thread.result(15) for thread in [Running(leave_many, first) for first in range(4)])
        assert as_before(server, files, threads)
        assert 1003 == len(server.requests)


def test_failures_leave_nothing():
    """Streams and handles that fail, by status, in the head and in the body, leave no descriptor and no thread."""
    scripts = [
        ErrorScript(500, "no"),
        ChatScript(fault="no-answer"),
        ChatScript(fault="head-cut"),
        ChatScript("Hi there", finish_reason=None, end="reset"),
        StreamReply(["x"]),
    ]
    with ScriptedServer(lambda request: scripts[len(server.requests) % len(scripts)]) as server:
        client, failures = server.client(), 0
        for turn in range(110):
            if turn == 10:
                settled()
                files, threads = open_files(), threading.active_count()
            try:
                handle = client.start_stream(REQUEST)
                client.chat_completion_stream(REQUEST, lambda chunk: None)
            except CompatAPIError:
                failures += handle.exception(5) is not None
        assert 110 == failures
        client.close()
        assert as_before(server, files, threads)


def test_tls_streams_leave_nothing():
    """TLS makes no difference."""
    with ScriptedServer(lambda request: STALL, ssl_context=server_context()) as server:
        client = server.client(verify=str(CERTIFICATE))
        for turn in range(21):
            if turn == 3:
                settled()
                files, threads = open_files(), threading.active_count()
            (break_off, cancel, drop)[turn % 3](client)
        assert as_before(server, files, threads)


def test_a_handle_that_nobody_holds():
    """A handle that the program forgot reads on to its end, and nothing of it stays."""
    seen = []
    with ScriptedServer(ChatScript("one two three", interval=0.02)) as server:
        gone = weakref.ref(server.client().start_stream(REQUEST, on_done=seen.append))
        assert eventually(lambda: seen, 3.0)
        assert "one two three" == seen[0].text

        def collected():
            gc.collect()
            return gone() is None

        assert eventually(collected)


def test_sixty_four_threads():
    """64 threads on one client, with streams, handles and callbacks, get each its own answers."""

    def answer(request):
        text = request.chat.messages[0].text
        return ChatScript(f"{text} {text}", id=text, interval=0.001)

    def ask(client, number):
        for turn in range(3):
            text = f"thread-{number}-turn-{turn}"
            request = ChatCompletionRequest("m", [Message.user(text)])
            if turn == 0:
                completion = client.chat_completion_stream(request, lambda chunk: None)
            elif turn == 1:
                completion = client.start_stream(request).result(15)
            else:
                with client.chat_completion_stream(request) as stream:
                    assert {text} == {chunk.id for chunk in stream}
                completion = stream.completion
            assert (text, f"{text} {text}") == (completion.id, completion.text)
        return number

    with ScriptedServer(answer) as server:
        client = server.client()
        assert list(range(64)) == [one.result(18) for one in [Running(ask, client, number) for number in range(64)]]
        assert 192 == len(server.requests)
        assert server.connections <= 64


def test_two_hundred_streams_use_one_connection():
    """200 streams in a row to a server that keeps connections, in every style, need one."""
    with ScriptedServer(lambda request: WHOLE) as server:
        client = server.client()
        for turn in range(200):
            if turn % 2:
                assert "one two three" == client.chat_completion_stream(REQUEST, lambda chunk: None).text
            else:
                assert "one two three" == client.start_stream(REQUEST).result(5).text
        assert (200, 1) == (len(server.requests), server.connections)


def test_a_stream_kept_in_a_traceback():
    """A stream whose loop failed is closed within a second, although its exception is kept."""
    with ScriptedServer(STALL) as server:
        with pytest.raises(ZeroDivisionError) as caught:
            for chunk in server.client().chat_completion_stream(REQUEST):
                1 / len(chunk.text) / 0
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)
        assert caught.value.__traceback__ is not None


#: A piece as the network hands it on, with chunks as servers send them.
PIECE, CHUNKS_OF_A_PIECE = b"".join(event(say(f"word {number} ")) for number in range(100)), 100
PIECES = 1000


def grown(function):
    """How many blocks of memory a function leaves, after what settles in its first call."""
    settled()
    before = sys.getallocatedblocks()
    function()
    settled()
    return sys.getallocatedblocks() - before


def test_memory_of_a_long_stream_that_is_decoded():
    """100,000 chunks through a StreamDecoder that keeps nothing leave nothing."""
    one = decoder(accumulate=False)
    for _ in range(20):
        one.feed(PIECE)
    assert grown(lambda: [None for _ in range(PIECES) if not one.feed(PIECE)]) < 200
    assert CHUNKS_OF_A_PIECE * (PIECES + 20) == one.events


def test_memory_of_a_long_stream_that_is_read():
    """Nor does a ChatStream that keeps nothing; in a window of 20,000 chunks tracemalloc finds less than 100 kB."""

    def bodies():
        for number in range(PIECES):
            if number == PIECES - 300:
                settled()
                tracemalloc.start()
            elif number == PIECES - 250:
                sizes.append(tracemalloc.get_traced_memory()[0])
            elif number == PIECES - 50:
                sizes.append(tracemalloc.get_traced_memory()[0])
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
            yield PIECE
        yield DONE

    sizes, peaks = [], []
    stream = ChatStream(HttpResponse(200, body=bodies()), decoder(accumulate=False), accumulate=False)
    assert grown(lambda: [None for chunk in stream if not chunk]) < 500
    assert sizes[1] - sizes[0] < 100_000
    assert peaks[0] < 100 * len(PIECE)
    assert CHUNKS_OF_A_PIECE * PIECES + 1 == stream.stats.events
    assert "" == stream.completion.text


def test_an_answer_that_is_kept_costs_its_text():
    """With the answer kept, 20,000 chunks cost a few times the text they bring, not the chunks."""
    one, text = decoder(), json.dumps("word 0 ")
    tracemalloc.start()
    for _ in range(200):
        one.feed(PIECE)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert size < 200 * CHUNKS_OF_A_PIECE * (len(text) + 150)
    assert 200 * CHUNKS_OF_A_PIECE == one.completion.text.count("word")


def test_a_slow_reader_does_not_gather():
    """What the server sends meanwhile waits in the socket, not in our memory."""
    flow = StreamReply([b"".join([PIECE] * 20)] * 500)  # more than 15 MB
    with ScriptedServer(flow) as server:
        stream = server.client().chat_completion_stream(REQUEST)
        next(stream)
        tracemalloc.start()
        time.sleep(0.3)
        next(stream)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        stream.close()
        assert peak < 5_000_000
