"""How answers of the Hunyuan dialect end: whole, cut, with an error; and what any bytes at all come to."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls import error_of
from compatapi.chat_types import ChatCompletionChunk
from compatapi.convert import from_json, to_json
from compatapi.dialects import get_dialect
from compatapi.dialects.hunyuan import HunyuanDialect
from compatapi.errors import CompatAPIError, DecodeError, IncompleteStreamError, RateLimitError, StreamError
from compatapi.framing import Frame
from compatapi.http_types import Headers, HttpResponse
from compatapi.retry import is_worth_retrying
from streams import REQUEST, run, same_at_every_cut

DIALECT = HunyuanDialect(clock=lambda: 1_700_000_000.0)
STREAMS = sorted((Path(__file__).parent / "fixtures" / "hunyuan").glob("*/stream.sse"))


def event(text, finish="", **fields):
    """An event with one choice."""
    return {"Id": "c-1", "Choices": [{"Index": 0, "Delta": {"Content": text}, "FinishReason": finish}], **fields}


def read(value):
    """The chunks of one event."""
    return list(DIALECT.chunk_decoder(REQUEST).decode(Frame(json.dumps(value))))


# --- ends -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["text", "tool-fragments-repeat-id-and-name"])
def test_a_stream_that_is_cut_at_any_byte(name):
    """A stream is whole only when its finish reason was received, wherever it is cut."""
    data = next(path for path in STREAMS if path.parent.name == name).read_bytes()
    last = data.rindex(b"data: ")
    end = data.rindex(b"}") + 1
    for at in range(len(data) + 1):
        _, completion, error = run(data[:at], dialect="hunyuan")
        whole = at >= end
        assert (whole, whole) == (error is None, completion.finish_reason is not None), at
        if not whole:
            assert IncompleteStreamError is type(error)
    assert last < end


def test_cuts_do_not_show():
    """A stream with letters of many bytes gives the same chunks at every cut."""
    data = next(path for path in STREAMS if path.parent.name == "text").read_bytes()
    chunks = same_at_every_cut(data, lambda pieces: run(pieces, dialect="hunyuan")[0])
    assert "Hello, 世界 🌍!" == "".join(chunk.text for chunk in chunks)


# --- errors ---------------------------------------------------------------------------------------------------------

CODES = {
    "AuthFailure.SecretIdNotFound": 401,
    "AuthFailure.SignatureExpire": 401,
    "AuthFailure.SignatureFailure": 401,
    "AuthFailure.TokenFailure": 401,
    "AuthFailure.UnauthorizedOperation": 403,
    "RequestLimitExceeded": 429,
    "RequestLimitExceeded.UinLimitExceeded": 429,
    "LimitExceeded": 429,
    "FailedOperation.EngineServerLimitExceeded": 429,
    "InvalidParameter": 400,
    "InvalidParameter.InvalidParameter": 400,
    "InvalidParameterValue": 400,
    "InvalidParameterValue.Model": 400,
    "MissingParameter": 400,
    "UnknownParameter": 400,
    "UnsupportedOperation": 400,
    "OperationDenied.TextIllegalDetected": 400,
    "OperationDenied.ImageIllegalDetected": 400,
    "ResourceNotFound": 404,
    "FailedOperation.ServiceNotActivated": 403,
    "FailedOperation.ServiceStop": 403,
    "FailedOperation.ServiceStopArrears": 402,
    "FailedOperation.FreeResourcePackExhausted": 402,
    "FailedOperation.ResourcePackExhausted": 402,
    "FailedOperation.UserUnAuthError": 403,
    "ResourceInsufficient.ChargeResourceExhaust": 402,
    "ResourceUnavailable.InArrears": 402,
    "ResourceUnavailable.LowBalance": 402,
    "FailedOperation.EngineRequestTimeout": 504,
    "FailedOperation.EngineServerError": 500,
    "InternalError": 500,
    "FailedOperation": None,
    "Altogether.New": None,
}


@pytest.mark.parametrize(("code", "status"), CODES.items())
def test_codes(code, status):
    """Each code stands for a status, and what waiting may cure is tried again."""
    value = {"Response": {"Error": {"Code": code, "Message": "about it"}, "RequestId": "r-1"}}
    error = error_of(StreamError, DIALECT.decode_completion, json.dumps(value).encode())
    assert (code, status, "r-1", value) == (error.code, error.status_code, error.request_id, error.body)
    assert "about it" in str(error)
    assert (status in (429, 500, 504)) == is_worth_retrying(error)


@pytest.mark.parametrize(("code", "status"), [(4000, 500), (4001, 504), (4002, None)])
def test_codes_in_a_stream(code, status):
    """ErrorMsg has codes of its own."""
    error = error_of(StreamError, read, {"Id": "c", "ErrorMsg": {"Msg": "oh", "Code": code}})
    assert (code, status, "oh") == (error.code, error.status_code, str(error).rpartition(" ")[2])


@pytest.mark.parametrize("problem", [None, {}, "", {"Msg": "", "Code": 0}, {"Msg": None, "Code": None}])
def test_error_messages_that_say_nothing(problem):
    """An ErrorMsg that is null or empty is no error."""
    [chunk] = read(event("x", ErrorMsg=problem))
    assert ("x", {}) == (chunk.text, chunk.extra)


@pytest.mark.parametrize("problem", ["oh", ["oh"], {"Msg": ["oh"]}, {"Code": ["oh"]}, {"Other": "oh"}])
def test_odd_error_messages(problem):
    """An ErrorMsg of any other shape is an error too."""
    assert "oh" in str(error_of(StreamError, read, {"ErrorMsg": problem}).body)


def test_the_text_beside_an_error_is_handed_out():
    """What an event says beside its error comes out before the error is raised."""
    decoder = DIALECT.chunk_decoder(REQUEST)
    chunks = iter(decoder.decode(Frame(json.dumps(event("x", ErrorMsg={"Msg": "oh", "Code": 4000})))))
    assert "x" == next(chunks).text
    error_of(StreamError, next, chunks)


def test_errors_of_the_network_layer():
    """An error with a status of its own is read by the same names."""
    value = {"Response": {"Error": {"Code": "RequestLimitExceeded", "Message": "slow down"}, "RequestId": "r-1"}}
    response = HttpResponse(429, "Too Many Requests", Headers({"Retry-After": "2"}))
    error = DIALECT.decode_error(response, json.dumps(value).encode())
    assert RateLimitError is type(error)
    assert ("RequestLimitExceeded", "r-1", 2.0, 429) == (
        error.code,
        error.request_id,
        error.retry_after,
        error.status_code,
    )
    assert "slow down" in str(error)


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"1", b"{}", b'{"Response": 1}', b'{"Response": {"Choices": []}}', b'{"Choices": {}}']
)
def test_whole_answers_that_are_none(body):
    """What is no answer is refused with the error for nonsense."""
    error_of(DecodeError, DIALECT.decode_completion, body)


def test_a_whole_answer_without_its_wrapping():
    """An answer is read with a byte order mark, without the wrapping, and without the request."""
    body = b'\xef\xbb\xbf{"Choices": [{"Message": {"Content": "x"}}], "Usage": {"TotalTokens": 1}, "RequestId": "r"}'
    completion = DIALECT.decode_completion(body)
    assert ("x", None, None, 1, {"RequestId": "r"}) == (
        completion.text,
        completion.model,
        completion.finish_reason,
        completion.usage.total_tokens,
        completion.extra,
    )


# --- anything at all ------------------------------------------------------------------------------------------------


#: How a stream may end.
ENDS = (type(None), DecodeError, StreamError, IncompleteStreamError)


def attempt(data):
    """Decode bytes as a stream, and check that what comes out can be written; return the error's class."""
    chunks, completion, error = run(data, dialect="hunyuan", limits={"event": 4096, "body": 4096})
    assert type(error) in ENDS, repr(error)
    reader = get_dialect("openai").chunk_decoder(REQUEST)
    for chunk in chunks:
        try:
            text = to_json(chunk)
        except CompatAPIError:  # a number that is no finite float
            continue
        assert chunk == from_json(ChatCompletionChunk, text)
        assert [chunk] == list(reader.decode(Frame(text.decode())))
    assert not completion.message.extra
    return type(error)


