"""A conversation on a terminal: a prompt, answers as they arrive, and what was said is kept."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

from attrs import evolve

from compatapi.chat_types import ChatCompletion, ChatCompletionRequest, Message
from compatapi.cli.answer import View, ask
from compatapi.cli.failures import describe
from compatapi.cli.terminal import Output
from compatapi.client import Client
from compatapi.errors import CompatAPIError

__all__ = ["Conversation"]

_PROMPT = "> "
# A path is no command, so that "/etc/hosts: what is it?" can be asked.
_COMMAND = re.compile(r"/\w*(?=\s|$)")


class Conversation:
    """What was said so far, and the loop that adds to it.

    Args:
        client: Whom to ask.
        request: The model and options of every turn; its messages are how the conversation begins.
        make_view: How to show one answer.
        whole: Whether to wait for whole answers.
    """

    def __init__(
        self, client: Client, request: ChatCompletionRequest, make_view: Callable[[], View], *, whole: bool = False
    ) -> None:
        self._client = client
        self._request = request
        self._make_view = make_view
        self._whole = whole
        self._notes = Output(is_error=True)
        self._over = False

    def run(self) -> None:
        """Talk until the person ends it, by /quit or Ctrl-D."""
        _load_line_editing()
        self._note(f"Talking to {self._request.model}. /help lists the commands, Ctrl-D ends.")
        while not self._over:
            try:
                self._step()
            except EOFError:
                self._notes.line()
                return
            except KeyboardInterrupt:  # at the prompt, or a moment after an answer that was at its end already
                self._notes.line()
                self._note("Ctrl-D ends the conversation.")

    def _step(self) -> None:
        line = input(_PROMPT).strip()
        command = _COMMAND.match(line)
        if command is not None:
            self._obey(command[0])
        elif line:
            self._turn(line)

    def _turn(self, text: str) -> None:
        asked = (*self._request.messages, Message.user(text))
        self._notes.line()
        try:
            answer = ask(self._client, evolve(self._request, messages=asked), self._make_view(), whole=self._whole)
            completion: ChatCompletion | None = answer.completion
        except CompatAPIError as error:
            self._notes.line(f"compatapi: {describe(error)}")
            completion = error.completion
        said = "" if completion is None else completion.text or completion.refusal
        if said:
            # The text alone: some hosts refuse their own reasoning when it is sent back.
            self._request = evolve(self._request, messages=(*asked, Message.assistant(said)))
        else:  # a question without an answer would make two turns of the user, which many models refuse
            self._note("There is no answer, so the question is not kept; ask again.")
        self._notes.line()

    def _obey(self, name: str) -> None:
        command = _COMMANDS.get(name)
        if command is None:
            self._note(f"There is no command {name}; /help lists them.")
        else:
            command[1](self)

    def _quit(self) -> None:
        self._over = True

    def _help(self) -> None:
        for name, (what, _) in _COMMANDS.items():
            self._note(f"{name}  {what}")
        self._note("Ctrl-C stops an answer, Ctrl-D ends the conversation.")

    def _note(self, text: str) -> None:
        self._notes.line(text, dim=True)


_COMMANDS: dict[str, tuple[str, Callable[[Conversation], None]]] = {
    "/help": ("Show this.", Conversation._help),
    "/quit": ("End the conversation.", Conversation._quit),
}


def _load_line_editing() -> None:
    # Loading it is what gives input() editing and history; some systems have none.
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401
