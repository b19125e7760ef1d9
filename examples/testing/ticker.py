"""A program that shows an answer while it comes, until its line is full: ticker QUESTION [provider model]"""

import sys
from typing import TextIO

from compatapi import ChatCompletionRequest, Client, CompatAPIError, Message, StopStream

WIDTH = 200
BROKEN = " [broken off]"


class Ticker:
    """One line of text that grows until it is full."""

    def __init__(self, out: TextIO, width: int = WIDTH) -> None:
        self.out = out
        self.room = width

    def show(self, text: str) -> None:
        """Show the next piece; end the stream when there is no more room."""
        self.out.write(text[: self.room])
        self.out.flush()
        self.room -= len(text)
        if self.room <= 0:
            raise StopStream


def run(client: Client, model: str, question: str, out: TextIO, width: int = WIDTH) -> bool:
    """Show the answer; return whether it was whole, or as long as the line."""
    request = ChatCompletionRequest(model, [Message.user(question)])
    try:
        client.chat_completion_stream(request, on_text=Ticker(out, width).show)
    except CompatAPIError:
        out.write(BROKEN)
        return False
    return True


def main() -> None:
    question, *rest = sys.argv[1:]
    provider, model = rest or ("demo", "demo-story")
    with Client(provider) as client:
        sys.exit(not run(client, model, question, sys.stdout))


if __name__ == "__main__":
    main()
