"""compatapi beside openai-python, requests by hand, httpx-sse and the limit: ``tox -e bench``.

The tables are printed; ``--write-docs`` writes them into the documentation too. What each figure means, and how it is
measured, is on that page (docs/performance.md) and in `timing`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import model
import peers
import report
from measures import MEASURES
from model import Section, Sizes
from timing import keep_memory


@contextmanager
def replay_server() -> Iterator[str]:
    """A replay server in its own process; yields where it is."""
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("replay.py"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.stdin.close()
        server.stdout.close()
        server.wait()


def run(names: list[str], sizes: Sizes) -> list[Section]:
    """Measure, and print each table when it is there."""
    keep_memory()
    print(report.versions(), flush=True)
    absent = [name for name in peers.PEERS if name not in peers.present()]
    if absent:
        print(f"Not installed, and so left out: {', '.join(absent)}")
    sections = []
    with replay_server() as base:
        for name in names:
            start = time.monotonic()
            sections.append(MEASURES[name](base, sizes))
            print(report.show(sections[-1]))
            print(f"({time.monotonic() - start:.0f} s)", flush=True)
    return sections


def main() -> None:
    """Parse the arguments, measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="under a minute, and rougher")
    sizes.add_argument("--tiny", action="store_true", help="a few seconds: every line runs, the figures mean nothing")
    parser.add_argument("--only", action="append", choices=MEASURES, help="one table; may be given again")
    parser.add_argument("--write-docs", action="store_true", help="write docs/performance.md and its plots")
    arguments = parser.parse_args()
    if arguments.write_docs and (arguments.only or arguments.tiny):
        parser.error("the page is written of a whole run only")
    sections = run(
        arguments.only or list(MEASURES),
        model.TINY if arguments.tiny else model.QUICK if arguments.quick else model.FULL,
    )
    print("\n" + "\n".join(report.summary(sections)))
    if arguments.write_docs:
        report.write(sections, quick=arguments.quick)


if __name__ == "__main__":
    main()
