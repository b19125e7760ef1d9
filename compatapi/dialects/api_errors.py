"""How errors of any shape are read: those that a status announces, and those that hide in a stream or in a 200."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compatapi import jsontext
from compatapi.errors import APIStatusError, DecodeError, StreamError, cut, status_error_class
from compatapi.http_types import HttpResponse
from compatapi.retry import parse_retry_after

__all__ = ["error_from_status", "is_error", "read_error", "stream_error"]

#: Codes and types that say: the prompt does not fit the model.
_TOO_LONG = frozenset(
    {
        "context_length_exceeded",
        "exceed_context_size_error",
        "string_above_max_length",
        "model_context_window_exceeded",
        "context_window_exceeded",
        "outofcontexterror",
        "1261",
    }
)
_TOO_LONG_WORDS = ("maximum context length", "context window", "context length", "prompt is too long")


def error_from_status(response: HttpResponse, body: bytes, *, now: float) -> APIStatusError:
    """The error for an answer with a status that says no. ``now`` is the Unix time in seconds."""
    status = response.status
    value = _decode_error_body(body)
    fields = read_error(value)
    said = cut(fields.pop("message") or body[:4000].strip() or response.reason)
    fields["request_id"] = response.request_id or fields.get("request_id")
    codes = {str(fields.get(name)).lower() for name in ("code", "type")}
    too_long = bool(codes & _TOO_LONG) or (status == 400 and any(words in said.lower() for words in _TOO_LONG_WORDS))
    return status_error_class(status, too_long=too_long)(
        f"HTTP {status}: {said or 'no reason given'}",
        **fields,
        status_code=status,
        headers=response.headers,
        retry_after=parse_retry_after(response.headers, now),
        body=value,
    )


def _decode_error_body(body: bytes) -> Any:
    if not body or body.isspace():
        return None
    if body[:100].lstrip()[:1] in (b"{", b"[", b'"'):  # else it is a page or a text, of any size
        try:
            return jsontext.loads(body)
        except DecodeError:
            pass
    return cut(body, 4000)


def stream_error(value: Any, statuses: Mapping[str, int] = {}) -> StreamError:
    """The error that a JSON value inside a stream, or in an answer with status 200, stands for.

    ``statuses`` tells of the server's codes and types which HTTP status they stand for.
    """
    fields = read_error(value)
    said = fields.pop("message") or cut(value)
    status = next((statuses[str(fields[name])] for name in ("code", "type") if str(fields[name]) in statuses), None)
    return StreamError(f"The server reports an error: {said}", **fields, status_code=status, body=value)


def read_error(value: Any) -> dict[str, Any]:
    """Message, code, type, param and request id of an error body of any of the shapes in use.

    The order of looking is that of "OpenAI-compatible servers", section 4.1, in the documentation.
    """
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        said = value.strip() or None if isinstance(value, str) else None
        return {"message": said, "code": None, "type": None, "param": None, "request_id": None}
    inner = value.get("error")
    spots = [spot for spot in (inner, value, value.get("base_resp"), _path(value, "Response", "Error")) if spot]
    objects = [spot for spot in spots if isinstance(spot, dict)]
    message = _first_text(
        _get(inner, "message"),
        inner,
        value.get("message"),
        value.get("detail"),
        _path(value, "detail", 0, "msg"),
        _path(value, "detail", "message"),
        value.get("msg"),
        _path(value, "base_resp", "status_msg"),
        _path(value, "Response", "Error", "Message"),
        _get(inner, "code"),
    )
    code = _first(objects, ("code", "Code", "status_code"))
    kind = _first(objects, ("type", "error_type"))
    return {
        "message": message,
        "code": code,
        "type": kind if isinstance(kind, str) else None,
        "param": _first(objects, ("param",)),
        "request_id": _first([value, value.get("Response")], ("request_id", "RequestId")),
    }


def is_error(value: Any) -> bool:
    """Whether a JSON value is an error although no status said so (section 4.2): an ``error`` that is not empty."""
    if isinstance(value, list):
        return bool(value) and is_error(value[0])
    if not isinstance(value, dict):
        return False
    if value.get("error") or value.get("object") == "error" or value.get("type") == "error":
        return True
    if _path(value, "base_resp", "status_code") or _path(value, "Response", "Error"):
        return True
    if isinstance(value.get("message"), str) and not {"choices", "type"} & value.keys():
        return True  # of a gateway
    return not value.get("choices") and (("message" in value and "code" in value) or "detail" in value)


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _path(value: Any, *steps: str | int) -> Any:
    for step in steps:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = _get(value, step)
    return value


def _first_text(*values: Any) -> str | None:
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), None)


def _first(spots: list[Any], names: tuple[str, ...]) -> Any:
    found = (_get(spot, name) for name in names for spot in spots)
    return next((value for value in found if value is not None and value != "" and not isinstance(value, dict)), None)
