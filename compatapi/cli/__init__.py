"""The command line: ``compatapi chat``, ``models`` and ``providers``. Needs the extra ``cli`` (click and rich)."""

from __future__ import annotations

import sys

__all__ = ["main"]

_NEEDED = ("click", "rich")


def main() -> None:
    """Run the command line with the arguments of this process, and exit."""
    try:
        from compatapi.cli.app import run
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        missing = (
            'compatapi: the command line needs click and rich; install compatapi[cli]: pip install "compatapi[cli]"'
        )
        print(missing, file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:  # loading takes a moment, in which a person may think again
        raise SystemExit(130) from None
    run()
