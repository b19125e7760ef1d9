"""What aimock answers, recorded and replayed: the same chunks, with the same pauses."""

import json
import time

import pytest

from compatapi import Client, to_json
from compatapi.call import Timeouts
from compatapi.errors import APIStatusError, CompatAPIError
from compatapi.testing import Recording, ScriptedServer, record, replay
from servers.asking import ask

#: Seconds. The pauses of a replay differ by less from those that were recorded.
CLOSE = 0.020
#: Attempts to meet that, since a pause of a busy machine is neither in the recording nor in the replay.
TRIES = 6
#: The forms that aimock speaks: provider, path of the base URL, model.
FORMS = {
    "openai": ("compatible", "/v1", "gpt-5-mini"),
    "openrouter": ("openrouter", "/api/v1", "openai/gpt-5-mini"),
    "anthropic": ("anthropic", "", "claude-sonnet-4-5"),
    "gemini": ("gemini", "", "gemini-2.5-flash"),
    "ollama": ("ollama", "", "llama3.2"),
}
QUESTIONS = ["Walk slowly", "Count the planets", "Is nine prime?", "How cold is Oslo?", "Break off after four chunks"]


def client_at(url, form):
    """A client for a form at a server, that tries once."""
    provider, path, _ = FORMS[form]
    named = None if provider == "compatible" else provider
    return Client(named, base_url=url + path, api_key="test", max_retries=0, timeouts=Timeouts(idle=10))


def told(url, form, question):
    """When each chunk of a stream came, in seconds; the chunks; the class of the error at its end, or None."""
    times, chunks, error = [], [], None
    with client_at(url, form) as client:
        try:
            with client.chat_completion_stream(ask(question, FORMS[form][2])) as stream:
                for chunk in stream:
                    times.append(time.monotonic())
                    chunks.append({**json.loads(to_json(chunk)), "created": 0})  # some services leave it to the client
        except CompatAPIError as caught:
            error = type(caught)
    return times, chunks, error


@pytest.mark.parametrize("form", FORMS)
def test_a_replay_has_the_chunks_and_the_pauses(aimock, tmp_path, form):
    """In each form a slow stream is replayed to equal chunks, each within 20 ms of when it came."""
    path = tmp_path / "walk.jsonl"
    for _ in range(TRIES):
        with record(path):
            times, chunks, error = told(aimock, form, "Walk slowly")
        with ScriptedServer(replay(path)) as server:
            again, same, other = told(server.url, form, "Walk slowly")
        assert (chunks, error) == (same, other)
        pauses, later = ([b - a for a, b in zip(at, at[1:], strict=False)] for at in (times, again))
        worst = max(abs(one - two) for one, two in zip(pauses, later, strict=True))
        if worst < CLOSE:
            break
    assert CLOSE > worst
    assert len(chunks) > 5 and times[-1] - times[0] > 0.15, "aimock did not pause, so nothing was shown"


@pytest.mark.parametrize("form", FORMS)
def test_every_answer_is_replayed(aimock, tmp_path, form):
    """Text, reasoning, tool calls, errors by status and a stream that breaks off come again as they were."""
    path = tmp_path / "all.jsonl"
    questions = [*QUESTIONS, "Fail with 429", "Fail with 503"]
    with record(path):
        outcomes = [told(aimock, form, question)[1:] for question in questions]
    assert "complete" in {one.end for one in Recording.load(path).exchanges}
    play = replay(path, pace=0)
    with ScriptedServer(play) as server:
        assert outcomes == [told(server.url, form, question)[1:] for question in questions]
    assert [] == play.unused()


def test_blocking_answers_models_and_embeddings(aimock, tmp_path):
    """What is no stream is replayed too, and a wrong key is refused again."""
    path = tmp_path / "whole.jsonl"

    def outcomes(url):
        with client_at(url, "openai") as client:
            yield client.chat_completion(ask("Count the planets"))
            yield client.models()
            yield client.embeddings("text-embedding-3-small", "a red apple")
        with Client(base_url=f"{url}/v1", api_key="sk-not-this-one-123", max_retries=0) as client:
            with pytest.raises(APIStatusError) as caught:
                client.models()
            yield caught.value.status_code, str(caught.value)

    with record(path):
        recorded = list(outcomes(aimock))
    with ScriptedServer(replay(path)) as server:
        assert recorded == list(outcomes(server.url))
    assert "sk-not-this-one-123" not in path.read_text(encoding="utf-8")
