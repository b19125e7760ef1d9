"""Faults of Google's Gemini API."""

import json

from compatapi import errors as e
from fault_parts import event, sized, whole
from fault_rows.native import MARK, Wire


def answer(*parts, **fields):
    """An event of a stream, or a whole answer."""
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **fields}]}


def failure(code, status, *details):
    """An error as Google tells it."""
    return {"error": {"code": code, "message": "no way", "status": status, "details": list(details)}}


BUSY = failure(503, "UNAVAILABLE")
NO_KEY = failure(400, "INVALID_ARGUMENT", {"@type": "ErrorInfo", "reason": "API_KEY_INVALID"})
LATER = failure(429, "RESOURCE_EXHAUSTED", {"@type": "QuotaFailure"}, {"@type": "RetryInfo", "retryDelay": "48.5s"})
FIELD = failure(400, "INVALID_ARGUMENT", {"@type": "BadRequest", "fieldViolations": [{"field": "contents[0]"}]})
TOO_LONG = {"error": {"code": 400, "message": "The input token count (9) exceeds the maximum of 8"}}
WIRE = Wire(
    provider="gemini",
    text=event(answer({"text": MARK})),
    stop=event(answer({"text": ""}, finishReason="STOP")),
    call=event(answer({"functionCall": {"name": "f", "willContinue": True}})),
    whole=json.dumps(answer({"text": "Hi"}, finishReason="STOP")).encode(),
    unknown=event({"weather": {"sky": "blue"}}),
    error=event(BUSY),
    fields={"type": "UNAVAILABLE", "code": 503, "status_code": 503},
    whole_error=BUSY,
)
HI, STOP = WIRE.hi, WIRE.stop
BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}}


def array(*values, end=b"]"):
    """A stream without ``alt=sse``: one array that grows."""
    return b"[" + b",\r\n".join(json.dumps(value).encode() for value in values) + end


STATUSES = [
    WIRE.status(400, failure(400, "INVALID_ARGUMENT"), e.BadRequestError, type="INVALID_ARGUMENT", code=400),
    WIRE.status(400, NO_KEY, e.AuthenticationError, code="API_KEY_INVALID"),
    WIRE.status(400, FIELD, e.BadRequestError, param="contents[0]"),
    WIRE.status(400, TOO_LONG, e.ContextLengthError, about="a prompt that is too long", says="exceeds"),
    WIRE.status(401, failure(401, "UNAUTHENTICATED"), e.AuthenticationError, type="UNAUTHENTICATED"),
    WIRE.status(403, failure(403, "PERMISSION_DENIED"), e.PermissionDeniedError, type="PERMISSION_DENIED"),
    WIRE.status(404, failure(404, "NOT_FOUND"), e.NotFoundError, type="NOT_FOUND"),
    WIRE.status(429, LATER, e.RateLimitError, retry_after=48.5, type="RESOURCE_EXHAUSTED"),
    WIRE.status(429, LATER, e.RateLimitError, "Retry-After: 3", retry_after=3.0),
    WIRE.status(500, failure(500, "INTERNAL"), e.ServerError, type="INTERNAL"),
    WIRE.status(503, BUSY, e.ServerError, type="UNAVAILABLE"),
    WIRE.status(504, failure(504, "DEADLINE_EXCEEDED"), e.ServerError, type="DEADLINE_EXCEEDED"),
    WIRE.status(503, [BUSY], e.ServerError, about="in an array", type="UNAVAILABLE", code=503),
]
OWN = [
    WIRE.failed("an error behind the finish reason", HI, STOP, WIRE.error),
    WIRE.failed("an error in an array", script=whole([BUSY]), keeps="", body=[BUSY]),
    WIRE.failed("an error behind text, in an array", script=sized(array(answer({"text": "Hi"}), BUSY))),
    WIRE.row(
        "an array in place of events", sized(array(answer({"text": "Hi"}), answer(finishReason="STOP"))), None, "Hi"
    ),
    WIRE.too_soon(
        "an array that is cut",
        sized(array(answer({"text": "Hi"}), answer({"text": " there"}), end=b'\r\n,{"candi')),
        "Hi there",
    ),
    WIRE.row(
        "an array that is cut behind the finish reason",
        sized(array(answer({"text": "Hi"}), answer(finishReason="STOP"), end=b"")),
        None,
        "Hi",
    ),
    WIRE.too_soon("an array that ends too soon", sized(array(answer({"text": "Hi"}))), "Hi"),
    WIRE.both("an array that is empty", sized(b"[]"), e.DecodeError),
    WIRE.fine("a prompt that is blocked", event(BLOCKED), keeps="", text=b""),
    WIRE.fine("an answer that is blocked in its middle", HI, event(BLOCKED)),
    WIRE.fine("an answer that is stopped for safety", HI, event(answer(finishReason="SAFETY"))),
    WIRE.fine("a finish reason that nobody knows", HI, event(answer(finishReason="NEW_REASON"))),
    WIRE.fine(
        "a finish reason with every event",
        event(answer({"text": "H"}, finishReason="STOP")),
        event(answer({"text": "i"}, finishReason="STOP")),
    ),
    WIRE.fine("parts that nobody knows", event(answer({"newPart": {"a": 1}})), HI, STOP),
    WIRE.fine(
        "objects that are missing or null",
        event({"candidates": None}),
        event({"candidates": [None]}),
        event({"candidates": [{"content": None}]}),
        HI,
        event(answer(None, finishReason="STOP")),
    ),
    WIRE.fine("the end mark of other services", HI, STOP, b"data: [DONE]\n\n"),
    WIRE.too_soon("the end mark of other services, and no finish reason", WIRE.ended(HI, b"data: [DONE]\n\n"), "Hi"),
    WIRE.both("JSON that is something else", sized(b'{"hello": 1}'), e.DecodeError),
]
