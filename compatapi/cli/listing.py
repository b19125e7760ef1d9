"""``compatapi models`` and ``compatapi providers``: tables for people, lines for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

import click

from compatapi import jsontext
from compatapi.cli.connection import Connection, connection_options
from compatapi.cli.failures import Command
from compatapi.cli.terminal import Output, one_line
from compatapi.convert import to_json
from compatapi.dialects.base import Provider
from compatapi.providers import ALIASES, PROVIDERS
from compatapi.service_types import Model

__all__ = ["models", "providers"]


@click.command(cls=Command)
@connection_options
@click.option("--json", "as_json", is_flag=True, help="Write one line of JSON for each model.")
def models(as_json: bool, **connection: Any) -> None:
    """List the models that a server offers.

    A table on a terminal; one name per line in a pipe.
    """
    with Connection(**connection).open() as client:
        found = client.models()
    if as_json:
        _write_json(map(to_json, found))
    elif sys.stdout.isatty():
        _write_table(("Model", "Owner", "Since"), ((model.id, model.owned_by or "", _day(model)) for model in found))
    else:
        _write_lines((model.id,) for model in found)


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Write one line of JSON for each provider.")
def providers(as_json: bool) -> None:
    """List the hosts that are known by name, and whether their keys are set.

    A table on a terminal; lines of name, address, key variables and state of the key, divided by tabs, in a pipe. Keys
    are never shown.
    """
    rows = list(PROVIDERS.values())
    if as_json:
        _write_json(jsontext.dumps(_provider_json(row)) for row in rows)
        return
    cells = [(row.name, _address(row), " or ".join(row.key_env), _key_state(row)) for row in rows]
    if sys.stdout.isatty():
        _write_table(("Name", "Base URL", "Key variable", "Key"), cells)
    else:
        _write_lines(cells)


def _provider_json(row: Provider) -> dict[str, Any]:
    return {
        "name": row.name,
        "title": row.title,
        "aliases": [alias for alias, name in ALIASES.items() if name == row.name],
        **({"base_url": row.base_url} if isinstance(row.base_url, str) else {}),
        "base_url_variables": list(row.base_url_env),
        "key_variables": [{"name": name, "set": bool(os.environ.get(name))} for name in row.key_env],
        "key_required": row.key_required,
    }


def _address(row: Provider) -> str:
    """Where the host is: the variable's name rather than its value, which may hold a password."""
    named = next((name for name in row.base_url_env if os.environ.get(name)), None)
    if named is not None or row.base_url is None:
        return f"${named or ' or $'.join(row.base_url_env)}"
    return row.base_url if isinstance(row.base_url, str) else "inside this program"


def _key_state(row: Provider) -> str:
    if any(os.environ.get(name) for name in row.key_env):
        return "set"
    return "missing" if row.key_required else "not needed"


def _day(model: Model) -> str:
    try:
        return f"{datetime.fromtimestamp(model.created, timezone.utc):%Y-%m-%d}" if model.created else ""
    except (OverflowError, OSError, ValueError):  # some servers count otherwise than in seconds
        return ""


def _write_json(lines: Iterable[bytes]) -> None:
    output = Output()
    for line in lines:
        output.write_json(line)


def _write_lines(rows: Iterable[Sequence[str]]) -> None:
    for row in rows:
        click.echo("\t".join(map(one_line, row)), color=True)


def _write_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(head, overflow="fold", no_wrap=number == 0)  # a name that is cut cannot be copied
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))  # Text: brackets in a name are no markup
    Console(highlight=False).print(table)
