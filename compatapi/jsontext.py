"""JSON text to values and back: orjson where it is installed, the standard library otherwise, with the same results.

`loads` accepts what RFC 8259 accepts and no more (no ``NaN``), except that half of a surrogate pair, which servers
leave behind when they cut an emoji in two, is read as U+FFFD. Whole numbers that 64 bits do not hold are read as
floats, which is all that orjson can do. `dumps` writes compact UTF-8 and refuses what has no JSON form (``NaN``,
infinity, half of a surrogate pair) with an error that says so. `loads` refuses what is nested deeper than `DEPTH`.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from math import isfinite
from typing import Any

from compatapi.errors import ConfigError, DecodeError, cut

try:
    orjson: Any = importlib.import_module("orjson")
except ImportError:  # any Python without a wheel of it, such as PyPy
    orjson = None

__all__ = ["dumps", "loads", "mend_halves", "trimmed"]

_HALF_PAIR = re.compile("[\ud800-\udfff]")
#: Levels of arrays and objects. Masking, copying, pickling and writing a value take up to three frames for each level,
#: and beyond Python's 1,000 they would end in a RecursionError.
DEPTH = 200
#: Characters. To look into longer texts would cost more than to decode them; only embeddings and log probabilities are.
_LONG = 256 * 1024
#: Bytes from which on looking at the values is quicker than looking through their text.
_LONG_OUT = 16 * 1024
_NESTED = {dict, list, tuple}
_KINDS = {str, int, float, bool, type(None), *_NESTED}


def loads(text: str | bytes, mend: Callable[[Any], Any] | None = None) -> Any:
    """Decode one JSON text.

    Args:
        text: The text, or its UTF-8.
        mend: What to do with a value that holds halves of surrogate pairs, in place of reading each as U+FFFD.

    Raises:
        DecodeError: It is none; ``position`` and ``data`` tell where and what.
    """
    if orjson is not None:
        try:
            return _checked(orjson.loads(text), text)
        except ValueError:  # decode again below, which is lenient with half pairs and knows the position
            pass
    try:
        if not isinstance(text, str):
            text = bytes(text).decode("utf-8")
        value = json.loads(text, parse_constant=_refuse_constant, parse_int=_whole_number)
        _checked(value, text)
        return (mend or mend_halves)(value) if "\\ud" in text.lower() or _HALF_PAIR.search(text) else value
    except json.JSONDecodeError as error:
        if not text.strip():
            raise DecodeError("This is no JSON: the text is empty", data="", position=0) from error
        start = max(error.pos - 60, 0)
        raise DecodeError(
            f"This is no JSON: {error.msg} at character {error.pos}: {cut(text[start : start + 120])!r}",
            data=cut(text),
            position=error.pos,
        ) from error
    except UnicodeDecodeError as error:
        raise DecodeError(
            f"This is no JSON: invalid UTF-8 at byte {error.start}", data=cut(text), position=error.start
        ) from error
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"This is no JSON that can be read: {cut(error, 100)}", data=cut(text)) from error


def _checked(value: Any, text: str | bytes) -> Any:
    """The value itself, unless it is nested too deeply; looked into only where its text leaves that open."""
    if not 2 * DEPTH < len(text) < _LONG:
        return value
    brackets = ("[", "{") if isinstance(text, str) else (b"[", b"{")
    if text.count(brackets[0]) + text.count(brackets[1]) <= DEPTH:  # type: ignore[arg-type]
        return value
    level = [value]
    for _ in range(DEPTH):
        level = [
            item
            for each in level
            if each.__class__ is dict or each.__class__ is list
            for item in (each.values() if each.__class__ is dict else each)
        ]
        if not level:
            return value
    if any(each.__class__ is dict or each.__class__ is list for each in level):
        raise DecodeError(f"This is no JSON that can be read: it is nested deeper than {DEPTH} levels", data=cut(text))
    return value


def trimmed(body: bytes) -> bytes:
    """A body without what is no JSON around it: DeepSeek sends empty lines while one waits, and a byte order mark may
    be ignored (RFC 8259, section 8.1)."""
    return body.strip().removeprefix(b"\xef\xbb\xbf")


def dumps(value: Any, default: Callable[[Any], Any] | None = None, *, numbers: Any = ...) -> bytes:
    """Encode a value as compact JSON in UTF-8.

    Args:
        value: What to encode.
        default: Turns objects of other classes into JSON values.
        numbers: All parts of the value that may hold numbers, where the caller knows; left out, the whole of it.

    Raises:
        ConfigError: A value in it has no JSON form.
    """
    try:
        out = _fast_dumps(value, default)
        # orjson writes NaN and infinity as null. To look for that in a long text would take longer than to write it.
        is_sure = out is not None and (
            (len(out) < _LONG_OUT and b"null" not in out) or _is_finite(value if numbers is ... else numbers)
        )
        return out if is_sure else _dumps(value, default)  # type: ignore[return-value]
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"A text to be sent holds half of a surrogate pair ({error.object[error.start]!r}), which is no Unicode"
            " character; clean it, for example with text.encode('utf-8', 'replace')"
        ) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"A value to be sent has no JSON form: {cut(error, 200)}") from error


def _is_finite(value: Any) -> bool:
    """Whether a value consists of JSON values only, and no number in it is infinite or none."""
    level = [value]
    while level:
        kinds = set(map(type, level))
        if not kinds <= _KINDS or (float in kinds and not all(isfinite(n) for n in level if n.__class__ is float)):
            return False
        below: list[Any] = []
        for each in level if kinds & _NESTED else ():
            if each.__class__ is dict:
                below += each.values()
            elif each.__class__ is list or each.__class__ is tuple:
                below += each
        level = below
    return True


def _fast_dumps(value: Any, default: Callable[[Any], Any] | None) -> bytes | None:
    if orjson is None:
        return None
    try:
        out: bytes = orjson.dumps(value, default, orjson.OPT_PASSTHROUGH_DATETIME)
        return out
    except TypeError:  # keys that are no strings, integers over 64 bits, what the standard library explains better
        return None


def _dumps(value: Any, default: Callable[[Any], Any] | None) -> bytes:
    from uuid import UUID

    def form_of(item: Any) -> Any:
        if isinstance(item, UUID):  # orjson writes it by itself
            return str(item)
        form = item if default is None else default(item)
        if type(form) is type(item):  # the text of json for it is "Circular reference detected"
            raise TypeError(f"{type(item).__name__} {cut(item, 80)}")
        return form

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=form_of).encode()


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _whole_number(text: str) -> int | float:
    number = int(text)
    try:
        return number if -(2**63) <= number < 2**64 else float(number)
    except OverflowError:
        return number


def mend_halves(value: Any) -> Any:
    """A value with each half of a surrogate pair read as U+FFFD."""
    if isinstance(value, str):
        return _HALF_PAIR.sub("\ufffd", value)
    if isinstance(value, dict):
        return {mend_halves(key): mend_halves(item) for key, item in value.items()}
    return [mend_halves(item) for item in value] if isinstance(value, list) else value
