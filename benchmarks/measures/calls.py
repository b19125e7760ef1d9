"""CPU of single calls: the first chunk, small and large answers, a large request."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

import peers
from model import Row, Section, Sizes
from peers import Peer
from timing import Ratio, cpu, in_turns, ratios

ABOUT = """User and system CPU of one call, as a ratio to the limit. "Warm" uses a connection again, "new" makes a
client and a connection. The limit is one `send`, one `recv` and a JSON parser, so for small answers nearly all of a
ratio is what HTTP libraries do for each request. In the large answers the text, or the log probabilities of each token
with five alternatives, fill the stated size; the large request has a thousand messages of a thousand letters.

The limit of a small call is hardly more than two system calls, whose cost differs by several times between machines. So
those rows are there again as ratios to requests, the targets converted by what requests needed when they were set."""


def measure(base: str, sizes: Sizes) -> Section:
    """One row for each kind of call."""
    section = Section("Calls", ABOUT, plot="calls")
    rows = section.rows
    rows += _with_second("first chunk, warm", _run(f"{base}/text/1/v1", sizes, _warm_chunk), (25, 18), 46)
    rows.append(Row("first chunk, new client", _ratios(_run(f"{base}/text/1/v1", sizes, _new_chunk))))
    rows += _with_second("answer of 1 KB", _run(f"{base}/call/700/v1", sizes, _call), (38, 28), 75)
    few, million = sizes.big_calls, sizes.big / 1e6
    for kind, name, targets in (("call", "text", (1.2, 1.0)), ("logprobs", "logprobs", (3.3, 1.2))):
        found = _run(f"{base}/{kind}/{sizes.big}/v1", sizes, _call, few)
        # The targets are for this size: what smaller ones cost is another thing.
        rows.append(Row(f"{million:g} MB of {name}", _ratios(found), *(targets if million == 5 else (None, None))))
    rows.append(Row("request of 1 MB", _ratios(_run(f"{base}/call/1/v1", sizes, _ask, 5 * few)), 2.0, 1.6))
    return section


Figures = dict[str, list[float]]
Maker = Callable[[Peer, str, ExitStack], Callable[[], float]]


def _ratios(found: Figures) -> dict[str, Ratio]:
    return ratios(found, peers.LIMIT)


def _with_second(name: str, found: Figures, targets: tuple[float, float], by_hand: float) -> list[Row]:
    """The row, and the one against requests, which had the ratio ``by_hand`` when the targets were set."""
    ours = ratios(found, peers.BY_HAND)[peers.OURS]
    must, dream = (target / by_hand for target in targets)
    second = Row(f"{name}, against requests by hand", {peers.OURS: ours}, must, dream)
    return [Row(name, _ratios(found), *targets), second]


def _run(url: str, sizes: Sizes, make: Maker, calls: int | None = None) -> Figures:
    # Small calls are many in a turn, and in more turns, for they are measured in the noise of system calls.
    rounds = sizes.rounds if calls else sizes.close_rounds
    calls = calls or sizes.calls
    with ExitStack() as stack:
        runs = {name: make(peer, url, stack) for name, peer in peers.present().items()}
        for run in runs.values():
            run()
            run()
        turns = {name: lambda run=run: sum(run() for _ in range(calls)) for name, run in runs.items()}
        return in_turns(turns, rounds)


def _first(read: peers.Open) -> float:
    start = time.process_time()
    chunks = iter(read())
    next(chunks)
    spent = time.process_time() - start
    for _ in chunks:
        pass  # so that the connection can be used again
    return spent


def _warm_chunk(peer: Peer, url: str, stack: ExitStack) -> Callable[[], float]:
    read = peer.stream(url, stack)
    return lambda: _first(read)


def _new_chunk(peer: Peer, url: str, _: ExitStack) -> Callable[[], float]:
    def run() -> float:
        with ExitStack() as stack:
            start = time.process_time()
            read = peer.stream(url, stack)
            return time.process_time() - start + _first(read)

    return run


def _call(peer: Peer, url: str, stack: ExitStack) -> Callable[[], float]:
    call = peer.call(url, stack)
    return lambda: cpu(call)


def _ask(peer: Peer, url: str, stack: ExitStack) -> Callable[[], float]:
    call = peer.call(url, stack, ["word " * 200] * 1000)
    return lambda: cpu(call)
