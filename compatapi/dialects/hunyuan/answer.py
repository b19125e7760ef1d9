"""What Tencent Hunyuan answers: whole, in pieces, or with an error that hides behind status 200.

In: the JSON values of a stream's events, or the one of a whole answer, which is read as a stream of one event. Out:
chunks, and errors with the HTTP status that the service's code stands for. What the common chunk has no place for is
kept in `extra` by its own name; what a delta or message holds beside the known is kept in its choice, because the
message has to be fit to be sent back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from compatapi.chat_types import (
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FunctionCallDelta,
    PromptTokensDetails,
    ToolCallDelta,
    Usage,
)
from compatapi.dialects.api_errors import stream_error
from compatapi.dialects.native import EventReader, count, finish_fields
from compatapi.errors import DecodeError, StreamError, cut
from compatapi.framing import Frame
from compatapi.toolcalls import ToolCallSlots, new_call_id

__all__ = ["HunyuanChunkDecoder"]

FINISH_REASONS = {"sensitive": "content_filter"}

#: The HTTP status that a code stands for; one that is not here has that of its first part. What no waiting cures (no
#: balance, not activated) has a status that is not tried again.
STATUSES = {
    "4000": 500,  # of ErrorMsg: internal error
    "4001": 504,  # of ErrorMsg: the model timed out
    "AuthFailure": 401,
    "AuthFailure.UnauthorizedOperation": 403,
    "UnauthorizedOperation": 403,
    **dict.fromkeys(("InvalidParameter", "InvalidParameterValue", "MissingParameter", "UnknownParameter"), 400),
    **dict.fromkeys(("UnsupportedOperation", "OperationDenied"), 400),
    **dict.fromkeys(("LimitExceeded", "RequestLimitExceeded", "FailedOperation.EngineServerLimitExceeded"), 429),
    "ResourceNotFound": 404,
    **dict.fromkeys(("FailedOperation.ServiceStopArrears", "FailedOperation.FreeResourcePackExhausted"), 402),
    **dict.fromkeys(("FailedOperation.ResourcePackExhausted", "ResourceInsufficient", "ResourceUnavailable"), 402),
    **dict.fromkeys(("FailedOperation.ServiceNotActivated", "FailedOperation.ServiceStop"), 403),
    "FailedOperation.UserUnAuthError": 403,
    "FailedOperation.EngineRequestTimeout": 504,
    "FailedOperation.EngineServerError": 500,
    "InternalError": 500,
}

T = TypeVar("T")


class HunyuanChunkDecoder:
    """Frames of one stream in, chunks out.

    Args:
        model: What was asked for; answers do not name it.
    """

    def __init__(self, model: str | None) -> None:
        self.done = False
        self._model = model
        self._reader = EventReader()
        self._usage: dict[str, Any] | None = None
        self._is_over = False
        self._calls: dict[int, _Calls] = {}

    def decode(self, frame: Frame) -> Iterable[ChatCompletionChunk]:
        """The chunks of one frame."""
        text = frame.data.strip()
        if not text or text.startswith("[DONE]"):  # no document speaks of the mark; it does no harm
            self.done = bool(text)
            return ()
        return self.read(self._reader.loads(text))

    def read(self, value: Any, is_whole: bool = False) -> Iterator[ChatCompletionChunk]:
        """The chunk of an event, or of a whole answer, and then the error that it reports."""
        if not isinstance(value, dict):
            raise DecodeError(f"This is no JSON object: {cut(value, 200)!r}", data=cut(value))
        left = dict(value)
        left |= _take(left, "Response", dict) or {}
        error = _read_error(value, left)
        choices = [self._read_choice(choice) for choice in _take(left, "Choices", list) or () if type(choice) is dict]
        if choices or (left and error is None):
            yield self._read_chunk(left, choices, is_whole)
        if error is not None:
            raise error

    def _read_chunk(self, left: dict[str, Any], choices: list[ChunkChoice], is_whole: bool) -> ChatCompletionChunk:
        # It is on every event and counts all that came before: it is told once, with the end or behind it.
        self._usage = _take(left, "Usage", dict) or self._usage
        told = None
        if self._is_over or is_whole or any(choice.finish_reason is not None for choice in choices):
            told = _read_usage(self._usage) if self._usage else None
            self._is_over, self._usage = True, None
        id, created = _take(left, "Id", str), _take(left, "Created", int)
        extra = _rest(left) or None
        return ChatCompletionChunk(id, created=created, model=self._model, choices=choices, usage=told, extra=extra)

    def _read_choice(self, value: dict[str, Any]) -> ChunkChoice:
        left = dict(value)
        index = _take(left, "Index", int) or 0
        name = "Message" if left.get("Delta") is None else "Delta"
        rest = dict(_take(left, name, dict) or {})
        delta = Delta(
            role=_take(rest, "Role", str),
            content=_take(rest, "Content", str),
            reasoning_content=_take(rest, "ReasoningContent", str),
        )
        values = [call for call in _take(rest, "ToolCalls", list) or () if type(call) is dict]
        if values:
            delta.tool_calls, odd = self._calls.setdefault(index, _Calls()).read(values)
            rest |= {"ToolCalls": odd} if any(odd) else {}
        reason, extra = finish_fields(_take(left, "FinishReason", str), FINISH_REASONS)
        left |= {name: _said(rest) or None} if rest else {}
        return ChunkChoice(index, delta, reason, extra={**extra, **_rest(left)} or None)


class _Calls:
    """The tool calls of one choice.

    Fragments belong together by their Id ("merge Type, Name and Arguments by Id", documents of Delta.ToolCalls). Each
    may repeat it, and the name.
    """

    def __init__(self) -> None:
        self._slots = ToolCallSlots()
        self._names: dict[int, str] = {}  # what was said of each slot

    def read(self, values: list[dict[str, Any]]) -> tuple[list[ToolCallDelta], list[dict[str, Any]]]:
        """The fragments of one delta, and what is left of each."""
        fragments, rests = [], []
        known, taken = {call.id for call in self._slots.calls.values()}, set(self._slots.calls)
        for value in values:
            rest = dict(value)
            function = dict(_take(rest, "Function", dict) or {})
            id, index, kind = _take(rest, "Id", str), _take(rest, "Index", int), _take(rest, "Type", str)
            said = FunctionCallDelta(_take(function, "Name", str), _take(function, "Arguments", str))
            goes_by_id = id and (id in known or index in taken)
            fragments.append(ToolCallDelta(None if goes_by_id else index, id or None, kind or None, said))
            rests.append(_said({**rest, "Function": _said(function) or None}))
            known |= {id} if id else set()
            taken |= {index} if index is not None else set()
        for fragment, slot, value, rest in zip(fragments, self._slots.add(fragments), values, rests, strict=True):
            self._settle(fragment, slot)
            if value.get("Index") not in (None, slot):
                rest["Index"] = value["Index"]
        return fragments, rests

    def _settle(self, fragment: ToolCallDelta, slot: int) -> None:
        """Give a fragment its number, and say id, type and name once."""
        call, function = self._slots.calls[slot], fragment.function
        fragment.index = slot
        if slot in self._names:
            fragment.id = fragment.type = None
        else:
            fragment.id = call.id = call.id or new_call_id()
        before = self._names.setdefault(slot, "")
        assert function is not None
        if function.name in (before, ""):
            function.name = None
        self._names[slot] = before + (function.name or "")


def _read_error(value: dict[str, Any], left: dict[str, Any]) -> StreamError | None:
    """The error that an answer reports, under either of its names; null and an object that says nothing are none."""
    found, problem = left.pop("Error", None), left.pop("ErrorMsg", None)
    if isinstance(problem, dict):
        problem = {"Code": problem.get("Code"), "Message": problem.get("Msg")} if any(problem.values()) else None
    found = found or problem
    if not found:
        return None
    found = found if isinstance(found, dict) else {"Message": cut(found)}
    error = stream_error({"Response": {"Error": found, "RequestId": left.get("RequestId")}})
    code = str(error.code)
    error.status_code, error.body = STATUSES.get(code, STATUSES.get(code.partition(".")[0])), value
    return error


def _read_usage(value: dict[str, Any]) -> Usage:
    left = dict(value)
    details = dict(_take(left, "PromptTokensDetails", dict) or {})
    cached = _take_count(details, "CachedTokens")
    rest = _rest(details)
    return Usage(
        _take_count(left, "PromptTokens"),
        _take_count(left, "CompletionTokens"),
        _take_count(left, "TotalTokens"),
        PromptTokensDetails(cached, extra=rest or None) if rest or cached is not None else None,
        extra=_rest(left) or None,
    )


def _take_count(left: dict[str, Any], name: str) -> int | None:
    value = left.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)  # CachedTokens is declared as text
    number = count(value)
    if number is not None:
        del left[name]
    return number


def _take(left: dict[str, Any], name: str, kind: type[T]) -> T | None:
    """Take a value of the right type out; any other stays, to be kept as it is."""
    value = left.get(name)
    if type(value) is not kind:
        return None
    del left[name]
    return value


def _said(left: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in left.items() if value is not None}


def _rest(left: dict[str, Any]) -> dict[str, Any]:
    """What is left, for `extra`. A name that is not PascalCase could be a common one: it stands under "Others"."""
    rest: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in left.items():
        if value is not None:
            (rest if "A" <= name[:1] <= "Z" else others)[name] = value
    return rest | {"Others": others} if others else rest
