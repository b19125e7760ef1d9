"""What the dialects send, judged by the services' own libraries: by their types, or by what their clients send."""

import json
import warnings

import ollama
import pydantic
import pytest
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from google import genai
from google.genai import types
from ollama._types import ChatRequest
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from pydantic.alias_generators import to_camel
from tencentcloud.hunyuan.v20230901.models import ChatCompletionsRequest
from typing_extensions import get_type_hints, is_typeddict

from compatapi.chat_types import (
    AudioPart,
    ChatCompletionRequest,
    FileData,
    FilePart,
    FunctionCall,
    ImagePart,
    InputAudio,
    Message,
    ResponseFormat,
    Tool,
    ToolCall,
)
from compatapi.dialects import get_dialect
from compatapi.http_types import Secret, Target
from compatapi.testing import ChatScript

PIXEL = "data:image/png;base64,iVBORw0KGgo="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ODD = {
    "type": "object",
    "properties": {
        "any": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "by reference": {"$ref": "#/$defs/B"},
        "日本": {"enum": ["x", None, 1]},
    },
    "$defs": {"B": {"type": "array", "items": {"type": ["integer", "null"], "minimum": 0}}},
    "additionalProperties": False,
}
TOOLS = [Tool.from_schema("weather", "Weather 🎈", CITY), Tool.from_schema("now"), Tool.from_schema("odd", None, ODD)]
HELLO = [Message.user("hello")]
CALLS = [ToolCall("call_1", FunctionCall("weather", '{"city":"Oslo"}')), ToolCall("call_2", FunctionCall("now"))]
ROUND = [
    *HELLO,
    Message.assistant("Let me look.", tool_calls=CALLS),
    Message("tool", '{"ok": true}', tool_call_id="call_2"),
    Message("tool", "cold", tool_call_id="call_1"),
    Message.user("And?"),
]
MEDIA = ["Look", ImagePart.from_url(PIXEL), ImagePart.from_url("https://example.com/a.png")]
PDF = FilePart(FileData(file_data="data:application/pdf;base64,JVBERi0=", filename="a.pdf"))

#: Requests; a dialect may refuse one, but what it sends must be right.
REQUESTS = {
    "one turn": {},
    "system turns": {"messages": [Message.system("be"), Message.developer("nice"), *HELLO, Message.system("late")]},
    "empty turns": {"messages": [Message.user(""), Message.assistant(""), Message.user([]), *HELLO]},
    "turns of one role": {"messages": [*HELLO, *HELLO, Message.assistant("a"), Message.assistant("b"), *HELLO]},
    "an answer to go on with": {"messages": [*HELLO, Message.assistant("The answer is ")]},
    "images": {"messages": [Message.user(MEDIA)]},
    "a document": {"messages": [Message.user([PDF, "Sum it up"])]},
    "sound": {"messages": [Message.user([AudioPart(InputAudio("UklGRg==", "wav"))])]},
    "tools": {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False},
    "one tool": {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "now"}}},
    "no tool": {"tools": TOOLS, "tool_choice": "none"},
    "a round of tools": {"messages": ROUND, "tools": TOOLS},
    "results with images": {"messages": [*ROUND[:2], Message("tool", MEDIA[:2], tool_call_id="call_1")]},
    "options": {"top_p": 0.5, "stop": ["a", "b"], "seed": 0, "max_tokens": 99, "temperature": 0},
    "JSON": {"response_format": ResponseFormat.json_object()},
    "a schema": {"response_format": ResponseFormat.from_schema("odd", ODD, strict=True), "reasoning_effort": "low"},
    **{effort: {"reasoning_effort": effort} for effort in ("none", "minimal", "high", "xhigh", "max")},
    "a budget": {"thinking_budget": 2000, "max_tokens": 3000},
    "names of users": {"user": "u-1"},
}
MODELS = {
    "anthropic": ("claude-sonnet-4-5", "claude-opus-4-8"),
    "gemini": ("gemini-2.5-pro", "gemini-3-pro-preview"),
    "hunyuan": ("hunyuan-turbos-latest",),
    "ollama": ("qwen3", "gpt-oss:20b"),
    "openai": ("gpt-5-mini",),
}


def body_of(dialect, request, base="https://api.example"):
    """The JSON body of a stream, what has no word dropped."""
    target = Target(base, Secret("id:key"), on_unsupported="drop")
    return json.loads(get_dialect(dialect).encode_request(request, target, True).body)


