"""``compatapi record`` and ``compatapi replay``: servers for programs in any language."""

import http.client
import json
import re
import signal
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from calls import REQUEST, client_of, eventually, hard_limit  # noqa: F401
from commands import invoke
from compatapi.errors import APIStatusError, ConnectionLost, ServerError
from compatapi.testing import ChatScript, ErrorScript, Recording, ScriptedServer, record
from compatapi.testing.faults import Cut, Reset
from programs import Program

KEY = "sk-of-nobody-0123456789"
HELLO = ChatScript("Hello there, you", interval=0.05)
#: Seconds from the first of its chunks to the last: role, three words, finish reason.
TAKES = 4 * 0.05


@contextmanager
def running(folder, *args, **env):
    """A command that serves; gives the program and the base URL that it names."""
    with Program(folder, *args, **env) as program:
        program.wait_for("\n")
        yield program, program.out.strip()


def recording(path, host):
    """The command that records what the host is asked."""
    return running(path.parent, "record", str(path), "--base-url", host.base_url)


@pytest.fixture
def path(tmp_path):
    """A recording of a streamed answer, a whole one and an error, made with pauses of 50 ms."""
    path = tmp_path / "talk.jsonl"
    with ScriptedServer(HELLO, HELLO, ErrorScript(429, "slow")) as server, client_of(server) as client, record(path):
        client.chat_completion_stream(REQUEST, lambda chunk: None)
        client.chat_completion(REQUEST)
        with pytest.raises(APIStatusError):
            client.chat_completion(REQUEST)
    return path


def test_replay_serves_a_recording(path, tmp_path):
    """A program of any kind gets the recorded answers at the base URL that is printed; Ctrl-C ends it cleanly."""
    with running(tmp_path, "replay", str(path)) as (program, url):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
        where = urlsplit(url)
        connection = http.client.HTTPConnection(where.netloc, timeout=5)
        body = json.dumps({"stream": True, "model": "m", "messages": [{"role": "user", "content": "hello"}]})
        began = time.monotonic()
        connection.request("POST", f"{where.path}/chat/completions", body)
        assert b"data: [DONE]" in connection.getresponse().read()
        assert time.monotonic() - began >= TAKES - 0.05
        connection.close()
        with client_of(url) as client:
            with pytest.raises(APIStatusError, match="body.messages"):
                client.chat_completion(REQUEST, body={"messages": []})
            assert HELLO.text == client.chat_completion(REQUEST).text
        assert program.interrupt() < 2.0
        status, _, err = program.finish()
    assert 0 == status
    assert "Playing 3 exchanges of" in err and "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("POST /v1/chat/completions: ")]
    assert ["exchange 1", "refused. It", "exchange 2"] == [" ".join(line.split()[2:4]) for line in lines]


def test_replay_without_pauses_in_any_order_again_and_again(path, tmp_path):
    """--pace, --lenient and --repeat are what they are in Python."""
    options = ("--pace", "0", "--lenient", "--repeat")
    with running(tmp_path, "replay", str(path), *options) as (program, url), client_of(url) as client:
        for _ in range(2):
            assert HELLO.text == client.chat_completion(REQUEST).text
            with client.chat_completion_stream(REQUEST, body={"model": "other"}) as stream:
                assert HELLO.text == "".join(stream.text_stream())
            with pytest.raises(APIStatusError, match="slow"):
                client.chat_completion(REQUEST)
        program.process.send_signal(signal.SIGTERM)
        assert 0 == program.finish()[0]


def test_replay_of_what_is_no_recording(tmp_path, path):
    """A file that cannot be read, is none, or is old, and a port that is taken, are one line each, with status 1."""
    old = tmp_path / "old.jsonl"
    old.write_text('{"format": "compatapi-recording", "version": 0}\n')
    with ScriptedServer() as server:
        taken = ("--port", str(server.port))
        for args, said in (
            ([str(tmp_path / "nothing")], "Cannot read .*: No such file"),
            ([__file__], "is no recording"),
            ([str(old)], "is a recording of version 0, and only version 1 is read: record it again"),
            ([str(path), *taken], f"Cannot listen on port {server.port}: "),
            ([str(path), "--pace", "-1"], "--pace"),
        ):
            result = invoke("replay", *args)
            assert (2 if "--pace" in args else 1) == result.exit_code
            assert re.search(said, result.stderr), result.stderr
            assert "" == result.stdout


