"""Keys: no key shows in any text, log, traceback or pickle, and none travels to another host."""

import copy
import logging
import pickle
import socket
import string
import traceback
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

import compatapi
from calls import REQUEST, deaf_listener, error_of, hard_limit  # noqa: F401
from compatapi import errors
from compatapi.call import Timeouts
from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.client import Client
from compatapi.errors import CompatAPIError
from compatapi.http_types import HttpRequest, Secret, Target
from compatapi.options import CallOptions
from compatapi.testing import (
    ChatScript,
    ErrorScript,
    Raw,
    Reply,
    ScriptedServer,
    ScriptedTransport,
    StreamReply,
    chat_chunks,
)
from compatapi.testing.faults import BadJson

KEY = "sk-live_" + "0123456789abcdef" * 2
#: Keys as hosts make them, and keys of what a header can hold; quotes and backslashes have many forms, and no key.
KEYS = st.text(string.ascii_letters + string.digits + "-_.", min_size=12, max_size=60) | st.text(
    st.sampled_from([char for char in string.printable[:94] if char not in "'\"\\"]), min_size=12, max_size=60
)
# A beginning that no other text has, since words such as class names are drawn as well.
KEYS = KEYS.map("sk-~".__add__)
# The deadline is off because sockets are slow now and then; thirty keys take about a second.
some_keys = settings(max_examples=30, deadline=None)


