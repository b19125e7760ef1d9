"""What the commands ask: options, key, model, prompt."""

import math

import pytest

from commands import KEY, invoke, sent
from compatapi.testing import ChatScript, DemoServer, ErrorScript, ModelsScript, ScriptedServer


@pytest.fixture(scope="module")
def demo():
    with DemoServer(speed=math.inf) as server:
        yield server


def test_every_option_is_sent():
    """What the options say stands in the request, and nothing else does."""
    with ScriptedServer(ChatScript("Yes.")) as server:
        options = ["--system", "Be brief", "--temperature", "0", "--max-tokens", "7", "--reasoning-effort", "low"]
        result = invoke("chat", "--base-url", server.base_url, "-m", "tiny", *options, "Is", "it?")
        assert 0 == result.exit_code
        assert "Yes.\n" == result.stdout
        assert {
            "model": "tiny",
            "messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Is it?"}],
            "temperature": 0.0,
            "max_tokens": 7,
            "reasoning_effort": "low",
            "stream": True,
        } == sent(server)


def test_the_key_comes_from_the_named_variable():
    """--api-key-env names the variable; the key itself is only in the header."""
    with ScriptedServer(ChatScript("Yes.")) as server:
        options = ["--base-url", server.base_url, "-m", "x", "--api-key-env", "MY_KEY"]
        result = invoke("chat", *options, "Hi", MY_KEY=KEY)
        assert f"Bearer {KEY}" == server.requests[0].headers["authorization"]
        assert KEY not in result.output


def test_a_key_given_for_the_name_of_a_variable_is_not_shown():
    """Who gives the key where its variable belongs is told so, without the key."""
    result = invoke("chat", "--api-key-env", KEY, "Hi")
    assert 2 == result.exit_code
    assert "Give its name, never the key" in result.stderr
    assert KEY not in result.output


def test_the_model_comes_from_the_option_the_variable_or_the_server():
    """The option wins, then COMPATAPI_MODEL, then the first model of the list that is none for embeddings."""
    models = ModelsScript("nomic-embed-text", "listed")
    with ScriptedServer(ChatScript("1"), ChatScript("2"), models, ChatScript("3")) as server:
        base = ("chat", "--base-url", server.base_url)
        assert 0 == invoke(*base, "--model", "option", "Hi", COMPATAPI_MODEL="variable").exit_code
        assert 0 == invoke(*base, "Hi", COMPATAPI_MODEL="variable").exit_code
        assert 0 == invoke(*base, "Hi").exit_code
        asked = [request.json_object()["model"] for request in server.requests if request.method == "POST"]
        assert ["option", "variable", "listed"] == asked


def test_a_host_with_a_key_is_not_asked_for_any_model():
    """Where tokens cost money no model is chosen by itself."""
    result = invoke("chat", "--provider", "openai", "Hi", OPENAI_API_KEY=KEY)
    assert (1, "") == (result.exit_code, result.stdout)
    assert "compatapi: No model was named: give --model or set COMPATAPI_MODEL" in result.stderr


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (ErrorScript(404, "no such path"), "no list of models"),
        (ModelsScript("text-embed"), "offers none"),
    ],
)
def test_a_server_without_a_model_is_an_error(reply, said):
    """Without a name and without a list there is nothing to ask."""
    with ScriptedServer(reply) as server:
        result = invoke("chat", "--base-url", server.base_url, "Hi")
    assert 1 == result.exit_code
    assert said in result.stderr and "--model" in result.stderr
    assert 1 == result.stderr.count("\n")


def test_the_prompt_comes_from_standard_input(demo):
    """Without a prompt, and with "-", standard input is the prompt."""
    for words in ((), ("-",)):
        result = invoke("chat", "--base-url", demo.base_url, *words, stdin="first\nsecond\n")
        assert 0 == result.exit_code
        assert "> first\n> second" in result.stdout
        assert "first\nsecond\n" == sent(demo)["messages"][0]["content"]


@pytest.mark.parametrize(
    "args",
    [
        ["chat"],
        ["chat", "  "],
        ["chat", "--demo", "--provider", "ollama", "Hi"],
        ["chat", "--demo", "--max-tokens", "0", "Hi"],
        ["chat", "--demo", "--timeout", "0", "Hi"],
        ["chat", "--api-key", KEY, "Hi"],
        ["nonsense"],
    ],
)
def test_wrong_usage_has_exit_status_2(args):
    """What cannot be understood is refused before anything is asked, and no argument of it is a key that shows."""
    result = invoke(*args)
    assert (2, "") == (result.exit_code, result.stdout)
    assert KEY not in result.stderr


def test_a_limit_is_one_of_the_clocks():
    """--first-token-timeout ends the wait, and the message names the option that raises it."""
    with ScriptedServer(ChatScript("late", delay=math.inf)) as server:
        options = ["--base-url", server.base_url, "-m", "x", "--first-token-timeout", "0.05"]
        result = invoke("chat", *options, "Hi")
    assert 1 == result.exit_code
    assert "within 0.05 seconds; raise it by --first-token-timeout" in result.stderr
