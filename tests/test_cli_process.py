"""The command line as people run it: processes, pipes, signals, terminals."""

import math
import subprocess
import sys
import time

import pytest

from compatapi import ChatCompletionChunk, from_json, to_json
from compatapi.testing import ChatScript, DemoServer, Reply, ScriptedServer
from programs import RUN, Program, Terminal, run

STORY_START = "# The lamp that learned to wait"


@pytest.fixture(scope="module")
def demo():
    with DemoServer(speed=60) as server:
        yield server


@pytest.fixture(scope="module")
def fast():
    with DemoServer(speed=math.inf) as server:
        yield server


@pytest.fixture(scope="module")
def slow():
    with DemoServer(speed=20) as server:
        yield server


def ask(server, *args):
    return ("chat", "--base-url", server.base_url, "--model", "demo-story", *args)


def test_pieces_appear_one_by_one(demo, tmp_path):
    """Text is written when it arrives, without waiting for the end of a line or of the answer."""
    with Program(tmp_path, *ask(demo, "--max-tokens", "36", "Tell me a story")) as program:
        status, out, _ = program.finish()
    assert 0 == status
    assert out.startswith(STORY_START) and out.endswith("\n")
    # 60 pieces in a second; a machine that is busy may join some of them.
    assert len(program.pieces) >= 12
    assert program.pieces[-1][0] - program.pieces[0][0] >= 0.3


def test_the_demo_needs_no_key_and_no_server(tmp_path):
    """--demo and --provider demo answer by themselves, whatever model the environment names."""
    for wanted in (["--demo"], ["--provider", "demo"]):
        status, out, err = run(tmp_path, "chat", *wanted, "--max-tokens", "3", "Hi", COMPATAPI_MODEL="gpt-none")
        assert (0, "Hello! I am\n") == (status, out), err
        assert "3 tokens, first after" in err


def test_ctrl_c_keeps_what_came(slow, tmp_path):
    """SIGINT in mid-answer ends the program within a second, with what came, the numbers and status 130."""
    with Program(tmp_path, *ask(slow, "Tell me a story")) as program:
        program.wait_for("learned")
        assert program.interrupt() < 1.0
        status, out, err = program.finish()
    assert 130 == status
    assert out.startswith("# The lamp that learned") and out.endswith("\n") and "The end" not in out
    assert err.startswith("stopped: about ") and 1 == err.count("\n")


@pytest.mark.parametrize("model", ["demo-story", None])
def test_ctrl_c_before_the_answer(tmp_path, model):
    """SIGINT while nothing has come yet, to the question or to the list of models, ends the program as quietly."""
    with ScriptedServer(Reply(delay=math.inf)) as server:
        named = ["--model", model] if model else []
        with Program(tmp_path, "chat", "--base-url", server.base_url, *named, "Hi") as program:
            assert server.wait_until(lambda: server.requests, 10)
            time.sleep(0.1)
            assert program.interrupt() < 1.0
            status, out, err = program.finish()
    assert (130, "") == (status, out)
    assert "Traceback" not in err and err.count("\n") <= 1


def test_ctrl_c_ends_the_embedded_demo_as_fast(tmp_path):
    """The server inside the program does not hold up its end."""
    with Program(tmp_path, "chat", "--demo", "Tell me a story") as program:
        program.wait_for("#")
        assert program.interrupt() < 1.0
        assert 130 == program.finish()[0]


def test_a_broken_pipe_is_quiet(demo, tmp_path):
    """A reader that has seen enough ends the program, without a word."""
    with Program(
        tmp_path, "-c", f"{' '.join(RUN)} {' '.join(ask(demo, 'story'))} | head -1", command=["sh"]
    ) as program:
        started = time.monotonic()
        status, out, err = program.finish()
    assert (0, f"{STORY_START}\n", "") == (status, out, err)
    assert time.monotonic() - started < 3.5


