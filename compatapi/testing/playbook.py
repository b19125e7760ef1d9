"""Which script answers which request: a queue of them, or a function; and what did not go as it was told.

The server and the transport of this package are two ways of carrying the same playbook.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from attrs import fields, frozen, has

from .answers import UnexpectedRequest, refuse
from .http1 import RecordedRequest
from .script import Script, Step
from .services import service_of

Handler = Callable[[RecordedRequest], Script]


@frozen
class Unexpected:
    """A request that did not go as it was told: the request, its number from 1, and why, in words."""

    request: RecordedRequest
    number: int
    why: str

    def __str__(self) -> str:
        request = self.request
        about = ", ".join([request.dialect or "nobody's path", *(["a stream"] if request.stream else [])])
        return f"request {self.number}, {request.method} {request.path} ({about}): {self.why}"


class Playbook:
    """Scripts, one for each request in the order of arrival, or one function that chooses.

    `keys`: those that are let in; None lets everybody in. `requests` has what was asked,
    `unexpected` what did not go as it was told.
    """

    def __init__(self, scripts: Iterable[Script | Handler], keys: str | Iterable[str] | None = None) -> None:
        self.requests: list[RecordedRequest] = []
        self.unexpected: list[Unexpected] = []
        self.keys = None if keys is None else (keys,) if isinstance(keys, str) else tuple(keys)
        self._handler: Handler | None = None
        self._queue: deque[Script] = deque()
        self._lock = threading.Lock()
        self.add(*scripts)

    def add(self, *scripts: Script | Handler) -> None:
        """Put more scripts at the end of the queue, or a function in its place while it is empty.

        Raises:
            TypeError: For anything else.
        """
        if len(scripts) == 1 and not self._queue and self._handler is None and not hasattr(scripts[0], "play"):
            self._handler = _checked_handler(scripts[0])
            return
        for script in scripts:
            if isinstance(script, type) or not hasattr(script, "play") or self._handler is not None:
                raise TypeError(f"give scripts or one function, not {script!r}")
            self._queue.append(script)

    def receive(self, request: RecordedRequest) -> Callable[[], Iterator[Step]]:
        """Note a request and take its script; what is returned gives the steps of the answer."""
        refused = None if self.keys is None else service_of(request).refusal(request, self.keys)
        with self._lock:
            self.requests.append(request)
            script: Script | None = refused
            if refused is None and self._handler is None and self._queue:
                script = self._queue.popleft()
            return partial(self._play, request, len(self.requests), script)

    def unused(self) -> list[str]:
        """The scripts that nobody has asked for, in words."""
        told = getattr(self._handler, "unused", None)
        return list(told()) if told is not None else [_shown(script) for script in self._queue]

    def check(self) -> None:
        """Raise `AssertionError` unless each request was expected and each script was used."""
        lines = [str(found) for found in self.unexpected]
        unused = self.unused()
        lines += [f"unused: {script}" for script in unused]
        if lines:
            counts = f"{len(self.unexpected)} unexpected, {len(unused)} unused"
            raise AssertionError("\n".join((f"The requests were not those of the scripts ({counts}):", *lines)))

    def _play(self, request: RecordedRequest, number: int, script: Script | None) -> Iterator[Step]:
        has_begun = False
        try:
            if script is None:
                script = self._choose(request)
            if not hasattr(script, "play"):
                raise TypeError(f"it returned {script!r}, which is no script")
            steps = script.play(request)
            try:
                for step in steps:
                    has_begun = has_begun or isinstance(step, bytes)
                    yield step
                return
            finally:
                # A script may hold a connection of its own, and is not to wait for the garbage collector to let it go.
                getattr(steps, "close", lambda: None)()
        except UnexpectedRequest as error:
            why, kind = str(error), "unexpected_request"
            message = f"Unexpected request {number}: {request.method} {request.path}. {error}"
        except Exception as error:
            why, kind = f"{type(error).__name__}: {error}", "script_error"
            who = "A script" if self._handler is None else "The function"
            message = f"{who} of this server failed at {request.method} {request.path}: {why}"
        self.unexpected.append(Unexpected(request, number, why))
        if has_begun:
            yield "close"
        else:
            yield from refuse(request, message, kind).play(request)

    def _choose(self, request: RecordedRequest) -> Script:
        if self._handler is None:
            raise UnexpectedRequest("The scripts of this server are used up.")
        return self._handler(request)


def _checked_handler(handler: Script | Handler) -> Handler:
    if not callable(handler):
        raise TypeError(f"give scripts or one function, not {handler!r}")
    return handler


def _shown(script: Any) -> str:
    """A script with those of its fields that say something of their own."""
    text = repr(script)
    if has(type(script)):
        told = [(one, getattr(script, one.name)) for one in fields(type(script))]
        own = [f"{one.name}={value!r}" for one, value in told if value not in (one.default, {})]
        text = f"{type(script).__name__}({', '.join(own)})"
    return text if len(text) <= 120 else f"{text[:117]}..."
