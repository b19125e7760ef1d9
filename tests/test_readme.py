"""The README's commands are the ones that are run."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def readme_commands() -> list[str]:
    """Return the README's commands for a fresh machine, in their order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^python3 -m venv .*$", text, re.MULTILINE)


def test_the_readme_has_one_command_for_the_demo_and_one_for_the_tests():
    """A fresh machine needs one command to see the demo and one to run all tests."""
    programs = [command.split(" && ")[-1].split()[0] for command in readme_commands()]
    assert [".venv/bin/compatapi", ".venv/bin/tox"] == programs


def test_ci_runs_the_second_command_of_the_readme():
    """`.ci/run` ends with what the README tells people to run, letter for letter."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert readme_commands()[1] == script.splitlines()[-1]
