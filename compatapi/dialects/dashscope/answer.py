"""Answers of DashScope: events and whole answers to chunks, and errors that hide among them.

`DashScopeChunkDecoder` takes the frames of a stream; `output_of` gives the ``output`` of any answer, or raises the
error that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from compatapi import jsontext
from compatapi.chat_types import (
    ChatCompletionChunk,
    ChunkChoice,
    CompletionTokensDetails,
    Delta,
    FunctionCallDelta,
    Logprobs,
    PromptTokensDetails,
    ToolCallDelta,
    Usage,
)
from compatapi.convert import from_dict
from compatapi.dialects.api_errors import is_error, read_error, stream_error
from compatapi.dialects.dashscope.repeats import Repeats
from compatapi.dialects.native import EventReader, count, finish_fields
from compatapi.errors import ConfigError, DecodeError, StreamError, cut
from compatapi.framing import Frame
from compatapi.toolcalls import new_call_id
from compatapi.wire import wire_names

__all__ = ["STATUSES", "DashScopeChunkDecoder", "kept", "output_of", "usage_of"]

#: The HTTP statuses of codes ("Error codes"); of a code with a dot, that of the part in front of it unless it is here.
STATUSES = {
    **dict.fromkeys(("InvalidParameter", "BadRequest", "InvalidURL", "UnsupportedOperation", "Arrearage"), 400),
    **dict.fromkeys(("DataInspectionFailed", "data_inspection_failed"), 400),
    **dict.fromkeys(("InvalidApiKey", "invalid_api_key"), 401),
    **dict.fromkeys(("AccessDenied", "Model.AccessDenied", "AllocationQuota"), 403),
    **dict.fromkeys(("ModelNotFound", "model_not_found", "WorkSpaceNotFound"), 404),
    "RequestTimeOut": 408,
    "BadRequest.TooLarge": 413,
    **dict.fromkeys(("Throttling", "LimitRequests"), 429),
    **dict.fromkeys(("InternalError", "SystemError"), 500),
    **dict.fromkeys(("ModelServingError", "ModelUnavailable"), 503),
}


# --- errors ---------------------------------------------------------------------------------------------------------


def output_of(value: Any) -> dict[str, Any]:
    """The ``output`` of an answer, or of an event.

    Raises:
        StreamError: It is an error.
        DecodeError: It is nonsense.
    """
    if not isinstance(value, dict):
        raise DecodeError(f"The answer is no JSON object: {cut(value, 200)!r}", data=cut(value))
    output = value.get("output")
    if isinstance(output, dict) and (output or not value.get("code")):
        return output
    if value.get("code") or is_error(value):
        raise _fault(value)
    raise DecodeError(f"The answer has no output: {cut(value, 200)}", data=cut(value))


def _fault(value: Any) -> StreamError:
    code, said = str(read_error(value)["code"]), value.get("status_code") if isinstance(value, dict) else None
    status = STATUSES.get(code, STATUSES.get(code.partition(".")[0]))
    if isinstance(said, int) and said >= 400:
        status = said
    return stream_error(value, {} if status is None else {code: status})


# --- streams --------------------------------------------------------------------------------------------------------

_CHOICE = frozenset({"message", "role", "content", "reasoning_content", "tool_calls", *wire_names(ChunkChoice)})
_CHUNK = frozenset({"output", "usage", "request_id", "text", "finish_reason", *wire_names(ChatCompletionChunk)})


class DashScopeChunkDecoder:
    """Frames of one stream in, chunks out.

    Args:
        created: Unix time in seconds.
        model: The model that was asked.
        repeats: Tells what is new in a text.
    """

    def __init__(self, created: int, model: str | None, repeats: Repeats) -> None:
        self.done = False
        self._created, self._model, self._repeats = created, model, repeats
        self._reader = EventReader()
        self._id: str | None = None
        self._roles: dict[int, str] = {}
        self._calls: dict[tuple[int, int], list[str]] = {}  # choice and number of a call: its id and name

    def decode(self, frame: Frame) -> Iterator[ChatCompletionChunk]:
        """The chunks that a frame completes: none while it takes the next one to tell what is new."""
        data = frame.data.strip()
        if frame.event == "done" or not data:
            return
        try:
            for value in _values(data, self._reader.loads):
                if frame.event == "error":
                    raise _fault(value)
                yield from self._repeats.add(self.chunk_of(value))
        except (DecodeError, StreamError) as error:
            yield from self.flush()
            if frame.event == "error" and isinstance(error, DecodeError):
                raise stream_error(data) from error
            raise

    def flush(self) -> list[ChatCompletionChunk]:
        """What waited for the next frame, when none comes any more."""
        return self._repeats.flush()

    def chunk_of(self, value: Any) -> ChatCompletionChunk:
        """The chunk of an event, or of a whole answer, with the texts as they came.

        Raises:
            StreamError: It is an error.
            DecodeError: It is nonsense.
        """
        output = output_of(value)
        name = value.get("request_id")
        if isinstance(name, str) and name:
            self._id = name
        return ChatCompletionChunk(
            self._id,
            created=self._created,
            model=self._model,
            choices=[self._choice(place, choice) for place, choice in enumerate(_choices(output))],
            usage=usage_of(value.get("usage")),
            extra=kept(output, _CHUNK) | kept(value, _CHUNK) or None,
        )

    def _choice(self, place: int, choice: dict[str, Any]) -> ChunkChoice:
        index = _number(choice.get("index"), place)
        message = choice.get("message")
        message = message if isinstance(message, dict) else {}
        left = kept(choice, _CHOICE) | kept(message, _CHOICE)
        role = _string(message, "role", left)
        if role:
            role = None if self._roles.get(index) == role else role
            self._roles[index] = role or self._roles[index]
        raw = choice.get("finish_reason")
        reason, _ = finish_fields(None if raw == "null" else raw, {})
        delta = Delta(
            role=role or None,
            content=_content(message, left),
            reasoning_content=_string(message, "reasoning_content", left),
            tool_calls=self._tool_calls(index, message.get("tool_calls"), left) or None,
        )
        logprobs = choice.get("logprobs")
        told = from_dict(Logprobs, logprobs) if isinstance(logprobs, dict) else None
        return ChunkChoice(index, delta, reason, told, extra=left or None)

    def _tool_calls(self, choice: int, calls: Any, left: dict[str, Any]) -> list[ToolCallDelta]:
        found = []
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict) or call.keys() - _CALL or function.keys() - {"name", "arguments"}:
                left["tool_calls"] = calls
            if isinstance(function, dict):
                found.append(self._tool_call(choice, call, function, len(calls) > 1))
        if calls and not isinstance(calls, list):
            left["tool_calls"] = calls
        return found

    def _tool_call(self, choice: int, call: dict[str, Any], function: dict[str, Any], several: bool) -> ToolCallDelta:
        """A piece of a call. Id and name are said once, however often they come; an id may come as an empty text."""
        id, name = (value if isinstance(value, str) else "" for value in (call.get("id"), function.get("name")))
        number = self._number_of(choice, call.get("index"), id, several)
        known = self._calls.get((choice, number))
        begins = known is None or bool(id and name and id != known[0])
        if known is None or begins:
            known = self._calls[choice, number] = [id or new_call_id(), ""]
        name, known[1] = "" if known[1] else name, known[1] or name
        made = FunctionCallDelta(name or None, _arguments(function.get("arguments")))
        return ToolCallDelta(number, known[0] if begins else None, "function" if begins else None, made)

    def _number_of(self, choice: int, index: Any, id: str, several: bool) -> int:
        """The number of a call; where the wire has none, the one of its id, or the next for a new id, or the last."""
        numbers = [number for other, number in self._calls if other == choice]
        given = _number(index, -1)
        if given >= 0:
            return given
        same = next((number for number in numbers if id and self._calls[choice, number][0] == id), -1)
        if same >= 0:
            return same
        is_new = bool(id) or several or not numbers
        return max(numbers, default=-1) + 1 if is_new else max(numbers)


_CALL = frozenset({"index", "id", "type", "function"})


def _values(data: str, loads: Callable[[str], Any]) -> Iterator[Any]:
    """The JSON values of an event: one, or one a line where a relay has lost the empty lines between events."""
    try:
        value = loads(data)
    except DecodeError:
        if "\n" not in data:
            raise
        for line in filter(None, map(str.strip, data.split("\n"))):
            yield loads(line)
        return
    yield value


def _choices(output: dict[str, Any]) -> list[dict[str, Any]]:
    """The choices; with ``result_format`` "text" there is one, and its text is all it has."""
    choices = output.get("choices")
    if isinstance(choices, list):
        return [choice for choice in choices if isinstance(choice, dict)]
    if output.get("text") is None and output.get("finish_reason") is None:
        return []
    return [{"message": {"content": output.get("text")}, "finish_reason": output.get("finish_reason")}]


def _content(message: dict[str, Any], left: dict[str, Any]) -> str | None:
    """The text of a content: a text, or the parts of multimodal models, of which what is no text is ``left``."""
    parts = message.get("content")
    if not isinstance(parts, list):
        return _string(message, "content", left)
    if not all(isinstance(part, dict) and part.keys() <= {"text"} for part in parts):
        left["content"] = parts
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str)) if texts else None


def _string(message: dict[str, Any], name: str, left: dict[str, Any]) -> str | None:
    value = message.get(name)
    if value is None or isinstance(value, str):
        return value
    left[name] = value
    return None


def _arguments(value: Any) -> str | None:
    try:
        return value if value is None or isinstance(value, str) else jsontext.dumps(value).decode()
    except ConfigError as error:  # a number that is no finite float, such as 1e400
        raise DecodeError(f"The arguments of a tool call cannot be read: {error}", data=cut(value)) from error


def _number(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise


def kept(value: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """What an object holds besides the known; an empty code and message are those of a success."""
    if value.keys() <= known:
        return {}
    return {name: item for name, item in value.items() if name not in known and item is not None and item != ""}


_COUNTS = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens", "total_tokens": "total_tokens"}
_DETAILS: dict[str, tuple[str, Any]] = {
    "prompt_tokens_details": ("prompt_tokens_details", PromptTokensDetails),
    "output_tokens_details": ("completion_tokens_details", CompletionTokensDetails),
}


def usage_of(usage: Any) -> Usage | None:
    """The tokens so far; what else was counted is kept."""
    if not isinstance(usage, dict):
        return None
    prompt, answer, total = (usage.get(name) for name in _COUNTS)
    if len(usage) == 3 and prompt.__class__ is answer.__class__ is total.__class__ is int:  # as most are
        return Usage(prompt, answer, total)
    made: dict[str, Any] = {there: count(usage.get(name)) for name, there in _COUNTS.items()}
    if made["total_tokens"] is None and None not in (made["prompt_tokens"], made["completion_tokens"]):
        made["total_tokens"] = made["prompt_tokens"] + made["completion_tokens"]
    details = {name: item for name, item in usage.items() if name in _DETAILS and isinstance(item, dict)}
    made |= {_DETAILS[name][0]: from_dict(_DETAILS[name][1], item) for name, item in details.items()}
    return Usage(**made, extra=kept(usage, frozenset({*_COUNTS, *details, *wire_names(Usage)})))
