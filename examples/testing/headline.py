"""A script that prints a headline for a text: headline FILE [provider model]"""

import sys
from pathlib import Path

from compatapi import ChatCompletionRequest, Client, CompatAPIError, Message

INSTRUCTION = "Write one headline for this text."


def headline(client: Client, model: str, text: str) -> str:
    """The headline, without the quotation marks that models like to add."""
    messages = [Message.system(INSTRUCTION), Message.user(text)]
    return client.chat_completion(ChatCompletionRequest(model, messages)).text.strip().strip('"')


def main() -> None:
    file, *rest = sys.argv[1:]
    provider, model = rest or ("demo", "demo-story")
    try:
        with Client(provider) as client:
            print(headline(client, model, Path(file).read_text(encoding="utf-8")))
    except CompatAPIError as error:
        sys.exit(f"no headline: {error}")


if __name__ == "__main__":
    main()
