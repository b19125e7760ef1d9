"""One recording for one test: while it runs, every client of the process is recorded, or answered from the file."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define, field

from compatapi.call import Call
from compatapi.http_types import HttpRequest, HttpResponse
from compatapi.providers import PROVIDERS
from compatapi.testing.player import replay
from compatapi.testing.recorder import record
from compatapi.testing.recording import Recording
from compatapi.testing.transport import ScriptedTransport
from compatapi.transport import Transport

__all__ = ["Cassette", "path_for", "recorded", "replayed"]

#: What stands for a key that the environment does not have.
_KEY = "a-key-for-the-replay"
#: Characters of a name, ids of parameters and all. Systems of files take 255 bytes.
_LONGEST = 120


@define
class Cassette:
    """What a test is told of its recording.

    Attributes:
        path: The file.
        is_recording: Whether the calls are real, and are being written to the file.
        has_passed: To be set when the test has passed; what is recorded is not kept otherwise.
        check: Raises `AssertionError` if what was replayed is not what was asked.
    """

    path: Path
    is_recording: bool = field(kw_only=True)
    has_passed: bool = field(default=False, init=False, repr=False)
    check: Callable[[], None] = field(default=lambda: None, kw_only=True, repr=False)


def path_for(file: Path, nodeid: str) -> Path:
    """Where the recording of a test is: in the folder `recordings` beside its file, named after both."""
    name = re.sub(r"[^\w.]+", "-", f"{file.stem}-{nodeid.partition('::')[2]}").strip("-")
    if len(name) > _LONGEST:
        name = f"{name[:_LONGEST]}-{hashlib.sha256(nodeid.encode()).hexdigest()[:8]}"
    return file.parent / "recordings" / f"{name}.jsonl"


@contextmanager
def recorded(path: Path, secrets: Iterable[str] = ()) -> Iterator[Cassette]:
    """Record while the block runs, and keep that if the test has passed; `secrets` are for `record`."""
    # A test that fails must neither cost the old recording nor leave one that fails for ever.
    part = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    told = Cassette(path, is_recording=True)
    try:
        with record(part, secrets=secrets):
            yield told
        if told.has_passed:
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replayed(path: Path, **options: Any) -> Iterator[Cassette]:
    """Answer from the file while the block runs, without a socket, and without waiting; `options` are for `replay`."""
    recording = Recording.load(path)
    transport = ScriptedTransport(replay(recording, **options))

    def send(_: Transport, request: HttpRequest, call: Call) -> HttpResponse:
        return transport.send(request, call)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transport, "send", send)
        for variable in _missing_keys(recording):
            patch.setenv(variable, _KEY)
        yield Cassette(path, is_recording=False, check=transport.check)


def _missing_keys(recording: Recording) -> Iterator[str]:
    """The variables in which clients of the recorded hosts look for a key, where there is none."""
    hosts = {urlsplit(exchange.url).netloc for exchange in recording.exchanges}
    for row in PROVIDERS.values():
        known = isinstance(row.base_url, str) and urlsplit(row.base_url).netloc in hosts
        if known and not any(os.environ.get(name) for name in (*row.key_env, *row.key_parts_env)):
            yield from row.key_env[:1] or row.key_parts_env[:2]
