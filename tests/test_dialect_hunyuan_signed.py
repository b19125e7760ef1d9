"""Where the Hunyuan dialect sends a request, with which headers, and that what is signed is what is sent."""

import json

import pytest

from calls import error_of
from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.dialects.hunyuan import HunyuanDialect
from compatapi.dialects.hunyuan.tc3 import Credentials, sign
from compatapi.errors import ConfigError
from compatapi.http_types import Quirks, Secret, Target

DIALECT = HunyuanDialect(clock=lambda: 1_700_000_000.9)
BASE = "https://hunyuan.tencentcloudapi.com"


def target(base=BASE, key="test-id:test-secret", **fields):
    """A target with options by keyword."""
    return Target(base, Secret(key) if key else None, **fields)


def encoded(*, stream=False, to=None, **fields):
    """The HTTP request for a greeting and request fields."""
    request = ChatCompletionRequest("hunyuan-lite", [Message.user("hello")], **fields)
    return DIALECT.encode_request(request, to or target(), stream)


def refused(**options):
    """The text of the refusal."""
    return str(error_of(ConfigError, encoded, **options))


def expected_signature(request, key=("test-id", "test-secret")):
    """The signature over what is really sent."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return sign(Credentials(*key), "hunyuan", headers, request.body)


def test_the_published_request():
    """The request of vector C comes out with its exact bytes, headers and signature."""
    request = encoded(stream=True, temperature=0)
    assert (
        b'{"Model":"hunyuan-lite","Messages":[{"Role":"user","Content":"hello"}],"Stream":true,"Temperature":0}'
    ) == request.body
    assert {
        "Host": "hunyuan.tencentcloudapi.com",
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "X-TC-Action": "ChatCompletions",
        "X-TC-Version": "2023-09-01",
        "X-TC-Timestamp": "1700000000",
        "Authorization": (
            "TC3-HMAC-SHA256 Credential=test-id/2023-11-14/hunyuan/tc3_request,"
            " SignedHeaders=content-type;host;x-tc-action,"
            " Signature=01e43b83c6efd68dfec4f5d085885a6ab213c56484855976bc0f11ae1f04a305"
        ),
    } == dict(request.headers)
    assert request.stream


def test_what_a_call_adds_to_the_body_is_signed():
    """The signature is that of the bytes that are sent, with the fields that the call itself sets or removes."""
    to = target(body={"Temperature": 1, "Messages": [], "Citation": None})
    request = encoded(to=to, extra={"Citation": True})
    assert {"Model": "hunyuan-lite", "Messages": [], "Temperature": 1} == json.loads(request.body)
    assert expected_signature(request) == request.headers["Authorization"]
    assert encoded().headers["Authorization"] != request.headers["Authorization"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-TC-Region": "ap-guangzhou", "X-TC-Language": "en-US", "X-My-Own": "1"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"content-type": "application/json; charset=UTF-8"},
        {"host": "hunyuan.ai.intl.tencentcloudapi.com"},
        {"X-Tc-Action": "ChatTranslations"},
        {"x-tc-timestamp": "1700000100"},
        {"X-TC-Content-SHA256": "UNSIGNED-PAYLOAD"},
    ],
)
def test_headers_of_the_program_are_what_is_signed(headers):
    """Headers that a program adds are sent as they are, and the signature is over what is sent."""
    request = encoded(to=target(headers=headers))
    assert expected_signature(request) == request.headers["Authorization"]
    small = {name.lower(): value for name, value in request.headers.items()}
    assert {name.lower(): value for name, value in headers.items()}.items() <= small.items()
    hosts = [name for name in request.headers if name.lower() in ("host", "x-tc-timestamp", "x-tc-action")]
    assert 3 == len(hosts)


def test_a_timestamp_of_the_program_that_is_none():
    """A timestamp that cannot be signed is refused."""
    assert "X-TC-Timestamp" in refused(to=target(headers={"X-TC-Timestamp": "now"}))


def test_a_program_that_signs_by_itself():
    """An Authorization header of the program is left alone."""
    assert "mine" == encoded(to=target(headers={"authorization": "mine"})).headers["authorization"]
    assert "Authorization" not in encoded(to=target(headers={"authorization": "mine"})).headers


def test_without_a_key_nothing_is_signed():
    """Without a key, for a gateway that signs, the headers of API 3.0 are sent and no Authorization."""
    headers = encoded(to=target(key=None)).headers
    assert "Authorization" not in headers
    assert "ChatCompletions" == headers["X-TC-Action"]


def test_temporary_credentials():
    """The token of temporary credentials goes into a header of its own."""
    request = encoded(to=target(key="test-id:test-secret:a-token"))
    assert "a-token" == request.headers["X-TC-Token"]
    assert expected_signature(request) == request.headers["Authorization"]
    assert "X-TC-Token" not in encoded().headers


def test_a_key_of_another_form():
    """A key that has not the form is refused with the form that is wanted, and not shown."""
    said = refused(to=target(key="a-key-for-tests"))
    assert "SecretId:SecretKey" in said
    assert "a-key-for-tests" not in said


def test_no_repr_shows_a_secret():
    """The repr of the request shows no id, key, token or signature."""
    request = encoded(to=target(key="my-own-id:my-own-key:my-own-token"))
    shown = repr(request) + repr(dict(request.headers))
    assert "my-own" not in shown
    assert "Signature=" not in shown


def test_options_of_the_row():
    """Service, action and version are data of the provider's row."""
    options = {"service": "lkeap", "action": "ChatTranslations", "version": "2024-05-22"}
    headers = encoded(to=target(quirks=Quirks(options=options))).headers
    assert ("ChatTranslations", "2024-05-22") == (headers["X-TC-Action"], headers["X-TC-Version"])
    assert "/lkeap/tc3_request" in headers["Authorization"]


@pytest.mark.parametrize(
    ("base", "url", "host"),
    [
        (f"{BASE}/", f"{BASE}/", "hunyuan.tencentcloudapi.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", "127.0.0.1:8080"),
        ("https://gateway.example:443/hy", "https://gateway.example:443/hy/", "gateway.example"),
    ],
)
def test_addresses(base, url, host):
    """The request goes to the root of the base URL, and the host that is signed is the one that is sent."""
    request = encoded(to=target(base))
    assert (url, host) == (request.url, request.headers["Host"])
    assert expected_signature(request) == request.headers["Authorization"]
