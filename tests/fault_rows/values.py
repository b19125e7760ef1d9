"""Faults of what is said: JSON, types, characters, and what comes behind the end."""

import json

from compatapi import errors as e
from compatapi.testing import Raw, Reply
from fault_parts import (
    CHUNKED,
    CLOSING,
    DONE,
    END,
    ERROR,
    FOREVER,
    HI,
    JSON,
    STOP,
    WHOLE,
    Endless,
    Fault,
    bent,
    bent_stream,
    chunk,
    closing,
    delta,
    events,
    say,
    sized,
    whole,
)


def wrong(name, value, text=""):
    """A row with an event of the wrong type behind a good one; the last part of the name is where it is."""
    return Fault(name, events(HI, value), e.DecodeError, "Hi", says=text)


def fine(name, *values, keeps="Hi"):
    """A row with an odd answer that is taken."""
    return Fault(name, events(*values, DONE), None, keeps)


def choice(**values):
    """A chunk with these fields in its choice."""
    return {"choices": [{"index": 0, "delta": {}, **values}]}


VALUES = [
    wrong("an event that does not parse", "{oh no"),
    wrong("an event that is cut JSON", '{"choices": ['),
    wrong("an event that is words", "hello there"),
    wrong("an event with words behind its JSON", '{"choices": []} and more'),
    wrong("an event that is a number", "42"),
    wrong("an event that is a string", '"hello"'),
    wrong("an event that is a list", "[1, 2]"),
    wrong("an event that is true", "true"),
    wrong("an event that is null", "null"),
    wrong("a page as an event", "<html>"),
    wrong("`choices` is a string", {"choices": "x"}, "choices"),
    wrong("`choices` is an object", {"choices": {"delta": {}}}, "choices"),
    wrong("a choice is a string", {"choices": ["x"]}, "choices[0]"),
    wrong("a choice is null", {"choices": [None]}, "choices[0]"),
    wrong("`delta` is a string", choice(delta="x"), "delta"),
    wrong("`delta` is a list", choice(delta=["x"]), "delta"),
    wrong("`content` is a number", delta(content=5), "content"),
    wrong("`content` is an object", delta(content={"a": 1}), "content"),
    wrong("`finish_reason` is a list", choice(finish_reason=["stop"]), "finish_reason"),
    wrong("`index` is a list", choice(index=[]), "index"),
    wrong("`tool_calls` is a string", delta(tool_calls="x"), "tool_calls"),
    wrong("a tool call is a number", delta(tool_calls=[5]), "tool_calls"),
    wrong("`function` is a string", delta(tool_calls=[{"index": 0, "function": "x"}]), "function"),
    wrong("`usage` is a string", {"choices": [], "usage": "x"}, "usage"),
    wrong("`id` is an object", {**delta(content="x"), "id": {}}, "id"),
    wrong("`model` is a list", {**delta(content="x"), "model": []}, "model"),
    Fault("a whole completion: `choices` is a string", whole({"choices": "x"}), e.DecodeError, says="choices"),
    Fault(
        "a whole completion: `message` is a string",
        whole({"choices": [{"message": "x"}]}),
        e.DecodeError,
        says="message",
    ),
    Fault(
        "a whole completion: `content` is a number",
        whole({"choices": [{"message": {"content": 5}}]}),
        e.DecodeError,
        says="content",
    ),
    Fault("a whole completion that does not parse", sized(b'{"choices": [}'), e.DecodeError),
    fine("`choices` is null", HI, {"choices": None, "usage": {"total_tokens": 1}}, STOP),
    fine("`choices` is missing", HI, {"usage": {"total_tokens": 1}}, STOP),
    fine("`delta` is null", HI, choice(delta=None), STOP),
    fine("`delta` is missing", HI, {"choices": [{"index": 0, "finish_reason": "stop"}]}),
    fine("`usage` is null", HI, {**delta(finish_reason="stop"), "usage": None}),
    fine("`content` is null", HI, delta(content=None), STOP),
    fine("`index` is null", HI, choice(index=None), STOP),
    fine("`finish_reason` is empty", choice(delta={"content": "Hi"}, finish_reason=""), STOP),
    fine("a finish reason that there is not", HI, choice(finish_reason="whatever")),
    fine(
        "every field twice",
        b'data: {"choices": [], "choices": [{"delta": {"content": "x", "content": "Hi"}}]}\n\n',
        STOP,
    ),
    fine("fields that there are not", {**delta(content="Hi"), "new": {"a": [1]}}, STOP),
    fine(
        "numbers without bounds",
        b'data: {"created": 1e400, "choices": [{"delta": {"content": "Hi"}}], "x": ' + b"9" * 400 + b"}\n\n",
        STOP,
    ),
    fine("usage that is nonsense", HI, STOP, {"choices": [], "usage": {"prompt_tokens": -5, "total_tokens": None}}),
    wrong("NaN", '{"choices": [{"delta": {"content": "x"}, "logprobs": NaN}]}', "NaN"),
]

