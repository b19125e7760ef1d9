"""The speed: what a stream costs, as ratios to the least that its bytes can cost; never as times.

The bytes are fed by a stand-in for the transport, so that no network is in it. Noise of a busy machine only adds time.
So of both that are compared the fastest of several rounds counts, and there are more rounds while a bound is not met.
Those who have made something faster get new figures by ``PYTHONPATH=tests python tests/speed/test_speed.py``.
"""

import gc
import json
import sys
import time
from contextlib import contextmanager

import orjson
import pytest

from compatapi import Client, StreamDecoder
from compatapi.http_types import Headers, HttpResponse
from compatapi.stream import ChatStream
from compatapi.transport import Transport
from streams import DONE, REQUEST, body, call, event, part, say, stop

CHUNKS = 2000
ROUNDS, TRIES = 5, 10
#: What a socket gives at once. Clocks and numbers are looked after once for each.
PIECE = 65536
#: The ratio of each stream to the limit, on Python 3.10 and on newer ones: up to 3.10 Python itself is slower, and
#: `bytes.split` and the parser are not. The bound is above it by as much as machines may differ; who loses a quarter of
#: the speed takes a third longer, and is above it.
COLUMN = 0 if sys.version_info < (3, 11) else 1
FIGURES = {
    "text": (2.2, 1.45),
    "padding": (2.5, 1.78),
    "reasoning": (2.3, 1.47),
    "tools": (3.2, 2.15),
    "full": (3.8, 2.80),
}
#: The same for native protocols, by the decoders alone.
NATIVE_FIGURES = {"anthropic": (4.6, 3.6), "gemini": (2.8, 1.9)}
SLACK = 1.3
#: The same for one way to read a stream to another.
CALLBACK, ACCUMULATION, PROMISES = 1.2, 1.4, 1.15


def padded(number):
    """A chunk with padding of many lengths, against the guessing of packet sizes."""
    return say(f" word{number}", obfuscation="x" * (1 + number % 14))


def full(number):
    """A chunk that says all it can: log probabilities, and the usage so far."""
    token = {"token": f" word{number}", "logprob": -0.5, "bytes": [32, 119]}
    logprobs = {"content": [{**token, "top_logprobs": [token, token]}], "refusal": None}
    usage = {"prompt_tokens": 9, "completion_tokens": number, "total_tokens": number + 9}
    return say(f" word{number}", choice={"logprobs": logprobs}, usage=usage)


STREAMS = {
    "text": lambda number: say(f" word{number}"),
    "padding": padded,
    "reasoning": lambda number: body({"reasoning_content": f" word{number}"}),
    "tools": lambda number: call(part(arguments=f'"key{number}', index=0)),
    "full": full,
}


def stream(kind):
    """A stream of chunks as OpenAI sends them, in pieces."""
    begin = call(part("look_up", "", index=0, id="call_1", type="function")) if kind == "tools" else say("")
    values = [begin, *map(STREAMS[kind], range(CHUNKS)), stop("tool_calls" if kind == "tools" else "stop")]
    rest = {"service_tier": "default", "system_fingerprint": "fp_06737a9306", "usage": None}
    for value in values:
        value["choices"][0].setdefault("logprobs", None)
        value |= {"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "created": 1741569952} | rest | value
    data = b"".join(event(json.dumps(value, separators=(",", ":"))) for value in values) + DONE
    return [data[start : start + PIECE] for start in range(0, len(data), PIECE)]


def native_stream(dialect):
    """A text stream of a native protocol, in pieces."""
    texts = [f" word{number}" for number in range(CHUNKS)]
    if dialect == "anthropic":
        deltas = [{"type": "text_delta", "text": text} for text in texts]
        values = [{"type": "message_start", "message": {"id": "i", "model": "m", "role": "assistant"}}]
        values += [{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}]
        values += [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
        values += [{"type": "content_block_stop", "index": 0}, {"type": "message_stop"}]
    else:
        usage = {"promptTokenCount": 9, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}]}
        rest = {"modelVersion": "gemini-2.5-flash", "responseId": "beHBaJfEMIi-qtsP3769-Q8"}
        contents = [{"parts": [{"text": text}], "role": "model"} for text in texts]
        values = [{"candidates": [{"content": content, "index": 0}]} for content in contents]
        for number, value in enumerate(values):
            value |= {"usageMetadata": {**usage, "candidatesTokenCount": number}, **rest}
        values[-1]["candidates"][0]["finishReason"] = "STOP"
    named = "event: {type}\n" if dialect == "anthropic" else ""
    data = b"".join(
        named.format(type=value.get("type")).encode() + event(json.dumps(value, separators=(",", ":")))
        for value in values
    )
    return [data[start : start + PIECE] for start in range(0, len(data), PIECE)]


def limit(pieces):
    """What the wire itself needs: a split and a JSON parser."""
    rest = b""
    for piece in pieces:
        *events, rest = (rest + piece).split(b"\n\n")
        for one in events:
            data = one[one.find(b"data:") + 5 :]
            if data[-6:] != b"[DONE]":
                orjson.loads(data)


def look(chunk):
    """What a program does with a chunk."""
    if chunk.choices:
        chunk.choices[0].delta.content  # noqa: B018


