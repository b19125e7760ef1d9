"""Other processes: the end of the interpreter, Ctrl-C and forks."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import compatapi
from calls import REQUEST, client_of, error_of, eventually, hard_limit, open_files  # noqa: F401
from compatapi.testing import ScriptedServer, StreamReply, chat_chunks

SAID = chat_chunks("Hi there", finish_reason=None, usage=None)
STALL = StreamReply(SAID, end="stall")
#: An endless stream without pauses, so that the end comes in the middle of work.
FLOW = StreamReply(chat_chunks("a" * 100_000, pieces=["a"] * 100_000))
BEGIN = """
import sys, time, threading
from compatapi import *
client = Client(base_url=sys.argv[1], max_retries=2)
request = ChatCompletionRequest("m", [Message.user("hello")])
begun = threading.Event()
"""


def python(code, server, wait=5.0):
    """Run a program against a server; its output, errors and exit status, and the seconds it took."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code, server.base_url],
        capture_output=True,
        text=True,
        timeout=wait,
        env={"PYTHONPATH": str(Path(compatapi.__file__).parents[1]), "PATH": os.environ.get("PATH", "")},
    )
    return done.stdout, done.stderr, done.returncode, time.monotonic() - began


ENDS = {
    "a live stream": "stream = client.chat_completion_stream(request); next(stream)",
    "a stream in a cycle": "it = [client.chat_completion_stream(request)]; it.append(it); next(it[0])",
    "a stream that was never read": "stream = client.chat_completion_stream(request)",
    "a loop that is suspended": "pieces = client.chat_completion_stream(request).text_stream(); next(pieces)",
    "a live handle": "handle = client.start_stream(request, lambda chunk: begun.set()); begun.wait()",
    "a handle that nobody holds": "client.start_stream(request, lambda chunk: begun.set()); begun.wait()",
    "a cancelled handle": "handle = client.start_stream(request, lambda chunk: begun.set()); begun.wait();"
    " handle.cancel()",
    "a callback that blocks": "handle = client.start_stream(request, lambda chunk: (begun.set(), time.sleep(60)));"
    " begun.wait()",
    "a callback that computes": """
def compute(chunk):
    begun.set()
    while True: pass
handle = client.start_stream(request, compute)
begun.wait()""",
    "a post that blocks": "handle = client.start_stream(request, print, post=lambda *_: (begun.set(), time.sleep(60)));"
    " begun.wait()",
    "a reader in a thread": """
def read():
    for chunk in client.chat_completion_stream(request):
        begun.set()
threading.Thread(target=read, daemon=True).start()
begun.wait()""",
    "an exit in a loop": "for chunk in client.chat_completion_stream(request): sys.exit(0)",
}


@pytest.mark.parametrize("script", [STALL, FLOW], ids=["stall", "flow"])
@pytest.mark.parametrize("name", ENDS)
def test_the_interpreter_ends(name, script):
    """Whatever is alive at the end of a program, it ends at once, without a word and with its own status."""
    with ScriptedServer(lambda request: script) as server:
        assert ("", "", 0) == python(ENDS[name] + "\n", server)[:3]
        assert 1 == len(server.requests)
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)


def test_the_interpreter_ends_while_a_callback_prints():
    """Threads that write while the interpreter ends make it abort, so handles are ended before."""
    code = """
def show(text):
    print(text, end="", flush=True)
    begun.set()
handles = [client.start_stream(request, on_text=show) for _ in range(3)]
begun.wait()
time.sleep(0.05)
"""
    with ScriptedServer(lambda request: FLOW) as server:
        out, err, status, _ = python(code, server)
        assert ("", 0, {"a"}) == (err, status, set(out))
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)


@pytest.mark.parametrize("status", [503, None])
def test_the_interpreter_ends_while_a_handle_waits(status):
    """A handle in the pause before a retry, or waiting for the head, does not hold up the end either."""
    script = StreamReply(status=503, headers={"Retry-After": "30"}) if status else StreamReply(delay=30)
    with ScriptedServer(lambda request: script) as server:
        code = "handle = client.start_stream(request, on_done=print, on_error=print)\ntime.sleep(0.3)\n"
        assert ("", "", 0) == python(code, server)[:3]


