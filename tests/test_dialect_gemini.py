"""What the Gemini dialect makes of answers: what is kept of them, errors, ends, and anything that a server may send."""

import json
import random
from pathlib import Path

import pytest

from compatapi.chat_types import ChatCompletionChunk, ChatCompletionRequest, Message
from compatapi.convert import from_json, to_dict, to_json
from compatapi.dialects.gemini import GeminiDialect
from compatapi.errors import (
    AuthenticationError,
    BadRequestError,
    CompatAPIError,
    ContextLengthError,
    DecodeError,
    IncompleteStreamError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StreamError,
)
from compatapi.http_types import Headers, HttpResponse, Target
from streams import run

DIALECT = GeminiDialect(clock=lambda: 1_700_000_000.0)
REQUEST = ChatCompletionRequest("asked", [Message.user("hello")])
FIXTURES = Path(__file__).parent / "fixtures" / "gemini"


def fixture(name):
    """Chunks, answer and error of a stream of the fixtures."""
    [path] = [path for path in (FIXTURES / name).iterdir() if path.name != "expected.json"]
    return run(path.read_bytes(), dialect="gemini")


def sse(*events):
    """A stream as Google frames it."""
    return b"".join(b"data: " + json.dumps(event).encode() + b"\r\n\r\n" for event in events)


def event(*parts, finish=None, **fields):
    """One event with one candidate."""
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish}
    return {"candidates": [{name: value for name, value in candidate.items() if value is not None}], **fields}


def read(*events):
    """Chunks and answer of a stream that must be whole."""
    chunks, completion, error = run(sse(*events), dialect="gemini")
    assert error is None, repr(error)
    return chunks, completion


def sent_back(completion):
    """The parts of the next turn, for a message that was received."""
    request = ChatCompletionRequest("m", [Message.user("hello"), completion.message])
    body = json.loads(DIALECT.encode_request(request, Target("https://e.org"), False).body)
    return [part for content in body["contents"][1:] for part in content["parts"]]


# --- what is kept ---------------------------------------------------------------------------------------------------

RATINGS = [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}]
CHOICES = {
    "text": {"native_finish_reason": "STOP"},
    "max-tokens": {"native_finish_reason": "MAX_TOKENS"},
    "safety-stop": {"native_finish_reason": "SAFETY", "safetyRatings": RATINGS},
    "blocked-prompt": {"native_finish_reason": "PROHIBITED_CONTENT"},
    "blocked-in-the-middle": {"native_finish_reason": "SAFETY"},
    "body-blocked-prompt": {"native_finish_reason": "SAFETY"},
    "array-blocked-prompt": {"native_finish_reason": "OTHER"},
    "malformed-function-call": {
        "native_finish_reason": "MALFORMED_FUNCTION_CALL",
        "finishMessage": "Malformed function call: print(add(1, 2))",
    },
    "logprobs": {
        "native_finish_reason": "STOP",
        "avgLogprobs": -0.6,
        "logprobsResult": {"logProbabilitySum": -1.25},
    },
    "fields-of-tomorrow": {"native_finish_reason": "STOP", "tokenCount": 2},
    "finish-reason-of-tomorrow": {},
    "finish-reason-unspecified": {"native_finish_reason": "FINISH_REASON_UNSPECIFIED"},
}


@pytest.mark.parametrize("name", CHOICES)
def test_what_stands_beside_the_content(name):
    """The raw finish reason, and whatever else Google says of a candidate, is kept by its choice."""
    assert CHOICES[name] == fixture(name)[1].choices[0].extra


def test_signatures_of_calls():
    """The signature of a call is kept as in Google's OpenAI-compatible form, and an id that Google gave too."""
    [call] = fixture("function-call-with-id")[1].tool_calls
    google = {"thought_signature": "c2lnLTI=", "function_call": {"id": "fc-77"}}
    assert ("fc-77", {"extra_content": {"google": google}}) == (call.id, call.extra)
    first, second, third = fixture("function-calls-parallel")[1].tool_calls
    assert {"extra_content": {"google": {"thought_signature": "c2lnLTE="}}} == first.extra
    assert ({}, {}) == (second.extra, third.extra)
    assert 3 == len({first.id, second.id, third.id})


