"""The turns of a conversation in the words of the Messages API.

System turns go to the top, wherever they stood. Consecutive turns of one role are one, and results of tools come first
in theirs. What `compatapi.dialects.anthropic.blocks` kept of an answer goes back unchanged, in the order of its blocks.
Left out on purpose: what has no text, the name on the result of a tool (the id of the call says more), white space at
the very end of a conversation that ends with the assistant, which the service refuses there, and thinking that broke
off before it was signed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from typing import Any

from compatapi import jsontext
from compatapi.chat_types import ContentPart, FilePart, ImagePart, Message, RefusalPart, TextPart, ToolCall
from compatapi.convert import to_dict
from compatapi.dialects.anthropic.blocks import text_of
from compatapi.dialects.fields import DataURL, RequestFields, arguments_of, read_data_url
from compatapi.errors import DecodeError

__all__ = ["encode_turns"]

_Block = dict[str, Any]

#: What the roles say besides content; the rest is refused when it holds something.
_SAID = {
    "assistant": ("reasoning_content", "refusal", "tool_calls"),
    "developer": (),
    "system": (),
    "tool": ("name", "tool_call_id"),
    "user": (),
}
_ATTRIBUTES = {
    *("name", "reasoning_content", "refusal", "tool_calls", "tool_call_id", "audio", "annotations", "function_call"),
}
_EXTRA = {
    "assistant": ("cache_control", "reasoning", "reasoning_details", "content_blocks"),
    "tool": ("cache_control", "is_error", "toolset_name"),
}
_ANY_EXTRA = ("cache_control", "reasoning_details", "content_blocks", "is_error", "toolset_name")
_CALL_EXTRA = ("caller", "cache_control", "toolset_name")

#: Parts in the service's own shape, which the common one has no class for.
_OWN_PARTS = ("container_upload", "document", "image", "search_result")
_DOCUMENT_EXTRA = ("cache_control", "title", "context", "citations")
_PLAIN_TEXTS = ("application/json", "application/xml", "application/yaml", "application/javascript")


def encode_turns(fields: RequestFields) -> tuple[list[_Block], list[dict[str, Any]]]:
    """The blocks of the system prompt, and the messages."""
    system: list[_Block] = []
    turns: list[dict[str, Any]] = []
    for where, message in fields.messages(_ANY_EXTRA):
        role = message.role
        if role not in _SAID:
            fields.refuse(f"{where}.role", f"{role!r}")
            continue
        fields.refuse_fields(where, message, *sorted(_ATTRIBUTES.difference(_SAID[role])))
        fields.refuse_extra(where, message.extra, _EXTRA.get(role, ("cache_control",)))
        blocks = _say(fields, where, message)
        if blocks and message.extra.get("cache_control"):
            blocks[-1] = {**blocks[-1], "cache_control": message.extra["cache_control"]}
        if role in ("system", "developer"):
            system += blocks
        else:
            _join(turns, "assistant" if role == "assistant" else "user", blocks)
    if turns and turns[-1]["role"] == "assistant":
        _strip_end(turns)
    return system, [{**turn, "content": _shortened(turn["content"])} for turn in turns]


def _join(turns: list[dict[str, Any]], role: str, blocks: list[_Block]) -> None:
    if not blocks:
        return
    if not turns or turns[-1]["role"] != role:
        turns.append({"role": role, "content": []})
    content = turns[-1]["content"]
    content += blocks
    if role == "user":
        content.sort(key=lambda block: block["type"] != "tool_result")


def _strip_end(turns: list[dict[str, Any]]) -> None:
    content = turns[-1]["content"]
    if content[-1]["type"] == "text":
        text = content.pop()
        if text["text"].rstrip():
            content.append({**text, "text": text["text"].rstrip()})
    if not content:
        turns.pop()


def _shortened(blocks: list[_Block]) -> str | list[_Block]:
    """A text alone may be said without a block around it."""
    text: str = blocks[0].get("text", "")
    return text if [{"type": "text", "text": text}] == blocks else blocks


def _say(fields: RequestFields, where: str, message: Message) -> list[_Block]:
    if message.role == "assistant":
        return _answer(fields, where, message)
    if message.role == "tool":
        return _result(fields, where, message)
    blocks = _content(fields, where, message)
    if message.role != "user":
        for block in blocks:
            if block["type"] != "text":
                fields.refuse(f"{where}.content", f"a {block['type']} in a system prompt")
        blocks = [block for block in blocks if block["type"] == "text"]
    return blocks


def _result(fields: RequestFields, where: str, message: Message) -> list[_Block]:
    if not message.tool_call_id:
        fields.refuse(where, "a result without the tool_call_id of its call")
        return []
    block: _Block = {"type": "tool_result", "tool_use_id": message.tool_call_id}
    content = _content(fields, where, message)
    if content:
        block["content"] = _shortened(content)
    return [{**block, **{name: message.extra[name] for name in ("is_error", "toolset_name") if name in message.extra}}]


# --- parts ----------------------------------------------------------------------------------------------------------


def _content(fields: RequestFields, where: str, message: Message) -> list[_Block]:
    made = []
    for place, part in fields.parts(where, message, _DOCUMENT_EXTRA):
        block = _part(fields, place, part)
        if block is not None:
            made.append(block)
    return made


def _part(fields: RequestFields, place: str, part: ContentPart) -> _Block | None:
    if type(part) is ContentPart and part.type in _OWN_PARTS:
        return to_dict(part)
    known: tuple[str, ...] = ("cache_control",)
    block: _Block | None = None
    if isinstance(part, TextPart):
        block = _text(part.text)
    elif isinstance(part, RefusalPart):
        block = _text(part.refusal)
    elif isinstance(part, ImagePart):
        block = _image(fields, place, part)
    elif isinstance(part, FilePart):
        block, known = _document(fields, place, part), _DOCUMENT_EXTRA
    else:
        fields.refuse(place, f"a part of type {part.type!r}")
        return None
    fields.refuse_extra(place, part.extra, known)
    return block and {**block, **{name: part.extra[name] for name in known if name in part.extra}}


def _text(text: str) -> _Block | None:
    return {"type": "text", "text": text} if text else None


def _image(fields: RequestFields, place: str, part: ImagePart) -> _Block:
    image = part.image_url
    fields.refuse_extra(f"{place}.image_url", image.extra)
    if image.detail not in (None, "auto"):
        fields.refuse(f"{place}.image_url.detail")
    data = read_data_url(image.url)
    return {"type": "image", "source": {"type": "url", "url": image.url} if data is None else _base64(data)}


def _base64(data: DataURL) -> dict[str, str]:
    media_type = "image/jpeg" if data.media_type == "image/jpg" else data.media_type
    return {"type": "base64", "media_type": media_type, "data": data.data}


def _document(fields: RequestFields, place: str, part: FilePart) -> _Block | None:
    file = part.file
    fields.refuse_extra(f"{place}.file", file.extra)
    url = file.file_data or ""
    data = read_data_url(url)
    source: dict[str, Any]
    if file.file_id:
        source = {"type": "file", "file_id": file.file_id}
    elif data is None and url.startswith(("https:", "http:")):
        source = {"type": "url", "url": url}
    elif data is None:
        fields.refuse(f"{place}.file", "it has no file_id, and its file_data is no data: URL")
        return None
    elif data.media_type.startswith("image/"):
        return {"type": "image", "source": _base64(data)}
    elif data.media_type == "application/pdf":
        source = _base64(data)
    elif data.media_type.startswith("text/") or data.media_type in _PLAIN_TEXTS:
        source = {"type": "text", "media_type": "text/plain", "data": data.text}  # the one type there is for text
    else:
        fields.refuse(f"{place}.file", f"a document of type {data.media_type}")
        return None
    return {"type": "document", "source": source, **({"title": file.filename} if file.filename else {})}


# --- answers --------------------------------------------------------------------------------------------------------


def _answer(fields: RequestFields, where: str, message: Message) -> list[_Block]:
    """The blocks of an earlier answer, each at its place; calls without one come last."""
    thoughts = list(_thoughts(fields, where, message))
    marks, others = _own_blocks(fields, where, message)
    places = {str(mark.get("id")): index for index, mark in marks if mark["type"] == "tool_use"}
    taken = {index for index, _ in (*thoughts, *marks, *others)}
    head = next(index for index in count() if index not in taken)
    texts = _texts(fields, where, message, head, [mark for mark in marks if mark[1]["type"] == "text"])
    ends = [(math.inf, block) for block in (_text(message.refusal or ""),) if block]
    calls = [(places.get(call["id"], math.inf), call) for call in _calls(fields, where, message)]
    placed: list[tuple[float, _Block]] = [*thoughts, *texts, *others, *ends, *calls]
    blocks = [block for _, block in sorted(placed, key=lambda item: item[0])]
    while blocks and blocks[-1]["type"] == "thinking" and not blocks[-1].get("signature"):
        blocks.pop()
    return blocks


def _thoughts(fields: RequestFields, where: str, message: Message) -> Iterator[tuple[int, _Block]]:
    if message.reasoning_content and not message.extra.get("reasoning_details"):
        fields.refuse(f"{where}.reasoning_content", "only thinking that the service signed can be sent back")
    made: dict[int, _Block] = {}
    for index, detail in _pieces(fields, where, message, "reasoning_details"):
        kind = detail["type"]
        rest = {name: value for name, value in detail.items() if name not in _DETAIL_FIELDS}
        if kind == "reasoning.encrypted":
            yield index, {"type": "redacted_thinking", "data": detail.get("data"), **rest}
            continue
        before = made.get(index, {"thinking": "", "signature": ""})
        texts = {name: before[name] + text_of(detail.get(key)) for name, key in _THINKING_FIELDS}
        made[index] = {"type": "thinking", **texts, **rest}
    yield from made.items()


_DETAIL_FIELDS = ("type", "index", "format", "id", "text", "signature", "data")
_THINKING_FIELDS = (("thinking", "text"), ("signature", "signature"))


def _pieces(fields: RequestFields, where: str, message: Message, name: str) -> Iterator[tuple[int, _Block]]:
    """Index and piece, for each in a list that an answer of this service left; those of others are refused."""
    pieces = message.extra.get(name) or []
    for at, piece in enumerate(pieces if isinstance(pieces, list) else [pieces]):
        if isinstance(piece, dict) and _is_ours(name, piece):
            index = piece.get("index")
            yield (index if isinstance(index, int) else at), piece
        else:
            fields.refuse(f"{where}.{name}[{at}]", "it did not come from this service")


def _is_ours(name: str, piece: _Block) -> bool:
    kind, format = piece.get("type"), piece.get("format")
    if name == "content_blocks":
        return isinstance(kind, str)
    # OpenRouter says in "format" whose reasoning it is.
    return kind in ("reasoning.text", "reasoning.encrypted") and str(format or "anthropic").startswith("anthropic")


_Placed = list[tuple[int, _Block]]


def _own_blocks(fields: RequestFields, where: str, message: Message) -> tuple[_Placed, _Placed]:
    """What says where texts and calls stood, and the blocks of server tools."""
    marks: _Placed = []
    blocks: _Placed = []
    for index, piece in _pieces(fields, where, message, "content_blocks"):
        if piece["type"] in ("text", "tool_use"):
            marks.append((index, piece))
        else:
            blocks.append((index, _own_block(piece)))
    return sorted(marks, key=lambda mark: mark[0]), blocks


def _own_block(piece: dict[str, Any]) -> _Block:
    block = {name: value for name, value in piece.items() if name not in ("index", "partial_json")}
    text = text_of(piece.get("partial_json"))
    if text and not block.get("input"):  # of an answer that was stopped inside it
        try:
            block["input"] = jsontext.loads(text)
        except DecodeError:
            block["input"] = {}
    return block


def _texts(fields: RequestFields, where: str, message: Message, head: int, marks: _Placed) -> _Placed:
    """The text, cut where its blocks began; parts that a program wrote are one run."""
    content = message.content
    if content is not None and not isinstance(content, str):
        return [(head, block) for block in _content(fields, where, message)]
    text = content or ""
    starts = [start if isinstance(start := mark.get("start"), int) else 0 for _, mark in marks]
    edges = [0, *starts, len(text)]
    indexes = [head, *(index for index, _ in marks)]
    citations = [None, *(mark.get("citations") for _, mark in marks)]
    made = []
    for index, begin, end, cited in zip(indexes, edges, edges[1:], citations, strict=False):
        if text[begin:end]:
            made.append((index, {"type": "text", "text": text[begin:end], **({"citations": cited} if cited else {})}))
    return made


def _calls(fields: RequestFields, where: str, message: Message) -> Iterator[_Block]:
    for at, call in enumerate(message.tool_calls or ()):
        place = f"{where}.tool_calls[{at}]"
        if not isinstance(call, ToolCall) or call.function is None:
            fields.refuse(place, "it calls no function")
            continue
        fields.refuse_extra(place, call.extra, _CALL_EXTRA)
        fields.refuse_extra(f"{place}.function", call.function.extra)
        more: _Block = {name: call.extra[name] for name in _CALL_EXTRA if name in call.extra}
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_of(call, place), **more}
