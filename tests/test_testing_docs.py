"""The page about testing is true: its recipes pass, and its table of faults is that of the faults."""

import math
import re
import runpy
from pathlib import Path

import compatapi.testing
import compatapi.testing.cassette
from compatapi.testing import DemoServer

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What the README has above its recipe.
REQUEST = """
from compatapi import ChatCompletionRequest, Message
request = ChatCompletionRequest("m", [Message.user("hello")])
"""

pytest_plugins = ["pytester"]


def test_the_recipes_pass(pytester, monkeypatch):
    """Run by pytest as the files that a reader makes of them, all recipes of the page and of the README pass."""
    # Inner runs forget what they were the first to import, and would make a second one.
    for name in compatapi.testing.__all__:
        getattr(compatapi.testing, name)
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    recipe = next(block for block in BLOCK.findall(readme) if "def test_" in block)
    pytester.makepyfile(test_page="\n".join(BLOCK.findall(page)), test_readme=REQUEST + recipe)
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = -p compatapi.testing.plugin --strict-markers\n")
    with DemoServer(speed=math.inf) as server:
        monkeypatch.setattr(compatapi.testing, "shared_demo_server", lambda: server)
        result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=12)


def test_the_table_of_faults_is_fresh():
    """docs/testing.md holds the table as it is; else run docs/make_testing_table.py."""
    script = runpy.run_path(str(ROOT / "docs" / "make_testing_table.py"))
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    assert 1 == page.count(script["BEGIN"]) == page.count(script["END"])
    assert script["with_table"](page) == page


def test_every_fault_says_what_it_is():
    """The table has one sentence about each fault."""
    script = runpy.run_path(str(ROOT / "docs" / "make_testing_table.py"))
    told = [script["row"](name, fault)[-1] for name, fault in script["FAULTS"].items()]
    assert [] == [text for text in told if not re.fullmatch(r"[A-Z][^|]{10,}\.", text)]
