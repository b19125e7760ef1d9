"""The wire formats, by name. Adding one: a file beside this one, a line in the table, a folder of fixtures."""

from __future__ import annotations

from compatapi.dialects.base import Dialect
from compatapi.dialects.openai import OpenAIDialect
from compatapi.errors import ConfigError

__all__ = ["DIALECTS", "Dialect", "OpenAIDialect", "get_dialect"]

DIALECTS: dict[str, Dialect] = {
    "openai": OpenAIDialect(),
}


def get_dialect(dialect: str | Dialect) -> Dialect:
    """The dialect of that name; a dialect itself is handed through.

    Raises:
        ConfigError: There is none of that name.
    """
    if not isinstance(dialect, str):
        return dialect
    if dialect not in DIALECTS:
        raise ConfigError(f"There is no dialect {dialect!r}; there are {', '.join(sorted(DIALECTS))}")
    return DIALECTS[dialect]
