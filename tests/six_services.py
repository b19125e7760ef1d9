"""One answer, told by six services in their own words: whole, and in pieces. Written after `fixtures/<dialect>`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from compatapi.client import Client
from compatapi.testing import Reply, ScriptedServer, StreamReply

#: What all of them say: reasoning, text, a call, and the tokens of prompt, answer and both.
REASONING, TEXT, NAME, ARGUMENTS, USAGE = "Look it up.", "One moment.", "weather", '{"city":"Rome"}', (12, 9, 21)
#: A key with two parts is one for every dialect.
KEY = "an-id-for-tests:a-key-for-tests"


@frozen(kw_only=True)
class Service:
    """How one service answers.

    Attributes:
        events: The events of a stream.
        whole: The whole answer.
        path: Where a stream is asked for.
        root: What is put behind the address of the server, as the row of the provider has it.
        media_type: Of a stream.
        two: The events of a stream with two choices, "one" and "two"; empty where one request has one answer.
    """

    events: Sequence[bytes]
    whole: Mapping[str, Any]
    path: str
    root: str = ""
    media_type: str = "text/event-stream"
    two: Sequence[bytes] = field(default=())

    def server(self, events=None):
        """A server that answers so, in pieces to those who ask for pieces."""
        streamed = StreamReply(
            self.events if events is None else events, done=False, headers={"Content-Type": self.media_type}
        )
        return ScriptedServer(
            lambda request: Reply(body=self.whole) if request.headers["accept"] == "application/json" else streamed
        )


def client_of(name, server):
    """A client of the row of that name."""
    return Client(name, base_url=server.url + SERVICES[name].root, api_key=KEY, max_retries=0)


def data(*values):
    """Events."""
    return [f"data: {json.dumps(value)}\n\n".encode() for value in values]


def named(*values):
    """Events that say their type twice, as Anthropic's do."""
    return [f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode() for value in values]


def lines(*values):
    """Lines of JSON."""
    return [json.dumps(value).encode() + b"\n" for value in values]


CITY = {"city": "Rome"}


# --- OpenAI, and those who speak like it

_OPENAI_USAGE = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
_OPENAI_CALL = {"id": "call_1", "type": "function", "function": {"name": NAME, "arguments": ARGUMENTS}}
_OPENAI_MESSAGE = {"role": "assistant", "reasoning_content": REASONING, "content": TEXT, "tool_calls": [_OPENAI_CALL]}


def _openai(delta, finish=None, index=0, **fields):
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [choice], **fields}


def _openai_call(**fields):
    return _openai({"tool_calls": [{"index": 0, **fields}]})


OPENAI = Service(
    path="/v1/chat/completions",
    root="/v1",
    events=[
        *data(
            _openai({"role": "assistant", "reasoning_content": "Look "}),
            _openai({"reasoning_content": "it up."}),
            _openai({"content": "One "}),
            _openai({"content": "moment."}),
            _openai_call(id="call_1", type="function", function={"name": NAME, "arguments": ""}),
            _openai_call(function={"arguments": '{"city":'}),
            _openai_call(function={"arguments": '"Rome"}'}),
            _openai({}, "tool_calls"),
            {**_openai({}), "choices": [], "usage": _OPENAI_USAGE},
        ),
        b"data: [DONE]\n\n",
    ],
    whole={
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m-1",
        "usage": _OPENAI_USAGE,
        "choices": [{"index": 0, "message": _OPENAI_MESSAGE, "finish_reason": "tool_calls"}],
    },
    two=data(*(_openai({"content": text}, "stop", index) for index, text in enumerate(("one", "two")))),
)


# --- Anthropic


def _block(index, kind, start, *pieces):
    yield {"type": "content_block_start", "index": index, "content_block": {"type": kind, **start}}
    yield from ({"type": "content_block_delta", "index": index, "delta": piece} for piece in pieces)
    yield {"type": "content_block_stop", "index": index}


_COUNTED = {"input_tokens": 12, "output_tokens": 1}
_MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1"}
_TOOL_USE = {"id": "toolu_1", "name": NAME}
ANTHROPIC = Service(
    path="/v1/messages",
    events=named(
        {"type": "message_start", "message": {**_MESSAGE, "content": [], "usage": _COUNTED}},
        *_block(
            0,
            "thinking",
            {"thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Look "},
            {"type": "thinking_delta", "thinking": "it up."},
            {"type": "signature_delta", "signature": "c2ln"},
        ),
        {"type": "ping"},
        *_block(
            1,
            "text",
            {"text": ""},
            {"type": "text_delta", "text": "One "},
            {"type": "text_delta", "text": "moment."},
        ),
        *_block(
            2,
            "tool_use",
            {**_TOOL_USE, "input": {}},
            {"type": "input_json_delta", "partial_json": '{"city":'},
            {"type": "input_json_delta", "partial_json": '"Rome"}'},
        ),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ),
    whole={
        **_MESSAGE,
        "content": [
            {"type": "thinking", "thinking": REASONING, "signature": "c2ln"},
            {"type": "text", "text": TEXT},
            {"type": "tool_use", **_TOOL_USE, "input": CITY},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 12, "output_tokens": 9},
    },
)


# --- Gemini


def _gemini(*parts, index=0, finish=None, answered=0, thought=None):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": index}
    counts = {"promptTokenCount": 12, "candidatesTokenCount": answered, "totalTokenCount": 12 + answered}
    if thought is not None:
        counts |= {"thoughtsTokenCount": thought, "totalTokenCount": 12 + answered + thought}
    named_reason = {"finishReason": finish} if finish else {}
    return {
        "candidates": [{**candidate, **named_reason}],
        "usageMetadata": counts,
        "modelVersion": "m-1",
        "responseId": "r-1",
    }


