"""How a command ends that cannot go on: one line, an exit status, no traceback and no key."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from compatapi.cli.terminal import one_line
from compatapi.errors import CompatAPIError
from compatapi.providers import PROVIDERS

__all__ = ["INTERRUPTED", "Command", "Failure", "describe", "keys_in_use"]

#: Exit status after Ctrl-C: 128 and the number of SIGINT, as shells have it.
INTERRUPTED = 130

#: What the errors of the library call something, and what it is called on the command line.
_SPOKEN = (
    ("Client(base_url=...)", "--base-url"),
    ("api_key=...", "--api-key-env"),
    ("base_url=...", "--base-url"),
    ("set base_url", "set --base-url"),
    ("Timeouts(total=...)", "--timeout"),
    ("Timeouts(connect=...)", "--connect-timeout"),
    ("Timeouts(first_token=...)", "--first-token-timeout"),
    ("Timeouts(idle=...)", "--idle-timeout"),
)

#: Characters. A shorter value of a key variable is a placeholder, and hiding it would garble the message.
_SHORTEST_KEY = 8


class Failure(click.ClickException):
    """One line on standard error, and exit status 1."""

    def show(self, file: Any = None) -> None:
        """Write the line."""
        click.echo(f"compatapi: {self.message}", err=True)


class Command(click.Command):
    """A command whose errors are one line each."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except CompatAPIError as error:
            raise Failure(describe(error)) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader has seen enough; click ends the program quietly
                raise
            _give_up_output()
            raise Failure(one_line(f"Cannot write the answer: {error.strerror or error}")) from error
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if os.environ.get("COMPATAPI_TRACEBACK"):
                raise
            said = f"This is a defect of compatapi (COMPATAPI_TRACEBACK=1 shows where): {type(error).__name__}: {error}"
            raise Failure(describe(said)) from error


def describe(error: object) -> str:
    """What happened, as one line in the words of the command line, without any key in use."""
    text = str(error)
    for name, spoken in _SPOKEN:
        text = text.replace(name, spoken)
    for key in keys_in_use():
        text = text.replace(key, "***")
    return one_line(text)


def keys_in_use() -> list[str]:
    """The values of all key variables, the longest first, in case one is a part of another."""
    context = click.get_current_context(silent=True)
    named = context.params.get("api_key_env") if context is not None else None
    names = {name for row in PROVIDERS.values() for name in row.key_env} | ({named} if named else set())
    keys = {os.environ.get(name, "") for name in names}
    return sorted((key for key in keys if len(key) >= _SHORTEST_KEY), key=len, reverse=True)


def _give_up_output() -> None:
    """Send what is still buffered nowhere; the interpreter would fail once more over it at the end."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # no file behind it, so nothing that can be full
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
