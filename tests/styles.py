"""The styles of the client: ways to ask, each of which gives the whole answer."""

import threading


def blocking(client, request):
    """Ask, and wait for the whole answer."""
    return client.chat_completion(request)


def generator(client, request):
    """Ask, and read chunk by chunk."""
    with client.chat_completion_stream(request) as stream:
        text = "".join(chunk.text for chunk in stream)
    assert stream.completion.text == text
    return stream.completion


def callback(client, request):
    """Ask, and be told of each chunk."""
    pieces = []
    completion = client.chat_completion_stream(request, on_chunk=lambda chunk: pieces.append(chunk.text))
    assert completion.text == "".join(pieces)
    return completion


def handle(client, request):
    """Ask, and be told of the end in another thread."""
    done = threading.Event()
    completion = client.start_stream(request, on_done=lambda _: done.set()).result(10)
    assert done.wait(5)
    return completion
