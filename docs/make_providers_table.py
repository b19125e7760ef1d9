"""Write the tables into providers.md: ``python docs/make_providers_table.py``, after a row or a dialect has changed.

What a row is comes from `compatapi.providers`; what a dialect can say is found out by asking it: each field and part is
encoded, and either stands in the request then, or is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from compatapi.chat_types import ChatCompletionRequest, Message, Tool
from compatapi.dialects import DIALECTS, get_dialect
from compatapi.errors import ConfigError
from compatapi.http_types import Quirks, Secret, Target, ThinkingWords
from compatapi.providers import ALIASES, PROVIDERS, Provider
from compatapi.service_types import EmbeddingRequest

PAGE = Path(__file__).with_name("providers.md")
OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}

# --- rows -----------------------------------------------------------------------------------------------------------

ROWS_HEAD = ("Name, other names", "Host", "Dialect", "Base URL", "Key from", "Models", "Embeddings", "What differs")


def rows() -> str:
    """The table of hosts, one line for each row of `compatapi.providers.PROVIDERS`."""
    return markdown(ROWS_HEAD, map(cells, PROVIDERS.values()))


def cells(row: Provider) -> tuple[str, ...]:
    """What stands in the line of one provider."""
    names = [row.name, *(alias for alias, name in ALIASES.items() if name == row.name)]
    base = [f"`{row.base_url}`"] if isinstance(row.base_url, str) else []
    keys = " and ".join(filter(None, [code(*row.key_env), code(*row.key_parts_env)])) or "-"
    dialect, where = get_dialect(row.dialect), target(row)
    return (
        code(*names),
        row.title,
        str(row.dialect),
        "inside this process" if callable(row.base_url) else ", ".join([*base, *map(code, row.base_url_env)]),
        keys if row.key_required or keys == "-" else f"{keys} (optional)",
        "yes" if can(dialect.encode_models, where) else "-",
        "yes" if can(dialect.encode_embeddings, EmbeddingRequest("m", "text"), where) else "-",
        "; ".join(differences(row)) or "nothing",
    )


def target(row: Provider) -> Target:
    """Where a client of the row sends its requests, at an address that fits all."""
    return Target("https://host.example/v1", Secret("id:key" if row.key_parts_env else "key"), row.quirks)


def can(encode: Any, *arguments: Any) -> bool:
    """Whether there is a request for it."""
    try:
        return bool(encode(*arguments))
    except ConfigError:
        return False


def differences(row: Provider) -> Iterator[str]:
    """What the host does otherwise than others of its dialect, and what else is read from the environment."""
    quirks, usual = row.quirks, Quirks()
    if quirks.auth:
        yield "bearer token" if quirks.auth == "bearer" else f"key in the header {code(quirks.auth)}"
    if quirks.root:
        yield f"{code(quirks.root)} is put after the base URL"
    for what, path in (("chat", quirks.chat_path), ("models", quirks.models_path)):
        if path:
            yield f"{what} at {code(path)}"
    if quirks.embeddings_path:
        yield f"embeddings at {code(quirks.embeddings_path)}"
    if quirks.include_usage:
        yield "usage is asked for"
    if quirks.max_tokens:
        yield f"{code(OTHER_NAME[quirks.max_tokens])} is sent as {code(quirks.max_tokens)}"
    for name, there in quirks.renames.items():
        yield f"{code(name)} is sent as {code(there)}"
    if not quirks.developer_role:
        yield "role `developer` is sent as `system`"
    if quirks.thinking != usual.thinking:
        yield thinking(quirks.thinking)
    if quirks.reasoning_field is None:
        yield "reasoning is not sent back"
    elif quirks.reasoning_field:
        yield f"reasoning goes back as {code(quirks.reasoning_field)}"
    if quirks.think_tags:
        yield "`<think>` is told apart"
    if quirks.errors_with_200:
        yield "errors come with status 200"
    if quirks.ends_without_mark:
        yield "the end of the body ends the answer"
    for name, value in (*quirks.headers.items(), *quirks.options.items()):
        yield f"{name} is {code(value)}"
    for name, variable in (*row.header_env.items(), *row.query_env.items()):
        yield f"{code(name)} from {code(variable)}"


def thinking(words: ThinkingWords) -> str:
    """The fields in which the host is told to think."""
    paths = [*leaves(words.on), *leaves(words.off or {}), ".".join(words.effort), ".".join(words.budget)]
    found = code(*dict.fromkeys(filter(None, paths)))
    if not found:
        return "no word for thinking"
    return f"thinking by {found}" + (", never off" if words.off is None else "")


def leaves(fields: Mapping[str, Any]) -> Iterator[str]:
    """The paths of the values in an object."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{rest}" for rest in leaves(value))
        else:
            yield name


