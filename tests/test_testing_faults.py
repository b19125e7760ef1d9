"""Faults as values: each on a real socket and on the scripted transport, in each dialect, streamed and whole."""

import re

import pytest

from calls import hard_limit  # noqa: F401
from compatapi import errors as e
from compatapi.call import Timeouts
from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.http_types import Limits
from compatapi.testing import FAULTS, ChatScript, ScriptedServer, ScriptedTransport, find_fault
from compatapi.testing import faults as f
from compatapi.testing.services import SERVICES

DIALECTS = sorted(SERVICES)
REQUEST = ChatCompletionRequest("model-1", [Message.user("Hello")])
#: Seconds of the clocks that may run out here, and of those that must not.
SHORT, LONG = 0.1, 12.0
SMALL = Limits(event=20_000, body=20_000, error_body=2_000)
TEXT = "One two three."
#: Of each fault what a stream ends with, the text that it keeps, what a whole answer ends with, and its text; None for
#: an answer that is complete. The clock of a timeout stands in its place.
OUTCOMES = {
    "bad-chunk": (e.ConnectionLost, "One", e.ConnectionLost, ""),
    "bad-json": (e.DecodeError, "One", e.DecodeError, ""),
    "bom": (None, TEXT, None, TEXT),
    "broken-gzip": (e.DecodeError, "One", e.DecodeError, ""),
    "bytewise": (None, TEXT, None, TEXT),
    "comments-only": ("first_token", "", "first_token", ""),
    "content-type": (None, TEXT, None, TEXT),
    "crlf": (None, TEXT, None, TEXT),
    "cut": (e.ConnectionLost, "One", e.ConnectionLost, ""),
    "deflate": (None, TEXT, None, TEXT),
    "drip": (None, TEXT, None, TEXT),
    "empty": (e.IncompleteStreamError, "", e.DecodeError, ""),
    "endless": (e.DecodeError, "One", e.DecodeError, ""),
    "error-event": (e.StreamError, "One", e.ServerError, ""),
    "gzip": (None, TEXT, None, TEXT),
    "head-cut": (e.ConnectionLost, "", e.ConnectionLost, ""),
    "html": (e.StreamError, "", e.DecodeError, ""),
    "interim": (None, TEXT, None, TEXT),
    "joined": (None, TEXT, None, TEXT),
    "keep-alive": (None, TEXT, None, TEXT),
    "no-answer": (e.ConnectionLost, "", e.ConnectionLost, ""),
    "no-end": (e.IncompleteStreamError, TEXT, e.DecodeError, ""),
    "no-http": (e.DecodeError, "", e.DecodeError, ""),
    "reset": (e.ConnectionLost, "One", e.ConnectionLost, ""),
    "reset-at-once": (e.ConnectionLost, "", e.ConnectionLost, ""),
    "silence": ("first_token", "", "first_token", ""),
    "stall": ("idle", "One", "first_token", ""),
    "stream-instead": (None, TEXT, None, TEXT),
    "trailing": (None, TEXT, None, TEXT),
    "whole-instead": (None, TEXT, None, TEXT),
}
#: Where the words of a dialect make it otherwise.
ODD = {
    ("hunyuan", "error-event"): (e.StreamError, "One", e.StreamError, ""),
}


def outcome(client, stream):
    """What ended the answer (a class, the clock that ran out, or None), and the text that is there."""
    try:
        if not stream:
            return None, client.chat_completion(REQUEST).text
        with client.chat_completion_stream(REQUEST) as answer:
            for _ in answer:
                pass
        return None, answer.completion.text
    except e.RequestTimeout as error:
        return error.clock, error.completion.text if error.completion else ""
    except e.CompatAPIError as error:
        return type(error), error.completion.text if error.completion else ""


def options_for(expected):
    """Clocks that are short only where one is to run out: the machine may be busy."""
    clocks = {"connect": LONG, "first_token": LONG, "idle": LONG, "total": LONG}
    if isinstance(expected, str):
        clocks[expected] = SHORT
    return {"timeouts": Timeouts(**clocks), "limits": SMALL}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_fault_in_each_dialect(dialect, name):
    """A fault gives the same error and keeps the same text in each dialect, over a socket and without one."""
    expected = ODD.get((dialect, name), OUTCOMES[name])
    script = ChatScript(TEXT, fault=name)
    for stream, wanted in ((True, expected[:2]), (False, expected[2:])):
        options = options_for(wanted[0])
        # What takes its time over a socket is shown there for one of them.
        if (name != "drip" and not isinstance(wanted[0], str)) or dialect == "anthropic":
            with ScriptedServer(script) as server, server.client(dialect, **options) as client:
                assert wanted == outcome(client, stream)
        with ScriptedTransport(script) as transport, transport.client(dialect, **options) as client:
            assert wanted == outcome(client, stream)


def test_the_table_has_each_of_them():
    """The table of faults and that of these tests have the same names, which are those of the classes."""
    assert sorted(OUTCOMES) == sorted(FAULTS)
    words = {re.sub("(?<!^)([A-Z])", r"-\1", type(fault).__name__).lower() for fault in FAULTS.values()}
    assert words == set(FAULTS)
    assert FAULTS.keys() | {"replaced"} == {
        re.sub("(?<!^)([A-Z])", r"-\1", name).lower()
        for name in f.__all__
        if name[0].isupper() and not name.isupper() and name not in ("Fault", "Faults")
    }


def stream_of(fault, **fields):
    """What a program gets of a stream under a fault."""
    with ScriptedTransport(ChatScript(TEXT, fault=fault, **fields)) as transport, transport.client() as client:
        return outcome(client, stream=True)


def test_after_counts_pieces():
    """`after` is the number of pieces of reasoning, text and calls that come before."""
    kept = [stream_of(f.Cut(after=after))[1] for after in range(4)]
    assert ["", "One", "One two", "One two three."] == kept
    assert [(e.ConnectionLost, ""), (e.ConnectionLost, "One")] == [
        stream_of(f.Cut(after=after), reasoning="Well well") for after in (2, 3)
    ]


def test_a_stall_may_end():
    """A stall of so many seconds goes on behind them."""
    assert (None, TEXT) == stream_of(f.Stall(after=1, seconds=30.0))


def test_bytes_can_be_replaced():
    """Any bytes may go out as others; what is no UTF-8 is read as the sign for that."""
    assert (None, "One t\ufffdo three.") == stream_of(f.Replaced(b"two", b"t\xffo"))


def test_several_faults():
    """Faults come one after the other, and some of them go together."""
    assert (e.ConnectionLost, "One two") == stream_of(["keep-alive", "crlf", f.Gzip(), f.Bytewise(), f.Cut(after=2)])


def test_a_fault_of_ones_own():
    """Whatever has a method `bend` is a fault."""

    class Loud:
        def bend(self, sketch):
            return f.Replaced(b"One", b"ONE").bend(sketch)

    assert (None, "ONE two three.") == stream_of(Loud())


def test_wrong_names_are_refused():
    """A name that there is not is refused where the script is made, with those that are spelled alike."""
    with pytest.raises(ValueError, match=r"'stal'; did you mean 'stall'\?"):
        ChatScript("Hi", fault="stal")
    with pytest.raises(ValueError, match="there are bad-chunk, bad-json"):
        find_fault("xyzzy")
    assert f.Cut() == find_fault("cut")
