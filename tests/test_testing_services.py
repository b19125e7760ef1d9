"""The scripted server as the service of each dialect: our own clients get what the script says, whole and in pieces."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls import error_of, hard_limit  # noqa: F401
from compatapi import errors as e
from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.testing import ChatScript, EmbeddingsScript, ErrorScript, ModelsScript, ScriptedServer, ScriptedTransport
from compatapi.testing.services import SERVICES
from loopback import fetch

DIALECTS = sorted(SERVICES)
REQUEST = ChatCompletionRequest("model-1", [Message.system("Be brief."), Message.user("Hello")])
KEY = "an-id-for-tests:a-key-for-tests"
TEXT, REASONING = "Hello there, wörld 🎈!\nBye.", "They greet. I greet."
CALLS = [("weather", {"city": "Oslo", "days": [1, 2]}), ("time", {})]
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)


def both_forms(client, request=REQUEST):
    """The whole answer, asked for at once, and put together from a stream."""
    return client.chat_completion(request), client.chat_completion_stream(request, lambda chunk: None)


def said(completion):
    """What a completion says, without names and times."""
    usage = completion.usage
    return {
        "text": completion.text,
        "reasoning": completion.reasoning,
        "calls": [(call.id, call.name, json.loads(call.arguments or "{}")) for call in completion.tool_calls],
        "finish_reason": completion.finish_reason,
        "usage": usage and (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens),
    }


# --- answers


@each_dialect
def test_text_reasoning_tools_usage_and_end(dialect):
    """In each dialect both forms of an answer say all that the script says."""
    script = ChatScript(TEXT, reasoning=REASONING, tool_calls=CALLS)
    with ScriptedServer(script, script, strict=True) as server, server.client(dialect) as client:
        whole, joined = both_forms(client)
    expected = {
        "text": TEXT,
        "reasoning": REASONING,
        "calls": [(f"call_scripted_{at}", name, arguments) for at, (name, arguments) in enumerate(CALLS)],
        "finish_reason": "tool_calls",
        "usage": said(whole)["usage"],
    }
    assert expected == said(whole) == said(joined)
    assert [9, True] == [whole.usage.prompt_tokens, whole.usage.completion_tokens > 9]
    assert [dialect, dialect] == [request.dialect for request in server.requests]
    assert [False, True] == [request.stream for request in server.requests]


@each_dialect
def test_the_text_comes_in_the_pieces_of_the_script(dialect):
    """A stream has the text in the pieces that were told, and the reasoning word by word."""
    script = ChatScript(pieces=["He", "l", "lo  the", "re"], reasoning="One two")
    with ScriptedServer(script) as server, server.client(dialect) as client:
        chunks = list(client.chat_completion_stream(REQUEST))
    assert ["He", "l", "lo  the", "re"] == [chunk.text for chunk in chunks if chunk.text]
    assert ["One", " two"] == [chunk.reasoning for chunk in chunks if chunk.reasoning]


@each_dialect
@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_finish_reasons(dialect, reason):
    """A finish reason comes back as it was told, through the words of each dialect."""
    script = ChatScript("Hm", finish_reason=reason)
    with ScriptedServer(script, script) as server, server.client(dialect) as client:
        whole, joined = both_forms(client)
    assert [reason, reason] == [whole.finish_reason, joined.finish_reason]


@each_dialect
def test_the_model_that_was_asked_for_answers(dialect):
    """Without a model of its own the script echoes the one that was asked for."""
    with ScriptedServer(ChatScript("Hm")) as server, server.client(dialect) as client:
        assert "model-1" == client.chat_completion(REQUEST).model


@each_dialect
def test_usage_of_the_program(dialect):
    """Counts that the script gives come back, with what a cache had and what was thought."""
    counts = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    script = ChatScript("Hm", usage=counts)
    with ScriptedServer(script, script) as server, server.client(dialect) as client:
        usages = [completion.usage for completion in both_forms(client)]
    assert [(100, 20, 120)] * 2 == [said_usage(usage) for usage in usages]


def said_usage(usage):
    """The three counts."""
    return usage.prompt_tokens, usage.completion_tokens, usage.total_tokens


@each_dialect
def test_a_conversation_with_tools_goes_on(dialect):
    """An answer with calls can be sent back with its results, and the server reads both back."""
    script = ChatScript("Let me see.", reasoning="A tool.", tool_calls=[("weather", {"city": "Oslo"})])
    with ScriptedServer(script, ChatScript("Cold.")) as server, server.client(dialect) as client:
        first = client.chat_completion_stream(REQUEST, lambda chunk: None)
        (call,) = first.tool_calls
        messages = [*REQUEST.messages, first.message, Message.tool("4 below zero", call.id)]
        on_unsupported = "drop" if dialect == "hunyuan" else "raise"  # which takes no reasoning back
        again = ChatCompletionRequest("model-1", messages)
        assert "Cold." == client.chat_completion(again, on_unsupported=on_unsupported).text
        chat = server.requests[1].chat
    assert ["system", "user", "assistant", "tool"] == [message.role for message in chat.messages]
    assert "Let me see." == chat.messages[2].text
    assert ["weather"] == [call.name for call in chat.messages[2].tool_calls]
    assert [{"city": "Oslo"}] == [call.parse_arguments() for call in chat.messages[2].tool_calls]
    assert (call.id, "4 below zero") == (chat.messages[3].tool_call_id, chat.messages[3].text)


#: No letter of its own line, and no half of a pair: JSON has no form for that.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)
ARGUMENTS = st.dictionaries(TEXTS, st.integers(-9, 9) | TEXTS | st.booleans() | st.none(), max_size=3)
ANSWERS = st.builds(
    ChatScript,
    TEXTS,
    reasoning=st.none() | TEXTS.filter(bool),
    tool_calls=st.lists(st.tuples(st.from_regex("[a-z][a-z_]{0,8}", fullmatch=True), ARGUMENTS), max_size=3),
    prompt_tokens=st.integers(1, 1000),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=ANSWERS)
def test_any_script_is_the_same_answer_in_every_dialect(answer):
    """Whatever a script says, the client of each dialect gets the same from it, whole and in pieces."""
    with ScriptedTransport(lambda request: answer) as transport:
        found = [said(one) for dialect in DIALECTS for one in both_forms(transport.client(dialect))]
    expected = said(transport.client("openai").chat_completion(REQUEST))
    assert (answer.text, answer.reasoning or "") == (expected["text"], expected["reasoning"])
    assert [(name, arguments) for name, arguments in answer.tool_calls] == [call[1:] for call in expected["calls"]]
    assert [expected] * len(found) == found


@each_dialect
@pytest.mark.parametrize("stream", [False, True])
def test_the_same_script_is_the_same_bytes(dialect, stream):
    """What a script writes depends on nothing but the script and the request."""
    script = ChatScript(TEXT, reasoning=REASONING, tool_calls=CALLS)
    with ScriptedTransport(script) as transport, transport.client(dialect) as client:
        ask = client.chat_completion_stream if stream else client.chat_completion
        ask(REQUEST)
        (request,) = transport.requests
    assert [*script.play(request)] == [*script.play(request)]


# --- what stands beside chat


@pytest.mark.parametrize("dialect", ["anthropic", "gemini", "ollama", "openai"])
def test_models(dialect):
    """The list of models names those of the script, in each dialect that has one."""
    with ScriptedServer(ModelsScript("small-1", "large-1")) as server, server.client(dialect) as client:
        assert ["small-1", "large-1"] == [model.id for model in client.models()]
        assert (dialect, "models") == (server.requests[0].dialect, server.requests[0].operation)


@pytest.mark.parametrize("dialect", ["dashscope", "gemini", "ollama", "openai"])
def test_embeddings(dialect):
    """Embeddings are those of the script, or made up with the dimensions that it says."""
    scripts = EmbeddingsScript([[0.5, 1.0], [0.25, -1.0]]), EmbeddingsScript(dimensions=3), EmbeddingsScript()
    with ScriptedServer(*scripts) as server, server.client(dialect) as client:
        given_ones = client.embeddings("m", ["a", "b"])
        made_up = client.embeddings("m", ["a", "b"])
        single = client.embeddings("m", "a")
        assert "embeddings" == server.requests[0].operation
    assert [[0.5, 1.0], [0.25, -1.0]] == [each.embedding for each in given_ones.data]
    assert [3, 3] == [len(each.embedding) for each in made_up.data]
    assert [8] == [len(each.embedding) for each in single.data]


# --- errors

STATUSES = {
    400: e.BadRequestError,
    401: e.AuthenticationError,
    403: e.PermissionDeniedError,
    404: e.NotFoundError,
    429: e.RateLimitError,
    500: e.ServerError,
    503: e.ServerError,
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "hunyuan"])
def test_errors_by_status(dialect, status):
    """A status is the error of its class, with the script's words, whole and streamed."""
    script = ErrorScript(status, "No such luck.", retry_after=1.5)
    with ScriptedServer(script, script) as server, server.client(dialect) as client:
        for ask in (client.chat_completion, client.chat_completion_stream):
            error = error_of(STATUSES[status], ask, REQUEST)
            assert (f"HTTP {status}: No such luck.", 1.5) == (str(error), error.retry_after)


