"""Replay: what was recorded comes again, at its pace, to who asks the same, and breaks off where it broke off."""

import http.client
import json
import time

import pytest

from calls import COMPLETION, REQUEST, client_of, hard_limit  # noqa: F401
from compatapi import ChatCompletionRequest, Client, Message
from compatapi.call import Timeouts
from compatapi.errors import (
    APIStatusError,
    CompatAPIError,
    ConnectionLost,
    RateLimitError,
    RequestTimeout,
)
from compatapi.testing import (
    Exchange,
    Raw,
    RecordedRequest,
    Recording,
    ReplayScript,
    Reply,
    ScriptedServer,
    ScriptedTransport,
    StreamReply,
    chat_chunks,
    error_reply,
    record,
    replay,
)
from loopback import asking, fetch

HELLO = chat_chunks("Hello there, you", usage=False)
HEAD = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
#: Longer than what a busy machine takes for a pause of nothing.
SHORT = Timeouts(first_token=0.4, idle=0.4)


def asked(question, model="m"):
    """A request with one question."""
    return ChatCompletionRequest(model, [Message.user(question)])


def told(stream):
    """The chunks of a stream with the seconds at which they came, and the class of the error that ended it."""
    chunks, error = [], None
    try:
        for chunk in stream:
            chunks.append((time.monotonic(), chunk))
    except CompatAPIError as caught:
        error = type(caught)
    return [at for at, _ in chunks], [chunk for _, chunk in chunks], error


def stream_of(server, request=REQUEST, **options):
    """What a client is told that streams from a server."""
    with client_of(server, **options) as client:
        try:
            return told(client.chat_completion_stream(request))
        except CompatAPIError as caught:
            return [], [], type(caught)


def recording_of(path, *scripts, ask=stream_of, **options):
    """Record the answers of a server to one request after the other."""
    with ScriptedServer(*scripts) as server, record(path):
        outcomes = [ask(server, **options) for _ in scripts]
    return Recording.load(path), outcomes


def exchange_of(*pieces, **fields):
    """An exchange with what is told."""
    known = {"number": 1, "at": 0.0, "method": "GET", "url": "http://x/", "head_at": 0.0, "status": 200, "end_at": 0.0}
    defaults = {"response_headers": HEAD, "end": "complete"}
    return Exchange(**{**known, **defaults, "pieces": pieces, **fields})


