"""Recordings: what is written while clients call, how each end is told, and what of a file can be read."""

import base64
import json
import os
import threading

import pytest

from calls import COMPLETION, REQUEST, client_of, eventually, hard_limit  # noqa: F401
from compatapi import Client, StopStream
from compatapi.call import Timeouts
from compatapi.errors import CompatAPIError, ConfigError
from compatapi.testing import (
    Raw,
    Recording,
    RecordingError,
    Reply,
    ScriptedServer,
    StreamReply,
    chat_chunks,
    error_reply,
    record,
)
from compatapi.testing.script import encode_json
from compatapi.transport import Transport

KEY = "sk-of-nobody-0123456789"
HELLO = chat_chunks("Hello there, you", usage=False)
#: Long enough that no pause of a busy machine is taken for it.
SHORT = Timeouts(first_token=0.3, idle=0.3)


DONE = b"data: [DONE]\n\n"


def wire(*chunks):
    """The bytes of chunks, as a script sends them."""
    return b"".join(b"data: " + encode_json(chunk) + b"\n\n" for chunk in chunks)


def lines_of(path):
    """The lines of a file as values."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def one_exchange(path):
    """The only exchange of a recording."""
    (exchange,) = Recording.load(path).exchanges
    return exchange


def recorded(path, script, ask):
    """Ask a server that has one script; return the exchange, and the error if there was one."""
    error = None
    with ScriptedServer(script) as server, client_of(server, api_key=KEY) as client, record(path):
        try:
            ask(client)
        except CompatAPIError as caught:
            error = caught
    return one_exchange(path), error


def stream(client, **options):
    """Stream to the end."""
    return client.chat_completion_stream(REQUEST, lambda chunk: None, **options)


@pytest.fixture
def path(tmp_path):
    """Where the recording is."""
    return tmp_path / "one.jsonl"


def test_a_recording_is_one_readable_file(path):
    """The first line says format and version; request, head, each read and the end are a line of JSON each."""
    recorded(path, StreamReply(HELLO, interval=0.02), stream)
    first, request, head, *reads, end = lines_of(path)
    assert ("compatapi-recording", 1) == (first["format"], first["version"])
    assert ("POST", True) == (request["request"]["method"], request["request"]["stream"])
    asked = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    assert asked == request["request"]["json"]
    assert (200, "OK") == (head["response"]["status"], head["response"]["reason"])
    assert (wire(*HELLO) + DONE).decode() == "".join(read["text"] for read in reads)
    assert "complete" == end["end"]
    assert {1} == {line["exchange"] for line in (request, head, *reads, end)}


def test_reads_and_their_times_are_kept(path):
    """Each read is a piece of its own, with the seconds since the recording began, which never go back."""
    exchange, _ = recorded(path, StreamReply(HELLO, interval=0.05), stream)
    assert wire(*HELLO) + DONE == exchange.content
    assert len(exchange.pieces) >= len(HELLO) - 1  # a busy machine may read two at once
    times = [exchange.at, exchange.head_at, *(at for at, _ in exchange.pieces), exchange.end_at]
    assert sorted(times) == times
    assert 0 <= times[0] < 5
    # The server's pauses are lower bounds, so a slow machine can only widen this.
    assert exchange.pieces[-1][0] - exchange.pieces[0][0] >= 0.05 * (len(HELLO) - 2)


def test_bytes_that_are_no_text(path):
    """A read that is no UTF-8 is Base64, and comes back as it was."""
    body = b"data: \xff\xfe\n\n"
    exchange, _ = recorded(path, Reply(body=body, headers={"content-type": "text/event-stream"}), stream)
    assert body == exchange.content
    assert [base64.b64encode(body).decode()] == [line["base64"] for line in lines_of(path) if "base64" in line]


def test_a_blocking_answer_is_recorded_decompressed(path):
    """What the transport undoes is not in the recording: the body is what the client reads."""
    exchange, error = recorded(
        path, Reply(body=COMPLETION, encoding="gzip"), lambda client: client.chat_completion(REQUEST)
    )
    assert None is error
    assert COMPLETION == json.loads(exchange.content)
    assert (False, "gzip") == (exchange.stream, exchange.response_headers["Content-Encoding"])


#: How an answer may end: script, how it is recorded, options of the call.
ENDS = {
    "complete": (StreamReply(HELLO), "complete", {}),
    "error": (error_reply(429, "Slow down"), "complete", {}),
    "cut": (StreamReply(HELLO[:-1], end="cut"), "cut", {}),
    "reset": (StreamReply([*HELLO[:-1], 0.2], end="reset"), "reset", {}),
    "stall": (StreamReply(HELLO[:-1], end="stall"), "stall", {"timeouts": SHORT}),
    "no answer": (Raw([]), "cut", {}),
    "no answer, ever": (StreamReply(delay=30), "stall", {"timeouts": SHORT}),
    "no HTTP": (Raw([b"SSH-2.0-nonsense\r\n"]), "cut", {}),
}


@pytest.mark.parametrize(("script", "end", "options"), ENDS.values(), ids=ENDS)
def test_each_end_is_told(path, script, end, options):
    """How an answer ended is recorded, with the error that the client got."""
    exchange, error = recorded(path, script, lambda client: stream(client, **options))
    assert end == exchange.end
    assert (end == "complete") == exchange.is_whole == (exchange.error == "")
    assert exchange.error.startswith("" if exchange.is_whole else f"{type(error).__name__}: ")


def test_a_caller_that_has_enough(path):
    """Closing in mid-answer is told, in each of the ways to do it, and so is leaving the block of the recording."""

    def stop(chunk):
        raise StopStream

    def leave(client):
        with client.chat_completion_stream(REQUEST) as answer:
            next(answer)

    def cancel(client):
        handle = client.start_stream(REQUEST)
        assert eventually(lambda: handle.completion.choices)
        handle.cancel()
        assert handle.wait(5)

    slow = StreamReply(HELLO, interval=0.2)
    for ask in (leave, cancel, lambda client: client.chat_completion_stream(REQUEST, stop)):
        assert "closed" == recorded(path, slow, ask)[0].end
    with ScriptedServer(slow) as server, client_of(server) as client:
        with record(path):
            answer = client.chat_completion_stream(REQUEST)
            next(answer)
        assert "Hello there, you" == "".join(answer.text_stream())
    assert (None, None) == (one_exchange(path).end, one_exchange(path).end_at)
    assert b"Hello" not in one_exchange(path).content


def test_each_attempt_is_an_exchange(path):
    """A retry is a request of its own."""
    busy = error_reply(503, "busy", headers={"retry-after-ms": "1"})
    server = ScriptedServer(busy, busy, Reply(body=COMPLETION))
    with server, client_of(server.start(), max_retries=2) as client, record(path) as recorder:
        client.chat_completion(REQUEST)
    assert [503, 503, 200] == [one.status for one in Recording.load(path).exchanges]
    assert 3 == recorder.exchanges


def test_what_reaches_no_server(path):
    """No connection, and a request that cannot be sent, are told apart."""
    with record(path):
        for url, headers in (("http://127.0.0.1:9", {}), ("http://x.invalid", {"bad name": "x"})):
            with Client(base_url=url, max_retries=0) as client, pytest.raises(CompatAPIError):
                client.models(headers=headers)
    ends = [(one.end, one.status, one.head_at) for one in Recording.load(path).exchanges]
    assert [("unreachable", 0, None), ("unsent", 0, None)] == ends


def test_all_threads_are_recorded(path):
    """Calls of several threads at once are exchanges of their own, whose lines may be mixed, and nothing is lost."""
    texts = [f"Text number {number}" for number in range(6)]

    def answer(request):
        return StreamReply(chat_chunks(request.json()["model"], usage=False), interval=0.01)

    def ask(client, text):
        client.chat_completion_stream(REQUEST, lambda chunk: None, body={"model": text})

    with ScriptedServer(answer) as server, client_of(server) as client, record(path):
        threads = [threading.Thread(target=ask, args=(client, text)) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    exchanges = Recording.load(path).exchanges
    assert texts == sorted(json.loads(one.body)["model"] for one in exchanges)
    for one in exchanges:
        assert wire(*chat_chunks(json.loads(one.body)["model"], usage=False)) + DONE == one.content
        assert "complete" == one.end


def test_each_line_is_written_at_once(path):
    """While an answer is still read, the file has all that came so far: a program that dies leaves that much."""
    with ScriptedServer(StreamReply(HELLO[:2], end="stall")) as server, client_of(server) as client, record(path):
        answer = client.chat_completion_stream(REQUEST)
        next(answer)
        assert wire(HELLO[0]) in one_exchange(path).content
        assert None is one_exchange(path).end
        answer.close()
        assert "closed" == one_exchange(path).end


def test_blocks_may_overlap_and_nest(tmp_path):
    """Two recordings at once have both what was asked in both blocks, and none what was asked after."""
    first, second = tmp_path / "first", tmp_path / "second"
    before = Transport.send
    with ScriptedServer(lambda request: Reply(body={"data": []})) as server, client_of(server) as client:
        outer = record(first)
        outer.__enter__()
        client.models()
        inner = record(second)
        inner.__enter__()
        client.models()
        outer.__exit__(None, None, None)
        client.models()
        inner.__exit__(None, None, None)
        client.models()
    assert [2, 2] == [len(Recording.load(path).exchanges) for path in (first, second)]
    assert before is Transport.send


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")
def test_a_full_disk_does_not_end_a_call(tmp_path):
    """The calls go on when nothing can be written any more; the block says so at its end."""
    server = ScriptedServer(Reply(body=COMPLETION)).start()
    with server, client_of(server) as client, pytest.raises(OSError, match="No space left"), record("/dev/full"):
        assert "Hello there!" == client.chat_completion(REQUEST).text
    with pytest.raises(FileNotFoundError), record(tmp_path / "nowhere" / "one.jsonl"):
        raise ConfigError("the block is not entered")


# --- reading


def test_a_file_that_breaks_off_is_read_up_to_there(path):
    """Wherever a file is cut behind its first line, what stands before is read, and half a line is known as such."""
    recorded(path, StreamReply(HELLO, interval=0.01), stream)
    data = path.read_bytes()
    whole = Recording.parse(data).exchanges[0]
    for end in range(data.index(b"\n"), len(data) - 1, 7):
        recording = Recording.parse(data[:end])
        *_, rest = data[:end].split(b"\n")
        assert not rest or recording.is_whole == (data[end : end + 1] == b"\n" and bool(rest))
        for exchange in recording.exchanges:
            assert whole.pieces[: len(exchange.pieces)] == exchange.pieces
            assert None is exchange.end
    assert Recording.parse(data).is_whole and Recording.parse(data[:-1]).is_whole


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no recording"),
        (b"data: 1\n\n", "is no recording"),
        (b'{"object":"list"}\n', "is no recording"),
        (b'{"format":"compatapi-recording","version":1', "is no recording"),
        (b'{"format":"compatapi-recording","version":0}\n', "version 0, and only version 1 is read: record it again"),
        (b'{"format":"compatapi-recording"}\n', "version None, and only version 1 is read: record it again"),
        (b'{"format":"compatapi-recording","version":2}\n', "version 2, .* a newer compatapi reads it"),
        (b'{"format":"compatapi-recording","version":1}\n{"at":0}\n\n', "line 2 of .* cannot be read: KeyError"),
        (b'{"format":"compatapi-recording","version":1}\n[\n{}\n', "line 2 of .* cannot be read"),
        (b'{"format":"compatapi-recording","version":1}\n{"at":0,"exchange":1,"text":""}\n\n', "line 2 of"),
    ],
)
def test_what_is_no_recording_of_this_version(path, data, said):
    """Another file, another version, and a broken line in the middle are refused, with the reason and the name."""
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=said) as caught:
        Recording.load(path)
    assert "one.jsonl" in str(caught.value)


def test_half_of_an_emoji_in_a_request(path):
    """JSON can say half of a surrogate pair, and UTF-8 cannot; the file is UTF-8 all the same, and says it."""
    with record(path), ScriptedServer(Reply(body={})) as server, client_of(server) as client:
        assert [b"{}"] == list(client._sender.transport.send(*_raw_request(server, b'{"said": "\\ud83c"}')).body)
    assert {"said": "\ud83c"} == json.loads(one_exchange(path).body)
    assert "\\ud83c" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("body", [b"", b"no JSON", b"\xff\xfe", b"[" * 5000, b'{"a": NaN}', b'"text"', b"12345678"])
def test_a_request_of_any_bytes(path, body):
    """What is no object of JSON is kept as it was sent."""
    with record(path), ScriptedServer(Reply(body={})) as server, client_of(server) as client:
        assert [b"{}"] == list(client._sender.transport.send(*_raw_request(server, body)).body)
    assert body == one_exchange(path).body


def _raw_request(server, body):
    from compatapi.call import Call
    from compatapi.http_types import HttpRequest

    return HttpRequest("POST", server.url, {}, body), Call(SHORT)
