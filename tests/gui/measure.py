"""Measure how a window stands a fast model, with and without joining: python tests/gui/measure.py [SECONDS]

The server says 2,000 pieces a second. The window has a timer of five milliseconds; the longest pause between two of its
ticks is how long the window could not react. docs/gui.md quotes the table that this prints.
"""

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

from compatapi.testing import ScriptedServer, StreamReply  # noqa: E402
from gui.screens import screen  # noqa: E402

#: Pieces that the server says in a second.
RATE = 2000
COLUMNS = ("pieces_per_second", "longest_gap_ms", "calls_per_second", "cpu_percent", "pieces_waiting")


def paced(rate):
    """An endless stream of pieces of six characters, in lines of ninety, at an even rate whatever each write costs."""
    chunk = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n'
    word, line = chunk % b"word, ", chunk % rb"word.\n"
    began, number = time.perf_counter(), 0
    while True:
        number += 1
        yield line if number % 15 == 0 else word
        ahead = began + number / rate - time.perf_counter()
        if ahead > 0.001:
            yield ahead


def flood(toolkit, mode, work, seconds, environment):
    """The numbers of one window; the server runs in this process, the window in one of its own."""
    with ScriptedServer(lambda request: StreamReply(paced(RATE))) as server:
        command = [sys.executable, str(HERE / "flood.py"), toolkit, mode, work, str(seconds), server.base_url]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"flood.py ended with status {done.returncode}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main(seconds="5"):
    """Print a row for each toolkit and way."""
    print(f"{RATE} pieces a second, {seconds} s each, {os.cpu_count()} processors")
    print(f"{'':44}" + "".join(f"{name:>19}" for name in COLUMNS))
    with screen() as environment:
        for toolkit, work, mode in itertools.product(("tk", "qt"), ("append", "render"), ("joined", "single")):
            row = flood(toolkit, mode, work, float(seconds), environment)
            label = f"{row['version']}, {work}, {mode}"
            print(f"{label:44}" + "".join(f"{row[name]:>19}" for name in COLUMNS), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
