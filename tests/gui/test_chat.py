"""The chat programs of examples/ in a real window: keys typed, buttons clicked, widgets read."""

import re

import pytest

from compatapi.testing import ChatScript, DemoServer, ErrorScript, ModelsScript, ScriptedServer
from compatapi.testing.demo_texts import HELLO, POEM, STORY
from compatapi.testing.faults import Cut, Stall
from gui.playing import EXAMPLES, first_good, play

BOTH = pytest.mark.parametrize("toolkit", ["tk", "qt"])
#: Seconds in which a window has to react to a click.
SOON = 0.1
#: Pieces per second of the demo: a quick model.
SPEED = 100


def asked(server):
    """What the program asked the server to say, in order."""
    return [request.json_object() for request in server.requests if request.method == "POST"]


def scripted(script):
    """A server with one model and this answer to every question."""
    return ScriptedServer(lambda request: ModelsScript("scripted") if request.operation == "models" else script)


@BOTH
def test_a_whole_answer(toolkit, environment):
    """A question typed and sent with Enter is answered while the window lives; the text grows and the rate is told."""
    with DemoServer(speed=SPEED) as server:
        variables = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "test"}
        notes = play(toolkit, "whole", environment, "openai", **variables)
    assert ["demo-story", "demo-reasoner", "demo-embedding"] == notes["models"]
    assert [False, True, ""] == notes["enabled"]
    assert len(notes["sizes"]) > 20
    assert f"You\nTell me a story\ndemo-story\n{STORY}" == notes["text"].strip()
    assert re.search(r"\d+ tokens, \d+ per second", " ".join(notes["labels"])), notes["labels"]


@BOTH
def test_a_conversation(toolkit, environment):
    """System prompt and earlier turns are sent along, reasoning is shown dimmed and not sent back."""
    with DemoServer(speed=1000) as server:
        notes = play(toolkit, "conversation", environment, "--base-url", server.base_url)
        first, second = asked(server)
    turns = [("system", "Be brief."), ("user", "Write a poem"), ("assistant", POEM), ("user", "Hello")]
    assert turns[:2] == [(message["role"], message["content"]) for message in first["messages"]]
    assert turns == [(message["role"], message["content"]) for message in second["messages"]]
    assert ({"role", "content"}, "demo-reasoner") == (set(second["messages"][2]), second["model"])
    assert (POEM in notes["text"], HELLO in notes["text"], "") == (True, True, notes["cleared"].strip())
    assert ("#8b93a1", True) == (notes["reasoning"]["color"], notes["reasoning"]["italic"])
    assert not notes["answer"]["italic"]


@BOTH
def test_stop_in_mid_answer(toolkit, environment):
    """The window reacts to Stop at once; the text so far stays, is kept in the conversation, and nothing is added."""

    def measure():
        with DemoServer(speed=SPEED) as server:
            notes = play(toolkit, "stop", environment, "--base-url", server.base_url)
            assert server.wait_until(lambda: server.open_connections == 0, 2.0)
            return {**notes, "partial": asked(server)[1]["messages"][1]["content"]}

    notes = first_good(measure, lambda notes: notes["seconds"] < SOON)
    partial = notes["partial"]
    assert notes["seconds"] < SOON, notes["seconds"]
    assert notes["text"].startswith(notes["before"])
    assert notes["text"].strip().endswith("Stopped.")
    assert notes["text"] == notes["later"]
    assert STORY.startswith(partial)
    assert partial in notes["text"]
    assert 50 < len(partial) < len(STORY)


@BOTH
@pytest.mark.parametrize("said", ["", "Hi there"])
def test_a_server_that_stalls(toolkit, said, environment):
    """While a server is silent the window lives and says so; Stop gives the question back, or keeps the text."""

    def measure():
        with scripted(ChatScript(said, fault=Stall(after=2))) as server:
            notes = play(toolkit, "stall", environment, "--base-url", server.base_url, "--model", "m")
            assert server.wait_until(lambda: server.open_connections == 0, 2.0)
        return notes

    notes = first_good(measure, lambda notes: notes["seconds"] < SOON)
    assert notes["beats"] > 20, notes
    assert notes["seconds"] < SOON, notes
    assert bool(said) == any("About" in label for label in notes["labels"])
    assert bool(said) != any("Waiting, " in label for label in notes["labels"]), notes
    assert ("" if said else "Hello", said in notes["text"]) == (notes["prompt"].strip(), True)


@BOTH
def test_a_server_that_refuses(toolkit, environment):
    """An error is shown in the window in the server's words, and the question comes back into the prompt."""
    with scripted(ErrorScript(401, "Your key opens no door.", code="invalid_api_key")) as server:
        notes = play(toolkit, "fail", environment, "--base-url", server.base_url)
    assert "Your key opens no door." in notes["text"]
    assert "Hello" == notes["prompt"].strip()


@BOTH
def test_a_server_that_breaks_off(toolkit, environment):
    """An error in mid-answer is shown below the text that came before it."""
    with scripted(ChatScript("Hi there", fault=Cut(after=2))) as server:
        notes = play(toolkit, "fail", environment, "--base-url", server.base_url)
    assert re.search(r"Hi there\n+The connection was closed", notes["text"]), notes["text"]
    assert "" == notes["prompt"].strip()


@BOTH
@pytest.mark.parametrize("scenario", ["leave", "leave_early"])
def test_closing_the_window(toolkit, scenario, environment):
    """A window that is closed in mid-answer, or before it, ends the stream: no thread, no complaint, no connection."""
    with DemoServer(speed=SPEED if scenario == "leave" else 0.01) as server:
        notes = play(toolkit, scenario, environment, "--base-url", server.base_url, "--model", "demo-story")
        assert server.wait_until(lambda: server.open_connections == 0, 2.0)
    assert notes["thread_seconds"] < 0.5, notes


@pytest.mark.parametrize("toolkit", ["tk"])
def test_the_progress_bar(toolkit, environment):
    """The bar of the ten-line program moves in steps of frames, and the answer is printed at the end."""
    with DemoServer(speed=300) as server:
        variables = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "test"}
        arguments = ("openai", "demo-story")
        notes = play(toolkit, "watch", environment, *arguments, program="tk_progress.py", **variables)
    assert (len(notes["steps"]) > 10, sorted(notes["steps"])) == (True, notes["steps"])


@pytest.mark.parametrize("name", ["tk_chat.py", "qt_chat.py"])
def test_the_chats_are_small(name):
    """Each of the two programs has under 200 lines."""
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 200
