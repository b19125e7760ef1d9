"""The pytest plugin, in runs of pytest inside this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import compatapi.testing
import compatapi.testing.cassette
from calls import hard_limit  # noqa: F401
from compatapi.testing import ChatScript, ScriptedServer

pytest_plugins = ["pytester"]

INI = """
[pytest]
addopts = -p compatapi.testing.plugin -p no:cacheprovider --strict-markers --strict-config
filterwarnings = error
"""
#: What each inner file begins with.
HEAD = """
import pytest
from compatapi import APIStatusError, ChatCompletionRequest, Client, CompatAPIError, Message, Timeouts
from compatapi.testing import ChatScript, ErrorScript
from compatapi.testing.faults import Cut
REQUEST = ChatCompletionRequest("m", [Message.user("hello")])
"""


@pytest.fixture(autouse=True)
def loaded():
    """Load what inner runs need into this one: they forget modules that they were the first to import."""
    for name in compatapi.testing.__all__:
        getattr(compatapi.testing, name)


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a file of tests with the plugin, in this process; return the result, whose `told` is outcome by name."""
    pytester.makeini(INI)
    # A file that changes within a second and keeps its size would be taken for the one that was compiled.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def run(text, *options, ini="", name="test_inner"):
        if ini:
            pytester.makeini(INI + ini)
        pytester.makepyfile(**{name: HEAD + text})
        result = pytester.runpytest_inprocess("-rA", *options)
        reports = result.reprec.getreports("pytest_runtest_logreport")
        told = {f"{report.nodeid.partition('::')[2]} {report.when}": report.outcome for report in reports}
        result.told = {name: outcome for name, outcome in told.items() if outcome != "passed"}
        return result

    return run


def test_server_and_clients(run):
    """A test gets a server and clients of it, for each provider that it names."""
    result = run("""
@pytest.mark.parametrize("compatapi_client", ["openai", "anthropic", "ollama"], indirect=True)
def test_client(compatapi_server, compatapi_client):
    compatapi_server.add(ChatScript("Hi"))
    assert compatapi_client.chat_completion(REQUEST).text == "Hi"
    assert compatapi_server.requests[0].dialect == compatapi_client.provider.name

def test_factory(compatapi_server, compatapi_client, compatapi_client_factory):
    compatapi_server.add(ChatScript("Hi"), ErrorScript(503, "busy"))
    assert compatapi_client.provider.name == "openai"
    assert compatapi_client_factory("gemini").chat_completion(REQUEST).text == "Hi"
    with pytest.raises(APIStatusError, match="busy"):
        compatapi_client_factory("openai", timeouts=Timeouts(total=9)).chat_completion(REQUEST)
""")
    result.assert_outcomes(passed=4)


def test_what_the_server_did_not_expect_fails_the_test(run):
    """A script that is left and a request too many fail a test; one that failed already keeps its own reason."""
    result = run("""
def test_unused(compatapi_server):
    compatapi_server.add(ChatScript("never asked for"))

def test_unexpected(compatapi_client):
    with pytest.raises(CompatAPIError):
        compatapi_client.chat_completion(REQUEST)

def test_failed(compatapi_server):
    compatapi_server.add(ChatScript("never asked for"))
    assert "the test's own reason" == 0
""")
    assert {"test_unused call": "failed", "test_unexpected call": "failed", "test_failed call": "failed"} == result.told
    result.stdout.fnmatch_lines(["*test_unused*", "*never asked for*", "*test_unexpected*", "*/chat/completions*"])
    assert 1 == result.stdout.str().count('E       assert "the test\'s own reason" == 0')


