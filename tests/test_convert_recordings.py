"""Answers of real servers: decoded, and encoded again to the same JSON."""

import json

import pytest

from both_json import json_library  # noqa: F401 - an autouse fixture
from compatapi.chat_types import ChatCompletion, ChatCompletionChunk
from compatapi.convert import from_dict, from_json, to_dict, to_json
from compatapi.service_types import EmbeddingResponse, Model
from helpers import RECORDINGS
from wire_examples import without_nulls

needs_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not beside the repository")


def class_of(data):
    """The wire class of an OpenAI-shaped JSON object, or None."""
    if not isinstance(data, dict) or "error" in data:
        return None
    if data.get("object") == "list":
        return EmbeddingResponse if any("embedding" in item for item in data["data"]) else None
    if data.get("object") == "model":
        return Model
    if "choices" in data:
        is_whole = any("message" in choice and "delta" not in choice for choice in data["choices"] or ())
        return ChatCompletion if is_whole or data.get("object") == "chat.completion" else ChatCompletionChunk
    return None


def recorded():
    """(file, JSON text, class) of each body, model and chunk that has the shape of OpenAI's."""
    found = []
    for path in sorted(RECORDINGS.glob("*.json")):
        text = path.read_text("utf-8")
        data = json.loads(text)
        bodies = data["data"] if path.name.endswith("models-list.json") and "data" in data else [data]
        found += [(path.name, json.dumps(body), class_of(body)) for body in bodies]
    for path in sorted(RECORDINGS.glob("*.sse")):
        for line in path.read_text("utf-8").splitlines():
            text = line.removeprefix("data:").strip()
            if line.startswith("data:") and text.startswith("{"):
                found.append((path.name, text, class_of(json.loads(text))))
    return [(name, text, cls) for name, text, cls in found if cls]


@needs_recordings
def test_recorded_json_is_written_back_as_it_was():
    """Every recorded object comes out equal, nulls aside, and survives the round trip equal."""
    seen = set()
    for name, text, cls in recorded():
        value = from_json(cls, text)
        assert without_nulls(json.loads(text)) == without_nulls(to_dict(value)), name
        assert value == from_json(cls, to_json(value)) == from_dict(cls, json.loads(text)), name
        seen.add((name.partition(".")[2], cls))
    expected = {("json", ChatCompletion), ("json", EmbeddingResponse), ("json", Model), ("sse", ChatCompletionChunk)}
    assert expected <= seen
