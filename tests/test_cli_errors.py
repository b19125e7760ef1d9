"""How the commands fail: one line, no traceback, no key, and what came is kept."""

import pytest

from commands import KEY, invoke
from compatapi.call import Call
from compatapi.testing import ChatScript, ErrorScript, ScriptedServer
from compatapi.testing.faults import Cut, ErrorEvent, Reset, Stall


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (ErrorScript(401, f"Incorrect key: {KEY}"), "HTTP 401: Incorrect key: ***"),
        (ChatScript(fault=ErrorEvent(after=0, message=f"bad\n{KEY}")), "reports an error: bad ***"),
        (ChatScript(fault="html"), "page instead of a stream"),
    ],
)
def test_an_error_is_one_line_without_the_key(script, said):
    """Errors are one line on standard error, exit status 1, and never show a key that the server quotes."""
    with ScriptedServer(script) as server:
        result = invoke("chat", "--provider", "groq", "--base-url", server.base_url, "-m", "x", "Hi", GROQ_API_KEY=KEY)
    assert (1, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith("compatapi: ") and 1 == result.stderr.count("\n")
    assert said in result.stderr
    assert KEY not in result.stderr


def test_an_unknown_provider_is_one_line():
    """A name that is no provider's gets a hint in the words of the command line."""
    result = invoke("chat", "--provider", "opnai", "Hi")
    assert 1 == result.exit_code
    assert "compatapi: There is no provider 'opnai'. Did you mean 'openai'?" in result.stderr
    assert "--base-url" in result.stderr and "Client(" not in result.stderr


def test_a_missing_key_is_one_line():
    """Without a key the message names the option and the variable."""
    result = invoke("chat", "--provider", "groq", "Hi")
    assert 1 == result.exit_code
    assert "--api-key-env or GROQ_API_KEY" in result.stderr


def test_a_refused_connection_is_one_line(monkeypatch):
    """A server that is not there is told in one line, without a traceback."""
    monkeypatch.setattr(Call, "pause", lambda call, seconds: None)
    result = invoke("chat", "--base-url", "http://127.0.0.1:9/v1", "--model", "x", "Hi")
    assert (1, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith("compatapi: No connection") and 1 == result.stderr.count("\n")


@pytest.mark.parametrize("fault", [Cut(after=2), Reset(after=2)], ids=["cut", "reset"])
def test_what_came_before_an_error_is_kept(fault):
    """A server that breaks off in mid-answer leaves the text, a line end, and one line that says what happened."""
    with ScriptedServer(ChatScript("Once upon", fault=fault)) as server:
        result = invoke("chat", "--base-url", server.base_url, "-m", "x", "Hi")
    assert (1, "Once upon\n") == (result.exit_code, result.stdout)
    assert result.stderr.startswith("compatapi: The ") and 1 == result.stderr.count("\n")


def test_a_stall_in_mid_answer_is_told():
    """The idle clock ends an answer that stalls; what came stays."""
    with ScriptedServer(ChatScript("Once upon", fault=Stall(after=2))) as server:
        result = invoke("chat", "--base-url", server.base_url, "-m", "x", "--idle-timeout", "0.1", "Hi")
    assert (1, "Once upon\n") == (result.exit_code, result.stdout)
    assert "stalled" in result.stderr and "--idle-timeout" in result.stderr


def test_a_defect_shows_no_traceback(monkeypatch):
    """Even an error that nobody thought of is one line."""
    monkeypatch.setattr("compatapi.cli.chat.ask", lambda *_, **__: 1 / 0)
    result = invoke("chat", "--base-url", "http://127.0.0.1:9", "-m", "x", "Hi")
    assert 1 == result.exit_code
    assert "defect of compatapi" in result.stderr and "ZeroDivisionError" in result.stderr
    assert 1 == result.stderr.count("\n")
