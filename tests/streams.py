"""Building streams of the OpenAI form, and reading what a decoder made of them."""

import copy
import json
from collections.abc import Callable
from typing import Any, TypeVar

from compatapi.chat_types import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest, Message
from compatapi.convert import from_dict
from compatapi.decoding import StreamDecoder
from compatapi.dialects import get_dialect
from compatapi.errors import CompatAPIError
from compatapi.http_types import Limits
from helpers import COMB, cut

Result = TypeVar("Result")

REQUEST = ChatCompletionRequest("m", [Message.user("hello")])
DONE = b"data: [DONE]\n\n"


def body(delta: Any = None, *, finish: Any = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    """One chunk of the wire as a dict; ``choice`` fields come with ``choice={...}``."""
    choice = {
        "index": index,
        "delta": {} if delta is None else delta,
        "finish_reason": finish,
        **fields.pop("choice", {}),
    }
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **fields}


def say(text: str, **fields: Any) -> dict[str, Any]:
    """A chunk that adds text."""
    return body({"content": text}, **fields)


def call(*fragments: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A chunk with fragments of tool calls."""
    return body({"tool_calls": list(fragments)}, **fields)


def part(name: str | None = None, arguments: Any = None, **fields: Any) -> dict[str, Any]:
    """A fragment of a tool call, with nothing in it that is not named."""
    function = {"name": name, "arguments": arguments}
    return {**fields, "function": {key: value for key, value in function.items() if value is not None}}


def stop(reason: str = "stop", **fields: Any) -> dict[str, Any]:
    """A chunk with a finish reason alone."""
    return body({}, finish=reason, **fields)


def event(value: Any) -> bytes:
    """One event; bytes and text go in as they are."""
    if not isinstance(value, bytes | str):
        value = json.dumps(value)
    data = value if isinstance(value, bytes) else value.encode()
    return b"data: " + data + b"\n\n"


def sse(*values: Any, done: bool = True) -> bytes:
    """A stream of the values, with its end mark."""
    return b"".join(map(event, values)) + (DONE if done else b"")


def decoder(*, dialect: str = "openai", limits: dict[str, int] | None = None, **options: Any) -> StreamDecoder:
    """A new decoder of a dialect, with a clock that stands still; ``limits`` are fields of `Limits`."""
    made = copy.copy(get_dialect(dialect))
    made.clock = lambda: 1_700_000_000.0
    return StreamDecoder(made, REQUEST, limits=Limits(**limits or {}), **options)


def chunk(value: dict[str, Any]) -> ChatCompletionChunk:
    """A chunk that no dialect has seen."""
    return from_dict(ChatCompletionChunk, value)


def run(
    data: bytes | list[bytes], **options: Any
) -> tuple[list[ChatCompletionChunk], ChatCompletion, CompatAPIError | None]:
    """Feed everything and close: the chunks, the answer, and the error that ended it."""
    made, chunks = decoder(**options), []
    try:
        for piece in [data] if isinstance(data, bytes) else data:
            chunks += made.feed(piece)
        chunks += made.close()
        chunks += made.close()  # an error behind the last chunks comes with the next call
    except CompatAPIError as error:
        return chunks, made.completion, error
    return chunks, made.completion, None


def read(*values: Any, **options: Any) -> tuple[list[ChatCompletionChunk], ChatCompletion]:
    """The chunks and the answer of a stream that must be whole."""
    chunks, completion, error = run(sse(*values), **options)
    assert error is None, repr(error)
    return chunks, completion


def fail(*values: Any, **options: Any) -> CompatAPIError:
    """The error of a stream that must have one."""
    error = run(sse(*values), **options)[2]
    assert error is not None
    return error


def calls_of(completion: ChatCompletion) -> list[tuple[str, str]]:
    """Name and arguments of each tool call of the first choice."""
    return [(made.name, made.arguments) for made in completion.tool_calls]


def usage_of(completion: ChatCompletion) -> tuple[int | None, int | None, int | None] | None:
    """The three counts."""
    usage = completion.usage
    return usage and (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)


def without_nulls(value: Any) -> Any:
    """A JSON value without the fields that are null."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def same_at_every_cut(data: bytes, look: Callable[[list[bytes]], Result]) -> Result:
    """Return ``look([data])``, after checking that the bytes one by one, and cut at every place, give the same.

    The stream is combed: pieces of one size at every offset, so that each place is a cut in exactly one of the ways.
    To cut it in two at each place would cost the square of its length.
    """
    expected = look([data])
    for offset in range(1, COMB + 1):
        assert expected == look(cut(data, range(offset, len(data), COMB))), f"every {COMB} bytes from {offset}"
    assert expected == look([data[at : at + 1] for at in range(len(data))]), "byte by byte"
    return expected
