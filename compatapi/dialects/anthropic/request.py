"""What a request asks, in the words of the Messages API.

``max_tokens`` has to be said there; where a request is silent, `ANSWER_TOKENS` are left for the answer, besides what it
may think. Claude 4.6 and later choose their budget themselves and are told the word of an effort (pages "Adaptive
thinking" and "Effort"); a budget that a request names is sent all the same. The name of a schema, and whether it is
strict, are left out: there is one schema, and it is always kept.
"""

from __future__ import annotations

import re
from typing import Any

from compatapi.chat_types import FunctionDefinition
from compatapi.dialects.anthropic.turns import encode_turns
from compatapi.dialects.fields import RequestFields
from compatapi.dialects.thinking import EFFORT_BUDGETS, Thinking

__all__ = ["encode_body"]

#: Tokens for the answer where the request names no limit.
ANSWER_TOKENS = 4096
#: What nearly all models can write, thinking included; more would be refused, and a word asks for no exact number.
MOST_TOKENS = 64000
#: The smallest budget there is; it has to be smaller than max_tokens too (page "Extended thinking").
LEAST_BUDGET = 1024
EFFORTS = ("low", "medium", "high", "xhigh", "max")

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?")

#: The service's own fields, taken from `ChatCompletionRequest.extra`. "thinking" and "output_config" are taken apart.
OWN_FIELDS = ("top_k", "cache_control", "container", "context_management", "inference_geo", "mcp_servers", "speed")
#: Fields that ask, with this value, for what the service does anyway.
USUAL: dict[str, Any] = {
    "n": 1,
    "logprobs": False,
    "store": False,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "modalities": ["text"],
}
SERVICE_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
TOOL_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
TOOL_EXTRA = ("cache_control", "input_examples", "defer_loading", "allowed_callers", "eager_input_streaming")

#: Types of the service's own tools end with the day of their version, such as web_search_20250305.
_OWN_TOOL = re.compile(r"\w+_\d{8}|mcp_toolset")


def encode_body(fields: RequestFields, stream: bool) -> dict[str, Any]:
    """The body of a request."""
    system, messages = encode_turns(fields)
    body: dict[str, Any] = {"model": fields.model, "messages": messages, "max_tokens": fields.max_tokens()}
    if system:
        body["system"] = system[0]["text"] if len(system) == 1 and len(system[0]) == 2 else system
    fields.move(body, ("temperature", "top_p"))
    stop = fields.stop()
    if stop is not None:
        body["stop_sequences"] = stop
    _say_thinking(fields, body)
    _say_format(fields, body)
    _say_tools(fields, body)
    _say_user(fields, body)
    tier = fields.take("service_tier")
    if tier in SERVICE_TIERS:
        body["service_tier"] = SERVICE_TIERS[tier]
    elif tier is not None:
        fields.refuse("service_tier", f"{tier!r}")
    for name, usual in USUAL.items():
        value = fields.take(name)
        if value is not None and value != usual:
            fields.refuse(name)
    fields.move(body, OWN_FIELDS)
    fields.end()
    if stream:
        body["stream"] = True
    return body


def _say_thinking(fields: RequestFields, body: dict[str, Any]) -> None:
    wish, own, config = fields.thinking(), fields.take("thinking"), fields.take("output_config") or {}
    thinking = own
    if own is None and wish.is_off:
        thinking = {"type": "disabled"}
    elif own is None and wish.is_on and _is_adaptive(fields, wish):
        thinking = {"type": "adaptive", "display": "summarized"}  # else the text of later models stays hidden
        config = {"effort": wish.nearest(_efforts(fields.model)), **config}
    elif own is None and wish.is_on:
        budget = _budget(fields, wish, body["max_tokens"])
        thinking = None if budget is None else {"type": "enabled", "budget_tokens": budget}
    elif wish.is_off or wish.budget is not None:
        fields.refuse("thinking_budget" if wish.budget else "reasoning_effort", "'thinking' says it otherwise")
    elif wish.effort is not None:  # beside {"type": "adaptive"}, which has no budget
        config = {**config, "effort": wish.nearest(EFFORTS)}
    if body["max_tokens"] is None:
        body["max_tokens"] = ANSWER_TOKENS + _room(thinking, config)
    if thinking is not None:
        body["thinking"] = thinking
    if config:
        body["output_config"] = config


