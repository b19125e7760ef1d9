"""What the tests share."""

import pytest


@pytest.fixture
def letter(tmp_path):
    """A file with a text."""
    path = tmp_path / "letter.txt"
    path.write_text("The harbor is frozen, and the ferry waits.", encoding="utf-8")
    return path
