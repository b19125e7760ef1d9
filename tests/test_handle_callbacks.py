"""The callbacks by kind, in the blocking style, in a handle, and in the thread of a window."""

import threading

import pytest

from calls import REQUEST, error_of, eventually, hard_limit  # noqa: F401
from compatapi.errors import ConfigError, IncompleteStreamError, StopStream
from compatapi.testing import ChatScript, ErrorScript, ScriptedServer, StreamReply, chat_chunks
from streams import body, call, part, say, stop
from windows import Window

THINKING = ChatScript("It is four.", reasoning="Two and two", usage={"prompt_tokens": 3, "completion_tokens": 4})
#: Two calls of one choice, side by side, and one of another choice.
CALLS = [
    say(""),
    call({"index": 0, "id": "a", **part("add", "")}),
    call({"index": 0, **part(None, '{"x":')}),
    call({"index": 0, **part(None, "1}")}),
    "mark",
    call({"index": 1, "id": "b", **part("sub", "{}")}),
    call({"index": 0, "id": "c", **part("mul", "{")}, index=1),
    call({"index": 0, **part(None, "}")}, index=1),
    stop("tool_calls"),
    stop("tool_calls", index=1),
]


def in_the_blocking_style(client, window, **options):
    """The callbacks of `chat_completion_stream`."""
    return client.chat_completion_stream(REQUEST, window.on("chunk"), **{**window.all(), **options})


def in_a_handle(client, window, **options):
    """The callbacks of `start_stream`, run in the thread of the handle."""
    handle = client.start_stream(REQUEST, window.on("chunk"), **{**window.all(), **options})
    completion = handle.result(5)
    assert eventually(lambda: {"done", "error", "cancelled"} & {name for name, _ in window.told})
    return completion


def in_a_window(client, window, **options):
    """The same, run in the main thread."""
    handle = client.start_stream(REQUEST, window.on("chunk"), **{**window.all(), **options}, post=window.post)
    while not {"done", "error", "cancelled"} & {name for name, _ in window.told}:
        window.run_one()
    assert {threading.current_thread()} == window.threads
    return handle.result(5)


STYLES = [in_the_blocking_style, in_a_handle, in_a_window]


@pytest.mark.parametrize("style", STYLES)
def test_text_reasoning_and_usage(compatapi_server, compatapi_client, style):
    """The pieces joined are the text and the reasoning; each usage is told; the last callback gets the whole."""
    window = Window()
    compatapi_server.add(THINKING)
    completion = style(compatapi_client, window)
    assert "It is four." == "".join(window.named("text")) == completion.text
    assert "Two and two" == "".join(window.named("reasoning")) == completion.reasoning
    assert 1 < len(window.named("text")) and all(window.named("text") + window.named("reasoning"))
    assert [completion.usage] == window.named("usage")
    assert len(THINKING.chunks()) == len(window.named("chunk"))
    assert [completion] == window.named("done")
    assert "chunk" == window.told[0][0] and "done" == window.told[-1][0]
    assert [] == window.named("error") + window.named("cancelled") + window.named("retry") + window.named("tool_call")


@pytest.mark.parametrize("style", STYLES)
def test_tool_calls_are_whole(compatapi_server, compatapi_client, style):
    """Each call is told once and whole: as soon as the next one of its choice begins, or at the end of its choice."""
    window, events = Window(), [value for value in CALLS if value != "mark"]
    compatapi_server.add(StreamReply(events))
    completion = style(compatapi_client, window)
    calls = window.named("tool_call")
    assert [("a", "add", '{"x":1}'), ("b", "sub", "{}"), ("c", "mul", "{}")] == [
        (call.id, call.function.name, call.function.arguments) for call in calls
    ]
    assert calls[:2] == list(completion.choices[0].message.tool_calls)
    told = [name for name, _ in window.told if name in ("chunk", "tool_call")]
    first, begin = told.index("tool_call"), CALLS.index("mark")
    assert begin + 1 == first


def test_a_call_that_only_the_end_of_the_stream_completes():
    """Without a finish reason, the end mark completes the calls; a stream that is cut completes none."""
    for done in (True, False):
        window = Window()
        with ScriptedServer(StreamReply([*CALLS[:4]], done=done)) as server:
            if done:
                in_the_blocking_style(server.client(), window)
            else:
                error = error_of(IncompleteStreamError, in_the_blocking_style, server.client(), window)
                assert [error] == window.named("error")
                assert 1 == len(error.completion.choices[0].message.tool_calls)
        assert int(done) == len(window.named("tool_call"))


@pytest.mark.parametrize("style", STYLES)
def test_usage_and_text_of_other_choices(compatapi_server, compatapi_client, style):
    """Text is that of the first choice; an empty usage is none."""
    events = [say("a", usage=None), say("b", index=1), body({"content": "c"}, usage={}), stop(), stop(index=1)]
    window = Window()
    compatapi_server.add(StreamReply(events))
    style(compatapi_client, window)
    assert (["a", "c"], []) == (window.named("text"), window.named("usage"))


