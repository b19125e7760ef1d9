"""A server of which every chat answer goes wrong in the same way, for the marker of the pytest plugin."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from compatapi.testing.chat_script import ChatScript
from compatapi.testing.expect import Expect
from compatapi.testing.faults import Fault, as_faults
from compatapi.testing.playbook import Handler
from compatapi.testing.script import Script
from compatapi.testing.server import ScriptedServer

__all__ = ["FaultyServer"]


class FaultyServer(ScriptedServer):
    """A `ScriptedServer` that puts a fault into each `ChatScript` that it is given; other scripts are left alone."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._fault = fault

    def add(self, *scripts: Script | Handler) -> None:
        """Put more scripts at the end of the queue, under the fault."""
        super().add(*(_under(self._fault, script) for script in scripts))


def _under(fault: Fault, script: Any) -> Any:
    if not hasattr(script, "play") and callable(script):
        return lambda request: _under(fault, script(request))
    if isinstance(script, Expect):
        return evolve(script, script=_under(fault, script.script))
    return evolve(script, fault=(*as_faults(script.fault), fault)) if isinstance(script, ChatScript) else script
