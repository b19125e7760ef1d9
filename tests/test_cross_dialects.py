"""Conversations that go on elsewhere: an answer from a server of one dialect, sent on in the words of each other."""

import json

import pytest

from compatapi.chat_types import ChatCompletionRequest, CustomCall, Message, ToolCall
from compatapi.dialects import DIALECTS, get_dialect
from compatapi.errors import ConfigError
from compatapi.http_types import Quirks, Secret, Target

ARGUMENTS = {"city": "Oslo"}
FUNCTION = {"name": "weather", "arguments": '{"city": "Oslo"}'}
CALL = {"id": "call_1", "type": "function", "function": FUNCTION}
TEXT, THOUGHT = "Let me look.", "They ask for Oslo."


def openai(message):
    """A whole answer in OpenAI's form."""
    return {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}]}


def anthropic(*blocks):
    """A whole answer of Anthropic."""
    return {"id": "1", "type": "message", "role": "assistant", "content": list(blocks), "stop_reason": "tool_use"}


def gemini(*parts):
    """A whole answer of Gemini."""
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}]}


def ollama(message):
    """A whole answer of Ollama."""
    time = "2025-05-01T10:00:00Z"
    return {"model": "m", "created_at": time, "message": {"role": "assistant", **message}, "done": True}


def dashscope(message):
    """A whole answer of DashScope."""
    choice = {"message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"output": {"choices": [choice]}, "request_id": "1"}


def hunyuan(message):
    """A whole answer of Hunyuan."""
    return {"Response": {"Id": "1", "Choices": [{"Message": {"Role": "assistant", **message}, "FinishReason": "stop"}]}}


HUNYUAN_CALL = {"Id": "call_1", "Type": "function", "Function": {"Name": "weather", "Arguments": '{"city": "Oslo"}'}}
TOOL_USE = {"type": "tool_use", "id": "call_1", "name": "weather", "input": ARGUMENTS, "caller": {"type": "direct"}}
SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "Oslo"}}
OLLAMA_CALL = {"id": "call_1", "function": {"index": 0, "name": "weather", "arguments": ARGUMENTS}}

#: Answers with all that a service may say, by its dialect.
RICH = {
    "anthropic": anthropic(
        {"type": "thinking", "thinking": THOUGHT, "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "c2VhbGVk"},
        SEARCH,
        {"type": "text", "text": TEXT},
        {**TOOL_USE, "toolset_name": "computer", "caller": {"type": "code_execution_20260120", "tool_id": "srv_1"}},
    ),
    "dashscope": dashscope({"content": TEXT, "reasoning_content": THOUGHT, "tool_calls": [{"index": 0, **CALL}]}),
    "gemini": gemini(
        {"text": THOUGHT, "thought": True},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"text": TEXT, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "fc_1", "name": "weather", "args": ARGUMENTS}, "thoughtSignature": "c2ln"},
    ),
    "hunyuan": hunyuan({"Content": TEXT, "ReasoningContent": THOUGHT, "ToolCalls": [{"Index": 0, **HUNYUAN_CALL}]}),
    "ollama": ollama({"content": TEXT, "thinking": THOUGHT, "tool_calls": [OLLAMA_CALL], "images": ["aW1n"]}),
    "openai": openai({"content": TEXT, "reasoning": THOUGHT, "tool_calls": [CALL], "annotations": [{"type": "x"}]}),
}
#: Answers with text and a call, as each service gives them.
PLAIN = {
    "anthropic": anthropic({"type": "text", "text": TEXT}, TOOL_USE),
    "dashscope": dashscope({"content": TEXT, "tool_calls": [{"index": 0, **CALL}]}),
    "gemini": gemini({"text": TEXT}, {"functionCall": {"name": "weather", "args": ARGUMENTS}}),
    "hunyuan": hunyuan({"Content": TEXT, "ToolCalls": [{"Index": 0, **HUNYUAN_CALL}]}),
    "ollama": ollama({"content": TEXT, "tool_calls": [OLLAMA_CALL]}),
    "openai": openai({"content": TEXT, "tool_calls": [CALL]}),
}
_OPENAI = {"role", "content", "tool_calls", "id", "type", "function", "name", "arguments"}
#: All names that the turn of an assistant may have in each dialect, for what is said here.
KNOWN = {
    "anthropic": {"role", "content", "type", "text", "id", "name", "input", "thinking", "signature", "data"},
    "dashscope": _OPENAI | {"index", "reasoning_content"},
    "gemini": {"role", "parts", "text", "thought", "thoughtSignature", "functionCall", "id", "name", "args"},
    "hunyuan": {"Role", "Content", "ToolCalls", "Id", "Type", "Function", "Name", "Arguments"},
    "ollama": _OPENAI | {"thinking", "index"},
    "openai": _OPENAI,
}
TURNS = {"gemini": "contents", "hunyuan": "Messages"}
#: As the rows of hosts that refuse the reasoning of earlier turns.
QUIRKS = {"openai": Quirks(reasoning_field=None)}
MODELS = {"gemini": "gemini-3-pro"}


