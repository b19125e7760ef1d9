"""Keep what came when a stream is cut: python examples/errors.py [provider model]

The model "demo-error-cut" of the demo breaks off in the middle of its answer.
"""

import sys

from compatapi import ChatCompletionRequest, Client, CompatAPIError, ConnectionLost, IncompleteStreamError, Message


def main(provider: str = "demo", model: str = "demo-error-cut") -> None:
    request = ChatCompletionRequest(model, [Message.user("Tell me a story")])
    try:
        with Client(provider) as client, client.chat_completion_stream(request) as stream:
            for _ in stream:
                pass
        print(f"The whole answer: {stream.completion.text!r}")
    except (ConnectionLost, IncompleteStreamError) as error:
        so_far = error.completion.text if error.completion else ""
        print(f"{type(error).__name__}: {error}")
        print(f"What came before: {so_far!r}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CompatAPIError as error:
        sys.exit(str(error))