def test_what_a_program_hides_is_told_with_its_failure(run):
    """A test that fails because its program lived through an error is told what was not expected."""
    result = run("""
from compatapi.testing import Expect

def test_hidden(compatapi_server, compatapi_client):
    compatapi_server.add(Expect({"text": "bye"}, ChatScript("Hi")))
    said = []
    try:
        said.append(compatapi_client.chat_completion(REQUEST).text)
    except CompatAPIError:
        pass
    assert said == ["Hi"]
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert [[]] == *", "*compatapi call*", "*text: expected 'bye', got 'hello'*"])


def test_faults(run):
    """The marker runs a test once for each fault, named or given, with the scripts of the server under it."""
    result = run("""
@pytest.mark.compatapi_fault("cut", Cut(after=2))
def test_cut(compatapi_server, compatapi_client, compatapi_fault):
    compatapi_server.add(ChatScript(pieces=["One ", "two ", "three."]))
    with pytest.raises(CompatAPIError) as caught:
        compatapi_client.chat_completion_stream(REQUEST, lambda chunk: None)
    assert caught.value.completion.text == "".join(["One ", "two ", "three."][:compatapi_fault.after])

@pytest.mark.compatapi_fault("empty")
def test_function(compatapi_server, compatapi_client):
    compatapi_server.add(lambda request: ChatScript("Hi"))
    with pytest.raises(CompatAPIError):
        compatapi_client.chat_completion(REQUEST)

def test_none(compatapi_server, compatapi_client, compatapi_fault):
    compatapi_server.add(ChatScript("Hi"))
    assert compatapi_fault is None
    assert compatapi_client.chat_completion(REQUEST).text == "Hi"
""")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["PASSED *test_cut?cut?", "PASSED *test_cut?Cut(after=2)?"])


@pytest.mark.parametrize(
    ("mark", "fixture", "said"),
    [
        ('"ctu"', "compatapi_server", "*'ctu'*'cut'*"),
        ("", "compatapi_server", "*test_it: compatapi_fault needs a fault*"),
        ('"cut"', "tmp_path", "*test_it: *a test with compatapi_server*"),
    ],
)
def test_faults_that_are_none(run, mark, fixture, said):
    """A fault that nobody knows, none at all, or one of no server is an error when tests are collected."""
    result = run(f"""
@pytest.mark.compatapi_fault({mark})
def test_it({fixture}):
    pass
""")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said])


def test_no_network(run):
    """Under the guard a test that tried to leave this machine fails and says what to do, whatever it made of that."""
    result = run(
        """
def test_leaves():
    with pytest.raises(CompatAPIError), Client(base_url="http://192.0.2.1:81", max_retries=0) as client:
        client.chat_completion(REQUEST)

def test_stays(compatapi_server, compatapi_client):
    compatapi_server.add(ChatScript("Hi"))
    assert compatapi_client.chat_completion(REQUEST).text == "Hi"
""",
        ini="usefixtures = compatapi_no_network",
    )
    assert {"test_leaves call": "failed"} == result.told
    result.stdout.fnmatch_lines(["compatapi_no_network: * reach 192.0.2.1:81,*", "*--compatapi-record*"])


RECORDED = """
@pytest.mark.parametrize("question", ["a", "b"])
def test_asks(compatapi_recording, question):
    with Client("openai") as client:
        assert client.chat_completion(ChatCompletionRequest("m", [Message.user(question)])).text in {answers}
"""


@pytest.fixture
def provider(monkeypatch):
    """A server in the place of OpenAI's, which counts its answers."""
    with ScriptedServer(lambda request: ChatScript(f"{len(server.requests)}")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-the-key-of-the-recording")
        yield server


def test_recordings(run, provider, pytester):
    """`none` replays and fails without a recording, `once` records what is missing, `all` records everything anew."""
    text = RECORDED.format(answers=["1", "2"])
    guarded = {"ini": "usefixtures = compatapi_no_network"}
    missing = run(text, **guarded)
    assert {"test_asks[a] setup": "failed", "test_asks[b] setup": "failed"} == missing.told
    missing.stdout.fnmatch_lines(["there is no recording *test_asks-a.jsonl; make it with --compatapi-record=once"])
    run(text, "--compatapi-record=once").assert_outcomes(passed=2)
    assert 2 == len(provider.requests)
    files = sorted((pytester.path / "recordings").iterdir())
    assert ["test_inner-test_asks-a.jsonl", "test_inner-test_asks-b.jsonl"] == [file.name for file in files]
    assert "sk-the-key" not in "".join(file.read_text() for file in files)
    run(text, "--compatapi-record=once").assert_outcomes(passed=2)
    run(text).assert_outcomes(passed=2)
    assert 2 == len(provider.requests)
    run(RECORDED.format(answers=["3", "4"]), "--compatapi-record=all").assert_outcomes(passed=2)
    assert 4 == len(provider.requests)


def test_the_recording_of_a_test_that_fails(run, provider, pytester):
    """What a failing test recorded is thrown away, and what was there before stays."""
    run(RECORDED.format(answers=["1", "2"]), "--compatapi-record=once").assert_outcomes(passed=2)
    before = {file.name: file.read_bytes() for file in (pytester.path / "recordings").iterdir()}
    result = run(RECORDED.format(answers=["nothing"]), "--compatapi-record=all")
    result.assert_outcomes(failed=2)
    assert before == {file.name: file.read_bytes() for file in (pytester.path / "recordings").iterdir()}


def test_a_program_that_asks_something_else(run, provider):
    """A replay that is asked what was not recorded, or less than that, fails the test; no request leaves for it."""
    run(RECORDED.format(answers=["1", "2"]), "--compatapi-record=once").assert_outcomes(passed=2)
    result = run("""
@pytest.mark.parametrize("question", ["a", "b"])
def test_asks(compatapi_recording, question):
    if question == "b":
        with pytest.raises(CompatAPIError), Client("openai", max_retries=0) as client:
            client.chat_completion(ChatCompletionRequest("m", [Message.user("something else")]))
""")
    assert {"test_asks[a] call": "failed", "test_asks[b] call": "failed"} == result.told
    assert 2 == len(provider.requests)


def test_how_a_test_is_recorded(run, provider, pytester):
    """The marker says what must not be written, and whether a request may be another one than was recorded."""
    text = """
@pytest.mark.compatapi_recording(secrets=["Rumpelstiltskin"], match="lenient")
def test_asks(compatapi_recording):
    with Client("openai") as client:
        client.chat_completion(ChatCompletionRequest("m", [Message.user("{asked}")]))
"""
    run(text.replace("{asked}", "I am Rumpelstiltskin"), "--compatapi-record=once").assert_outcomes(passed=1)
    (file,) = (pytester.path / "recordings").iterdir()
    assert ("I am ***" in file.read_text(), "Rumpel" in file.read_text()) == (True, False)
    run(text.replace("{asked}", "Who are you?")).assert_outcomes(passed=1)


def test_names_of_recordings():
    """The file is named after the test; what cannot stand in a name becomes a hyphen, and a long name stays unique."""
    folder = Path("tests")
    path_for = compatapi.testing.cassette.path_for
    assert folder / "recordings" / "test_a-TestB-test_c-x-y.z.jsonl" == path_for(
        folder / "test_a.py", "tests/test_a.py::TestB::test_c[x/y.z]"
    )
    one, other = (path_for(folder / "test_a.py", f"tests/test_a.py::test_c[{'x' * 500}{end}]") for end in "ab")
    assert one != other
    assert len(one.name) < 150


def test_a_replay_needs_no_key(run, provider, monkeypatch):
    """A client of a recorded host finds a key in the environment that has none."""
    row = compatapi.Provider("openai", provider.base_url, key_env=("OPENAI_API_KEY",))
    monkeypatch.setattr(compatapi.testing.cassette, "PROVIDERS", {"openai": row})
    run(RECORDED.format(answers=["1", "2"]), "--compatapi-record=once").assert_outcomes(passed=2)
    monkeypatch.delenv("OPENAI_API_KEY")
    run(RECORDED.format(answers=["1", "2"])).assert_outcomes(passed=2)
    assert "OPENAI_API_KEY" not in os.environ


def test_the_plugin_costs_nothing_to_have():
    """At the start of pytest three small modules are loaded and nothing that those would need."""
    code = (
        "import sys, pytest; before = set(sys.modules); import compatapi.testing.plugin;"
        " print(*sorted(set(sys.modules) - before))"
    )
    path = os.pathsep.join([str(Path(compatapi.__file__).parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=True
    )
    assert "compatapi compatapi.testing compatapi.testing.plugin" == done.stdout.strip()
