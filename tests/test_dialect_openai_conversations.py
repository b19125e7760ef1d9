"""Two turns with tools and reasoning, row by row, over real HTTP: what a host gave, it is sent back as it wants it."""

import json

import pytest

from calls import hard_limit  # noqa: F401
from compatapi import ChatCompletionRequest, Message, Tool
from compatapi.dialects import get_dialect
from compatapi.errors import ConfigError, StreamError
from compatapi.http_types import Target
from compatapi.providers import PROVIDERS
from compatapi.testing import ChatScript, Reply, ScriptedServer, StreamReply
from streams import body, stop
from styles import blocking, callback, generator

TOOLS = (Tool.from_schema("weather", "Tells the weather", {"type": "object", "properties": {"city": {}}}),)
CALL = {
    "id": "functions.weather:0",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
}
PIECES = {"tool_calls": [{"index": 0, **CALL}]}
THOUGHT = "Look it up."
DETAILS = [
    {"type": "reasoning.text", "index": 0, "format": "f", "text": THOUGHT, "signature": "c2ln"},
    {"type": "reasoning.encrypted", "index": 1, "data": "Zm9v"},
]
SPLIT = [{"type": "reasoning.text", "id": "r1", "format": "MiniMax-response-v1", "index": 0, "text": THOUGHT}]
PART = {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}


def cut(name):
    """Two deltas that give the thought under a name."""
    return [{name: THOUGHT[:4]}, {name: THOUGHT[4:]}]


#: Row: the deltas of the first answer, its message when it comes whole, and how the message has to go back.
CASES = {
    "deepseek": (
        [{"role": "assistant", "content": None, "reasoning_content": ""}, *cut("reasoning_content"), PIECES],
        {"content": "", "reasoning_content": THOUGHT},
        {"reasoning_content": THOUGHT},
    ),
    "moonshot": (
        [*cut("reasoning_content"), PIECES],
        {"content": "", "reasoning_content": THOUGHT},
        {"reasoning_content": THOUGHT},
    ),
    "zhipu": (
        [{"content": "\n"}, *cut("reasoning_content"), PIECES],
        {"content": "\n", "reasoning_content": THOUGHT},
        {"reasoning_content": THOUGHT, "content": "\n"},
    ),
    "volcengine": (
        [{"content": "", "reasoning_content": THOUGHT}, PIECES],
        {"content": "", "reasoning_content": THOUGHT},
        {"reasoning_content": THOUGHT},
    ),
    "openrouter": (
        [
            {
                "content": "",
                "reasoning": "Look",
                "reasoning_details": [{**DETAILS[0], "text": "Look", "signature": None}],
            },
            {"content": "", "reasoning": " it up.", "reasoning_details": [{**DETAILS[0], "text": " it up."}]},
            {"content": "", "reasoning": None, "reasoning_details": DETAILS[1:]},
            PIECES,
        ],
        {"content": "", "reasoning": THOUGHT, "reasoning_details": DETAILS},
        {"reasoning": THOUGHT, "reasoning_details": DETAILS},
    ),
    "mistral": (
        [
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Look"}]}]},
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": " it up."}]}]},
            {"content": [{"type": "text", "text": "So"}]},
            PIECES,
        ],
        {"content": [PART, {"type": "text", "text": "So"}]},
        {"content": [PART, {"type": "text", "text": "So"}]},
    ),
    "groq": ([*cut("reasoning"), PIECES], {"reasoning": THOUGHT}, {"reasoning": THOUGHT}),
    "cerebras": ([*cut("reasoning"), PIECES], {"reasoning": THOUGHT}, {"reasoning": THOUGHT}),
    "ollama-v1": ([*cut("reasoning"), PIECES], {"content": "", "reasoning": THOUGHT}, {"reasoning": THOUGHT}),
    "hunyuan-openai": ([*cut("reasoning_content"), PIECES], {"reasoning_content": THOUGHT}, {}),
    "minimax": (
        [{"content": "<thi"}, {"content": f"nk>{THOUGHT}</think>"}, {"content": "So"}, PIECES],
        {"content": f"<think>{THOUGHT}</think>So"},
        {"content": f"<think>{THOUGHT}</think>So"},
    ),
    "minimax-cn": (
        [
            {"content": "<think>Look", "reasoning_content": "Look"},
            {"content": " it up.</think>So", "reasoning_content": " it up."},
            PIECES,
        ],
        {"content": f"<think>{THOUGHT}</think>So", "reasoning_content": THOUGHT},
        {"content": f"<think>{THOUGHT}</think>So"},
    ),
    "vllm": ([*cut("reasoning_content"), PIECES], {"reasoning_content": THOUGHT}, {"reasoning_content": THOUGHT}),
}
#: The same for a host that is asked to tell the two apart itself; in a stream it repeats what it said.
SPLIT_CASE = (
    [
        {"content": "", "reasoning_details": [{**SPLIT[0], "text": "Look"}]},
        {"content": "", "reasoning_details": SPLIT},
        PIECES,
    ],
    {"content": "", "reasoning_details": SPLIT},
    {"reasoning_details": SPLIT},
)


