"""What the commands write, and where."""

import math

import pytest

from commands import invoke, sent
from compatapi import ChatCompletion, ChatCompletionChunk, from_json, to_json
from compatapi.chat_types import FunctionCall, ToolCall
from compatapi.cli.answer import describe_call
from compatapi.cli.terminal import one_line, printable, printable_json
from compatapi.testing import ChatScript, DemoServer, ScriptedServer, StreamReply


@pytest.fixture(scope="module")
def demo():
    with DemoServer(speed=math.inf) as server:
        yield server


def test_the_answer_alone_is_on_standard_output(demo):
    """Standard output has the text and one line end; the numbers are on standard error."""
    result = invoke("chat", "--base-url", demo.base_url, "--reasoning-effort", "low", "Hi")
    assert result.stdout.startswith("Hello! I am the demo") and result.stdout.endswith("can do.\n")
    assert 1 == result.stderr.count("\n")
    assert "pieces, first after" in result.stderr


def test_a_line_end_is_not_doubled():
    """An answer that ends with a line end gets no second one; an empty one is an empty line."""
    with ScriptedServer(ChatScript("Done\n"), ChatScript("")) as server:
        assert "Done\n" == invoke("chat", "--base-url", server.base_url, "-m", "x", "Hi").stdout
        assert "\n" == invoke("chat", "--base-url", server.base_url, "-m", "x", "Hi").stdout


def test_reasoning_is_shown_on_standard_error(demo):
    """--show-reasoning writes reasoning where a pipe does not get it, on lines of its own."""
    options = ["--base-url", demo.base_url, "--reasoning-effort", "low", "--show-reasoning"]
    for more in ((), ("--no-stream",)):
        result = invoke("chat", *options, *more, "Hi")
        assert result.stdout.startswith("Hello!")
        assert result.stderr.startswith("The user wants a greeting.")
        assert "That should do.\n" in result.stderr


def test_json_lines_are_the_chunks(demo):
    """--json writes each chunk as one line, from which the same chunk is read again."""
    result = invoke("chat", "--base-url", demo.base_url, "--json", "Hi")
    lines = result.stdout.splitlines()
    chunks = [from_json(ChatCompletionChunk, line) for line in lines]
    assert "assistant" == chunks[0].choices[0].delta.role
    assert "".join(chunk.text for chunk in chunks).startswith("Hello!")
    assert lines == [to_json(chunk).decode() for chunk in chunks]


def test_the_whole_answer_as_text_and_as_json(demo):
    """--no-stream asks for the whole answer; --json then writes the completion."""
    whole = invoke("chat", "--base-url", demo.base_url, "--no-stream", "Hi")
    assert whole.stdout.startswith("Hello!") and whole.stdout.endswith("can do.\n")
    assert "tokens in" in whole.stderr
    assert not sent(demo).get("stream")
    as_json = invoke("chat", "--base-url", demo.base_url, "--no-stream", "--json", "Hi")
    completion = from_json(ChatCompletion, as_json.stdout)
    assert whole.stdout == completion.text + "\n"


def test_tool_calls_are_readable():
    """An answer that calls a tool shows the call as a person would write it, below the text."""
    calls = [("get_weather", {"city": "Rome", "days": 3})]
    with ScriptedServer(ChatScript("Let me look.", tool_calls=calls), ChatScript("", tool_calls=calls)) as server:
        base = ("chat", "--base-url", server.base_url, "-m", "x", "Hi")
        shown = 'tool call: get_weather(city="Rome", days=3)\n'
        assert f"Let me look.\n\n{shown}" == invoke(*base).stdout
        assert shown == invoke(*base).stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("", "tool call: f()"), ('{"a": [1]}', "tool call: f(a=[1])"), ('{"a": "Ro', 'tool call: f({"a": "Ro)')],
)
def test_arguments_that_are_no_json_are_shown_as_they_are(arguments, expected):
    """A call whose arguments are half or nonsense is shown all the same."""
    assert expected == describe_call(ToolCall("1", FunctionCall("f", arguments)))


def test_a_refusal_is_the_answer():
    """A refusal comes in a field of its own and is shown like text."""
    chunk = {"choices": [{"index": 0, "delta": {"refusal": "No."}, "finish_reason": "stop"}]}
    with ScriptedServer(StreamReply([chunk])) as server:
        result = invoke("chat", "--base-url", server.base_url, "-m", "x", "Hi")
    assert (0, "No.\n") == (result.exit_code, result.stdout)


def test_what_goes_into_a_pipe_is_not_changed():
    """Only a terminal obeys control characters, so a pipe gets the answer as it is, colors included."""
    text = "\x1b[31mred\x1b[0m \x07 and \x9b1m"
    with ScriptedServer(ChatScript(text)) as server:
        assert f"{text}\n" == invoke("chat", "--base-url", server.base_url, "-m", "x", "Hi").stdout


def test_control_characters_are_made_visible():
    """Nothing that a terminal obeys is left; line ends, tabs and all languages are."""
    assert "\\x1b[31m\\x07\\x9b\\x7f" == printable("\x1b[31m\x07\x9b\x7f")
    assert "a\n\tb é 漢 🙂" == printable("a\r\n\tb é 漢 🙂")
    assert '"\\u009b\\u007f"' == printable_json('"\x9b\x7f"')
    assert "one \\x1b two" == one_line("one\n\x1b\r\n  two\n")
