"""Let the model call a function: python examples/tools.py [provider model]"""

import json
import sys
from typing import Any

from compatapi import ChatCompletionRequest, Client, CompatAPIError, Message, Tool, ToolCall

TOOLS = [
    Tool.from_schema(
        "get_weather",
        "The weather in a city, now",
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    )
]


def get_weather(city: str) -> dict[str, Any]:
    return {"city": city, "sky": "clear", "celsius": 21}


def run(call: ToolCall) -> str:
    """What the model gets to read as the result of its call."""
    try:
        if call.name != "get_weather":
            raise ValueError(f"there is no function {call.name}")
        return json.dumps(get_weather(**call.parse_arguments()))
    except (TypeError, ValueError) as error:  # the model made a mistake: it may try again
        return json.dumps({"error": str(error)})


def main(provider: str = "demo", model: str = "demo-story") -> None:
    messages = [Message.user("What is the weather in Rome?")]
    with Client(provider) as client:
        for _ in range(5):  # a model that calls for ever is stopped
            request = ChatCompletionRequest(model, messages, tools=TOOLS)
            with client.chat_completion_stream(request) as stream:
                for text in stream.text_stream():
                    print(text, end="", flush=True)
            completion = stream.completion
            messages.append(completion.message)
            if not completion.tool_calls:
                break
            for call in completion.tool_calls:
                result = run(call)
                print(f"[{call.name}({call.arguments}) -> {result}]")
                messages.append(Message.tool(result, call.id))
    print()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CompatAPIError as error:
        sys.exit(str(error))