def test_a_program_that_fails_says_so_once():
    """An exception in the loop of a program is the only traceback, and nothing follows it."""
    with ScriptedServer(lambda request: STALL) as server:
        out, err, status, _ = python("for chunk in client.chat_completion_stream(request): 1 / 0\n", server)
    assert ("", 1) == (out, status)
    assert 1 == err.count("Traceback") and err.rstrip().endswith("ZeroDivisionError: division by zero")


def test_ctrl_c_in_a_program():
    """Ctrl-C ends a program that waits for the server, in every style, within a second."""
    styles = ["list(client.chat_completion_stream(request))", "client.chat_completion(request)"]
    styles += ["client.start_stream(request).result()"]
    with ScriptedServer(lambda request: STALL if request.json().get("stream") else StreamReply(delay=30)) as server:
        for number, style in enumerate(styles, 1):
            child = subprocess.Popen(
                [sys.executable, "-c", BEGIN + style, server.base_url],
                stderr=subprocess.PIPE,
                text=True,
                env={"PYTHONPATH": str(Path(compatapi.__file__).parents[1])},
            )
            assert server.wait_until(lambda: number == len(server.requests), 5.0)  # noqa: B023 - it ends in this turn
            time.sleep(0.2)
            began = time.monotonic()
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=5)
            assert time.monotonic() - began < 1.5
            assert (-signal.SIGINT, "KeyboardInterrupt") == (child.returncode, err.rstrip().splitlines()[-1])
            assert "Exception ignored" not in err
            assert server.wait_until(lambda: server.open_connections == 0, 1.0)


def test_keyboard_interrupt_in_the_loop():
    """Ctrl-C in the body of a loop, or in a callback, closes the connection although the traceback lives."""

    def interrupt(chunk):
        signal.raise_signal(signal.SIGINT)

    def loop(client):
        for chunk in client.chat_completion_stream(REQUEST):
            interrupt(chunk)

    with ScriptedServer(lambda request: STALL) as server:
        client = client_of(server)
        for style in (loop, lambda client: client.chat_completion_stream(REQUEST, interrupt)):
            with pytest.raises(KeyboardInterrupt) as caught:
                style(client)
            assert server.wait_until(lambda: server.open_connections == 0, 1.0)
            assert caught.value.__traceback__ is not None


def in_a_fork(function):
    """What a function returns in a forked child, as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(8)
        try:
            os.write(writer, str(function()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


FORKS = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@FORKS
def test_a_child_asks_while_its_parent_reads():
    """A child with the parent's client opens its own connections, also in a handle; the parent's stream goes on."""
    slow = StreamReply(chat_chunks("one two three"), interval=0.1)
    fast = StreamReply(chat_chunks("for the child"))
    with ScriptedServer(slow, fast, fast) as server:
        client = client_of(server)
        with client.chat_completion_stream(REQUEST) as stream:
            next(stream)
            assert "for the child" == in_a_fork(lambda: client.chat_completion_stream(REQUEST, lambda chunk: None).text)
            assert "for the child" == in_a_fork(lambda: client.start_stream(REQUEST).result(5).text)
            assert "one two three" == "".join(stream.text_stream())
        assert [1, 2, 3] == sorted(request.connection for request in server.requests)


@FORKS
def test_a_child_does_not_harm_a_handle_of_its_parent():
    """A child that cancels, or drops, the handle that it inherited does not end the parent's."""
    with ScriptedServer(StreamReply(chat_chunks("one two three"), interval=0.1)) as server:
        begun = threading.Event()
        handle = client_of(server).start_stream(REQUEST, lambda chunk: begun.set())
        assert begun.wait(5)
        assert "True" == in_a_fork(handle.cancel)
        assert "one two three" == handle.result(5).text


@FORKS
def test_a_fork_in_the_middle_of_a_call():
    """A child can ask although another thread held the lock of the client's transport when it was forked."""
    with ScriptedServer(lambda request: StreamReply(chat_chunks("Hi"))) as server:
        client = client_of(server)
        client.chat_completion_stream(REQUEST, lambda chunk: None)
        with client._sender.transport._lock:
            assert "Hi" == in_a_fork(lambda: client.chat_completion_stream(REQUEST, lambda chunk: None).text)
