"""Servers for tests and demonstrations: real HTTP on the loopback, with answers told in advance.

`ScriptedServer` answers with scripts, which are plain values: a chat answer in the words of
whichever dialect asks, streamed or whole (`ChatScript`), an error by status (`ErrorScript`), a
whole body (`Reply`), a stream of events with any framing, pace and end (`StreamReply`), or bytes
just as they are (`Raw`). What can go wrong on the way is in `compatapi.testing.faults`.
`ScriptedTransport` plays the same scripts to a client without a socket. `DemoServer` plays an
OpenAI-compatible provider without a key and without a network. Nothing is loaded before its name
is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .answers import EmbeddingsScript, ErrorScript, ModelsScript, UnexpectedRequest
    from .chat import ChatAnswer, chat_chunks, chat_completion, split_pieces
    from .chat_script import ChatScript
    from .demo import DemoServer, shared_demo_server
    from .expect import Expect
    from .faults import FAULTS, Fault, find_fault
    from .http1 import Headers, RecordedRequest
    from .mocking import add_completion, add_error, add_stream
    from .playbook import Unexpected
    from .player import Replay, ReplayScript, replay
    from .recorder import Recorder, record
    from .recording import Exchange, Recording, RecordingError
    from .rendering import Rendered, render
    from .script import Raw, Reply, Script, StreamReply, error_reply
    from .server import ScriptedServer
    from .transport import ScriptedTransport

__all__ = [
    "ChatAnswer",
    "ChatScript",
    "DemoServer",
    "EmbeddingsScript",
    "ErrorScript",
    "Exchange",
    "Expect",
    "FAULTS",
    "Fault",
    "Headers",
    "ModelsScript",
    "Raw",
    "RecordedRequest",
    "Recorder",
    "Recording",
    "RecordingError",
    "Rendered",
    "Replay",
    "ReplayScript",
    "Reply",
    "Script",
    "ScriptedServer",
    "ScriptedTransport",
    "StreamReply",
    "Unexpected",
    "UnexpectedRequest",
    "add_completion",
    "add_error",
    "add_stream",
    "chat_chunks",
    "chat_completion",
    "error_reply",
    "find_fault",
    "record",
    "render",
    "replay",
    "shared_demo_server",
    "split_pieces",
]

_HOMES = {
    "EmbeddingsScript": "answers",
    "ErrorScript": "answers",
    "ModelsScript": "answers",
    "UnexpectedRequest": "answers",
    "ChatAnswer": "chat",
    "chat_chunks": "chat",
    "chat_completion": "chat",
    "split_pieces": "chat",
    "ChatScript": "chat_script",
    "DemoServer": "demo",
    "shared_demo_server": "demo",
    "Expect": "expect",
    "FAULTS": "faults",
    "Fault": "faults",
    "find_fault": "faults",
    "Headers": "http1",
    "RecordedRequest": "http1",
    "add_completion": "mocking",
    "add_error": "mocking",
    "add_stream": "mocking",
    "Unexpected": "playbook",
    "Rendered": "rendering",
    "render": "rendering",
    "Raw": "script",
    "Reply": "script",
    "Script": "script",
    "StreamReply": "script",
    "error_reply": "script",
    "ScriptedServer": "server",
    "ScriptedTransport": "transport",
    "Exchange": "recording",
    "Recording": "recording",
    "RecordingError": "recording",
    "Recorder": "recorder",
    "record": "recorder",
    "Replay": "player",
    "ReplayScript": "player",
    "replay": "player",
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
