"""Answers of the Gemini API as chunks.

In: the events of a stream, each with the shape of a whole answer (GenerateContentResponse). Out: one chunk for each.
There is no end mark: an answer ends by its finish reasons, or by a prompt that was blocked.

What an answer says of its own parts is kept where the next turn finds it: the signature of a call in the call's
``extra_content``, as in Google's OpenAI-compatible form (and there the id, if the server gave one); the signature of a
text in ``reasoning_details``, and any other part in ``content_blocks``, where a text behind a call is noted too. These
two have their place: ``index`` among the parts, ``offset`` and ``length`` in characters of the text, and ``calls``, the
number of tool calls in front.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from copy import copy
from typing import Any

from attrs import define, evolve

from compatapi import jsontext
from compatapi.chat_types import (
    ChatCompletionChunk,
    ChunkChoice,
    CompletionTokensDetails,
    Delta,
    FunctionCallDelta,
    Logprobs,
    PromptTokensDetails,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
)
from compatapi.dialects.forms import CONTENT, REASONING, Tell
from compatapi.dialects.gemini.errors import as_object, checked
from compatapi.dialects.gemini.turns import SIGNATURE_FORMAT
from compatapi.dialects.native import EventReader, count, finish_fields
from compatapi.errors import ConfigError, DecodeError, cut
from compatapi.framing import Frame
from compatapi.toolcalls import new_call_id
from compatapi.wire import wire_names

__all__ = ["GeminiChunkDecoder", "usage_of"]

#: The common word for each finish reason; STOP behind a function call is "tool_calls".
FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "FUNCTION_CALL": "tool_calls",  # of servers like it; Google's says STOP
    **dict.fromkeys(("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"), "content_filter"),
    **dict.fromkeys(("MODEL_ARMOR", "ESCALATION", "PUP_LIMITED_DISABLED"), "content_filter"),
    **dict.fromkeys(("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER"), "content_filter"),
    # The model broke off without an answer: "stop" would hide that.
    **dict.fromkeys(("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"), "error"),
    **dict.fromkeys(("MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "LANGUAGE", "OTHER", "NO_IMAGE"), "error"),
    "FINISH_REASON_UNSPECIFIED": "",
}
_EVENT = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId"})
_CANDIDATE = frozenset({"content", "finishReason", "index", "logprobsResult"})
_NOTHING_ELSE = frozenset({"content", "index"})
_TEXT_PART = frozenset({"text", "thought", "thoughtSignature"})
_PLAIN_PART = frozenset({"text", "thought"})
_CALL = frozenset({"name", "args", "partialArgs", "willContinue"})
_COUNTS = frozenset(
    {"promptTokenCount", "candidatesTokenCount", "totalTokenCount", "cachedContentTokenCount", "thoughtsTokenCount"}
)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]")


@define
class _Candidate:
    """What one candidate has said so far."""

    parts: int = 0
    length: int = 0  # of its text, in characters
    calls: int = 0
    placed: int = 0  # calls in front of the last text, whose place is known
    growing: dict[str, Any] | None = None  # the arguments of a call that is not at its end
    is_finished: bool = False

    def spoke(self, text: str) -> None:
        """Count a part of text that was read elsewhere."""
        self.parts += 1
        self.length += len(text)

    def thought(self, text: str) -> None:
        """Count a part of reasoning that was read elsewhere."""
        self.parts += 1


class GeminiChunkDecoder:
    """Events of one answer in, chunks out.

    Args:
        created: Unix time in seconds.
        model: What was asked for, until the server says what answers.
    """

    def __init__(self, created: int, model: str | None = None) -> None:
        self.done = False
        self._reader = EventReader()
        self.known = self._reader.known
        self._id: str | None = None
        self._created = created
        self._model = model
        self._candidates: dict[int, _Candidate] = {}

    def decode(self, frame: Frame) -> Iterable[ChatCompletionChunk]:
        """The chunks of one frame."""
        try:
            value = self._reader.loads(frame.data)
        except DecodeError:
            if frame.data.strip() == "[DONE]":  # of a relay; it says nothing of the answer
                return []
            raise
        name = (self._id, self._model)
        chunks = self.decode_event(value, frame.data)
        if len(chunks) == 1 and self._is_plain(value) and name == (self._id, self._model):
            self._reader.learn(frame.data, chunks[0], self._read_plain, self._tell)
        else:
            self._reader.forget()
        return chunks

    def _is_plain(self, value: dict[str, Any]) -> bool:
        """Whether an event is like most: one piece of the first candidate, and nothing that later ones depend on."""
        candidates = value.get("candidates")
        candidate = candidates[0] if isinstance(candidates, list) and len(candidates) == 1 else None
        so_far = self._candidates.get(0)
        if not isinstance(candidate, dict) or so_far is None or candidate.get("index", 0) != 0:
            return False
        if "promptFeedback" in value or "finishReason" in candidate or so_far.calls != so_far.placed:
            return False
        named = value.get("responseId", self._id) == self._id and value.get("modelVersion", self._model) == self._model
        parts = as_object(candidate.get("content")).get("parts")
        part = parts[0] if isinstance(parts, list) and len(parts) == 1 else None
        if not named or not isinstance(part, dict) or not part.keys() <= _PLAIN_PART:
            return False
        return isinstance(part.get("text"), str) and part["text"] != ""

    def _read_plain(self, data: str) -> ChatCompletionChunk | None:
        """The chunk of a plain event as `decode` would make it; what this one counts is not counted here."""
        value = jsontext.loads(data)
        if not self._is_plain(value):
            return None
        look = copy(self)
        look._candidates = {0: evolve(self._candidates[0])}
        [chunk] = look.decode_event(value, data)
        return chunk

    def _tell(self, chunk: ChatCompletionChunk) -> Tell | None:
        so_far = self._candidates[0]
        return (CONTENT, so_far.spoke) if chunk.text else (REASONING, so_far.thought)

    def decode_event(self, value: Any, source: str | bytes) -> list[ChatCompletionChunk]:
        """The chunk of one event; ``source`` is what names an answer that the server gave no id.

        Raises:
            StreamError: It is an error.
            DecodeError: It is no event.
        """
        value = checked(value)
        if isinstance(value.get("responseId"), str):
            self._id = value["responseId"]
        elif self._id is None:
            data = source.encode("utf-8", "replace") if isinstance(source, str) else source
            self._id = f"gemini-{hashlib.sha256(data).hexdigest()[:24]}"
        if isinstance(value.get("modelVersion"), str):
            self._model = value["modelVersion"]
        found, feedback = value.get("candidates"), value.get("promptFeedback")
        candidates = found if isinstance(found, list) else []
        choices = [self._choice(candidate) for candidate in candidates if isinstance(candidate, dict)]
        if feedback is not None and not choices and isinstance(as_object(feedback).get("blockReason"), str):
            choices = self._blocked(feedback["blockReason"])
        usage = usage_of(value.get("usageMetadata"))
        extra = None if value.keys() <= _EVENT else {name: value[name] for name in value if name not in _EVENT}
        if not (choices or usage or extra):
            return []
        return [
            ChatCompletionChunk(
                self._id, created=self._created, model=self._model, choices=choices, usage=usage, extra=extra
            )
        ]

    def _blocked(self, reason: str) -> list[ChunkChoice]:
        """The end of what was not at its end: the server does not answer this prompt."""
        choices = []
        for index, so_far in (self._candidates or {0: _Candidate()}).items():
            if not so_far.is_finished:
                extra = {"native_finish_reason": reason}
                choices.append(ChunkChoice(index, Delta(), "content_filter", extra=extra))
                self._candidates[index] = evolve(so_far, is_finished=True)
        return choices

    def _choice(self, candidate: dict[str, Any]) -> ChunkChoice:
        index = candidate.get("index")
        index = index if type(index) is int else 0
        role = None if index in self._candidates else "assistant"
        so_far = self._candidates.setdefault(index, _Candidate())
        content = as_object(candidate.get("content"))
        parts = content.get("parts")
        part = parts[0] if isinstance(parts, list) and len(parts) == 1 else None
        text = part.get("text") if isinstance(part, dict) and len(part) == 1 else None
        if isinstance(text, str) and text and so_far.calls == so_far.placed:  # as most events are
            so_far.parts += 1
            so_far.length += len(text)
            delta = Delta(role, text)
        else:
            delta = _delta(so_far, parts if isinstance(parts, list) else [], role, "finishReason" in candidate)
        choice = ChunkChoice(index, delta)
        if len(content) > 2:
            rest = {name: value for name, value in content.items() if name not in ("parts", "role")}
            choice.extra.update({"content": rest} if rest else {})
        return choice if candidate.keys() <= _NOTHING_ELSE else self._with_rest(choice, candidate, so_far)

    @staticmethod
    def _with_rest(choice: ChunkChoice, candidate: dict[str, Any], so_far: _Candidate) -> ChunkChoice:
        """A choice with what stands beside its content."""
        reason, extra = finish_fields(candidate.get("finishReason"), FINISH_REASONS)
        if reason == "stop" and so_far.calls:
            reason = "tool_calls"
        if reason and not so_far.is_finished:  # old models say it with every event
            choice.finish_reason = reason
            so_far.is_finished = True
        extra |= {name: candidate[name] for name in candidate if name not in _CANDIDATE}
        if isinstance(candidate.get("logprobsResult"), dict):
            choice.logprobs, rest = _logprobs(candidate["logprobsResult"])
            extra |= {"logprobsResult": rest} if rest else {}
        if extra:
            choice.extra.update(extra)
        return choice


def _delta(so_far: _Candidate, parts: list[Any], role: str | None, is_last: bool) -> Delta:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCallDelta] = []
    pieces: dict[str, list[dict[str, Any]]] = {"reasoning_details": [], "content_blocks": []}
    for part in parts:
        if not isinstance(part, dict):
            continue
        place = {"index": so_far.parts, "offset": so_far.length, "calls": so_far.calls}
        so_far.parts += 1
        text = part.get("text")
        if isinstance(text, str):
            is_thought = part.get("thought") is True
            (thoughts if is_thought else texts).append(text)
            length = 0 if is_thought else len(text)
            so_far.length += length
            is_behind = bool(length) and so_far.calls != so_far.placed
            so_far.placed = so_far.calls if is_behind else so_far.placed
            _note_text(pieces, part, {**place, "length": length}, is_behind)
        elif not (isinstance(part.get("functionCall"), dict) and _add_call(so_far, calls, part)):
            pieces["content_blocks"].append({**place, **part})
    if is_last and so_far.growing is not None:
        calls += _end_call(so_far)
    extra = {name: found for name, found in pieces.items() if found}
    return Delta(
        role,
        "".join(texts) or None,
        reasoning_content="".join(thoughts) or None,
        tool_calls=calls or None,
        extra=extra or None,
    )


def _note_text(
    pieces: dict[str, list[dict[str, Any]]], part: dict[str, Any], place: dict[str, Any], is_behind: bool
) -> None:
    """Keep what a part of text says besides its text, and where it stands if that is behind a call."""
    thought = {"thought": True} if part.get("thought") is True else {}
    signature = part.get("thoughtSignature")
    if not part.keys() <= _TEXT_PART or not isinstance(signature, str | None):
        rest = {name: value for name, value in part.items() if name != "text"}
        pieces["content_blocks"].append({**place, **rest})
    elif signature:
        detail = {"type": "reasoning.encrypted", "data": signature, "format": SIGNATURE_FORMAT}
        pieces["reasoning_details"].append({**detail, **place, **thought})
    elif is_behind:
        pieces["content_blocks"].append(place)


def _add_call(so_far: _Candidate, calls: list[ToolCallDelta], part: dict[str, Any]) -> bool:
    """Add a call, or go on with one whose arguments come piece by piece; say whether it is one."""
    call = part["functionCall"]
    goes_on = call.get("willContinue") is True
    name, given = call.get("name"), call.get("id")
    if isinstance(name, str) and name:
        calls += _end_call(so_far)
        kept = {field: value for field, value in call.items() if field not in _CALL}
        google = {field: value for field, value in part.items() if field not in ("functionCall", "thoughtSignature")}
        google |= {"thought_signature": part["thoughtSignature"]} if "thoughtSignature" in part else {}
        google |= {"function_call": kept} if kept else {}
        id = given if isinstance(given, str) and given else new_call_id()
        is_whole = not goes_on and "partialArgs" not in call
        args = call.get("args")
        text = _arguments({} if args is None else args) if is_whole else None
        extra = {"extra_content": {"google": google}} if google else None
        calls.append(ToolCallDelta(so_far.calls, id, "function", FunctionCallDelta(name, text), extra=extra))
        so_far.calls += 1
        if is_whole:
            return True
        so_far.growing = dict(args) if isinstance(args, dict) else {}
    if so_far.growing is None:
        return False
    found = call.get("partialArgs")
    for piece in found if isinstance(found, list) else ():
        _put(so_far.growing, piece)
    if not goes_on:
        calls += _end_call(so_far)
    return True


def _end_call(so_far: _Candidate) -> list[ToolCallDelta]:
    arguments, so_far.growing = so_far.growing, None
    if arguments is None:
        return []
    return [ToolCallDelta(so_far.calls - 1, function=FunctionCallDelta(arguments=_arguments(arguments)))]


def _put(arguments: dict[str, Any], piece: Any) -> None:
    """One piece of the arguments of a call (PartialArg): a value, or more of a text, at a JSON path."""
    piece = as_object(piece)
    value = next((piece[name] for name in ("stringValue", "numberValue", "boolValue") if name in piece), None)
    path = _STEP.findall(str(piece.get("jsonPath")))
    # Python reads no number of thousands of digits; nine are beyond every list anyway.
    steps: list[Any] = [int(number[:9]) if number else name or quoted for name, number, quoted in path]
    if not steps:
        raise DecodeError(f"A piece of arguments has no place: {cut(piece, 200)}", data=cut(piece))
    spot: Any = arguments
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if isinstance(spot, list) and isinstance(step, int) and step <= len(spot) <= 10_000:
            spot += [None] * (step + 1 - len(spot))
        elif not (isinstance(spot, dict) and isinstance(step, str)):
            raise DecodeError(f"A piece of arguments has no place: {cut(piece, 200)}", data=cut(piece))
        before = spot[step] if isinstance(spot, list) else spot.get(step)
        if following is None:
            spot[step] = before + value if isinstance(before, str) and isinstance(value, str) else value
        elif not isinstance(before, dict | list):
            spot[step] = [] if isinstance(following, int) else {}
        spot = spot[step]


def _arguments(value: Any) -> str:
    try:
        return jsontext.dumps(value).decode()
    except ConfigError as error:  # a number beyond all floats
        raise DecodeError(f"The arguments of a call cannot be read: {error}", data=cut(value)) from error


def _logprobs(result: dict[str, Any]) -> tuple[Logprobs | None, dict[str, Any]]:
    """Log probabilities of the tokens, and what else the server says of them."""
    chosen, tops = result.get("chosenCandidates"), result.get("topCandidates")
    if not isinstance(chosen, list):
        return None, result
    tokens: list[TokenLogprob] = [_token(TokenLogprob, each) for each in chosen]
    for token, top in zip(tokens, tops if isinstance(tops, list) else (), strict=False):
        found = as_object(top).get("candidates")
        token.top_logprobs = [_token(TopLogprob, each) for each in found] if isinstance(found, list) else None
    rest = {name: result[name] for name in result if name not in ("chosenCandidates", "topCandidates")}
    return Logprobs(tokens), rest


def _token(cls: Any, value: Any) -> Any:
    value = dict(as_object(value))
    token = value.pop("token") if isinstance(value.get("token"), str) else None
    number = value.pop("logProbability") if isinstance(value.get("logProbability"), int | float) else None
    return cls(token, number, extra={name: value[name] for name in value if name not in wire_names(cls)} or None)


def usage_of(value: Any) -> Usage | None:
    """The tokens: thinking and the results of Google's own tools are counted beside the others, not among them.

    Counts that are added up here are kept too.
    """
    if not isinstance(value, dict) or not value:
        return None
    prompt, tools = count(value.get("promptTokenCount")), count(value.get("toolUsePromptTokenCount"))
    said, thought = count(value.get("candidatesTokenCount")), count(value.get("thoughtsTokenCount"))
    cached = count(value.get("cachedContentTokenCount"))
    summed = ("promptTokenCount" if tools is not None else "", "candidatesTokenCount" if thought is not None else "")
    return Usage(
        prompt if tools is None else (prompt or 0) + tools,
        said if thought is None else (said or 0) + thought,
        count(value.get("totalTokenCount")),
        None if cached is None else PromptTokensDetails(cached),
        None if thought is None else CompletionTokensDetails(thought),
        extra={name: value[name] for name in value if name not in _COUNTS or name in summed} or None,
    )
