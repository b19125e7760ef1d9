"""Public calls as programs write them. This file is type-checked with ``mypy --strict``, and never run.

An annotated assignment states the type that a user sees.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, evolve

from compatapi import (
    APIStatusError,
    AudioPart,
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionRequest,
    ChatStream,
    ChunkChoice,
    Client,
    CompatAPIError,
    DecodeError,
    Delta,
    Dialect,
    Embedding,
    EmbeddingRequest,
    EmbeddingResponse,
    FilePart,
    Frame,
    FunctionCall,
    ImagePart,
    Limits,
    Message,
    Model,
    NDJSONDecoder,
    RequestTimeout,
    ResponseFormat,
    SSEDecoder,
    StreamDecoder,
    StreamHandle,
    StreamOptions,
    TextPart,
    Timeouts,
    Tool,
    ToolCall,
    Usage,
    WireType,
    converter,
    from_dict,
    from_json,
    to_dict,
    to_json,
)
from compatapi.testing import FAULTS, ChatScript, ErrorScript, Expect, ScriptedServer, ScriptedTransport
from compatapi.testing.faults import Cut


def messages_in_every_form(path: Path) -> list[Message]:
    """Text, parts, strings among parts, dicts, generators."""
    call = ToolCall("call_1", FunctionCall("f", "{}"))
    return [
        Message.system("Be short."),
        Message.developer(["Be short."]),
        Message.user("Hi", name="Ann"),
        Message.user([TextPart("What is this?"), ImagePart.from_path(path), "and this?", AudioPart.from_path("a.wav")]),
        Message.user((FilePart.from_path(path), ImagePart.from_url("https://example.test/a.png", detail="low"))),
        Message.user({"type": "text", "text": "Hi"} for _ in range(2)),
        Message.assistant("Hi", reasoning_content="Hm"),
        Message.assistant(tool_calls=[call]),
        Message.assistant(tool_calls=[{"id": "call_1", "function": {"name": "f"}}]),
        Message.tool("42", "call_1"),
        Message("critic", "Bad."),
    ]


def requests_in_every_form(conversation: list[Message], dicts: list[dict[str, Any]]) -> list[ChatCompletionRequest]:
    """Lists and tuples, objects and dicts, everything else by keyword."""
    tool: Tool = Tool.from_schema("f", "Do it", {"type": "object"})
    tools: list[Tool] = [tool]
    request = ChatCompletionRequest("gpt-5-mini", [Message.user("Hi")])
    return [
        request,
        evolve(request, stream=True),
        ChatCompletionRequest("m", conversation, temperature=0, max_completion_tokens=5, stop="x"),
        ChatCompletionRequest("m", dicts, stop=["x", "y"], tools=tools, tool_choice="auto"),
        ChatCompletionRequest(
            "m", [{"role": "user", "content": "Hi"}, Message.user("Hi")], tools=[tool, {"type": "x"}]
        ),
        ChatCompletionRequest("m", (Message.user("Hi"),), response_format=ResponseFormat.from_schema("a", {})),
        ChatCompletionRequest("m", (), response_format={"type": "json_object"}, extra={"top_k": 4}),
        ChatCompletionRequest(model="m", messages=[], stream_options=StreamOptions(include_usage=True)),
        ChatCompletionRequest("m", [], logit_bias={"50256": -100}, metadata={"a": "b"}, modalities=["text"]),
    ]


def what_a_completion_tells(answer: ChatCompletion) -> Message:
    """The conveniences of an answer have plain types."""
    text: str = answer.text
    reasoning: str = answer.reasoning
    finish_reason: str | None = answer.finish_reason
    calls: tuple[ToolCall, ...] = answer.tool_calls
    arguments: list[dict[str, Any]] = [call.parse_arguments() for call in calls]
    usage: Usage | None = answer.usage
    tokens: int | None = usage.total_tokens if usage else None
    unknown: dict[str, Any] = answer.extra
    print(text, reasoning, finish_reason, arguments, tokens, unknown, answer.choices[0].message.text)
    return answer.message


def what_a_chunk_tells(chunk: ChatCompletionChunk) -> str:
    """A chunk can be used by its conveniences or by the names of the wire."""
    choices: list[ChunkChoice] = chunk.choices
    for choice in choices:
        delta: Delta = choice.delta
        content: str | None = delta.content
        index: int = choice.index
        names: list[str | None] = [call.function.name for call in delta.tool_calls or [] if call.function]
        print(content, index, names, choice.finish_reason)
    reasoning: str = chunk.reasoning
    return chunk.text + reasoning


@define
class City:
    """A class of a program's own."""

    name: str
    people: int | None = None


@define
class Weather(WireType):
    """A class of a program's own that keeps unknown fields."""

    degrees: float = 0.0


