"""One request from sending to its answer: attempts, pauses, errors by status, the log.

What is logged under ``compatapi``: a line for each request and its end (DEBUG) and for each retry (INFO), with the
server's name for the request, and never with a header, a query or a body.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import frozen

from compatapi.call import Call
from compatapi.dialects.base import Dialect
from compatapi.errors import CompatAPIError, ConnectionLost, DecodeError, cut, fill
from compatapi.http_types import Headers, HttpRequest, HttpResponse, HttpTransport, Limits, Secret
from compatapi.retry import RetryEvent, RetryPolicy
from compatapi.stats import Stats

__all__ = ["Sender", "read_all"]

T = TypeVar("T")

_log = logging.getLogger("compatapi")

#: Characters. A shorter one is no secret but a word like "test", and masking it would garble every text that has it.
_SHORTEST_KEY = 8


@frozen
class Sender:
    """Sends requests of one client.

    Attributes:
        transport: What moves them.
        dialect: What reads errors.
        limits: How much of an answer is taken in.
        key: What must not show in an error, although some servers quote the key that they refuse.
    """

    transport: HttpTransport
    dialect: Dialect
    limits: Limits
    key: Secret | None

    def run(
        self,
        wanted: HttpRequest,
        call: Call,
        policy: RetryPolicy,
        on_retry: Callable[[RetryEvent], object] | None,
        read: Callable[[HttpResponse, Stats], T],
    ) -> T:
        """Send until an answer begins or the policy gives up; ``read`` makes something of the answer.

        Raises:
            CompatAPIError: The error of the last attempt.
        """
        stats = Stats()
        while True:
            stats.attempts += 1
            try:
                return self._attempt(wanted, call, stats, read)
            except CompatAPIError as error:
                fill(self.mask(error), {"stats": stats})
                pause = policy.delay(stats.attempts, error, random.random())
                if pause is None:
                    call.end()
                    _log.debug(
                        "%s %s failed: %s, request id %s",
                        wanted.method,
                        _address(wanted),
                        type(error).__name__,
                        error.request_id,
                    )
                    raise
                call.try_again()
                event = RetryEvent(stats.attempts, policy.max_retries, pause, error)
            except BaseException:
                call.end()
                raise
            _log.info(
                "attempt %d failed (%s, request id %s), the next in %.1f s",
                event.attempt,
                type(event.error).__name__,
                event.error.request_id,
                pause,
            )
            if on_retry is not None:
                on_retry(event)
            call.pause(pause)

    def _attempt(self, wanted: HttpRequest, call: Call, stats: Stats, read: Callable[[HttpResponse, Stats], T]) -> T:
        is_told = _log.isEnabledFor(logging.DEBUG)
        if is_told:
            _log.debug("%s %s", wanted.method, _address(wanted))
        response = self.transport.send(wanted, call)
        stats.head = call.elapsed()
        if is_told:
            _log.debug("answer %d, request id %s, after %.2f s", response.status, response.request_id, stats.head)
        try:
            if response.status >= 300:
                raise self._status_error(response)
            return read(response, stats)
        except CompatAPIError as error:
            response.drop()
            fill(error, {"request_id": response.request_id})
            raise
        except BaseException:
            response.drop()
            raise

    def mask(self, error: CompatAPIError) -> CompatAPIError:
        """Take the key out of an error: some servers quote the one that they refuse."""
        todo: list[BaseException | None] = [error]
        seen: set[int] = set()
        whole = self.key.reveal() if self.key is not None else ""
        secrets = [part for part in (whole, *whole.split(":")) if len(part) >= _SHORTEST_KEY]
        while secrets and todo:
            one = todo.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            for secret in secrets:  # the errors of json hold the whole text that they could not read
                one.args = _hidden(one.args, secret) or ()
                for name, value in vars(one).items():
                    setattr(one, name, _hidden(value, secret))
            todo += [one.__cause__, one.__context__]
        return error

    def _status_error(self, response: HttpResponse) -> CompatAPIError:
        if response.status < 400:
            where = cut(response.headers.get("location", "nowhere"), 200)
            body = f"the server sends the request on to {where}, which is not followed: set base_url".encode()
        else:
            response.wait()
            body = _read_error(response, self.limits.error_body)
        return self.dialect.decode_error(response, body)


def read_all(response: HttpResponse, limits: Limits) -> bytes:
    """The whole body.

    Raises:
        DecodeError: It is larger than the limit.
    """
    pieces: list[bytes] = []
    size = 0
    for piece in response.body:
        pieces.append(piece)
        size += len(piece)
        if size > limits.body:
            pieces.clear()
            raise DecodeError(f"The answer is larger than the limit of {limits.body:,} bytes")
    return b"".join(pieces)


def _read_error(response: HttpResponse, limit: int) -> bytes:
    """The body of an error, up to a limit or to where it breaks off: a known status must not be lost."""
    body = bytearray()
    try:
        for piece in response.body:
            body += piece
            if len(body) >= limit:
                del body[limit:]
                break
    except (ConnectionLost, DecodeError) as error:
        _log.debug("the body of an error broke off: %s", type(error).__name__)
    return bytes(body)


def _address(wanted: HttpRequest) -> str:
    parts = urlsplit(wanted.url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _hidden(value: Any, secret: str) -> Any:
    try:
        return _hide(value, secret)
    except RecursionError:  # a body that is nothing but brackets; rather lost than shown with the key
        return None


def _hide(value: Any, secret: str) -> Any:
    """The same value, with a secret masked in each text that it holds."""
    if isinstance(value, str):
        return value.replace(secret, "***")
    if isinstance(value, Headers):
        return Headers((name, _hide(text, secret)) for name, text in value.items())
    if isinstance(value, dict):
        return {_hide(name, secret): _hide(item, secret) for name, item in value.items()}
    if isinstance(value, list):
        return [_hide(item, secret) for item in value]
    return tuple(_hide(item, secret) for item in value) if type(value) is tuple else value
