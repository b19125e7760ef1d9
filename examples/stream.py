"""Stream an answer, generator style: python examples/stream.py [provider model]"""

import sys

from compatapi import ChatCompletionRequest, Client, CompatAPIError, Message


def main(provider: str = "demo", model: str = "demo-story") -> None:
    request = ChatCompletionRequest(model, [Message.user("Write a poem")])
    with Client(provider) as client, client.chat_completion_stream(request) as stream:
        for chunk in stream:
            print(chunk.text, end="", flush=True)
    print()
    usage = stream.completion.usage
    if usage is not None:
        print(f"{usage.completion_tokens} tokens", file=sys.stderr)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CompatAPIError as error:
        sys.exit(str(error))
