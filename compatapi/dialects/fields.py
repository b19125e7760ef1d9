"""The fields of a request, each taken once: what a dialect has no word for is refused, and nothing is lost unseen.

`RequestFields` is for dialects that do not send a request as it is. It gives the parts of a request in one shape
however a program wrote them, and `RequestFields.end` refuses what nobody took.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import unquote_to_bytes

from attrs import evolve, frozen

from compatapi import jsontext
from compatapi.chat_types import ChatCompletionRequest, ResponseFormat
from compatapi.convert import from_dict, to_dict
from compatapi.dialects.thinking import Thinking, read_thinking
from compatapi.errors import CompatAPIError, ConfigError, cut
from compatapi.http_types import Target
from compatapi.message_types import ContentPart, FunctionDefinition, Message, TextPart, Tool, ToolCall

__all__ = ["DataURL", "RequestFields", "ToolChoice", "arguments_of", "is_idle", "read_data_url"]

_log = logging.getLogger("compatapi")

_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)


@frozen
class ToolChoice:
    """Which tools the model shall use: "auto", "none" or "required", and the name of the one that it must use."""

    mode: str
    name: str | None = None


@frozen
class DataURL:
    """The content of a ``data:`` URL (RFC 2397): its media type, and its bytes as base64 text."""

    media_type: str
    data: str

    @property
    def text(self) -> str:
        """The bytes as text, for a media type of text."""
        return base64.b64decode(self.data).decode("utf-8", "replace")


class RequestFields:
    """What is left of a request, while a dialect takes it field by field.

    Args:
        dialect: The dialect's name, for messages.
        request: The request.
        target: Says what to do about the unsupported.
    """

    def __init__(self, dialect: str, request: ChatCompletionRequest, target: Target) -> None:
        self._dialect = dialect
        self._drop = target.on_unsupported == "drop"
        self._request = request
        self.model = request.model

    @cached_property
    def _left(self) -> dict[str, Any]:
        # Made when a field is asked for: who only refuses parts of messages needs none, and conversations are long.
        left = to_dict(evolve(self._request, messages=()))
        for name in ("model", "messages", "stream", "reasoning_effort", "thinking_budget"):
            left.pop(name, None)
        return left

    def take(self, name: str) -> Any:
        """The JSON value of a field, ``None`` when it is not set."""
        return self._left.pop(name, None)

    def move(self, into: dict[str, Any], names: Mapping[str, str] | Collection[str]) -> None:
        """Put fields that are set into a body, under the names that the dialect gives them."""
        for name, there in names.items() if isinstance(names, Mapping) else ((name, name) for name in names):
            if name in self._left:
                into[there] = self._left.pop(name)

    def refuse(self, what: str, why: str = "") -> None:
        """Raise for a part of the request, named by its path; or say in the log that it is dropped, where that is
        wanted. What comes behind a call of this runs in the second case only.

        Raises:
            ConfigError: It names the part, the dialect, and the way out.
        """
        reason = f" ({why})" if why else ""
        said = f"The dialect {self._dialect!r} has no word for {what}{reason}"
        if not self._drop:
            raise ConfigError(f"{said}; leave it out, or let it be dropped with on_unsupported='drop'")
        _log.warning("%s: dropped", said)

    def end(self) -> None:
        """Refuse what nobody took. `stream_options` asks for what is sent anyway."""
        self._left.pop("stream_options", None)
        for name in list(self._left):
            self.refuse(name)

    # --- parts in one shape

    def messages(self, known: Collection[str] = ()) -> Iterator[tuple[str, Message]]:
        """Path and message, for each; their extra fields are refused but for the ``known`` ones.

        Content is text, ``None``, or a tuple of parts; each tool call is a `ToolCall`.
        """
        for index, given in enumerate(self._request.messages):
            where = f"messages[{index}]"
            message = given if isinstance(given, Message) else _structured(Message, given, where)
            if any(isinstance(call, dict) for call in message.tool_calls or ()):
                calls = enumerate(message.tool_calls or ())
                made = [_structured(ToolCall, call, f"{where}.tool_calls[{at}]") for at, call in calls]
                message = evolve(message, tool_calls=made)
            # Reasoning under another name is read as `reasoning_content`, which the dialect looks after.
            is_read = message.extra.get("reasoning") == message.reasoning_content
            self.refuse_extra(where, message.extra, (*known, "reasoning") if is_read else known)
            yield where, message

    def parts(self, where: str, message: Message, known: Collection[str] = ()) -> Iterator[tuple[str, ContentPart]]:
        """Path and part of a message's content, for each; text is one part, an empty text none.

        Extra fields of parts are refused but for the ``known`` ones.
        """
        content = message.content
        if isinstance(content, str) or content is None:
            if content:
                yield f"{where}.content", TextPart(content)
            return
        for index, given in enumerate(content):
            place = f"{where}.content[{index}]"
            part = given if isinstance(given, ContentPart) else _structured(ContentPart, given, place)
            if type(part) is not ContentPart:  # of one that has no class, the type itself is refused or taken
                self.refuse_extra(place, part.extra, known)
            yield place, part

    def refuse_extra(self, where: str, extra: Mapping[str, Any], known: Collection[str] = ()) -> None:
        """Refuse the fields of an object that have a value, are not ``known`` and not idle (`is_idle`)."""
        for name, value in extra.items():
            if name not in known and value not in (None, "", [], {}) and not is_idle(name, value):
                self.refuse(f"{where}.{name}")

    def refuse_fields(self, where: str, message: Message, *names: str) -> None:
        """Refuse attributes of a message that have a value."""
        for name in names:
            if getattr(message, name):
                self.refuse(f"{where}.{name}")

    def tools(self) -> list[FunctionDefinition]:
        """The functions of ``tools`` and of the older ``functions``; other tools are refused."""
        found = [_structured(FunctionDefinition, given, "functions") for given in self.take("functions") or ()]
        return found + [
            function
            for index, given in enumerate(self.take("tools") or ())
            if (function := self.function_of(f"tools[{index}]", given)) is not None
        ]

    def function_of(self, where: str, tool: Any) -> FunctionDefinition | None:
        """The function of one tool, with the extra fields of both; ``None`` for another tool, which is refused."""
        given = _structured(Tool, tool, where)
        if given.function is None:
            self.refuse(where, f"a tool of type {given.type!r}")
            return None
        function: FunctionDefinition = given.function
        return evolve(function, extra={**given.extra, **function.extra}) if given.extra else function

    def tool_choice(self) -> ToolChoice | None:
        """``tool_choice``, or the older ``function_call``, in one shape."""
        for field in ("tool_choice", "function_call"):
            choice = self.take(field)
            if isinstance(choice, str):
                return ToolChoice("required" if choice == "any" else choice)
            if isinstance(choice, dict):
                inner = choice.get("function") if isinstance(choice.get("function"), dict) else choice
                name = inner.get("name") if inner else None
                if isinstance(name, str):
                    return ToolChoice("required", name)
                self.refuse(field, cut(choice, 80))
        return None

    def max_tokens(self) -> int | None:
        """``max_completion_tokens``, or the older ``max_tokens``."""
        old, new = self.take("max_tokens"), self.take("max_completion_tokens")
        found: int | None = old if new is None else new
        return found

    def stop(self) -> list[str] | None:
        """``stop`` as a list."""
        stop = self.take("stop")
        return [stop] if isinstance(stop, str) else stop

    def response_format(self) -> ResponseFormat | None:
        """``response_format``; plain text, which is what everybody answers by themselves, is ``None``."""
        given = self.take("response_format")
        if given is None or (isinstance(given, dict) and given.get("type") == "text"):
            return None
        wanted: ResponseFormat = _structured(ResponseFormat, given, "response_format")
        return wanted

    def thinking(self) -> Thinking:
        """``reasoning_effort`` and ``thinking_budget``."""
        return read_thinking(self._request.reasoning_effort, self._request.thinking_budget)


def is_idle(name: str, value: Any) -> bool:
    """Whether a field that a service keeps of a call says what is so anyway.

    That is its number among the calls (Ollama), and that the model itself made it (Anthropic).
    """
    return (name == "index" and type(value) is int) or (name == "caller" and value == {"type": "direct"})


def _structured(cls: Any, value: Any, where: str) -> Any:
    try:
        return from_dict(cls, to_dict(value) if not isinstance(value, dict) else value)
    except CompatAPIError as error:
        raise ConfigError(f"{where} cannot be sent: {error}") from error


def arguments_of(call: ToolCall, where: str) -> dict[str, Any]:
    """The arguments of a tool call as an object, for dialects that send one.

    Raises:
        ConfigError: The model wrote something that is no JSON object.
    """
    text = call.arguments
    try:
        value = jsontext.loads(text) if text.strip() else {}
    except CompatAPIError:
        value = None
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: the arguments of {call.name!r} are no JSON object: {cut(text, 80)}")
    return value


def read_data_url(url: str) -> DataURL | None:
    """The content of a ``data:`` URL; ``None`` for any other URL.

    Raises:
        ConfigError: It is broken.
    """
    found = _DATA_URL.match(url)
    if not found:
        return None
    rest = url[found.end() :]
    try:
        if ";base64" in found[2].lower():
            data = "".join(unquote_to_bytes(rest).decode("ascii").split()) if "%" in rest else rest
            base64.b64decode(data, validate=True)
        else:
            data = base64.b64encode(unquote_to_bytes(rest)).decode("ascii")
    except (ValueError, binascii.Error) as error:
        raise ConfigError(f"A data: URL is broken: {cut(url, 60)}") from error
    return DataURL(found[1].lower() or "text/plain", data)
