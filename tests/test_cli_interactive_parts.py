"""The parts of a conversation on a terminal: blocks of Markdown, the painted screen, files."""

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from compatapi import Message, from_json
from compatapi.cli.app import app
from compatapi.cli.blocks import markdown, split, tail
from compatapi.cli.chat import _conversation_view
from compatapi.cli.commands import _COMMANDS
from compatapi.cli.conversation import Conversation, Question, save
from compatapi.cli.failures import Failure
from compatapi.cli.history import holds_key, open_history, state_folder
from compatapi.cli.screen import Screen
from compatapi.cli.session import Session

PIECES = st.lists(
    st.sampled_from(
        [
            "# ",
            "- ",
            "1. ",
            "> ",
            "```\n",
            "~~~\n",
            "    ",
            "\n",
            "\n\n",
            "| a | b |\n|---|:-:|\n",
            "|",
            "---\n",
            "**",
            "*",
        ]
        + [
            "`",
            "[",
            "](u)",
            "![",
            "<b>",
            "<div>\n",
            "</div>",
            "[1]: r\n",
            "&lt;",
            "\\",
            "word ",
            "zwei ",
            "=\n",
            "\t",
            "漢",
        ]
    ),
    max_size=25,
)


def shown(text):
    console = Console(width=60, highlight=False, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(markdown(text))
    return re.sub(r"\x1b\[[\d;]*m", "", captured.get())


@given(PIECES)
def test_a_finished_block_never_changes(pieces):
    """Nothing is lost by splitting, and what was finished once is how every longer text begins as well."""
    finished = []
    for end in range(len(pieces) + 1):
        text = "".join(pieces[:end])
        blocks = split(text)
        assert text == "".join(blocks)
        assert finished == blocks[: len(finished)]
        finished = blocks[:-1]


@given(PIECES)
def test_rendering_shows_every_word(pieces):
    """No kind of block swallows words, but for the language behind the fence of code."""
    text = "".join(pieces)
    wanted = re.sub(r"(?m)(`{3,}|~{3,}).*$", "", text)
    seen = re.sub(r"\s", "", shown(text))
    for word in ("word", "zwei", "div", "漢"):
        assert seen.count(word) >= wanted.count(word)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", [""]),
        ("\n", ["\n"]),
        ("One.\n\nTwo.", ["One.\n\nTwo."]),
        ("One.\n\nTwo.\n", ["One.\n\n", "Two.\n"]),
        ("One.\n#", ["One.\n#"]),
        ("One.\n#tag\n", ["One.\n#tag\n"]),
        ("One.\n# Head\n\n- a\n", ["One.\n", "# Head\n\n", "- a\n"]),
        ("```\n# a\n\nb\n", ["```\n# a\n\nb\n"]),
        ("- a\n\n- b\n", ["- a\n\n- b\n"]),
    ],
)
def test_only_whole_lines_end_a_block(text, blocks):
    """A block is open until the line that begins the next one is whole."""
    assert blocks == split(text)


def test_the_end_of_the_text_ends_a_line():
    """A text that is whole has whole lines, whatever its last character is."""
    assert ["One.\n", "# Head"] == split("One.\n# Head", is_whole=True)


def test_the_tail_of_a_block_is_of_its_kind():
    """The end of long code is still code, and that of a table a table; a short block is not cut."""
    assert "```py\n8\n9\n" == tail("```py\n" + "".join(f"{number}\n" for number in range(10)), 2)
    assert "|a|\n|-|\n|8|\n|9|\n" == tail("|a|\n|-|\n" + "".join(f"|{number}|\n" for number in range(10)), 2)
    assert "8\n9\n" == tail("".join(f"{number}\n" for number in range(10)), 2)
    assert "a\nb" == tail("a\nb", 2)


def test_only_what_differs_is_painted(capsys):
    """Lines that stay as they are are not written again, nor is anything if nothing has changed."""
    screen = Screen()
    painted = []
    for final, live in [([], ["a", "b"]), ([], ["a", "b"]), ([], ["a", "bc"]), (["a", "bc"], ["d"]), (["d"], [])]:
        screen.paint(final, live, 80)
        painted.append(capsys.readouterr().out.replace("\x1b[?7l", "").replace("\x1b[?7h", ""))
    assert ["a\nb\n", "", "\x1b[1A\r\x1b[Jbc\n", "d\n", ""] == painted


