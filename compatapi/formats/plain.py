"""The formats that say chunks as they are: JSON, SSE and NDJSON.

Chunks go out as `compatapi.to_json` writes them, with what stood on the wire where an attribute holds a reading. So
whoever reads them with the dialect ``openai`` gets equal chunks.
"""

from __future__ import annotations

from typing import Any

from compatapi import jsontext
from compatapi.accumulate import Accumulator
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk
from compatapi.convert import converter, to_dict, to_json
from compatapi.errors import CompatAPIError
from compatapi.formats.writing import as_line, error_object, line

__all__ = ["JSONWriter", "NDJSONWriter", "SSEWriter"]

#: The names under which the reasoning of a message may be written.
_REASONING = ("reasoning_content", "reasoning", "reasoning_details")


class SSEWriter:
    """Events without a type, then ``[DONE]`` (OpenAI API reference, "Streaming")."""

    def feed(self, chunk: ChatCompletionChunk) -> bytes:
        """One event."""
        return b"data: " + to_json(chunk) + b"\n\n"

    def close(self) -> bytes:
        """The end mark."""
        return b"data: [DONE]\n\n"

    def fail(self, error: CompatAPIError) -> bytes:
        """An event with an error object."""
        return b"data: " + jsontext.dumps({"error": error_object(error)}) + b"\n\n"


class NDJSONWriter:
    """One line for each chunk. There is no end mark: a reader knows the end by the finish reasons."""

    def feed(self, chunk: ChatCompletionChunk) -> bytes:
        """One line."""
        return as_line(to_json(chunk))

    def close(self) -> bytes:
        """Nothing."""
        return b""

    def fail(self, error: CompatAPIError) -> bytes:
        """A line with an error object."""
        return line({"error": error_object(error)})


class JSONWriter:
    """Nothing until the end, then the completion."""

    def __init__(self) -> None:
        self._answer = Accumulator()

    def feed(self, chunk: ChatCompletionChunk) -> bytes:
        """Nothing yet."""
        self._answer.add(chunk)
        return b""

    def close(self) -> bytes:
        """The document."""
        return self._line(_completion_object(self._answer.completion))

    def fail(self, error: CompatAPIError) -> bytes:
        """A document with an error object; what was received is inside it, where nobody takes it for an answer."""
        completion = self._answer.completion
        so_far = {"completion": _completion_object(completion)} if completion.choices else {}
        return self._line({"error": error_object(error) | so_far})

    @staticmethod
    def _line(value: dict[str, Any]) -> bytes:
        return jsontext.dumps(value, converter.unstructure) + b"\n"


def _completion_object(completion: ChatCompletion) -> dict[str, Any]:
    value = to_dict(completion)
    for choice, written in zip(completion.choices, value["choices"], strict=True):
        # Reasoning that came inside a content array has no name of its own, and would not be written.
        reasoning, message = choice.message.reasoning_content, written["message"]
        if reasoning and not any(message.get(name) for name in _REASONING):
            message["reasoning_content"] = reasoning
    return value
