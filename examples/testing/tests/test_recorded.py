"""The script against an answer that was recorded: `pytest --compatapi-record=all` records it anew."""

import sys

import headline


def test_what_the_demo_says(compatapi_recording, letter, monkeypatch, capsys):
    """The script makes its own client; its request has to be the recorded one, and the answer comes from the file."""
    monkeypatch.setattr(sys, "argv", ["headline", str(letter), "demo", "demo-story"])
    headline.main()
    assert "> The harbor is frozen, and the ferry waits." in capsys.readouterr().out
