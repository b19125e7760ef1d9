"""How a request differs from one that was recorded, in lines for people.

`***` in a recording stands for whatever was masked there, so it is equal to anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .http1 import RecordedRequest
from .recording import Exchange
from .redaction import MASK

__all__ = ["differences"]

#: Characters of a value in a line.
_LONGEST = 120
_NOTHING = object()


def differences(exchange: Exchange, request: RecordedRequest) -> list[str]:
    """What is otherwise in the request than in the recording; empty if nothing is."""
    return list(_all(exchange, request))


def _all(exchange: Exchange, request: RecordedRequest) -> Iterator[str]:
    url = urlsplit(exchange.url)
    yield from _compare("method", exchange.method, request.method)
    yield from _compare("path", url.path or "/", request.route or "/")
    # A parameter that is masked is a key, and whoever replays may have none.
    recorded = dict(parse_qsl(url.query, keep_blank_values=True))
    got = dict(parse_qsl(request.path.partition("?")[2], keep_blank_values=True))
    masked = {name for name, value in recorded.items() if value == MASK}
    for names in (recorded, got):
        for name in masked:
            names.pop(name, None)
    yield from _compare("query", recorded, got)
    yield from _compare("body", _value(exchange.body), _value(request.body))


def _value(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "backslashreplace")


def _compare(where: str, recorded: Any, got: Any) -> Iterator[str]:
    """The places in which two values of JSON differ."""
    if isinstance(recorded, dict) and isinstance(got, dict):
        for name in [*recorded, *(name for name in got if name not in recorded)]:
            yield from _compare(f"{where}.{name}", recorded.get(name, _NOTHING), got.get(name, _NOTHING))
    elif isinstance(recorded, list) and isinstance(got, list):
        for place in range(max(len(recorded), len(got))):
            pair = [values[place] if place < len(values) else _NOTHING for values in (recorded, got)]
            yield from _compare(f"{where}[{place}]", *pair)
    elif not _is_same(recorded, got):
        yield f"{where}: {_shown(recorded, 'was')} recorded, {_shown(got, 'is')} asked for"


def _is_same(recorded: Any, got: Any) -> bool:
    if isinstance(recorded, str) and MASK in recorded and got is not _NOTHING:
        pattern = ".*".join(re.escape(part) for part in recorded.split(MASK))
        return re.fullmatch(pattern, str(got), re.DOTALL) is not None
    # JSON knows one kind of number, and Python takes True for 1.
    return bool(recorded == got) and isinstance(recorded, bool) == isinstance(got, bool)


def _shown(value: Any, verb: str) -> str:
    if value is _NOTHING:
        return f"nothing {verb}"
    text = json.dumps(value, ensure_ascii=False)
    return f"{text if len(text) <= _LONGEST else text[:_LONGEST] + '...'} {verb}"
