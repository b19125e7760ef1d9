"""What was said in a conversation, and what it becomes in a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from attrs import define, field, frozen

from compatapi.chat_types import Message
from compatapi.convert import to_json

__all__ = ["Conversation", "Question", "save"]

_MARKDOWN_ENDINGS = (".md", ".markdown")
_HEADS = {"system": "System", "user": "Question", "assistant": "Answer"}

Turn = tuple[Message, Message]


@frozen
class Question:
    """A question, and the turns before it."""

    text: str
    earlier: tuple[Turn, ...]


@define
class Conversation:
    """Questions with their answers.

    A question that got no answer is not kept: two turns of the user in a row are refused by many models.

    Attributes:
        system: How the model is to behave, if anything was said about it.
        turns: Pairs of question and answer.
        last: What was asked last, answered or not.
    """

    system: str | None = None
    turns: tuple[Turn, ...] = ()
    last: Question | None = field(default=None, init=False)

    def ask(self, question: Question) -> list[Message]:
        """The messages to send for a question."""
        self.last = question
        return [*self._messages(question.earlier), Message.user(question.text)]

    def keep(self, question: Question, answer: str) -> None:
        """Add a question with its answer, in place of what stood behind the turns before it."""
        # The text alone: some hosts refuse their own reasoning when it is sent back.
        self.turns = (*question.earlier, (Message.user(question.text), Message.assistant(answer)))

    def reset(self) -> None:
        """Forget all turns; how the model is to behave stays."""
        self.turns, self.last = (), None

    def messages(self) -> list[Message]:
        """All that was said."""
        return self._messages(self.turns)

    def _messages(self, turns: Iterable[Turn]) -> list[Message]:
        system = [Message.system(self.system)] if self.system else []
        return [*system, *(message for turn in turns for message in turn)]


def save(messages: Iterable[Message], path: Path, *, replace: bool = False) -> str:
    """Write messages to a file, and return the name of the format.

    It is Markdown if the name of the file ends so, and JSON otherwise: one message on each line, as `to_json` writes it
    and `from_json` reads it.

    Args:
        messages: What to write.
        path: Where to.
        replace: Whether a file that is there already may be replaced.

    Raises:
        OSError: It cannot be written; `FileExistsError` if it must not be replaced.
    """
    is_markdown = path.suffix.lower() in _MARKDOWN_ENDINGS
    parts = (_as_markdown(one) if is_markdown else to_json(one) + b"\n" for one in messages)
    data = b"\n".join(parts) if is_markdown else b"".join(parts)
    with path.open("wb" if replace else "xb") as file:
        file.write(data)
    return "Markdown" if is_markdown else "JSON lines"


def _as_markdown(message: Message) -> bytes:
    return f"## {_HEADS[message.role]}\n\n{message.text.rstrip()}\n".encode()
