"""Errors in every shape that servers give them, and answers that are no stream."""

from compatapi import errors as e
from compatapi.testing import Raw
from compatapi.testing.faults import ContentType, Html
from fault_parts import (
    DONE,
    ERROR,
    FIELDS,
    FOREVER,
    HI,
    JSON,
    STOP,
    WHOLE,
    Fault,
    bent,
    chunked,
    closing,
    delta,
    event,
    events,
    head,
    sized,
    status,
    whole,
)

BODIES_41 = [
    ("`error` with message, type, param, code", ERROR),
    (
        "`error` with a number for its code, and `metadata`",
        {"error": {"message": "no way", "code": 401, "metadata": {"raw": "x"}}, "user_id": "u"},
    ),
    ("`detail` as text", {"detail": "no way"}),
    ("`detail` as a list", {"detail": [{"loc": ["body", "n"], "msg": "no way", "type": "missing"}]}),
    ("flat, with `object: error`", {"object": "error", "message": "no way", "type": "t", "param": None, "code": 400}),
    ("flat", {"message": "no way", "type": "t", "param": "p", "code": "c"}),
    ("`error` as text", {"error": "no way"}),
    ("`error` as text with `error_type`", {"error": "no way", "error_type": "validation"}),
    ("`code` beside `error` as text", {"code": "c", "error": "no way"}),
    ("`code` beside `message` and `request_id`", {"code": "InvalidApiKey", "message": "no way", "request_id": "r"}),
    ("`message` alone", {"message": "no way"}),
    (
        "`innererror`",
        {"error": {"message": "no way", "code": "content_filter", "innererror": {"code": "x"}, "status": 400}},
    ),
    ("`statusCode` beside `message`", {"statusCode": 401, "message": "no way"}),
    ("a list around it", [{"error": {"message": "no way", "code": 400}}]),
    ("`base_resp`", {"base_resp": {"status_code": 1004, "status_msg": "no way"}}),
    ("`Response.Error`", {"Response": {"Error": {"Code": "c", "Message": "no way"}}}),
]
ERRORS = [
    *(Fault(f"status 400, {name}", status(400, body), e.BadRequestError, says="no way") for name, body in BODIES_41),
    *(Fault(f"status 200, JSON, {name}", whole(body), e.StreamError, says="no way") for name, body in BODIES_41),
    *(
        Fault(
            f"in the stream, {name}",
            events(HI, body),
            e.StreamError,
            "Hi",
            says="no way",
            whole=whole(body),
            whole_keeps="",
        )
        for name, body in BODIES_41
    ),
    Fault("in the stream, alone", events(ERROR), e.StreamError, says="no way", fields=FIELDS),
    Fault(
        "in the stream, `event: error`",
        events(HI, b"event: error\n" + event(ERROR)),
        e.StreamError,
        "Hi",
        says="no way",
    ),
    Fault(
        "in the stream, `event: error` with words",
        events(HI, b"event: error\ndata: no way\n\n"),
        e.StreamError,
        "Hi",
        says="no way",
    ),
    Fault(
        "in the stream, beside choices",
        events(HI, {**delta(content="x"), **ERROR}, DONE),
        e.StreamError,
        "Hi",
        says="no way",
    ),
    Fault(
        "in the stream, inside a choice",
        events(
            HI,
            {
                "choices": [
                    {"index": 0, "delta": {}, "finish_reason": "error", "error": {"message": "no way", "code": 502}}
                ]
            },
            DONE,
        ),
        e.StreamError,
        "Hi",
        says="no way",
    ),
    Fault("in the stream, behind the finish reason", events(HI, STOP, ERROR), e.StreamError, "Hi", says="no way"),
    Fault("in the stream, and the connection breaks", chunked(HI, event(ERROR)), e.StreamError, "Hi", says="no way"),
    Fault(
        "in the stream, and the connection stays open",
        chunked(HI, event(ERROR), FOREVER),
        e.StreamError,
        "Hi",
        says="no way",
    ),
    Fault(
        "in the stream, without a blank line behind it",
        closing(HI + event(ERROR)[:-2]),
        e.StreamError,
        "Hi",
        says="no way",
    ),
    Fault("in the stream, as bare JSON", closing(HI + b'{"error": "no way"}\n'), e.IncompleteStreamError, "Hi"),
    Fault("`error: null`", events({**delta(content="Hi"), "error": None}, STOP, DONE), None, "Hi"),
    Fault("`error: {}`", events({**delta(content="Hi"), "error": {}}, STOP, DONE), None, "Hi"),
]

NO_STREAM = [
    Fault(
        "a page with status 200",
        bent(Html("<!doctype html><p>Log in")),
        e.StreamError,
        says="Log in",
        whole_gets=e.DecodeError,
    ),
    Fault(
        "words with status 200",
        sized(b"try later", media_type="text/plain"),
        e.StreamError,
        says="try later",
        whole_gets=e.DecodeError,
    ),
    Fault("nothing with status 200", bent("empty"), e.IncompleteStreamError, whole_gets=e.DecodeError),
    Fault("the whole completion instead of a stream", bent("whole-instead"), None, "Hi"),
    Fault("the whole completion, called a stream", bent("whole-instead", ContentType("text/event-stream")), None, "Hi"),
    Fault("a stream, called JSON", bent(ContentType(JSON)), None, "Hi"),
    Fault("a stream, called words", bent(ContentType("text/plain")), None, "Hi"),
    Fault("JSON that is something else", whole({"hello": 1}), e.DecodeError),
    Fault("a list", whole([1, 2]), e.DecodeError),
    Fault("the whole completion, cut", bent("whole-instead", "cut"), e.ConnectionLost),
    Fault(
        "the whole completion, cut where its connection ends",
        Raw([head(media_type=JSON) + WHOLE[:60]]),
        e.IncompleteStreamError,
        whole_gets=e.DecodeError,
    ),
]
