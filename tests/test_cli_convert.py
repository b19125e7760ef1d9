"""``compatapi convert``: files and pipes from one form to another."""

import contextlib
import json
import subprocess
import threading

import pytest
from click.testing import CliRunner

from compatapi.cli.app import app
from compatapi.formats import FORMATS, READERS, iter_chunks
from programs import RUN, environment
from streams import body, calls_of, part, read, say, sse, stop

HELLO = [say("Hel"), say("lo"), stop()]


def convert(data, *args):
    """Run the command in this process on bytes; return click's result."""
    return CliRunner().invoke(app, ["convert", *args], input=data, prog_name="compatapi")


@pytest.fixture
def process(tmp_path):
    """Start the command in a process of its own, with pipes."""
    started = []

    def start(*args):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        started.append(subprocess.Popen([*RUN, "convert", *args], env=environment(tmp_path), cwd=tmp_path, **pipes))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate(timeout=10)


@pytest.mark.parametrize("target", FORMATS)
def test_every_format_can_be_written_and_read(target):
    """A body goes into each format, and from it back into chunks that say the same."""
    call = body({"tool_calls": [part("f", '{"a":1}', index=0, id="x")]})
    there = convert(sse(body({"reasoning_content": "Hm."}), say("Hello"), call, stop("tool_calls")), "--to", target)
    back = convert(there.stdout_bytes, "--from", target, "--to", "json")
    assert (0, 0, "") == (there.exit_code, back.exit_code, there.stderr + back.stderr)
    (message,) = (choice["message"] for choice in json.loads(back.stdout)["choices"])
    assert ("Hm.", "Hello") == (message["reasoning_content"], message["content"])
    function = message["tool_calls"][0]["function"]
    assert ("f", '{"a":1}') == (function["name"], function["arguments"])


def test_every_dialect_can_be_read():
    """--from takes the name of each dialect, and of each format."""
    help_text = " ".join(convert(b"", "--help").stdout.split())
    assert [] == [name for name in (*READERS, *FORMATS) if name not in help_text]
    assert {"anthropic", "gemini", "ollama", "hunyuan", "dashscope", "openai", *FORMATS} <= set(READERS)


def test_a_file_may_be_named(tmp_path):
    """The body is a file, or standard input."""
    path = tmp_path / "body.sse"
    path.write_bytes(sse(*HELLO))
    assert convert(sse(*HELLO), "--to", "ndjson").stdout == convert(b"", str(path), "--to", "ndjson").stdout


def test_a_whole_answer_is_a_stream_of_one_chunk():
    """A body without a stream is converted too."""
    whole = convert(sse(*HELLO), "--to", "json").stdout_bytes
    (chunk,) = iter_chunks(convert(whole, "--to", "ndjson").stdout_bytes, "ndjson")
    assert ("Hello", "stop") == (chunk.text, chunk.finish_reason)


@pytest.mark.parametrize(
    "data", [b"", b"nonsense\n", b"{}\n", b"x" * 2_000_000], ids=["empty", "text", "object", "long"]
)
def test_a_body_that_does_not_tell_what_it_is_needs_a_name(data):
    """Without --from nothing is assumed; the message names the option, and the status is that of a wrong call."""
    result = convert(data, "--to", "json")
    assert (2, "") == (result.exit_code, result.stdout)
    assert "--from" in result.stderr


def test_a_body_that_is_cut_is_written_as_far_as_it_goes():
    """What came is written, with the error in the words of the format; the status is 1, and one line says why."""
    result = convert(sse(say("Hel"), done=False), "--to", "ollama")
    first, last = result.stdout.splitlines()
    assert (1, "Hel", ["error"]) == (result.exit_code, json.loads(first)["message"]["content"], list(json.loads(last)))
    assert result.stderr.startswith("compatapi: ") and result.stderr.count("\n") == 1


def test_an_error_in_the_body_is_told():
    """The server's own words are in the output and on standard error."""
    result = convert(sse(say("a"), {"error": {"message": "busy"}}), "--to", "anthropic")
    assert (1, True, True) == (result.exit_code, "event: error" in result.stdout, "busy" in result.stderr)


def test_what_a_format_has_no_word_for_is_an_error():
    """A second choice cannot be written as Ollama; the message says so."""
    result = convert(sse(say("a"), say("b", index=1), stop(), stop(index=1)), "--to", "ollama")
    assert (1, True) == (result.exit_code, "one choice" in result.stderr)


def test_a_wrong_name_is_told_before_anything_is_read():
    """Unknown forms are refused with the names of the others."""
    result = convert(sse(*HELLO), "--from", "nonsense", "--to", "json")
    assert (2, True) == (result.exit_code, "ndjson" in result.stderr)


@pytest.mark.parametrize("args", [("--from", "sse"), ()], ids=["told", "guessed"])
@pytest.mark.parametrize("target", ["sse", "ndjson", "ollama", "anthropic"])
def test_a_pipe_is_converted_as_it_grows(process, args, target):
    """Each chunk is out before the next one comes in."""
    program = process(*args, "--to", target)
    timer = threading.Timer(20, program.kill)
    timer.start()
    out = b""
    for word in ("one", "two", "three"):
        program.stdin.write(sse(say(word), done=False))
        program.stdin.flush()
        while word.encode() not in out:
            piece = program.stdout.read1(65536)
            assert piece, out
            out += piece
    program.stdin.write(sse(stop()))
    rest, errors = program.communicate(timeout=20)
    timer.cancel()
    reader = iter_chunks(out + rest, target)
    assert ("onetwothree", 0, b"") == ("".join(chunk.text for chunk in reader), program.returncode, errors)


def test_a_reader_that_leaves_ends_it_quietly(process):
    """With `| head -1` there is no traceback."""
    program = process("--from", "sse", "--to", "ndjson")
    program.stdin.write(sse(say("a"), done=False))
    program.stdin.flush()
    assert b'"a"' in program.stdout.readline()
    program.stdout.close()
    with contextlib.suppress(BrokenPipeError):  # it may be gone before we are
        program.stdin.write(sse(*[say("b" * 1000) for _ in range(200)], stop()))
        program.stdin.close()
    assert (b"", True) == (program.stderr.read(), program.wait(timeout=10) in (0, 1))


def test_a_body_that_cannot_be_read_is_told(process, tmp_path):
    """A folder in place of a file is one line on standard error."""
    with open(tmp_path / "body", "wb"):
        pass
    result = convert(b"", str(tmp_path), "--to", "json")
    assert (2, "") == (result.exit_code, result.stdout)
    missing = convert(b"", str(tmp_path / "missing"), "--to", "json")
    assert (2, True) == (missing.exit_code, "missing" in missing.stderr)


def test_chunks_are_those_of_the_library():
    """The command writes what the functions write."""
    chunks, completion = read(*HELLO)
    assert b"".join(FORMATS["sse"].write(chunks)) == convert(sse(*HELLO), "--to", "sse").stdout_bytes
    assert ("Hello", []) == (completion.text, calls_of(completion))
