"""Other processes: the end of the interpreter, Ctrl-C and forks."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from itertools import repeat
from pathlib import Path

import pytest

import compatapi
from calls import REQUEST, hard_limit  # noqa: F401
from compatapi.testing import ChatScript, ErrorScript, ScriptedServer, StreamReply
from compatapi.testing.faults import Stall
from streams import say

STALL, SILENCE = ChatScript("Hi there", fault=Stall(after=2)), ChatScript(fault="silence")
#: An endless stream without pauses, so that the end comes in the middle of work.
FLOW = StreamReply(repeat(say("a")))
BEGIN = """
import sys, time, threading
from compatapi import *
client = Client(base_url=sys.argv[1], max_retries=2)
request = ChatCompletionRequest("m", [Message.user("hello")])
begun = threading.Event()
"""


#: Starts, imports what a call needs, and forks for each program that it is told: all of them share one start.
NURSERY = """
import json, os, sys
import compatapi.connections
from compatapi import *
for line in sys.stdin:
    code, url, out, err = json.loads(line)
    child = os.fork()
    if child == 0:
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        sys.argv[1:] = [url]
        exec(code)
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
ENVIRONMENT = {"PYTHONPATH": str(Path(compatapi.__file__).parents[1]), "PATH": os.environ.get("PATH", "")}
#: Seconds in which a program is over.
SOON = 5.0


@pytest.fixture(scope="module")
def nursery():
    """A process that runs programs, each in a child of its own, whose interpreter ends as any other."""
    command = [sys.executable, "-c", NURSERY]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def python(nursery, tmp_path):
    """Run a program against a server: gives its output, its errors and its exit status."""

    def run(code, server):
        paths = tmp_path / "out", tmp_path / "err"
        nursery.stdin.write(json.dumps([BEGIN + code, server.base_url, *map(str, paths)]) + "\n")
        nursery.stdin.flush()
        if not select.select([nursery.stdout], [], [], SOON)[0]:
            nursery.kill()
            pytest.fail(f"the program did not end in {SOON} s")
        status = int(nursery.stdout.readline())
        return *(path.read_text() for path in paths), status

    return run


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
def test_the_interpreter_ends(python, name, script):
    """Whatever is alive at the end of a program, it ends at once, without a word and with its own status."""
    with ScriptedServer(lambda request: script) as server:
        assert ("", "", 0) == python(ENDS[name], server)
        assert 1 == len(server.requests)
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)


def test_the_interpreter_ends_while_a_callback_prints(python):
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
        out, err, status = python(code, server)
        assert ("", 0, {"a"}) == (err, status, set(out))
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)


@pytest.mark.parametrize("status", [503, None])
def test_the_interpreter_ends_while_a_handle_waits(python, status):
    """A handle in the pause before a retry, or waiting for the head, does not hold up the end either."""
    script = ErrorScript(status, retry_after=30) if status else SILENCE
    with ScriptedServer(lambda request: script) as server:
        code = "handle = client.start_stream(request, on_done=print, on_error=print)\ntime.sleep(0.3)\n"
        assert ("", "", 0) == python(code, server)


def test_a_program_that_fails_says_so_once(python):
    """An exception in the loop of a program is the only traceback, and nothing follows it."""
    with ScriptedServer(lambda request: STALL) as server:
        out, err, status = python("for chunk in client.chat_completion_stream(request): 1 / 0\n", server)
    assert ("", 1) == (out, status)
    assert 1 == err.count("Traceback") and err.rstrip().endswith("ZeroDivisionError: division by zero")


def test_ctrl_c_in_a_program():
    """Ctrl-C ends a program that waits for the server, in every style, within a second."""
    styles = ["list(client.chat_completion_stream(request))", "client.chat_completion(request)"]
    styles += ["client.start_stream(request).result()"]
    with ScriptedServer(lambda request: STALL if request.stream else SILENCE) as server:
        for number, style in enumerate(styles, 1):
            child = subprocess.Popen(
                [sys.executable, "-c", BEGIN + style, server.base_url],
                stderr=subprocess.PIPE,
                text=True,
                env=ENVIRONMENT,
            )
            assert server.wait_until(lambda: number == len(server.requests), 5.0)  # noqa: B023 - it ends in this turn
            time.sleep(0.1)
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
        client = server.client()
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
    slow = ChatScript("one two three", interval=0.06)
    fast = ChatScript("for the child")
    with ScriptedServer(slow, fast, fast) as server:
        client = server.client()
        with client.chat_completion_stream(REQUEST) as stream:
            next(stream)
            assert "for the child" == in_a_fork(lambda: client.chat_completion_stream(REQUEST, lambda chunk: None).text)
            assert "for the child" == in_a_fork(lambda: client.start_stream(REQUEST).result(5).text)
            assert "one two three" == "".join(stream.text_stream())
        assert [1, 2, 3] == sorted(request.connection for request in server.requests)


@FORKS
def test_a_child_does_not_harm_a_handle_of_its_parent():
    """A child that cancels, or drops, the handle that it inherited does not end the parent's."""
    with ScriptedServer(ChatScript("one two three", interval=0.06)) as server:
        begun = threading.Event()
        handle = server.client().start_stream(REQUEST, lambda chunk: begun.set())
        assert begun.wait(5)
        assert "True" == in_a_fork(handle.cancel)
        assert "one two three" == handle.result(5).text


@FORKS
def test_a_fork_in_the_middle_of_a_call():
    """A child can ask although another thread held the lock of the client's transport when it was forked."""
    with ScriptedServer(lambda request: ChatScript("Hi")) as server:
        client = server.client()
        client.chat_completion_stream(REQUEST, lambda chunk: None)
        with client._sender.transport._lock:
            assert "Hi" == in_a_fork(lambda: client.chat_completion_stream(REQUEST, lambda chunk: None).text)
