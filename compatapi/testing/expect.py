"""A script for one certain request, and what differs when another one comes, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from .answers import UnexpectedRequest
from .http1 import RecordedRequest
from .script import Script, Step

if TYPE_CHECKING:
    from compatapi.chat_types import ChatCompletionRequest

#: Attributes of the recorded request that may be told beside the fields of a chat request.
_OF_REQUEST = ("dialect", "key", "method", "operation", "path", "route", "stream")
#: Two names of one field.
_LIMITS = ("max_tokens", "max_completion_tokens")
_LONGEST = 200


@frozen
class Expect:
    """A script that is played for the request that is told, and for no other.

    `what`: a `ChatCompletionRequest`, of which every field that is set has to be asked; a dict of
    some of its fields, among which may be "text" (what the user said last), "dialect", "stream",
    "path", "route", "method", "operation" and "key"; or a function of the `RecordedRequest`, which
    returns whether this is it, or raises `AssertionError`. In place of a text may stand a compiled
    regular expression, which has to be found in it.

        Expect({"model": "small-1", "text": re.compile("weather")}, ChatScript("It rains."))
    """

    what: ChatCompletionRequest | Mapping[str, Any] | Callable[[RecordedRequest], object] = field()
    script: Script

    @what.validator
    def _check_what(self, _: object, value: object) -> None:
        from compatapi.wire import WireType

        if not isinstance(value, WireType | Mapping) and not callable(value):
            raise TypeError(f"give a request, a dict of its fields, or a function, not {value!r}")

    def play(self, request: RecordedRequest) -> Iterator[Step]:
        """Give the steps of the script.

        Raises:
            UnexpectedRequest: It is another request; the message tells what differs.
        """
        found = list(self._differences(request))
        if found:
            raise UnexpectedRequest("\n  ".join(("This is not the request that was expected.", *found)))
        return self.script.play(request)

    def _differences(self, request: RecordedRequest) -> Iterator[str]:
        from compatapi.convert import to_dict
        from compatapi.wire import WireType

        if isinstance(self.what, WireType):
            yield from differences(to_dict(self.what), _asked(request))
        elif isinstance(self.what, Mapping):
            yield from differences(dict(self.what), {**_told(request), **_asked(request)})
        else:
            try:
                if self.what(request) is False:
                    yield f"{getattr(self.what, '__name__', self.what)} says that it is another one"
            except AssertionError as error:
                yield str(error) or f"{getattr(self.what, '__name__', self.what)} says that it is another one"


def differences(expected: Any, got: Any, where: str = "") -> Iterator[str]:
    """What differs, a line for each place: in objects the fields that are expected, in lists all items."""
    expected, got = _plain(expected), _plain(got)
    if isinstance(expected, dict) and isinstance(got, dict):
        for name, value in expected.items():
            place = f"{where}.{name}" if where else name
            if name not in got and not (value is None or value is False):
                yield f"{place}: expected {_shown(value)}, and nothing came"
            elif name in got:
                yield from differences(value, got[name], place)
    elif isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            yield f"{where}: expected {len(expected)} items, got {len(got)}: {_shown(got)}"
        for at, (one, other) in enumerate(zip(expected, got, strict=False)):
            yield from differences(one, other, f"{where}[{at}]")
    elif isinstance(expected, re.Pattern):
        if not isinstance(got, str) or not expected.search(got):
            yield f"{where}: expected something with {expected.pattern!r}, got {_shown(got)}"
    elif expected != got and not _is_same_json(expected, got):
        yield f"{where}: expected {_shown(expected)}, got {_shown(got)}"


def _told(request: RecordedRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in _OF_REQUEST}


def _asked(request: RecordedRequest) -> dict[str, Any]:
    """The fields of a chat request, and what the user said last."""
    from compatapi.convert import to_dict

    try:
        chat = request.chat
    except ValueError:
        return {}
    said = [message.text for message in chat.messages if not isinstance(message, dict) and message.role == "user"]
    made = {**to_dict(chat), "text": said[-1] if said else ""}
    for name in _LIMITS:
        for other in _LIMITS:
            if other in made:
                made.setdefault(name, made[other])
    return made


def _plain(value: Any) -> Any:
    """The value in the types of JSON; a text that stands alone among parts is that text."""
    from compatapi.convert import to_dict
    from compatapi.wire import WireType

    if isinstance(value, WireType):
        return to_dict(value)
    if isinstance(value, list | tuple):
        items = list(value)
        is_text = len(items) == 1 and isinstance(items[0], dict) and items[0].keys() == {"type", "text"}
        return items[0]["text"] if is_text else items
    return dict(value) if isinstance(value, Mapping) else value


def _is_same_json(one: Any, other: Any) -> bool:
    """Whether two texts are the same JSON: arguments of calls lose their white space in some dialects."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