class Lines(logging.Handler):
    """What is logged, as text, by anybody, at any level."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.text = ""

    def emit(self, record):
        self.text += f"{record.getMessage()} {record.args!r}\n"


@contextmanager
def listening():
    """The log of everything that has to do with a request, at DEBUG."""
    lines, loggers = Lines(), [logging.getLogger(name) for name in ("compatapi", "urllib3", "requests", "http")]
    for logger in loggers:
        logger.addHandler(lines)
        logger.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        for logger in loggers:
            logger.removeHandler(lines)
            logger.setLevel(logging.NOTSET)


def chain(error):
    """An error with all that it came from."""
    seen, todo = [], [error]
    while todo:
        one = todo.pop()
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            todo += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return seen


def shown(error):
    """All that tools show of an error: texts, attributes, frames with their variables, pickles."""
    texts = []
    for one in chain(error):
        texts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        texts += traceback.TracebackException.from_exception(one, capture_locals=True).format()
        sent = getattr(getattr(one, "request", None), "headers", {})
        texts += map(str, sent.values())
    texts.append(pickle.dumps(error).decode("latin-1"))
    texts.append(repr(vars(copy.deepcopy(error))))
    return "\n".join(texts)


def quoted(key, text):
    """Where a text quotes the key, or None."""
    place = text.find(key)
    return None if place < 0 else text[max(0, place - 200) : place + 100]


@some_keys
@given(KEYS)
def test_values_that_hold_a_key(key):
    """No repr and no text of what holds a key shows it."""
    client = Client(base_url="http://127.0.0.1:9/v1", api_key=key)
    target = Target(
        "http://x/v1?api-key=" + key.replace("&", "").replace("#", ""), Secret(key), headers={"X-Api-Key": key}
    )
    sent = client.dialect.encode_request(REQUEST, client._target, True)
    assert key in sent.headers["Authorization"]
    values = [client, client._target, client._sender, Secret(key), target, sent]
    values += [HttpRequest("GET", "http://x", {"Authorization": f"Bearer {key}"}), vars(client), dict(sent.headers)]
    assert [] == [value for value in values if quoted(key, f"{value!r} {value}")]


def test_a_key_in_the_base_url():
    """What a base URL holds besides the address is not shown: not by the client, nor by an error about it."""
    for base_url in (f"http://x/v1?key={KEY}", f"http://user:{KEY}@x/v1"):
        assert quoted(KEY, repr(Client(base_url=base_url))) is None
        with pytest.raises(errors.ConfigError) as caught:
            Client(base_url=base_url.replace("http", "ftp"))
        assert quoted(KEY, f"{caught.value} {caught.value!r}") is None


def answers(key):
    """Servers that quote the key in every place, with the class of error that it makes."""
    error = {
        "message": f"Incorrect API key provided: {key}",
        "code": key,
        "param": key,
        "type": "auth",
        "more": [{key: key}],
    }
    plain = key.encode()
    yield Reply(401, body={"error": error}, headers={"X-Key": key, "X-Request-Id": key})
    yield Reply(403, body=f"<html>{key}</html>")
    yield Reply(429, body={"detail": key})
    yield Raw([b"HTTP/1.1 400 Bad key " + plain + b"\r\nContent-Length: 0\r\n\r\n"])
    yield Reply(302, headers={"Location": f"http://127.0.0.1:9/?key={key}"})
    yield Reply(200, body={"error": error})
    yield Reply(200, body=f"no: {key}")
    yield StreamReply([{"error": error}], done=False)
    yield StreamReply([*chat_chunks("Hi", finish_reason=None), {"error": error}])
    yield ChatScript(fault=BadJson(after=0, text=f"{{{key}"))


@some_keys
@given(KEYS)
def test_servers_that_quote_the_key(key):
    """A server that repeats the key, in a body, a header, its reason or a stream, does not get it into our errors."""
    scripts = list(answers(key))
    with ScriptedTransport(*[script for script in scripts for _ in "ab"]) as transport, listening() as lines:
        client = transport.client(api_key=key)
        for script in scripts:
            with pytest.raises(CompatAPIError) as caught:
                client.chat_completion_stream(REQUEST, lambda chunk: None)
            assert quoted(key, "\n".join(masked_parts(caught.value))) is None, script
            with pytest.raises(CompatAPIError) as caught:
                client.start_stream(REQUEST).result(5)
            assert quoted(key, "\n".join(masked_parts(caught.value))) is None, script
        assert [f"Bearer {key}"] * len(transport.requests) == [
            one.headers["Authorization"] for one in transport.requests
        ]
    assert "chat/completions" in lines.text


def masked_parts(error):
    """What an error of ours says, without its frames, which hold the answer as it came."""
    own = [one for one in chain(error) if isinstance(one, CompatAPIError)]
    return [*(f"{one} {one!r} {vars(one)!r}" for one in own), pickle.dumps(error).decode("latin-1")]


def roads(client, server):
    """Everything that can go wrong on the road, and before it."""
    stream = client.chat_completion_stream
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield Client(base_url=f"http://127.0.0.1:{unused.getsockname()[1]}", api_key=Secret(KEY), max_retries=0).models
    with deaf_listener() as port:
        slow = Client(base_url=f"http://127.0.0.1:{port}", api_key=Secret(KEY), timeouts=Timeouts(connect=0.1))
        yield lambda: slow.chat_completion(REQUEST, max_retries=0)
    yield Client(base_url="http://nobody.invalid", api_key=Secret(KEY), max_retries=0).models
    yield Client(base_url=server.base_url.replace("http", "https"), api_key=Secret(KEY), max_retries=0).models
    proxies = {"http": "http://127.0.0.1:9"}
    yield Client(base_url="http://x.invalid", api_key=Secret(KEY), proxies=proxies, max_retries=0).models
    faults = ("no-answer", "reset-at-once", "no-http", "head-cut", "no-end", "reset", "stall", "silence", "bad-json")
    scripts = [ErrorScript(401, f"Incorrect API key: {KEY}"), *(ChatScript("Hi", fault=fault) for fault in faults)]
    for script in scripts:
        server.add(script)
        yield lambda: stream(REQUEST, lambda chunk: None, timeouts=Timeouts(first_token=0.15, idle=0.15))
    yield lambda: stream(ChatCompletionRequest("m", [Message.user("\ud800")]), lambda chunk: None)
    yield lambda: stream(REQUEST, body={"x": object()})
    yield lambda: stream(REQUEST, headers={"X-Bad": "line\nbreak"})
    yield lambda: stream(REQUEST, headers={"bad name": "x"})
    yield lambda: stream("hello")


def test_what_goes_wrong_on_the_road():
    """No error of the road or before it, none below it, no frame's variables, no pickle and no log line has the key."""
    with ScriptedServer() as server, listening() as lines:
        client, count = server.client(api_key=Secret(KEY)), 0
        for ask in roads(client, server):
            with pytest.raises(CompatAPIError) as caught:
                ask()
            assert quoted(KEY, shown(caught.value)) is None, caught.value
            count += 1
    assert 20 == count
    assert (True, None) == ("chat/completions" in lines.text, quoted(KEY, lines.text))