# --- dialects -------------------------------------------------------------------------------------------------------

PIXEL = "data:image/png;base64,iVBORw0KGgo="
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
TOOLS = {"tools": [Tool.from_schema("f", "d", {"type": "object", "properties": {}})]}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object", "properties": {}}}}
LONG = {"max_completion_tokens": 40000}

#: Each field of a request: what it is set to, and what has to stand beside it.
FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "temperature": ({"temperature": 0.5}, {}),
    "top_p": ({"top_p": 0.5}, {}),
    "n": ({"n": 2}, {}),
    "max_completion_tokens": ({"max_completion_tokens": 77}, {}),
    "max_tokens": ({"max_tokens": 77}, {}),
    "stop": ({"stop": ["end"]}, {}),
    "presence_penalty": ({"presence_penalty": 0.5}, {}),
    "frequency_penalty": ({"frequency_penalty": 0.5}, {}),
    "logit_bias": ({"logit_bias": {"1": 5}}, {}),
    "logprobs": ({"logprobs": True}, {}),
    "top_logprobs": ({"top_logprobs": 2}, {"logprobs": True}),
    "seed": ({"seed": 7}, {}),
    "stream_options": ({"stream_options": {"include_usage": True}}, {}),
    "response_format: json_object": ({"response_format": {"type": "json_object"}}, {}),
    "response_format: json_schema": ({"response_format": SCHEMA}, {}),
    "tools: function": (TOOLS, {}),
    "tools: custom": ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, {}),
    "tool_choice: none": ({"tool_choice": "none"}, TOOLS),
    "tool_choice: required": ({"tool_choice": "required"}, TOOLS),
    "tool_choice: one function": ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, TOOLS),
    "parallel_tool_calls": ({"parallel_tool_calls": False}, TOOLS),
    "functions": ({"functions": [FUNCTION]}, {}),
    "function_call": ({"function_call": {"name": "f"}}, {"functions": [FUNCTION]}),
    "reasoning_effort": ({"reasoning_effort": "high"}, LONG),
    "reasoning_effort: none": ({"reasoning_effort": "none"}, LONG),
    "thinking_budget": ({"thinking_budget": 2048}, LONG),
    "verbosity": ({"verbosity": "low"}, {}),
    "modalities": ({"modalities": ["text", "audio"]}, {}),
    "audio": ({"audio": {"voice": "v", "format": "wav"}}, {}),
    "prediction": ({"prediction": {"type": "content", "content": "text"}}, {}),
    "web_search_options": ({"web_search_options": {"search_context_size": "low"}}, {}),
    "service_tier": ({"service_tier": "auto"}, {}),
    "store": ({"store": True}, {}),
    "metadata": ({"metadata": {"user_id": "u"}}, {}),
    "moderation": ({"moderation": {"model": "m"}}, {}),
    "safety_identifier": ({"safety_identifier": "u"}, {}),
    "prompt_cache_key": ({"prompt_cache_key": "k"}, {}),
    "prompt_cache_options": ({"prompt_cache_options": {"mode": "implicit"}}, {}),
    "prompt_cache_retention": ({"prompt_cache_retention": "24h"}, {}),
    "user": ({"user": "u"}, {}),
}

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CUSTOM_CALL = {"id": "c", "type": "custom", "custom": {"name": "f", "input": "text"}}