# --- judges: each raises for a body that the service's own types do not allow -----------------------------------------


def forbid_more(annotation, seen):
    """Make a TypedDict, and all in it, refuse names that it does not know."""
    for inner in getattr(annotation, "__args__", ()):
        forbid_more(inner, seen)
    if is_typeddict(annotation) and annotation not in seen:
        seen.add(annotation)
        if getattr(annotation, "__pydantic_config__", {}).get("extra") != "allow":
            annotation.__pydantic_config__ = {"extra": "forbid", "arbitrary_types_allowed": True}
        for inner in get_type_hints(annotation, include_extras=True).values():
            forbid_more(inner, seen)


def exhausted(value):
    """The value with its lazy iterators read, which is when pydantic looks at what is in them."""
    if isinstance(value, dict):
        return {name: exhausted(item) for name, item in value.items()}
    if isinstance(value, str | bytes | int | float | None):
        return value
    return [exhausted(item) for item in value]


def typed_dict_judge(typed_dict, known=()):
    """A judge by a TypedDict; ``known`` are fields that the service takes and its library no longer offers."""
    forbid_more(typed_dict, set())
    adapter = pydantic.TypeAdapter(typed_dict)

    def judge(body):
        exhausted(adapter.validate_python({name: value for name, value in body.items() if name not in known}))

    return judge


class GeminiBody(pydantic.BaseModel, extra="forbid", alias_generator=to_camel):
    """The body of generateContent, of which the library has the parts only. Its models forbid unknown names."""

    contents: list[types.Content]
    system_instruction: types.Content | None = None
    tools: list[types.Tool] | None = None
    tool_config: types.ToolConfig | None = None
    generation_config: types.GenerationConfig | None = None


def judge_hunyuan(body):
    """The library warns of names that it does not know, and must send the same again."""
    request = ChatCompletionsRequest()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        request._deserialize(body)
    assert body == said(json.loads(request.to_json_string()))


def said(value):
    """The value without nulls."""
    if isinstance(value, dict):
        return {name: said(item) for name, item in value.items() if item is not None}
    return [said(item) for item in value] if isinstance(value, list) else value


def judge_ollama(body):
    """The library's models pass over unknown names, so names are compared."""
    assert body.keys() <= ChatRequest.model_fields.keys()
    options = ollama.Options(**body.get("options", {}))
    assert body.get("options", {}) == options.model_dump(exclude_none=True)
    for message in body["messages"]:
        assert message.keys() <= {*ollama.Message.model_fields, "tool_call_id"}
        ollama.Message(**{name: value for name, value in message.items() if name != "images"})
    for tool in body.get("tools", ()):
        ollama.Tool(**tool)


@pytest.fixture(scope="module")
def judges():
    """A judge for each dialect."""
    return {
        "anthropic": typed_dict_judge(MessageCreateParamsStreaming, ("temperature", "top_p", "top_k")),
        "gemini": GeminiBody.model_validate,
        "hunyuan": judge_hunyuan,
        "ollama": judge_ollama,
        "openai": typed_dict_judge(CompletionCreateParamsStreaming),
    }


#: Many hosts of OpenAI's form take images in results of tools; OpenAI's own library does not.
NOT_JUDGED = {("openai", "results with images")}


@pytest.mark.parametrize(
    ("dialect", "model", "case"),
    [
        (name, model, case)
        for name in MODELS
        for model in MODELS[name]
        for case in REQUESTS
        if (name, case) not in NOT_JUDGED
    ],
)
def test_types(judges, dialect, model, case):
    """Each body is one that the service's own library allows; none is refused, since dropping is allowed."""
    body = body_of(dialect, ChatCompletionRequest(model, **{"messages": HELLO, **REQUESTS[case]}))
    judges[dialect](body)
    assert body


@pytest.mark.parametrize("dialect", MODELS)
def test_the_judges_see_what_is_wrong(judges, dialect):
    """A judge that lets everything pass would prove nothing: an unknown name in a message is seen."""
    body = body_of(dialect, ChatCompletionRequest(MODELS[dialect][0], HELLO))
    turns = body[{"gemini": "contents", "hunyuan": "Messages"}.get(dialect, "messages")]
    turns[0]["nonsense"] = 1
    with pytest.raises((AssertionError, UserWarning, pydantic.ValidationError)):
        judges[dialect](body)


# --- the same conversation through the service's own client -----------------------------------------------------------


