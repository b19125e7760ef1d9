"""Ask and wait for the whole answer, in a conversation of two turns: python examples/blocking.py [provider model]"""

import sys

from compatapi import ChatCompletionRequest, Client, CompatAPIError, Message


def main(provider: str = "demo", model: str = "demo-story") -> None:
    messages = [Message.system("Be brief.")]
    with Client(provider) as client:
        for question in ("Hello", "Write a poem"):
            messages.append(Message.user(question))
            completion = client.chat_completion(ChatCompletionRequest(model, messages))
            messages.append(completion.message)
            print(f"> {question}\n{completion.text}\n")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CompatAPIError as error:
        sys.exit(str(error))
