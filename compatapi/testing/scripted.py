"""What the scripted server and the scripted transport share for those who use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import evolve

from .playbook import Handler, Playbook, Unexpected
from .script import Script

if TYPE_CHECKING:
    from compatapi.client import Client
    from compatapi.dialects.base import Provider

#: A key with two parts is one for every dialect. It opens no door but that of a test.
TEST_KEY = "test-id:test-key"
_ROOTS = {"openai": "/v1"}


class Scripted:
    """Requests, what was unexpected, and clients that are ready to ask."""

    _playbook: Playbook

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        raise NotImplementedError

    @property
    def unexpected(self) -> list[Unexpected]:
        """The requests that did not go as they were told."""
        return self._playbook.unexpected

    def add(self, *scripts: Script | Handler) -> None:
        """Put more scripts at the end of the queue, or a function in its place while it is empty.

        Raises:
            TypeError: For anything else.
        """
        self._playbook.add(*scripts)

    def unused(self) -> list[str]:
        """The scripts that nobody has asked for, in words."""
        return self._playbook.unused()

    def check(self) -> None:
        """Raise `AssertionError`, with what differs, unless each request was expected and each script was used."""
        self._playbook.check()

    def provider(self, name: str = "openai") -> Provider:
        """The row of that provider, with this server in the place of its host and nothing of the environment.

        Raises:
            ConfigError: There is no such provider.
        """
        from compatapi.providers import get_provider

        row = get_provider(name)
        path = urlsplit(row.base_url).path if isinstance(row.base_url, str) else _ROOTS.get(str(row.dialect), "")
        nothing: dict[str, Any] = {"key_env": (), "key_parts_env": (), "base_url_env": (), "header_env": {}}
        return evolve(row, base_url=self.url + path, key_required=False, query_env={}, **nothing)

    def client(self, name: str = "openai", **options: Any) -> Client:
        """A client of that provider's row that asks this server; it has a key for tests and does not try again.

        ``options`` are those of `compatapi.Client` and win.
        """
        from compatapi.client import Client

        keys = self._playbook.keys
        usual: dict[str, Any] = {"api_key": keys[0] if keys else TEST_KEY, "max_retries": 0}
        return Client(self.provider(name), **{**usual, **self._client_options(), **options})

    def _client_options(self) -> dict[str, Any]:
        return {}
