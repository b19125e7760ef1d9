"""A screen for all tests of this folder, and an honest word about what this machine cannot show.

Where a toolkit cannot open a window (no Xvfb and no screen, no tkinter, no GTK) its tests are left out, and the log
says so at its end. The toolkits that COMPATAPI_GUI_TESTS names, as in `.ci/run`, have their tests fail instead.
"""

import os

import pytest

from gui.screens import lacks, screen

LACKS = lacks()


def pytest_collection_modifyitems(config, items):
    """Leave out the tests whose toolkit is missing here."""
    left_out = {*LACKS} - {*os.environ.get("COMPATAPI_GUI_TESTS", "").split()}
    missing = [item for item in items if hasattr(item, "callspec") and item.callspec.params.get("toolkit") in left_out]
    config.hook.pytest_deselected(items=missing)
    items[:] = [item for item in items if item not in missing]


def pytest_terminal_summary(terminalreporter):
    """Say what was left out, and why."""
    for toolkit, reason in LACKS.items():
        terminalreporter.write_line(f"NOT TESTED: windows of {toolkit}: {reason}", yellow=True)


@pytest.fixture(scope="session")
def environment():
    """The environment for programs with windows."""
    with screen() as found:
        yield found
