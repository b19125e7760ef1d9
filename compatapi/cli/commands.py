"""What may be typed in a conversation besides questions: ``/help`` and its siblings."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from compatapi.cli.conversation import save
from compatapi.cli.terminal import one_line

if TYPE_CHECKING:
    from compatapi.cli.session import Session

__all__ = ["complete", "obey"]

# A path is no command, so that "/etc/hosts: what is it?" can be asked.
_COMMAND = re.compile(r"(/\w*)(?:\s+(.*))?", re.DOTALL)


@frozen
class _Command:
    """A row of the table below: what may stand behind the name, what it is for, what it does."""

    usage: str
    help: str
    run: Callable[[Session, str], None]


def obey(session: Session, line: str) -> bool:
    """Do what the line says; False if it is no command."""
    found = _COMMAND.fullmatch(line)
    if found is None:
        return False
    name, argument = found[1], (found[2] or "").strip()
    command = _COMMANDS.get(name)
    if command is None:
        session.note(f"There is no command {name}{_did_you_mean(name, _COMMANDS)}; /help lists them.")
    elif argument and not command.usage:
        session.note(f"{name} takes nothing behind it.")
    else:
        command.run(session, argument)
    return True


def complete(session: Session, typed: str) -> list[str]:
    """The commands that begin as typed, or for /model the models as far as they are known."""
    lines = [*_COMMANDS, *(f"/model {name}" for name in session.known_models)]
    return [line for line in lines if typed.startswith("/") and line.startswith(typed)]


def _help(session: Session, _: str) -> None:
    usages = {f"{name} {command.usage}".strip(): command.help for name, command in _COMMANDS.items()}
    width = max(map(len, usages))
    for usage, what in usages.items():
        session.note(f"{usage:{width}}  {what}")
    session.note("Ctrl-C stops an answer, Ctrl-D ends the conversation. Alt-Enter begins a new line of a question, and")
    session.note("so does Enter behind a backslash. Arrow-up brings earlier questions back, Ctrl-R searches in them.")


def _model(session: Session, name: str) -> None:
    if not name:
        for known in session.load_models():
            session.note(f"{'*' if known == session.model else ' '} {one_line(known)}")
        return
    session.model = name
    known_models = session.known_models
    unsure = (
        "" if name in known_models or not known_models else f" (not in the list{_did_you_mean(name, known_models)})"
    )
    session.note(f"Talking to {name}{unsure}.")


def _system(session: Session, text: str) -> None:
    talk = session.conversation
    if text:
        talk.system = None if text == "-" else text
    session.note(f"System prompt: {talk.system}" if talk.system else "There is no system prompt.")


def _retry(session: Session, _: str) -> None:
    question = session.conversation.last
    if question is None:
        session.note("Nothing was asked yet.")
    else:
        session.note(one_line(question.text))
        session.ask(question)


def _reset(session: Session, _: str) -> None:
    session.conversation.reset()
    session.note("All questions and answers are forgotten.")


def _save(session: Session, name: str) -> None:
    if not name and not session.saved_to:
        session.note("Say where to: /save talk.md for Markdown, any other ending for JSON lines.")
        return
    messages = session.conversation.messages()
    path = Path(os.path.expanduser(name)) if name else session.saved_to[-1]
    try:
        form = save(messages, path, replace=path in session.saved_to)
    except FileExistsError:
        session.note(f"{path} is there already; nothing was written. Take another name.")
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        session.note(f"Cannot write {path}: {getattr(error, 'strerror', None) or error}.")
    else:
        session.saved_to.append(path)
        session.note(f"Saved {len(messages)} message{'' if len(messages) == 1 else 's'} to {path}, as {form}.")


def _quit(session: Session, _: str) -> None:
    session.is_over = True


_COMMANDS = {
    "/help": _Command("", "Show this.", _help),
    "/model": _Command("[NAME]", "List the models, or talk to another one from now on.", _model),
    "/system": _Command("[TEXT]", "Show or set how the model is to behave; - for nothing.", _system),
    "/retry": _Command("", "Ask the last question again, without its last answer.", _retry),
    "/reset": _Command("", "Forget what was said; the system prompt stays.", _reset),
    "/save": _Command("[FILE]", "Write what was said: .md as Markdown, else JSON lines.", _save),
    "/quit": _Command("", "End the conversation.", _quit),
}


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""
