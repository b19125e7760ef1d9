"""Tencent Cloud's signature, against the numbers that its documents publish for each step."""

import hashlib
import time

import pytest

from calls import error_of
from compatapi.dialects.hunyuan.tc3 import (
    Credentials,
    canonical_request,
    date_of,
    host_of,
    read_key,
    sign,
    signing_keys,
    string_to_sign,
)
from compatapi.errors import ConfigError
from compatapi.http_types import Secret

#: The payload of the documents, with its escapes as such.
PAYLOAD = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
CVM = {
    "content-type": "application/json; charset=utf-8",
    "host": "cvm.tencentcloudapi.com",
    "x-tc-action": "DescribeInstances",
    "x-tc-timestamp": "1551113065",
}
HUNYUAN = {
    "content-type": "application/json",
    "host": "hunyuan.tencentcloudapi.com",
    "x-tc-action": "ChatCompletions",
    "x-tc-timestamp": "1700000000",
}
STARS = "*" * 32
EXAMPLE_KEY = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
HELLO = b'{"Model":"hunyuan-lite","Messages":[{"Role":"user","Content":"hello"}],"Stream":true,"Temperature":0}'
HI = b'{"Model":"hunyuan-lite","Messages":[{"Role":"user","Content":"hi"}],"Stream":true}'


def without(headers, *names):
    """Headers without some of them."""
    return {name: value for name, value in headers.items() if name not in names}


