"""Make the pictures of gui.md of the programs in examples/: tox exec -e gui -- python docs/make_screenshots.py

Needs Xvfb. They go into docs/pictures, or into the folder that is named behind it; "tk" or "qt" behind that makes those
alone. A picture is named after its program, with what it shows behind a hyphen, and carries the digest of the program's
source; tests/test_gui.py compares the two, so that no picture outlives what it shows.
"""

import hashlib
import sys
from pathlib import Path

from PIL import Image, PngImagePlugin

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from compatapi.testing import DemoServer  # noqa: E402
from gui.playing import play  # noqa: E402
from gui.screens import screen  # noqa: E402

#: Picture: the scenario of tests/gui/scenarios.py that takes it.
PICTURES = {
    "tk_chat-answer": "picture_answer",
    "tk_chat-error": "picture_error",
    "qt_chat-answer": "picture_answer",
    "tk_progress": "picture_progress",
}


def stamp(path: Path, program: Path) -> None:
    """Write the digest of a program into a picture of it."""
    about = PngImagePlugin.PngInfo()
    about.add_text("program", program.name)
    about.add_text("sha256", hashlib.sha256(program.read_text(encoding="utf-8").encode()).hexdigest())
    with Image.open(path) as picture:
        picture.convert("RGB").save(path, pnginfo=about, optimize=True)


def main(folder: str = str(ROOT / "docs" / "pictures"), toolkit: str = "") -> None:
    """Play the scenarios and save the pictures."""
    Path(folder).mkdir(exist_ok=True)
    with DemoServer(speed=60) as server, screen() as environment:
        for name, scenario in PICTURES.items():
            if not name.startswith(toolkit):
                continue
            program, path = name.partition("-")[0] + ".py", Path(folder, f"{name}.png")
            variables = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "none", "PICTURE": str(path)}
            arguments = ["openai"] if "chat" in program else ["openai", "demo-story"]
            play(name[:2], scenario, environment, *arguments, program=program, **variables)
            stamp(path, ROOT / "examples" / program)
            print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