@pytest.mark.parametrize("status", STATUSES)
def test_errors_of_hunyuan(status):
    """Hunyuan answers with status 200 and a code that stands for the status."""
    script = ErrorScript(status, "No such luck.")
    with ScriptedServer(script, script) as server, server.client("hunyuan") as client:
        for ask in (client.chat_completion, client.chat_completion_stream):
            error = error_of(e.StreamError, ask, REQUEST)
            assert (status if status != 503 else 500) == error.status_code
            assert "No such luck." in str(error)


@each_dialect
def test_the_code_of_an_error(dialect):
    """A code that the script gives is the error's, where the dialect has a place for one."""
    script = ErrorScript(400, "Too hot.", code="too_hot", type="too_hot")
    with ScriptedServer(script) as server, server.client(dialect) as client:
        error = error_of(e.StreamError if dialect == "hunyuan" else e.BadRequestError, client.chat_completion, REQUEST)
    expected = {"anthropic": (None, "too_hot"), "ollama": (None, None), "openai": ("too_hot", "too_hot")}
    assert expected.get(dialect, ("too_hot", error.type)) == (error.code, error.type)


@each_dialect
def test_an_error_with_a_body_of_its_own(dialect):
    """A body replaces the dialect's words, and the status is that of HTTP."""
    with ScriptedServer(ErrorScript(502, body="<html>Bad Gateway")) as server, server.client(dialect) as client:
        error = error_of(e.ServerError, client.chat_completion, REQUEST)
    assert (502, "<html>Bad Gateway") == (error.status_code, error.body)


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "hunyuan"])
def test_retry_after_is_obeyed(dialect):
    """A client that may try again waits as long as the script's error asks, and gets the next script."""
    scripts = ErrorScript(429, "Slow down.", retry_after=0.05), ChatScript("Here.")
    with ScriptedServer(*scripts, strict=True) as server, server.client(dialect, max_retries=1) as client:
        waits = []
        answer = client.chat_completion(REQUEST, on_retry=lambda event: waits.append(event.delay))
    assert ("Here.", [0.05]) == (answer.text, waits)


