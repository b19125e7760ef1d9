"""CPU of the ways to read one stream of compatapi: styles, accumulation, and what the promises cost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import limit
from answers import OPENAI_STREAMS
from model import Row, Section, Sizes
from timing import cpu, in_turns, ratio

from compatapi import ChatCompletionRequest, ChatStream, Client, Message, StreamDecoder, Timeouts
from compatapi.call import Call
from compatapi.chunked import ChunkedDecoder
from compatapi.http_types import HttpRequest
from compatapi.transport import Transport

ABOUT = """The text stream in the ways in which compatapi can read it, each against another. A handle reads in a thread
of its own. "Clocks, stopping, statistics" is the stream of a client, without accumulation, against the bare decoders on
a socket: what transport, time-outs, stopping and numbers add to a chunk."""
REQUEST = ChatCompletionRequest("m", [Message.user("Hi")])


def measure(base: str, sizes: Sizes) -> Section:
    """Four rows on the text stream, and accumulation for each other kind."""
    section = Section("Styles and promises", ABOUT)
    url = f"{base}/text/{sizes.chunks}/v1"
    with ExitStack() as stack:
        client = stack.enter_context(Client(base_url=url))
        runs = {
            "generator": lambda: _read(client.chat_completion_stream(REQUEST)),
            "callback": lambda: _call_back(client),
            "handle": lambda: client.start_stream(REQUEST, _look).result(),
            "not accumulated": _without_accumulation(url, stack),
            "bare": _bare(url, stack),
        }
        for run in runs.values():
            run()
        found = in_turns({name: partial(cpu, run) for name, run in runs.items()}, sizes.close_rounds)
    for name, one, other, must, dream in (
        ("callback against generator", "callback", "generator", 1.05, 1.0),
        ("handle against generator", "handle", "generator", None, None),
        ("clocks, stopping, statistics against none", "not accumulated", "bare", 1.05, 1.02),
    ):
        section.rows.append(Row(name, {"compatapi": ratio(found[one], found[other])}, must, dream))
    for kind in OPENAI_STREAMS:
        targets = (1.15, 1.05) if kind == "text" else (None, None)
        section.rows.append(_accumulation(kind, f"{base}/{kind}/{sizes.chunks}/v1", sizes, *targets))
    return section


def _accumulation(kind: str, url: str, sizes: Sizes, must: float | None, dream: float | None) -> Row:
    with ExitStack() as stack:
        client = stack.enter_context(Client(base_url=url))
        without = _without_accumulation(url, stack)
        turns = {
            "on": lambda: cpu(lambda: _read(client.chat_completion_stream(REQUEST))),
            "off": lambda: cpu(without),
        }
        in_turns(turns, 1)
        found = in_turns(turns, sizes.close_rounds)
    return Row(f"{kind} accumulated against not", {"compatapi": ratio(found["on"], found["off"])}, must, dream)


def _look(chunk: Any) -> None:
    if chunk.choices:
        chunk.choices[0].delta.content  # noqa: B018 - what a program does


def _call_back(client: Client) -> object:
    return client.chat_completion_stream(REQUEST, _look)


def _read(chunks: Any) -> None:
    for chunk in chunks:
        if chunk.choices:
            chunk.choices[0].delta.content  # noqa: B018 - what a program does


def open_without_accumulation(url: str, stack: ExitStack) -> Callable[[], ChatStream]:
    """A stream that keeps nothing: transport, decoder and stream as a client joins them."""
    transport = Transport()
    stack.callback(transport.close)
    body = limit.dumps(limit.BODY)
    wanted = HttpRequest("POST", f"{url}/chat/completions", {"Content-Type": "application/json"}, body, stream=True)

    def run() -> ChatStream:
        response = transport.send(wanted, Call(Timeouts()))
        return ChatStream(response, StreamDecoder("openai", REQUEST, accumulate=False), accumulate=False)

    return run


def _without_accumulation(url: str, stack: ExitStack) -> Callable[[], None]:
    read = open_without_accumulation(url, stack)
    return lambda: _read(read())


def _bare(url: str, stack: ExitStack) -> Callable[[], None]:
    """The same bytes through the same decoders, from a socket that is trusted."""
    wire = limit.Wire(url, stack)

    def run() -> None:
        receive = wire.send().recv
        unchunk, decoder = ChunkedDecoder(), StreamDecoder("openai", REQUEST, accumulate=False)
        data = receive(65536).partition(b"\r\n\r\n")[2]
        while not decoder.done or not unchunk.done:
            _read(decoder.feed(unchunk.feed(data)))
            data = b"" if unchunk.done else receive(65536)

    return run
