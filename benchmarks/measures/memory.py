"""Memory that a long stream takes, each client in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import peers
from model import Row, Section, Sizes, exactly

ABOUT = """Growth of the resident memory from the thousandth chunk of a text stream to its last, in megabytes, each
client in a process of its own. compatapi is measured twice: keeping nothing, and with the answer accumulated, of which
the text alone is some of it."""


def measure(base: str, sizes: Sizes) -> Section:
    """One row."""
    section = Section("Memory", ABOUT)
    names = [name for name in peers.present() if name != peers.LIMIT]
    figures = {}
    for name in [f"{peers.OURS}, nothing kept", *names]:
        command = [sys.executable, str(Path(__file__).parents[1] / "grow.py"), name, f"{base}/text/{sizes.memory}/v1"]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if said.returncode:
            section.remarks.append(f"{name}: {said.stderr.strip().splitlines()[-1]}")
            continue
        figures[name] = exactly(float(said.stdout))
    row = Row(f"{sizes.memory:,} chunks", figures, 0.5, 0.1, judged=f"{peers.OURS}, nothing kept", unit="MB")
    section.rows = [row] if figures else []
    return section
