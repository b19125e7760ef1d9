"""An answer as rendered Markdown, painted while it arrives."""

from __future__ import annotations

import re
import threading
import time

from rich.console import Console

from compatapi.chat_types import ChatCompletion, ChatCompletionChunk
from compatapi.cli.answer import describe_call
from compatapi.cli.blocks import markdown, split, tail
from compatapi.cli.screen import Screen, terminal_size
from compatapi.cli.terminal import Output, printable

__all__ = ["MarkdownView", "can_render"]

#: Seconds between two paintings at least: faster is not seen.
_FRAME = 1 / 15
#: The longest part of the time that may go into painting is one of this many, however long a block grows.
_SHARE = 4

# Blanks at the end of a line would be copied with it, and make lines of their own in a window that becomes narrower.
_PADDING = re.compile(r"(?: |\x1b\[[\d;]*m)+$")
_RESET = "\x1b[0m"


def can_render() -> bool:
    """Whether standard output is a terminal that can move its cursor."""
    console = Console()
    return console.is_terminal and not console.is_dumb_terminal and not console.legacy_windows


class MarkdownView:
    """Shows an answer as Markdown, and its reasoning dimmed above it.

    Args:
        show_reasoning: Whether reasoning is shown at all.
    """

    def __init__(self, *, show_reasoning: bool) -> None:
        self._page = _Page()
        self._show_reasoning = show_reasoning

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        """Show what it adds to the first choice."""
        for choice in chunk.choices:
            if choice.index == 0:
                self._add(choice.delta.reasoning_content, choice.delta.content, choice.delta.refusal)

    def whole(self, completion: ChatCompletion) -> None:
        """Show the first choice."""
        self._add(completion.reasoning, completion.text, completion.refusal)

    def finish(self, completion: ChatCompletion, stopped: bool) -> None:
        """Show the tool calls, which come in pieces that nobody can read."""
        self._page.close()
        if completion.tool_calls and self._page.has_text:
            Output().line()
        for call in completion.tool_calls:
            Output().line(describe_call(call))

    def end(self) -> None:
        """Show all that has come, for good."""
        self._page.close()

    def _add(self, reasoning: str | None, *texts: str | None) -> None:
        if reasoning and self._show_reasoning:
            self._page.add(reasoning, dim=True)
        for text in filter(None, texts):
            self._page.add(text, dim=False)


class _Page:
    """Markdown that grows. A thread paints it, so that the last words before a silence are seen too.

    Attributes:
        has_text: Whether something was painted for good.
    """

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._screen = Screen()
        self._source = ""
        self._is_dim = False
        self.has_text = False
        self._is_closed = False
        self._news = threading.Condition()
        self._is_new = False
        self._painter: threading.Thread | None = None

    def add(self, text: str, *, dim: bool) -> None:
        """Add text; a change between reasoning and answer begins a new block."""
        with self._news:
            if dim != self._is_dim:
                self._paint(is_end=True)
                self._is_dim = dim
            self._source += printable(text)
            self._is_new = True
            self._news.notify()
        if self._painter is None:
            self._painter = threading.Thread(target=self._keep_painting, daemon=True, name="compatapi-page")
            self._painter.start()

    def close(self) -> None:
        """Paint the rest for good."""
        with self._news:
            self._is_closed = True
            self._news.notify()
        if self._painter is not None:
            self._painter.join()
        self._paint(is_end=True)

    def _keep_painting(self) -> None:
        with self._news:
            while not self._is_closed:
                if self._is_new:
                    self._is_new = False
                    started = time.monotonic()
                    try:
                        self._paint(is_end=False)
                    except OSError:  # the main thread meets it too, at the end, and can tell it
                        return
                    pause = max(_FRAME, (_SHARE - 1) * (time.monotonic() - started))
                    self._news.wait_for(lambda: self._is_closed, pause)
                self._news.wait_for(lambda: self._is_new or self._is_closed)

    def _paint(self, *, is_end: bool) -> None:
        width, height = terminal_size()
        blocks = split(self._source, is_whole=is_end)
        self._source = "" if is_end else blocks.pop()
        final = []
        for block in blocks:  # each for itself, so that nothing depends on how many come at once
            final += self._lines(block, width)
            self.has_text = self.has_text or bool(final)
        live = self._lines(tail(self._source, height), width)[2 - height :] if height > 2 else []
        self._screen.paint(final, live, width)

    def _lines(self, text: str, width: int) -> list[str]:
        """The lines of a block, with a blank one above them unless it is the first."""
        with self._console.capture() as captured:
            self._console.print(markdown(text, dim=self._is_dim), width=width)
        lines = [_PADDING.sub(_keep_reset, line) for line in captured.get().split("\n")]
        seen = [number for number, line in enumerate(lines) if line not in ("", _RESET)]
        if not seen:
            return []
        return [""] * self.has_text + lines[seen[0] : seen[-1] + 1]


def _keep_reset(found: re.Match[str]) -> str:
    return _RESET if _RESET in found[0] else ""
