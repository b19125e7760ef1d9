"""The dialect that the documentation builds is a real one: its program is taken from the page and talks to a server."""

import json
import logging
import random
import re
from pathlib import Path

import pytest

from calls import error_of, hard_limit  # noqa: F401
from compatapi import ChatCompletionRequest, Client, ImagePart, Message, Provider, StreamDecoder
from compatapi.chat_types import ChatCompletionChunk
from compatapi.convert import from_json, to_json
from compatapi.errors import ConfigError, DecodeError, IncompleteStreamError, ServerError, StreamError
from compatapi.testing import Reply, ScriptedServer, StreamReply
from helpers import decode_every_way

PAGE = Path(__file__).parents[1] / "docs" / "add-a-dialect.md"
LINES = [b'{"word": "Hel"}\n', b'{"word": "lo!"}\n', b'{"end": "full", "heard": 7, "said": 2, "mood": "calm"}\n']
HELLO = ChatCompletionRequest("grey", [Message.system("Be brief"), Message.user("Hello")], temperature=0.5)
BUSY = {"oops": "Too many voices", "kind": "busy"}


def built():
    """The dialect, as the first program of the page makes it."""
    text = PAGE.read_text(encoding="utf-8")
    program = re.search(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    namespace = {"__name__": "page"}
    exec(compile("\n" * text.count("\n", 0, program.start(1)) + program.group(1), str(PAGE), "exec"), namespace)
    return namespace["Mine"]()


MINE = built()


def client_of(server, **options):
    """A client of the host that speaks it, made as the page says."""
    return Client(Provider("mine", server.url, dialect=MINE), **{"max_retries": 0, **options})


def streamed(lines=LINES, **options):
    """A stream of lines."""
    return StreamReply(lines, done=False, headers={"Content-Type": "application/x-ndjson"}, **options)


def by_blocking(client):
    """Ask and wait."""
    return client.chat_completion(HELLO)


def by_generator(client):
    """Ask, and iterate."""
    with client.chat_completion_stream(HELLO) as stream:
        assert ["Hel", "lo!", ""] == [chunk.text for chunk in stream]
    return stream.completion


def by_callback(client):
    """Ask, and be called."""
    told = []
    completion = client.chat_completion_stream(HELLO, lambda chunk: told.append(chunk.text))
    assert ["Hel", "lo!", ""] == told
    return completion


@pytest.mark.parametrize("ask", [by_blocking, by_generator, by_callback])
def test_a_conversation(ask):
    """Request and answer are what the page says, blocking, as a generator and with a callback."""
    whole = Reply(body={"word": "Hello!", "end": "full", "heard": 7, "said": 2, "mood": "calm"})
    with ScriptedServer(whole if ask is by_blocking else streamed()) as server:
        completion = ask(client_of(server, api_key="a-key-for-tests"))
        [request] = server.requests
    assert ("POST", "/say", "Bearer a-key-for-tests") == (
        request.method,
        request.path,
        request.headers["authorization"],
    )
    assert {
        "voice": "grey",
        "talk": [["rule", "Be brief"], ["you", "Hello"]],
        "flow": ask is not by_blocking,
        "heat": 0.5,
    } == request.json()
    assert ("Hello!", "stop", "grey") == (completion.text, completion.finish_reason, completion.model)
    assert "full" == completion.choices[0].extra["native_finish_reason"]
    assert (7, 2) == (completion.usage.prompt_tokens, completion.usage.completion_tokens)
    assert {"mood": "calm"} == completion.extra


def test_the_answer_can_go_back():
    """The message of an answer, appended to the conversation, is sent."""
    with ScriptedServer(streamed(), streamed()) as server:
        client = client_of(server)
        first = by_generator(client)
        client.chat_completion_stream(
            ChatCompletionRequest("grey", [*HELLO.messages, first.message]), lambda chunk: None
        )
        assert ["me", "Hello!"] == server.requests[1].json()["talk"][-1]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"max_tokens": 5}, "max_tokens"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"extra": {"pitch": 1}}, "pitch"),
        ({"messages": [Message.tool("x", "c")]}, "messages[0].tool_call_id"),
        ({"messages": [Message("critic", "x")]}, "messages[0].role"),
        ({"messages": [Message.user("x", name="Ann")]}, "messages[0].name"),
        ({"messages": [Message.user([ImagePart.from_url("u")])]}, "messages[0].content[0]"),
    ],
)
def test_what_it_cannot_say_is_refused(options, path):
    """A field or part without a word is refused by its path, and nothing is sent."""
    request = ChatCompletionRequest(**{"model": "grey", "messages": [Message.user("Hello")], **options})
    with ScriptedServer() as server:
        said = str(error_of(ConfigError, client_of(server).chat_completion, request))
        assert [] == server.requests
    assert path in said
    assert "'mine'" in said