def test_a_narrower_window_makes_more_rows(capsys):
    """After the window became narrower the rows are counted that its lines take now, without their styles."""
    screen = Screen()
    screen.paint([], ["\x1b[1m" + "x" * 70 + "\x1b[0m", "", "漢" * 10], 80)
    capsys.readouterr()
    screen.paint([], ["y"], 30)
    assert "\x1b[5A\r\x1b[J" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["sk-abc123DEF456ghi789jkl0", "(gsk_0123456789abcdefghijk)", "AIzaSy0123456789abcdefghijklmno"]
)
def test_what_looks_like_a_key_is_one(text):
    """The usual forms of keys are known, whoever issued them."""
    assert holds_key(f"use {text} please", [])


@pytest.mark.parametrize("text", ["a-well-known-and-rather-long-compound-word", "see the file main_2.py", "gpt-5-mini"])
def test_usual_words_are_no_keys(text):
    """Long words and names with digits are kept."""
    assert not holds_key(text, ["other"])


def test_each_system_has_its_place_for_state(monkeypatch, tmp_path):
    """The folder is the one of the system; a path in XDG_STATE_HOME that is not absolute does not count."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "AppData"))
    found = []
    for platform, named in (("linux", ""), ("linux", "here"), ("linux", "/x"), ("darwin", "/x"), ("win32", "/x")):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setenv("XDG_STATE_HOME", named)
        found.append(str(state_folder()).replace(str(tmp_path), "~"))
    local = "~/.local/state/compatapi"
    assert [local, local, "/x/compatapi", "~/Library/Application Support/compatapi", "~/AppData/compatapi"] == found


def test_a_long_history_is_cut_at_a_prompt(monkeypatch, tmp_path):
    """The younger half of a history that has grown too long is kept, in whole prompts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    file = tmp_path / "compatapi" / "history"
    open_history()
    file.write_text("".join(f"\n# time\n+prompt {number}\n+{'x' * 1000}\n" for number in range(1200)))
    texts = list(open_history().load_history_strings())
    assert 450 < len(texts) < 550
    assert f"prompt 1199\n{'x' * 1000}" == texts[0]
    assert re.fullmatch(r"prompt \d+\nx{1000}", texts[-1])
    assert 0o600 == file.stat().st_mode & 0o777


def test_a_conversation_is_saved_as_the_name_says(tmp_path):
    """.md is Markdown, every other ending one message of JSON on each line; a file that is there is not replaced."""
    talk = Conversation("Be brief")
    talk.keep(Question("One?", ()), "# Yes\n")
    assert "Markdown" == save(talk.messages(), tmp_path / "talk.MD")
    text = "## System\n\nBe brief\n\n## Question\n\nOne?\n\n## Answer\n\n# Yes\n"
    assert text == (tmp_path / "talk.MD").read_text()
    file = tmp_path / "talk.jsonl"
    assert "JSON lines" == save(talk.messages(), file)
    assert talk.messages() == [from_json(Message, line) for line in file.read_bytes().splitlines()]
    with pytest.raises(FileExistsError):
        save([], file)
    save([], file, replace=True)
    assert b"" == file.read_bytes()


def test_every_option_and_command_is_on_its_page():
    """The page of the command line names all options of all commands, and all that may be typed in a conversation."""
    page = (Path(__file__).parents[1] / "docs" / "command-line.md").read_text(encoding="utf-8")
    options = {name for command in app.commands.values() for option in command.params for name in option.opts}
    wanted = {*(name for name in options if name.startswith("--")), *_COMMANDS}
    assert set() == {name for name in wanted if f"`{name}" not in page}


def test_a_conversation_without_its_package_says_what_to_install(monkeypatch):
    """Without prompt_toolkit the program says so in one line, when a conversation is to begin."""
    from compatapi import ChatCompletionRequest, Client

    monkeypatch.delitem(sys.modules, "compatapi.cli.keyboard", raising=False)
    monkeypatch.setitem(sys.modules, "prompt_toolkit", None)
    session = Session(
        Client("demo"),
        ChatCompletionRequest("m", ()),
        Conversation(),
        _conversation_view(plain=True, show_reasoning=True),
    )
    with pytest.raises(Failure, match=r"needs prompt_toolkit; install compatapi\[cli\]"):
        session.run()
