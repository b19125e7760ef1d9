"""Faults of Tencent Hunyuan: nearly every error has status 200."""

import json

from compatapi import errors as e
from fault_parts import event, sized, whole
from fault_rows.native import MARK, Wire


def answer(finish="", **delta):
    """An event of a stream."""
    choice = {"Index": 0, "Delta": {"Role": "assistant", **delta}, "FinishReason": finish}
    return {"Id": "c-1", "Created": 1716359713, "Choices": [choice]}


def failure(code):
    """An error as API 3.0 tells it."""
    return {"Response": {"Error": {"Code": code, "Message": "no way"}, "RequestId": "r-2"}}


def told(code, status):
    """A row with an error of this code, and the status that it stands for."""
    return WIRE.failed(
        f"status 200, `code` {code}, which stands for {status or 'no status'}",
        script=whole(failure(code)),
        keeps="",
        body=failure(code),
        fields={"code": code, "status_code": status, "request_id": "r-2"},
    )


MESSAGE = {"Role": "assistant", "Content": "Hi"}
BUSY = {"Choices": [], "Id": "c-1", "ErrorMsg": {"Msg": "no way", "Code": 4001}}
INTERNAL = {"ErrorMsg": {"Msg": "no way", "Code": 4000}}
CALL = {"Id": "a", "Type": "function", "Index": 0, "Function": {"Name": "f", "Arguments": '{"x'}}
WIRE = Wire(
    provider="hunyuan",
    text=event(answer(Content=MARK)),
    stop=event(answer("stop", Content="")),
    call=event(answer(ToolCalls=[CALL])),
    whole=json.dumps(
        {"Response": {"RequestId": "r-1", "Choices": [{"Message": MESSAGE, "FinishReason": "stop"}]}}
    ).encode(),
    unknown=event({"Weather": {"Sky": "blue"}}),
    error=event(BUSY),
    fields={"code": 4001, "status_code": 504},
    whole_error={"Response": BUSY},
)
HI, STOP = WIRE.hi, WIRE.stop

STATUSES = [
    *(
        told(code, status)
        for code, status in (
            ("AuthFailure.SignatureFailure", 401),
            ("AuthFailure.UnauthorizedOperation", 403),
            ("InvalidParameterValue.Model", 400),
            ("RequestLimitExceeded", 429),
            ("LimitExceeded", 429),
            ("ResourceNotFound", 404),
            ("FailedOperation.ServiceStopArrears", 402),
            ("FailedOperation.ServiceNotActivated", 403),
            ("FailedOperation.EngineRequestTimeout", 504),
            ("InternalError", 500),
            ("SomethingNew", None),
        )
    ),
    WIRE.status(
        429,
        failure("RequestLimitExceeded"),
        e.RateLimitError,
        "Retry-After: 7",
        code="RequestLimitExceeded",
        retry_after=7.0,
    ),
    WIRE.status(401, failure("AuthFailure"), e.AuthenticationError, code="AuthFailure", request_id="r-2"),
    WIRE.status(502, {"message": "no way"}, e.ServerError),
]
OWN = [
    WIRE.failed("an error behind the finish reason", HI, STOP, WIRE.error),
    WIRE.failed(
        "an error beside text",
        event({**answer(Content="Hi"), **INTERNAL}),
        fields={"code": 4000, "status_code": 500},
        body={"Response": INTERNAL},
    ),
    WIRE.failed(
        "an error of API 3.0 in the stream",
        HI,
        event(failure("InternalError")),
        fields={"code": "InternalError", "status_code": 500},
        body=failure("InternalError"),
    ),
    WIRE.failed("an error as words in the stream", HI, event({"ErrorMsg": None, "Error": "no way"}), fields={}),
    WIRE.fine(
        "errors that are null or say nothing",
        event({**answer(Content="Hi"), "ErrorMsg": None}),
        event({**answer("stop"), "ErrorMsg": {"Msg": "", "Code": 0}}),
    ),
    WIRE.fine("an answer that is stopped for safety", HI, event(answer("sensitive"))),
    WIRE.fine("a finish reason that nobody knows", HI, event(answer("tired"))),
    WIRE.fine(
        "objects that are missing or null",
        event({"Choices": None}),
        event({"Choices": [None]}),
        event({"Choices": [{"Delta": None}]}),
        HI,
        STOP,
    ),
    WIRE.fine("usage behind the finish reason", HI, STOP, event({"Choices": [], "Usage": {"TotalTokens": 9}})),
    WIRE.fine("the end mark of other services", HI, STOP, b"data: [DONE]\n\n"),
    WIRE.both("JSON that is something else", sized(b'{"hello": 1}'), e.DecodeError),
]
