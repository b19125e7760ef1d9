"""Formats as WSGI responses, over real sockets."""

import http.client
import io
import json
import threading
from contextlib import contextmanager
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from compatapi import ChatCompletionRequest, Client, IncompleteStreamError, Message, StreamError
from compatapi.errors import ConnectionLost
from compatapi.formats import FORMATS
from streams import body, read, say, stop, usage_of

REQUEST = ChatCompletionRequest("m", [Message.user("hello")])
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
#: Where each format is asked for, and how its client is made.
PATHS = {"/v1/chat/completions": "sse", "/api/chat": "ollama", "/v1/messages": "anthropic"}
CLIENTS = {
    "sse": lambda url: Client(base_url=f"{url}/v1"),
    "ollama": lambda url: Client("ollama", base_url=url),
    "anthropic": lambda url: Client("anthropic", base_url=url, api_key="a-key-for-tests"),
}


class Quiet(WSGIRequestHandler):
    """Says nothing on standard error, not even of a client that has gone."""

    def log_message(self, *_):
        pass

    def get_stderr(self):
        return io.StringIO()


class Source:
    """Chunks that wait in front of the second one until they may go on."""

    def __init__(self, *values, error=None):
        self.chunks, self.error = read(*values)[0], error
        self.go, self.closed = threading.Event(), threading.Event()

    def __iter__(self):
        for place, chunk in enumerate(self.chunks):
            if place == 1:
                self.go.wait(20)
            yield chunk
        if self.error is not None:
            raise self.error

    def close(self):
        self.closed.set()


@contextmanager
def serving(source, *, waits=False):
    """The address of a WSGI server that answers each path with the chunks in its format."""
    if not waits:
        source.go.set()

    def application(environ, start_response):
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
        row = FORMATS[PATHS[environ["PATH_INFO"]]]
        start_response("200 OK", [("Content-Type", row.media_type)])
        return row.write(source, errors="emit")

    server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        source.go.set()
        server.shutdown()
        thread.join()
        server.server_close()


ANSWER = [body({"role": "assistant", "reasoning_content": "Hm."}), say("Hel"), say("lo"), stop(usage=USAGE)]


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_of_the_format_reads_it(name):
    """A client of each protocol sees the same text, reasoning, end and usage."""
    source = Source(*ANSWER)
    with serving(source) as url, CLIENTS[name](url) as client:
        completion = client.chat_completion_stream(REQUEST, on_chunk=lambda chunk: None)
        assert source.closed.wait(5)
    assert ("Hello", "Hm.", "stop", (3, 2, 5)) == (
        completion.text,
        completion.reasoning,
        completion.finish_reason,
        usage_of(completion),
    )


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_sees_the_first_chunk_while_the_stream_goes_on(name):
    """What is written is on the wire at once."""
    source = Source(say("Hel"), say("lo"), stop())
    with (
        serving(source, waits=True) as url,
        CLIENTS[name](url) as client,
        client.chat_completion_stream(REQUEST) as stream,
    ):
        texts = stream.text_stream()
        assert "Hel" == next(texts)
        assert not source.go.is_set()
        source.go.set()
        assert ["lo"] == list(texts)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_sees_the_error(name):
    """A stream that breaks is an error to the client, behind what came."""
    source = Source(say("Hel"), error=ConnectionLost("The road is gone"))
    expected = pytest.raises(StreamError, match="The road is gone")
    with serving(source) as url, CLIENTS[name](url) as client, expected as caught:
        client.chat_completion_stream(REQUEST, on_chunk=lambda chunk: None)
    assert "Hel" == caught.value.completion.text


@pytest.mark.parametrize("name", CLIENTS)
def test_a_source_that_crashes_is_never_complete(name):
    """An exception of the program is no answer: the client sees a stream that was cut."""
    source = Source(say("Hel"), error=ZeroDivisionError("secret"))
    with serving(source) as url, CLIENTS[name](url) as client, pytest.raises(IncompleteStreamError) as caught:
        client.chat_completion_stream(REQUEST, on_chunk=lambda chunk: None)
    assert "secret" not in str(caught.value)


def test_a_client_that_leaves_closes_the_source():
    """When its client has gone, the server closes the iterator, and so the stream behind it."""
    source = Source(*[say("x" * 10000) for _ in range(500)], stop())
    with serving(source, waits=True) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.request("POST", "/api/chat", body="{}")
        response = connection.getresponse()
        assert "x" * 10000 == json.loads(response.readline())["message"]["content"]
        response.close()
        connection.close()
        source.go.set()
        assert source.closed.wait(20)