# Name: id and key, service, headers, body, date, hash of the body, hash of the canonical request, signed headers,
# signature.
VECTORS = {
    "A, the document": (
        (f"AKID{STARS}", STARS),
        *("cvm", CVM, PAYLOAD, "2019-02-25"),
        "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064",
        "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84",
        "content-type;host;x-tc-action",
        "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f",
    ),
    "B, the older document": (
        ("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", EXAMPLE_KEY),
        *("cvm", without(CVM, "x-tc-action"), PAYLOAD, "2019-02-25"),
        "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064",
        "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031",
        "content-type;host",
        "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
    ),
    "C, Hunyuan": (
        ("test-id", "test-secret"),
        *("hunyuan", HUNYUAN, HELLO, "2023-11-14"),
        "5af37ca5a87d92a80cf6f2dc5ad9c7329b7b7fed071dee93cbb7f90d1ae0a102",
        "9ab29b92ffdd0faeaf662418283e95e96e49024c7f8b4b6b114a4f9074f07b50",
        "content-type;host;x-tc-action",
        "01e43b83c6efd68dfec4f5d085885a6ab213c56484855976bc0f11ae1f04a305",
    ),
    "D, Hunyuan with the key of B": (
        ("test-id", EXAMPLE_KEY),
        *("hunyuan", {**HUNYUAN, "x-tc-timestamp": "1735689600"}, HI, "2025-01-01"),
        "60da8f83ede36e60c7c508f041d2f46da1f4a363712a85c157ccf2b0ad261e70",
        "7b12dd987cbd45bfb0822f361add72c0f2af97f7cbaa895fc4c8f5ad83f8d269",
        "content-type;host;x-tc-action",
        "b5481b2e9612e52bf994c64f00bd7d93f64be044d928474e4a30a957ee0a2cce",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_published_vectors(name):
    """Every step gives the number that is published for it: hashes, text to sign, and the header."""
    key, service, headers, body, date, payload, hashed, names, signature = VECTORS[name]
    canonical = canonical_request(headers, body)
    assert payload == canonical.rpartition("\n")[2]
    assert hashed == hashlib.sha256(canonical.encode()).hexdigest()
    timestamp = headers["x-tc-timestamp"]
    scope = f"{date}/{service}/tc3_request"
    assert f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashed}" == string_to_sign(canonical, timestamp, service)
    assert (f"TC3-HMAC-SHA256 Credential={key[0]}/{scope}, SignedHeaders={names}, Signature={signature}") == sign(
        Credentials(*key), service, headers, body
    )


def test_the_canonical_request_of_the_document():
    """Vector A's canonical request is the document's, line by line."""
    assert (
        "POST\n/\n\ncontent-type:application/json; charset=utf-8\nhost:cvm.tencentcloudapi.com\n"
        "x-tc-action:describeinstances\n\ncontent-type;host;x-tc-action\n"
        "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064"
    ) == canonical_request(CVM, PAYLOAD)


def test_the_three_keys_of_the_document():
    """The keys that are derived for date, service and request are those of vector A."""
    assert [
        "da98fb70dcf6b112dc21038d1eeeb3a95c74b4dcb12c1131f864f6066bd02be0",
        "8d70cbefb03939f929db64d32dc2ba89b1095620119fe3e050e2b18c5bd2752f",
        "b596b923aad85185e2d1f6659d2a062e0a86731226e021e61bfe06f7ed05f5af",
    ] == [key.hex() for key in signing_keys(STARS, "2019-02-25", "cvm")]


def test_values_are_trimmed_and_in_lower_case():
    """Blanks around a value and its case do not change the signature, and other headers do not either."""
    odd = {**CVM, "x-tc-action": " DESCRIBEINSTANCES ", "user-agent": "x", "x-tc-region": "ap-guangzhou"}
    assert canonical_request(CVM, b"") == canonical_request(odd, b"")


def test_a_body_that_is_not_signed():
    """The header that says so puts its word in place of the hash; any other value of it does not."""
    assert canonical_request({**CVM, "x-tc-content-sha256": "UNSIGNED-PAYLOAD"}, b"x").endswith("\nUNSIGNED-PAYLOAD")
    assert canonical_request(CVM, b"x") == canonical_request({**CVM, "x-tc-content-sha256": "abc"}, b"x")


@pytest.mark.parametrize(
    ("timestamp", "date"),
    [("1704067199", "2023-12-31"), ("1704067200", "2024-01-01"), ("1709164800", "2024-02-29"), ("0", "1970-01-01")],
)
def test_the_date_is_that_of_utc(timestamp, date, monkeypatch):
    """Around midnight the date is the one in UTC, whatever the machine's own is."""
    try:
        for zone in ("UTC", "Asia/Shanghai", "America/Los_Angeles"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert date == date_of(timestamp)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("timestamp", ["", "now", "-1", " 1", "1_000", "1.5", "٣", "9" * 30, "9" * 5000])
def test_a_timestamp_that_is_no_time(timestamp):
    """What is no Unix time is refused, and the error is ours."""
    error_of(ConfigError, date_of, timestamp)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://hunyuan.tencentcloudapi.com/", "hunyuan.tencentcloudapi.com"),
        ("https://hunyuan.tencentcloudapi.com:443/", "hunyuan.tencentcloudapi.com"),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
        ("http://127.0.0.1:80/", "127.0.0.1"),
        ("https://127.0.0.1:80/", "127.0.0.1:80"),
        ("http://[::1]:9/path", "[::1]:9"),
        ("https://User:Pass@Example.COM/x?y=1", "example.com"),
    ],
)
def test_host(url, host):
    """The port is named where it is not the scheme's own, and user info never is."""
    assert host == host_of(url)


def test_keys():
    """A key has two parts, or three; a token may hold colons."""
    assert Credentials("id", "key") == read_key(Secret("id:key"))
    assert Credentials("id", "key", "token:more") == read_key(Secret("id:key:token:more"))


@pytest.mark.parametrize("key", ["only-one-part", ":key", "id:", "id:key:", "::", "id::token", ":"])
def test_keys_of_another_form(key):
    """A key without its parts is refused with the form that is wanted, and is not shown."""
    error = error_of(ConfigError, read_key, Secret(key))
    assert "SecretId:SecretKey" in str(error)
    assert not any(part in str(error) for part in ("only-one-part", "token", key) if part.strip(":"))


def test_no_repr_shows_a_secret():
    """Neither credentials nor the finished header show anything in a repr."""
    credentials = read_key(Secret("my-own-id:my-own-key:my-own-token"))
    header = sign(credentials, "hunyuan", HUNYUAN, b"")
    shown = repr([credentials, credentials.secret_id, credentials.secret_key, credentials.token, header])
    assert "my-own" not in shown
    assert "Signature" not in shown