def test_a_text_behind_a_call():
    """A text that comes behind a call goes back behind it, in however many pieces it came."""
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}
    events = [event({"text": "a"}, call), event({"text": "b"}), event({"text": "c"}), event(call, {"text": "d"})]
    _, completion = read(*events, event(finish="STOP"))
    assert "abcd" == completion.text
    texts = [{"text": text} for text in "abcd"]
    assert [texts[0], call, *texts[1:3], call, texts[3]] == sent_back(completion)
    assert "content_blocks" not in read(event({"text": "a"}, call, finish="STOP"))[1].message.extra


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("MODEL_ARMOR", "content_filter"),
        ("ESCALATION", "content_filter"),
        ("PUP_LIMITED_DISABLED", "content_filter"),
        ("MALFORMED_RESPONSE", "error"),
    ],
)
def test_newer_finish_reasons(raw, reason):
    """What Google's own client knows as a block or a failure is no unknown word here."""
    [choice] = read(event(finish=raw))[1].choices
    assert (reason, {"native_finish_reason": raw}) == (choice.finish_reason, choice.extra)


def test_other_parts_are_blocks():
    """Code, its result, images and parts that nobody knows yet are kept as they are, with their place."""
    code, result = fixture("code-execution")[1].message.extra["content_blocks"]
    source = {"executableCode": {"language": "PYTHON", "code": "print(6*7)"}, "thoughtSignature": "c2lnLTc="}
    assert {"index": 1, "offset": 11, "calls": 0, **source} == code
    assert {"outcome": "OUTCOME_OK", "output": "42\n"} == result["codeExecutionResult"]
    [image] = fixture("image")[1].message.extra["content_blocks"]
    assert {"mimeType": "image/png", "data": "iVBORw0KGgo="} == image["inlineData"]
    odd, noted = fixture("part-of-tomorrow")[1].message.extra["content_blocks"]
    assert {"index": 0, "offset": 0, "calls": 0, "hologram": {"depth": 3}} == odd
    assert {"index": 1, "offset": 0, "calls": 0, "length": 4, "partMetadata": {"n": 1}} == noted


BACK = {
    "text": [{"text": "Grüß dich 🙂!"}],
    "thinking-text": [{"text": "**Plan**\n\nLook first.\n", "thought": True}, {"text": "Two steps."}],
    "thinking-function-call": [
        {"text": "The weather is asked for.", "thought": True},
        {
            "functionCall": {"name": "weather", "args": {"city": "Rome", "days": 2}},
            "thoughtSignature": "c2lnLWNhbGw=",
        },
    ],
    "function-calls-parallel": [
        {"functionCall": {"name": "add", "args": {"a": 1, "b": 2}}, "thoughtSignature": "c2lnLTE="},
        {"functionCall": {"name": "add", "args": {"a": 3, "b": 4}}},
        {"functionCall": {"name": "now", "args": {}}},
    ],
    "function-call-with-id": [
        {"text": "Looking."},
        {"functionCall": {"id": "fc-77", "name": "find", "args": {"q": "é"}}, "thoughtSignature": "c2lnLTI="},
        {"text": "", "thoughtSignature": "c2lnLWVuZA=="},
    ],
    "signature-on-text": [
        {"text": "Hm.", "thought": True},
        {"text": "Well", "thoughtSignature": "c2lnLTQ="},
        {"text": ", yes."},
    ],
    "signature-on-an-empty-part": [{"text": "Yes."}, {"text": "", "thoughtSignature": "c2lnLTU="}],
    "signature-on-a-thought": [{"text": "Hm.", "thought": True, "thoughtSignature": "c2lnLTY="}, {"text": "Yes"}],
    "body-whole-answer": [
        {"text": "Thinking.", "thought": True},
        {"text": "Done.", "thoughtSignature": "c2lnLTk="},
    ],
    "code-execution": [
        {"text": "Let me see."},
        {"executableCode": {"language": "PYTHON", "code": "print(6*7)"}, "thoughtSignature": "c2lnLTc="},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42\n"}},
        {"text": " It is 42."},
    ],
    "image": [
        {"text": "Here:"},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}, "thoughtSignature": "c2lnLTg="},
    ],
    "part-of-tomorrow": [{"hologram": {"depth": 3}}, {"text": "See.", "partMetadata": {"n": 1}}],
    "blocked-prompt": [],
}


