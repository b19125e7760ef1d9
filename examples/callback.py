"""Stream into a callback, which stops after 100 characters: python examples/callback.py [provider model]"""

import sys

from compatapi import ChatCompletionChunk, ChatCompletionRequest, Client, CompatAPIError, Message, StopStream


class Screen:
    """Shows text until it is full."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.shown = 0

    def show(self, chunk: ChatCompletionChunk) -> None:
        print(chunk.text, end="", flush=True)
        self.shown += len(chunk.text)
        if self.shown >= self.room:
            raise StopStream


def main(provider: str = "demo", model: str = "demo-story") -> None:
    request = ChatCompletionRequest(model, [Message.user("Write a poem")])
    screen = Screen(100)
    with Client(provider) as client:
        completion = client.chat_completion_stream(request, on_chunk=screen.show)
    print(f"\n({screen.shown} characters by {completion.model})")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CompatAPIError as error:
        sys.exit(str(error))
