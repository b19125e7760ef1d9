"""Which answer the demo gives to a chat request: its JSON in, a `ChatAnswer` out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from . import demo_texts as texts
from .chat import ChatAnswer, split_pieces
from .script import encode_json

# In this order: "help me with a story" wants the story.
_TOPICS = (
    (r"story|stories|tale", "a story", texts.STORY),
    (r"poem|poetry|verses?|rhyme", "a poem", texts.POEM),
    (r"help|what can you do|who are you", "help", texts.HELP),
    (r"hello|hi|hey|good (?:morning|day|evening)", "a greeting", texts.HELLO),
)
_QUOTED = 400


def demo_answer(asked: Mapping[str, Any]) -> ChatAnswer:
    """Choose the answer to the last message, with reasoning or a tool call where asked for."""
    messages = asked["messages"]
    wish, text = _text_for(messages)
    call = _tool_call(asked) if messages[-1].get("role") == "user" else None
    schema = _wanted_schema(asked)
    if call is not None:
        wish, text = f"the tool {call[0]}", ""
    elif schema is not None:
        wish, text = "JSON", encode_json(example_of(schema, last_prompt(messages))).decode()
    answer = ChatAnswer(
        text,
        reasoning=_reasoning(wish) if _is_thinking(asked) else None,
        tool_calls=() if call is None else (call,),
        prompt_tokens=_count_prompt(asked),
    )
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens")
    return answer if limit is None else answer.limited(int(limit))


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message, be it one string or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = [part for part in content or () if isinstance(part, Mapping)]
    return " ".join(str(part["text"]) for part in parts if part.get("type") == "text")


def last_prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of the last message of the user, or an empty string."""
    said = (text_of(message) for message in reversed(messages) if message.get("role") == "user")
    return next(said, "").strip()


def example_of(schema: Mapping[str, Any], prompt: str, name: str = "", root: Any = None) -> Any:
    """Make up a value that fits a JSON schema, with words of the prompt where they may fit."""
    root = schema if root is None else root
    schema = _resolved(schema, root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    kind = _kind_of(schema)
    if kind == "object":
        return _example_object(schema, prompt, root)
    if kind == "array":
        return [example_of(schema.get("items") or {}, prompt, name, root)]
    if kind in ("integer", "number"):
        return _example_number(schema, prompt)
    return {"boolean": True, "null": None}.get(kind, _example_text(name, prompt))


def _text_for(messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    if messages[-1].get("role") == "tool":
        return "to know what the tool said", _tool_report(messages)
    prompt = last_prompt(messages)
    for pattern, wish, text in _TOPICS:
        if re.search(rf"\b(?:{pattern})\b", prompt, re.IGNORECASE):
            return wish, text
    if not prompt:
        return "something", texts.SILENCE
    quoted = prompt if len(prompt) <= _QUOTED else f"{prompt[:_QUOTED]}..."
    return "an answer", texts.ECHO.format(prompt=quoted.replace("\n", "\n> "))


def _tool_report(messages: Sequence[Mapping[str, Any]]) -> str:
    last = takewhile(lambda message: message.get("role") == "tool", reversed(messages))
    results = [_readable(text_of(message)) for message in last]
    return texts.TOOL_RESULT.format(results="\n".join(reversed(results)))


def _readable(result: str) -> str:
    try:
        value = json.loads(result)
    except ValueError:
        value = result
    if isinstance(value, Mapping):
        return "\n".join(f"- **{key}**: {item}" for key, item in value.items())
    return f"- {value}"


def _is_thinking(asked: Mapping[str, Any]) -> bool:
    effort = asked.get("reasoning_effort")
    return effort != "none" and (effort is not None or asked.get("model") == "demo-reasoner")


def _reasoning(wish: str) -> str:
    found = "none" if wish == "an answer" else "it"
    return texts.REASONING.format(wish=wish, found=found)


def _count_prompt(asked: Mapping[str, Any]) -> int:
    """Estimate: the words, and three tokens around each message."""
    return sum(3 + len(split_pieces(text_of(message))) for message in asked["messages"])


def _wanted_schema(asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
    wanted = asked.get("response_format") or {}
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    schema = (wanted.get("json_schema") or {}).get("schema")
    return schema if isinstance(schema, Mapping) else None


def _tool_call(asked: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Choose the first function, or the one that `tool_choice` names."""
    functions = [tool["function"] for tool in asked.get("tools") or () if "function" in tool]
    choice = asked.get("tool_choice")
    if isinstance(choice, Mapping):
        named = (choice.get("function") or {}).get("name")
        functions = [function for function in functions if function["name"] == named] or functions
    if not functions or choice == "none":
        return None
    schema = functions[0].get("parameters") or {}
    arguments = _example_object(_resolved(schema, schema), last_prompt(asked["messages"]), schema)
    return functions[0]["name"], arguments


def _resolved(schema: Mapping[str, Any], root: Any) -> Mapping[str, Any]:
    """Follow a `$ref` inside the schema, and take the first choice that is not null."""
    reference = schema.get("$ref", "")
    if reference.startswith("#/"):
        found = root
        for key in reference[2:].split("/"):
            found = found[key]
        return _resolved(found, root)
    for choice in schema.get("anyOf") or schema.get("oneOf") or ():
        if choice.get("type") != "null":
            return _resolved(choice, root)
    return schema


def _kind_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, str):
        return kind
    return next((str(one) for one in kind if one != "null"), "null")


def _example_object(schema: Mapping[str, Any], prompt: str, root: Any) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    # A schema may refer to itself, but only through something optional if it is to end.
    names = schema.get("required", properties)
    return {name: example_of(properties[name], prompt, name, root) for name in names if name in properties}


def _example_number(schema: Mapping[str, Any], prompt: str) -> float:
    low, high = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    found = re.search(r"\d+", prompt)
    value = int(found.group()) if found else 1
    return int(value) if low <= value <= high else low if value < low else high


def _example_text(name: str, prompt: str) -> str:
    if re.search(r"city|location|place|town|country", name, re.IGNORECASE):
        # "the weather in Rome": the capitalized word that is not the first of the sentence.
        places = re.findall(r"(?<=[a-z,] )[A-Z]\w+(?: [A-Z]\w+)*", prompt)
        return str(places[-1]) if places else "Lisbon"
    if re.search(r"date|day", name, re.IGNORECASE):
        return "2025-06-01"
    if re.search(r"url|link", name, re.IGNORECASE):
        return "https://example.com/"
    return prompt or "example"
