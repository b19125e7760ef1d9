"""The pictures of the documentation can be made again, and are of the size that they have there."""

import sys

import pytest

from gui.playing import EXAMPLES, run

DOCS = EXAMPLES.parent / "docs"


def look(path):
    """The size of a picture, and whether it shows something."""
    from PIL import Image

    with Image.open(path) as picture:
        return picture.size, len(picture.getcolors(1 << 20)) > 3


@pytest.mark.parametrize("toolkit", ["tk", "qt"])
def test_the_pictures_can_be_made(toolkit, environment, tmp_path):
    """The script makes every picture that is in the documentation, and shows something in each."""
    run([sys.executable, str(DOCS / "make_screenshots.py"), str(tmp_path), toolkit], environment)
    kept = {path.name: look(path) for path in (DOCS / "pictures").glob(f"{toolkit}*.png")}
    assert kept == {path.name: look(path) for path in tmp_path.glob("*.png")}
    assert {True} == {is_something for _, is_something in kept.values()}
