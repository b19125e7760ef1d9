"""Which host a client talks to, with which key: from its arguments and, at that moment, from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from compatapi.dialects.base import Provider
from compatapi.errors import ConfigError
from compatapi.http_types import Secret, show_url
from compatapi.providers import get_provider

__all__ = ["find_base_url", "find_key", "find_provider", "from_environment"]


def find_provider(provider: str | Provider | None, base_url: str | None) -> Provider:
    """The row of a provider; of none in particular for a base URL alone; of OpenAI for nothing at all."""
    if isinstance(provider, Provider):
        return provider
    if provider is None and base_url is not None:
        return Provider("compatible", base_url)
    return get_provider(provider or "openai")


def find_base_url(row: Provider, base_url: str | None) -> str:
    """Where the paths begin.

    Raises:
        ConfigError: Nobody says where, or what is said is no http(s) URL.
    """
    found = base_url or _first_set(row.base_url_env)
    if not found:
        found = row.base_url() if callable(row.base_url) else row.base_url
    if not found:
        wanted = " or ".join(("base_url=...", *row.base_url_env))
        raise ConfigError(f"The provider {row.name!r} needs to know where its server is: set {wanted}")
    try:
        parts = urlsplit(found)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        usable = False
    if not usable:
        raise ConfigError(
            f"The base URL {show_url(found)} is none: it has to begin with http:// or https:// and a host"
        )
    return found


def find_key(row: Provider, api_key: str | Secret | None) -> Secret | None:
    """The key, from the argument or one of the row's environment variables; ``None`` where none is needed.

    Raises:
        ConfigError: It is missing, or holds a character that no key has. The message does not show it.
    """
    key = api_key.reveal() if isinstance(api_key, Secret) else api_key
    if key is None:
        key = _first_set(row.key_env) or _join_parts(row.key_parts_env)
    if key is not None and not isinstance(key, str):
        raise ConfigError(f"The key for {row.name!r} has to be text; this is a {type(key).__name__}")
    if not key:
        if row.key_required:
            parts = " and ".join(row.key_parts_env[:2])  # a third one is that of temporary credentials
            wanted = " or ".join(("api_key=...", *row.key_env, *filter(None, [parts])))
            raise ConfigError(f"The provider {row.name!r} needs a key: set {wanted}")
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        del key  # tracebacks show local variables
        raise ConfigError(
            f"The key for {row.name!r} holds a character that no key has (a blank, a line break or a letter beyond"
            " ASCII); look for a stray end of line where it was copied from"
        )
    return Secret(key)


def from_environment(names: Mapping[str, str]) -> dict[str, str]:
    """The values of environment variables under other names, without those that are not set or empty."""
    return {name: value for name, variable in names.items() if (value := os.environ.get(variable))}


def _join_parts(variables: Iterable[str]) -> str | None:
    """The values of environment variables, joined by colons; trailing ones may be missing."""
    return ":".join(os.environ.get(variable, "") for variable in variables).rstrip(":") or None


def _first_set(variables: Iterable[str]) -> str | None:
    return next((value for variable in variables if (value := os.environ.get(variable))), None)
