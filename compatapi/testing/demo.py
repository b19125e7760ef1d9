"""The server behind `Client("demo")`: an OpenAI-compatible provider with nothing behind it.

It speaks the real wire format over real HTTP on a loopback port, in the pace of a model, so that
a program can be shown or tried without a key, a network or a cost.
"""

from __future__ import annotations

import atexit
import base64
import itertools
import math
import os
import re
import struct
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import asdict, evolve

from .chat import ChatAnswer, split_pieces
from .chat_script import ChatScript
from .demo_answers import demo_answer
from .http1 import RecordedRequest
from .http_server import HttpServer
from .playbook import Playbook
from .script import Reply, Script, StreamReply, error_reply

CHAT_MODELS = ("demo-story", "demo-reasoner")
EMBEDDING_MODELS = ("demo-embedding",)
_CREATED = 1730000000
_DIMENSIONS = 16
_MAX_DIMENSIONS = 1024

# Status: type and code, as OpenAI has them; others are "server_error" or "invalid_request_error".
_ERRORS = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("request_forbidden", None),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


class DemoServer(HttpServer):
    """A server that plays a provider: chat, models and embeddings.

    `speed`: pieces (words, nearly) per second; `math.inf` streams without any pause. Say "help"
    to it to be told what it can do. It ignores `n` and `stop`, and takes any key or none.
    """

    def __init__(self, *, speed: float = 35.0, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(Playbook([self._answer]), host=host, port=port)
        if not speed > 0:
            raise ValueError(f"speed must be above 0 pieces per second, not {speed!r}")
        self.speed = speed
        self._numbers = itertools.count(1)

    def _answer(self, request: RecordedRequest) -> Script:
        number = next(self._numbers)
        script = self._route(request, number)
        return evolve(script, headers={**script.headers, "x-request-id": f"req-demo-{number}"})

    def _route(self, request: RecordedRequest, number: int) -> Reply | StreamReply | ChatScript:
        route = request.route.rstrip("/")
        if request.method == "GET" and route == "/v1/models":
            data = [_model_row(model) for model in (*CHAT_MODELS, *EMBEDDING_MODELS)]
            return Reply(body={"object": "list", "data": data})
        if request.method == "GET" and route.startswith("/v1/models/"):
            return _one_model(route.removeprefix("/v1/models/"))
        if request.method != "POST" or route not in ("/v1/chat/completions", "/v1/embeddings"):
            return error_reply(404, f"Unknown request URL: {request.method} {request.path}.")
        asked = request.json_object()
        if asked is None:
            return error_reply(400, "The body of the request is not a JSON object.")
        if route == "/v1/embeddings":
            return _embeddings(asked)
        return self._chat(asked, number)

    def _chat(self, asked: Mapping[str, Any], number: int) -> Reply | StreamReply | ChatScript:
        refused = _rehearsed_error(asked) or _missing(asked, "messages")
        model = asked.get("model")
        broken = model in ("demo-error-stream", "demo-error-cut")
        if refused is None and not broken:
            refused = _unknown_model(model, CHAT_MODELS)
        if refused is not None:
            return refused
        try:
            answer = demo_answer(asked)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return error_reply(400, f"The request has a wrong shape: {error!r}")
        answer = evolve(
            answer,
            id=f"chatcmpl-demo{number:06d}",
            model=str(model),
            created=int(time.time()),
        )
        if broken:
            return self._broken_stream(answer, cut=model == "demo-error-cut")
        fields = asdict(answer, recurse=False)
        interval = 1 / self.speed
        return ChatScript(**fields, interval=interval, first_delay=4 * interval)

    def _broken_stream(self, answer: ChatAnswer, cut: bool) -> StreamReply:
        events: list[dict[str, Any]] = evolve(answer, usage=None).chunks()[:12]
        if not cut:
            message = "The demo broke down in the middle, as you wished."
            events.append({"error": {"message": message, "type": "server_error", "code": None}})
        return StreamReply(events, interval=1 / self.speed, done=False, end="cut" if cut else "clean")


_shared: DemoServer | None = None
_shared_process = 0
_shared_lock = threading.Lock()


def shared_demo_server() -> DemoServer:
    """Return the one demo server of this process, started at the first call, closed at exit."""
    global _shared, _shared_process
    with _shared_lock:
        # A forked child has the object but none of its threads.
        if _shared is None or _shared.closed or _shared_process != os.getpid():
            _shared = DemoServer().start()
            _shared_process = os.getpid()
            atexit.register(_close_shared, _shared, _shared_process)
        return _shared


def _close_shared(server: DemoServer, process: int) -> None:
    # In a forked child these sockets are still those of the parent.
    if process == os.getpid():
        server.close()


def _missing(asked: Mapping[str, Any], name: str) -> Reply | None:
    for wanted in ("model", name):
        if not asked.get(wanted):
            return error_reply(400, f"Missing required parameter: '{wanted}'.", param=wanted)
    return None


def _unknown_model(model: object, known: Sequence[str]) -> Reply | None:
    if model in known:
        return None
    message = f"The model '{model}' does not exist in the demo; there are: {', '.join(known)}."
    return error_reply(404, message, code="model_not_found")


def _rehearsed_error(asked: Mapping[str, Any]) -> Reply | None:
    found = re.fullmatch(r"demo-error-([45]\d\d)", str(asked.get("model")))
    if found is None:
        return None
    status = int(found.group(1))
    fallback = "server_error" if status >= 500 else "invalid_request_error"
    kind, code = _ERRORS.get(status, (fallback, None))
    headers = {"retry-after-ms": "200"} if status in (429, 503) else {}
    message = f"The demo answers with status {status}, as you wished."
    return error_reply(status, message, type=kind, code=code, headers=headers)


def _model_row(model: str) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": _CREATED, "owned_by": "compatapi-demo"}


def _one_model(model: str) -> Reply:
    known = (*CHAT_MODELS, *EMBEDDING_MODELS)
    return _unknown_model(model, known) or Reply(body=_model_row(model))


def _embeddings(asked: Mapping[str, Any]) -> Reply:
    refused = _rehearsed_error(asked) or _missing(asked, "input")
    refused = refused or _unknown_model(asked.get("model"), EMBEDDING_MODELS)
    size = asked.get("dimensions")
    size = _DIMENSIONS if size is None else size
    if refused is None and not (isinstance(size, int) and 1 <= size <= _MAX_DIMENSIONS):
        message = f"'dimensions' must be a whole number from 1 to {_MAX_DIMENSIONS}."
        refused = error_reply(400, message, param="dimensions")
    if refused is not None:
        return refused
    texts = _input_texts(asked["input"])
    encode = _base64_floats if asked.get("encoding_format") == "base64" else list
    data = [
        {"object": "embedding", "index": index, "embedding": encode(_vector(text, size))}
        for index, text in enumerate(texts)
    ]
    tokens = sum(len(split_pieces(text)) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Reply(body={"object": "list", "data": data, "model": asked["model"], "usage": usage})


def _input_texts(given: Any) -> list[str]:
    """Return the texts of all four forms: text, texts, tokens, lists of tokens."""
    if isinstance(given, str) or (given and isinstance(given[0], int)):
        given = [given]
    return [one if isinstance(one, str) else " ".join(map(str, one)) for one in given]


def _vector(text: str, size: int) -> list[float]:
    """Add up one vector per word, so that texts with common words are near to each other."""
    words = re.findall(r"\w+", text.lower()) or [""]
    sums = [sum(zlib.crc32(f"{axis} {word}".encode()) / 2**31 - 1 for word in words) for axis in range(size)]
    length = math.sqrt(sum(value * value for value in sums)) or 1.0
    return [round(value / length, 7) for value in sums]


def _base64_floats(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