def test_a_full_disk_is_one_line(tmp_path):
    """An answer that cannot be written is an error like others."""
    with Program(tmp_path, "-c", f"{' '.join(RUN)} chat --demo Hi >/dev/full", command=["sh"]) as program:
        status, _, err = program.finish()
    assert (1, "compatapi: Cannot write the answer: No space left on device\n") == (status, err)


def test_a_closed_output_is_no_error(tmp_path):
    """Without a standard output the numbers are still told."""
    with Program(tmp_path, "-c", f"{' '.join(RUN)} chat --demo --max-tokens 2 Hi >&-", command=["sh"]) as program:
        status, _, err = program.finish()
    assert 0 == status and err.startswith("2 tokens")


def test_the_prompt_may_come_through_a_pipe(fast, tmp_path):
    """What is piped in is the prompt, in any language, and letters that are none are replaced."""
    with Program(tmp_path, *ask(fast), stdin=subprocess.PIPE) as program:
        program.process.stdin.write("Grüße, 世界 ".encode() + b"\xff")
        program.process.stdin.close()
        status, out, err = program.finish()
    assert 0 == status, err
    assert "> Grüße, 世界 \ufffd" in out


def test_json_lines_are_exactly_the_chunks(fast, tmp_path):
    """Each line of --json is what to_json makes of the chunk that from_json reads from it."""
    status, out, _ = run(tmp_path, *ask(fast, "--json", "--max-tokens", "5", "Hi"))
    lines = out.encode().splitlines()
    assert 0 == status and len(lines) >= 6
    assert lines == [to_json(from_json(ChatCompletionChunk, line)) for line in lines]
    assert "Hello! I am the demo" == "".join(from_json(ChatCompletionChunk, line).text for line in lines)


def test_missing_packages_are_one_line(tmp_path):
    """Without click or rich the program says what to install."""
    for name in ("click", "rich"):
        code = f"import sys; sys.modules[{name!r}] = None; from compatapi.cli import main; main()"
        status, out, err = run(tmp_path, "-c", code, command=[sys.executable])
        assert (1, "") == (status, out)
        assert "compatapi[cli]" in err and 1 == err.count("\n")


# --- on a terminal


def test_a_terminal_obeys_no_answer(tmp_path):
    """Escape sequences of a server are shown on a terminal, in the answer, in its JSON, in the model's name."""
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m"
    for options in ((), ("--json",)):
        with (
            ScriptedServer(ChatScript(f"So {evil} so", model=evil)) as server,
            Terminal(tmp_path, "chat", "--base-url", server.base_url, "-m", "x", *options, "Hi") as terminal,
        ):
            status, _ = terminal.finish()
        assert 0 == status
        for bad in ("\x1b]", "\x1b[2J", "\x07", "\x9b"):
            assert bad not in terminal.raw
        assert "so" in terminal.raw


def test_reasoning_is_dimmed_on_a_terminal(fast, tmp_path):
    """Reasoning is told from the answer by its looks, and NO_COLOR turns the looks off."""
    options = ask(fast, "--reasoning-effort", "low", "--show-reasoning", "Hi")
    with Terminal(tmp_path, *options) as terminal:
        _, shown = terminal.finish()
    assert "\x1b[2mThe" in terminal.raw and "\x1b[2mHello" not in terminal.raw
    assert "That should do.\n\nHello!" in shown
    with Terminal(tmp_path, *options, NO_COLOR="1") as terminal:
        terminal.finish()
    assert "\x1b[" not in terminal.raw


def test_lists_are_tables_on_a_terminal(fast, tmp_path):
    """On a terminal models and providers are tables with heads, and no name in them is cut."""
    with Terminal(tmp_path, "models", "--base-url", fast.base_url, COLUMNS="40") as terminal:
        status, shown = terminal.finish()
    assert 0 == status and "Owner" in shown and "demo-reasoner" in shown
    with Terminal(tmp_path, "providers", COLUMNS="120", GROQ_API_KEY="not-to-be-shown") as terminal:
        status, shown = terminal.finish()
    assert 0 == status and "Base URL" in shown and "GROQ_API_KEY" in shown
    assert "not-to-be-shown" not in shown
