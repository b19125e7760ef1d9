"""Scripts on the wire: whole answers, streams in every framing, paces, and broken ends."""

import gzip
import http.client
import json
import time
import zlib

import pytest
import urllib3

from compatapi.testing import (
    Raw,
    RecordedRequest,
    Reply,
    ScriptedServer,
    StreamReply,
    error_reply,
)
from loopback import asking, exchange, fetch, read_until

EVENTS = [{"n": 1}, {"n": 2}, {"n": 3}]
UNDONE = b'data: {"n":1}\n\ndata: {"n":2}\n\ndata: {"n":3}\n\n'
SSE = UNDONE + b"data: [DONE]\n\n"
REQUEST = RecordedRequest(method="GET", path="/")


# -- whole answers


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        ({"a": "é"}, "application/json", '{"a":"é"}'.encode()),
        ([1], "application/json", b"[1]"),
        ("é", "text/plain; charset=utf-8", "é".encode()),
        (b"\xff", "application/octet-stream", b"\xff"),
        (None, None, b""),
    ],
)
def test_reply_bodies(body, media_type, expected):
    """The kind of the body chooses the media type; bytes stay as they are."""
    with ScriptedServer(Reply(418, body=body, headers={"X-A": "1"})) as server:
        response, received = fetch(server)
    assert (418, expected) == (response.status, received)
    assert (media_type, "1") == (response.headers["Content-Type"], response.headers["x-a"])


def test_reply_headers_replace_the_usual_ones():
    """A given header replaces the default, whatever its case; None takes one away."""
    reply = Reply(body={}, headers={"content-type": "text/html", "Content-Length": None})
    _, written, ending = reply.play(REQUEST)
    assert b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n{}" == written
    assert "keep" == ending


def test_reply_encoding_and_head_requests():
    """A body can be compressed; an answer to HEAD has none but tells its length."""
    with ScriptedServer(Reply(body="x" * 99, encoding="gzip"), Reply(body="abc")) as server:
        assert b"x" * 99 == gzip.decompress(fetch(server)[1])
        response, body = fetch(server, "HEAD")
    assert ("3", b"") == (response.headers["Content-Length"], body)


def test_reply_delay():
    """Nothing is sent before the delay is over."""
    with ScriptedServer(Reply(delay=0.05)) as server:
        began = time.monotonic()
        fetch(server)
        assert time.monotonic() - began >= 0.05


