"""The callback program: what it shows, when it stops, and what it does with an answer that breaks off."""

import io
import time

import pytest

import ticker
from compatapi import Client, Timeouts
from compatapi.testing import ChatScript, ScriptedTransport

# Seconds. Short, so that a server that says nothing more is given up soon.
SOON = Timeouts(idle=0.3)


@pytest.fixture
def out():
    """Where the program writes."""
    return io.StringIO()


def test_the_answer_is_shown_as_it_comes(compatapi_server, compatapi_client, out):
    """Each piece is written by itself."""
    written = []
    out.write = written.append
    compatapi_server.add(ChatScript(pieces=["The ", "harbor ", "is frozen."]))
    assert ticker.run(compatapi_client, "any", "What is new?", out)
    assert ["The ", "harbor ", "is frozen."] == written


def test_a_full_line_ends_the_stream(compatapi_server, compatapi_client, out):
    """When the line is full the program hangs up, and does not wait for the rest."""
    compatapi_server.add(ChatScript(pieces=["The ", "harbor "] * 1000, interval=0.05))
    assert ticker.run(compatapi_client, "any", "What is new?", out, width=10)
    assert "The harbor" == out.getvalue()
    assert compatapi_server.wait_until(lambda: compatapi_server.open_connections == 0)


@pytest.mark.compatapi_fault("cut", "reset", "stall", "bad-json")
def test_a_broken_answer_is_marked(compatapi_server, compatapi_client_factory, out):
    """Whatever happens in the middle of an answer, what came before is shown, and it is said that there was more."""
    compatapi_server.add(ChatScript(pieces=["The ", "harbor ", "is frozen."]))
    assert not ticker.run(compatapi_client_factory(timeouts=SOON), "any", "What is new?", out)
    assert f"The {ticker.BROKEN}" == out.getvalue()


def test_a_slow_model(out):
    """Without sockets a model that thinks for a minute costs the test nothing."""
    began = time.monotonic()
    with ScriptedTransport(ChatScript("The harbor.", first_delay=60)) as transport:
        client = Client("openai", api_key="a-key", transport=transport)
        assert ticker.run(client, "any", "What is new?", out)
        transport.check()
    assert time.monotonic() - began < 10
    assert "The harbor." == out.getvalue()
