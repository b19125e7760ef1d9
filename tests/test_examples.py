"""The programs in examples/ do what they say, as a reader would start them."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compatapi.testing import DemoServer
from compatapi.testing.demo_texts import HELLO, POEM

EXAMPLES = Path(__file__).parents[1] / "examples"

# The poem up to the piece with which it fills a screen of 100 characters.
STOPPED = POEM[: POEM.index(" ", 100)]

# What each prints on stdout, and the model that it needs.
EXPECTED = {
    "stream.py": ("demo-story", [POEM]),
    "callback.py": ("demo-story", [f"{STOPPED}\n({len(STOPPED)} characters by demo-story)"]),
    "blocking.py": ("demo-story", ["> Hello", HELLO, "> Write a poem", POEM]),
    "tools.py": ("demo-story", ['[get_weather({"city":"Rome"})', "**celsius**: 21"]),
    "errors.py": ("demo-error-cut", ["ConnectionLost: ", "What came before: '# The lamp"]),
}


@pytest.fixture(scope="module")
def demo():
    """A demo server without pauses."""
    with DemoServer(speed=math.inf) as server:
        yield server


def run_example(name, *arguments, **environment):
    """Run an example as a program of its own; return the finished process."""
    command = [sys.executable, "-X", "utf8", "-W", "error", str(EXAMPLES / name), *arguments]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment}
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", timeout=60)


# These open a window; tests/gui drives them.
WINDOWS = ["qt_chat.py", "tk_chat.py", "tk_progress.py"]


def test_every_example_is_tested():
    """No program in examples/ is left out here or in tests/gui."""
    assert sorted([*EXPECTED, *WINDOWS]) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_prints_what_it_is_about(name, demo):
    """An example that is given a provider and a model talks to them and prints the answer."""
    model, texts = EXPECTED[name]
    done = run_example(name, "openai", model, OPENAI_BASE_URL=demo.base_url, OPENAI_API_KEY="test")
    assert ("", 0) == (done.stderr if name != "stream.py" else "", done.returncode), done.stderr
    assert [] == [text for text in texts if text not in done.stdout], done.stdout


def test_an_example_needs_no_key_and_no_network():
    """Without arguments an example talks to the server inside the library."""
    done = run_example("callback.py")
    assert 0 == done.returncode, done.stderr
    assert STOPPED in done.stdout


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_says_in_one_line_what_went_wrong(name):
    """An unknown provider ends an example with a message and status 1, without a traceback."""
    done = run_example(name, "no-such-provider", "some-model")
    assert (1, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert "no-such-provider" in done.stderr
