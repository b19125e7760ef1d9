"""A conversation on a terminal: what is sent, what is kept, and what Ctrl-C does."""

import math
import threading

import pytest

from commands import KEY
from compatapi.testing import (
    ChatAnswer,
    ChatScript,
    DemoServer,
    ErrorScript,
    ModelsScript,
    Reply,
    ScriptedServer,
    StreamReply,
)
from programs import CTRL_C
from screens import ALT_ENTER, UP, ScreenTerminal


@pytest.fixture(scope="module")
def slow():
    with DemoServer(speed=20) as server:
        yield server


def talk(server, folder, *options, **env):
    return ScreenTerminal(folder, "chat", "--base-url", server.base_url, "-m", "tiny", *options, **env)


def sent(server, number=-1):
    return server.requests[number].json_object()["messages"]


def prompts(server):
    """The text of the last message of each request."""
    return [request.json_object()["messages"][-1]["content"] for request in server.requests if request.method == "POST"]


def test_a_conversation_keeps_what_was_said(tmp_path):
    """The second question is sent with the first one and its answer; commands and empty lines are not sent."""
    with (
        ScriptedServer(ChatScript("First answer."), ChatScript("Second answer.")) as server,
        talk(server, tmp_path, "-s", "Be brief") as terminal,
    ):
        terminal.see("Talking to tiny")
        terminal.say("One?", "", "/help", "/nothing", "/etc/hosts?", "/reset", "/retry")
        assert 0 == terminal.quit()
        for text in (
            "First answer.",
            "Second answer.",
            "/quit",
            "no command /nothing",
            "forgotten",
            "Nothing was asked",
        ):
            assert text in terminal.text
        assert [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "First answer."},
            {"role": "user", "content": "/etc/hosts?"},
        ] == sent(server)
        assert 2 == len(server.requests)


def test_ctrl_c_stops_the_answer_only(slow, tmp_path):
    """Ctrl-C, once or twice, stops an answer, which stays in the conversation; at the prompt it does no harm."""
    with ScreenTerminal(tmp_path, "chat", "--base-url", slow.base_url, "-m", "demo-story") as terminal:
        terminal.prompt()
        terminal.type("Tell me a story\r")
        terminal.see("learned")
        terminal.type(CTRL_C)
        terminal.type(CTRL_C)
        terminal.see("stopped: about")
        terminal.prompt()
        terminal.type("not to be sent" + CTRL_C)
        terminal.see("Ctrl-D ends the conversation")
        terminal.prompt()
        terminal.type("Hi\r")
        terminal.see("Hello!")
        terminal.type(CTRL_C)
        assert 0 == terminal.quit()
        assert terminal.echoes
    messages = sent(slow)
    assert ["user", "assistant", "user"] == [message["role"] for message in messages]
    assert messages[1]["content"].startswith("# The lamp that learned")
    assert "Hi" == messages[2]["content"]


def test_ctrl_c_stops_a_server_that_says_nothing(tmp_path):
    """Without any answer the question is not kept; what is listed is given up as well."""
    never = Reply(delay=math.inf)
    with ScriptedServer(never, never, ChatScript("Yes.")) as server, talk(server, tmp_path) as terminal:
        for number, line in enumerate(("One?", "/model"), 1):
            terminal.prompt()
            terminal.type(f"{line}\r")
            assert server.wait_until(lambda number=number: len(server.requests) == number, 10)
            terminal.type(CTRL_C)
        terminal.say("Two?")
        assert 0 == terminal.quit()
        assert "not kept" in terminal.text
        assert [{"role": "user", "content": "Two?"}] == sent(server)


def test_an_error_does_not_end_a_conversation(tmp_path):
    """A question that the server refuses is told in one line and not kept; /retry asks it again."""
    refusal = ErrorScript(400, f"no {KEY}")
    with (
        ScriptedServer(refusal, refusal, ChatScript("Yes.")) as server,
        talk(server, tmp_path, "-p", "groq", GROQ_API_KEY=KEY) as terminal,
    ):
        terminal.say("One?", "Two?", "/retry")
        assert 0 == terminal.quit()
        assert 2 == terminal.text.count("compatapi: HTTP 400: no ***")
        assert 2 == terminal.text.count("not kept; /retry asks it again")
        assert "Yes." in terminal.text and KEY not in terminal.raw
        assert [{"role": "user", "content": "Two?"}] == sent(server)


def test_retry_drops_the_last_answer(tmp_path):
    """/retry sends the same as before, and its answer takes the place of the last one, unless there is none."""
    with (
        ScriptedServer(
            ChatScript("First."), ChatScript("Bad."), ChatScript("Good."), ErrorScript(400, "no"), ChatScript("End.")
        ) as server,
        talk(server, tmp_path) as terminal,
    ):
        terminal.say("One?", "Two?", "/retry", "/retry", "Three?")
        assert 0 == terminal.quit()
        assert sent(server, 1) == sent(server, 2) == sent(server, 3)
        assert ["One?", "First.", "Two?", "Good.", "Three?"] == [message["content"] for message in sent(server)]


