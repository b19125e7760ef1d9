"""Answers read by the dialects and by the services' own clients, from the same bytes: both have to hear the same.

The bytes are those of the fixtures that the clients can read too; some hold what only relays send.
"""

import json
from pathlib import Path

import anthropic
import dashscope
import ollama
import pytest
from google import genai

from compatapi.chat_types import ChatCompletionRequest
from compatapi.decoding import StreamDecoder
from compatapi.testing import Reply

FIXTURES = Path(__file__).parents[1] / "fixtures"
ASK = [{"role": "user", "content": "x"}]
CASES = {
    "anthropic": (
        *(
            "cache-usage",
            "citations",
            "code-execution-and-own-tool",
            "compaction",
            "duplicate-message-start",
            "mcp-tool",
        ),
        *("pause-turn", "refusal", "stop-sequence", "text", "text-behind-a-tool", "thinking-and-tool", "web-search"),
        *("thinking-interleaved", "thinking-not-shown", "thinking-redacted", "tool-without-arguments"),
        *("tools-interleaved", "tools-parallel", "unknown-events"),
    ),
    "dashscope": ("logprobs", "multimodal", "reasoning", "search", "text", "text-crlf", "usage-details"),
    "gemini": (
        *("code-execution", "fields-of-tomorrow", "function-call-with-id", "function-calls-parallel", "logprobs"),
        *("max-tokens", "text"),
    ),
    "ollama": (
        *("cloud-model", "last-line-without-end", "length", "logprobs", "prompt-not-counted", "text", "text-escaped"),
        *("thinking", "thinking-alone", "tool", "tool-in-the-last-line", "tool-with-id-behind-thinking"),
        *("tools-every-index-0", "tools-on-one-line", "tools-on-two-lines", "unknown-fields"),
    ),
}


def read_anthropic(url):
    with (
        anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client,
        client.messages.stream(model="m", max_tokens=9, messages=ASK) as stream,
    ):
        blocks = stream.get_final_message().content
    text = "".join(block.text for block in blocks if block.type == "text")
    thought = "".join(block.thinking for block in blocks if block.type == "thinking")
    return text, thought, [(block.name, block.input) for block in blocks if block.type == "tool_use"]


def read_gemini(url):
    with genai.Client(api_key="k", http_options={"base_url": url}) as client:
        chunks = list(client.models.generate_content_stream(model="m", contents="x"))
    parts = [part for chunk in chunks if chunk.candidates for part in chunk.candidates[0].content.parts or ()]
    texts = ["".join(part.text for part in parts if part.text and bool(part.thought) is told) for told in (False, True)]
    return *texts, [(part.function_call.name, part.function_call.args or {}) for part in parts if part.function_call]


def read_ollama(url):
    with ollama.Client(host=url) as client:
        messages = [part.message for part in client.chat("m", ASK, stream=True)]
    calls = [call.function for message in messages for call in message.tool_calls or ()]
    texts = ["".join(getattr(message, name) or "" for message in messages) for name in ("content", "thinking")]
    return *texts, [(call.name, dict(call.arguments)) for call in calls]


def read_dashscope(url, monkeypatch):
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{url}/api/v1")
    options = {"stream": True, "incremental_output": True, "result_format": "message"}
    events = list(dashscope.Generation.call(model="m", api_key="k", messages=ASK, **options))
    messages = [choice.message for event in events for choice in event.output.choices or ()]
    contents = [message.content for message in messages]
    texts = [text if isinstance(text, str) else "".join(part.get("text", "") for part in text) for text in contents]
    return "".join(texts), "".join(message.get("reasoning_content") or "" for message in messages), []


@pytest.mark.parametrize(("dialect", "case"), [(dialect, case) for dialect in CASES for case in CASES[dialect]])
def test_both_hear_the_same(compatapi_server, monkeypatch, dialect, case):
    """Text, thinking and calls of tools are what the service's own client makes of the bytes."""
    [path] = (FIXTURES / dialect / case).glob("stream.*")
    kind = "text/event-stream" if path.suffix == ".sse" else "application/x-ndjson"
    compatapi_server.add(Reply(body=path.read_bytes(), headers={"Content-Type": kind}))
    readers = {"anthropic": read_anthropic, "gemini": read_gemini, "ollama": read_ollama}
    heard = (
        readers[dialect](compatapi_server.url)
        if dialect in readers
        else read_dashscope(compatapi_server.url, monkeypatch)
    )
    decoder = StreamDecoder(dialect, ChatCompletionRequest("m", ()))
    decoder.feed(path.read_bytes())
    decoder.close()
    ours = decoder.completion
    calls = [(call.name, json.loads(call.arguments)) for call in ours.tool_calls]
    assert heard == (ours.text, ours.reasoning, calls)
