"""Headers, secrets, and the values between dialect and transport."""

import copy
import pickle

import attrs
import pytest

from compatapi.http_types import Headers, HttpRequest, HttpResponse, Quirks, Secret, Target

KEY = "sk-do-not-show-me"
SECRET_HEADERS = [
    "Authorization",
    "Proxy-Authorization",
    "api-key",
    "X-API-Key",
    "x-goog-api-key",
    "Ocp-Apim-Subscription-Key",
    "X-Auth-Token",
    "X-My-Key",
    "Cookie",
    "Set-Cookie",
]
PLAIN_HEADERS = ["x-request-id", "Retry-After", "x-ratelimit-remaining-tokens", "Content-Type", "OpenAI-Organization"]


def test_headers_are_looked_up_in_any_case():
    """Names are equal in any case, and listed as they were written."""
    headers = Headers({"Content-Type": "text/plain", "X-Request-ID": "r"})
    assert ("text/plain", "r") == (headers["content-type"], headers["x-request-id"])
    assert "CONTENT-TYPE" in headers and "content" not in headers and 1 not in headers
    assert ["Content-Type", "X-Request-ID"] == list(headers)
    assert (2, "d", None) == (len(headers), headers.get("none", "d"), headers.get("none"))
    with pytest.raises(KeyError):
        headers["none"]


def test_headers_that_come_twice_are_joined():
    """Values of one name are joined by a comma, in their order (RFC 9110, section 5.2)."""
    assert "a, b, c" == Headers([("Vary", "a"), ("vary", "b"), ("VARY", "c")])["Vary"]


def test_headers_are_equal_in_any_case():
    """Headers compare with headers and with dicts, the case of names aside."""
    assert Headers({"A": "1"}) == Headers({"a": "1"}) == {"A": "1"}
    assert Headers({"A": "1"}) != {"A": "2"}
    assert Headers() != 1
    assert Headers(Headers({"A": "1"})) == Headers([("a", "1")])


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_headers_can_be_copied_and_pickled(again):
    """Errors carry headers, so headers travel."""
    headers = Headers({"X-A": "1", "X-B": "2"})
    assert headers == again(headers) and ["X-A", "X-B"] == list(again(headers))


@pytest.mark.parametrize("name", SECRET_HEADERS)
@pytest.mark.parametrize("change", [str, str.lower, str.upper])
def test_no_secret_header_is_in_any_repr(name, change):
    """The value of a header that holds a credential is never shown, under whatever name a host wants it."""
    headers = {change(name): KEY, "X-Plain": "shown"}
    for value in (
        Headers(headers),
        HttpRequest("POST", "https://example.test/v1", headers),
        HttpRequest("POST", "https://example.test/v1", Headers(headers)),
        HttpResponse(200, headers=Headers(headers)),
        Target("https://example.test/v1", headers=headers),
    ):
        assert KEY not in repr(value) and KEY not in str(value) and KEY not in f"{value}"
        assert "shown" in repr(value)


@pytest.mark.parametrize("name", PLAIN_HEADERS)
def test_other_headers_are_shown(name):
    """What helps to find a fault stays readable."""
    assert "shown" in repr(Headers({name: "shown"}))


@pytest.mark.parametrize(
    "url",
    [
        f"https://example.test/v1?key={KEY}",
        f"https://example.test/v1?a=1&api-key={KEY}&b=2",
        f"https://example.test/v1?access_token={KEY}#x",
        f"https://user:{KEY}@example.test/v1",
        f"https://{KEY}@example.test/v1?a=1",
    ],
)
def test_no_secret_in_a_url_is_in_any_repr(url):
    """Keys in a query and in front of a host are not shown; the rest of the URL is."""
    for value in (HttpRequest("GET", url), Target(url)):
        assert KEY not in repr(value) and "example.test/v1" in repr(value)
    shown = repr(HttpRequest("GET", "https://example.test/v1?api-version=2024-06-01&model=a"))
    assert "https://example.test/v1?api-version=2024-06-01&model=a" in shown


def test_no_key_of_a_target_is_in_its_repr():
    """Neither the credential nor a key among the query parameters is shown."""
    target = Target("https://example.test/v1", Secret(KEY), query={"key": KEY, "api-version": "1"})
    assert KEY not in repr(target) and "'api-version': '1'" in repr(target)


def test_a_body_is_shown_by_its_size():
    """A request's repr has no conversation in it."""
    assert "<1,234 bytes>" in repr(HttpRequest("POST", "u", body=b"x" * 1234))
    assert "body=None" in repr(HttpRequest("GET", "u"))


def test_a_secret_is_shown_by_nothing_but_reveal():
    """A secret hides in every way of making text, and compares by its value."""
    secret = Secret(KEY)
    assert KEY == secret.reveal()
    for text in (repr(secret), str(secret), f"{secret}", "%s" % secret, repr([secret]), repr({"a": secret})):  # noqa: UP031
        assert KEY not in text
    assert Secret("a") == Secret("a") != Secret("b")
    assert "a" != Secret("a") and 1 == len({Secret("a"), Secret("a")})
    with pytest.raises(AttributeError):
        secret.other = 1


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_refuses_to_be_pickled(protocol):
    """No key travels unseen, neither alone nor inside a target; the refusal does not show it."""
    for value in (Secret(KEY), [Secret(KEY)], Target("u", Secret(KEY))):
        with pytest.raises(TypeError) as caught:
            pickle.dumps(value, protocol)
        assert KEY not in str(caught.value)


def test_requests_and_targets_are_frozen_and_evolve():
    """A target is changed by making another one."""
    target = attrs.evolve(Target("u", Secret("a")), headers={"A": "1"})
    assert (Secret("a"), {"A": "1"}, Quirks()) == (target.api_key, target.headers, target.quirks)
    for value, name in (
        (target, "base_url"),
        (HttpRequest("GET", "u"), "url"),
        (Quirks(), "auth"),
        (HttpResponse(200), "status"),
    ):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, name, "x")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Request-ID": "a"}, "a"),
        ({"cf-ray": "z", "request-id": "b"}, "b"),
        ({"x-request-id": "a", "apim-request-id": "c"}, "a"),
        ({"apim-request-id": "c"}, "c"),
        ({"X-TC-RequestId": "d"}, "d"),
        ({"mistral-correlation-id": "e"}, "e"),
        ({"x-kong-request-id": "f"}, "f"),
        ({"X-Generation-Id": "g"}, "g"),
        ({"CF-Ray": "h"}, "h"),
        ({"date": "today"}, None),
    ],
)
def test_the_request_id_is_found_under_its_names(headers, expected):
    """Servers name a request in different headers; the most telling one wins."""
    assert expected == HttpResponse(200, headers=Headers(headers)).request_id


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/event-stream", "text/event-stream"),
        ("Text/Event-Stream; charset=utf-8", "text/event-stream"),
        (" application/json ;x=1", "application/json"),
        ("", ""),
        (None, ""),
    ],
)
def test_the_media_type_is_without_parameters(value, expected):
    """The media type is compared in lower case and alone."""
    headers = Headers({} if value is None else {"Content-Type": value})
    assert expected == HttpResponse(200, headers=headers).media_type


def test_an_empty_response():
    """A status alone makes a response with no body and calls that do nothing."""
    response = HttpResponse(204, "No Content")
    assert (204, [], None) == (response.status_code, list(response.body), response.close())
    assert response != HttpResponse(204, "No Content")