#: Each part of a message, in a message of its role.
PARTS: dict[str, dict[str, Any]] = {
    "role system": {"role": "system", "content": "text"},
    "role developer": {"role": "developer", "content": "text"},
    "name": {"role": "user", "content": "text", "name": "n"},
    "image by address": {
        "role": "user",
        "content": [image := {"type": "image_url", "image_url": {"url": "https://h/i.png"}}],
    },
    "image in the request": {"role": "user", "content": [{**image, "image_url": {"url": PIXEL}}]},
    "sound": {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
    "file in the request": {
        "role": "user",
        "content": [
            {"type": "file", "file": {"filename": "f.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
        ],
    },
    "file by id": {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]},
    "tool call": {"role": "assistant", "content": None, "tool_calls": [CALL]},
    "custom tool call": {"role": "assistant", "content": None, "tool_calls": [CUSTOM_CALL]},
    "tool result": {"role": "tool", "content": "text", "tool_call_id": "c"},
    "image in a tool result": {
        "role": "tool",
        "content": [{**image, "image_url": {"url": PIXEL}}],
        "tool_call_id": "c",
    },
    "reasoning of another host": {"role": "assistant", "content": "text", "reasoning_content": "why"},
    "refusal": {"role": "assistant", "content": None, "refusal": "no"},
}


def fields() -> str:
    """The table of what each dialect can say, found out by asking it."""
    lines = [(code(name), *(say(verdict(dialect, name)) for dialect in DIALECTS)) for name in FIELDS]
    lines += [(name, *(say(part_verdict(dialect, name)) for dialect in DIALECTS)) for name in PARTS]
    return markdown(("Field or part", *DIALECTS), lines)


def say(verdict: bool | None) -> str:
    """The word for a verdict."""
    return {True: "yes", False: "refused", None: "left out"}[verdict]


def verdict(dialect: str, name: str) -> bool | None:
    """Whether a field is sent, is refused, or changes nothing."""
    asked, beside = FIELDS[name]
    without = sent(dialect, **beside)
    if without is None:
        beside, without = {}, sent(dialect)
    found = sent(dialect, **{**beside, **asked})
    return False if found is None else (found != without or None)


def part_verdict(dialect: str, name: str) -> bool | None:
    """The same for a part of a message."""
    message = PARTS[name]
    before = [Message.user("Hi"), *([Message.assistant(tool_calls=[CALL])] if message["role"] == "tool" else [])]
    found = sent(dialect, messages=[*before, message])
    bare = {key: value for key, value in message.items() if key in ("role", "content", "tool_call_id")}
    return False if found is None else (bare == message or found != sent(dialect, messages=[*before, bare]) or None)


def sent(dialect: str, messages: Any = ({"role": "user", "content": "Hi"},), **options: Any) -> bytes | None:
    """The body of a stream with a clock that stands still; ``None`` for a refusal."""
    row = next((row for row in PROVIDERS.values() if row.dialect == dialect != "openai"), Provider("any"))
    made = type(get_dialect(dialect))(clock=lambda: 1_700_000_000.0)
    try:
        return made.encode_request(ChatCompletionRequest("m", messages, **options), target(row), True).body
    except ConfigError:
        return None


# --- the page -------------------------------------------------------------------------------------------------------


def markdown(head: tuple[str, ...], lines: Any) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, tuple("---" for _ in head), *lines))


def code(*words: str) -> str:
    """The words as code, with commas between them."""
    return ", ".join(f"`{word}`" for word in words)


TABLES = {"rows": rows, "fields": fields}


def begin(name: str) -> str:
    """The mark in front of a table."""
    return f"<!-- begin of the {name}: written by make_providers_table.py -->"


def end(name: str) -> str:
    """The mark behind it."""
    return f"<!-- end of the {name} -->"


def with_tables(page: str) -> str:
    """The page with the tables as they have to be between their marks."""
    for name, make in TABLES.items():
        before, _, rest = page.partition(begin(name))
        _, _, after = rest.partition(end(name))
        page = f"{before}{begin(name)}\n\n{make()}\n\n{end(name)}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