@pytest.mark.parametrize("name", BACK)
def test_answers_go_back(name):
    """A message that was received can be sent in the next turn, and says again what it said."""
    assert BACK[name] == sent_back(fixture(name)[1])


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()))
def test_every_answer_can_go_back(name):
    """Whatever was received, also of an answer that was cut, the next request can be made of it."""
    parts = sent_back(fixture(name)[1])
    assert "".join(part.get("text", "") for part in parts if "thought" not in part) == fixture(name)[1].text


def test_usage():
    """Thinking and tool use count beside the others: they are added, and the raw counts are kept."""
    usage = fixture("code-execution")[1].usage
    assert (21, 20, 41) == (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    details = [{"modality": "TEXT", "tokenCount": 9}]
    assert {"promptTokenCount": 9, "toolUsePromptTokenCount": 12, "promptTokensDetails": details} == usage.extra
    usage = fixture("thinking-text")[1].usage
    assert (34, 31, 3) == (
        usage.completion_tokens,
        usage.completion_tokens_details.reasoning_tokens,
        usage.extra["candidatesTokenCount"],
    )
    usage = fixture("cached-tokens")[1].usage
    assert (90, 80, "ON_DEMAND") == (
        usage.prompt_tokens,
        usage.prompt_tokens_details.cached_tokens,
        usage.extra["trafficType"],
    )


def test_usage_comes_while_streaming():
    """Each event that counts has its count in its chunk."""
    chunks, _, _ = fixture("text")
    assert [4, None, 9, 10] == [chunk.usage and chunk.usage.total_tokens for chunk in chunks]


def test_logprobs():
    """Log probabilities are those of the common form, with what else Google says of each token."""
    first, second = fixture("logprobs")[1].choices[0].logprobs.content
    assert ("Hi", -0.25, {"tokenId": 7}) == (first.token, first.logprob, first.extra)
    assert [("Hi", -0.25), ("Yo", -2.5)] == [(top.token, top.logprob) for top in first.top_logprobs]
    assert (-1, []) == (second.logprob, second.top_logprobs)


def test_roles_and_numbers():
    """The first chunk of each candidate has the role, and each chunk the candidate's number."""
    chunks, _, _ = fixture("two-candidates")
    roles = [[(choice.index, choice.delta.role) for choice in chunk.choices] for chunk in chunks]
    assert [[(0, "assistant"), (1, "assistant")], [(0, None)], [(1, None)]] == roles


def test_names_of_answers():
    """An answer without a name gets one that is the same for the same bytes, and the model that was asked for."""
    chunks, completion, _ = fixture("without-id-and-model")
    again, _, _ = fixture("without-id-and-model")
    assert [completion.id] * 2 == [chunk.id for chunk in chunks] == [chunk.id for chunk in again]
    assert completion.id.startswith("gemini-")
    assert "asked" == DIALECT.decode_completion(json.dumps(event({"text": "x"})).encode(), REQUEST).model
    assert 1_700_000_000 == completion.created


def test_pieces_of_arguments():
    """A call whose arguments come in pieces begins at once, and its arguments come when they are whole."""
    chunks, _, _ = fixture("function-call-arguments-in-pieces")
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    told = [(call.index, call.function.name, call.function.arguments is not None) for call in calls]
    assert [(0, "book", False), (0, None, True), (1, "pay", False), (1, None, True)] == told


@pytest.mark.parametrize("path", [None, "", "$", "$[0]", "$.a[20000]", "$.a[1]"])
def test_pieces_of_arguments_without_a_place(path):
    """A piece that has no place in an object is nonsense, and no reason to fill the memory."""
    piece = {"functionCall": {"name": "f", "partialArgs": [{"jsonPath": path, "stringValue": "x"}]}}
    error = run(sse(event(piece)), dialect="gemini")[2]
    assert DecodeError is type(error)


def test_blocking_and_streamed_are_equal():
    """The events of a stream in one array, and as a stream, are the same answer."""
    events = [
        event({"text": "Hm.", "thought": True}),
        event({"text": "A", "thoughtSignature": "s"}),
        event(
            {"text": "B"},
            {"functionCall": {"name": "f", "id": "1"}, "thoughtSignature": "t"},
            finish="STOP",
            usageMetadata={"promptTokenCount": 1, "thoughtsTokenCount": 2, "totalTokenCount": 3},
        ),
    ]
    events = [{**each, "responseId": "r", "modelVersion": "v"} for each in events]
    _, streamed = read(*events)
    assert to_dict(streamed) == to_dict(DIALECT.decode_completion(json.dumps(events).encode(), REQUEST))


# --- ends -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.parent.name for path in FIXTURES.glob("*/stream.sse")))
def test_a_stream_that_is_cut_anywhere(name):
    """Cut at any byte, a stream is complete only when all candidates that spoke have said their end."""
    data = (FIXTURES / name / "stream.sse").read_bytes()
    for at in range(len(data)):
        chunks, _, error = run(data[:at], dialect="gemini")
        choices = [choice for chunk in chunks for choice in chunk.choices]
        ended = {choice.index for choice in choices if choice.finish_reason}
        assert error is not None or (choices and ended == {choice.index for choice in choices}), data[:at]
        assert isinstance(error, IncompleteStreamError | StreamError | None)


def test_an_array_that_is_cut_anywhere():
    """Cut at any byte, an array gives the events that are whole, and is complete only behind the finish reason."""
    data = (FIXTURES / "array" / "body.json").read_bytes()
    _, second, third = [at + 1 for at in range(len(data)) if data.startswith((b"\n}\n,", b"\n}\n]"), at - 1)]
    for at in range(1, len(data)):
        try:
            completion = DIALECT.decode_completion(data[:at])
        except DecodeError as error:
            said = error.completion.text if error.completion else ""
            assert (said, True) == ("One" if at >= second else "", at < third)
        else:
            assert ("One two {[,]}", "tool_calls") == (completion.text, completion.finish_reason)
            assert at >= third


def test_an_array_with_an_error_behind_text():
    """What came in front of an error in an array is the answer so far."""
    array = [event({"text": "Once"}), {"error": {"code": 500, "message": "no", "status": "INTERNAL"}}]
    with pytest.raises(StreamError) as caught:
        DIALECT.decode_completion(json.dumps(array).encode())
    assert ("Once", "INTERNAL", 500) == (
        caught.value.completion.text,
        caught.value.type,
        caught.value.status_code,
    )


@pytest.mark.parametrize("body", [b"", b"5", b"null", b'"x"', b"[]", b"{}", b"[1]", b'{"a": 1}', b"{", b"nonsense"])
def test_bodies_that_are_no_answer(body):
    """A body that is no answer is nonsense."""
    with pytest.raises(DecodeError):
        DIALECT.decode_completion(body)


# --- errors ---------------------------------------------------------------------------------------------------------


def error_of(status, message="no", name=None, details=(), headers=None, wrap=False):
    """The error for an answer."""
    error = {"code": status, "message": message, "details": list(details)} | ({"status": name} if name else {})
    body = [{"error": error}] if wrap else {"error": error}
    return DIALECT.decode_error(HttpResponse(status, headers=Headers(headers or {})), json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "INVALID_ARGUMENT", BadRequestError),
        (400, "FAILED_PRECONDITION", BadRequestError),
        (401, "UNAUTHENTICATED", AuthenticationError),
        (403, "PERMISSION_DENIED", PermissionDeniedError),
        (404, "NOT_FOUND", NotFoundError),
        (429, "RESOURCE_EXHAUSTED", RateLimitError),
        (500, "INTERNAL", ServerError),
        (503, "UNAVAILABLE", ServerError),
        (504, "DEADLINE_EXCEEDED", ServerError),
    ],
)
@pytest.mark.parametrize("wrap", [False, True])
def test_classes_of_errors(status, name, kind, wrap):
    """The class follows the status, the type is its name, also where the error is alone in an array."""
    error = error_of(status, "what was wrong", name, wrap=wrap)
    assert (kind, name, status, status, None) == (
        type(error),
        error.type,
        error.code,
        error.status_code,
        error.retry_after,
    )
    assert "what was wrong" in error.message


