"""The benchmark runs, and its tables, page and plots have what they say. What it measures here means nothing."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"


def in_benchmarks(code, *options):
    """What a small program says that can import the rooms of the benchmark."""
    command = [sys.executable, *options, "-c", f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment()).stdout


def environment():
    """Without recordings, which have tests of their own and would take longer."""
    return {**os.environ, "COMPATAPI_RECORDINGS": str(BENCHMARKS / "none"), "PYTHONWARNINGS": "error::ResourceWarning"}


@pytest.fixture(scope="module")
def said():
    """What a whole run prints, with sizes that only show that every line runs."""
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--tiny"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment(), check=False)
    assert run.stderr == ""
    assert run.returncode == 0
    return run.stdout


TITLES = [
    "Streams",
    "Recorded streams",
    "Native protocols",
    "Styles and promises",
    "Added latency",
    "3 threads",
    "Calls",
    "Growth",
    "Memory",
    "Start",
    "Formats",
]


def test_every_table_is_printed(said):
    """A run ends well and prints each table under its heading."""
    assert TITLES == [line for line in said.splitlines() if line in TITLES]


def test_a_run_says_what_it_ran_with_and_what_it_left_out(said):
    """The versions come first, and the recordings that are not there are named."""
    assert said.startswith(f"CPython {sys.version.split()[0]}")
    assert "There are no recordings at 'none' (COMPATAPI_RECORDINGS): left out." in said


def test_a_run_counts_the_targets(said):
    """The last lines say how many targets are reached, and which are not."""
    assert "rows with a target" in said


EXAMPLE = """
import report
from model import Row, Section
from timing import Ratio

figures = {"limit": Ratio(1, 1, 1), "compatapi": Ratio(2, 1.9, 2.1)}
rows = [Row("fast <one>", figures, 2.2, 1.3), Row("slow", figures, 1.5, 1.3)]
rows += [Row("free", figures), Row("best", figures, 4, 2)]
section = Section("A table", "What it says.", rows, plot="example")
"""


def test_the_page_says_what_falls_short():
    """A row that misses what it must is listed in front of the tables, the others are not."""
    page = in_benchmarks(f"{EXAMPLE}\nprint(report.page([section], quick=True))")
    assert "Of 3 rows with a target 2 reach what they must, 1 of them the dream." in page
    assert ["- A table: slow 2.00."] == [line for line in page.splitlines() if line.startswith("- ")]
    assert "| slow | 1.00 | 2.00 (1.90-2.10) | 1.5 | 1.3 | **missed** |" in page


def test_a_plot_is_an_image():
    """A plot is well-formed SVG with a dot for each figure, and needs no other file."""
    tree = ElementTree.fromstring(in_benchmarks(f"{EXAMPLE}\nprint(report.plot(section))"))
    space = "{http://www.w3.org/2000/svg}"
    assert f"{space}svg" == tree.tag
    assert 2 * 4 == len(tree.findall(f"{space}circle/{space}title"))
    assert "fast <one>" in [text.text for text in tree.findall(f"{space}text")]
    assert [] == [name for element in tree.iter() for name in element.attrib if name.endswith("href")]


def test_recordings_are_made_long():
    """Only events that go on with a text are repeated, where they stand; heads and ends stay single."""
    code = """
import pathlib, tempfile, recordings
chunk = 'data: {"choices":[{"index":0,"delta":{%s},"finish_reason":%s}]}\\n\\n'
say = [chunk % (f'"content":"{word}"', "null") for word in "abc"]
file = pathlib.Path(tempfile.mkdtemp(), "some-text.sse")
file.write_text(chunk % ('"role":"assistant"', "null") + "".join(say) + chunk % ("", '"stop"') + "data: [DONE]")
made = recordings.lengthen(recordings.load(file), 6)
print("".join(letter for data in made for letter in "abc" if f'"{letter}"'.encode() in data))
print(len(made), made[-1])
"""
    assert ["abcabc", f"9 {b'data: [DONE]' + bytes([10, 10])!r}"] == in_benchmarks(code).splitlines()


def test_targets_are_those_that_were_set():
    """Targets are in the rows of the tables, so that nobody moves one without being seen."""
    code = "from measures import streams; print(streams.TARGETS['text'], streams.TARGETS['tools'])"
    assert "(2.2, 1.3) (3.5, 2.7)" == in_benchmarks(code).strip()
