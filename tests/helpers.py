"""Feeding decoders: what the tests of framing and of streams share.

A decoder here is anything with ``feed(bytes) -> list`` and ``close() -> list``: ``SSEDecoder``,
``NDJSONDecoder``, ``StreamDecoder``. Where a network cuts its bytes must never show in the result.
"""

import copy
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

from compatapi.accumulate import Accumulator
from compatapi.errors import CompatAPIError
from compatapi.framing import Frame

Result = TypeVar("Result")

# Pairs of cuts grow with the square of the length, single cuts fed whole grow with it as well.
EVERY_PAIR_UP_TO = 48
EVERY_CUT_UP_TO = 2000
COMB = 61

RECORDINGS = Path(
    os.environ.get("COMPATAPI_RECORDINGS") or Path(__file__).resolve().parents[2] / "shared" / "wire" / "recordings"
)


def ways_to_feed(data: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Yield (label, pieces): whole, bytewise, with empty reads, and at every possible cut.

    A short stream is cut at every pair of places too. A long one is not cut in two at each place,
    which would cost the square of its length; it is combed: pieces of one size at every offset,
    so that each place is a cut in exactly one of the ways.
    """
    bytewise = [data[at : at + 1] for at in range(len(data))]
    yield "whole", [data]
    yield "byte by byte", bytewise
    yield "with empty reads", [piece for byte in bytewise for piece in (b"", byte)] + [b""]
    if len(data) > EVERY_CUT_UP_TO:
        for offset in range(1, COMB + 1):
            yield f"every {COMB} bytes from {offset}", cut(data, range(offset, len(data), COMB))
        return
    for at in range(1, len(data)):
        yield f"cut at {at}", cut(data, [at])
    if len(data) <= EVERY_PAIR_UP_TO:
        for pair in combinations(range(1, len(data)), 2):
            yield f"cut at {pair}", cut(data, pair)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut ``data`` at the places, which are in ascending order."""
    edges = [0, *places, len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def drain(decoder: Any, pieces: list[bytes]) -> list[Any]:
    """Feed all pieces, close, and return everything that came out."""
    items = [item for piece in pieces for item in decoder.feed(piece)]
    return items + decoder.close()


def outcome(decoder: Any, pieces: list[bytes]) -> tuple[list[Any], type[CompatAPIError] | None]:
    """Feed and close; return what came out and the class of our error that ended it, or None."""
    items: list[Any] = []
    try:
        for piece in pieces:
            items += decoder.feed(piece)
        items += decoder.close()
    except CompatAPIError as error:
        return items, type(error)
    return items, None


def same_every_way(data: bytes, run: Callable[[list[bytes]], Result]) -> Result:
    """Return ``run([data])``, after checking that every other way to feed gives the same."""
    expected = run([data])
    for label, pieces in ways_to_feed(data):
        assert expected == run(pieces), f"{label}: {data[:200]!r}"
    return expected


def decode_every_way(make_decoder: Callable[[], Any], data: bytes) -> list[Any]:
    """Return what a new decoder makes of ``data``, the same in every way to feed it."""
    return same_every_way(data, lambda pieces: drain(make_decoder(), pieces))


def read_events(decoder: Any, payloads: Iterable[str], *, learns: bool) -> tuple[list[Any], int]:
    """What a chunk decoder makes of payloads: chunks and answers so far, all of them shown, and the kind of error.

    And how many of them were read by a form.
    """
    seen, served, answer = [], 0, Accumulator()
    try:
        for payload in payloads:
            known = decoder.known(payload) if learns else None
            served += known is not None
            for chunk in decoder.decode(Frame(payload)) if known is None else [known]:
                answer.take(chunk) if learns else answer.add(chunk)
                seen += [show(chunk), show(answer.completion)]
    except CompatAPIError as error:
        seen.append(type(error).__name__)
    return seen, served


def show(thing: Any) -> Any:
    """Everything of a wire object: attributes, unknown fields and readings. Made-up ids are random and left out."""
    if isinstance(thing, list | tuple):
        return [show(item) for item in thing]
    if not hasattr(thing, "wire_value"):
        return "made up" if isinstance(thing, str) and thing.startswith("call_made") else thing
    names = [name for name in thing.__slots__ if not name.startswith("_")]
    readings = {name: show(list(pair)) for name, pair in thing.readings.items()}
    return (
        type(thing).__name__,
        {name: show(getattr(thing, name)) for name in names},
        copy.deepcopy(dict(thing.extra)),
        readings,
    )
