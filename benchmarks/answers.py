"""The answers that the replay server gives: bytes of our own making, in the forms and sizes that real servers send."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

#: A long stream repeats a block of this many chunks: no machine should have to hold a million of them.
BLOCK = 1000
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
DONE = b"data: [DONE]\n\n"


class Answer(NamedTuple):
    """A head, then parts: some bytes, and how often they are sent."""

    head: bytes
    parts: list[tuple[bytes, int]]


def chunked(data: bytes) -> bytes:
    """One HTTP chunk (RFC 9112, section 7.1)."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def streamed(first: Iterable[bytes], block: Iterable[bytes], times: int, last: Iterable[bytes]) -> Answer:
    """A chunked stream with one HTTP chunk for each event, as model servers send them."""
    begin, middle, end = (b"".join(map(chunked, events)) for events in (first, block, last))
    return Answer(
        STREAM_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", [(begin, 1), (middle, times), (end + b"0\r\n\r\n", 1)]
    )


def whole(value: Any) -> Answer:
    """A JSON document with its length."""
    body = json.dumps(value).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return Answer(head, [(body, 1)])


def event(value: Any) -> bytes:
    """One server-sent event, with letters beyond ASCII as they are: so does OpenAI."""
    return b"data: " + json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


# --- streams of the OpenAI form: about 310 bytes for a chunk of text ------------------------------------------------


def chunk(delta: dict[str, Any], finish_reason: str | None = None, logprobs: Any = None, **fields: Any) -> bytes:
    """One event of a stream of chat completions."""
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
    return event(
        {
            "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
            "object": "chat.completion.chunk",
            "created": 1741569952,
            "model": "gpt-4o-mini-2024-07-18",
            "service_tier": "default",
            "system_fingerprint": "fp_06737a9306",
            "choices": [choice],
            "usage": None,
            **fields,
        }
    )


def word(number: int) -> str:
    """A token: mostly a word, now and then what needs an escape or is beyond ASCII."""
    odd = {7: ":\n\n", 17: ' "so', 27: " naïve", 37: " \N{SMILING FACE WITH OPEN MOUTH}"}
    return odd.get(number % 40, f" word{number}")


def argument(number: int) -> str:
    """A piece of the arguments of a tool call."""
    return ('{"' if number == 0 else ', "', f"key{number}", '": "', f"value {number}", '"')[number % 5]


def padded(number: int) -> bytes:
    """A chunk with padding of a random length, against the guessing of packet sizes."""
    letters = random.Random(number)
    padding = "".join(letters.choices("abcdefghijkLMNOPQRSTUVwxyz0123456789", k=letters.randrange(1, 15)))
    return chunk({"content": word(number)}, obfuscation=padding)


def full(number: int) -> bytes:
    """A chunk that says all it can: log probabilities with alternatives, and the usage so far."""
    tops = [{"token": word(number + n), "logprob": -0.5 - n, "bytes": [32, 119]} for n in range(3)]
    usage = {"prompt_tokens": 9, "completion_tokens": number + 1, "total_tokens": number + 10}
    logprobs = {"content": [{**tops[0], "top_logprobs": tops}], "refusal": None}
    return chunk({"content": word(number)}, logprobs=logprobs, usage=usage)


_CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": ""}}
_TEXT = {"role": "assistant", "content": "", "refusal": None}
#: By name: the delta of the first chunk, what makes the others, and the finish reason.
_STREAMS: dict[str, tuple[dict[str, Any], Callable[[int], bytes], str]] = {
    "text": (_TEXT, lambda number: chunk({"content": word(number)}), "stop"),
    "padding": (_TEXT, padded, "stop"),
    "reasoning": (_TEXT, lambda number: chunk({"reasoning_content": word(number)}), "stop"),
    "tools": (
        {"role": "assistant", "content": None, "tool_calls": [_CALL]},
        lambda number: chunk({"tool_calls": [{"index": 0, "function": {"arguments": argument(number)}}]}),
        "tool_calls",
    ),
    "full": (_TEXT, full, "stop"),
}
OPENAI_STREAMS = tuple(_STREAMS)


def stream(kind: str, count: int) -> Answer:
    """A stream with ``count`` chunks of one kind between its first and its last."""
    first, make, finish_reason = _STREAMS[kind]
    block = min(count, BLOCK)
    return streamed([chunk(first)], map(make, range(block)), count // block, [chunk({}, finish_reason), DONE])


def one_event(megabytes: int) -> Answer:
    """A stream whose one piece of text has that many million letters."""
    return streamed([chunk({"content": "x" * 1_000_000 * megabytes})], [], 0, [chunk({}, "stop"), DONE])


# --- whole answers --------------------------------------------------------------------------------------------------


def completion(text: str, logprobs: Any = None) -> Answer:
    """A whole answer."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
        "logprobs": logprobs,
        "finish_reason": "stop",
    }
    usage = {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}
    return whole(
        {
            "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
            "object": "chat.completion",
            "created": 1741570283,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [choice],
            "usage": usage,
            "service_tier": "default",
            "system_fingerprint": "fp_06737a9306",
        }
    )


def with_logprobs(size: int) -> Answer:
    """An answer with the log probabilities of each token and of five alternatives, about ``size`` bytes long."""
    tops = [
        {"token": f" word{n}", "logprob": -1.25 * (n + 1), "bytes": [32, 119, 111, 114, 100, 48 + n]} for n in range(5)
    ]
    token = {**tops[0], "top_logprobs": tops}
    count = max(1, size // len(json.dumps(token)))
    return completion(" word0" * count, {"content": [token] * count, "refusal": None})


WHOLE: dict[str, Callable[[int], Answer]] = {
    "call": lambda size: completion("x" * size),
    "logprobs": with_logprobs,
    "event": one_event,
}
