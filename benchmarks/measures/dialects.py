"""The native protocols and the written formats: CPU of their streams, of writing and of reading."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import answers
import limit
import natives
import peers
from model import Row, Section, Sizes
from natives import Form
from timing import cpu, in_turns, ratio

from compatapi import ChatCompletionRequest, Message, StreamDecoder
from compatapi.formats import FORMATS, iter_chunks

STREAMS = """CPU of a text stream of each native protocol, as a ratio to the limit on the same bytes. Each kind of
chunk is turned into the common one; the limit makes a dict of it and knows nothing of what is in it."""
WRITTEN = """Writing the chunks of a text stream in each format, as a ratio to `dumps` of what has to be written; and
reading each form from memory, as a ratio to the limit on the same bytes. The format `json` is one document at the end:
what is compared is one `dumps` for each chunk."""
REQUEST = ChatCompletionRequest("m", [Message.user("Hi")])


def measure_streams(base: str, sizes: Sizes) -> Section:
    """One row for each dialect."""
    section = Section("Native protocols", STREAMS, plot="dialects")
    for name, form in natives.FORMS.items():
        url = f"{base}/{name}/{sizes.chunks}/v1"
        with ExitStack() as stack:
            read, least = peers.compatapi_stream(url, stack, name), limit.counter(url, stack, form)
            runs = {"compatapi": lambda read=read: peers.count_objects(read()), "limit": least}
            section.rows.append(Row(name, _against_limit(runs, sizes.rounds)))
    return section


def _against_limit(runs: dict[str, Callable[[], object]], rounds: int):
    for run in runs.values():
        run()
    found = in_turns({name: partial(cpu, run) for name, run in runs.items()}, rounds)
    return {name: ratio(values, found["limit"]) for name, values in found.items()}


def measure_formats(_: str, sizes: Sizes) -> Section:
    """One row for each format written, and one for each form read."""
    section = Section("Formats", WRITTEN)
    count = max(20, sizes.chunks // 5)
    events = [answers.chunk({"content": answers.word(number)}) for number in range(count)]
    events += [answers.chunk({}, "stop")]
    data = b"".join(events) + answers.DONE
    chunks = StreamDecoder("openai", REQUEST).feed(data)
    for name, made in FORMATS.items():
        values = [limit.loads(event[5:]) for event in events]
        runs = {
            "compatapi": lambda write=made.write: deque(write(iter(chunks)), 0),
            "limit": lambda values=values: [limit.dumps(value) for value in values],
        }
        section.rows.append(Row(f"{name}, written", _against_limit(runs, sizes.rounds)))
    ndjson = b"".join(event[6:-1] for event in events)
    forms = {"openai": (data, Form()), "ndjson": (ndjson, natives.FORMS["ollama"])}
    forms |= {name: (b"".join(natives.events(name, count)), form) for name, form in natives.FORMS.items()}
    for name, (body, form) in forms.items():
        pieces = [body[start : start + 65536] for start in range(0, len(body), 65536)]
        runs = {
            "compatapi": lambda name=name, pieces=pieces: deque(iter_chunks(pieces, name), 0),
            "limit": lambda form=form, pieces=pieces: _split(pieces, form),
        }
        section.rows.append(Row(f"{name}, read", _against_limit(runs, sizes.rounds)))
    return section


def _split(pieces: list[bytes], form: Form) -> None:
    separator, mark, skip = form
    rest = b""
    for piece in pieces:
        *events, rest = (rest + piece).split(separator)
        for event in events:
            at = event.find(mark)
            if at >= 0 and event[-6:] != b"[DONE]":
                limit.loads(event[at + skip :])