def info(reason):
    """An ErrorInfo."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def test_a_bad_key():
    """A bad key has status 400 at Google, and is the error that programs look for."""
    error = error_of(400, "API key not valid.", "INVALID_ARGUMENT", [info("API_KEY_INVALID")])
    assert (AuthenticationError, 400, "API_KEY_INVALID", "INVALID_ARGUMENT") == (
        type(error),
        error.status_code,
        error.code,
        error.type,
    )
    assert error.body["error"]["message"] == "API key not valid."


def test_a_prompt_that_is_too_long():
    """A prompt beyond the context is told by its words."""
    said = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
    assert ContextLengthError is type(error_of(400, said, "INVALID_ARGUMENT"))
    assert RateLimitError is type(error_of(429, "Quota exceeded for input_token_count, limit: 5", "RESOURCE_EXHAUSTED"))


@pytest.mark.parametrize(
    ("delay", "header", "expected"),
    [("48s", None, 48.0), ("48.9s", None, 48.9), ("48s", "5", 5.0), ("soon", None, None), (48, None, None)],
)
def test_when_to_try_again(delay, header, expected):
    """The delay stands in the details; a header wins."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    headers = {"Retry-After": header} if header else {}
    assert expected == error_of(429, "slow down", "RESOURCE_EXHAUSTED", details, headers).retry_after


