"""Streams that we write for others, read by the others' own clients: those of Anthropic, Ollama and OpenAI.

A small WSGI server asks a scripted model through compatapi and writes its stream in the form that its path stands for.
"""

import json
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import anthropic
import httpx
import ollama
import openai
import pytest

from compatapi import ChatCompletionRequest, Message
from compatapi.formats import FORMATS
from compatapi.testing import ChatScript

TEXT = "It is cold in Oslo, 日本 and 🎈: minus four."
REASONING = "Look it up first. Then talk."
CALLS = [("get_weather", {"city": "Oslo", "days": 2}), ("get_time", {})]
FORMS = {"/v1/messages": "anthropic", "/api/chat": "ollama", "/v1/chat/completions": "sse"}


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def front(compatapi_client):
    """The URL of a server that asks the model and writes its stream in the form of the path."""

    def app(environ, start_response):
        form = FORMATS[FORMS[environ["PATH_INFO"]]]
        asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        stream = compatapi_client.chat_completion_stream(
            ChatCompletionRequest(asked["model"], [Message.user("weather")])
        )
        start_response("200 OK", [("Content-Type", form.media_type)])
        return form.write(stream, errors="emit")

    with make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


ANSWERS = {
    "text": {"text": TEXT},
    "reasoning and text": {"text": TEXT, "reasoning": REASONING},
    "tools": {"text": "", "tool_calls": CALLS},
    "all": {"text": TEXT, "reasoning": REASONING, "tool_calls": CALLS},
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_anthropics_client(compatapi_server, front, answer):
    """Anthropic's client sees the text, the thinking, the tools with their input, the end and the usage."""
    compatapi_server.add(ChatScript(**answer))
    client = anthropic.Anthropic(base_url=front, api_key="test", max_retries=0)
    ask = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "weather"}]}
    with client.messages.stream(**ask) as stream:
        texts = list(stream.text_stream)
        message = stream.get_final_message()
    blocks = {}
    for block in message.content:
        blocks.setdefault(block.type, []).append(block)
    assert answer["text"] == "".join(texts)
    assert len(texts) > 3 or not answer["text"]
    assert answer["text"] == "".join(block.text for block in blocks.get("text", []))
    assert answer.get("reasoning", "") == "".join(block.thinking for block in blocks.get("thinking", []))
    assert answer.get("tool_calls", []) == [(block.name, block.input) for block in blocks.get("tool_use", [])]
    assert ("tool_use" if "tool_calls" in answer else "end_turn") == message.stop_reason
    assert (9, True) == (message.usage.input_tokens, message.usage.output_tokens > 0)
    client.close()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_ollamas_client(compatapi_server, front, answer):
    """Ollama's client sees the text, the thinking, the tools with their arguments, the end, counts and durations."""
    compatapi_server.add(ChatScript(**answer, interval=0.002))
    parts = list(ollama.Client(host=front).chat("m", [{"role": "user", "content": "weather"}], stream=True))
    assert answer["text"] == "".join(part.message.content or "" for part in parts)
    assert answer.get("reasoning", "") == "".join(part.message.thinking or "" for part in parts)
    calls = [call.function for part in parts for call in part.message.tool_calls or ()]
    assert answer.get("tool_calls", []) == [(call.name, dict(call.arguments)) for call in calls]
    assert [False] * (len(parts) - 1) + [True] == [part.done for part in parts]
    last = parts[-1]
    assert ("stop", 9, True) == (last.done_reason, last.prompt_eval_count, last.eval_count > 0)
    assert last.total_duration >= last.eval_duration > 0


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_openais_client(compatapi_server, front, answer):
    """OpenAI's client sees the text, the tools with their arguments, and the end."""
    compatapi_server.add(ChatScript(**answer))
    with openai.OpenAI(base_url=f"{front}/v1", api_key="test", max_retries=0) as client:
        chunks = list(
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "weather"}], stream=True)
        )
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert answer["text"] == "".join(delta.content or "" for delta in deltas)
    assert answer.get("reasoning", "") == "".join(getattr(delta, "reasoning_content", "") or "" for delta in deltas)
    calls = {}
    for delta in deltas:
        for piece in delta.tool_calls or ():
            name, arguments = calls.get(piece.index, ("", ""))
            calls[piece.index] = (name + (piece.function.name or ""), arguments + (piece.function.arguments or ""))
    expected = [(name, arguments) for name, arguments in answer.get("tool_calls", [])]
    assert expected == [(name, json.loads(arguments)) for name, arguments in calls.values()]


def test_a_cut_stream_is_seen_by_all(compatapi_server, front):
    """A model that breaks off is an error in each client, never an answer that looks whole."""
    compatapi_server.add(*[ChatScript("half an ans", fault="no-end")] * 3)
    ask = [{"role": "user", "content": "weather"}]
    with (
        pytest.raises((anthropic.APIError, httpx.HTTPError)),
        anthropic.Anthropic(base_url=front, api_key="test", max_retries=0) as client,
        client.messages.stream(model="m", max_tokens=9, messages=ask) as stream,
    ):
        stream.get_final_message()
    with pytest.raises(ollama.ResponseError, match="cut short"):
        list(ollama.Client(host=front).chat("m", ask, stream=True))
    with pytest.raises(openai.APIError), openai.OpenAI(base_url=f"{front}/v1", api_key="test", max_retries=0) as client:
        list(client.chat.completions.create(model="m", messages=ask, stream=True))
