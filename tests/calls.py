"""What the tests of the client share: clients, requests, answers, threads, and a limit on every test."""

import faulthandler
import gc
import os
import signal
import socket
import ssl
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.client import Client
from compatapi.testing import chat_completion
from loopback import CERTIFICATE

#: Seconds. A test that takes longer hangs.
HARD_LIMIT = 20
#: Seconds that a thread on a busy machine may need to notice what happened.
NOISE = 0.3
REQUEST = ChatCompletionRequest("m", [Message.user("hello")])
COMPLETION = chat_completion("Hello there!")
TOLD = "The key that must not be shown".replace(" ", "-")


@pytest.fixture(autouse=True)
def hard_limit():
    """A test that hangs fails, and shows where each thread is."""

    def give_up(_signal, _frame):
        faulthandler.dump_traceback(sys.__stderr__)
        pytest.fail(f"the test took longer than {HARD_LIMIT} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, HARD_LIMIT)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def client_of(server, **options):
    """A client for a server, or for a base URL, that tries once only."""
    return Client(base_url=getattr(server, "base_url", server), **{"max_retries": 0, **options})


def error_of(kind, function, *args, **options):
    """The error that a call raises, which has to be of this very class."""
    with pytest.raises(kind) as caught:
        function(*args, **options)
    assert kind is type(caught.value), repr(caught.value)
    return caught.value


def timed(function, *args):
    """Seconds that a call takes, and what it returns."""
    began = time.monotonic()
    result = function(*args)
    return time.monotonic() - began, result


def eventually(condition, timeout=1.0):
    """Whether something becomes true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class Running(threading.Thread):
    """A function in a thread of its own; `result` waits for what it returned, or raises what it raised."""

    def __init__(self, function, *args):
        super().__init__(daemon=True)
        self._function, self._args = function, args
        self._value = self._error = self.ended = None
        self.start()

    def run(self):
        try:
            self._value = self._function(*self._args)
        except BaseException as error:
            self._error = error
        self.ended = time.monotonic()

    def result(self, timeout=5.0):
        self.join(timeout)
        assert not self.is_alive(), "the thread hangs"
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # else error, traceback and frame keep each other
        return self._value


def server_context():
    """TLS for a server, with the certificate of the fixtures."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


@contextmanager
def deaf_listener():
    """The port of a listener that accepts nobody and whose queue is full, so that connecting takes forever."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(8):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
            waiting.append(sock)
        time.sleep(0.02)
        try:
            yield listener.getsockname()[1]
        finally:
            for sock in waiting:
                sock.close()


def open_files():
    """How many file descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))


def settled():
    """Throw away what is garbage already."""
    for _ in range(3):
        gc.collect()