SCRIPTS = {
    "stream": StreamReply(HELLO, interval=0.01),
    "stream, length": StreamReply(HELLO, framing="length"),
    "stream, close": StreamReply(HELLO, framing="close"),
    "stream, compressed": StreamReply(HELLO, encoding="gzip"),
    "whole": Reply(body=COMPLETION),
    "whole, compressed": Reply(body=COMPLETION, encoding="gzip"),
    "no text": Reply(body=b"\xff\xfe{"),
    "error": error_reply(429, "Slow down", headers={"Retry-After": "7"}),
    "cut": StreamReply(HELLO[:-1], end="cut"),
    "cut, length": StreamReply(HELLO[:-1], end="cut", framing="length"),
    "cut, whole": Raw([b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"]),
    "reset": StreamReply([*HELLO[:-1], 0.1], end="reset"),
    "stall": StreamReply(HELLO[:-1], end="stall"),
    "incomplete": StreamReply(HELLO[:-1], done=False),
    "no answer": Raw([]),
    "no answer, ever": StreamReply(delay=30),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_replay_is_what_was_recorded(tmp_path, name):
    """A client that streams gets the same chunks and the same error from the replay as from the server."""
    recording, outcomes = recording_of(tmp_path / "one", SCRIPTS[name], timeouts=SHORT)
    _, chunks, error = outcomes[0]
    play = replay(recording, pace=0)
    with ScriptedServer(play) as server:
        _, again, same = stream_of(server, timeouts=SHORT)
    assert (chunks, error) == (again, same)
    assert ([], 1) == (play.unused(), len(play.played))


@pytest.mark.parametrize("name", ["whole", "whole, compressed", "error", "cut, whole", "no text", "no answer"])
def test_a_blocking_answer_is_what_was_recorded(tmp_path, name):
    """So does a client that asks for the whole."""

    def ask(server):
        with client_of(server, timeouts=SHORT) as client:
            try:
                return client.chat_completion(REQUEST)
            except CompatAPIError as error:
                return type(error), str(error), getattr(error, "retry_after", None)

    recording, outcomes = recording_of(tmp_path / "one", SCRIPTS[name], ask=ask)
    with ScriptedServer(replay(recording)) as server:
        assert outcomes == [ask(server)]


def test_pauses_are_kept_scaled_or_left_out(tmp_path):
    """The pauses of a replay are those of the recording, times the pace."""
    at = [0.0, 0.1, 0.3, 0.35]
    pieces = [
        (0.5 + after, b"data: " + json.dumps(chunk).encode() + b"\n\n") for after, chunk in zip(at, HELLO, strict=False)
    ]
    one = exchange_of(*pieces, head_at=0.2, end_at=0.9)
    for pace in (1.0, 0.5, 0.0):
        steps = list(ReplayScript(one, pace).play(RecordedRequest(method="GET", path="/")))
        pauses = [step for step in steps if isinstance(step, float)]
        expected = [0.2, 0.3, 0.1, 0.2, 0.05, 0.05]
        assert pytest.approx([pause * pace for pause in expected]) == pauses
        assert ("keep", b"0\r\n\r\n") == (steps[-1], steps[-2])


def test_the_replay_takes_as_long_as_the_recording(tmp_path):
    """On a real connection the pieces come with the pauses that were recorded, or a part of them."""
    recording, outcomes = recording_of(tmp_path / "one", StreamReply(HELLO, interval=0.08))
    times, chunks, _ = outcomes[0]
    for pace in (1.0, 0.25):
        with ScriptedServer(replay(recording, pace=pace)) as server:
            again, same, _ = stream_of(server)
        assert chunks == same
        # A slow machine can only widen it.
        assert again[-1] - again[0] >= (times[-1] - times[0]) * pace - 0.04


BROKEN = (http.client.IncompleteRead, ConnectionResetError)  # RemoteDisconnected is one of the latter


@pytest.mark.parametrize("end", ["cut", "reset", "closed", "unreachable", None])
@pytest.mark.parametrize("has_head", [True, False])
def test_what_broke_off_breaks_off(end, has_head):
    """Each end but that of a whole answer leaves the body unfinished, in every framing."""
    for headers in (HEAD, {"Content-Length": "2"}, {"Content-Length": "99"}, {}, {**HEAD, "content-encoding": "gzip"}):
        one = exchange_of((0.0, b"{}"), end=end, response_headers=headers, **({} if has_head else {"head_at": None}))
        with ScriptedServer(ReplayScript(one)) as server, pytest.raises(BROKEN), asking(server) as (_, response):
            response.read()


def test_a_stall_stays_silent():
    """What fell silent is silent until the client gives up, at any pace."""
    one = exchange_of((0.0, b": wait\n\n"), end="stall", method="POST", url="http://x/v1/chat/completions")
    with ScriptedServer(ReplayScript(one, 0)) as server:
        assert ([], [], RequestTimeout) == stream_of(server, timeouts=SHORT)


def test_a_recording_that_breaks_off_is_replayed_as_broken_off(tmp_path):
    """Of a file whose last line is half, what stands before is played, and then the connection breaks."""
    path = tmp_path / "one"
    recording_of(path, StreamReply(HELLO, interval=0.02))
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"finish_reason")])
    recording = Recording.load(path)
    assert not recording.is_whole
    with ScriptedServer(replay(recording, pace=0)) as server:
        _, chunks, error = stream_of(server)
    assert ConnectionLost is error
    assert "Hello there, you".startswith("".join(chunk.text for chunk in chunks)) and chunks


