"""How much a model shall think: one pair of request fields, said in each host's own words.

``reasoning_effort`` is a word ("none", "minimal", "low", "medium", "high", "xhigh", "max"), ``thinking_budget`` a
number of tokens. Either switches reasoning on; effort "none" or a budget of 0 switches it off. An effort is a wish: a
host that knows tokens only is told those of `EFFORT_BUDGETS`, and one that knows on and off only is told "on". A budget
is a bound that no word stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from compatapi.errors import ConfigError
from compatapi.http_types import ThinkingWords

__all__ = ["EFFORT_BUDGETS", "Thinking", "read_thinking", "thinking_fields"]

#: Tokens. The steps "low" to "high" are those of Google's table for its OpenAI-compatible interface ("Thinking").
EFFORT_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 65536}


@frozen
class Thinking:
    """What a request says of reasoning.

    Attributes:
        effort: A word, or ``None``; never ``"none"``.
        budget: Tokens, or ``None``; never 0.
        is_off: Whether there shall be none.
    """

    effort: str | None = None
    budget: int | None = None
    is_off: bool = False

    @property
    def is_on(self) -> bool:
        """Whether reasoning is asked for; neither on nor off leaves it to the host."""
        return self.effort is not None or self.budget is not None

    @property
    def tokens(self) -> int | None:
        """The budget, or what the effort stands for.

        Raises:
            ConfigError: The effort is no word that stands for a number.
        """
        if self.budget is not None or self.effort is None:
            return self.budget
        if self.effort not in EFFORT_BUDGETS:
            raise ConfigError(
                f"reasoning_effort={self.effort!r} stands for no number of tokens here; give thinking_budget, or one of"
                f" {', '.join(EFFORT_BUDGETS)}"
            )
        return EFFORT_BUDGETS[self.effort]

    def nearest(self, efforts: Sequence[str]) -> str | None:
        """The one of ``efforts`` (in rising order) that is nearest to what was asked; ``None`` when nothing was.

        A word that the host knows, or that nobody knows yet, is kept.
        """
        effort = self.effort
        if effort is None and self.budget is not None:
            effort = min(EFFORT_BUDGETS, key=lambda word: abs(EFFORT_BUDGETS[word] - (self.budget or 0)))
        if effort is None or effort in efforts or effort not in EFFORT_BUDGETS:
            return effort
        order = list(EFFORT_BUDGETS)
        return min(efforts, key=lambda word: abs(order.index(word) - order.index(effort)))


def read_thinking(effort: str | None, budget: int | None) -> Thinking:
    """What the two fields say together.

    Raises:
        ConfigError: One says on, the other off, or the budget is negative.
    """
    if budget is not None and (not isinstance(budget, int) or budget < 0):
        raise ConfigError(f"thinking_budget is a number of tokens, 0 for none; this is {budget!r}")
    is_off = effort == "none" or budget == 0
    if is_off and (effort not in (None, "none") or budget):
        raise ConfigError(f"reasoning_effort={effort!r} and thinking_budget={budget!r} contradict each other")
    return Thinking(is_off=True) if is_off else Thinking(effort, budget)


def thinking_fields(thinking: Thinking, words: ThinkingWords) -> dict[str, Any] | None:
    """The body fields that say it in a host's words; ``None`` where the host has no word for it."""
    if thinking.is_off:
        return None if words.off is None else _copied(words.off)
    if not thinking.is_on:
        return {}
    fields = _copied(words.on)
    said = bool(fields)
    if words.budget and (thinking.budget is not None or not words.effort):
        _put(fields, words.budget, thinking.tokens)
        said = True
    if words.effort and thinking.effort is not None and not (words.budget and thinking.budget is not None):
        _put(fields, words.effort, thinking.effort)
        said = True
    lost = thinking.budget is not None and not words.budget
    return fields if said and not lost else None


def _copied(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copied(value) if isinstance(value, Mapping) else value for name, value in fields.items()}


def _put(fields: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        fields = fields.setdefault(name, {})
    fields[path[-1]] = value
