"""How much a model shall think: one pair of request fields, and what each host of the OpenAI form is sent for it."""

import json
import logging

import pytest

from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.dialects import get_dialect
from compatapi.dialects.thinking import EFFORT_BUDGETS, Thinking, read_thinking, thinking_fields
from compatapi.errors import ConfigError
from compatapi.http_types import Quirks, Target, ThinkingWords
from compatapi.providers import PROVIDERS

OPENAI = sorted(name for name, row in PROVIDERS.items() if row.dialect == "openai")


def sent(name, *, on_unsupported="raise", quirks=None, **fields):
    """What the row's host is sent besides model and messages."""
    request = ChatCompletionRequest("m", [Message.user("Hi")], **fields)
    target = Target("https://h/v1", quirks=quirks or PROVIDERS[name].quirks, on_unsupported=on_unsupported)
    body = json.loads(get_dialect("openai").encode_request(request, target, False).body)
    return {field: value for field, value in body.items() if field not in ("model", "messages")}


# --- the pair -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effort", "budget", "expected"),
    [
        (None, None, Thinking()),
        ("low", None, Thinking("low")),
        (None, 500, Thinking(None, 500)),
        ("high", 500, Thinking("high", 500)),
        ("none", None, Thinking(is_off=True)),
        (None, 0, Thinking(is_off=True)),
        ("none", 0, Thinking(is_off=True)),
    ],
)
def test_what_the_two_say(effort, budget, expected):
    """Either of the two switches reasoning on; "none" or 0 switches it off; neither leaves it to the host."""
    made = read_thinking(effort, budget)
    assert expected == made
    assert made.is_on is (not expected.is_off and (effort, budget) != (None, None))


@pytest.mark.parametrize(("effort", "budget"), [("none", 5), ("high", 0), ("high", -1), (None, -1)])
def test_what_they_cannot_say(effort, budget):
    """One cannot say on and the other off, and no budget is negative."""
    with pytest.raises(ConfigError):
        read_thinking(effort, budget)


def test_an_effort_in_tokens():
    """A word stands for a number of tokens where a host knows numbers only, unless a budget is given."""
    assert list(EFFORT_BUDGETS.values()) == [Thinking(word).tokens for word in EFFORT_BUDGETS]
    assert (7, None) == (Thinking("high", 7).tokens, Thinking().tokens)
    with pytest.raises(ConfigError, match="'immense' stands for no number"):
        assert Thinking("immense").tokens


@pytest.mark.parametrize(
    ("thinking", "known", "expected"),
    [
        (Thinking("xhigh"), ("low", "medium", "high"), "high"),
        (Thinking("minimal"), ("low", "high"), "low"),
        (Thinking("low"), ("low", "high"), "low"),
        (Thinking("odd"), ("low", "high"), "odd"),
        (Thinking(None, 9000), ("low", "medium", "high"), "medium"),
        (Thinking(), ("low",), None),
    ],
)
def test_the_nearest_effort(thinking, known, expected):
    """Of the words that a host knows the nearest is taken; a word that nobody knows is kept."""
    assert expected == thinking.nearest(known)


def test_the_words_are_not_changed():
    """The fields that are sent are a copy of those in the row."""
    words = ThinkingWords(on={"a": {"b": 1}}, effort=("a", "c"))
    assert {"a": {"b": 1, "c": "low"}} == thinking_fields(Thinking("low"), words)
    assert {"a": {"b": 1}} == words.on


# --- each host ------------------------------------------------------------------------------------------------------