def heard(source, body):
    """The message of a whole answer."""
    return get_dialect(source).decode_completion(json.dumps(body).encode()).message


def sent(message, dialect, *, on_unsupported="raise", model=None):
    """The turns that are sent when the message and the results of its calls go on in a dialect."""
    results = [Message("tool", "minus four", tool_call_id=call.id) for call in message.tool_calls or ()]
    request = ChatCompletionRequest(model or MODELS.get(dialect, "m"), [Message.user("weather?"), message, *results])
    there = Target(
        "https://api.example", Secret("id:key"), QUIRKS.get(dialect, Quirks()), on_unsupported=on_unsupported
    )
    body = json.loads(get_dialect(dialect).encode_request(request, there, False).body)
    body = body["input"] if dialect == "dashscope" else body
    return body[TURNS.get(dialect, "messages")]


def names_in(value):
    """All names in a JSON value, but for those in the arguments of calls."""
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    if not isinstance(value, dict):
        return set()
    inner = [names_in(item) for name, item in value.items() if item != ARGUMENTS]
    return set(value).union(*inner)


PAIRS = pytest.mark.parametrize(
    ("source", "dialect"), [(source, dialect) for source in RICH for dialect in DIALECTS if source != dialect]
)


def test_each_dialect_is_here():
    """No dialect is forgotten by these tests."""
    assert set(DIALECTS) == set(RICH) == set(PLAIN) == set(KNOWN)


@PAIRS
def test_dropped(source, dialect):
    """What has no word elsewhere can be dropped: text, call and result arrive, and no name of the other service."""
    turns = sent(heard(source, RICH[source]), dialect, on_unsupported="drop")
    assert KNOWN[dialect] >= names_in(turns[1])
    said = json.dumps(turns)
    assert [True] * 4 == [word in said for word in (TEXT, "weather", "Oslo", "minus four")]


@PAIRS
def test_refused_or_said(source, dialect):
    """Unless it may be dropped, what has no word is refused by its place; nothing is passed on as it is."""
    try:
        turns = sent(heard(source, RICH[source]), dialect)
    except ConfigError as error:
        assert f"The dialect {dialect!r} has no word for messages[1]." in str(error)
        assert "on_unsupported='drop'" in str(error)
    else:
        assert KNOWN[dialect] >= names_in(turns[1])


@PAIRS
def test_plain_answers_go_everywhere(source, dialect):
    """An answer of text and calls is sent on without leave to drop: what says only what is so anyway is no loss."""
    message = heard(source, PLAIN[source])
    turns = sent(message, dialect)
    assert KNOWN[dialect] >= names_in(turns[1])
    assert sent(message, dialect, on_unsupported="drop") == turns


