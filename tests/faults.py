"""The table of faults: what a server may do wrong, what a program gets, and what it keeps.

Each row is run by ``test_faults.py``, and told in ``docs/faults.md``, which ``docs/make_faults_table.py`` writes.
"""

from fault_rows.bodies import CHUNKS, CUT
from fault_rows.errors import ERRORS, NO_STREAM
from fault_rows.refusals import STATUS
from fault_rows.road import HEAD, ROAD
from fault_rows.values import BEHIND, TEXT, VALUES
from fault_rows.waits import ENDLESS, STALL

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
}
FAULTS = [fault for faults in TABLE.values() for fault in faults]
