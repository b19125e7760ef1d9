"""The script: what it asks, what it makes of the answer, and how it fails."""

import sys

import pytest

import headline
from compatapi.testing import ChatScript, ErrorScript, Expect


def test_it_asks_for_one_headline(compatapi_server, compatapi_client):
    """The model gets the instruction and the text, and its quotation marks are taken away."""
    compatapi_server.add(Expect({"text": "The harbor is frozen.", "stream": False}, ChatScript('"Ferry waits"')))
    assert "Ferry waits" == headline.headline(compatapi_client, "any", "The harbor is frozen.")
    assert headline.INSTRUCTION == compatapi_server.requests[0].chat.messages[0].text


@pytest.mark.parametrize("compatapi_client", ["anthropic", "gemini", "ollama"], indirect=True)
def test_it_works_with_other_providers(compatapi_server, compatapi_client):
    """The script does not care whose model it is."""
    compatapi_server.add(ChatScript("Ferry waits"))
    assert "Ferry waits" == headline.headline(compatapi_client, "any", "The harbor is frozen.")


def test_the_whole_script(compatapi_server, letter, monkeypatch, capsys):
    """A script that makes its own client finds the server by the provider's variables."""
    monkeypatch.setenv("OPENAI_BASE_URL", compatapi_server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    monkeypatch.setattr(sys, "argv", ["headline", str(letter), "openai", "any"])
    compatapi_server.add(ErrorScript(503, "busy", retry_after=0.01), ChatScript("Ferry waits"))
    headline.main()
    assert "Ferry waits\n" == capsys.readouterr().out


def test_a_key_that_is_refused(compatapi_server, letter, monkeypatch):
    """The script ends with one line that says why."""
    monkeypatch.setenv("OPENAI_BASE_URL", compatapi_server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    monkeypatch.setattr(sys, "argv", ["headline", str(letter), "openai", "any"])
    compatapi_server.add(ErrorScript(401, "Incorrect API key provided"))
    with pytest.raises(SystemExit, match="no headline: .*Incorrect API key provided"):
        headline.main()