def look_at_all(chunks):
    """The loop of a program."""
    for chunk in chunks:
        if chunk.choices:
            chunk.choices[0].delta.content  # noqa: B018


@contextmanager
def fed(pieces):
    """A client whose transport has the pieces instead of a network, and the clocks as they are."""

    def send(self, request, call):
        head = Headers({"content-type": "text/event-stream"})
        return HttpResponse(
            200, "", head, iter(pieces), wait=lambda: call.start_clock("idle"), rest=call.rest_clock, close=call.stop
        )

    before, Transport.send = Transport.send, send
    try:
        with Client(base_url="http://127.0.0.1:9/v1") as client:
            yield client
    finally:
        Transport.send = before


def fastest(runs, best, rounds=ROUNDS):
    """Run all in turns; keep in ``best`` the least CPU time of each."""
    for _ in range(rounds):
        for name, run in runs.items():
            gc.collect()
            start = time.process_time()
            run()
            best[name] = min(best.get(name, 1e9), time.process_time() - start)


def ratio(one, other, bound=0.0):
    """The least CPU of one to that of the other; measured again while it is above the bound, which may be noise."""
    best = {}
    for _ in range(TRIES):
        fastest({"one": one, "other": other}, best)
        if best["one"] / best["other"] <= bound:
            break
    return best["one"] / best["other"]


def ratio_of_stream(kind, bound=0.0):
    """A stream of a client, to the limit."""
    pieces = stream(kind)
    with fed(pieces) as client:
        return ratio(lambda: look_at_all(client.chat_completion_stream(REQUEST)), lambda: limit(pieces), bound)


@pytest.mark.parametrize("kind", FIGURES)
def test_a_stream_to_the_limit(kind):
    """No kind of stream has lost a quarter of its speed."""
    bound = FIGURES[kind][COLUMN] * SLACK
    found = ratio_of_stream(kind, bound)
    assert bound >= found, f"{kind}: {found:.2f} times the limit; the figure was {FIGURES[kind][COLUMN]}"


def ratio_of_native(dialect, bound=0.0):
    """A stream of a native protocol through its decoders, the answer kept, to the limit."""
    pieces = native_stream(dialect)

    def read():
        decoder = StreamDecoder(dialect, REQUEST)
        for piece in pieces:
            look_at_all(decoder.iterate(piece))
        assert decoder.is_complete

    return ratio(read, lambda: limit(pieces), bound)


@pytest.mark.parametrize("dialect", NATIVE_FIGURES)
def test_a_native_stream_to_the_limit(dialect):
    """Nor has a native protocol."""
    bound = NATIVE_FIGURES[dialect][COLUMN] * SLACK
    found = ratio_of_native(dialect, bound)
    assert bound >= found, f"{dialect}: {found:.2f} times the limit; the figure was {NATIVE_FIGURES[dialect][COLUMN]}"


def ratio_of_callback(bound=0.0):
    """Callback style to generator style."""
    with fed(stream("text")) as client:
        return ratio(
            lambda: client.chat_completion_stream(REQUEST, look),
            lambda: look_at_all(client.chat_completion_stream(REQUEST)),
            bound,
        )


def test_callback_to_generator():
    """A callback costs little more than a turn of the loop: it is a call of Python, where the loop has none."""
    assert ratio_of_callback(CALLBACK) <= CALLBACK


def ratio_of_accumulation(kind, bound=0.0):
    """A stream that keeps the answer to one that keeps nothing."""
    pieces = stream(kind)

    def read(accumulate):
        decoder = StreamDecoder("openai", REQUEST, accumulate=False)
        look_at_all(ChatStream(HttpResponse(200, body=iter(pieces)), decoder, accumulate=accumulate))

    return ratio(lambda: read(True), lambda: read(False), bound)


@pytest.mark.parametrize("kind", ["text", "reasoning", "tools"])
def test_accumulation_on_to_off(kind):
    """Keeping the answer costs a small part of reading it."""
    assert ratio_of_accumulation(kind, ACCUMULATION) <= ACCUMULATION


def ratio_of_promises(bound=0.0):
    """A stream with clocks, stopping and numbers to the bare decoder."""
    pieces = stream("text")

    def bare():
        decoder = StreamDecoder("openai", REQUEST)
        for piece in pieces:
            look_at_all(decoder.feed(piece))

    with fed(pieces) as client:
        return ratio(lambda: look_at_all(client.chat_completion_stream(REQUEST)), bare, bound)


def test_clocks_and_statistics():
    """Time-outs, stopping and statistics cost next to nothing on a text stream."""
    assert ratio_of_promises(PROMISES) <= PROMISES


if __name__ == "__main__":
    for name in FIGURES:
        print(f"{name}: {ratio_of_stream(name):.2f}")
    for name in NATIVE_FIGURES:
        print(f"{name}: {ratio_of_native(name):.2f}")
    print(f"callback: {ratio_of_callback():.2f}; promises: {ratio_of_promises():.2f}")
    print("accumulation:", ", ".join(f"{name} {ratio_of_accumulation(name):.2f}" for name in STREAMS))
