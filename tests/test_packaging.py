"""The files that describe the package agree with one another."""

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lower_bounds() -> dict[str, str]:
    """Return the lower bound that setup.cfg gives each dependency, by name."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = setup["options.extras_require"]
    lists = [setup["options"]["install_requires"], extras["cli"], extras["test"], extras["dev"]]
    return dict(re.findall(r"^([\w-]+)>=([\d.]+)", "\n".join(lists), re.MULTILINE))


def test_the_oldest_dependencies_tested_are_the_oldest_allowed():
    """The pins of the tox environment "oldest" are exactly the lower bounds of setup.cfg."""
    pins = (ROOT / "tests" / "constraints-oldest.txt").read_text(encoding="utf-8")
    assert lower_bounds() == dict(re.findall(r"^([\w-]+)==([\d.]+)$", pins, re.MULTILINE))