def _version(model: str) -> tuple[int, int]:
    """The version of a Claude, in the names of all who host it; 0 for any other model."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _is_adaptive(fields: RequestFields, wish: Thinking) -> bool:
    """Whether the model is told a word. A budget that was asked for is sent; whether it is taken, its server says."""
    return wish.budget is None and _version(fields.model) >= (4, 6)


def _efforts(model: str) -> tuple[str, ...]:
    return EFFORTS if _version(model) >= (4, 7) else tuple(effort for effort in EFFORTS if effort != "xhigh")


def _room(thinking: Any, config: dict[str, Any]) -> int:
    """Tokens for thinking, besides those of the answer."""
    if not isinstance(thinking, dict):
        return 0
    if thinking.get("type") == "adaptive":
        return min(EFFORT_BUDGETS.get(str(config.get("effort")), 0), MOST_TOKENS - ANSWER_TOKENS)
    budget = thinking.get("budget_tokens")
    return budget if isinstance(budget, int) else 0


def _budget(fields: RequestFields, wish: Thinking, limit: int | None) -> int | None:
    """Tokens to think with. A word asks for no exact number: a quarter of the limit is left for the answer."""
    budget = wish.tokens or 0
    if wish.budget is None:
        most = MOST_TOKENS - ANSWER_TOKENS if limit is None else limit * 3 // 4
        budget = max(LEAST_BUDGET, min(budget, most))
    if budget >= LEAST_BUDGET and (limit is None or budget < limit):
        return budget
    why = f"thinking takes {LEAST_BUDGET} tokens or more, and fewer than max_tokens"
    fields.refuse("reasoning_effort" if wish.budget is None else "thinking_budget", why)
    return None


def _say_format(fields: RequestFields, body: dict[str, Any]) -> None:
    wanted = fields.response_format()
    if wanted is None:
        return
    fields.refuse_extra("response_format", wanted.extra)
    schema = wanted.json_schema
    if wanted.type != "json_schema" or schema is None or schema.schema is None:
        fields.refuse("response_format", f"{wanted.type!r} without a schema; ask for JSON in the prompt")
        return
    fields.refuse_extra("response_format.json_schema", {"description": schema.description, **schema.extra})
    chosen = {"type": "json_schema", "schema": schema.schema}
    body["output_config"] = {**body.get("output_config", {}), "format": chosen}


def _say_tools(fields: RequestFields, body: dict[str, Any]) -> None:
    tools, choice, parallel = _tools(fields), fields.tool_choice(), fields.take("parallel_tool_calls")
    said: dict[str, Any] | None = None
    if choice is not None and choice.name is not None:
        said = {"type": "tool", "name": choice.name}
    elif choice is not None and choice.mode in TOOL_CHOICES:
        said = {"type": TOOL_CHOICES[choice.mode]}
    elif choice is not None:
        fields.refuse("tool_choice", f"{choice.mode!r}")
    if tools:
        body["tools"] = tools
    elif said is None or said["type"] in ("auto", "none"):
        return  # to choose among no tools is refused there
    if parallel is False:
        said = said or {"type": "auto"}
        said |= {"disable_parallel_tool_use": True} if said["type"] != "none" else {}
    if said is not None:
        body["tool_choice"] = said


def _tools(fields: RequestFields) -> list[dict[str, Any]]:
    made = []
    for index, given in enumerate(fields.take("tools") or ()):
        if isinstance(given, dict) and _is_own(given):
            made.append(given)
        elif (function := fields.function_of(f"tools[{index}]", given)) is not None:
            made.append(_tool(fields, f"tools[{index}]", function))
    return made + [_tool(fields, "functions", function) for function in fields.tools()]


def _is_own(tool: dict[str, Any]) -> bool:
    """Whether a tool is in the service's own shape: one of its server, or a program's with an ``input_schema``."""
    kind = tool.get("type")
    return "input_schema" in tool or (isinstance(kind, str) and _OWN_TOOL.fullmatch(kind) is not None)


def _tool(fields: RequestFields, where: str, function: FunctionDefinition) -> dict[str, Any]:
    fields.refuse_extra(where, function.extra, TOOL_EXTRA)
    said = {
        "name": function.name,
        "description": function.description,
        "input_schema": function.parameters or {"type": "object", "properties": {}},
        "strict": function.strict,
        **{name: function.extra[name] for name in TOOL_EXTRA if name in function.extra},
    }
    return {name: value for name, value in said.items() if value is not None}


def _say_user(fields: RequestFields, body: dict[str, Any]) -> None:
    metadata = fields.take("metadata") or {}
    fields.refuse_extra("metadata", metadata, ("user_id",))
    known = [metadata.get("user_id"), fields.take("user"), fields.take("safety_identifier")]
    users = sorted({user for user in known if user is not None}, key=known.index)
    if users:
        body["metadata"] = {"user_id": users[0]}
    if users[1:]:
        fields.refuse("user", "the service takes one name for a user")
