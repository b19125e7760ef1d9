"""The prompt of a conversation: lines that can be edited, more than one if wanted, and earlier ones at arrow-up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle

from compatapi.cli.history import open_history
from compatapi.cli.terminal import encodable

__all__ = ["Keyboard"]

_PROMPT = "> "


class Keyboard:
    """Reads what a person types.

    Args:
        complete: What Tab may make of the text before the cursor: whole lines that begin with it.
    """

    def __init__(self, complete: Callable[[str], Iterable[str]]) -> None:
        output = create_output()
        if isinstance(output, Vt100_Output):
            # Asking a terminal where its cursor is makes sense for menus, of which there is none here. The answer
            # comes as if it was typed, and would mix with what a person types during an answer.
            output.enable_cpr = False
        self._session: PromptSession[str] = PromptSession(
            _PROMPT,
            multiline=True,
            prompt_continuation=" " * len(_PROMPT),
            key_bindings=_bindings(),
            history=open_history(),
            completer=_Completer(complete),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            reserve_space_for_menu=0,
            enable_suspend=True,
            output=output,
        )

    def read(self) -> str:
        """What is typed next, without white space around it.

        Raises:
            EOFError: Ctrl-D.
            KeyboardInterrupt: Ctrl-C.
        """
        return encodable(self._session.prompt()).strip()


class _Completer(Completer):
    def __init__(self, complete: Callable[[str], Iterable[str]]) -> None:
        self._complete = complete

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What may be meant."""
        typed = document.text_before_cursor
        for line in self._complete(typed):
            yield Completion(line, start_position=-len(typed))


def _bindings() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _enter(event: KeyPressEvent) -> None:
        """End the prompt, or only its line if that ends with a backslash, as in a shell."""
        buffer = event.current_buffer
        if buffer.document.char_before_cursor == "\\" and buffer.document.is_cursor_at_the_end:
            buffer.delete_before_cursor()
            buffer.newline(copy_margin=False)
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")  # what a terminal sends for Alt-Enter
    @keys.add("c-j")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    return keys
