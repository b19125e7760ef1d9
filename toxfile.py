"""Show tox the interpreters that version managers have installed but not activated.

``python3.12`` on the search path may be a shim of pyenv or asdf that fails unless 3.12 was
activated by hand; tox would then skip py312 on a machine that has it. This inline plugin adds the
managers' own folders behind the search path, so that whatever tox finds by itself comes first.
(uv's folder and Windows's registry are known to tox already.)
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tox.plugin import impl

# The variable that moves a manager's root, its default in the home folder, the versions' place.
MANAGERS = (
    ("PYENV_ROOT", ".pyenv", "versions"),
    ("ASDF_DATA_DIR", ".asdf", "installs/python"),
    ("MISE_DATA_DIR", ".local/share/mise", "installs/python"),
)
# All three give CPython a bare version as its folder name; PyPy, conda and "3.13.0t" have more.
CPYTHON = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def interpreter_folders() -> Iterator[str]:
    """Yield the ``bin`` folder of every CPython of every manager, newest first."""
    for variable, default, versions in MANAGERS:
        root = Path(os.environ.get(variable) or Path.home() / default)
        found = [
            (tuple(map(int, match.groups())), path)
            for path in root.glob(f"{versions}/*/bin")
            if (match := CPYTHON.fullmatch(path.parent.name))
        ]
        yield from (str(path) for _, path in sorted(found, reverse=True))


@impl
def tox_add_core_config(core_conf: Any, state: Any) -> None:
    """Extend PATH before tox looks for the first interpreter."""
    known = os.environ.get("PATH", os.defpath).split(os.pathsep)
    added = [folder for folder in interpreter_folders() if folder not in known]
    os.environ["PATH"] = os.pathsep.join(known + added)
