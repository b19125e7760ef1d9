"""Streams recorded from real servers, made long: runs of their ordinary events are repeated where they stand.

The recordings lie beside the repository and are no part of it; without them these rows are left out.
"""

from __future__ import annotations

import json
import re
import sys
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from answers import Answer, streamed
from natives import FORMS, Form

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from helpers import RECORDINGS

_BETWEEN = re.compile(rb"(?<=\n)(?:\r?\n)+")
_NATIVE = ("anthropic", "gemini", "ollama")


class Recording(NamedTuple):
    """One file: its dialect, what it mostly says, how it is cut, and its events, each with what it goes on with."""

    name: str
    dialect: str
    kind: str
    form: Form
    events: list[tuple[bytes, str]]

    @property
    def again(self) -> int:
        """How many of its events may be said again."""
        return sum(bool(kind) for _, kind in self.events)


def load(path: Path) -> Recording | None:
    """A recording; ``None`` for one that has fewer than three events to repeat, or that ends in an error."""
    data = path.read_bytes()
    dialect = next((name for name in _NATIVE if path.stem.startswith(name)), "openai")
    if path.suffix == ".sse" and (dialect == "ollama" or path.stem.startswith("gemini-openai")):
        dialect = "openai"  # hosts that have both forms
    pieces = data.splitlines(keepends=True) if path.suffix == ".ndjson" else _split(data)
    values = [_value(piece) for piece in pieces]
    if any(isinstance(value, dict) and (value.get("error") or value.get("type") == "error") for value in values):
        return None
    kinds = [_kind(value, dialect) for value in values]
    most = max((kind for kind in kinds if kind), key=kinds.count, default="")
    made = Recording(path.name, dialect, most, _form(data, dialect), list(zip(pieces, kinds, strict=True)))
    return made if made.again >= 3 else None


def load_all() -> list[Recording]:
    """Every recording that can be made long; empty when they are not here."""
    paths = sorted(path for path in RECORDINGS.glob("*") if path.suffix in (".sse", ".ndjson"))
    return [made for path in paths if (made := load(path)) is not None]


def lengthen(recording: Recording, count: int) -> list[bytes]:
    """The events, with runs of the ordinary ones repeated until there are about ``count``."""
    times = -(-count // recording.again)
    made: list[bytes] = []
    for kind, run in groupby(recording.events, key=lambda event: event[1]):  # so that reasoning stays before text
        made += [piece for piece, _ in run] * (times if kind else 1)
    return made if made[-1].endswith((b"\n\n", b"\r\n\r\n", b"}\n")) else [*made[:-1], made[-1].rstrip() + b"\n\n"]


def stream(name: str, count: int) -> Answer:
    """The answer that the replay server gives."""
    recording = load(RECORDINGS / name)
    assert recording is not None
    return streamed(lengthen(recording, count), [], 0, [])


def _split(data: bytes) -> list[bytes]:
    """The events, each with the empty lines behind it."""
    edges = [0, *(found.end() for found in _BETWEEN.finditer(data)), len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False) if data[start:end].strip()]


def _value(piece: bytes) -> Any:
    text = piece if piece.startswith(b"{") else piece.partition(b"data:")[2]
    try:
        return json.loads(text)
    except ValueError:
        return None


def _form(data: bytes, dialect: str) -> Form:
    if dialect == "ollama":
        return FORMS["ollama"]
    return Form(b"\r\n\r\n") if b"\r\n\r\n" in data else Form()


def _kind(value: Any, dialect: str) -> str:
    """ "text", "reasoning" or "tools" for an event that only goes on with one of them; else empty."""
    if not isinstance(value, dict):
        return ""
    return {"anthropic": _kind_anthropic, "gemini": _kind_gemini, "ollama": _kind_ollama}.get(dialect, _kind_openai)(
        value
    )


def _kind_openai(value: dict[str, Any]) -> str:
    choices = value.get("choices") or []
    if any(choice.get("finish_reason") for choice in choices):
        return ""
    deltas = [choice.get("delta") or {} for choice in choices]
    for delta in deltas:
        calls = delta.get("tool_calls")
        if calls:
            return "" if any(call.get("id") or call.get("function", {}).get("name") for call in calls) else "tools"
        if delta.get("reasoning_content") or delta.get("reasoning"):
            return "reasoning"
        if delta.get("content"):
            return "text"
    return ""


def _kind_anthropic(value: dict[str, Any]) -> str:
    kinds = {"text_delta": "text", "thinking_delta": "reasoning", "input_json_delta": "tools"}
    return kinds.get(value["delta"]["type"], "") if value.get("type") == "content_block_delta" else ""


def _kind_gemini(value: dict[str, Any]) -> str:
    for candidate in value.get("candidates") or []:
        parts = (candidate.get("content") or {}).get("parts") or []
        if candidate.get("finishReason") or any("text" not in part for part in parts):
            return ""
        if parts:
            return "reasoning" if parts[0].get("thought") else "text"
    return ""


def _kind_ollama(value: dict[str, Any]) -> str:
    message = value.get("message") or {}
    if value.get("done") or message.get("tool_calls"):
        return ""
    return "reasoning" if message.get("thinking") else "text" if message.get("content") else ""