def test_the_field_at_fault():
    """The field that a violation names is the parameter."""
    violation = {"field": "generation_config.top_k", "description": "must be positive"}
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
    assert "generation_config.top_k" == error_of(400, "bad", "INVALID_ARGUMENT", details).param


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"5", b'{"error": 5}', b'{"error": {"details": [5, {}]}}'])
def test_errors_of_any_shape(body):
    """An error body of any shape is an error of its status."""
    assert ServerError is type(DIALECT.decode_error(HttpResponse(502), body))


# --- lists and embeddings -------------------------------------------------------------------------------------------


def test_models():
    """The id of a model is its name without "models/"; what else Google tells is kept."""
    body = b'{"models": [{"name": "models/gemini-x", "inputTokenLimit": 9}, {"name": "tunedModels/y"}]}'
    first, second = DIALECT.decode_models(body)
    assert ("gemini-x", "models/gemini-x", 9) == (first.id, first.extra["name"], first.extra["inputTokenLimit"])
    assert "tunedModels/y" == second.id
    assert [] == DIALECT.decode_models(b"{}")


def test_embeddings():
    """One embedding or several, with their numbers, and usage where it is told."""
    one = DIALECT.decode_embeddings(b'{"embedding": {"values": [0.5, 1]}, "usageMetadata": {"promptTokenCount": 2}}')
    assert ([[0.5, 1]], 2) == ([item.embedding for item in one.data], one.usage.prompt_tokens)
    two = DIALECT.decode_embeddings(b'{"embeddings": [{"values": [1.5]}, {"values": [2.5], "statistics": {"n": 1}}]}')
    assert [(0, [1.5], {}), (1, [2.5], {"statistics": {"n": 1}})] == [
        (item.index, item.embedding, item.extra) for item in two.data
    ]


@pytest.mark.parametrize("body", [b"[]", b"5", b'{"models": 5}', b'{"models": [{"x": 1}]}', b"x"])
def test_lists_that_are_none(body):
    """What is no list of models is nonsense."""
    with pytest.raises(DecodeError):
        DIALECT.decode_models(body)


