"""Chat answers in the OpenAI wire format, whole or in chunks, made from a few words.

The order of chunks is that of OpenAI: a role chunk, the deltas, a chunk with the finish reason,
and, if asked for, a chunk without choices that carries the usage. Token counts are estimates: one
token is one piece of text, which is a word with the white space in front of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from attrs import evolve, field, frozen

from .script import encode_json

Arguments = str | Mapping[str, Any]
_PIECES = re.compile(r"\s*\S+|\s+")
_FRAGMENT = 12
_AnyAnswer = TypeVar("_AnyAnswer", bound="ChatAnswer")


def split_pieces(text: str) -> list[str]:
    """Cut text into word-like pieces; joined they are the text again."""
    return _PIECES.findall(text)


@frozen
class ChatAnswer:
    """What a model says, and the names around it.

    `tool_calls`: pairs of name and arguments (a dict, or JSON text). `usage`: True for estimates,
    a dict to be sent as it is, False or None for none. `finish_reason`: "auto" is "tool_calls"
    when there are some and "stop" otherwise; None leaves it out. `pieces`: the text as the deltas
    are to have it, in place of `text`. `created`: seconds since 1970.
    """

    text: str = ""
    reasoning: str | None = field(default=None, kw_only=True)
    tool_calls: Sequence[tuple[str, Arguments]] = field(default=(), kw_only=True)
    usage: bool | Mapping[str, Any] | None = field(default=True, kw_only=True)
    finish_reason: str | None = field(default="auto", kw_only=True)
    model: str = field(default="scripted-model", kw_only=True)
    id: str = field(default="chatcmpl-scripted", kw_only=True)
    created: int = field(default=1730000000, kw_only=True)
    pieces: Sequence[str] | None = field(default=None, kw_only=True)
    prompt_tokens: int = field(default=9, kw_only=True)

    def chunks(self) -> list[dict[str, Any]]:
        """Return the answer as the data of a stream, without its end marker."""
        content = "" if self.text_pieces() or not self.tool_calls else None
        role = {"role": "assistant", "content": content, "refusal": None}
        deltas: list[dict[str, Any]] = [role]
        deltas += [{"reasoning_content": piece} for piece in split_pieces(self.reasoning or "")]
        deltas += [{"content": piece} for piece in self.text_pieces()]
        deltas += [{"tool_calls": [fragment]} for fragment in self.call_fragments()]
        chunks = [self._chunk(delta) for delta in deltas]
        if self.finish_reason is not None:
            chunks.append(self._chunk({}, self.ending()))
        if (counts := self.counts()) is not None:
            for chunk in chunks:
                chunk["usage"] = None
            chunks.append({**self._frame("chat.completion.chunk"), "choices": [], "usage": counts})
        return chunks

    def completion(self) -> dict[str, Any]:
        """Return the answer as one whole `chat.completion`."""
        text = "".join(self.text_pieces())
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text if text or not self.tool_calls else None,
            "refusal": None,
        }
        if self.reasoning is not None:
            message["reasoning_content"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = self.whole_calls()
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self.ending(),
        }
        body: dict[str, Any] = {**self._frame("chat.completion"), "choices": [choice]}
        if (counts := self.counts()) is not None:
            body["usage"] = counts
        return body

    def limited(self: _AnyAnswer, max_tokens: int) -> _AnyAnswer:
        """Return the answer cut off after that many tokens, with the finish reason "length"."""
        reasoning = split_pieces(self.reasoning or "")
        text = list(self.text_pieces())
        if len(reasoning) + len(text) <= max_tokens:
            return self
        return evolve(
            self,
            reasoning="".join(reasoning[:max_tokens]) or None,
            pieces=text[: max(0, max_tokens - len(reasoning))],
            tool_calls=(),
            finish_reason="length",
        )

    def at_once(self: _AnyAnswer) -> _AnyAnswer:
        """Return the same answer with its text in one piece; to put a million together takes services minutes."""
        text = "".join(self.text_pieces())
        return evolve(self, text=text, pieces=[text] if text else [], usage=self.counts())

    def text_pieces(self) -> Sequence[str]:
        """Return the text as the deltas have it."""
        return split_pieces(self.text) if self.pieces is None else self.pieces

    def ending(self) -> str | None:
        """Return the finish reason."""
        if self.finish_reason != "auto":
            return self.finish_reason
        return "tool_calls" if self.tool_calls else "stop"

    def _frame(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**self._frame("chat.completion.chunk"), "choices": [choice]}

    def whole_calls(self) -> list[dict[str, Any]]:
        """Return the tool calls as a message has them."""
        suffix = self.id.rpartition("-")[2]
        return [
            {
                "id": f"call_{suffix}_{index}",
                "type": "function",
                "function": {"name": name, "arguments": _arguments_text(arguments)},
            }
            for index, (name, arguments) in enumerate(self.tool_calls)
        ]

    def call_fragments(self) -> Iterator[dict[str, Any]]:
        """Give the tool calls as the deltas have them: the name first, then the arguments piece by piece."""
        for index, call in enumerate(self.whole_calls()):
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            yield {"index": index, **call, "function": {"name": name, "arguments": ""}}
            for start in range(0, len(arguments), _FRAGMENT):
                fragment = arguments[start : start + _FRAGMENT]
                yield {"index": index, "function": {"arguments": fragment}}

    def counts(self) -> dict[str, Any] | None:
        """Return the usage, or None when there is to be none."""
        if self.usage is None or self.usage is False:
            return None
        if isinstance(self.usage, Mapping):
            return dict(self.usage)
        reasoning = len(split_pieces(self.reasoning or ""))
        completion = reasoning + len(self.text_pieces()) + len(list(self.call_fragments()))
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }


def chat_chunks(text: str = "Hello there!", **fields: Any) -> list[dict[str, Any]]:
    """Return the chunks of an answer; the keywords are the fields of `ChatAnswer`."""
    return ChatAnswer(text, **fields).chunks()


def chat_completion(text: str = "Hello there!", **fields: Any) -> dict[str, Any]:
    """Return an answer as a whole `chat.completion`; the keywords as for `chat_chunks`."""
    return ChatAnswer(text, **fields).completion()


def _arguments_text(arguments: Arguments) -> str:
    return arguments if isinstance(arguments, str) else encode_json(arguments).decode()
