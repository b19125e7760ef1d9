"""Take out of a recording what must not be in one: keys, cookies, and the names of accounts.

A `Redactor` masks by place (a header, a query parameter, a field of the request) and learns what stood there. What it
has learnt it then masks wherever it turns up again, also percent-encoded, escaped for JSON or HTML, or inside Base64:
servers quote the key that they refuse, and the organization whose limit is reached. A `MaskedPieces` does the same for
a body that comes in pieces, wherever a secret is cut in two.
"""

from __future__ import annotations

import base64
import binascii
import functools
import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from compatapi.http_types import SecretText
from compatapi.providers import PROVIDERS

__all__ = ["MASK", "MaskedPieces", "Redactor"]

MASK = "***"

#: Names of headers, query parameters and fields of a request that hold a credential or name an account. `cf-ray` and
#: the ids of requests are none: they name one answer, are no use to a stranger, and are what support asks for.
_NAMES = re.compile(
    r"auth(?!enticate$)|cookie|secret|passw|signature|(^|[-_])sig$|(key|token|credential)$"
    r"|(organi[sz]ation|(^|[-_])org|project|account|workspace|tenant|subscription|(^|[-_])user)([-_]?(id|uuid|name))?$",
    re.IGNORECASE,
)
#: Fields of a JSON body are also words of the conversation, so fewer of them count.
_FIELDS = re.compile(
    r"(x[-_])?api[-_]?key|(access|auth|refresh|security|session)[-_]?token|(client[-_]?)?secret([-_]?(id|key))?|password"
    r"|authorization|credentials?|(organi[sz]ation|project|account|workspace|tenant)[-_]?(id|uuid)",
    re.IGNORECASE,
)
#: Path segments behind which the name of an account stands (Cloudflare, Vertex AI, Azure).
_PATH = re.compile(r"(/(?:accounts|organizations|projects|workspaces|tenants|subscriptions)/)([^/?#]+)")
_USER_INFO = re.compile(r"(?<=//)[^/?#@]*(?=@)")
_PARAMETER = re.compile(r"(?<=[?&])([^=&#]*)=([^&#]*)")
#: Schemes of the Authorization header (RFC 9110, section 11.6.2), which are no secret and tell what was sent.
_SCHEME = re.compile(r"(?i)(bearer|basic|digest|token|apikey|tc3-hmac-sha256|aws4-hmac-sha256)\s+(?=\S)")
_SIGNED = re.compile(r"(?i)\bcredential=([^/,\s]+)")
_COOKIE = re.compile(r"(?i)(?<![\w.-])(?!(?:credential|signedheaders|signature)=)[\w.-]+=([^;,\s]+)")
#: "sk-...", "gsk_...", "org-...", "AIza...": a short word, then a long one with a digit in it.
_LOOKS_LIKE_KEY = (
    rb"(?<![\w-])(?:AIza|AKID|(?:sk|pk|rk|gsk|hf|nvapi|xai|pplx|csk|fw|org|proj)[-_])(?=[\w-]*\d)[\w-]{20,}"
)
#: Characters. A shorter one is no secret but a word like "test", and masking it would garble every text that has it.
_SHORTEST = 8
#: Bytes: a character beyond the first 65,536 as two of JSON's escapes, escaped twice more.
_LONGEST_SPELLING = 24
#: From Base64 to that for URLs (RFC 4648, section 5).
_FOR_URLS = bytes.maketrans(b"+/", b"-_")