def conversion(text: str, data: dict[str, Any]) -> None:
    """The class that goes in comes out."""
    chunk: ChatCompletionChunk = from_json(ChatCompletionChunk, text)
    same: ChatCompletionChunk = from_json(ChatCompletionChunk, to_json(chunk))
    city: City = from_dict(City, data)
    other: City = converter.structure(data, City)
    weather: Weather = from_dict(Weather, data)
    values: dict[str, Any] = to_dict(city)
    encoded: bytes = to_json(weather)
    extra: dict[str, Any] = weather.extra
    raw: Any = chunk.wire_value("created")
    print(same, other, values, encoded, extra, raw)


def services(models: list[Model]) -> list[str]:
    """Models and embeddings."""
    by_text: EmbeddingRequest = EmbeddingRequest("m", "text", dimensions=256)
    by_texts: EmbeddingRequest = EmbeddingRequest("m", ["a", "b"], encoding_format="base64")
    by_ids: EmbeddingRequest = EmbeddingRequest("m", [[1, 2], [3]])
    response: EmbeddingResponse = from_dict(EmbeddingResponse, {"data": []})
    data: list[Embedding] = response.data
    vectors: list[list[float] | str] = [item.embedding for item in data]
    print(by_text, by_texts, by_ids, vectors)
    return [model.id for model in models]


def errors(error: CompatAPIError) -> str:
    """Every error tells its fields with their types."""
    so_far: ChatCompletion | None = error.completion
    if isinstance(error, APIStatusError):
        status: int = error.status_code
        retry_after: float | None = error.retry_after
        header: str | None = error.headers.get("x-request-id")
        code: str | int | None = error.code
        return f"{status} {retry_after} {header} {code} {error.request_id}"
    if isinstance(error, RequestTimeout):
        clock: str = error.clock
        return clock
    if isinstance(error, DecodeError):
        path: tuple[str | int, ...] = error.path
        return f"{path} {error.position}"
    return f"{error.message} {so_far}"


def client_calls(request: ChatCompletionRequest) -> None:
    """Each style has its own type: a completion, a stream, a handle."""
    with Client("openai", api_key="none", timeouts=Timeouts(idle=30), max_retries=0) as client:
        completion: ChatCompletion = client.chat_completion(request, headers={"X-Team": "a"})
        stream: ChatStream = client.chat_completion_stream(request, timeouts=Timeouts(total=60))
        with stream as same:
            for chunk in same:
                text: str = chunk.text
                print(text)
        status: int = stream.response.status
        seconds: float | None = stream.stats.first_text
        whole: ChatCompletion = client.chat_completion_stream(request, lambda chunk: print(chunk.text))
        told: ChatCompletion = client.chat_completion_stream(request, on_chunk=show, on_usage=print)
        handle: StreamHandle = client.start_stream(request, on_text=print, on_done=finish, post=post)
        done: bool = handle.cancel()
        result: ChatCompletion = handle.result(timeout=1.0)
        models: list[Model] = client.models()
        answer: EmbeddingResponse = client.embeddings("m", ["a", "b"])
    print(completion, status, seconds, whole, told, done, result, models, answer)


def show(chunk: ChatCompletionChunk) -> None:
    """A callback for chunks."""
    print(chunk.text, chunk.reasoning, chunk.finish_reason)


def finish(completion: ChatCompletion) -> None:
    """A callback for the end."""
    print(completion.text, completion.usage)


def post(function: Callable[..., object], *arguments: object) -> None:
    """What brings a callback to another thread."""
    function(*arguments)


def decoders(data: bytes, dialect: Dialect) -> list[ChatCompletionChunk]:
    """The decoders without a network."""
    frames: list[Frame] = SSEDecoder().feed(data)
    lines: list[Frame] = NDJSONDecoder(max_event_bytes=1000).close()
    decoder: StreamDecoder = StreamDecoder(dialect, ChatCompletionRequest("m", []), limits=Limits(event=1000))
    chunks: list[ChatCompletionChunk] = decoder.feed(data) + decoder.close()
    print(frames, lines, decoder.completion)
    return chunks


def the_kit_for_tests(request: ChatCompletionRequest) -> None:
    """Servers, scripts and faults."""
    script = ChatScript("Hello", tool_calls=[("f", {"a": 1})], fault=["gzip", Cut(after=2)])
    with ScriptedServer(script, Expect({"text": "Hi"}, ErrorScript(429, retry_after=1.5)), strict=True) as server:
        client: Client = server.client("anthropic", max_retries=1)
        asked: list[ChatCompletionRequest] = [found.chat for found in server.requests]
        print(client.chat_completion(request), asked, FAULTS["cut"], server.unused())
    transport = ScriptedTransport(lambda found: script if found.stream else ErrorScript(), real_time=True)
    print(Client("openai", transport=transport), transport.unexpected)
    transport.check()
