"""The lists of models and of providers."""

import json
import math

import pytest

from commands import KEY, invoke
from compatapi import __version__
from compatapi.testing import DemoServer, ModelsScript, ScriptedServer


@pytest.fixture(scope="module")
def demo():
    with DemoServer(speed=math.inf) as server:
        yield server


def test_models_are_one_on_each_line(demo):
    """In a pipe there is one name per line, with --json one model per line as the server told it."""
    names = ["demo-story", "demo-reasoner", "demo-embedding"]
    assert names == invoke("models", "--base-url", demo.base_url).stdout.splitlines()
    lines = invoke("models", "--base-url", demo.base_url, "--json").stdout.splitlines()
    assert names == [json.loads(line)["id"] for line in lines]
    assert {"compatapi-demo"} == {json.loads(line)["owned_by"] for line in lines}


def test_a_name_with_control_characters_stays_on_its_line():
    """A server cannot write a second line or a color into the list."""
    with ScriptedServer(ModelsScript("one\ntwo\x1b[31m")) as server:
        assert "one two\\x1b[31m\n" == invoke("models", "--base-url", server.base_url).stdout


def test_providers_tell_whether_a_key_is_set_and_never_the_key():
    """Each provider has a line with its address, the name of its variable, and whether that is set."""
    env = {"GROQ_API_KEY": KEY, "MISTRAL_API_KEY": "", "OPENAI_BASE_URL": "http://user:password@proxy"}
    result = invoke("providers", **env)
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in result.stdout.splitlines()}
    assert ["https://api.groq.com/openai/v1", "GROQ_API_KEY", "set"] == rows["groq"]
    assert ["https://api.mistral.ai/v1", "MISTRAL_API_KEY", "missing"] == rows["mistral"]
    assert ["http://localhost:11434", "", "not needed"] == rows["ollama"]
    assert ["$OPENAI_BASE_URL", "OPENAI_API_KEY", "missing"] == rows["openai"]
    assert "inside this program" == rows["demo"][0]
    as_json = invoke("providers", "--json", **env)
    found = {row["name"]: row for row in map(json.loads, as_json.stdout.splitlines())}
    assert [{"name": "GROQ_API_KEY", "set": True}] == found["groq"]["key_variables"]
    assert list(rows) == list(found)
    assert KEY not in result.output + as_json.output and "password" not in result.output + as_json.output


def test_version_and_help():
    """--version names the version, and each command has a page of help."""
    assert f"compatapi {__version__}\n" == invoke("--version").stdout
    for command in ("chat", "models", "providers"):
        assert f"Usage: compatapi {command}" in invoke(command, "--help").stdout
