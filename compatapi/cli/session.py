"""A conversation on a terminal: a prompt, answers as they arrive, and what was said is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import evolve

from compatapi.chat_types import ChatCompletion, ChatCompletionRequest
from compatapi.cli.answer import View, ask
from compatapi.cli.commands import complete, obey
from compatapi.cli.conversation import Conversation, Question
from compatapi.cli.failures import Failure, describe
from compatapi.cli.interrupts import held, quiet_keyboard, stoppable
from compatapi.cli.terminal import Output
from compatapi.client import Client
from compatapi.errors import CompatAPIError

__all__ = ["Session"]


class Session:
    """The loop that reads questions and commands.

    Args:
        client: Whom to ask.
        request: The model and options of every question.
        conversation: How it begins.
        make_view: How to show one answer.
        whole: Whether to wait for whole answers.

    Attributes:
        model: The model that is asked.
        conversation: What was said.
        known_models: The models of the server, if they were listed already.
        saved_to: The files that it was written to, the last one at the end.
        is_over: Whether it is to end.
    """

    def __init__(
        self,
        client: Client,
        request: ChatCompletionRequest,
        conversation: Conversation,
        make_view: Callable[[], View],
        *,
        whole: bool = False,
    ) -> None:
        self.model = request.model
        self.conversation = conversation
        self.known_models: list[str] = []
        self.saved_to: list[Path] = []
        self.is_over = False
        self._client = client
        self._request = request
        self._make_view = make_view
        self._whole = whole
        self._notes = Output(is_error=True)

    def run(self) -> None:
        """Talk until the person ends it, by /quit or Ctrl-D."""
        try:
            from compatapi.cli.keyboard import Keyboard
        except ImportError as error:
            if (error.name or "").partition(".")[0] != "prompt_toolkit":
                raise
            said = 'A conversation needs prompt_toolkit; install compatapi[cli]: pip install "compatapi[cli]"'
            raise Failure(said) from None
        keyboard = Keyboard(lambda typed: complete(self, typed))
        self.note(f"Talking to {self.model}. /help lists the commands, Ctrl-D ends.")
        with quiet_keyboard():
            while not self.is_over:
                try:
                    self._obey_or_ask(keyboard.read())
                except EOFError:
                    return
                except KeyboardInterrupt:  # at the prompt, or while a command waits for the server
                    self.note("Ctrl-D ends the conversation.")

    def ask(self, question: Question) -> None:
        """Ask, show the answer, and keep both; Ctrl-C stops the answer, and what came of it is kept."""
        request = evolve(self._request, model=self.model, messages=self.conversation.ask(question))
        self._notes.line()
        with held():
            answer = self._answer(request)
            said = "" if answer is None else answer.text or answer.refusal
            if said:
                self.conversation.keep(question, said)
            else:
                self.note("There is no answer, so the question is not kept; /retry asks it again.")
            self._notes.line()

    def load_models(self) -> list[str]:
        """The models that the server lists; none, with a note, if it does not."""
        try:
            self.known_models = [model.id for model in self._client.models()]
        except CompatAPIError as error:
            self._tell(error)
            return []
        return self.known_models

    def note(self, text: str) -> None:
        """Tell something that is no answer."""
        self._notes.line(text, dim=True)

    def _obey_or_ask(self, line: str) -> None:
        if line and not obey(self, line):
            self.ask(Question(line, self.conversation.turns))

    def _answer(self, request: ChatCompletionRequest) -> ChatCompletion | None:
        try:
            return ask(self._client, request, self._make_view(), whole=self._whole, reading=stoppable()).completion
        except CompatAPIError as error:
            self._tell(error)
            return error.completion

    def _tell(self, error: CompatAPIError) -> None:
        self._notes.line(f"compatapi: {describe(error)}")
