"""The command ``compatapi`` and its parts."""

from __future__ import annotations

import click
import rich  # noqa: F401 - missing it is told before anything is done, not in the middle

from compatapi import __version__
from compatapi.cli.chat import chat
from compatapi.cli.convert import convert
from compatapi.cli.listing import models, providers
from compatapi.cli.record import record
from compatapi.cli.replay import replay
from compatapi.cli.terminal import protect_streams

__all__ = ["app", "run"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="compatapi %(version)s")
def app() -> None:
    """Chat with language models, on any OpenAI-compatible server.

    Try it without a key and without a network: compatapi chat --demo "Tell me a story"
    """


for command in (chat, convert, models, providers, record, replay):
    app.add_command(command)


def run() -> None:
    """Run it with the arguments of this process, and exit."""
    protect_streams()
    app(prog_name="compatapi")