def converse(name, case, way):
    """Hold a conversation of two turns; the first answer, and both bodies that the server was sent."""
    deltas, message, _ = case
    whole = {"role": "assistant", **message, "tool_calls": [CALL]}
    first = Reply(body=json.dumps({"choices": [{"index": 0, "message": whole, "finish_reason": "tool_calls"}]}))
    if way is not blocking:
        first = StreamReply([*map(body, deltas), stop("tool_calls")])
    with ScriptedServer(first, ChatScript("Sunny")) as server, server.client(name, api_key="a-key-for-tests") as client:
        messages = [Message.user("How is Rome?")]
        completion = way(client, ChatCompletionRequest("m", messages, tools=TOOLS))
        messages += [completion.message, Message.tool("sunny", completion.tool_calls[0].id)]
        answer = way(client, ChatCompletionRequest("m", messages, tools=TOOLS))
        assert "Sunny" == answer.text
        for request in server.requests:
            assert ("openai", "chat") == (request.dialect, request.operation)
            assert "Bearer a-key-for-tests" == request.headers["Authorization"]
        return completion, [json.loads(request.body) for request in server.requests]


@pytest.mark.parametrize("way", [blocking, generator, callback])
@pytest.mark.parametrize("name", [*CASES, "minimax-split"])
def test_two_turns(name, way):
    """The message of an answer, appended to the conversation, goes back with its reasoning as the host wants it."""
    case = CASES.get(name, SPLIT_CASE)
    completion, (first, second) = converse(name.removesuffix("-split"), case, way)
    assert (THOUGHT, "weather") == (completion.reasoning, completion.tool_calls[0].name)
    question = {"role": "user", "content": "How is Rome?"}
    assert [question] == first["messages"]
    assert (first["tools"], way is not blocking) == (second["tools"], second.get("stream", False))
    asked, assistant, result = second["messages"]
    assert question == asked
    assert {"role": "tool", "content": "sunny", "tool_call_id": CALL["id"]} == result
    assert [CALL] == assistant.pop("tool_calls")
    expected = case[2]
    if not assistant.get("content") and "content" not in expected:
        assistant.pop("content", None)  # absent, null and empty are the same to all
    assert {"role": "assistant", **expected} == assistant


# --- conversations that go on elsewhere -----------------------------------------------------------------------------

#: How the answer of one host is sent to another.
ELSEWHERE = {
    ("deepseek", "openai"): {},
    ("deepseek", "azure"): {},
    ("deepseek", "openrouter"): {"reasoning": THOUGHT},
    ("deepseek", "mistral"): {"content": [PART]},
    ("deepseek", "minimax"): {"content": f"<think>{THOUGHT}</think>"},
    ("openrouter", "deepseek"): {"reasoning_content": THOUGHT},
    ("openrouter", "groq"): {"reasoning": THOUGHT},
    ("openrouter", "openai"): {},
    ("openrouter", "hunyuan-openai"): {},
    ("mistral", "deepseek"): {"reasoning_content": THOUGHT, "content": "So"},
    ("mistral", "openai"): {"content": "So"},
    ("mistral", "groq"): {"reasoning": THOUGHT, "content": "So"},
    ("minimax", "openai"): {"content": "So"},
    ("minimax", "moonshot"): {"reasoning_content": THOUGHT, "content": "So"},
    ("minimax", "mistral"): {"content": [PART, {"type": "text", "text": "So"}]},
}