def test_what_is_around_the_body_is_kept():
    """Headers are sent again but for those of the connection, of what is masked, and of compression that is undone."""
    headers = {"X-Request-Id": "req-1", "Set-Cookie": "***", "Content-Encoding": "gzip", "openai-organization": "***"}
    one = exchange_of((0.0, b"{}"), status=202, response_headers={**headers, "Content-Length": "20"})
    with ScriptedServer(ReplayScript(one)) as server:
        response, body = fetch(server)
    assert (202, b"{}") == (response.status, body)
    got = {name: response.headers[name] for name in ("X-Request-Id", "Set-Cookie", "Content-Encoding")}
    assert {"X-Request-Id": "req-1", "Set-Cookie": None, "Content-Encoding": None} == got


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_answers_without_a_body(method, status):
    """They end with their head, and the connection serves the next request."""
    one = exchange_of(status=status, method=method, response_headers={"content-length": "5"})
    with (
        ScriptedServer(ReplayScript(one), Reply(body=b"next")) as server,
        asking(server, method) as (connection, response),
    ):
        assert (status, b"") == (response.status, response.read())
        connection.request("GET", "/")
        assert b"next" == connection.getresponse().read()
        assert 1 == server.connections


# --- matching


@pytest.fixture
def talk(tmp_path):
    """A recording of three questions: one blocking, two streamed, of two models."""

    def answer(request):
        body = request.json()
        text = f"{body['model']}: {body['messages'][0]['content']}"
        return StreamReply(chat_chunks(text)) if body.get("stream") else Reply(body={**COMPLETION, "model": text})

    path = tmp_path / "talk"
    with ScriptedServer(answer) as server, client_of(server) as client, record(path):
        client.chat_completion(asked("One"))
        client.chat_completion_stream(asked("Two"), lambda chunk: None)
        client.chat_completion_stream(asked("Three", "other"), lambda chunk: None)
    return path


def says(client, question, model="m", stream=True):
    """What the answer to a question says: model and question, as they were recorded."""
    if not stream:
        return client.chat_completion(asked(question, model)).model
    return "".join(client.chat_completion_stream(asked(question, model)).text_stream())


def test_strict_takes_the_same_in_the_same_order(talk):
    """The requests of the recording are answered, in its order, however their JSON is written."""
    with ScriptedServer(replay(talk)) as server, client_of(server) as client:
        body = json.dumps({"messages": [{"content": "One", "role": "user"}], "model": "m"}, indent=1).encode()
        assert "m: One" == json.loads(fetch(server, "POST", "/v1/chat/completions", body)[1])["model"]
        assert ["m: Two", "other: Three"] == [says(client, "Two"), says(client, "Three", "other")]


def test_strict_shows_what_is_different(talk):
    """Another request is refused with the differences, is not tried again, and does not use up what it is not."""
    play = replay(talk)
    with ScriptedServer(play) as server, client_of(server, max_retries=3) as client:
        for wrong, said in (
            (
                lambda: says(client, "One more", stream=False),
                'body.messages[0].content: "One" was recorded, "One more" is',
            ),
            (lambda: says(client, "One"), "body.stream: nothing was recorded, true is asked for"),
            (client.models, 'path: "/v1/chat/completions" was recorded, "/v1/models" is asked for'),
            (client.models, 'method: "POST" was recorded, "GET" is asked for'),
            (lambda: client.chat_completion(asked("One"), query={"a": "b"}), 'query.a: nothing was recorded, "b" is'),
            (
                lambda: client.chat_completion(asked("One"), body={"n": 1}),
                "body.n: nothing was recorded, 1 is asked for",
            ),
        ):
            with pytest.raises(APIStatusError) as caught:
                wrong()
            assert said in str(caught.value)
        assert 6 == len(server.requests)
        assert "m: One" == says(client, "One", stream=False)
    assert ["exchange 2", "exchange 3"] == [line.partition(" of")[0] for line in play.unused()]


def test_a_difference_is_short():
    """Of many differences the first are told, and how many more there are; long values are cut."""
    one = exchange_of(method="POST", body=json.dumps({"a": list(range(40)), "b": "x" * 1000}).encode())
    with ScriptedServer(replay(Recording((one,)))) as server:
        _, body = fetch(server, "POST", "/", b'{"a": [], "b": ""}')
    assert b"body.a[11]: 11 was recorded, nothing is asked for" in body and b"and 29 more" in body
    assert len(body) < 3000


