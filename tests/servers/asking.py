"""Asking a server in each of the three ways: what the tests in this folder share."""

import pytest

from compatapi import ChatCompletionRequest, Message

WAYS = pytest.mark.parametrize("way", ["blocking", "generator", "callback"])
STREAMS = pytest.mark.parametrize("way", ["generator", "callback"])
MODEL = "gpt-5-mini"


def ask(text, model=MODEL, **fields):
    """A request with one question."""
    return ChatCompletionRequest(model, [Message.user(text)], **fields)


def complete(client, way, request, **options):
    """The whole answer to a request, or to a question."""
    if isinstance(request, str):
        request = ask(request)
    if way == "blocking":
        return client.chat_completion(request, **options)
    if way == "callback":
        return client.chat_completion_stream(request, lambda chunk: None, **options)
    with client.chat_completion_stream(request, **options) as stream:
        for _ in stream:
            pass
    return stream.completion