@pytest.mark.parametrize("way", [blocking, generator])
@pytest.mark.parametrize(("here", "there"), ELSEWHERE)
def test_a_conversation_that_goes_on_elsewhere(here, there, way):
    """The answer of one host is sent to another in that one's way, and nothing of the first one's shape with it."""
    completion, _ = converse(here, CASES[here], way)
    assistant = sent_to(there, completion.message)
    del assistant["tool_calls"]
    if not assistant.get("content"):
        assistant.pop("content", None)
    assert {"role": "assistant", **ELSEWHERE[here, there]} == assistant


def sent_to(name, message, **options):
    """The message as the row's host is sent it."""
    target = Target("https://h/v1", quirks=PROVIDERS[name].quirks, **options)
    request = get_dialect("openai").encode_request(ChatCompletionRequest("m", [message]), target, False)
    return json.loads(request.body)["messages"][0]


# --- messages that a program wrote ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("deepseek", {"content": "a", "reasoning_content": "r"}),
        ("groq", {"content": "a", "reasoning": "r"}),
        ("openai", {"content": "a"}),
        ("xai", {"content": "a", "reasoning_content": "r"}),
        ("minimax", {"content": "<think>r</think>a"}),
        ("mistral", {"content": [PART | {"thinking": [{"type": "text", "text": "r"}]}, {"type": "text", "text": "a"}]}),
    ],
)
@pytest.mark.parametrize("form", [Message, dict])
def test_reasoning_that_a_program_wrote(name, expected, form):
    """A message may be written by hand, as an object or as a dict."""
    fields = {"role": "assistant", "content": "a", "reasoning_content": "r"}
    assert {"role": "assistant", **expected} == sent_to(name, form(**fields))


def test_only_answers_have_reasoning():
    """Fields of other roles are sent as they are."""
    message = {"role": "user", "content": "a", "reasoning": "mine"}
    assert message == sent_to("openai", message)


def test_parts_that_a_program_wrote():
    """A list of parts stays one, with the reasoning in front where it belongs inside."""
    message = Message.assistant(["a", "b"], reasoning_content="r")
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}
    assert [thinking, *texts] == sent_to("mistral", message)["content"]
    assert (texts, "r") == (sent_to("groq", message)["content"], sent_to("groq", message)["reasoning"])
    tagged = {"type": "text", "text": "<think>r</think>"}
    assert [tagged, *texts] == sent_to("minimax", message)["content"]


def test_answers_without_reasoning():
    """Where there is none, nothing is put in its place."""
    call = dict(CALL)
    for name in ("deepseek", "openrouter", "mistral", "minimax", "groq", "openai"):
        assert {"role": "assistant", "content": "a"} == sent_to(name, Message.assistant("a"))
        assert {"role": "assistant", "tool_calls": [call]} == sent_to(name, Message.assistant(tool_calls=[call]))


def test_blocks_of_other_dialects_are_refused(caplog):
    """What only another dialect has a word for is refused before sending, or dropped with a line in the log."""
    message = Message("assistant", "a", extra={"content_blocks": [{"type": "server_tool_use"}]})
    with pytest.raises(ConfigError, match=r"'openai' has no word for messages\[0\].content_blocks"):
        sent_to("openai", message)
    assert {"role": "assistant", "content": "a"} == sent_to("openai", message, on_unsupported="drop")
    assert ["The dialect 'openai' has no word for messages[0].content_blocks: dropped"] == caplog.messages


# --- errors with status 200 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [blocking, generator, callback])
@pytest.mark.parametrize(("code", "attempts"), [(1002, 2), (1013, 2), (1004, 1), (1008, 1), (2013, 1)])
def test_errors_of_minimax(code, attempts, way):
    """MiniMax says with status 200 that there are too many requests, which is tried again; a wrong key is not."""
    error = Reply(body={"base_resp": {"status_code": code, "status_msg": "told"}})
    request = ChatCompletionRequest("m", [Message.user("Hi")])
    with ScriptedServer(error, ChatScript("Sunny")) as server, server.client("minimax", max_retries=1) as client:
        if attempts == 2:
            assert "Sunny" == way(client, request).text
        else:
            with pytest.raises(StreamError, match="told") as caught:
                way(client, request)
            assert code == caught.value.code
        assert attempts == len(server.requests)
