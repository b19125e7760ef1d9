"""Recordings: what was asked and answered, with each read of the answer and its time, as one file of JSON lines.

The first line says what the file is. Each line behind it says one thing that happened, and when: `at` is in seconds
since the recording began, and `exchange` numbers the requests from 1. A line has one of these besides:

    "request"           method, url, headers, stream, and the body as "json", "text" or "base64"
    "response"          status, reason, headers: the head has come
    "text" or "base64"  one read of the body, as it came; Base64 for bytes that are no UTF-8
    "end"               how the exchange ended, one of `ENDS`; without this line nobody knows

So a file that was cut anywhere still tells all that happened before. Lines of exchanges that ran side by side are
mixed; those of one exchange are in order.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

__all__ = ["ENDS", "FORMAT", "VERSION", "Exchange", "Recording", "RecordingError", "body_fields", "encode_line"]

FORMAT, VERSION = "compatapi-recording", 1

#: How an exchange may end, and what that means.
ENDS = {
    "complete": "the answer came to its end",
    "cut": "the server closed the connection before that",
    "reset": "the server reset the connection before that",
    "stall": "the server fell silent, until a clock of the client ran out",
    "closed": "the client had enough before that",
    "unreachable": "there was no connection",
    "unsent": "the request could not be sent, so no server has seen it",
}


class RecordingError(ValueError):
    """A file that is no recording, or one of a version that this compatapi does not read."""


@frozen(kw_only=True)
class Exchange:
    """One request and its answer, as far as it came.

    Attributes:
        number: Counts the requests of a recording from 1.
        at: When the request was sent, in seconds since the recording began. So are all other times.
        method: Such as `POST`.
        url: The whole URL, redacted.
        headers: Those that were sent, redacted.
        body: What was sent, redacted; JSON may be written otherwise than it was.
        stream: Whether a stream was asked for.
        head_at: When the head of the answer came, or None if none did.
        status: The HTTP status; 0 if no head came.
        reason: The words beside it.
        response_headers: Those of the answer, redacted.
        pieces: The body, as pairs of the time of a read and what it gave; compression is undone.
        end_at: When it ended, or None.
        end: How it ended, one of `ENDS`, or None if the recording ended before that.
        error: The class of the error that a client got, and a few words; empty if it got none.
    """

    number: int
    at: float
    method: str
    url: str
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""
    stream: bool = False
    head_at: float | None = None
    status: int = 0
    reason: str = ""
    response_headers: Mapping[str, str] = field(factory=dict)
    pieces: tuple[tuple[float, bytes], ...] = ()
    end_at: float | None = None
    end: str | None = None
    error: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the answer came to its end."""
        return self.end == "complete"

    @property
    def content(self) -> bytes:
        """The body of the answer, as far as it came."""
        return b"".join(data for _, data in self.pieces)


@frozen
class Recording:
    """What a file of `record` holds.

    Attributes:
        exchanges: The requests in the order in which they were sent, with their answers.
        is_whole: False if the file ends in the middle of a line: whoever wrote it was stopped.
    """

    exchanges: tuple[Exchange, ...] = ()
    is_whole: bool = True

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recording:
        """Read a file. One that breaks off is read up to there.

        Raises:
            RecordingError: It is no recording, or one of another version.
            OSError: It cannot be read.
        """
        with open(path, "rb") as file:
            return cls.parse(file.read(), name=os.fspath(path))

    @classmethod
    def parse(cls, data: bytes, name: str = "the recording") -> Recording:
        """The same for the bytes of a file; `name` is what errors call it."""
        lines = data.split(b"\n")
        _check_first(lines[0], name)
        drafts: dict[int, dict[str, Any]] = {}
        is_whole = True
        for number, line in enumerate(lines[1:], 2):
            try:
                if line.strip():
                    _take(json.loads(line), drafts)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                if number < len(lines):
                    said = f"line {number} of {name} cannot be read: {type(error).__name__} {error}"
                    raise RecordingError(said) from error
                is_whole = False  # whoever wrote it was stopped in the middle of a line
        exchanges = [Exchange(**{**draft, "pieces": tuple(draft["pieces"])}) for draft in drafts.values()]
        return cls(tuple(exchanges), is_whole=is_whole)


def _check_first(line: bytes, name: str) -> None:
    try:
        first = json.loads(line)
    except ValueError:
        first = None
    if not isinstance(first, dict) or first.get("format") != FORMAT:
        raise RecordingError(f"{name} is no recording: its first line does not say so")
    version = first.get("version")
    if version != VERSION:
        is_newer = isinstance(version, int) and version > VERSION
        way_out = "a newer compatapi reads it" if is_newer else "record it again"
        said = f"{name} is a recording of version {version!r}, and only version {VERSION} is read: {way_out}"
        raise RecordingError(said)


def _take(line: Any, drafts: dict[int, dict[str, Any]]) -> None:
    """Add what one line says to its exchange."""
    at, number = float(line["at"]), int(line["exchange"])
    if "request" in line:
        asked = line["request"]
        drafts[number] = {
            "number": number,
            "at": at,
            "method": str(asked["method"]),
            "url": str(asked["url"]),
            "headers": dict(asked["headers"]),
            "body": _body(asked),
            "stream": bool(asked["stream"]),
            "pieces": [],
        }
        return
    draft = drafts[number]
    if "response" in line:
        head = line["response"]
        draft.update(head_at=at, status=int(head["status"]), reason=str(head["reason"]))
        draft["response_headers"] = dict(head["headers"])
    elif "end" in line:
        draft.update(end_at=at, end=str(line["end"]), error=str(line.get("error", "")))
    else:
        draft["pieces"].append((at, _body(line)))


def _body(fields: Mapping[str, Any]) -> bytes:
    if "json" in fields:
        return json.dumps(fields["json"], ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return base64.b64decode(fields["base64"]) if "base64" in fields else fields.get("text", "").encode()


def body_fields(data: bytes) -> dict[str, str]:
    """Bytes as a field of a line: text if they are UTF-8."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def encode_line(value: Mapping[str, Any]) -> bytes:
    """One line of a recording."""
    try:
        return json.dumps(value, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can say and UTF-8 cannot
        return json.dumps(value).encode() + b"\n"