class Redactor:
    """Masks what it is told and what it learns on the way. For one thread at a time.

    Args:
        secrets: What is to be masked besides; the values of all key variables of the environment are known already.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._patterns: list[tuple[re.Pattern[bytes], int, list[tuple[bytes, ...]]]] = []
        self._pattern = re.compile(_LOOKS_LIKE_KEY)
        names = {name for row in PROVIDERS.values() for name in (*row.key_env, *row.key_parts_env)}
        self.learn(*secrets, *(os.environ.get(name, "") for name in names))
        self.learn_urls(*(value for name, value in os.environ.items() if name.lower().endswith("_proxy")))

    def learn(self, *secrets: str) -> None:
        """Mask these from now on, in each form that they may have."""
        new = {secret for secret in secrets if len(secret) >= _SHORTEST and secret.strip("*")} - self._known
        if not new:
            return
        self._known |= new
        for pattern in (pattern for secret in new for pattern in _patterns(secret)):
            # It may begin wherever a spelling of its first character does.
            first = {spelling[:1] for spelling in pattern[0]}
            longest = sum(len(spellings[0]) for spellings in pattern)
            self._patterns.append((re.compile(b"|".join(map(re.escape, first))), longest, pattern))
        self._patterns.sort(key=lambda one: len(one[2]), reverse=True)  # one may be a part of another
        known = [b"".join(map(_any_of, pattern)) for _, _, pattern in self._patterns]
        self._pattern = re.compile(b"|".join([*known, _LOOKS_LIKE_KEY]))

    def learn_urls(self, *urls: str) -> None:
        """Mask the user and the password that these addresses hold, such as those of proxies."""
        for url in urls:
            for found in _USER_INFO.findall(url):
                self.learn(found, unquote(found), *map(unquote, found.split(":")), *found.split(":"))

    # --- by place

    def url(self, url: str) -> str:
        """A URL without user, password, the values of secret parameters, and the names of accounts in its path."""
        self.learn_urls(url)
        for name, value in _PARAMETER.findall(url):
            if _NAMES.search(unquote(name)):
                self.learn(value, unquote(value))
        self.learn(*(unquote(found) for _, found in _PATH.findall(urlsplit(url).path)))
        url = _USER_INFO.sub(MASK, url)
        url = _PARAMETER.sub(lambda f: f"{f[1]}={MASK}" if _NAMES.search(unquote(f[1])) else f[0], url)
        url = _PATH.sub(rf"\1{MASK}", url)
        return self.text(url)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Headers with the values masked that hold credentials, cookies, or the name of an account."""
        secret = {name for name, value in headers.items() if _NAMES.search(name) or isinstance(value, SecretText)}
        for name in secret:
            # A server that sets a cookie sets another one with each answer, and none repeats it in its text.
            if name.lower() != "set-cookie":
                self.learn(*_parts(str(headers[name])))
        return {
            self.text(name): _masked_header(str(value)) if name in secret else self.text(str(value))
            for name, value in headers.items()
        }

    def json(self, value: Any, *, in_headers: bool = False) -> Any:
        """A value of JSON, with fields masked that hold credentials, and all that is known wherever it is."""
        self._learn_fields(value, in_headers)
        return self._masked(value)

    def _learn_fields(self, value: Any, in_headers: bool) -> None:
        """A field may quote what another one behind it holds, so all are learnt before any is masked."""
        if isinstance(value, dict):
            for name, item in value.items():
                if isinstance(item, str):
                    if _FIELDS.fullmatch(name) or (in_headers and _NAMES.search(name)):
                        self.learn(*_parts(item))
                else:
                    self._learn_fields(item, name == "headers")
        elif isinstance(value, list):
            for item in value:
                self._learn_fields(item, False)

    def _masked(self, value: Any, in_headers: bool = False) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self._masked_field(name, item, in_headers) for name, item in value.items()}
        if isinstance(value, list):
            return [self._masked(item) for item in value]
        if isinstance(value, bool) or value is None or self.text(repr(value)) == repr(value):
            return value
        return MASK  # a number that is, or holds, what is secret

    def _masked_field(self, name: str, item: Any, in_headers: bool) -> Any:
        if isinstance(item, str) and (_FIELDS.fullmatch(name) or (in_headers and _NAMES.search(name))):
            return _masked_header(item)
        return self._masked(item, name == "headers")

    # --- by value

    def text(self, text: str) -> str:
        """A text with all that is known masked."""
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def data(self, data: bytes) -> bytes:
        """Bytes with all that is known masked."""
        return self._pattern.sub(MASK.encode(), data)

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Where something is to be masked."""
        return [found.span() for found in self._pattern.finditer(data)]

    def may_go_on(self, data: bytes) -> bool:
        """Whether the data end with what may be the beginning of a known secret."""
        for first, longest, pattern in self._patterns:
            found = first.search(data, max(0, len(data) - longest))
            while found is not None:
                if _may_begin(data, found.start(), pattern):
                    return True
                found = first.search(data, found.start() + 1)
        return False


class MaskedPieces:
    """The pieces of a body, masked. What may be the beginning of a secret is held back until it is known.

    A secret that is cut in two is masked in the piece where it begins; the rest of it is missing in the next one.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held: list[tuple[float, bytes]] = []

    def feed(self, at: float, data: bytes) -> list[tuple[float, bytes]]:
        """Take a piece and its time; return those that are ready."""
        self._held.append((at, data))
        joined = data if len(self._held) == 1 else b"".join(piece for _, piece in self._held)
        return [] if self._redactor.may_go_on(joined) else self.close()

    def close(self) -> list[tuple[float, bytes]]:
        """Say that no more is to come; return what was held back."""
        held, self._held = self._held, []
        joined = b"".join(piece for _, piece in held)
        spans = self._redactor.spans(joined)
        masked, start = [], 0
        for at, piece in held:
            end = start + len(piece)
            masked.append((at, b"".join(_between(joined, start, end, spans)) if spans else piece))
            start = end
        return masked


