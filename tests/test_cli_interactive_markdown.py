"""Answers rendered while they arrive: what is seen on the screen, in between and at the end."""

import math
import threading

import pytest

from compatapi.testing import ChatAnswer, ChatScript, DemoServer, ScriptedServer, StreamReply
from compatapi.testing.faults import Stall
from programs import CTRL_C
from screens import ScreenTerminal


@pytest.fixture(scope="module")
def fast():
    with DemoServer(speed=math.inf) as server:
        yield server


def talk(server, folder, *options, **more):
    return ScreenTerminal(folder, "chat", "--base-url", server.base_url, "-m", "demo-story", *options, **more)


def halted(text, at, go):
    """An answer that pauses behind the piece ``at`` until ``go`` is set."""
    for chunk in ChatAnswer(text).chunks():
        yield chunk
        if at in str(chunk):
            go.wait(10)


def test_markdown_is_rendered_and_reasoning_dimmed(fast, tmp_path):
    """Marks become looks, lines of a poem stay lines, and reasoning stands dimmed above the answer."""
    with talk(fast, tmp_path, "--reasoning-effort", "low") as terminal:
        terminal.say("Write a poem")
        assert 0 == terminal.quit()
    assert "That should\ndo.\n\nSmall packets\n\nA word sets out, and then a word,\nno bigger" in terminal.text
    assert "\x1b[1mSmall packets\x1b[0m" in terminal.raw
    assert "\x1b[2mThe user wants" in terminal.raw


def test_reasoning_can_be_hidden(fast, tmp_path):
    """With --hide-reasoning a conversation shows the answer alone."""
    with talk(fast, tmp_path, "--reasoning-effort", "low", "--hide-reasoning") as terminal:
        terminal.say("Hi")
        assert 0 == terminal.quit()
    assert "Hello! I am the demo" in terminal.text and "The user wants" not in terminal.text


@pytest.mark.parametrize(("options", "env"), [(("--plain",), {}), ((), {"TERM": "dumb"})])
def test_plain_shows_what_was_written(fast, tmp_path, options, env):
    """With --plain, and on a terminal that cannot move its cursor, the marks are shown."""
    with talk(fast, tmp_path, *options, **env) as terminal:
        terminal.prompt()
        terminal.type("Tell me a story\r")
        terminal.see("\n**The end.**\n")
        terminal.see("(demo-story)")
        assert 0 == terminal.quit()
    assert "\n# The lamp that learned to wait\n" in terminal.text


def test_a_block_longer_than_the_screen_is_there_once(tmp_path):
    """While a long block grows its end is seen; then all of it stands there, each line once and no mark of it left."""
    code = "".join(f"line_{number} = {number}\n" for number in range(100))
    go = threading.Event()
    text = f"Before.\n\n```python\n{code}```\n\nAfter."
    with (
        ScriptedServer(StreamReply(halted(text, "line_90", go))) as server,
        talk(server, tmp_path, rows=12, columns=40) as terminal,
    ):
        terminal.prompt()
        terminal.type("Go\r")
        terminal.see("line_90")
        assert "Before." in terminal.text and "line_89 = 89" in terminal.text
        assert "line_70" not in terminal.text
        go.set()
        terminal.prompt()
        assert 0 == terminal.quit()
    begin = terminal.lines.index("Before.")
    shown = [line.strip() for line in terminal.lines[begin : terminal.lines.index("After.") + 1] if line.strip()]
    assert ["Before.", *code.splitlines(), "After."] == shown


@pytest.mark.parametrize("interval", [0.0, 0.005])
def test_the_end_does_not_depend_on_the_way(tmp_path, interval):
    """Each kind of block looks the same in the end, at once or piece by piece, and nothing is left of what was live."""
    text = (
        "## Head\n\nText with **bold**, `code`, [a link](http://x.y/z) and List<String>.\n\n- one\n- two\n  - three\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n> said\n\n<br>\n\n![pic](http://x.y/p.png)\n\n[1]: http://x.y/ref\n\nEnd."
    )
    with (
        ScriptedServer(ChatScript(text, interval=interval)) as server,
        talk(server, tmp_path, rows=10, columns=60) as terminal,
    ):
        terminal.say("Go")
        assert 0 == terminal.quit()
    begin = next(number for number, line in enumerate(terminal.lines) if line.strip() == "Head")
    shown = [" ".join(line.split()) for line in terminal.lines[begin : terminal.lines.index("End.") + 1]]
    rule = next(line for line in shown if line and set(line) <= set("─━"))
    assert [
        *("Head", "", "Text with bold, code, a link (http://x.y/z) and", "List<String>.", ""),
        *("• one", "• two", "• three", "", "a b", rule, "1 2", "", "▌ said", "", "<br>", ""),
        *("!pic (http://x.y/p.png)", "", "[1]: http://x.y/ref", "", "End."),
    ] == shown


def test_the_last_words_before_a_silence_are_seen(tmp_path):
    """What has come is shown although nothing comes after it, and Ctrl-C leaves it there, once."""
    script = ChatScript("One two three four", fault=Stall(after=3))
    with ScriptedServer(script) as server, talk(server, tmp_path) as terminal:
        terminal.prompt()
        terminal.type("Go\r")
        terminal.see("One two three")
        terminal.type(CTRL_C)
        terminal.see("stopped: about 3 pieces")
        assert 0 == terminal.quit()
    assert 1 == terminal.text.count("One two three")


def test_a_terminal_obeys_no_rendered_answer(tmp_path):
    """Escape sequences of a server are shown, also when they come as entities or in the address of a link."""
    evil = "\x1b]0;owned\x07 \x1b[2J &#27;[2J &#155;31m &#7; [text](http://x/\x1b[2J) `\x1b[2J` \x9b31m"
    with ScriptedServer(ChatScript(f"So {evil}\n\n```\n{evil}\n```\n")) as server, talk(server, tmp_path) as terminal:
        terminal.say("Go")
        assert 0 == terminal.quit()
    for bad in ("\x1b]", "\x1b[2J", "\x07", "\x9b"):
        assert bad not in terminal.raw
    assert "So \\x1b]0;owned\\x07" in terminal.text


def test_the_whole_answer_and_its_tool_calls_are_shown(tmp_path):
    """--no-stream renders the answer at once; tool calls stand below the text as a person would write them."""
    script = ChatScript("Let *me* look.", tool_calls=[("look", {"at": "it"})])
    with ScriptedServer(script, script) as server:
        for options in ((), ("--no-stream",)):
            with talk(server, tmp_path, *options) as terminal:
                terminal.say("Go")
                assert 0 == terminal.quit()
            assert '\nLet me look.\n\ntool call: look(at="it")\n' in terminal.text
