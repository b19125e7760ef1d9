"""``compatapi chat``: one question and its answer, or a conversation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
from attrs import evolve

from compatapi.chat_types import ChatCompletionRequest
from compatapi.cli.answer import JSONView, TextView, View, ask
from compatapi.cli.connection import Connection, connection_options
from compatapi.cli.conversation import Conversation, Question
from compatapi.cli.failures import INTERRUPTED, Command
from compatapi.cli.session import Session

__all__ = ["chat"]


@click.command(cls=Command)
@click.argument("prompt", nargs=-1)
@click.option("-m", "--model", metavar="NAME", help="The model [COMPATAPI_MODEL, or the first of a local server].")
@click.option("-s", "--system", metavar="TEXT", help="How the model is to behave.")
@connection_options
@click.option("--temperature", type=float, metavar="NUMBER", help="From 0 (always the likeliest) to about 2.")
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="NUMBER", help="Longest answer, in tokens.")
@click.option("--reasoning-effort", metavar="LEVEL", help="Such as none, low, medium, high.")
@click.option(
    "--show-reasoning/--hide-reasoning",
    default=None,
    help="Show reasoning too, on standard error [shown in a conversation, hidden otherwise].",
)
@click.option("--plain", is_flag=True, help="Do not render Markdown in a conversation.")
@click.option("--json", "as_json", is_flag=True, help="Write the chunks as JSON, one on each line.")
@click.option("--no-stream", "whole", is_flag=True, help="Wait for the whole answer.")
def chat(
    prompt: tuple[str, ...],
    model: str | None,
    system: str | None,
    temperature: float | None,
    max_tokens: int | None,
    reasoning_effort: str | None,
    show_reasoning: bool | None,
    plain: bool,
    as_json: bool,
    whole: bool,
    **connection: Any,
) -> None:
    """Ask a model, and show the answer while it arrives.

    Without PROMPT, and with "-", the prompt is read from standard input; on a terminal a conversation begins. Standard
    output gets the answer alone, standard error everything else. Ctrl-C stops the answer and keeps what came.
    """
    text = _read_prompt(prompt)
    if text is None and as_json:
        raise click.UsageError("--json needs a prompt; a conversation is for people.")
    server = Connection(**connection)
    with server.open() as client:
        request = ChatCompletionRequest(
            server.model(client, model),
            (),
            temperature=temperature,
            reasoning_effort=reasoning_effort,
            max_tokens=max_tokens if server.knows_old_names else None,
            max_completion_tokens=None if server.knows_old_names else max_tokens,
        )

        conversation = Conversation(system)
        if text is None:
            make_view = _conversation_view(plain=plain, show_reasoning=show_reasoning is not False)
            Session(client, request, conversation, make_view, whole=whole).run()
            return
        view: View = JSONView() if as_json else TextView(show_reasoning=bool(show_reasoning))
        request = evolve(request, messages=conversation.ask(Question(text, ())))
        stopped = ask(client, request, view, whole=whole).stopped
    if stopped:
        raise click.exceptions.Exit(INTERRUPTED)


def _conversation_view(*, plain: bool, show_reasoning: bool) -> Callable[[], View]:
    """How to show the answers of a conversation: rendered, where the terminal can."""
    from compatapi.cli.page import MarkdownView, can_render  # rich's Markdown takes a while to load

    make = TextView if plain or not can_render() else MarkdownView
    return lambda: make(show_reasoning=show_reasoning)


def _read_prompt(words: tuple[str, ...]) -> str | None:
    """The prompt, or ``None`` for a conversation."""
    if not words and sys.stdin.isatty() and sys.stdout.isatty():
        return None
    text = " ".join(words) if words and words != ("-",) else sys.stdin.read()
    if not text.strip():
        raise click.UsageError("The prompt is empty.")
    return text
