"""The script of a chat answer: in the words of whichever dialect asks, in pieces or whole, with or without faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from attrs import evolve, field, frozen

from .answers import ErrorScript, require
from .chat import ChatAnswer
from .faults import Faults, as_faults, bent
from .http1 import RecordedRequest, merge_headers
from .script import IS_ENCODING, IS_END, IS_FRAMING, HeaderValues, Reply, Step, StreamReply, encode_json
from .services import service_of
from .services.base import Lines
from .sketch import Sketch


@frozen
class ChatScript(ChatAnswer):
    """A script that answers as the request wants it: in its dialect's words, in chunks or whole.

    In OpenAI's form a stream has usage only when `stream_options.include_usage` asked for it;
    elsewhere, and in whole answers, it is always there. The fields of `ChatAnswer` say what is
    answered, these say how (see `StreamReply`; times in seconds). A whole answer takes `delay`,
    `encoding`, `headers` and `fault` only. An empty `model` echoes the one that was asked for.
    There is one choice, whatever `n` asks for; `Reply` and `StreamReply` can say several.

    `fault`: what goes wrong, a value of `compatapi.testing.faults` or its name in `FAULTS`, or
    several of them: `fault=Cut(after=2)`, `fault="bad-json"`, `fault=["gzip", Cut(after=1)]`.
    """

    model: str = field(default="", kw_only=True)
    interval: float = field(default=0.0, kw_only=True)
    delay: float = field(default=0.0, kw_only=True)
    first_delay: float = field(default=0.0, kw_only=True)
    framing: str = field(default="chunked", validator=IS_FRAMING, kw_only=True)
    encoding: str | None = field(default=None, validator=IS_ENCODING, kw_only=True)
    end: str = field(default="clean", validator=IS_END, kw_only=True)
    headers: HeaderValues = field(factory=dict, kw_only=True)
    fault: Faults = field(default=None, kw_only=True)

    @fault.validator
    def _check_fault(self, _: object, value: Faults) -> None:
        as_faults(value)

    def play(self, request: RecordedRequest) -> Iterator[Step]:
        """Give the steps of a `StreamReply` or of a `Reply`, bent by the faults."""
        require(request, "chat")
        body = request.json_object()
        if body is None:
            return ErrorScript(400, "The body is no JSON object, so no chat request.").play(request)
        is_stream = service_of(request).is_stream(request)
        if self.fault is not None:
            return bent(self._sketch(request, body, is_stream), as_faults(self.fault))
        if is_stream:
            lines = self._lines(request, body)
            return evolve(self._manner(request), events=lines.all()).play(request)
        whole = Reply(body=self._whole(request, body), delay=self.delay, encoding=self.encoding, headers=self.headers)
        return whole.play(request)

    def _answer(self, request: RecordedRequest, body: Mapping[str, Any]) -> ChatScript:
        # Counted once: some services say the usage with each piece.
        return evolve(self, model=self.model or service_of(request).model(request, body), usage=self.counts())

    def _whole(self, request: RecordedRequest, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return service_of(request).whole(self._answer(request, body).at_once(), request, body)

    def _lines(self, request: RecordedRequest, body: Mapping[str, Any]) -> Lines:
        found = service_of(request).lines(self._answer(request, body), request, body)
        # A stream that breaks off never has the mark.
        return found if self.end == "clean" else evolve(found, mark=b"")

    def _manner(self, request: RecordedRequest) -> StreamReply:
        kind = {"Content-Type": service_of(request).stream_media_type(request)}
        return StreamReply(
            interval=self.interval,
            delay=self.delay,
            first_delay=self.first_delay,
            framing=self.framing,
            encoding=self.encoding,
            end=self.end,
            headers=dict(merge_headers(kind, self.headers)),
            done=False,
        )

    def _sketch(self, request: RecordedRequest, body: Mapping[str, Any], is_stream: bool) -> Sketch:
        if is_stream:
            lines, reply = self._lines(request, body), self._manner(request)
        else:
            lines = Lines((), [encode_json(self._whole(request, body))])
            kind = {"Content-Type": "application/json", "Cache-Control": None}
            reply = StreamReply(delay=self.delay, framing="length", encoding=self.encoding, done=False)
            reply = evolve(reply, headers={**kind, **self.headers})
        other_form = partial(self._sketch, request, body, not is_stream)
        return Sketch(request, service_of(request), lines, reply, is_stream, lines.all(), other_form)
