"""aimock, a mock of OpenAI's API by other authors: https://github.com/CopilotKit/aimock.

It runs in a process of its own with the fixtures beside this file, and takes the key "test" alone. A fixture is chosen
by a piece of the last user message, so each test asks a question of its own.
"""

import http.client
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from calls import hard_limit  # noqa: F401
from compatapi import Client

HERE = Path(__file__).parent
#: Seconds that node may need to start on a busy machine.
START_LIMIT = 60
END_LIMIT = 10


@pytest.fixture(scope="session")
def aimock():
    """The URL of the running server."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("node is not on the PATH; these tests need Node.js 20.15 or later")
    if not (HERE / "node_modules" / "@copilotkit" / "aimock").is_dir():
        pytest.fail("aimock is not installed; run: npm install --prefix tests/servers")
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [node, "server.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield _wait_for_url(process, log)
        finally:
            _end(process)


def _wait_for_url(process, log):
    """Read the line that says where the server listens, and see that it answers there."""
    alarm = threading.Timer(START_LIMIT, process.kill)
    alarm.start()
    try:
        url = process.stdout.readline().strip()
    finally:
        alarm.cancel()
    if not url:
        process.wait()
        log.seek(0)
        pytest.fail(f"aimock did not start:\n{log.read()}")
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=START_LIMIT)
    try:
        connection.request("GET", "/health")
        assert 200 == connection.getresponse().status
    finally:
        connection.close()
    return url


def _end(process):
    process.stdin.close()
    try:
        process.wait(END_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


@pytest.fixture
def client(aimock):
    """A client for the server that tries once only."""
    with Client(base_url=f"{aimock}/v1", api_key="test", max_retries=0) as client:
        yield client