@pytest.mark.parametrize(
    "body", [b"{}", b"5", b'{"embedding": 5}', b'{"embeddings": {"a": 1}}', b'{"embeddings": [1]}']
)
def test_embeddings_that_are_none(body):
    """What holds no embeddings is nonsense."""
    with pytest.raises(DecodeError):
        DIALECT.decode_embeddings(body)


@pytest.mark.parametrize("decode", [DIALECT.decode_models, DIALECT.decode_embeddings, DIALECT.decode_completion])
def test_an_error_with_status_200(decode):
    """An error in place of an answer is an error, whatever the status said."""
    with pytest.raises(StreamError, match="no such thing"):
        decode(b'{"error": {"code": 404, "message": "no such thing", "status": "NOT_FOUND"}}')


# --- anything -------------------------------------------------------------------------------------------------------

ODD = [None, True, 0, -1, 1e400, "", "x", [], [None], {}, {"text": 5}, "\ud83d", {"error": {}}, [[]], 10**30]


def mutilated(value, chance):
    """A JSON value with some of its parts replaced, dropped or doubled."""
    if chance.random() < 0.06:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {key: mutilated(item, chance) for key, item in value.items() if chance.random() > 0.03}
    if isinstance(value, list):
        return [mutilated(item, chance) for item in value for _ in range(chance.choice((1, 1, 1, 1, 0, 2)))]
    return value


EVENTS = [
    json.loads(line.removeprefix("data: "))
    for path in sorted(FIXTURES.glob("*/stream.sse"))
    for line in path.read_text(encoding="utf-8").splitlines()
    if line.startswith("data: {") and line.endswith("}")
]


@pytest.mark.parametrize("seed", range(300))
def test_mutilated_answers(seed):
    """Whatever is sent in place of an answer, whole or streamed, ends in chunks or in one of our errors."""
    chance = random.Random(seed)
    events = [mutilated(chance.choice(EVENTS), chance) for _ in range(chance.randint(1, 5))]
    data = sse(*events)
    chunks, completion, error = run(data[: chance.choice((len(data), chance.randrange(len(data))))], dialect="gemini")
    assert isinstance(error, DecodeError | StreamError | IncompleteStreamError | None)
    said = [choice for chunk in chunks for choice in chunk.choices]
    for made in completion.choices:
        assert made.message.text == "".join(one.delta.content or "" for one in said if one.index == made.index)
    for call in completion.tool_calls:
        assert call.id and call.name
    try:
        assert "choices" in to_dict(DIALECT.decode_completion(json.dumps(events).encode()))
    except CompatAPIError as problem:
        assert isinstance(problem, DecodeError | StreamError | IncompleteStreamError)


@pytest.mark.parametrize("seed", range(100))
def test_answers_with_parts_missing(seed):
    """Events of which any part is missing give chunks that are written and read again the same."""
    chance = random.Random(seed)

    def thinned(value):
        if isinstance(value, dict):
            return {key: thinned(item) for key, item in value.items() if chance.random() > 0.15}
        return [thinned(item) for item in value if chance.random() > 0.1] if isinstance(value, list) else value

    chunks, _, error = run(sse(*(thinned(chance.choice(EVENTS)) for _ in range(4))), dialect="gemini")
    assert isinstance(error, DecodeError | StreamError | IncompleteStreamError | None)
    assert chunks == [from_json(ChatCompletionChunk, to_json(chunk)) for chunk in chunks]


def test_a_body_that_is_cut_inside_anything():
    """An array that ends inside a letter, a number, an escape or a word is an answer that was cut short."""
    candidate = '{"content":{"parts":[{"text":"\\u00e9 é🙂\\ud83d\\ude00\\n"}]},"avgLogprobs":-1.5e-3,"a":true}'
    data = f'[{{"candidates":[{candidate}]}}]'.encode()
    for at in range(1, len(data)):
        error = run(data[:at], dialect="gemini")[2]
        assert IncompleteStreamError is type(error), data[:at]
