"""The table of faults: what a server may do wrong, what a program gets, and what it keeps.

Each row is run by ``test_faults.py``, and told in ``docs/faults.md``, which ``docs/make_faults_table.py`` writes.
"""

from fault_rows import anthropic, dashscope, gemini, hunyuan, ollama
from fault_rows.bodies import CHUNKS, CUT
from fault_rows.errors import ERRORS, NO_STREAM
from fault_rows.native import shared
from fault_rows.refusals import STATUS
from fault_rows.road import HEAD, ROAD
from fault_rows.values import BEHIND, TEXT, VALUES
from fault_rows.waits import ENDLESS, STALL

#: What goes wrong in the same way at every service with a format of its own, by the service.
SHARED = {rows.WIRE.provider: shared(rows.WIRE) for rows in (anthropic, dashscope, gemini, hunyuan, ollama)}
TABLE = {
    "No road to the server": ROAD,
    "The head of the answer": HEAD,
    "Status": STATUS,
    "Shapes of errors": ERRORS,
    "An answer that is no stream": NO_STREAM,
    "Cut short, and codings": CUT,
    "Chunks": CHUNKS,
    "Silence": STALL,
    "Without end": ENDLESS,
    "JSON": VALUES,
    "Text": TEXT,
    "Behind the end": BEHIND,
    "At each of Anthropic, DashScope, Gemini, Hunyuan and Ollama": SHARED["anthropic"],
    "Anthropic": anthropic.OWN + anthropic.STATUSES,
    "DashScope": dashscope.OWN + dashscope.STATUSES,
    "Gemini": gemini.OWN + gemini.STATUSES,
    "Hunyuan": hunyuan.OWN + hunyuan.STATUSES,
    "Ollama": ollama.OWN + ollama.STATUSES,
}
FAULTS = [fault for faults in TABLE.values() for fault in faults]
FAULTS += [fault for provider, faults in SHARED.items() if provider != "anthropic" for fault in faults]
