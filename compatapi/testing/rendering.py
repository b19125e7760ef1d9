"""What a client would read of a script's answer, without a server: for mocks that know no connections."""

from __future__ import annotations

from attrs import frozen

from .http1 import RecordedRequest
from .script import Script


@frozen
class Rendered:
    """An answer at rest: status, headers, and the whole body without its chunks; content codings stay."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def render(script: Script, request: RecordedRequest) -> Rendered:
    """Play a script without its pauses, and put together what it writes.

    Raises:
        ValueError: It writes no HTTP answer, or one that breaks off.
    """
    from compatapi.chunked import ChunkedDecoder

    data = b"".join(step for step in script.play(request) if isinstance(step, bytes))
    head, blank, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if not blank or not first.startswith("HTTP/1.") or len(words) < 2 or not words[1].isdecimal():
        raise ValueError(f"the script writes no HTTP answer: {data[:80]!r}")
    pairs = [line.partition(":") for line in lines]
    headers = {name.lower(): (name, value.strip()) for name, _, value in pairs}
    if headers.pop("transfer-encoding", None) is not None:
        decoder = ChunkedDecoder()
        body = decoder.feed(body)
        if not decoder.done:
            raise ValueError("the script breaks its answer off; play it on a ScriptedServer or a ScriptedTransport")
    length = headers.get("content-length")
    if length is not None and int(length[1]) != len(body):
        raise ValueError("the script breaks its answer off; play it on a ScriptedServer or a ScriptedTransport")
    return Rendered(int(words[1]), tuple(headers.values()), body)
