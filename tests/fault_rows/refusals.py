"""Faults that a server tells: statuses with bodies of every kind, redirects, and when to come back."""

import gzip

from compatapi import errors as e
from compatapi.testing import Raw
from fault_parts import (
    ERROR,
    FIELDS,
    FOREVER,
    JSON,
    SMALL,
    Endless,
    Fault,
    chunk,
    event,
    head,
    packed,
    sized,
    status,
)

STATUS = [
    Fault("400", status(400), e.BadRequestError, says="no way", fields={**FIELDS, "status_code": 400, "body": ERROR}),
    Fault(
        "400 with a code that speaks of the context's length",
        status(400, {"error": {"message": "long", "code": "context_length_exceeded"}}),
        e.ContextLengthError,
    ),
    Fault("401", status(401), e.AuthenticationError, says="no way", fields=FIELDS),
    Fault("402", status(402), e.APIStatusError, says="no way", fields={"status_code": 402}),
    Fault("403", status(403), e.PermissionDeniedError, says="no way"),
    Fault("404", status(404), e.NotFoundError, says="no way"),
    Fault("409", status(409), e.ConflictError, says="no way"),
    Fault("413", status(413), e.RequestTooLargeError, says="no way"),
    Fault("422", status(422), e.UnprocessableEntityError, says="no way"),
    Fault("429", status(429, None, "Retry-After: 7"), e.RateLimitError, says="no way", fields={"retry_after": 7.0}),
    Fault("500", status(500), e.ServerError, says="no way"),
    Fault("a status that there is not, 999", status(999), e.APIStatusError, fields={"status_code": 999}),
    Fault(
        "a page of a proxy",
        status(502, b"<html><h1>Bad gateway</h1></html>", media_type="text/html"),
        e.ServerError,
        says="Bad gateway",
    ),
    Fault("words", status(503, b"overloaded", media_type="text/plain"), e.ServerError, says="overloaded"),
    Fault("no body", status(500, b""), e.ServerError, says="Because", fields={"status_code": 500}),
    Fault("JSON that does not parse", status(400, b'{"error": {'), e.BadRequestError, fields={"body": '{"error": {'}),
    Fault("JSON null", status(400, b"null"), e.BadRequestError),
    Fault("bytes that are no text", status(500, b"\xff\xfe\x00\x80"), e.ServerError),
    Fault(
        "a body that is cut", sized(b"overload", size=500, status="503 x", then=[0.0]), e.ServerError, says="overload"
    ),
    Fault(
        "a body that is reset",
        Raw([head("Content-Length: 500", status="503 x") + b"overload", 0.1], reset=True),
        e.ServerError,
        says="overload",
    ),
    Fault(
        "a body with broken chunks",
        Raw([head("Transfer-Encoding: chunked", status="503 x") + chunk(b"overload") + b"zz\r\n"]),
        e.ServerError,
        says="overload",
    ),
    Fault(
        "a body that never comes",
        sized(b"", size=500, status="500 x", then=[FOREVER]),
        e.RequestTimeout,
        clock="first_token",
    ),
    Fault(
        "a body that drips",
        Endless(head("Connection: close", status="500 x"), b"x", 0.03),
        e.RequestTimeout,
        clock="first_token",
    ),
    Fault(
        "a body without end",
        Endless(head("Connection: close", status="500 x"), b"x" * 4096),
        e.ServerError,
        limits=SMALL,
    ),
    Fault(
        "a body of JSON without end",
        Endless(head("Connection: close", status="429 x", media_type=JSON) + b'{"error": {"message": "', b"x" * 4096),
        e.RateLimitError,
        limits=SMALL,
    ),
    Fault(
        "a body in gzip",
        sized(packed(b'{"error": "no way"}'), "Content-Encoding: gzip", status="500 x"),
        e.ServerError,
        says="no way",
    ),
    Fault(
        "a body in gzip that is broken",
        sized(b"\x1f\x8bnonsense", "Content-Encoding: gzip", status="500 x"),
        e.ServerError,
    ),
    Fault(
        "a body that is a bomb",
        sized(gzip.compress(b"x" * 50_000_000), "Content-Encoding: gzip", status="500 x"),
        e.ServerError,
        limits=SMALL,
    ),
    Fault(
        "an event in place of a body",
        status(500, event(ERROR), media_type="text/event-stream"),
        e.ServerError,
        says="no way",
    ),
    *(
        Fault(
            f"Retry-After: {text}",
            status(429, None, f"Retry-After: {text}"),
            e.RateLimitError,
            fields={"retry_after": seconds},
        )
        for text, seconds in (
            ("-5", None),
            ("soon", None),
            ("1e999", None),
            ("nan", None),
            ("99999999999", 99999999999.0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
            ("Sun, 99 Nov 9999 99:99:99 GMT", None),
        )
    ),
    *(
        Fault(
            f"redirect {code}",
            sized(b"", "Location: /v1/elsewhere", status=f"{code} Moved"),
            e.APIStatusError,
            says="/v1/elsewhere",
            fields={"status_code": code},
        )
        for code in (301, 302, 303, 307, 308)
    ),
    Fault("a redirect to nowhere", sized(b"", status="302 Moved"), e.APIStatusError, says="nowhere"),
    Fault("304 Not Modified", Raw([b"HTTP/1.1 304 x\r\n\r\n"], close=False), e.APIStatusError),
]
