"""Every way to leave a stream closes its connection; a fork has connections of its own."""

import gc
import os
import signal
import threading

import pytest

from calls import REQUEST, eventually, hard_limit, open_files, server_context, settled, timed  # noqa: F401
from compatapi.errors import StopStream
from compatapi.testing import ChatScript, ScriptedServer
from loopback import CERTIFICATE

SLOW = ChatScript("one two three", interval=0.05, end="stall")
WHOLE = ChatScript("one two three")


def leave_by_break(client):
    """Leave the loop."""
    for chunk in client.chat_completion_stream(REQUEST):
        if chunk.text:
            break


def leave_by_exception(client):
    """Fail in the loop."""
    with pytest.raises(ZeroDivisionError):
        for _ in client.chat_completion_stream(REQUEST):
            print(1 / 0)


def leave_by_exception_that_is_kept(client):
    """Fail in the loop; the traceback, and with it the stream, stays alive."""
    stream = client.chat_completion_stream(REQUEST)
    try:
        for _ in stream:
            print(1 / 0)
    except ZeroDivisionError as error:
        return stream, error, error.__traceback__


def leave_the_block(client):
    """Leave the with block, the stream stays alive."""
    with client.chat_completion_stream(REQUEST) as stream:
        next(stream)
    return stream


def close(client):
    """Close by hand, twice."""
    stream = client.chat_completion_stream(REQUEST)
    next(stream)
    stream.close()
    stream.close()
    return stream


def never_iterate(client):
    """Ask, and do not listen."""
    client.chat_completion_stream(REQUEST)


def drop(client):
    """Listen a little and forget the stream."""
    stream = client.chat_completion_stream(REQUEST)
    next(stream)


def drop_in_a_cycle(client):
    """Forget a stream that only the collector can find."""
    cycle = [client.chat_completion_stream(REQUEST)]
    cycle.append(cycle)
    del cycle
    gc.collect()


def drop_the_text(client):
    """Leave the stream of texts."""
    for text in client.chat_completion_stream(REQUEST).text_stream():
        if text:
            break


def stop_the_callback(client):
    """StopStream in a callback."""
    client.chat_completion_stream(REQUEST, raise_stop)


def raise_stop(_chunk):
    """Stop at once."""
    raise StopStream


def fail_in_the_callback(client):
    """An exception in a callback, which is kept."""
    try:
        client.chat_completion_stream(REQUEST, lambda chunk: 1 / 0)
    except ZeroDivisionError as error:
        return error


WAYS = [
    leave_by_break,
    leave_by_exception,
    leave_by_exception_that_is_kept,
    leave_the_block,
    close,
    never_iterate,
    drop,
    drop_in_a_cycle,
    drop_the_text,
    stop_the_callback,
    fail_in_the_callback,
]


@pytest.mark.parametrize("leave", WAYS)
def test_leaving_a_stream_closes_its_connection(leave):
    """The server sees the end within a second, the next stream has a connection of its own, no descriptor is left."""
    with ScriptedServer(lambda request: SLOW if len(server.requests) == 1 else WHOLE) as server:
        client = server.client()
        before = open_files()
        kept = leave(client)
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)
        assert eventually(lambda: open_files() <= before)
        assert "one two three" == client.chat_completion_stream(REQUEST, lambda chunk: None).text
        assert 2 == server.connections
        del kept


def test_leaving_a_tls_stream_closes_its_connection():
    """TLS makes no difference."""
    with ScriptedServer(lambda request: SLOW, ssl_context=server_context()) as server:
        client = server.client(verify=str(CERTIFICATE))
        for leave in (leave_by_break, close, drop):
            kept = leave(client)
            assert server.wait_until(lambda: server.open_connections == 0, 1.0)
            del kept


def test_keyboard_interrupt_while_waiting():
    """Ctrl-C in a blocked read, or while the head is waited for, closes the connection although the traceback lives."""

    def interrupt(*_):
        raise KeyboardInterrupt

    for script in (SLOW, ChatScript(fault="silence")):
        with ScriptedServer(script) as server:
            client, before = server.client(), signal.signal(signal.SIGALRM, interrupt)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt) as caught:
                client.chat_completion_stream(REQUEST, lambda chunk: None)
            signal.signal(signal.SIGALRM, before)
            assert server.wait_until(lambda: server.open_connections == 0, 1.0)
            assert caught.value is not None


def test_dropping_takes_no_lock_of_the_pool():
    """The finalizer of a stream may run in the middle of anything, so it waits for nobody's lock."""
    with ScriptedServer(SLOW, WHOLE) as server:
        client = server.client()
        streams = [client.chat_completion_stream(REQUEST)]
        pools = client._sender.transport._adapter.poolmanager.pools
        pool = pools[next(iter(pools.keys()))].pool
        with pool.mutex:
            seconds, _ = timed(streams.clear)
        assert seconds < 0.5
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)
        assert "one two three" == client.chat_completion_stream(REQUEST, lambda chunk: None).text


def test_closing_inside_the_loop(compatapi_server, compatapi_client):
    """A stream that is closed inside its loop hands out nothing more, although more had come already."""
    compatapi_server.add(ChatScript("one two three", fault="joined"))
    stream, texts = compatapi_client.chat_completion_stream(REQUEST), []
    for chunk in stream:
        texts.append(chunk.text)
        stream.close()
    assert [""] == texts
    assert [] == list(stream)


def test_closing_the_client_keeps_streams():
    """A stream goes on after its client was closed, and is cleaned up at its end."""
    with ScriptedServer(ChatScript("one two three", interval=0.02)) as server:
        client = server.client()
        with client.chat_completion_stream(REQUEST) as stream:
            client.close()
            assert "one two three" == "".join(stream.text_stream())
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)


def in_child(function):
    """The exit status of a child process that runs a function."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.alarm(10)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            status = function()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_opens_its_own_connection():
    """After a fork the child asks over a connection of its own, with clocks of its own; the parent keeps its one."""
    with ScriptedServer(lambda request: WHOLE) as server:
        client = server.client()
        assert "one two three" == client.chat_completion_stream(REQUEST, lambda chunk: None).text
        status = in_child(lambda: len(client.chat_completion_stream(REQUEST, lambda chunk: None).text))
        assert len("one two three") == status
        client.chat_completion_stream(REQUEST, lambda chunk: None)
        assert [1, 2, 1] == [request.connection for request in server.requests]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_does_not_end_what_it_inherited(compatapi_server, compatapi_client):
    """A child that closes or drops the stream that it inherited does not break it for its parent."""
    compatapi_server.add(ChatScript("one two three", interval=0.05))
    stream = compatapi_client.chat_completion_stream(REQUEST)
    next(stream)

    def close_it():
        stream.close()
        return 7

    assert 7 == in_child(close_it)
    assert "one two three" == "".join(chunk.text for chunk in stream)


def test_nothing_grows():
    """After 300 streams, finished, broken off and dropped, threads and descriptors are as many as before."""
    with ScriptedServer(lambda request: WHOLE) as server:
        client = server.client()
        leave_by_break(client)
        settled()
        files, threads = open_files(), threading.active_count()
        for _ in range(100):
            for leave in (leave_by_break, drop, stop_the_callback):
                leave(client)
        client.close()
        settled()
        assert server.wait_until(lambda: server.open_connections == 0, 2.0)
        assert eventually(lambda: open_files() <= files and threading.active_count() <= threads)