# --- keys


@each_dialect
def test_a_key_opens_the_door(dialect):
    """With keys, the right one is let in and another is refused in the dialect's words."""
    with ScriptedServer(ChatScript("Come in."), keys=KEY, strict=True) as server:
        assert "Come in." == server.client(dialect).chat_completion(REQUEST).text
        assert (KEY.partition(":")[0] if dialect == "hunyuan" else KEY) == server.requests[0].key
        for wrong in ("an-id-for-tests:another-key", "another-id:a-key-for-tests"):
            with pytest.raises((e.AuthenticationError, e.StreamError)) as caught:
                server.client(dialect, api_key=wrong).chat_completion(REQUEST)
            assert 401 == caught.value.status_code


@pytest.mark.parametrize("late", [-400, 400])
def test_a_signature_holds_for_five_minutes(late):
    """A signed request whose clock is far from the server's is refused."""
    with ScriptedServer(ChatScript("Hi"), keys=KEY) as server:
        client = server.client("hunyuan")
        client.dialect = type(client.dialect)(clock=lambda: time.time() + late)
        error = error_of(e.StreamError, client.chat_completion, REQUEST)
    assert "AuthFailure.SignatureExpire" == error.code


def test_a_request_that_was_changed_on_its_way_is_refused():
    """The signature covers the body: another body under the same headers is refused."""
    with ScriptedServer(ChatScript("Hi"), ChatScript("Hi"), keys=KEY) as server:
        server.client("hunyuan").chat_completion(REQUEST)
        headers = dict(server.requests[0].headers.pairs)
        headers.pop("Content-Length", None)
        headers["Host"] = f"127.0.0.1:{server.port}"
        answer = fetch(server, "POST", "/", server.requests[0].body + b" ", headers)[1]
    assert "AuthFailure.SignatureFailure" == json.loads(answer)["Response"]["Error"]["Code"]


# --- cost


def test_a_long_whole_answer_is_made_at_once():
    """A whole answer of a megabyte takes no service a time that grows with the square of its words."""
    text = "word " * 200_000
    for dialect in DIALECTS:
        with ScriptedTransport(ChatScript(text)) as transport, transport.client(dialect) as client:
            began = time.perf_counter()
            completion = client.chat_completion(REQUEST)
            assert (text, 200_001) == (completion.text, completion.usage.completion_tokens)
            assert time.perf_counter() - began < 2.0


def test_a_long_stream_is_made_in_a_time_that_grows_with_it():
    """A stream of five thousand pieces takes no service a time that grows with the square of them."""
    text = "word " * 5_000
    for dialect in DIALECTS:
        with ScriptedTransport(ChatScript(text)) as transport, transport.client(dialect) as client:
            began = time.perf_counter()
            assert text == client.chat_completion_stream(REQUEST, lambda chunk: None).text
            assert time.perf_counter() - began < 3.0


def test_a_script_costs_little():
    """A whole answer and a streamed one take less than a millisecond to make (the best of many; five are allowed)."""
    for dialect in DIALECTS:
        with ScriptedServer(lambda request: ChatScript("One two three four")) as server:
            client = server.client(dialect)
            both_forms(client)
            for request in server.requests:
                times = []
                for _ in range(20):
                    began = time.perf_counter()
                    list(ChatScript("One two three four").play(request))
                    times.append(time.perf_counter() - began)
                assert min(times) < 0.005, dialect
