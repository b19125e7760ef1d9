"""Servers for tests and demonstrations: real HTTP on the loopback, with answers told in advance.

`ScriptedServer` answers with scripts, which are plain values: a whole body (`Reply`), a stream of
events with any framing, pace and end (`StreamReply`), a chat answer that follows what the request
asks for (`ChatScript`), or bytes just as they are (`Raw`). `DemoServer` is one of them that plays
an OpenAI-compatible provider without a key and without a network. Nothing here needs more than
the standard library and attrs, and nothing is loaded before its name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .chat import ChatAnswer, ChatScript, chat_chunks, chat_completion, split_pieces
    from .demo import DemoServer, shared_demo_server
    from .http1 import Headers, RecordedRequest
    from .script import Raw, Reply, Script, StreamReply, error_reply
    from .server import ScriptedServer

__all__ = [
    "ChatAnswer",
    "ChatScript",
    "DemoServer",
    "Headers",
    "Raw",
    "RecordedRequest",
    "Reply",
    "Script",
    "ScriptedServer",
    "StreamReply",
    "chat_chunks",
    "chat_completion",
    "error_reply",
    "shared_demo_server",
    "split_pieces",
]

_HOMES = {
    "ChatAnswer": "chat",
    "ChatScript": "chat",
    "chat_chunks": "chat",
    "chat_completion": "chat",
    "split_pieces": "chat",
    "DemoServer": "demo",
    "shared_demo_server": "demo",
    "Headers": "http1",
    "RecordedRequest": "http1",
    "Raw": "script",
    "Reply": "script",
    "Script": "script",
    "StreamReply": "script",
    "error_reply": "script",
    "ScriptedServer": "server",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
