"""Where a request goes and what goes with it: URLs, the key, the exact bytes of the body."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from compatapi import jsontext
from compatapi.convert import converter
from compatapi.http_types import HttpRequest, SecretText, Target

__all__ = ["auth_headers", "encode_body", "get_request", "join_url", "post_request"]


def get_request(target: Target, url: str, auth: str = "bearer") -> HttpRequest:
    """A GET that asks for JSON. ``auth`` is how the dialect sends a key, unless the provider's row says otherwise."""
    return HttpRequest("GET", url, {"Accept": "application/json", **_headers(target, auth)})


def post_request(
    target: Target,
    url: str,
    body: dict[str, Any],
    *,
    accept: str = "application/json",
    auth: str = "bearer",
    numbers: Any = ...,
) -> HttpRequest:
    """A POST of a JSON body. Any other ``accept`` than JSON asks for a stream; ``numbers`` as in `jsontext.dumps`."""
    headers = {"Content-Type": "application/json", "Accept": accept, **_headers(target, auth)}
    return HttpRequest("POST", url, headers, encode_body(target, body, numbers), stream=accept != "application/json")


def encode_body(target: Target, body: dict[str, Any], numbers: Any = ...) -> bytes:
    """The JSON bytes of a body, with the fields that the call itself sets or removes."""
    merged = {**body, **target.body}
    return jsontext.dumps(
        {name: value for name, value in merged.items() if value is not None or name not in target.body},
        converter.unstructure,
        numbers=numbers if numbers is ... else (numbers, dict(target.body)),
    )


def _headers(target: Target, auth: str) -> dict[str, str]:
    return {**target.quirks.headers, **auth_headers(target, auth), **target.headers}


def join_url(
    target: Target, path: str, model: str | None = "", *, root: str = "", query: Mapping[str, str] = {}
) -> str:
    """The base URL and a path, with the base's own query kept, and ``query`` and the target's added.

    Nothing is guessed: no ``/v1`` is added. The ``root`` of the provider's row or else of the dialect is put between
    the two unless the base names it already, and a base that names a deployment (Azure) is taken at its word, but for
    what is of no model (``None``).
    """
    start, own = _joined(target.base_url, target.quirks.root or root, path, model)
    added = {**query, **target.query}
    whole = "&".join(filter(None, (own, urlencode(added) if added else "")))
    return f"{start}?{whole}" if whole else start


@lru_cache(maxsize=256)  # a program calls few addresses, and each often
def _joined(base_url: str, root: str, path: str, model: str | None) -> tuple[str, str]:
    """The base URL with the path, without its query; and the query."""
    base = urlsplit(base_url)
    start = _with_root(base.path.rstrip("/"), root)
    if "{model}" in path:
        before, _, after = path.partition("{model}")
        path = after if before in f"{start}/" else before + quote(model or "", safe="") + after
    elif model is None:
        start = start.partition("/deployments/")[0]
    return urlunsplit((base.scheme, base.netloc, start + path, "", "")), base.query


def _with_root(start: str, root: str) -> str:
    """Put the root behind the path of a base, less what the base has of it already."""
    steps = root.split("/")[1:]
    for count in range(len(steps), 0, -1):
        if start.endswith("/" + "/".join(steps[:count])):
            return "/".join([start, *steps[count:]])
    return start if steps and f"/{steps[0]}/" in start else start + root


def auth_headers(target: Target, auth: str = "bearer") -> dict[str, str]:
    """The headers that show the key, as the provider's row says, or else as the dialect does; none without a key."""
    if target.api_key is None:
        return {}
    auth = target.quirks.auth or auth
    if auth == "bearer":
        return {"Authorization": SecretText(f"Bearer {target.api_key.reveal()}")}
    return {auth: SecretText(target.api_key.reveal())}