def test_what_is_masked_fits_anything():
    """Whoever replays has another key, or none."""
    one = exchange_of(
        method="POST", url="http://x/accounts/***/v1?alt=sse&key=***", body=b'{"api_key": "***", "said": "my *** is"}'
    )
    for path, said in (("/accounts/mine/v1?key=other&alt=sse", "my key is"), ("/accounts/a/v1?alt=sse", "my *** is")):
        with ScriptedServer(replay(Recording((one,)))) as server:
            body = json.dumps({"api_key": "another", "said": said}).encode()
            assert 200 == fetch(server, "POST", path, body)[0].status


def test_all_was_played(talk):
    """A request too many is refused; a replay that repeats begins again."""
    with ScriptedServer(replay(talk, match="lenient")) as server, client_of(server) as client:
        assert 3 == len([says(client, "Two") for _ in range(3)])
        with pytest.raises(APIStatusError, match="All exchanges of the recording were played"):
            says(client, "Two")
    with ScriptedServer(replay(talk, repeat=True)) as server, client_of(server) as client:
        for _ in range(2):
            assert "m: One" == says(client, "One", stream=False)
            assert ["m: Two", "other: Three"] == [says(client, "Two"), says(client, "Three", "other")]


def test_lenient_takes_what_is_most_alike(talk):
    """The same request, in any order; else the same model and wish for a stream; else the same path; else the next."""
    with ScriptedServer(replay(talk, match="lenient")) as server, client_of(server) as client:
        assert "other: Three" == says(client, "Four", "other")
        assert "m: Two" == says(client, "Two")
        assert "m: One" == says(client, "Five", "third", stream=False)
    with ScriptedServer(replay(talk, match="lenient")) as server, client_of(server) as client:
        assert "m: One" == json.loads(fetch(server, "GET", "/nowhere")[1])["model"]
        assert "other: Three" == says(client, "Three", "other")


def test_a_check_tells_what_was_other_than_recorded(talk):
    """The check of the server names the requests that were not recorded, and the exchanges that were not asked for."""
    with ScriptedServer(replay(talk)) as server, client_of(server) as client:
        says(client, "One", stream=False)
        with pytest.raises(APIStatusError):
            says(client, "Too")
        with pytest.raises(AssertionError) as caught:
            server.check()
    said = str(caught.value)
    assert 'body.messages[0].content: "Two" was recorded, "Too" is asked for' in said
    assert "exchange 3 of the recording: POST http://127.0.0.1" in said


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_replay_without_a_socket(tmp_path, name):
    """A scripted transport plays a recording too, with the same outcome."""
    recording, outcomes = recording_of(tmp_path / "one", SCRIPTS[name], timeouts=SHORT)
    transport = ScriptedTransport(replay(recording))
    with Client(base_url="http://x/v1", transport=transport, timeouts=SHORT, max_retries=0) as client:
        try:
            _, chunks, error = told(client.chat_completion_stream(REQUEST))
        except CompatAPIError as caught:
            chunks, error = [], type(caught)
    assert outcomes[0][1:] == (chunks, error)
    transport.check()


def test_retries_are_replayed(tmp_path):
    """Each attempt of the recording answers one attempt of the replay."""
    path = tmp_path / "one"
    busy = error_reply(429, "busy", headers={"retry-after-ms": "1"})

    def ask(server):
        with client_of(server, max_retries=1) as client:
            return client.chat_completion(REQUEST)

    with ScriptedServer(busy, Reply(body=COMPLETION)) as server, record(path):
        completion = ask(server)
    play = replay(path)
    with ScriptedServer(play) as server:
        assert completion == ask(server)
    assert [429, 200] == [one.status for one in play.played]
    with ScriptedServer(replay(path)) as server, client_of(server) as client, pytest.raises(RateLimitError):
        client.chat_completion(REQUEST)


def test_what_was_not_sent_is_not_asked_for():
    """A request that could not be sent is no exchange to wait for."""
    unsent = exchange_of(end="unsent", head_at=None, status=0)
    with ScriptedServer(replay(Recording((unsent, exchange_of((0.0, b"{}")))))) as server:
        assert b"{}" == fetch(server)[1]


@pytest.mark.parametrize("options", [{"pace": -1.0}, {"pace": float("inf")}, {"match": "some"}])
def test_wrong_options(options):
    """What cannot be meant is refused at once."""
    with pytest.raises(ValueError, match="|".join(options)):
        replay(Recording(), **options)