_FUNCTION_CALL = {"functionCall": {"id": "f-1", "name": NAME, "args": CITY}, "thoughtSignature": "c2ln"}
GEMINI = Service(
    path="/v1beta/models/m-1:streamGenerateContent?alt=sse",
    events=data(
        _gemini({"text": "Look ", "thought": True}, thought=3),
        _gemini({"text": "it up.", "thought": True}, thought=5),
        _gemini({"text": "One "}, answered=1, thought=5),
        _gemini({"text": "moment."}, answered=2, thought=5),
        _gemini(_FUNCTION_CALL, finish="STOP", answered=4, thought=5),
    ),
    whole=_gemini(
        {"text": REASONING, "thought": True}, {"text": TEXT}, _FUNCTION_CALL, finish="STOP", answered=4, thought=5
    ),
    two=data(*(_gemini({"text": text}, index=index, finish="STOP") for index, text in enumerate(("one", "two")))),
)


# --- Ollama


def _ollama(done=False, content="", message=(), **fields):
    said = {"role": "assistant", "content": content, **dict(message)}
    return {"model": "m-1", "created_at": "2026-03-04T05:06:07Z", "message": said, "done": done, **fields}


_OLLAMA_CALLS = {"tool_calls": [{"id": "call_1", "function": {"name": NAME, "arguments": CITY}}]}
_OLLAMA_END = {"done_reason": "stop", "prompt_eval_count": 12, "eval_count": 9, "total_duration": 2_111_222_333}
OLLAMA = Service(
    path="/api/chat",
    media_type="application/x-ndjson",
    events=lines(
        _ollama(message={"thinking": "Look "}),
        _ollama(message={"thinking": "it up."}),
        _ollama(content="One "),
        _ollama(content="moment."),
        _ollama(message=_OLLAMA_CALLS),
        _ollama(True, **_OLLAMA_END),
    ),
    whole=_ollama(True, TEXT, {"thinking": REASONING, **_OLLAMA_CALLS}, **_OLLAMA_END),
)


# --- Hunyuan


def _hunyuan(finish="", tokens=9, **delta):
    choice = {"Index": 0, "Delta": {"Role": "assistant", **delta}, "FinishReason": finish}
    usage = {"PromptTokens": 12, "CompletionTokens": tokens, "TotalTokens": 12 + tokens}
    return {"Note": "n", "Choices": [choice], "Created": 1, "Id": "c-1", "Usage": usage}


def _hunyuan_call(arguments):
    return [{"Id": "call_1", "Type": "function", "Index": 0, "Function": {"Name": NAME, "Arguments": arguments}}]


_HUNYUAN_MESSAGE = {"Role": "assistant", "Content": TEXT, "ReasoningContent": REASONING}
HUNYUAN = Service(
    path="/",
    events=data(
        _hunyuan(tokens=1, Content="", ReasoningContent="Look "),
        _hunyuan(tokens=2, Content="", ReasoningContent="it up."),
        _hunyuan(tokens=3, Content="One "),
        _hunyuan(tokens=4, Content="moment."),
        _hunyuan(tokens=6, Content="", ToolCalls=_hunyuan_call('{"city":')),
        _hunyuan(tokens=9, Content="", ToolCalls=_hunyuan_call('"Rome"}')),
        _hunyuan("tool_calls", Content=""),
    ),
    whole={
        "Response": {
            "RequestId": "r-1",
            **_hunyuan(),
            "Choices": [
                {
                    "Index": 0,
                    "FinishReason": "tool_calls",
                    "Message": {**_HUNYUAN_MESSAGE, "ToolCalls": _hunyuan_call(ARGUMENTS)},
                }
            ],
        }
    },
)


# --- DashScope


def _dashscope(finish="null", tokens=9, index=0, **message):
    choice = {"index": index, "message": {"role": "assistant", **message}, "finish_reason": finish}
    usage = {"input_tokens": 12, "output_tokens": tokens, "total_tokens": 12 + tokens}
    return {"output": {"choices": [choice]}, "usage": usage, "request_id": "q-1"}


def _dashscope_call(arguments, id="", **function):
    return [{"index": 0, "id": id, "type": "function", "function": {**function, "arguments": arguments}}]


def _results(*values):
    return [b"id:1\nevent:result\n:HTTP_STATUS/200\n" + event for event in data(*values)]


DASHSCOPE = Service(
    path="/api/v1/services/aigc/text-generation/generation",
    events=_results(
        _dashscope(tokens=1, content="", reasoning_content="Look "),
        _dashscope(tokens=2, content="", reasoning_content="it up."),
        _dashscope(tokens=3, content="One "),
        _dashscope(tokens=4, content="moment."),
        _dashscope(tokens=6, content="", tool_calls=_dashscope_call('{"city":', "call_1", name=NAME)),
        _dashscope(tokens=9, content="", tool_calls=_dashscope_call('"Rome"}')),
        _dashscope("tool_calls", content=""),
    ),
    whole=_dashscope(
        "tool_calls",
        content=TEXT,
        reasoning_content=REASONING,
        tool_calls=_dashscope_call(ARGUMENTS, "call_1", name=NAME),
    ),
    two=_results(*(_dashscope("stop", index=index, content=text) for index, text in enumerate(("one", "two")))),
)

#: By the name of the provider's row.
SERVICES = {
    "anthropic": ANTHROPIC,
    "dashscope": DASHSCOPE,
    "gemini": GEMINI,
    "hunyuan": HUNYUAN,
    "ollama": OLLAMA,
    "openai": OPENAI,
}