def test_mutilated_streams():
    """Streams with bytes changed, doubled, cut out or swapped end in chunks or in one of our errors."""
    chance = random.Random(1716359713)
    sources = [data for path in STREAMS if (data := path.read_bytes())]
    ends = set()
    for _ in range(400):
        data = bytearray(chance.choice(sources))
        for _ in range(chance.randint(1, 4)):
            at, size = chance.randint(0, len(data)), chance.randint(0, 12)
            piece = data[at : at + size]
            other = chance.choice([b"null", b"{", b"}", b"[", b'"', b"0", b"true", b"1e400", b"\xff", piece * 2, b""])
            data[at : at + size] = other
        ends.add(attempt(bytes(data)))
    assert {DecodeError, IncompleteStreamError} < ends


SCALAR = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False) | st.sampled_from(["", "a", "stop"])
)
NAMES = st.sampled_from(
    [
        "Id",
        "Created",
        "Choices",
        "Usage",
        "ErrorMsg",
        "Error",
        "Response",
        "Index",
        "Delta",
        "Message",
        "FinishReason",
        "Role",
        "Content",
        "ToolCalls",
        "Function",
        "Name",
        "Arguments",
        "PromptTokens",
        "PromptTokensDetails",
        "CachedTokens",
        "Msg",
        "Code",
        "id",
        "choices",
        "usage",
        "error",
        "delta",
    ]
)
ANY = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)


def record(**fields):
    """An object with some of these fields, each right or wrong."""
    return st.fixed_dictionaries({}, optional={name: value | ANY for name, value in fields.items()}) | ANY


CALL = record(Id=ANY, Index=ANY, Type=ANY, Function=ANY)
DELTA = record(Content=ANY, ToolCalls=st.lists(CALL, max_size=2), Role=ANY)
CHOICE = record(Index=ANY, Delta=DELTA, FinishReason=ANY, Message=DELTA)
EVENT = record(Choices=st.lists(CHOICE, max_size=2), Usage=ANY, ErrorMsg=ANY, Id=ANY, odd=ANY)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(EVENT, max_size=4))
def test_any_events(values):
    """Objects of the right names and wrong types end in chunks or in one of our errors."""
    assert attempt(b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)) in ENDS
