"""Read a stream and print by how many megabytes the process grew: ``python grow.py CLIENT URL``."""

from __future__ import annotations

import gc
import sys
from contextlib import ExitStack
from pathlib import Path

import peers

FIRST = 1000


def resident() -> float:
    """Megabytes of memory that this process has now; its peak where the system does not say."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        import resource

        return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6
    try:
        import resource
    except ImportError:
        raise SystemExit("This system does not say how much memory a process has") from None
    # Bytes on macOS, kilobytes elsewhere (getrusage(2)).
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def main(name: str, url: str) -> None:
    """Read, and print the growth."""
    with ExitStack() as stack:
        client, _, nothing_kept = name.partition(",")
        peer = peers.PEERS[client]
        chunks = peer.stream(url, stack)()
        if nothing_kept:
            from measures.styles import open_without_accumulation

            chunks = open_without_accumulation(url, stack)()
        before, most = 0.0, 0.0
        for number, chunk in enumerate(chunks):
            peer.text(chunk)
            if number == FIRST:
                gc.collect()
                before = most = resident()
            elif number % 10_000 == 0:
                most = max(most, resident())
        print(max(most, resident()) - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