def test_a_client_that_cannot_be_made():
    """The frames of an error about the other arguments do not show the key, and a key that cannot be is not shown."""
    spoiled = KEY + "\n"
    for options in (
        {"base_url": "nonsense", "api_key": KEY},
        {"base_url": "http://x", "api_key": KEY, "timeouts": 5},
        {"provider": "nobody", "api_key": KEY},
        {"base_url": "http://x", "api_key": spoiled},
    ):
        error = error_of(errors.ConfigError, lambda options=options: Client(**options))
        assert quoted(KEY, f"{error} {error!r}") is None
        ours = [
            frame
            for frame in traceback.TracebackException.from_exception(error, capture_locals=True).stack
            if Path(frame.filename).parent == Path(compatapi.__file__).parent
        ]
        assert ours
        assert [] == [frame for frame in ours if quoted(KEY, repr(frame.locals))]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_key_goes_where_a_server_points(status):
    """A redirect is an error, in every style; nothing at all is sent to where it points."""
    with ScriptedServer(lambda request: ChatScript("Hello there!")) as other:
        away = Reply(status, headers={"Location": f"{other.base_url}/chat/completions"})
        with ScriptedServer(lambda request: away) as server:
            client = server.client(api_key=KEY)
            asking = [
                lambda: client.chat_completion(REQUEST),
                lambda: client.chat_completion_stream(REQUEST),
                lambda: client.start_stream(REQUEST).result(5),
                client.models,
                lambda: client.embeddings("m", "text"),
            ]
            for ask in asking:
                with pytest.raises(errors.APIStatusError) as caught:
                    ask()
                assert status == caught.value.status_code
        assert ([], 0) == (other.requests, other.connections)


def test_a_netrc_does_not_replace_the_key(tmp_path, monkeypatch):
    """What a file of the user says of the host is not sent in place of the key, nor where there is no key."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with ScriptedServer(lambda request: ChatScript("Hello there!")) as server:
        assert requests.utils.get_netrc_auth(server.base_url) is not None
        server.client(api_key=KEY).chat_completion(REQUEST)
        server.client(api_key=None).chat_completion(REQUEST)
    assert [f"Bearer {KEY}", None] == [request.headers.get("Authorization") for request in server.requests]


def test_a_client_with_a_key_is_not_pickled(monkeypatch):
    """A client that was given a key, or found one, refuses; one that was given a variable's name sends that alone."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for client in (Client(base_url="http://x", api_key=KEY), Client("openai")):
        for again in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="key_env") as caught:
                again(client)
            assert quoted(KEY, shown_frames(caught.value)) is None
    monkeypatch.setenv("MY_KEY", KEY)
    data = pickle.dumps(Client(base_url="http://x", key_env="MY_KEY"))
    assert quoted(KEY, data.decode("latin-1")) is None
    assert KEY == pickle.loads(data)._target.api_key.reveal()


def shown_frames(error):
    """A traceback with the variables of its frames."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def test_stats_and_options_hold_no_key():
    """The numbers of a call, a retry event and the options of a call show none."""
    seen, options = [], CallOptions(headers={"Authorization": f"Bearer {KEY}"}, query={"key": KEY})
    busy = ErrorScript(503, f"busy {KEY}", retry_after=0.001)
    with ScriptedServer(busy, ChatScript("Hi")) as server:
        client = server.client(api_key=KEY, max_retries=1, on_retry=seen.append)
        with client.chat_completion_stream(REQUEST) as stream:
            assert "Hi" == "".join(stream.text_stream())
    assert quoted(KEY, f"{stream.stats!r} {seen!r} {vars(seen[0].error)!r} {options!r}") is None
    assert 1 == len(seen)


def test_an_interrupt_in_a_call():
    """A handle that is cancelled shows no key in its error either."""
    with ScriptedServer(ChatScript(fault="silence")) as server:
        handle = server.client(api_key=Secret(KEY)).start_stream(REQUEST)
        assert server.wait_until(lambda: server.requests)
        handle.cancel()
        error = error_of(errors.Cancelled, handle.result, 5)
    assert quoted(KEY, shown(error)) is None