@pytest.mark.parametrize("dialect", ["dashscope", "hunyuan"])
def test_calls_without_arguments(dialect):
    """Empty arguments, as some servers send them, are an empty object where the arguments have to be JSON."""
    function = {"name": "now", "arguments": ""}
    turn = sent(heard("openai", openai({"tool_calls": [{**CALL, "function": function}]})), dialect)[1]
    arguments = {
        "dashscope": lambda: turn["tool_calls"][0]["function"]["arguments"],
        "hunyuan": lambda: turn["ToolCalls"][0]["Function"]["Arguments"],
    }
    assert "{}" == arguments[dialect]()


@pytest.mark.parametrize("dialect", ["dashscope", "ollama", "gemini"])
def test_reasoning_under_another_name(dialect):
    """Reasoning that came as "reasoning" is said in the dialect's own word, and refused under no name."""
    turn = sent(heard("openai", openai({"content": TEXT, "reasoning": THOUGHT})), dialect)[1]
    expected = {
        "dashscope": {"role": "assistant", "content": TEXT, "reasoning_content": THOUGHT},
        "gemini": {"role": "model", "parts": [{"text": THOUGHT, "thought": True}, {"text": TEXT}]},
        "ollama": {"role": "assistant", "content": TEXT, "thinking": THOUGHT},
    }
    assert expected[dialect] == turn


def test_reasoning_that_is_not_signed():
    """Anthropic takes no reasoning of others, under whatever name it came."""
    with pytest.raises(ConfigError, match=r"messages\[1\].reasoning_content \(only thinking that the service signed"):
        sent(heard("openai", openai({"content": TEXT, "reasoning": THOUGHT})), "anthropic")


def test_calls_of_others_for_gemini_3():
    """From Gemini 3 on the first call of a turn has Google's stand-in where another model left no signature."""
    message = heard("openai", openai({"tool_calls": [CALL, {**CALL, "id": "call_2"}]}))
    call = {"functionCall": {"name": "weather", "args": ARGUMENTS}}
    signed = {**call, "thoughtSignature": "skip_thought_signature_validator"}
    assert [signed, call] == sent(message, "gemini")[1]["parts"]
    assert [call, call] == sent(message, "gemini", model="gemini-2.5-flash")[1]["parts"]
    own = heard("gemini", gemini({**call, "thoughtSignature": "c2ln"}, call))
    assert [{**call, "thoughtSignature": "c2ln"}, call] == sent(own, "gemini")[1]["parts"]


@pytest.mark.parametrize("dialect", ["dashscope", "hunyuan", "ollama"])
def test_no_empty_list_of_calls(dialect):
    """When the only call is dropped, no empty list stands in its place."""
    message = Message.assistant(TEXT, tool_calls=[ToolCall("call_1", type="custom", custom=CustomCall("run", "ls"))])
    assert not names_in(sent(message, dialect, on_unsupported="drop")[1]) & {"tool_calls", "ToolCalls"}


def test_what_hosts_of_openai_know():
    """Images of Ollama are refused; those of OpenRouter, which have the same name, go back to it."""
    with pytest.raises(ConfigError, match=r"'openai' has no word for messages\[1\].images"):
        sent(heard("ollama", ollama({"content": TEXT, "images": ["aW1n"]})), "openai")
    images = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aW1n"}}]
    assert images == sent(heard("openai", openai({"content": TEXT, "images": images})), "openai")[1]["images"]


def test_signatures_of_google_in_openais_form():
    """The signature of a call goes back to hosts that may know it, and not to those that refuse earlier reasoning."""
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}
    request = ChatCompletionRequest("m", [heard("openai", openai({"tool_calls": [signed]}))])
    hosts = Quirks(), Quirks(reasoning_field=None)
    bodies = [get_dialect("openai").encode_request(request, Target("https://x.example", None, q), False) for q in hosts]
    assert [signed, CALL] == [json.loads(body.body)["messages"][0]["tool_calls"][0] for body in bodies]