@pytest.mark.parametrize("style", STYLES)
def test_retries_are_told(compatapi_server, compatapi_client_factory, style):
    """on_retry is told of each failed attempt, before the answer."""
    busy, window = ErrorScript(503, "busy", retry_after=0.001), Window()
    compatapi_server.add(busy, busy, ChatScript("Hi"))
    style(compatapi_client_factory(max_retries=2), window)
    assert [(1, 503), (2, 503)] == [(event.attempt, event.error.status_code) for event in window.named("retry")]
    assert ["retry", "retry", "chunk"] == [name for name, _ in window.told[:3]]


def fail(_value):
    """What a callback may do."""
    raise ZeroDivisionError("mine")


@pytest.mark.parametrize("name", ["on_text", "on_reasoning", "on_tool_call", "on_usage", "on_retry"])
@pytest.mark.parametrize("style", STYLES)
def test_a_callback_that_fails(style, name):
    """Its exception ends the stream and comes out unchanged, and on_error is told of it, as the last."""
    events = [*chat_chunks("Hi", reasoning="Oh", tool_calls=[("f", {})]), *[0.01, say("x")] * 300]
    scripts = [ErrorScript(503, "busy", retry_after=0.001), StreamReply(events)]
    window = Window()
    with ScriptedServer(*scripts) as server:
        client = server.client(max_retries=1)
        error = error_of(ZeroDivisionError, style, client, window, **{name: fail})
        # Where a status alone was answered, the connection may serve again.
        assert name == "on_retry" or server.wait_until(lambda: server.open_connections == 0, 1.0)
    assert ([error], "error") == (window.named("error"), window.told[-1][0])
    assert [] == window.named("done") + window.named("cancelled")


@pytest.mark.parametrize("style", STYLES)
def test_stopping(style):
    """StopStream in a callback gives the answer so far, and on_done."""

    def stop_it(piece):
        raise StopStream

    window = Window()
    with ScriptedServer(ChatScript(pieces=["Hi", *["x"] * 300], interval=0.01)) as server:
        completion = style(server.client(), window, on_text=stop_it)
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)
    assert completion.text.startswith("Hi")
    assert [completion] == window.named("done")
    assert [] == window.named("error") + window.named("cancelled")


@pytest.mark.parametrize("name", ["on_done", "on_error"])
def test_the_last_callback_of_the_blocking_style(compatapi_server, compatapi_client, name):
    """An exception of the last callback comes out; StopStream there changes nothing."""
    scripts = {"on_done": ChatScript("Hi"), "on_error": ChatScript("Hi there", fault="no-end")}

    def stop_it(_):
        raise StopStream

    compatapi_server.add(scripts[name], scripts[name])
    error_of(ZeroDivisionError, compatapi_client.chat_completion_stream, REQUEST, **{name: fail})
    if name == "on_done":
        assert "Hi" == compatapi_client.chat_completion_stream(REQUEST, on_done=stop_it).text
    else:
        error_of(IncompleteStreamError, compatapi_client.chat_completion_stream, REQUEST, on_error=stop_it)


def test_stopping_in_the_last_callback_of_a_handle(compatapi_server, compatapi_client, caplog):
    """StopStream in on_done is no failure that is worth a line in the log."""

    def stop_it(_):
        seen.append(True)
        raise StopStream

    seen = []
    compatapi_server.add(ChatScript("Hi"))
    handle = compatapi_client.start_stream(REQUEST, on_done=stop_it)
    handle.add_done_callback(lambda handle: seen.append(False))
    assert "Hi" == handle.result(5).text
    assert eventually(lambda: 2 == len(seen))
    assert [] == caplog.messages


def test_any_callback_makes_the_style():
    """With any callback the call blocks and returns the whole; on_retry alone leaves the stream to the program."""
    with ScriptedServer(lambda request: ChatScript("Hi")) as server:
        client, seen = server.client(), []
        assert "Hi" == client.chat_completion_stream(REQUEST, on_done=seen.append).text == seen[0].text
        with client.chat_completion_stream(REQUEST, on_retry=seen.append, on_text=None) as stream:
            assert "Hi" == "".join(stream.text_stream())
        error_of(ConfigError, client.chat_completion_stream, REQUEST, on_tool_call="print")
        error_of(ConfigError, client.chat_completion_stream, REQUEST, on_retry="print")


def test_an_error_before_the_stream():
    """on_error is told of a call that never got its stream, and the error is raised."""
    window = Window()
    with ScriptedServer(ErrorScript(401, "no")) as server, pytest.raises(Exception) as caught:
        in_the_blocking_style(server.client(), window)
    assert [("error", caught.value)] == window.told
