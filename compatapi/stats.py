"""The numbers of one call."""

from __future__ import annotations

from attrs import define

__all__ = ["Stats"]


@define
class Stats:
    """What a call took; seconds since it began, ``None`` for what has not happened.

    Attributes:
        head: Until the head of the answer.
        first_data: Until the first piece of the answer.
        first_text: Until the first text or reasoning of the answer.
        total: Until the end of the answer, or the latest piece so far.
        longest_gap: The longest wait between two pieces, in seconds.
        events: Data events of the stream, or 1 for an answer that is no stream.
        keep_alives: Comment lines of the stream.
        bytes: Bytes of the body, after decompression.
        attempts: How often the request was sent.
    """

    head: float | None = None
    first_data: float | None = None
    first_text: float | None = None
    total: float | None = None
    longest_gap: float = 0.0
    events: int = 0
    keep_alives: int = 0
    bytes: int = 0
    attempts: int = 0
