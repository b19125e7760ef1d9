"""Streams of the native protocols, for the replay server; each chunk of text as its service documents it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from answers import BLOCK, Answer, streamed, word


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _typed(type: str, **fields: Any) -> bytes:
    return b"event: " + type.encode() + b"\ndata: " + _json({"type": type, **fields}) + b"\n\n"


def _anthropic(count: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
    usage = {"input_tokens": 9, "output_tokens": 1, "service_tier": "standard"}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
    begin = [
        _typed("message_start", message=message),
        _typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        _typed("ping"),
    ]
    block = [
        _typed("content_block_delta", index=0, delta={"type": "text_delta", "text": word(number)})
        for number in range(count)
    ]
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    end = [
        _typed("content_block_stop", index=0),
        _typed("message_delta", delta=stop, usage={"output_tokens": count}),
        _typed("message_stop"),
    ]
    return begin, block, end


def _gemini(count: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
    def say(number: int, **fields: Any) -> bytes:
        candidate = {"content": {"parts": [{"text": word(number)}], "role": "model"}, "index": 0, **fields}
        usage = {"promptTokenCount": 9, "candidatesTokenCount": number, "totalTokenCount": number + 9}
        usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": 9}]
        value = {
            "candidates": [candidate],
            "usageMetadata": usage,
            "modelVersion": "gemini-2.5-flash",
            "responseId": "r1",
        }
        return b"data: " + _json(value) + b"\r\n\r\n"

    return [], [say(number) for number in range(count)], [say(count, finishReason="STOP")]


def _ollama(count: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
    def say(number: int, done: bool = False, **fields: Any) -> bytes:
        # Each line has a time of its own.
        value = {"model": "llama3.2", "created_at": f"2025-06-01T12:00:{number % 60:02}.{number:09}Z"}
        return (
            _json({**value, "message": {"role": "assistant", "content": word(number)}, "done": done, **fields}) + b"\n"
        )

    last = say(
        count, True, done_reason="stop", total_duration=9, load_duration=1, prompt_eval_count=9, eval_count=count
    )
    return [], [say(number) for number in range(count)], [last]


def _hunyuan(count: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
    def say(number: int, reason: str = "") -> bytes:
        value = {
            "Note": "以上内容为AI生成，不代表开发者立场，请勿删除或修改本标记",
            "Choices": [{"Delta": {"Role": "assistant", "Content": word(number)}, "FinishReason": reason, "Index": 0}],
            "Created": 1741569952,
            "Id": "a8ba0ba9-f9e2-4d5a-a2a4-f2f8b2e9d9e1",
            "Usage": {"PromptTokens": 9, "CompletionTokens": number, "TotalTokens": number + 9},
        }
        return b"data: " + _json(value) + b"\n\n"

    return [], [say(number) for number in range(count)], [say(count, "stop")]


def _dashscope(count: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
    def say(number: int, reason: str = "null") -> bytes:
        message = {"content": word(number), "reasoning_content": "", "role": "assistant"}
        value = {
            "output": {"choices": [{"message": message, "finish_reason": reason}]},
            "usage": {"total_tokens": number + 22, "output_tokens": number, "input_tokens": 22},
            "request_id": "902fee3b-f7f0-9a8c-96a1-6b4ea25af114",
        }
        return b"id:%d\nevent:result\n:HTTP_STATUS/200\ndata:" % (number + 1) + _json(value) + b"\n\n"

    return [], [say(number) for number in range(count)], [say(count, "stop")]


class Form(NamedTuple):
    """How the streams of a protocol are cut: what stands between two of its events, and where the JSON text begins."""

    separator: bytes = b"\n\n"
    mark: bytes = b"data:"
    skip: int = 5


_MAKERS: dict[str, Callable[[int], tuple[list[bytes], list[bytes], list[bytes]]]] = {
    "anthropic": _anthropic,
    "gemini": _gemini,
    "ollama": _ollama,
    "hunyuan": _hunyuan,
    "dashscope": _dashscope,
}
FORMS = {
    "anthropic": Form(),
    "gemini": Form(b"\r\n\r\n"),
    "ollama": Form(b"\n", b"{", 0),
    "hunyuan": Form(),
    "dashscope": Form(),
}


def events(name: str, count: int) -> list[bytes]:
    """The events of a stream, one by one."""
    first, block, last = _MAKERS[name](count)
    return [*first, *block, *last]


def stream(name: str, count: int) -> Answer:
    """A stream with ``count`` chunks of text."""
    block = min(count, BLOCK)
    first, middle, last = _MAKERS[name](block)
    return streamed(first, middle, count // block, last)
