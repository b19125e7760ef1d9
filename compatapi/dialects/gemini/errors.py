"""What goes wrong at Google's: errors, in the words that programs know.

An error is an object with ``code`` (the status), ``message``, ``status`` (its name) and ``details`` (ErrorInfo,
BadRequest, RetryInfo and others of google.rpc). A stream without ``alt=sse`` has it as the only item of an array.
"""

from __future__ import annotations

import re
from typing import Any

from compatapi.dialects.api_errors import is_error, stream_error
from compatapi.errors import APIStatusError, AuthenticationError, ContextLengthError, DecodeError, cut

__all__ = ["as_object", "checked", "explained"]

#: The fields of an answer.
_ANSWER = frozenset({"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId"})
_STATUSES = {str(status): status for status in range(400, 600)}


def as_object(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def checked(value: Any) -> dict[str, Any]:
    """A JSON object that is no error.

    Raises:
        StreamError: It is one.
        DecodeError: It is no object.
    """
    if isinstance(value, list) and is_error(value):
        value = value[0]
    if not isinstance(value, dict):
        raise DecodeError(f"The server sent no JSON object: {cut(value, 200)}", data=cut(value))
    if value.get("error") or (_ANSWER.isdisjoint(value) and is_error(value)):
        error = stream_error(value, _STATUSES)
        _tell(error, _details(value))
        raise error
    return value


def explained(error: APIStatusError) -> APIStatusError:
    """An error with what Google says of it, and of the class that programs look for."""
    details = _details(error.body)
    _tell(error, details)
    if error.retry_after is None:
        error.retry_after = _retry_delay(details)
    kind: type[APIStatusError] = type(error)
    if error.code == "API_KEY_INVALID":  # which has status 400; programs look for AuthenticationError
        kind = AuthenticationError
    elif error.status_code == 400 and re.search("input token count.*exceeds", error.message, re.I | re.S):
        kind = ContextLengthError
    return error if kind is type(error) else kind(error.message, **vars(error))


def _tell(error: Any, details: list[dict[str, Any]]) -> None:
    error.type = _first_text(details, "status") or error.type
    error.code = _first_text(details, "reason") or error.code
    error.param = _first_text(details, "field") or error.param


def _details(body: Any) -> list[dict[str, Any]]:
    """The error object, and all objects in its details."""
    body = body[0] if isinstance(body, list) and body else body
    inner = as_object(as_object(body).get("error"))
    found = [inner, *_objects(inner.get("details"))]
    return found + [each for detail in found for each in _objects(detail.get("fieldViolations"))]


def _objects(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _first_text(objects: list[dict[str, Any]], name: str) -> str | None:
    return next((each[name] for each in objects if isinstance(each.get(name), str) and each[name]), None)


def _retry_delay(details: list[dict[str, Any]]) -> float | None:
    """Seconds, of a duration such as ``"48.9s"`` (google.rpc.RetryInfo)."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s", _first_text(details, "retryDelay") or "")
    return float(found[1]) if found else None
