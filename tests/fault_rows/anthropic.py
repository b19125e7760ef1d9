"""Faults of Anthropic's Messages API, and of servers that speak like it."""

from compatapi import errors as e
from fault_parts import FOREVER, sized
from fault_parts import event as data
from fault_rows.native import MARK, Wire


def event(kind, more=""):
    """One event; ``more`` is JSON text behind its type."""
    return f'event: {kind}\ndata: {{"type": "{kind}"{more}}}\n\n'.encode()


def failure(kind):
    """An error as the service tells it."""
    return {"type": "error", "error": {"type": kind, "message": "no way"}, "request_id": "req_1"}


def error(kind):
    """The same in a stream."""
    return event("error", f', "error": {{"type": "{kind}", "message": "no way"}}')


TOOL = '"content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}'
WIRE = Wire(
    provider="anthropic",
    start=event("message_start", ', "message": {"id": "msg_1", "role": "assistant", "model": "m", "content": []}')
    + event("content_block_start", ', "index": 0, "content_block": {"type": "text", "text": ""}'),
    text=event("content_block_delta", f', "index": 0, "delta": {{"type": "text_delta", "text": "{MARK}"}}'),
    stop=event("message_delta", ', "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}'),
    mark=event("message_stop"),
    call=event("content_block_start", f', "index": 1, {TOOL}')
    + event("content_block_delta", ', "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\\"x"}'),
    whole=b'{"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn", '
    b'"content": [{"type": "text", "text": "Hi"}], "usage": {"input_tokens": 1, "output_tokens": 9}}',
    unknown=event("message_weather", ', "sky": "blue"'),
    error=error("overloaded_error"),
    fields={"type": "overloaded_error", "status_code": 529},
    whole_error=failure("overloaded_error"),
)
GATEWAY = {"error": {"message": "no way", "code": 502}}
HI, PING = WIRE.hi, event("ping")

STATUSES = [
    WIRE.status(400, failure("invalid_request_error"), e.BadRequestError, type="invalid_request_error"),
    WIRE.status(401, failure("authentication_error"), e.AuthenticationError, type="authentication_error"),
    WIRE.status(402, failure("billing_error"), e.APIStatusError, type="billing_error"),
    WIRE.status(403, failure("permission_error"), e.PermissionDeniedError, type="permission_error"),
    WIRE.status(404, failure("not_found_error"), e.NotFoundError, request_id="req_1"),
    WIRE.status(409, failure("conflict_error"), e.ConflictError),
    WIRE.status(413, failure("request_too_large"), e.RequestTooLargeError, type="request_too_large"),
    WIRE.status(429, failure("rate_limit_error"), e.RateLimitError, "Retry-After: 7", retry_after=7.0),
    WIRE.status(429, failure("rate_limit_error"), e.RateLimitError, "retry-after-ms: 1500", retry_after=1.5),
    WIRE.status(500, failure("api_error"), e.ServerError, type="api_error"),
    WIRE.status(504, failure("timeout_error"), e.ServerError, type="timeout_error"),
    WIRE.status(529, failure("overloaded_error"), e.ServerError, type="overloaded_error"),
    WIRE.status(
        400,
        {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}},
        e.ContextLengthError,
        about="a prompt that is too long",
        says="prompt is too long",
    ),
    WIRE.status(401, {"code": 401, "msg": "no way"}, e.AuthenticationError, about="in the form of a relay", code=401),
]
OWN = [
    WIRE.failed("an error behind the stop reason", HI, WIRE.stop, WIRE.error),
    WIRE.failed(
        "an error that may not be tried again",
        HI,
        error("invalid_request_error"),
        fields={"status_code": 400},
        body=failure("invalid_request_error"),
    ),
    WIRE.failed("an error under another event", HI, error("overloaded_error").replace(b"event: error\n", b"")),
    WIRE.failed("an error as words", HI, b"event: error\ndata: no way\n\n", fields={}),
    WIRE.failed("an error of a gateway", HI, data(GATEWAY), fields={"code": 502}, body=GATEWAY),
    WIRE.fine("an error behind the end mark", HI, WIRE.done, WIRE.error),
    WIRE.fine("events behind the end mark", HI, WIRE.done, WIRE.say("no")),
    WIRE.row("the connection stays open behind the end mark", WIRE.closing(HI, WIRE.done, FOREVER), None, "Hi"),
    WIRE.fine("the end mark without a stop reason", HI, WIRE.mark),
    WIRE.waits("pings and nothing else", WIRE.endless(WIRE.nothing, PING, 0.03)),
    WIRE.waits("pings behind text", WIRE.endless(HI, PING, 0.03), "Hi", "idle"),
    WIRE.fine("a ping before anything", PING, HI, PING, WIRE.done),
    WIRE.fine("a message that starts twice", WIRE.start, HI, WIRE.done),
    WIRE.fine("no blank lines between events", (HI + WIRE.done).replace(b"\n\nevent", b"\nevent")),
    WIRE.fine("no `event:` lines", (HI + WIRE.done).replace(b"event: ", b": ")),
    WIRE.fine("the end mark of other services", HI, WIRE.stop, b"data: [DONE]\n\n"),
    WIRE.fine(
        "blocks and deltas that nobody knows",
        HI,
        event("content_block_start", ', "index": 1, "content_block": {"type": "new"}'),
        event("content_block_delta", ', "index": 1, "delta": {"type": "new_delta", "a": 1}'),
        WIRE.done,
    ),
    WIRE.fine(
        "objects that are missing or null",
        event("message_start"),
        event("content_block_start", ', "index": 0, "content_block": null'),
        event("content_block_delta"),
        HI,
        event("message_delta"),
        WIRE.done,
    ),
    WIRE.both("JSON that is something else", sized(b'{"hello": 1}'), e.DecodeError),
]