def test_what_it_cannot_say_is_dropped_on_request(caplog):
    """With on_unsupported="drop" the rest is sent, and the log says what is not."""
    messages = [Message("critic", "x"), Message.user(["Hello", ImagePart.from_url("u")])]
    request = ChatCompletionRequest("grey", messages, max_tokens=5)
    with ScriptedServer(streamed()) as server, caplog.at_level(logging.WARNING, "compatapi"):
        client_of(server, on_unsupported="drop").chat_completion_stream(request, lambda chunk: None)
        assert {"voice": "grey", "talk": [["you", "Hello"]], "flow": True} == server.requests[0].json()
    assert all(path in caplog.text for path in ("messages[0].role", "messages[1].content[1]", "max_tokens"))


def test_a_stream_that_is_cut():
    """A stream without its last line is an error that carries the answer so far."""
    with ScriptedServer(streamed(LINES[:1])) as server:
        error = error_of(IncompleteStreamError, client_of(server).chat_completion_stream, HELLO, lambda chunk: None)
    assert ("Hel", None) == (error.completion.text, error.completion.finish_reason)


def test_an_error_inside_a_stream():
    """An error among the lines comes behind what was said before it."""
    with ScriptedServer(streamed([LINES[0], json.dumps(BUSY).encode() + b"\n"])) as server:
        error = error_of(StreamError, client_of(server).chat_completion_stream, HELLO, lambda chunk: None)
    assert ("Hel", "busy", 429) == (error.completion.text, error.code, error.status_code)
    assert "Too many voices" in str(error)


def test_an_error_in_a_200_is_tried_again_if_that_helps():
    """ "busy" is tried again by the usual rule, an unknown voice is not."""
    whole = Reply(body={"word": "Hello!", "end": "full"})
    unknown = Reply(body={"oops": "Who?", "kind": "unknown-voice"})
    with ScriptedServer(Reply(body=BUSY), whole, unknown) as server:
        client = client_of(server, max_retries=1)
        assert "Hello!" == client.chat_completion(HELLO).text
        error = error_of(StreamError, client.chat_completion, HELLO)
        assert (404, 3) == (error.status_code, len(server.requests))


def test_what_the_base_class_does():
    """Errors by status, nonsense and the lack of models are as everywhere."""
    with ScriptedServer(Reply(503, body="down"), Reply(body="[]"), streamed([b"nonsense\n"])) as server:
        client = client_of(server)
        assert "down" in str(error_of(ServerError, client.chat_completion, HELLO))
        error_of(DecodeError, client.chat_completion, HELLO)
        error_of(DecodeError, client.chat_completion_stream, HELLO, lambda chunk: None)
        error_of(ConfigError, client.models)


def test_cuts_do_not_show():
    """However the network cuts the lines, the chunks are the same, and each can be written and read again."""
    dialect = built()
    dialect.clock = lambda: 5.0
    chunks = decode_every_way(lambda: StreamDecoder(dialect, HELLO), b"".join(LINES))
    assert ["Hel", "lo!", ""] == [chunk.text for chunk in chunks]
    assert chunks == [from_json(ChatCompletionChunk, to_json(chunk)) for chunk in chunks]


def test_mutilated_streams():
    """Whatever comes, the errors are ours."""
    chance, ends = random.Random(7), set()
    for _ in range(300):
        data = bytearray(b"".join(LINES))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 9)] = chance.choice([b"null", b"{", b"[]", b'"', b"1e400", b"\xff", b"\n"])
        decoder = StreamDecoder(MINE, HELLO)
        try:
            decoder.feed(bytes(data))
            decoder.close()
            decoder.check()
        except (DecodeError, StreamError, IncompleteStreamError) as error:
            ends.add(type(error))
    assert {DecodeError, IncompleteStreamError} <= ends


def test_the_page_names_what_is_there():
    """The files, folders and names that the page tells of are there."""
    text, root = PAGE.read_text(encoding="utf-8"), PAGE.parents[1]
    places = [name for name in re.findall(r"`((?:compatapi|tests)/[\w/.]+)`", text) if "mine" not in name]
    assert len(places) >= 3
    assert [] == [name for name in places if not (root / name).exists()]