def spelled(value):
    """Names in the spelling with capitals, of which Google reads either."""
    if isinstance(value, list):
        return [spelled(item) for item in value]
    if not isinstance(value, dict):
        return value
    words = {name: name.split("_") for name in value}
    return {first + "".join(map(str.capitalize, rest)): spelled(value[name]) for name, (first, *rest) in words.items()}


def test_googles_client_sends_the_same(compatapi_server):
    """Turns with media, thoughts, signed calls and results, and options, are what Google's client makes of them."""
    compatapi_server.add(ChatScript("x"))
    part = types.Part
    image = part.from_bytes(data=b"a", mime_type="image/png")
    call = types.FunctionCall(name="weather", args={"city": "Oslo"})
    result = part.from_function_response(name="weather", response={"result": "c"})
    with genai.Client(api_key="k", http_options={"base_url": compatapi_server.url}) as client:
        stream = client.models.generate_content_stream(
            model="gemini-2.5-flash",
            contents=[
                types.Content(role="user", parts=[part(text="Look"), image]),
                types.Content(
                    role="model",
                    parts=[part(text="hm", thought=True), part(function_call=call, thought_signature=b"sig")],
                ),
                types.Content(role="user", parts=[result]),
            ],
            config=types.GenerateContentConfig(
                system_instruction=types.Content(parts=[part(text="be")]),
                temperature=0,
                max_output_tokens=5,
                stop_sequences=["a"],
                response_mime_type="application/json",
                response_json_schema=CITY,
                thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2000),
                tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="weather")])],
                tool_config={"function_calling_config": {"mode": "ANY", "allowed_function_names": ["weather"]}},
                automatic_function_calling={"disable": True},
            ),
        )
        assert "x" == "".join(chunk.text or "" for chunk in stream)
    signed = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    made = ToolCall("c", FunctionCall("weather", '{"city":"Oslo"}'), extra=signed)
    request = ChatCompletionRequest(
        "gemini-2.5-flash",
        [
            Message.system("be"),
            Message.user(["Look", ImagePart.from_url("data:image/png;base64,YQ==")]),
            Message("assistant", reasoning_content="hm", tool_calls=[made]),
            Message("tool", "c", tool_call_id="c"),
        ],
        temperature=0,
        max_tokens=5,
        stop="a",
        response_format=ResponseFormat.from_schema("city", CITY),
        thinking_budget=2000,
        tools=[Tool.from_schema("weather")],
        tool_choice={"type": "function", "function": {"name": "weather"}},
    )
    [asked] = compatapi_server.requests
    assert spelled(json.loads(asked.body)) == body_of("gemini", request)


def test_ollamas_client_sends_the_same(compatapi_server):
    """Turns with images, thinking, calls and results, and all options, are what Ollama's client makes of them."""
    compatapi_server.add(ChatScript("x"))
    function = {"name": "weather", "description": "Weather", "parameters": CITY}
    with ollama.Client(host=compatapi_server.url) as client:
        stream = client.chat(
            "m",
            [
                {"role": "system", "content": "be"},
                {"role": "user", "content": "look", "images": [b"a"]},
                {"role": "assistant", "content": "", "thinking": "hm",
                 "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Oslo"}}}]},
                {"role": "tool", "content": "cold", "tool_name": "weather"},
            ],
            tools=[{"type": "function", "function": function}],
            stream=True,
            think=True,
            format=CITY,
            options={"temperature": 0, "num_predict": 5, "stop": ["a"]},
            keep_alive="5m",
        )  # fmt: skip
        assert "x" == "".join(part.message.content for part in stream)
    request = ChatCompletionRequest(
        "m",
        [
            Message.system("be"),
            Message.user(["look", ImagePart.from_url("data:image/png;base64,YQ==")]),
            Message("assistant", reasoning_content="hm", tool_calls=[ToolCall("", CALLS[0].function)]),
            Message("tool", "cold", name="weather"),
        ],
        tools=[Tool.from_schema("weather", "Weather", CITY)],
        reasoning_effort="high",
        response_format=ResponseFormat.from_schema("city", CITY),
        temperature=0,
        max_tokens=5,
        stop="a",
        extra={"keep_alive": "5m"},
    )
    [asked] = compatapi_server.requests
    theirs, ours = json.loads(asked.body), body_of("ollama", request)
    assert "" == ours["messages"][2].pop("content") == theirs["messages"][2].pop("content", "")
    assert theirs == ours
