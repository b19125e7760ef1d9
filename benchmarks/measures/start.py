"""What a program pays before its first answer: importing, and the first call of a fresh process."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, requires

import peers
from model import Row, Section, Sizes, exactly
from timing import in_turns, ratios

ABOUT = """CPU of a fresh process, without that of starting Python itself, as a ratio to openai-python; and how many
distributions an installation brings with it. The first call is one of 1 KB, with everything that is loaded for it."""
_COMPATAPI = """
from compatapi import ChatCompletionRequest, Client, Message
Client(base_url={url!r}).chat_completion(ChatCompletionRequest("m", [Message.user("Hi")]))
"""
_OPENAI = """
import openai
messages = [{{"role": "user", "content": "Hi"}}]
openai.OpenAI(api_key="none", base_url={url!r}).chat.completions.create(model="m", messages=messages)
"""
PROGRAMS = {
    "import": {peers.OURS: "import compatapi", peers.OPENAI: "import openai"},
    "import, client and first call": {peers.OURS: _COMPATAPI, peers.OPENAI: _OPENAI},
}
TARGETS = {"import": (0.36, 0.1), "import, client and first call": (0.36, 0.28)}


def measure(base: str, sizes: Sizes) -> Section:
    """Two rows of CPU and one of distributions."""
    section = Section("Start", ABOUT)
    there = peers.present()
    if peers.OPENAI not in there:
        section.remarks.append("openai-python is not here: nothing to compare with.")
        return section
    for name, programs in PROGRAMS.items():
        url = f"{base}/call/700/v1"
        runs = {client: partial(_spent, text.format(url=url)) for client, text in programs.items() if client in there}
        for run in runs.values():  # the compiled files are there, as after an installation
            run()
        section.rows.append(Row(name, ratios(in_turns(runs, sizes.starts), peers.OPENAI), *TARGETS[name]))
    counts = {client: _distributions(name) for client, name in ((peers.OURS, "compatapi"), (peers.OPENAI, "openai"))}
    figures = {client: exactly(count) for client, count in counts.items() if count}
    if figures:
        section.rows.append(Row("distributions installed with it", figures, 9, 8, unit="n"))
    else:
        section.remarks.append("Distributions are not counted: packaging is not here.")
    return section


def _spent(program: str) -> float:
    code = f"import time\nstart = time.process_time()\n{program}\nprint(time.process_time() - start)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(said.stdout)


def _distributions(name: str) -> int:
    """How many others a distribution needs, all the way down, on this machine; 0 if that cannot be told."""
    try:
        from packaging.requirements import Requirement
        from packaging.utils import canonicalize_name
    except ImportError:
        return 0
    found: set[str] = set()
    waiting = [name]
    while waiting:
        try:
            needs = requires(waiting.pop()) or []
        except PackageNotFoundError:
            continue
        for need in map(Requirement, needs):
            other = canonicalize_name(need.name)
            if other not in found and (need.marker is None or need.marker.evaluate({"extra": ""})):
                found.add(other)
                waiting.append(other)
    return len(found)
