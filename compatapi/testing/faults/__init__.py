"""What can go wrong with an answer, as values: `ChatScript("Hello there!", fault=Cut(after=2))`.

A fault is said of any dialect, streamed or whole. `after` counts the pieces of the answer (of its
text, its reasoning, its tool calls) that are said before; of a whole answer half the body is sent
in their place. Times are seconds. What a program gets and keeps then is told in "What can go
wrong" of the documentation. Any object with the method `bend` of `Fault` is one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from ..script import Script, Step
from ..sketch import Sketch
from .content import (
    BadJson,
    Bom,
    CommentsOnly,
    Crlf,
    Empty,
    Endless,
    ErrorEvent,
    Html,
    Joined,
    KeepAlive,
    NoEnd,
    Replaced,
    StreamInstead,
    WholeInstead,
)
from .road import (
    BadChunk,
    BrokenGzip,
    Bytewise,
    ContentType,
    Cut,
    Deflate,
    Drip,
    Gzip,
    HeadCut,
    Interim,
    NoAnswer,
    NoHttp,
    Reset,
    ResetAtOnce,
    Silence,
    Stall,
    Trailing,
)

__all__ = [
    "FAULTS",
    "BadChunk",
    "BadJson",
    "Bom",
    "BrokenGzip",
    "Bytewise",
    "CommentsOnly",
    "ContentType",
    "Crlf",
    "Cut",
    "Deflate",
    "Drip",
    "Empty",
    "Endless",
    "ErrorEvent",
    "Fault",
    "Faults",
    "Gzip",
    "HeadCut",
    "Html",
    "Interim",
    "Joined",
    "KeepAlive",
    "NoAnswer",
    "NoEnd",
    "NoHttp",
    "Replaced",
    "Reset",
    "ResetAtOnce",
    "Silence",
    "Stall",
    "StreamInstead",
    "Trailing",
    "WholeInstead",
    "as_faults",
    "bent",
    "find_fault",
]


class Fault(Protocol):
    """Something that can go wrong."""

    def bend(self, sketch: Sketch) -> Sketch | Script:
        """Return the answer as it goes out then, or what goes out in its place."""
        ...


_CLASSES: tuple[type[Fault], ...] = (
    BadChunk,
    BadJson,
    Bom,
    BrokenGzip,
    Bytewise,
    CommentsOnly,
    ContentType,
    Crlf,
    Cut,
    Deflate,
    Drip,
    Empty,
    Endless,
    ErrorEvent,
    Gzip,
    HeadCut,
    Html,
    Interim,
    Joined,
    KeepAlive,
    NoAnswer,
    NoEnd,
    NoHttp,
    Reset,
    ResetAtOnce,
    Silence,
    Stall,
    StreamInstead,
    Trailing,
    WholeInstead,
)

#: Every fault that needs no value to be said, by its name in words ("bad-json", "cut"), for markers and command lines.
FAULTS: dict[str, Fault] = {re.sub("(?<!^)([A-Z])", r"-\1", cls.__name__).lower(): cls() for cls in _CLASSES}

Faults = Fault | str | Sequence[Fault | str] | None


def find_fault(fault: Fault | str) -> Fault:
    """Return the fault of that name; a fault itself is handed through.

    Raises:
        ValueError: There is none of that name. The message names those that are spelled alike.
        TypeError: This is no fault; a class of faults is none either.
    """
    if not isinstance(fault, str):
        if isinstance(fault, type) or not hasattr(fault, "bend"):
            raise TypeError(f"give the name of a fault, or a value such as Cut(after=2), not {fault!r}")
        return fault
    if fault in FAULTS:
        return FAULTS[fault]
    alike = difflib.get_close_matches(fault, FAULTS)
    hint = f"did you mean {' or '.join(map(repr, alike))}?" if alike else f"there are {', '.join(FAULTS)}"
    raise ValueError(f"there is no fault {fault!r}; {hint}")


def as_faults(faults: Faults) -> tuple[Fault, ...]:
    """Return the faults however they were given: one, several, by name, or none."""
    if faults is None:
        return ()
    if isinstance(faults, str) or not isinstance(faults, Sequence):
        return (find_fault(faults),)
    return tuple(map(find_fault, faults))


def bent(sketch: Sketch, faults: Iterable[Fault]) -> Iterator[Step]:
    """Give the steps of an answer with faults."""
    for fault in faults:
        found = fault.bend(sketch)
        if not isinstance(found, Sketch):
            return found.play(sketch.request)
        sketch = found
    return sketch.play()
