"""Tencent Cloud's signature TC3-HMAC-SHA256: the bytes of a request in, its Authorization header out. Pure functions.

Source: Tencent Cloud API 3.0, "Signature v3" (document 213/30654). The steps are functions of their own, so that each
can be held against the numbers that the document publishes for it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from attrs import field, frozen

from compatapi.errors import ConfigError, cut
from compatapi.http_types import Secret, SecretText

__all__ = ["Credentials", "host_of", "read_key", "sign"]

ALGORITHM = "TC3-HMAC-SHA256"
#: Headers that are signed: the first two must be, the action is in the document's newer example. The fewer the better:
#: a proxy may change others on the way.
SIGNED_HEADERS = ("content-type", "host", "x-tc-action")
#: What ``X-TC-Content-SHA256`` says when the body shall not be signed; it then stands in place of the hash.
_UNSIGNED = "UNSIGNED-PAYLOAD"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@frozen
class Credentials:
    """The parts of a key; the token belongs to temporary ones alone."""

    secret_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def read_key(key: Secret) -> Credentials:
    """The credentials in one key text, ``SecretId:SecretKey`` or ``SecretId:SecretKey:Token``.

    Raises:
        ConfigError: The text has another form. The message does not show it.
    """
    parts = [SecretText(part) for part in key.reveal().split(":", 2)]  # tracebacks show local variables
    if len(parts) < 2 or not all(parts):
        raise ConfigError(
            "The key has to be SecretId:SecretKey, or SecretId:SecretKey:Token for temporary credentials; this one has"
            " another form"
        )
    return Credentials(*parts)


def host_of(url: str) -> str:
    """What stands in the Host header of a request to a URL: the port is named unless it is the scheme's own."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    host = f"[{name}]" if ":" in name else name
    return host if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def sign(credentials: Credentials, service: str, headers: Mapping[str, str], body: bytes) -> SecretText:
    """The Authorization header of a POST to the path ``/``, which is the only path of API 3.0.

    The server takes a signature for 5 minutes from its ``X-TC-Timestamp``.

    Args:
        credentials: Who asks.
        service: The product, such as ``hunyuan``.
        headers: The headers as they are sent, names in lower case; ``x-tc-timestamp`` (Unix time in seconds) has to be
            among them, and those of `SIGNED_HEADERS`.
        body: The body as it is sent.

    Raises:
        ConfigError: The timestamp is no time.
    """
    timestamp = headers["x-tc-timestamp"]
    date = date_of(timestamp)
    key = signing_keys(credentials.secret_key, date, service)[-1]
    signature = _hmac(key, string_to_sign(canonical_request(headers, body), timestamp, service)).hex()
    return SecretText(
        f"{ALGORITHM} Credential={credentials.secret_id}/{_scope(date, service)},"
        f" SignedHeaders={';'.join(_signed(headers))}, Signature={signature}"
    )


def canonical_request(headers: Mapping[str, str], body: bytes) -> str:
    """Step 1. The query string is empty for every POST, and values are compared in lower case."""
    names = _signed(headers)
    lines = "".join(f"{name}:{headers[name].strip().lower()}\n" for name in names)
    payload = _UNSIGNED if headers.get("x-tc-content-sha256") == _UNSIGNED else _sha256(body)
    return "\n".join(("POST", "/", "", lines, ";".join(names), payload))


def string_to_sign(canonical: str, timestamp: str, service: str) -> str:
    """Step 2."""
    return "\n".join((ALGORITHM, timestamp, _scope(date_of(timestamp), service), _sha256(canonical.encode())))


def signing_keys(secret_key: str, date: str, service: str) -> tuple[bytes, bytes, bytes]:
    """The first part of step 3: SecretDate, SecretService, SecretSigning."""
    for_date = _hmac(f"TC3{secret_key}".encode(), date)
    for_service = _hmac(for_date, service)
    return for_date, for_service, _hmac(for_service, "tc3_request")


def date_of(timestamp: str) -> str:
    """The date in UTC, whatever the local one is."""
    try:
        if timestamp.isascii() and timestamp.isdecimal():  # int takes blanks and signs, too, which would be sent
            return time.strftime("%Y-%m-%d", time.gmtime(int(timestamp)))
    except (OverflowError, OSError, ValueError):  # beyond what the clock of the machine knows
        pass
    raise ConfigError(f"X-TC-Timestamp is a Unix time in seconds; this is {cut(timestamp, 40)!r}")


def _scope(date: str, service: str) -> str:
    return f"{date}/{service}/tc3_request"


def _signed(headers: Mapping[str, str]) -> list[str]:
    return sorted(name for name in SIGNED_HEADERS if name in headers)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
