"""Earlier prompts, for arrow-up: a file in the folder where programs of a user keep their state.

The file is for its owner alone. A prompt that holds a key does not get there: neither the value of a key variable nor
anything that looks like a key, for people paste the wrong thing.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from compatapi.cli.failures import keys_in_use
from compatapi.cli.terminal import encodable

__all__ = ["holds_key", "open_history", "state_folder"]

# "sk-...", "gsk_...", "hf_...", "AIza...": a short word, then a long one with a digit in it.
_LOOKS_LIKE_KEY = re.compile(r"(?<![\w-])(?:AIza|[A-Za-z]{2,8}[-_])(?=[\w-]*\d)[\w-]{20,}")

#: Bytes. A longer file is cut to the younger half when a conversation begins.
_LONGEST_FILE = 1 << 20


def state_folder() -> Path:
    """Where this program keeps what it remembers: the place that the system has for it."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "compatapi"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "compatapi"
    named = os.environ.get("XDG_STATE_HOME", "")
    # XDG Base Directory Specification: a path that is not absolute is to be ignored.
    return (Path(named) if os.path.isabs(named) else Path.home() / ".local" / "state") / "compatapi"


def holds_key(text: str, keys: Iterable[str]) -> bool:
    """Whether a text holds one of the keys, or what looks like one."""
    return _LOOKS_LIKE_KEY.search(text) is not None or any(key in text for key in keys)


def open_history() -> History:
    """The prompts of earlier conversations; of this one alone if there is no file to be had."""
    try:
        path = state_folder() / "history"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600))
        _cut(path)
    except (OSError, RuntimeError):  # Path.home() raises RuntimeError where nobody has a home
        return InMemoryHistory()
    return _KeylessHistory(str(path))


class _KeylessHistory(FileHistory):
    def store_string(self, string: str) -> None:
        """Write a prompt, unless it holds a key. A full disk is no reason to end a conversation."""
        if not holds_key(string, keys_in_use()):
            with contextlib.suppress(OSError):
                super().store_string(encodable(string))


def _cut(path: Path) -> None:
    """Drop the older prompts of a long file. Each begins with a line that is "#" and its time."""
    if path.stat().st_size <= _LONGEST_FILE:
        return
    younger = path.read_bytes()[-_LONGEST_FILE // 2 :]
    kept = path.with_name("history.new")
    with open(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(b"\n#" + younger.partition(b"\n#")[2])
    kept.replace(path)
