"""Chat against aimock: blocking, streamed, called back, with tools and reasoning; models and embeddings."""

import json

import pytest

from compatapi import (
    ChatCompletionRequest,
    Client,
    Message,
    ResponseFormat,
    StopStream,
    StreamOptions,
    TextPart,
    Tool,
)
from servers.asking import MODEL, WAYS, ask, complete

WEATHER = Tool.from_schema(
    "get_weather",
    "The weather in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
PLANETS = "There are eight planets, from Mercury to Neptune."
SCRIPTS = '日本語, Ελληνικά,\n"quotes" and \\ and '


def collect(client, request):
    """All chunks of a generator, and the answer they make."""
    with client.chat_completion_stream(request) as stream:
        chunks = list(stream)
    return chunks, stream.completion


# --- text


def test_a_blocking_answer_is_whole(client):
    """Every field that the server sends arrives."""
    completion = client.chat_completion(ask("Count the planets"))
    assert PLANETS == completion.text == completion.message.text
    assert "assistant" == completion.message.role
    assert "stop" == completion.finish_reason
    assert ("chatcmpl-planets", 1700000000, MODEL) == (completion.id, completion.created, completion.model)
    assert "fp_planets" == completion.system_fingerprint
    usage = completion.usage
    assert (9, 11, 20) == (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)


def test_a_generator_gives_the_pieces_of_the_answer(client):
    """The pieces arrive as the server cut them, and make up the text."""
    chunks, completion = collect(client, ask("Count the planets"))
    texts = [chunk.text for chunk in chunks if chunk.text]
    assert [PLANETS[at : at + 7] for at in range(0, len(PLANETS), 7)] == texts
    assert PLANETS == completion.text
    assert "assistant" == chunks[0].choices[0].delta.role == completion.message.role
    assert [None] * (len(chunks) - 1) + ["stop"] == [chunk.finish_reason for chunk in chunks if chunk.choices]
    assert {"chatcmpl-planets"} == {chunk.id for chunk in chunks}


@WAYS
def test_every_way_gives_the_same_answer(client, way):
    """Blocking, generator and callback end with the same message and head."""
    completion = complete(client, way, ask("Count the planets"))
    assert (PLANETS, "stop", "assistant") == (completion.text, completion.finish_reason, completion.message.role)
    assert ("chatcmpl-planets", 1700000000) == (completion.id, completion.created)
    assert "fp_planets" == completion.system_fingerprint


def test_usage_of_a_stream_comes_when_asked_for(client):
    """With include_usage the last chunk has no choices and the usage."""
    chunks, completion = collect(client, ask("Count the planets", stream_options=StreamOptions(include_usage=True)))
    assert 20 == chunks[-1].usage.total_tokens == completion.usage.total_tokens
    assert ([], "") == (list(chunks[-1].choices), chunks[-1].text)


def test_usage_of_a_stream_is_not_invented(client):
    """Without include_usage the server tells no usage, and there is none."""
    chunks, completion = collect(client, ask("Count the planets", stream_options=StreamOptions(include_usage=False)))
    assert {None} == {chunk.usage for chunk in chunks}
    assert completion.usage is None


def test_text_alone_can_be_streamed(client):
    """The text stream gives the pieces of text and nothing else."""
    with client.chat_completion_stream(ask("Count the planets")) as stream:
        pieces = list(stream.text_stream())
    assert 7 == len(pieces)
    assert PLANETS == "".join(pieces)


def test_a_callback_gets_the_chunks_of_the_generator(client):
    """Both styles see the same chunks in the same order."""
    request = ask("Count the planets")
    heard = []
    completion = client.chat_completion_stream(request, heard.append)
    chunks, expected = collect(client, request)
    assert chunks == heard
    assert expected == completion


def test_stop_stream_ends_a_stream(client):
    """A callback that raises StopStream gets no further chunk, and the call returns the answer so far."""
    heard = []

    def listen(chunk):
        heard.append(chunk.text)
        if "".join(heard) == "One step, ":
            raise StopStream

    completion = client.chat_completion_stream(ask("Walk slowly"), listen)
    assert "One step, " == completion.text == "".join(heard)
    assert completion.finish_reason is None
    assert PLANETS == client.chat_completion(ask("Count the planets")).text


def test_an_error_of_a_callback_comes_out_unchanged(client):
    """Any other exception of a callback reaches the caller as it is."""
    error = LookupError("of the caller's own")

    def listen(chunk):
        raise error

    with pytest.raises(LookupError) as caught:
        client.chat_completion_stream(ask("Walk slowly"), listen)
    assert error is caught.value


def test_leaving_a_stream_early_keeps_what_came(client):
    """After a break the stream is closed, has the answer so far, and the client goes on working."""
    with client.chat_completion_stream(ask("Walk slowly")) as stream:
        for chunk in stream:
            if chunk.text:
                break
    assert stream.closed
    assert "One s" == stream.completion.text
    assert PLANETS == client.chat_completion(ask("Count the planets")).text


def test_chunks_arrive_when_they_are_sent(client):
    """A stream of ten chunks at 30 ms each is not handed on at its end, but as it comes."""
    with client.chat_completion_stream(ask("Walk slowly")) as stream:
        for _ in stream:
            pass
    assert "One step, then another step, then the last." == stream.completion.text
    # The server's pauses are lower bounds, so a slow machine can only widen this.
    assert stream.stats.total - stream.stats.first_data > 0.15


@WAYS
@pytest.mark.parametrize(
    ("question", "expected"),
    [("Say it in many scripts", SCRIPTS + "🎈🎈!"), ("Say it letter by letter", SCRIPTS + "é!")],
)
def test_text_of_any_script_arrives(client, way, question, expected):
    """Letters beyond ASCII, line ends, quotes and backslashes arrive as they were written."""
    assert expected == complete(client, way, ask(question)).text


@WAYS
def test_an_emoji_cut_in_two_is_whole_again(client, way):
    """A server that cuts by UTF-16 units splits an emoji over two chunks; it arrives whole all the same."""
    assert "Up \N{BALLOON} and away" == complete(client, way, ask("Cut a balloon in two")).text


@WAYS
def test_the_finish_reason_is_the_servers(client, way):
    """A finish reason other than stop is handed on."""
    assert "length" == complete(client, way, ask("Stop at the limit")).finish_reason


@WAYS
def test_system_messages_and_parts_are_understood(client, way):
    """The server finds the text in a system message and in the parts of a user message."""
    messages = [Message.system("Be brief. Be polite."), Message.user([TextPart("Describe these"), " things"])]
    completion = complete(client, way, ChatCompletionRequest(MODEL, messages))
    assert "A system message and a text part arrived." == completion.text


@WAYS
def test_a_response_format_is_understood(client, way):
    """The server sees that an answer by a JSON schema is wanted."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    request = ask("Name a city", response_format=ResponseFormat.from_schema("city", schema))
    assert {"city": "Oslo", "inhabitants": 700000} == json.loads(complete(client, way, request).text)


# --- reasoning and tools


@WAYS
def test_reasoning_is_kept_apart_from_text(client, way):
    """What the server sends as reasoning_content is the completion's reasoning."""
    completion = complete(client, way, ask("Is nine prime?"))
    assert "Nine is odd. But three divides it, so it is not prime." == completion.reasoning
    assert "No, it is three times three." == completion.text


def test_reasoning_is_streamed_before_text(client):
    """The pieces of reasoning come first, several of them, and then those of text."""
    chunks, _ = collect(client, ask("Is nine prime?"))
    kinds = ["reasoning" if chunk.reasoning else "text" for chunk in chunks if chunk.reasoning or chunk.text]
    assert ["reasoning"] * 6 + ["text"] * 4 == kinds


@WAYS
def test_a_tool_call_and_its_result(client, way):
    """The model calls a tool, is told the result in a second turn, and answers with it."""
    request = ask("How cold is Oslo?", tools=[WEATHER])
    completion = complete(client, way, request)
    (call,) = completion.tool_calls
    assert ("tool_calls", "") == (completion.finish_reason, completion.text)
    assert ("call_oslo", "function", "get_weather") == (call.id, call.type, call.name)
    assert '{"city":"Oslo","unit":"celsius"}' == call.arguments
    assert {"city": "Oslo", "unit": "celsius"} == call.parse_arguments()

    result = Message.tool('{"degrees": -4}', call.id)
    second = ChatCompletionRequest(MODEL, [*request.messages, completion.message, result], tools=[WEATHER])
    assert "It is cold in Oslo: minus four degrees." == complete(client, way, second).text


def test_a_streamed_tool_call_comes_in_pieces(client):
    """Its name comes once and its arguments in several pieces, which make up the whole."""
    chunks, completion = collect(client, ask("How cold is Oslo?", tools=[WEATHER]))
    pieces = [piece for chunk in chunks for piece in chunk.choices[0].delta.tool_calls or ()]
    assert ["get_weather"] == [piece.function.name for piece in pieces if piece.function.name]
    assert 8 == len(pieces)
    assert completion.tool_calls[0].arguments == "".join(piece.function.arguments for piece in pieces)


@WAYS
def test_text_reasoning_and_two_tool_calls_in_one_answer(client, way):
    """None of the four is lost or mixed with another."""
    completion = complete(client, way, ask("Look twice", tools=[WEATHER]))
    calls = [(call.id, call.name, call.arguments) for call in completion.tool_calls]
    assert [("call_1", "get_weather", '{"city":"Rome"}'), ("call_2", "get_time", "{}")] == calls
    assert ("I look at both.", "Two cities are asked for.") == (completion.text, completion.reasoning)


@WAYS
def test_a_tool_call_before_the_text(client, way):
    """Text that follows a tool call in one answer is text all the same."""
    completion = complete(client, way, ask("Look first", tools=[WEATHER]))
    assert [("call_3", {"city": "Bern"})] == [(call.id, call.parse_arguments()) for call in completion.tool_calls]
    assert ("Looked, and now I talk.", "tool_calls") == (completion.text, completion.finish_reason)


# --- other hosts' forms, models, embeddings


@pytest.fixture
def openrouter(aimock):
    """A client for the part of aimock that speaks as OpenRouter does."""
    with Client("openrouter", base_url=f"{aimock}/api/v1", api_key="test", max_retries=0) as client:
        yield client


@WAYS
def test_the_form_of_openrouter(openrouter, way):
    """OpenRouter's own fields, which no class of ours knows, come through."""
    completion = complete(openrouter, way, ask("Stop at the limit", "openai/gpt-5-mini"))
    assert ("This was too long", "openai") == (completion.text, completion.extra["provider"])
    assert "length" == completion.choices[0].extra["native_finish_reason"]


def test_keep_alive_comments_are_counted_and_no_chunks(openrouter):
    """The comment with which OpenRouter's streams begin is no chunk."""
    with openrouter.chat_completion_stream(ask("Stop at the limit")) as stream:
        chunks = list(stream)
    assert (1, len(chunks) + 1) == (stream.stats.keep_alives, stream.stats.events)


@WAYS
@pytest.mark.parametrize("provider", ["azure", "azure-deployment"])
def test_the_two_forms_of_azure(aimock, provider, way):
    """Azure's paths and its header for the key are understood."""
    with Client(provider, base_url=aimock, api_key="test", max_retries=0) as client:
        assert PLANETS == complete(client, way, ask("Count the planets")).text


def test_models_are_listed(client):
    """The server's own list arrives with its fields."""
    models = client.models()
    assert "gpt-4o" in [model.id for model in models]
    assert {("model", 1686935002, "aimock")} == {(model.object, model.created, model.owned_by) for model in models}


def test_embeddings_of_a_known_text(client):
    """The numbers arrive exactly."""
    response = client.embeddings("text-embedding-3-small", "a red apple")
    assert [[0.25, -0.5, 1.0, 0.0078125]] == [item.embedding for item in response.data]
    assert "text-embedding-3-small" == response.model


def test_embeddings_of_several_texts(client):
    """Each text has its embedding, in order, with as many dimensions as were asked for."""
    response = client.embeddings("text-embedding-3-small", ["left", "right"], dimensions=16)
    assert [(0, 16), (1, 16)] == [(item.index, len(item.embedding)) for item in response.data]
    assert response.data[0].embedding != response.data[1].embedding
