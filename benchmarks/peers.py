"""The clients that are compared, each used as its documentation shows it.

Of each there is a stream, whose chunks come one by one, and a call for a whole answer. A client is made once and kept,
with its connections, until the `ExitStack` is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any, NamedTuple

import limit
from limit import BODY, loads

Open = Callable[[], Iterable[Any]]
TEXTS = ("Hi",)


def _dicts(texts: Sequence[str]) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


def requests_stream(url: str, stack: ExitStack) -> Open:
    """requests, iter_lines and a JSON parser, as tutorials have it: dicts, no checks."""
    import requests

    session = stack.enter_context(requests.Session())

    def run() -> Iterator[Any]:
        with session.post(f"{url}/chat/completions", json=BODY, stream=True, timeout=60) as response:
            for line in response.iter_lines():
                if line.startswith(b"data: ") and line != b"data: [DONE]":
                    yield loads(line[6:])

    return run


def requests_call(url: str, stack: ExitStack, texts: Sequence[str] = TEXTS) -> Callable[[], object]:
    """requests and its own JSON parser."""
    import requests

    session = stack.enter_context(requests.Session())
    body = {"model": "m", "messages": _dicts(texts)}
    return lambda: session.post(f"{url}/chat/completions", json=body, timeout=60).json()


def httpx_sse_stream(url: str, stack: ExitStack) -> Open:
    """httpx with httpx-sse and a JSON parser: dicts, no checks."""
    import httpx
    from httpx_sse import connect_sse

    client = stack.enter_context(httpx.Client(timeout=60))

    def run() -> Iterator[Any]:
        with connect_sse(client, "POST", f"{url}/chat/completions", json=BODY) as source:
            for event in source.iter_sse():
                if event.data != "[DONE]":
                    yield loads(event.data)

    return run


def httpx_call(url: str, stack: ExitStack, texts: Sequence[str] = TEXTS) -> Callable[[], object]:
    """httpx and its own JSON parser."""
    import httpx

    client = stack.enter_context(httpx.Client(timeout=60))
    body = {"model": "m", "messages": _dicts(texts)}
    return lambda: client.post(f"{url}/chat/completions", json=body).json()


def compatapi_stream(url: str, stack: ExitStack, provider: str | None = None) -> Open:
    """compatapi, generator style, the answer accumulated."""
    from compatapi import ChatCompletionRequest, Client, Limits, Message

    key = "id:key" if provider else None
    client = stack.enter_context(Client(provider, base_url=url, api_key=key, limits=Limits(event=1 << 27)))
    request = ChatCompletionRequest("m", [Message.user(text) for text in TEXTS])
    return lambda: client.chat_completion_stream(request)


def compatapi_call(url: str, stack: ExitStack, texts: Sequence[str] = TEXTS) -> Callable[[], object]:
    """compatapi, the whole answer."""
    from compatapi import ChatCompletionRequest, Client, Message

    client = stack.enter_context(Client(base_url=url))
    request = ChatCompletionRequest("m", [Message.user(text) for text in texts])
    return lambda: client.chat_completion(request)


def openai_stream(url: str, stack: ExitStack) -> Open:
    """openai-python, its ordinary stream."""
    import openai

    client = stack.enter_context(openai.OpenAI(api_key="none", base_url=url))
    messages: Any = _dicts(TEXTS)
    return lambda: client.chat.completions.create(model="m", messages=messages, stream=True)


def openai_call(url: str, stack: ExitStack, texts: Sequence[str] = TEXTS) -> Callable[[], object]:
    """openai-python, the whole answer."""
    import openai

    client = stack.enter_context(openai.OpenAI(api_key="none", base_url=url))
    messages: Any = _dicts(texts)
    return lambda: client.chat.completions.create(model="m", messages=messages)


def count_objects(chunks: Iterable[Any]) -> int:
    """Read a stream of typed chunks as programs do; how many there were."""
    count = 0
    for chunk in chunks:
        if chunk.choices:
            chunk.choices[0].delta.content  # noqa: B018 - what a program does
        count += 1
    return count


def count_dicts(chunks: Iterable[Any]) -> int:
    """Read a stream of dicts; how many there were. Dicts are taken as they are, which is in their favor."""
    count = 0
    for _ in chunks:
        count += 1
    return count


def text_of_object(chunk: Any) -> str | None:
    """The text of a typed chunk."""
    text: str | None = chunk.choices[0].delta.content if chunk.choices else None
    return text


def text_of_dict(chunk: Any) -> str | None:
    """The text of a dict."""
    text: str | None = chunk["choices"][0]["delta"].get("content") if chunk["choices"] else None
    return text


class Peer(NamedTuple):
    """One of the clients.

    Attributes:
        packages: What has to be installed.
        stream: Makes a function that asks for a stream.
        call: Makes a function that asks for a whole answer.
        count: Reads a stream.
        text: The text of one of its chunks.
    """

    packages: tuple[str, ...]
    stream: Callable[[str, ExitStack], Open]
    call: Callable[..., Callable[[], object]]
    count: Callable[[Iterable[Any]], int]
    text: Callable[[Any], str | None]


LIMIT, OURS, BY_HAND, OPENAI = "limit", "compatapi", "requests by hand", "openai-python"
PEERS: dict[str, Peer] = {
    LIMIT: Peer((), limit.opener, limit.caller, count_dicts, text_of_dict),
    OURS: Peer(("compatapi",), compatapi_stream, compatapi_call, count_objects, text_of_object),
    BY_HAND: Peer(("requests",), requests_stream, requests_call, count_dicts, text_of_dict),
    "httpx-sse": Peer(("httpx", "httpx_sse"), httpx_sse_stream, httpx_call, count_dicts, text_of_dict),
    OPENAI: Peer(("openai",), openai_stream, openai_call, count_objects, text_of_object),
}


def present() -> dict[str, Peer]:
    """Those whose packages are installed."""
    return {name: peer for name, peer in PEERS.items() if all(map(find_spec, peer.packages))}


def counter(name: str, peer: Peer, url: str, stack: ExitStack) -> Callable[[], int]:
    """A function that reads a whole stream and counts its chunks, with nothing around what the client needs."""
    if name == LIMIT:
        return limit.counter(url, stack)
    read, count = peer.stream(url, stack), peer.count
    return lambda: count(read())