TEXT = [
    fine("invalid UTF-8", b'data: {"choices": [{"delta": {"content": "H\xffi"}}]}\n\n', STOP, keeps="H\ufffdi"),
    fine(
        "characters of Latin-1", b'data: {"choices": [{"delta": {"content": "caf\xe9"}}]}\n\n', STOP, keeps="caf\ufffd"
    ),
    fine(
        "a character cut by a chunk",
        *('data: {"choices": [{"delta": {"content": "é'.encode()[:-1], b'\xa9"}}]}\n\n'),
        STOP,
        keeps="é",
    ),
    Fault("a byte order mark", bent_stream("bom"), None, "Hi"),
    Fault("a byte order mark before a whole completion", bent("whole-instead", "bom"), None, "Hi"),
    Fault("UTF-16", closing((HI + STOP + DONE).decode().encode("utf-16")), e.StreamError),
    fine("half a surrogate", b'data: {"choices": [{"delta": {"content": "H\\ud83di"}}]}\n\n', STOP, keeps="H\ufffdi"),
    fine(
        "an emoji cut into its surrogates",
        b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n\n',
        b'data: {"choices": [{"delta": {"content": "\\ude00"}}]}\n\n',
        STOP,
        keeps="\U0001f600",
    ),
    fine("a NUL in the text", b'data: {"choices": [{"delta": {"content": "H\\u0000i"}}]}\n\n', STOP, keeps="H\0i"),
    fine("CR as the end of lines", (HI + STOP).replace(b"\n", b"\r"), b"\n"),
    fine("CR LF, cut between the two", HI.replace(b"\n", b"\r\n")[:-1], b"\n", STOP),
    fine("no space behind the colon", HI.replace(b"data: ", b"data:"), STOP),
    Fault(
        "lines of JSON instead of events", closing((json.dumps(delta(content="Hi")) + "\n").encode() * 2), e.DecodeError
    ),
]

BEHIND = [
    Fault("events behind the end mark", events(HI, DONE, say("no"), "{oh"), None, "Hi"),
    Fault("an error behind the end mark", events(HI, DONE, ERROR), None, "Hi"),
    Fault("the end mark in the same bytes as more", closing(HI + DONE + say("no")), None, "Hi"),
    Fault("the connection stays open behind the end mark", Raw([CLOSING + HI + DONE, FOREVER]), None, "Hi"),
    Fault(
        "the body goes on without end behind the mark",
        Endless(CHUNKED + chunk(HI + DONE), chunk(b": more\n\n"), 0.001),
        None,
        "Hi",
    ),
    Fault(
        "two answers on one connection",
        Raw([CHUNKED + chunk(HI + DONE) + END + CHUNKED + chunk(say("no") + DONE) + END], close=False),
        None,
        "Hi",
        in_turn=True,
    ),
    Fault(
        "two answers on one connection, one after the other",
        Raw([CHUNKED + chunk(HI + DONE) + END, 0.02, CHUNKED + chunk(say("no") + DONE) + END], close=False),
        None,
        "Hi",
        in_turn=True,
    ),
    Fault(
        "two whole answers on one connection",
        sized(WHOLE + sized(b"no").pieces[0], size=len(WHOLE)),
        None,
        "Hi",
        in_turn=True,
    ),
    Fault(
        "the server closes behind each answer without saying so",
        Reply(body=WHOLE, headers={"Content-Type": JSON}),
        None,
        "Hi",
        in_turn=True,
    ),
]
