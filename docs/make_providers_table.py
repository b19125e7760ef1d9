"""Write the table of providers into providers.md: ``python docs/make_providers_table.py``, after a row has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from compatapi.http_types import Quirks
from compatapi.providers import ALIASES, PROVIDERS, Provider

PAGE = Path(__file__).with_name("providers.md")
BEGIN = "<!-- begin of the table: written by make_providers_table.py -->"
END = "<!-- end of the table -->"
HEAD = ("Name, other names", "Host", "Base URL", "Key from", "What differs")
OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


def table() -> str:
    """The table as Markdown, one line for each row of `compatapi.providers.PROVIDERS`."""
    lines = [HEAD, tuple("---" for _ in HEAD), *map(cells, PROVIDERS.values())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(row: Provider) -> tuple[str, ...]:
    """What stands in the line of one provider."""
    names = [row.name, *(alias for alias, name in ALIASES.items() if name == row.name)]
    base = [f"`{row.base_url}`"] if isinstance(row.base_url, str) else []
    keys = code(*row.key_env) or "-"
    return (
        code(*names),
        row.title,
        "inside this process" if callable(row.base_url) else ", ".join([*base, *map(code, row.base_url_env)]),
        keys if row.key_required or not row.key_env else f"{keys} (optional)",
        "; ".join(differences(row)) or "nothing",
    )


def differences(row: Provider) -> Iterator[str]:
    """What the host does otherwise than OpenAI, and what is read from the environment besides key and base URL."""
    quirks, usual = row.quirks, Quirks()
    if quirks.auth != usual.auth:
        yield f"key in the header {code(quirks.auth)}"
    if quirks.root:
        yield f"{code(quirks.root)} is put after the base URL"
    if quirks.chat_path != usual.chat_path:
        yield f"chat at {code(quirks.chat_path)}"
    for what, path, default in (
        ("models", quirks.models_path, usual.models_path),
        ("embeddings", quirks.embeddings_path, usual.embeddings_path),
    ):
        if path != default:
            yield f"{what} at {code(path)}" if path else f"no {what}"
    if quirks.include_usage:
        yield "usage is asked for"
    if quirks.max_tokens:
        yield f"{code(OTHER_NAME[quirks.max_tokens])} is sent as {code(quirks.max_tokens)}"
    for name, there in quirks.renames.items():
        yield f"{code(name)} is sent as {code(there)}"
    if not quirks.developer_role:
        yield "role `developer` is sent as `system`"
    if quirks.ends_without_mark:
        yield "the end of the body ends the answer"
    for name, variable in (*row.header_env.items(), *row.query_env.items()):
        yield f"{code(name)} from {code(variable)}"


def code(*words: str) -> str:
    """The words as code, with commas between them."""
    return ", ".join(f"`{word}`" for word in words)


def with_table(page: str) -> str:
    """The page with the table as it has to be between the two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
