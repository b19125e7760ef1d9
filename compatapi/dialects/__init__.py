"""The wire formats, by name. Adding one: a file beside this one, a line in the table, a folder of fixtures."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from compatapi.dialects.base import Dialect
from compatapi.errors import ConfigError

__all__ = ["DIALECTS", "Dialect", "get_dialect"]

#: Where each is. A file is read when its dialect is first asked for.
DIALECTS: dict[str, str] = {
    "anthropic": "compatapi.dialects.anthropic:AnthropicDialect",
    "dashscope": "compatapi.dialects.dashscope:DashScopeDialect",
    "gemini": "compatapi.dialects.gemini:GeminiDialect",
    "hunyuan": "compatapi.dialects.hunyuan:HunyuanDialect",
    "ollama": "compatapi.dialects.ollama:OllamaDialect",
    "openai": "compatapi.dialects.openai:OpenAIDialect",
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
    return _load(dialect)


@cache
def _load(name: str) -> Dialect:
    module, _, cls = DIALECTS[name].partition(":")
    made: Dialect = getattr(import_module(module), cls)()
    return made