def test_record_hands_on_and_records(tmp_path):
    """A program's requests reach the host with their key, the answers come as they are sent, and the file has both."""
    path = tmp_path / "talk.jsonl"
    with ScriptedServer(HELLO, HELLO, ErrorScript(503, "busy")) as host, recording(path, host) as (program, url):
        with client_of(url, api_key=KEY) as client:
            with client.chat_completion_stream(REQUEST) as stream:
                times = [time.monotonic() for _ in stream]
            assert HELLO.text == client.chat_completion(REQUEST).text
            with pytest.raises(ServerError, match="busy"):
                client.models()
        assert program.interrupt() < 2.0
        status, _, err = program.finish()
        assert [f"Bearer {KEY}"] * 3 == [request.headers["Authorization"] for request in host.requests]
        assert {host.url.removeprefix("http://")} == {request.headers["Host"] for request in host.requests}
    # The host's pauses are lower bounds: nothing was held back until the end.
    assert times[-1] - times[0] >= TAKES - 0.05
    assert (0, True) == (status, "Recorded 3 exchanges in" in err)
    exchanges = Recording.load(path).exchanges
    assert [(200, "complete"), (200, "complete"), (503, "complete")] == [(one.status, one.end) for one in exchanges]
    assert [True, False, False] == [one.stream for one in exchanges]
    assert len(exchanges[0].pieces) >= 4
    assert f"{host.base_url}/chat/completions" == exchanges[0].url
    assert KEY not in path.read_text() + err


def test_record_hands_on_how_an_answer_breaks_off(tmp_path):
    """A cut and a reset reach the program and the file; a host that is not there is a 502."""
    path = tmp_path / "talk.jsonl"
    breaks = [ChatScript("Hello there, you", fault=fault) for fault in (Cut(after=3), Reset(after=3), "no-answer")]
    with ScriptedServer(*breaks) as host, recording(path, host) as (program, url), client_of(url) as client:
        for _ in breaks:
            with pytest.raises(ConnectionLost):
                client.chat_completion_stream(REQUEST, lambda chunk: None)
        host.close()
        with pytest.raises(APIStatusError, match="got no answer from the server: No connection"):
            client.chat_completion(REQUEST)
        program.interrupt()
        assert 0 == program.finish()[0]
    assert ["cut", "reset", "cut", "unreachable"] == [one.end for one in Recording.load(path).exchanges]


def test_record_notices_that_the_program_left(tmp_path):
    """When a program has enough, the host is left too, and the file says so."""
    path = tmp_path / "talk.jsonl"
    with ScriptedServer(ChatScript("Hello", fault="stall")) as host, recording(path, host) as (program, url):
        with client_of(url) as client, client.chat_completion_stream(REQUEST) as stream:
            next(stream)
        assert host.wait_until(lambda: host.open_connections == 0, 3)
        assert eventually(lambda: '"end"' in path.read_text())
        program.interrupt()
        program.finish()
    assert ["closed"] == [one.end for one in Recording.load(path).exchanges]


def test_record_replaces_nothing_unasked(tmp_path, path):
    """A file that is there is not touched, unless --replace says so; one that cannot be written is one line."""
    before = path.read_bytes()
    result = invoke("record", str(path), "--base-url", "http://127.0.0.1:9/v1")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "is there already; take another name, or give --replace" in result.stderr
    assert before == path.read_bytes()
    with running(tmp_path, "record", str(path), "--base-url", "http://127.0.0.1:9/v1", "--replace") as (program, _):
        program.interrupt()
        assert 0 == program.finish()[0]
    assert () == Recording.load(path).exchanges
    result = invoke("record", str(tmp_path / "no" / "one"), "--base-url", "http://127.0.0.1:9/v1")
    assert (1, True) == (result.exit_code, "Cannot write" in result.stderr)
    assert 1 == invoke("record", str(tmp_path / "new"), "--provider", "nobody").exit_code