def _between(data: bytes, start: int, end: int, spans: list[tuple[int, int]]) -> Iterator[bytes]:
    for first, behind in spans:
        if behind <= start or first >= end:
            continue
        yield data[start:first]  # empty, if the secret begins before
        if first >= start:
            yield MASK.encode()
        start = min(behind, end)
    yield data[start:end]


def _masked_header(value: str) -> str:
    scheme = _SCHEME.match(value)
    return f"{scheme[0] if scheme else ''}{MASK}"


def _parts(value: str) -> Iterator[str]:
    """What is secret in the value of a header: what stands behind its scheme, and what that is made of."""
    bare = _SCHEME.sub("", value, count=1)
    for found in (*_SIGNED.findall(value), *_COOKIE.findall(value)):
        yield from (found, unquote(found))
    if _SIGNED.search(value):  # the rest is another one with each request, and of no use to anybody
        return
    yield bare
    if value[:6].lower() == "basic ":
        try:
            pair = base64.b64decode(bare, validate=True).decode()
        except (binascii.Error, ValueError):  # not Basic, whatever it says
            return
        yield from (pair, *pair.split(":", 1))
    elif ":" in bare and " " not in bare:  # the pair of a service that signs
        yield from bare.split(":")


def _patterns(secret: str) -> Iterator[list[tuple[bytes, ...]]]:
    """What a secret may look like where somebody quotes it: for each of its characters, what may stand for that."""
    inside = (text.encode().translate(table) for text in _inside_base64(secret) for table in (None, _FOR_URLS))
    for text in dict.fromkeys([secret, *(form.decode() for form in inside)]):
        yield [_spellings(char) for char in text]


@functools.lru_cache(512)
def _spellings(char: str) -> tuple[bytes, ...]:
    """A character as it is, percent-encoded, and escaped for HTML, for JSON, and for JSON inside JSON."""
    found = {char}
    if not (char.isascii() and char.isalnum()) and char not in "-_.":
        percent = quote(char, safe="", errors="surrogatepass").replace("~", "%7E")
        found |= {percent, percent.lower(), percent.replace("%", "%25"), quote_plus(char, errors="surrogatepass")}
        found |= {html.escape(char), f"&#{ord(char)};", f"&#x{ord(char):x};", f"&#x{ord(char):X};"}
        # Go, Java and PHP escape what HTML would take for its own.
        escaped = {json.dumps(char)[1:-1], "\\/" if char == "/" else char}
        escaped |= {form.format(ord(char)) for form in ("\\u{:04x}", "\\u{:04X}") if ord(char) < 0x10000}
        for _ in range(3):
            found |= escaped
            escaped = {json.dumps(text)[1:-1] for text in escaped}
    return tuple(text.encode("utf-8", "surrogatepass") for text in sorted(found, key=len, reverse=True))


def _any_of(spellings: tuple[bytes, ...]) -> bytes:
    return re.escape(spellings[0]) if len(spellings) == 1 else b"(?:%b)" % b"|".join(map(re.escape, spellings))


def _inside_base64(secret: str) -> Iterator[str]:
    """What of Base64 is the same whatever stands around the secret: it may fall into groups of three in three ways."""
    data = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + data).decode()
        # A letter that also holds bits of a neighbor is left out at each end.
        yield whole[(0, 2, 3)[before] : len(whole) - (0, 3, 2)[(before + len(data)) % 3]]


def _may_begin(data: bytes, start: int, pattern: list[tuple[bytes, ...]]) -> bool:
    """Whether the data from there to their end are the beginning of something that fits."""
    places = {start}
    for spellings in pattern:
        behind = set()
        for place in places:
            rest = data[place : place + _LONGEST_SPELLING]
            if any(len(spelling) > len(rest) and spelling.startswith(rest) for spelling in spellings):
                return True
            behind |= {place + len(spelling) for spelling in spellings if rest.startswith(spelling)}
        if not behind:
            return False
        places = behind
    return False
