"""When to try again, and after how many seconds. A pure policy: time and chance come in as arguments.

Tried again are failures to connect in time, connections lost before an answer began, and the statuses 408, 409, 425,
429 and 5xx, also where a 200 reports what stands for one; never a 429 that waiting does not cure (no quota left), and
never a server that was silent for too long. A server's ``x-should-retry`` header wins. The pause is what the server
asks for, up to a cap; else half a second, doubled each time up to 8 seconds, less a chance of up to a quarter, so that
clients that failed together do not come back together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from attrs import frozen

from compatapi.errors import (
    APIStatusError,
    CompatAPIError,
    ConnectError,
    ConnectionLost,
    RequestTimeout,
    StreamError,
)

__all__ = ["RetryEvent", "RetryPolicy", "parse_retry_after"]

_STATUSES = frozenset({408, 409, 425, 429, *range(500, 600)})
#: Codes of a 429 (and Zhipu's in arrears) that no waiting cures.
_HOPELESS = frozenset({"insufficient_quota", "exceeded_current_quota_error", "billing_hard_limit_reached", "1113"})


@frozen
class RetryEvent:
    """What an ``on_retry`` callback is told before the pause.

    Attributes:
        attempt: The number of the attempt that failed, from 1.
        max_retries: How many more attempts than the first are allowed.
        delay: The pause, in seconds.
        error: Why the attempt failed.
    """

    attempt: int
    max_retries: int
    delay: float
    error: CompatAPIError


@frozen
class RetryPolicy:
    """How often, and how long to wait.

    Attributes:
        max_retries: Attempts after the first one; 0 turns retries off.
        first_delay: Pause before the second attempt, in seconds; doubled each time.
        max_delay: Upper bound of a pause of our own choice, in seconds.
        max_retry_after: Upper bound of a pause that the server asks for, in seconds. A server that asks for more gets
            no second attempt: it would fail again.
    """

    max_retries: int = 2
    first_delay: float = 0.5
    max_delay: float = 8.0
    max_retry_after: float = 60.0

    def delay(self, attempt: int, error: CompatAPIError, chance: float) -> float | None:
        """Seconds to wait after the failed ``attempt`` (from 1), or ``None`` to give up.

        Args:
            attempt: The number of the attempt that failed.
            error: Why it failed.
            chance: A random number from 0 to 1.
        """
        if attempt > self.max_retries or not is_worth_retrying(error):
            return None
        if isinstance(error, APIStatusError) and error.retry_after is not None:
            return error.retry_after if error.retry_after <= self.max_retry_after else None
        # Programs that try for hours reach exponents that a float does not hold.
        return min(self.first_delay * 2.0 ** min(attempt - 1, 64), self.max_delay) * (1 - 0.25 * chance)


def is_worth_retrying(error: CompatAPIError) -> bool:
    """Whether the same request may well succeed a little later."""
    if isinstance(error, APIStatusError):
        told = error.headers.get("x-should-retry", "").lower()
        if told in ("true", "false"):
            return told == "true"
        return error.status_code in _STATUSES and not {str(error.code), str(error.type)} & _HOPELESS
    if isinstance(error, StreamError):  # in a 200, in place of an answer
        return error.status_code in _STATUSES
    if isinstance(error, RequestTimeout):
        return error.clock == "connect"
    return isinstance(error, ConnectError | ConnectionLost) and not getattr(error, "is_permanent", False)


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that a server asks to wait, from ``retry-after-ms`` or ``retry-after`` (seconds or an HTTP date).

    ``None`` for what is missing, negative or no number (RFC 9110, section 10.2.3). ``now`` is the Unix time in seconds.
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        seconds = _number(text)
        if seconds is None and text and scale == 1.0:
            seconds = _seconds_until(text, now)
        elif seconds is not None:
            seconds /= scale
        if seconds is not None and math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def _number(text: str) -> float | None:
    try:
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        return None


def _seconds_until(text: str, now: float) -> float | None:
    try:
        when: datetime = parsedate_to_datetime(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=timezone.utc)
        return max(when.timestamp() - now, 0.0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