REFUSED = ConfigError
EFFORT = {"reasoning_effort": "high"}
NONE = {"reasoning_effort": "none"}
ON, OFF = {"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}}
ENABLE, DISABLE = {"enable_thinking": True}, {"enable_thinking": False}
KWARGS_ON = {"chat_template_kwargs": {"enable_thinking": True}}
KWARGS_OFF = {"chat_template_kwargs": {"enable_thinking": False}}
USUAL = (EFFORT, REFUSED, NONE)
SWITCH = (ON, REFUSED, OFF)
TEMPLATE = (KWARGS_ON | EFFORT, REFUSED, KWARGS_OFF)
ARK = (ON | EFFORT, REFUSED, OFF)
BUDGET = (ENABLE | {"thinking_budget": 24576}, ENABLE | {"thinking_budget": 3000}, DISABLE)
ROUTER = ({"reasoning": {"effort": "high"}}, {"reasoning": {"max_tokens": 3000}}, {"reasoning": {"enabled": False}})

#: For reasoning_effort="high", thinking_budget=3000, reasoning_effort="none".
WORDS = {
    "openrouter": ROUTER,
    "vercel": ROUTER,
    "deepseek": ARK,
    "volcengine": ARK,
    "byteplus": ARK,
    "moonshot": SWITCH,
    "moonshot-cn": SWITCH,
    "zhipu": SWITCH,
    "zai": SWITCH,
    "xiaomi": SWITCH,
    "aliyun": BUDGET,
    "aliyun-intl": BUDGET,
    "longcat": BUDGET,
    "vllm": TEMPLATE,
    "sglang": TEMPLATE,
    "llamacpp": TEMPLATE,
    "xinference": TEMPLATE,
    "hunyuan-openai": (ENABLE, REFUSED, DISABLE),
    "gemini-openai": (EFFORT, {"extra_body": {"google": {"thinking_config": {"thinking_budget": 3000}}}}, NONE),
    "perplexity": (EFFORT, REFUSED, REFUSED),
    "minimax": (REFUSED, REFUSED, REFUSED),
    "minimax-cn": (REFUSED, REFUSED, REFUSED),
    "tgi": (REFUSED, REFUSED, REFUSED),
}


@pytest.mark.parametrize("name", OPENAI)
def test_each_host_is_told_in_its_own_words(name):
    """Effort, budget and off are said in the fields that the host documents, or refused before sending."""
    asked = ({"reasoning_effort": "high"}, {"thinking_budget": 3000}, {"reasoning_effort": "none"})
    for fields, expected in zip(asked, WORDS.get(name, USUAL), strict=True):
        if expected is REFUSED:
            with pytest.raises(ConfigError, match=f"'openai' has no word for {next(iter(fields))}="):
                sent(name, **fields)
        else:
            assert expected == sent(name, **fields)


@pytest.mark.parametrize("name", OPENAI)
def test_nothing_is_said_unasked(name):
    """A request that says nothing of reasoning is sent without a word of it, and 0 means the same as "none"."""
    assert {} == sent(name)
    if WORDS.get(name, USUAL)[2] is not REFUSED:
        assert sent(name, reasoning_effort="none") == sent(name, thinking_budget=0)


def test_both_at_once():
    """A budget wins where a host takes either, and is refused where the host knows efforts only."""
    both = {"reasoning_effort": "high", "thinking_budget": 3000}
    assert {"reasoning": {"max_tokens": 3000}} == sent("openrouter", **both)
    assert ENABLE | {"thinking_budget": 3000} == sent("aliyun", **both)
    with pytest.raises(ConfigError, match="thinking_budget=3000"):
        sent("openai", **both)


# --- what cannot be said --------------------------------------------------------------------------------------------


def test_a_refusal_says_what_to_do():
    """The error names the field, the dialect, and the two ways out."""
    with pytest.raises(ConfigError) as caught:
        sent("openai", thinking_budget=5)
    assert str(caught.value) == (
        "The dialect 'openai' has no word for thinking_budget=5 (at this host); leave it out, or let it be dropped"
        " with on_unsupported='drop'"
    )


@pytest.mark.parametrize(
    ("name", "fields", "expected", "dropped"),
    [
        ("openai", {"thinking_budget": 5}, {}, ["thinking_budget=5"]),
        (
            "openai",
            {"thinking_budget": 5, "reasoning_effort": "low"},
            {"reasoning_effort": "low"},
            ["thinking_budget=5"],
        ),
        ("moonshot", {"thinking_budget": 5, "reasoning_effort": "low"}, ON, ["thinking_budget=5"]),
        ("minimax", {"reasoning_effort": "low"}, {}, ["reasoning_effort='low'"]),
        (
            "minimax",
            {"reasoning_effort": "low", "thinking_budget": 5},
            {},
            ["thinking_budget=5", "reasoning_effort='low'"],
        ),
        ("perplexity", {"thinking_budget": 0}, {}, ["thinking_budget=0"]),
        ("perplexity", {"reasoning_effort": "none", "thinking_budget": 0}, {}, ["reasoning_effort='none'"]),
    ],
)
def test_dropped_on_demand(name, fields, expected, dropped, caplog):
    """With "drop" the rest is sent, and the log has a line for each field that was dropped."""
    with caplog.at_level(logging.WARNING, "compatapi"):
        assert expected == sent(name, on_unsupported="drop", **fields)
    said = "The dialect 'openai' has no word for {} (at this host): dropped"
    assert [said.format(field) for field in dropped] == caplog.messages


# --- the program's own words ----------------------------------------------------------------------------------------


def test_extra_is_sent_as_it_is():
    """A field in extra is the program's own word, also one of the names of the pair, at any host."""
    extra = {"reasoning_effort": "immense", "thinking_budget": "much", "thinking": {"type": "auto"}}
    for name in OPENAI:
        assert extra == sent(name, extra=extra)
    assert {"reasoning_effort": "immense"} == sent(
        "minimax", reasoning_effort="low", extra={"reasoning_effort": "immense"}
    )


def test_extra_and_the_pair_together():
    """What both say goes into one object; where they differ, the program's own word wins."""
    made = sent("openrouter", reasoning_effort="high", extra={"reasoning": {"exclude": True}})
    assert {"reasoning": {"exclude": True, "effort": "high"}} == made
    made = sent("zhipu", reasoning_effort="high", extra={"thinking": {"type": "auto", "clear_thinking": False}})
    assert {"thinking": {"type": "auto", "clear_thinking": False}} == made
    made = sent("vllm", reasoning_effort="none", extra={"chat_template_kwargs": {"add_vision_id": True}})
    assert {"chat_template_kwargs": {"add_vision_id": True, "enable_thinking": False}} == made


def test_the_extra_of_a_request_is_not_changed():
    """Merging makes objects of its own."""
    own = {"reasoning": {"exclude": True}}
    sent("openrouter", reasoning_effort="high", extra=own)
    assert {"reasoning": {"exclude": True}} == own


def test_a_row_of_ones_own():
    """The words are data of a row, at any depth."""
    quirks = Quirks(thinking=ThinkingWords(on={"mind": {"open": 1}}, off=None, effort=(), budget=("mind", "size")))
    assert {"mind": {"open": 1, "size": 1024}} == sent("", quirks=quirks, reasoning_effort="low")
    with pytest.raises(ConfigError):
        sent("", quirks=quirks, thinking_budget=0)