def test_error_reply():
    """Errors have the shape of OpenAI's."""
    reply = error_reply(404, "No.", param="model", code="model_not_found")
    with ScriptedServer(reply) as server:
        response, body = fetch(server)
    assert 404 == response.status
    expected = {
        "message": "No.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert {"error": expected} == json.loads(body)


# -- streams


@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
@pytest.mark.parametrize("encoding", [None, "gzip", "deflate"])
def test_framings_carry_the_same_stream(framing, encoding):
    """Every framing and encoding is proper HTTP, and decodes to the same events."""
    with ScriptedServer(StreamReply(EVENTS, framing=framing, encoding=encoding)) as server:
        response = urllib3.request("GET", server.url, retries=False)
    assert SSE == response.data
    assert "text/event-stream; charset=utf-8" == response.headers["content-type"]
    assert encoding == response.headers.get("content-encoding")
    assert (framing == "chunked") == (response.headers.get("transfer-encoding") == "chunked")
    assert (framing == "length") == ("content-length" in response.headers)


def test_each_event_is_one_chunk():
    """Dicts become data lines, text and bytes go as they are, one HTTP chunk for each."""
    reply = StreamReply([{"a": 1}, ": hi\n\n", b"\xff", b""], newline="\r\n")
    with ScriptedServer(reply) as server:
        said = exchange(server, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    expected = b'11\r\ndata: {"a":1}\r\n\r\n\r\n6\r\n: hi\n\n\r\n1\r\n\xff\r\n'
    expected += b"10\r\ndata: [DONE]\r\n\r\n\r\n0\r\n\r\n"
    assert expected == said.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_events_decode_as_they_arrive(encoding):
    """Each event is flushed: a client has all of it while the server still stalls."""
    reply = StreamReply(EVENTS, encoding=encoding, framing="close", end="stall")
    inflate, text = zlib.decompressobj(wbits=47), b""
    with ScriptedServer(reply) as server, asking(server) as (_, response):
        while text.count(b"\n\n") < 3:
            text += inflate.decompress(response.read1(65536))
    assert UNDONE == text


@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_paced_events_arrive_one_by_one(framing):
    """With an interval the events come apart in time, and never early."""
    interval, arrivals = 0.02, []
    reply = StreamReply(EVENTS * 2, interval=interval, framing=framing, done=False)
    with ScriptedServer(reply) as server:
        began = time.monotonic()
        with asking(server) as (_, response):
            while data := response.read1(65536):
                arrivals.append((time.monotonic() - began, data))
    assert UNDONE * 2 == b"".join(data for _, data in arrivals)
    # A reader that was kept waiting by the machine may find two events at once.
    assert len(arrivals) > 3
    assert arrivals[-1][0] >= 5 * interval
    assert arrivals[0][0] < arrivals[-1][0] - interval


def test_pauses_of_a_stream():
    """Delay, first delay, numbers among the events and intervals are steps of the script."""
    reply = StreamReply(["a", 9.0, "b", "c"], delay=1.0, first_delay=2.0, interval=3.0, done=False)
    steps = list(reply.play(REQUEST))
    pauses = [step for step in steps if isinstance(step, float) and step]
    assert [1.0, 2.0, 9.0, 3.0, 3.0] == pauses
    assert "keep" == steps[-1]


def test_keepalive_fills_pauses():
    """Comments are written through a pause, also through a stall."""
    reply = StreamReply(["data: x\n\n"], first_delay=0.05, keepalive=0.02, end="stall")
    with ScriptedServer(reply) as server, asking(server) as (_, response):
        text = read_until(response, b": keep-alive\n\n", 4)
    assert text.startswith(b": keep-alive\n\n: keep-alive\n\ndata: x\n\n: keep-alive\n\n")


def test_keepalive_needs_an_open_framing():
    """Comments would break a promised length, and a time of zero would never pause."""
    with pytest.raises(ValueError):
        StreamReply(keepalive=1.0, framing="length")
    with pytest.raises(ValueError):
        StreamReply(keepalive=0)


@pytest.mark.parametrize("field", ["framing", "encoding", "end"])
def test_misspelled_choices_are_refused(field):
    """A word that names no framing, encoding or end is an error where it is written."""
    with pytest.raises(ValueError):
        StreamReply(**{field: "nonsense"})


def test_endless_streams_are_lazy():
    """Events are taken from their iterable one at a time, so a stream need not end."""
    taken = []

    def numbers():
        while True:
            taken.append(len(taken))
            yield {"n": len(taken)}

    with ScriptedServer(StreamReply(numbers(), interval=0.005)) as server:
        with asking(server) as (_, response):
            assert b'data: {"n":1}\n\n' == response.read1(100)
        assert server.wait_until(lambda: server.open_connections == 0)
        stopped_at = len(taken)
        assert 0 < stopped_at
        time.sleep(0.02)
        assert stopped_at == len(taken)


# -- broken ends


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_cut_is_seen_as_incomplete(framing):
    """A cut stream has its events but neither end marker nor end of body."""
    with (
        ScriptedServer(StreamReply(EVENTS, framing=framing, end="cut")) as server,
        pytest.raises(http.client.IncompleteRead) as caught,
    ):
        fetch(server)
    assert UNDONE == caught.value.partial


def test_cut_of_a_close_delimited_body():
    """Without framing a cut shows by the missing end marker alone; `done` can put it there."""
    replies = [StreamReply(EVENTS, framing="close", end="cut", done=done) for done in (None, True)]
    with ScriptedServer(*replies) as server:
        assert UNDONE == fetch(server)[1]
        assert SSE == fetch(server)[1]


@pytest.mark.parametrize("script", [StreamReply(EVENTS, end="reset"), Raw(reset=True)])
def test_reset_breaks_the_connection(script):
    """A reset reaches the client as an error of the connection, not as an end."""
    with ScriptedServer(script) as server, pytest.raises(ConnectionResetError):
        exchange(server)


def test_stall_lasts_until_the_client_leaves():
    """A stalled stream says nothing; the server notices at once when the client hangs up."""
    with ScriptedServer(StreamReply(EVENTS, framing="length", end="stall")) as server:
        with asking(server) as (connection, response):
            assert UNDONE == read_until(response, b'{"n":3}\n\n')
            connection.sock.settimeout(0.05)
            with pytest.raises(TimeoutError):
                response.read1(1)
            assert 1 == server.open_connections
        assert server.wait_until(lambda: server.open_connections == 0)


def test_raw_pieces():
    """Raw writes its pieces with their pauses, and can leave the connection open."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    scripts = [Raw([head, 0.01, b"o", b"k"], close=False), Raw([b"nonsense"])]
    with ScriptedServer(*scripts) as server, asking(server) as (connection, response):
        assert b"ok" == response.read()
        connection.request("GET", "/")
        with pytest.raises(http.client.BadStatusLine):
            connection.getresponse()
        assert 1 == server.connections