def test_what_is_typed_into_an_answer_waits(tmp_path):
    """Keys pressed during an answer do not garble it, and are read by the next prompt."""
    typed = threading.Event()

    def events():
        for chunk in ChatAnswer("First and last.").chunks():
            yield chunk
            if " and" in str(chunk):
                typed.wait(10)

    with ScriptedServer(StreamReply(events()), ChatScript("Yes.")) as server, talk(server, tmp_path) as terminal:
        terminal.prompt()
        terminal.type("One?\r")
        terminal.see("First and")
        assert not terminal.echoes
        terminal.type("Two?\r")
        typed.set()
        terminal.see("Yes.")
        assert 0 == terminal.quit()
        assert "\n\nFirst and last.\n\n" in terminal.text and 1 == terminal.text.count("> Two?\n")
        assert ["One?", "Two?"] == prompts(server)


def test_a_question_may_have_several_lines(tmp_path):
    """Alt-Enter and Enter behind a backslash begin a new line, and what is pasted keeps its lines."""
    with ScriptedServer(*[ChatScript("Yes.")] * 2) as server, talk(server, tmp_path) as terminal:
        terminal.prompt()
        terminal.type(f"one\\\rtwo{ALT_ENTER}three\r")
        terminal.see("Yes.")
        terminal.prompt()
        terminal.type("\x1b[200~four\r\nfive\nsix\x1b[201~\r")
        terminal.wait_until(lambda: terminal.text.count("Yes.") == 2, "answered")
        assert 0 == terminal.quit()
        assert "> one\n  two\n  three\n" in terminal.text
        assert ["one\ntwo\nthree", "four\nfive\nsix"] == prompts(server)


def test_arrow_up_brings_earlier_prompts_back(tmp_path):
    """Earlier prompts come back, those of an earlier conversation too, from a file that only its owner can read."""
    with ScriptedServer(*[ChatScript("Yes.")] * 4) as server:
        with talk(server, tmp_path) as terminal:
            terminal.say("First?", "Second\\\rquestion?")
            terminal.type(UP * 3)
            terminal.wait_until(lambda: terminal.lines[-1] == "> First?", "the first")
            terminal.type("\r")
            terminal.wait_until(lambda: len(server.requests) == 3, "asked")
            assert 0 == terminal.quit()
        with talk(server, tmp_path) as terminal:
            terminal.prompt()
            terminal.type(UP * 3 + "\r")
            terminal.see("Yes.")
            assert 0 == terminal.quit()
        assert ["First?", "Second\nquestion?", "First?", "Second\nquestion?"] == prompts(server)
    file = tmp_path / ".local" / "state" / "compatapi" / "history"
    assert 0o600 == file.stat().st_mode & 0o777
    assert 0o700 == file.parent.stat().st_mode & 0o777


def test_no_key_gets_into_the_history(tmp_path):
    """A prompt with a key in it can be had again by arrow-up, and is not in the file."""
    with (
        ScriptedServer(*[ChatScript("Yes.")] * 3) as server,
        talk(
            server, tmp_path, XDG_STATE_HOME=str(tmp_path / "state"), MISTRAL_API_KEY="just-words-and-no-digit"
        ) as terminal,
    ):
        terminal.say("kept", "my key is just-words-and-no-digit", "gsk_0123456789abcdefghijklmn?")
        terminal.type(UP * 2)
        terminal.wait_until(lambda: terminal.lines[-1] == "> my key is just-words-and-no-digit", "the key")
        terminal.type(CTRL_C)
        assert 0 == terminal.quit()
    lines = (tmp_path / "state" / "compatapi" / "history").read_text().splitlines()
    assert ["+kept"] == [line for line in lines if line.startswith("+")]


def test_a_home_that_cannot_be_written_does_no_harm(tmp_path):
    """Without a place for the file the history lasts as long as the conversation."""
    with (
        ScriptedServer(ChatScript("Yes.")) as server,
        talk(server, tmp_path, XDG_STATE_HOME="/dev/null") as terminal,
    ):
        terminal.say("One?")
        terminal.type(UP)
        terminal.wait_until(lambda: terminal.lines[-1] == "> One?", "the question")
        terminal.type(CTRL_C)
        assert 0 == terminal.quit()


def test_commands_change_the_model_and_the_system_prompt(tmp_path):
    """/model lists or switches, /system shows, sets or removes, Tab completes, and what is misspelled gets a hint."""
    models = ModelsScript("tiny", "huge")
    with ScriptedServer(models, models, *[ChatScript("Yes.")] * 2) as server, talk(server, tmp_path) as terminal:
        terminal.say("/modle", "/model", "/mod\t", "/model hugo", "/model huge", "/quit now")
        assert "There is no command /modle; did you mean /model?" in terminal.text
        assert 2 == terminal.text.count("\n* tiny\n  huge\n")
        assert "Talking to hugo (not in the list; did you mean huge?)." in terminal.text
        assert "/quit takes nothing behind it." in terminal.text
        terminal.say("/system", "/system Be brief", "One?", "/system -", "Two?")
        assert 0 == terminal.quit()
        assert 2 == terminal.text.count("There is no system prompt.")
        assert {"role": "system", "content": "Be brief"} == sent(server, 2)[0]
        assert ["user", "assistant", "user"] == [message["role"] for message in sent(server)]
        assert {"huge"} == {request.json_object()["model"] for request in server.requests[2:]}
