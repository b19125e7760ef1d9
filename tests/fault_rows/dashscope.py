"""Faults of Aliyun's DashScope."""

import json

from compatapi import errors as e
from fault_parts import ERROR, event, sized, whole
from fault_rows.native import MARK, Wire


def answer(finish="null", **message):
    """An event of a stream, or a whole answer."""
    choice = {"message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"output": {"choices": [choice]}, "request_id": "q-1"}


def failure(code, **fields):
    """An error as the service tells it."""
    return {"code": code, "message": "no way", "request_id": "q-2", **fields}


def result(value):
    """An event of an answer."""
    return b"id:1\nevent:result\n:HTTP_STATUS/200\n" + event(value)


def error(value):
    """An event with an error."""
    return b"id:2\nevent:error\n:HTTP_STATUS/400\n" + event(value)


CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x'}}
BUSY = failure("Throttling.RateQuota")
WIRE = Wire(
    provider="dashscope",
    text=result(answer(content=MARK)),
    stop=result(answer("stop", content="")),
    call=result(answer(content="", tool_calls=[CALL])),
    whole=json.dumps(answer("stop", content="Hi")).encode(),
    unknown=b"event:weather\n" + event({"output": {"sky": "blue"}}),
    error=error(BUSY),
    fields={"code": "Throttling.RateQuota", "request_id": "q-2", "status_code": 429},
    whole_error=BUSY,
)
HI, STOP = WIRE.hi, WIRE.stop
LONG = {"code": "InvalidParameter", "message": "Range of input length should be [1, 8]"}

STATUSES = [
    WIRE.status(400, failure("InvalidParameter"), e.BadRequestError, code="InvalidParameter", request_id="q-2"),
    WIRE.status(
        400,
        LONG,
        e.ContextLengthError,
        about="a prompt that is too long",
        says="Range of input length",
        code="InvalidParameter",
    ),
    WIRE.status(400, failure("DataInspectionFailed"), e.BadRequestError, code="DataInspectionFailed"),
    WIRE.status(400, failure("Arrearage"), e.BadRequestError, code="Arrearage"),
    WIRE.status(401, failure("InvalidApiKey"), e.AuthenticationError, code="InvalidApiKey"),
    WIRE.status(403, failure("AccessDenied"), e.PermissionDeniedError, code="AccessDenied"),
    WIRE.status(404, failure("ModelNotFound"), e.NotFoundError, code="ModelNotFound"),
    WIRE.status(413, failure("BadRequest.TooLarge"), e.RequestTooLargeError, code="BadRequest.TooLarge"),
    WIRE.status(429, BUSY, e.RateLimitError, "Retry-After: 7", code="Throttling.RateQuota", retry_after=7.0),
    WIRE.status(500, failure("InternalError.Algo"), e.ServerError, code="InternalError.Algo"),
    WIRE.status(503, failure("ModelServingError"), e.ServerError, code="ModelServingError"),
]
OWN = [
    WIRE.failed("an error behind the finish reason", HI, STOP, WIRE.error),
    WIRE.failed("an error as an ordinary event", HI, event(BUSY)),
    WIRE.failed("an error as words", HI, b"event:error\ndata:no way\n\n", fields={}),
    WIRE.failed(
        "an error that may not be tried again",
        HI,
        error(failure("InvalidApiKey")),
        fields={"status_code": 401},
        body=failure("InvalidApiKey"),
    ),
    WIRE.failed(
        "an error of a code that nobody knows",
        HI,
        error(failure("New.Code")),
        fields={"code": "New.Code", "status_code": None},
        body=failure("New.Code"),
    ),
    WIRE.failed("an error of another form", HI, event(ERROR), fields={"code": "c"}, body=ERROR),
    WIRE.failed(
        "an error behind text that waits",
        *(result({**answer(content="ha"), "usage": {"output_tokens": count}}) for count in (1, 2)),
        WIRE.error,
        keeps="haha",
    ),
    WIRE.fine(
        "an answer that repeats itself",
        result(answer(content="H")),
        result(answer(content="Hi")),
        result(answer("stop", content="Hi")),
    ),
    WIRE.too_soon(
        "an answer that repeats itself, cut",
        WIRE.ended(
            result(answer(content="This is more than a word")), result(answer(content="This is more than a word and"))
        ),
        "This is more than a word and",
    ),
    WIRE.fine("`event:done` at the end", HI, STOP, b"event:done\ndata:\n\n"),
    WIRE.too_soon("`event:done` without a finish reason", WIRE.ended(HI, b"event:done\ndata:\n\n"), "Hi"),
    WIRE.fine("a finish reason that nobody knows", HI, result(answer("tired", content=""))),
    WIRE.fine(
        "objects that are missing or null",
        result({"output": {"choices": None}}),
        result({"output": {"choices": [None]}}),
        result({"output": {"choices": [{"message": None}]}}),
        HI,
        STOP,
    ),
    WIRE.fine(
        "the text of the old form",
        result({"output": {"text": "Hi", "finish_reason": "null"}}),
        result({"output": {"text": "", "finish_reason": "stop"}}),
    ),
    WIRE.fine("an empty code and message", result({**answer(content="Hi"), "code": "", "message": ""}), STOP),
    WIRE.both("JSON that is something else", sized(b'{"hello": 1}'), e.DecodeError),
    WIRE.both(
        "an error whose status stands in its body",
        whole(failure("New", status_code=503)),
        e.StreamError,
        says="no way",
        fields={"status_code": 503},
    ),
]
