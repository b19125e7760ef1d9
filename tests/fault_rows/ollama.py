"""Faults of Ollama's own interface: lines of JSON in place of events."""

import json

from compatapi import errors as e
from fault_parts import FOREVER, bent, sized, whole
from fault_rows.native import LINES, MARK, Wire


def line(done=False, text="", **fields):
    """A line of a stream, or a whole answer."""
    message = {"role": "assistant", "content": text, **fields.pop("message", {})}
    said = {"model": "m", "created_at": "2026-03-04T05:06:07Z", "message": message, "done": done, **fields}
    return json.dumps(said).encode() + b"\n"


WRONG, OBJECT = {"error": "no way"}, {"error": {"message": "no way", "code": "c"}}
WIRE = Wire(
    provider="ollama",
    media_type=LINES,
    nothing=b"\n",
    text=line(text=MARK),
    stop=line(True, done_reason="stop", eval_count=2),
    call=line(message={"tool_calls": [{"function": {"name": "f", "arguments": {}}}]}),
    whole=line(True, "Hi", done_reason="stop"),
    unknown=b'{"weather": {"sky": "blue"}}\n',
    error=json.dumps(WRONG).encode() + b"\n",
    fields={"body": WRONG},
    whole_error=WRONG,
)
HI, STOP = WIRE.hi, WIRE.stop

STATUSES = [
    WIRE.status(400, WRONG, e.BadRequestError, code=None),
    WIRE.status(401, {"error": "no way", "signin_url": "https://x"}, e.AuthenticationError, code=None),
    WIRE.status(403, WRONG, e.PermissionDeniedError),
    WIRE.status(404, {"error": "model 'm' not found"}, e.NotFoundError, says="model 'm' not found"),
    WIRE.status(405, WRONG, e.APIStatusError),
    WIRE.status(429, WRONG, e.RateLimitError, "Retry-After: 7", retry_after=7.0),
    WIRE.status(500, WRONG, e.ServerError),
    WIRE.status(502, WRONG, e.ServerError),
    WIRE.status(503, {"error": "server busy, please try again"}, e.ServerError, says="server busy"),
]
OWN = [
    WIRE.fine("an error behind the last line", HI, STOP, WIRE.error),
    WIRE.fine("lines behind the last line", HI, STOP, WIRE.say("no"), b"{oh"),
    WIRE.row("the connection stays open behind the last line", WIRE.closing(HI, STOP, FOREVER), None, "Hi"),
    WIRE.too_soon("half a line at the end", WIRE.closing(HI + b'{"model": "m", "mess'), "Hi"),
    WIRE.too_soon("half of the last line", WIRE.closing(HI + STOP[:-6]), "Hi"),
    WIRE.too_soon("a finish reason without `done`", WIRE.ended(HI, line(done_reason="stop")), "Hi"),
    WIRE.row(
        "JSON that is something else",
        sized(b'{"hello": 1}'),
        e.IncompleteStreamError,
        whole=sized(b'{"hello": 1}'),
        whole_gets=e.DecodeError,
    ),
    WIRE.failed("an error beside text", HI, line(text="no", error="no way"), fields={"code": None}),
    WIRE.failed("an error as an object", HI, json.dumps(OBJECT).encode() + b"\n", fields={"code": "c"}, body=OBJECT),
    WIRE.fine("the last line without a `done_reason`", HI, line(True)),
    WIRE.both("CR LF as the end of lines", bent("crlf"), None, keeps="Hi"),
    WIRE.fine(
        "objects that are missing or null",
        b"{}\n",
        b'{"message": null}\n',
        line(message={"content": None, "tool_calls": None}),
        HI,
        b'{"done": true}\n',
    ),
    WIRE.nonsense("server-sent events instead of lines", 'data: {"done": false}'),
    WIRE.both("a byte order mark", bent("bom"), None, keeps="Hi"),
    WIRE.both(
        "an error as the only line, with another media type",
        whole(WRONG, media_type="text/plain"),
        e.StreamError,
        says="no way",
    ),
]
