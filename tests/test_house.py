"""The house: imports go down its storeys, names stay in their rooms, the front door is complete."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import compatapi

ROOT = Path(compatapi.__file__).parent
STOREYS = (
    ("errors", "stats"),
    ("wire", "jsontext", "http_types", "framing", "chunked", "compressed", "http1"),
    ("message_types",),
    ("chat_types",),
    ("service_types", "quirks", "toolcalls", "call", "retry"),
    ("shapes", "growing"),
    ("hooks", "shortway"),
    ("convert", "accumulate"),
    ("dialects.thinking", "dialects.addressing", "dialects.api_errors", "dialects.forms"),
    ("dialects.fields", "dialects.base", "dialects.native"),
    ("dialects.*",),  # each of the wire formats
    ("dialects",),
    # The front door of the tests' servers imports nothing; the rooms of the demonstration serve a row of the providers.
    ("testing", "testing.http1", "testing.script", "testing.connection", "testing.http_server", "testing.playbook"),
    ("testing.answers", "testing.chat", "testing.chat_script", "testing.faults", "testing.sketch"),
    ("testing.services", "testing.services.base"),
    ("testing.demo", "testing.demo_answers", "testing.demo_texts"),
    ("providers", "decoding", "connections", "callbacks", "options"),
    ("transport", "stream", "resolve", "formats"),
    ("handle",),
    ("sender", "gui"),
    ("client",),
    ("testing.*", "testing.services.*"),  # the other rooms
    ("cli", "__main__"),
)
HEIGHT = {name: height for height, names in enumerate(STOREYS) for name in names}
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
    if path != ROOT / "__init__.py"
}


def storey(module: str) -> int:
    """The storey of a module; the files of a package that has one share it."""
    while module not in HEIGHT:
        assert "." in module, f"{module} has no place in the house"
        module = module.rpartition(".")[0]
        if f"{module}.*" in HEIGHT:
            return HEIGHT[f"{module}.*"]
    return HEIGHT[module]


def imports(path: Path) -> list[str]:
    """The modules of ours that a file imports, anywhere in it, but for what only a type checker reads."""
    found = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("compatapi."):
            found.append(node.module.removeprefix("compatapi."))
        elif isinstance(node, ast.Import):
            found.extend(a.name.removeprefix("compatapi.") for a in node.names if a.name.startswith("compatapi."))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("module", SOURCES)
def test_imports_go_down(module):
    """No module imports one of a higher storey."""
    higher = [other for other in imports(SOURCES[module]) if storey(other) > storey(module)]
    assert [] == higher


def test_no_dialect_imports_another():
    """Each wire format can be read alone."""
    from compatapi.dialects import DIALECTS

    def dialect_of(module: str) -> str | None:
        name = module.removeprefix("dialects.").partition(".")[0]
        return name if module.startswith("dialects.") and name in DIALECTS else None

    crossing = [
        (module, other)
        for module, path in SOURCES.items()
        for other in imports(path)
        if dialect_of(module) and dialect_of(other) not in (None, dialect_of(module))
    ]
    assert [] == crossing


def test_only_the_transport_knows_requests():
    """requests and urllib3 are imported by the transport and its connections alone."""
    knowing = {
        module
        for module, path in SOURCES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
        if name.partition(".")[0] in ("requests", "urllib3")
    }
    assert {"transport", "connections"} == knowing


def test_no_code_asks_which_provider_it_is():
    """Providers' names are data of providers.py and words of dialects; no other code compares with one."""
    from compatapi.providers import PROVIDERS

    asking = [
        f"{module}: {ast.unparse(node)}"
        for module, path in SOURCES.items()
        if module != "providers" and not module.startswith(("dialects", "testing"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Constant) and side.value in PROVIDERS
    ]
    assert [] == asking


def test_the_front_door_is_complete_and_sorted():
    """Every public name can be had, is listed once, and in order."""
    names = compatapi.__all__
    assert sorted(set(names)) == list(names)
    assert [] == [name for name in names if getattr(compatapi, name, None) is None]
    assert set(names) <= set(dir(compatapi))


def test_the_front_door_has_the_public_names_of_its_rooms():
    """What the modules for users declare public is public here too."""
    from compatapi import chat_types, errors

    helpers = {"status_error_class"}
    assert set() == (set(chat_types.__all__) | set(errors.__all__)) - helpers - set(compatapi.__all__)


def test_an_unknown_name_is_an_attribute_error():
    """A name that is not there is refused as Python refuses it."""
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        compatapi.nonsense  # noqa: B018


def test_importing_is_cheap():
    """``import compatapi`` loads none of the packages it needs later."""
    code = (
        "import sys, compatapi; heavy = {'requests', 'urllib3', 'attr', 'attrs', 'cattrs', 'orjson', 'click', 'rich',"
        " 'socket', 'ssl', 'json', 'threading'}; print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT.parent)},
        check=True,
    )
    assert "[]" == found.stdout.strip()
