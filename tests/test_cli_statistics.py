"""The numbers below an answer."""

from compatapi import ChatCompletion, ChatCompletionChunk
from compatapi.chat_types import Choice, ChunkChoice, CompletionTokensDetails, Delta, Message, Usage
from compatapi.cli.statistics import Statistics


class Clock:
    """Time that passes only when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def add(self, numbers, seconds, **delta):
        self.now += seconds
        numbers.add(ChatCompletionChunk(choices=[ChunkChoice(0, Delta(**delta))]))


def completion(tokens=None, finish_reason="stop", hidden=None, model="tiny"):
    details = None if hidden is None else CompletionTokensDetails(reasoning_tokens=hidden)
    usage = None if tokens is None else Usage(completion_tokens=tokens, completion_tokens_details=details)
    return ChatCompletion(choices=[Choice(0, Message.assistant("x"), finish_reason)], usage=usage, model=model)


def test_numbers_of_a_stream():
    """The first token is timed from the call, the speed from the first token to the last; a role is no token."""
    clock = Clock()
    numbers = Statistics(clock)
    clock.add(numbers, 0.1, role="assistant", content="")
    clock.add(numbers, 0.4, content="a")
    for _ in range(4):
        clock.add(numbers, 0.25, content="b")
    clock.now += 5  # until the connection ends
    assert "11 tokens, first after 0.50 s, 10.0 tokens/s (tiny)" == numbers.line(completion(11), "asked")
    assert "about 5 pieces, first after 0.50 s, 4.0 pieces/s (asked)" == numbers.line(completion(model=None), "asked")
    assert "tokens/s, finish reason length (tiny)" in numbers.line(completion(11, "length"), "asked")


def test_hidden_reasoning_does_not_count_as_speed():
    """Reasoning that was not streamed was made before the first piece; its tokens would make the rest look fast."""
    clock = Clock()
    numbers = Statistics(clock)
    clock.add(numbers, 3.0, content="a")
    clock.add(numbers, 1.0, content="b")
    assert "511 tokens, first after 3.00 s, 10.0 tokens/s (tiny)" == numbers.line(completion(511, hidden=500), "asked")


def test_numbers_of_little():
    """One piece has no speed, and nothing at all is said to be nothing."""
    clock = Clock()
    numbers = Statistics(clock)
    clock.now += 2.0
    assert "about 0 pieces, nothing came in 2.00 s (tiny)" == numbers.line(completion(), "asked")
    clock.add(numbers, 0.5, content="a")
    assert "1 token, first after 2.50 s (tiny)" == numbers.line(completion(1), "asked")


def test_numbers_of_a_whole_answer():
    """An answer that came at once has its time, and a speed over all of it."""
    clock = Clock()
    numbers = Statistics(clock)
    clock.now += 2.0
    assert "1,000 tokens in 2.00 s, 500.0 tokens/s (tiny)" == numbers.line_of_whole(completion(1000), "asked")
    assert "answered in 2.00 s (tiny)" == numbers.line_of_whole(completion(), "asked")
