"""A model that says 2,000 pieces a second does not make a window wait."""

import pytest

from compatapi.testing import ScriptedServer, StreamReply
from gui.measure import RATE, flood, paced
from gui.playing import first_good, play

BOTH = pytest.mark.parametrize("toolkit", ["tk", "qt"])
#: Milliseconds that a window may be without a heartbeat.
GAP = 50
SECONDS = 1.5


@BOTH
@pytest.mark.parametrize("work", ["append", "render"])
def test_a_flood_of_pieces(toolkit, work, environment):
    """2,000 pieces a second are shown as they come, and the heartbeat never gaps by 50 ms."""
    row = first_good(
        lambda: flood(toolkit, "joined", work, SECONDS, environment),
        lambda row: row["longest_gap_ms"] < GAP and row["pieces_per_second"] > 0.95 * RATE,
    )
    assert row["longest_gap_ms"] < GAP, row
    assert row["pieces_per_second"] > 0.95 * RATE, row
    assert row["calls_per_second"] <= 60, row


@BOTH
def test_the_same_without_joining(toolkit, environment):
    """Without the adapter each piece is an event, and the program works much more for the same text."""
    rows = [flood(toolkit, mode, "append", SECONDS, environment) for mode in ("joined", "single")]
    joined, single = rows
    assert single["calls_per_second"] > 10 * joined["calls_per_second"], rows
    assert single["cpu_percent"] > 1.2 * joined["cpu_percent"], rows


@BOTH
def test_a_flood_in_the_chat(toolkit, environment):
    """The chat programs live through it as well, with everything that they show besides."""

    def measure():
        with ScriptedServer(lambda request: StreamReply(paced(RATE))) as server:
            return play(toolkit, "flood", environment, "--base-url", server.base_url, "--model", "m")

    notes = first_good(measure, lambda notes: notes["worst"] * 1000 < GAP)
    assert notes["worst"] * 1000 < GAP, notes
    assert notes["pieces"] > RATE, notes
