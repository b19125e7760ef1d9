"""The documentation is true: every name is in it, its programs run, and the rules have the numbers that code cites."""

import math
import re
from pathlib import Path

import pytest

import compatapi
import compatapi.testing
from compatapi import convert
from compatapi.providers import PROVIDERS
from compatapi.testing import DemoServer

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Names that a page takes as given.
PRELUDES = {"providers.md": {"token": "a-token"}}


def blocks_of(page):
    """Return (line number, text) of each Python block of a page."""
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, found.start(1)), found.group(1)) for found in BLOCK.finditer(text)]


@pytest.fixture
def demo(monkeypatch):
    """Make `Client("demo")` and `Client("openai")` talk to a demo server without pauses, and give every row a key."""
    with DemoServer(speed=math.inf) as server:
        for row in PROVIDERS.values():
            for name in row.key_env:
                monkeypatch.setenv(name, "a-key")
            for name in row.base_url_env:
                monkeypatch.setenv(name, server.url)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("HOUSE_LLM_KEY", "a-key")
        monkeypatch.setattr(compatapi.testing, "shared_demo_server", lambda: server)
        own = convert.converter.copy()  # a page registers hooks of its own
        monkeypatch.setattr(convert, "converter", own)
        monkeypatch.setattr(compatapi, "converter", own)
        yield server


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=lambda page: page.name)
def test_the_programs_of_a_page_run(page, demo):
    """The Python blocks of a page run one after the other, as one program, and each raises nothing."""
    namespace = {"__name__": f"page_{page.stem}", **PRELUDES.get(page.name, {})}
    ran = 0
    for line, block in blocks_of(page):
        # Blank lines in front make a traceback name the line of the page.
        exec(compile("\n" * line + block, str(page), "exec"), namespace)
        ran += 1
    assert page.read_text(encoding="utf-8").count("```python") == ran


def test_every_public_name_is_documented():
    """Each name of `compatapi.__all__` is on the page of names, once."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    pattern = r"^\.\. currentmodule:: (\S+)|^\.\. (?:auto\w+|py:data):: (\w+)$"
    module, names = "", []
    for found in re.finditer(pattern, page, re.MULTILINE):
        module = found.group(1) or module
        if module == "compatapi" and found.group(2):
            names.append(found.group(2))
    assert sorted(compatapi.__all__) == sorted(names)


def test_the_names_of_the_servers_for_tests_are_documented():
    """Each name of `compatapi.testing.__all__` but that of the headers is on the page of names."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    names = re.findall(
        r"^\.\. (?:auto\w+|py:data):: (\w+)$", page.partition("currentmodule:: compatapi.testing")[2], re.MULTILINE
    )
    assert sorted({*compatapi.testing.__all__} - {"Headers"}) == sorted(names)


@pytest.mark.parametrize(
    ("page", "start", "last"), [("event-stream.md", "## A", 44), ("openai-compatible.md", "## 3", 21)]
)
def test_the_rules_are_numbered_without_a_gap(page, start, last):
    """Code and tests cite the rules by number, so the pages have all of them in order."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(start)[2].partition("\n## 4")[0]
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]
    assert [*range(1, last + 1)] == numbers


def test_every_page_is_in_a_table_of_contents():
    """A reader can get to each page from the front page."""
    front = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = {line for block in re.findall(r"```\{toctree\}(.*?)```", front, re.DOTALL) for line in block.split()}
    pages = {page.stem for page in PAGES if page.parent.name == "docs"}
    assert {"index"} == pages - listed


def test_the_links_of_the_readme_lead_somewhere():
    """What the README links to inside the repository is there."""
    links = re.findall(r"\]\(([\w./-]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 5
    assert [] == [link for link in links if not (ROOT / link).exists()]


def test_the_names_of_providers_in_the_readme_are_known():
    """The README names no provider that has no row."""
    named = re.findall(r'Client\("([\w-]+)"\)', (ROOT / "README.md").read_text(encoding="utf-8"))
    assert [] == [name for name in named if name not in PROVIDERS]
