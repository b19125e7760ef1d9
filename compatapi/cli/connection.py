"""Which server the command line talks to: options, client, and the model when none was named."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
from attrs import evolve, frozen

from compatapi.call import Timeouts
from compatapi.cli.terminal import Output, one_line
from compatapi.client import Client
from compatapi.errors import ConfigError, DecodeError, NotFoundError
from compatapi.retry import RetryEvent

__all__ = ["Connection", "connection_options"]

F = TypeVar("F", bound=Callable[..., Any])

_SECONDS = click.FloatRange(min=0, min_open=True)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def _variable(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None or (_NAME.fullmatch(value) and os.environ.get(value)):
        return value
    # The value is not shown: it may be a key that was given here by mistake.
    raise click.BadParameter("there is no such environment variable, or it is empty. Give its name, never the key.")


_OPTIONS = (
    click.option("-p", "--provider", metavar="NAME", help="The host, by a name of 'compatapi providers' [openai]."),
    click.option("--base-url", metavar="URL", help="Where the paths begin, such as http://localhost:8000/v1."),
    click.option("--api-key-env", metavar="NAME", callback=_variable, help="Environment variable that holds the key."),
    click.option("--demo", is_flag=True, help="Talk to the built-in demo: no key, no network."),
    click.option("--timeout", "total", type=_SECONDS, metavar="SECONDS", help="Limit for the whole call."),
    click.option("--connect-timeout", "connect", type=_SECONDS, metavar="SECONDS", help="Limit for connecting."),
    click.option(
        "--first-token-timeout", "first_token", type=_SECONDS, metavar="SECONDS", help="Limit until an answer begins."
    ),
    click.option("--idle-timeout", "idle", type=_SECONDS, metavar="SECONDS", help="Limit between two pieces."),
)


def connection_options(function: F) -> F:
    """Add the options that say which server; the command gets them as keywords for `Connection`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@frozen(kw_only=True)
class Connection:
    """What the options of a command say about the server."""

    provider: str | None
    base_url: str | None
    api_key_env: str | None
    demo: bool
    total: float | None
    connect: float | None
    first_token: float | None
    idle: float | None

    def open(self) -> Client:
        """A client for that server. Raises `ConfigError` as `Client` does."""
        if self.demo and (self.provider or self.base_url):
            raise click.UsageError("--demo is a server of its own; leave --provider and --base-url out.")
        return Client(
            "demo" if self.demo else self.provider,
            base_url=self.base_url,
            api_key=os.environ[self.api_key_env] if self.api_key_env else None,
            timeouts=self._timeouts(),
            on_retry=_say_retry,
        )

    def model(self, client: Client, wanted: str | None) -> str:
        """The model that was named, or the first that a server without a key offers."""
        # The variable names a model of a real host, which the demo does not know.
        named = wanted or (None if _is_inside(client) else os.environ.get("COMPATAPI_MODEL"))
        if named:
            return named
        if client.provider.key_required:
            raise ConfigError("No model was named: give --model or set COMPATAPI_MODEL ('compatapi models' lists them)")
        try:
            models = [model.id for model in client.models()]
        except (ConfigError, DecodeError, NotFoundError) as error:
            said = f"No model was named, and the server has no list of models ({error}): give --model"
            raise ConfigError(said) from error
        # Servers on one's own machine list models for embeddings among the others, often first.
        chatting = [name for name in models if "embed" not in name.lower()]
        if not chatting:
            raise ConfigError("No model was named, and the server offers none: give --model")
        return chatting[0]

    @property
    def knows_old_names(self) -> bool:
        """Whether it is a server that compatapi has no row for, and so most likely one with the older field names."""
        return self.base_url is not None and self.provider is None

    def _timeouts(self) -> Timeouts:
        given = {name: getattr(self, name) for name in ("total", "connect", "first_token", "idle")}
        return evolve(Timeouts(), **{name: limit for name, limit in given.items() if limit is not None})


def _is_inside(client: Client) -> bool:
    return callable(client.provider.base_url)


def _say_retry(event: RetryEvent) -> None:
    """Tell a person why nothing happens; a log gets the error at the end and nothing before."""
    output = Output(is_error=True)
    if output.is_terminal:
        output.line(f"{one_line(str(event.error))} - trying again in {event.delay:.1f} s", dim=True)
