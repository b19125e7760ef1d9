"""Redaction: no secret of a request is in a recording, wherever it stood and in whatever form it was quoted."""

import base64
import html
import json
import string
from itertools import groupby
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calls import REQUEST, hard_limit  # noqa: F401
from compatapi import Client, Provider
from compatapi.call import Call, Timeouts
from compatapi.errors import CompatAPIError
from compatapi.http_types import HttpRequest, Quirks
from compatapi.testing import Recording, Reply, ScriptedServer, StreamReply, record
from compatapi.testing.redaction import MaskedPieces, Redactor
from compatapi.transport import Transport

#: Keys as hosts make them, and keys of all that a header can hold; so many tildes are in no other text.
KEYS = st.text(string.ascii_letters + string.digits + "-_.", min_size=12, max_size=60) | st.text(
    string.printable[:94], min_size=12, max_size=60
)
KEYS = KEYS.map(lambda key: "sk-" + "".join(f"~{key[at : at + 4]}" for at in range(0, len(key), 4)))
#: What a server may make of a key that it quotes.
FORMS = {
    "as it is": str,
    "percent": lambda key: quote(key, safe=""),
    "percent, in lower case": lambda key: quote(key, safe="~").replace("%7E", "~").lower() if key.islower() else key,
    "percent, for a path": quote,
    "a form": quote_plus,
    "JavaScript": lambda key: quote(key, safe="-_.!~*'()"),
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON in JSON": lambda key: json.dumps(json.dumps(key))[3:-3],
    "JSON by PHP": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "JSON by Go": lambda key: json.dumps(key)[1:-1].translate({ord(c): f"\\u{ord(c):04x}" for c in "<>&"}),
    "HTML": html.escape,
    "Base64": lambda key: base64.b64encode(key.encode()).decode(),
    "Basic": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "Basic, shifted": lambda key: base64.b64encode(f"a:{key}!".encode()).decode(),
    "Base64 for URLs": lambda key: base64.urlsafe_b64encode(f"me:{key}:you".encode()).decode().rstrip("="),
    "Base64 in a URL": lambda key: quote(base64.b64encode(key.encode()).decode(), safe=""),
}
#: Characters. What of Base64 belongs to the key and to its neighbor at once may stay; fewer than that tell nothing.
TELLING = 12

some = settings(max_examples=40, deadline=None)


def texts_in(value):
    """All texts and numbers in a value of JSON."""
    if isinstance(value, dict):
        return [text for item in value.items() for one in item for text in texts_in(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts_in(one)]
    return [str(value)]


def said_by(path):
    """All that a recording says: its bytes, the texts in its lines, and the bodies put together."""
    data = path.read_bytes()
    recording = Recording.load(path)
    bodies = [body.decode("latin-1") for one in recording.exchanges for body in (one.body, one.content)]
    return [data.decode(), *(text for line in data.splitlines() for text in texts_in(json.loads(line))), *bodies]


def left_of(key, texts, forms=FORMS):
    """The forms of a key of which so much is in one of the texts that it tells something."""
    shown = "\n".join(texts)
    found = []
    for name, form in forms.items():
        quoted = form(key)
        windows = {quoted[at : at + TELLING] for at in range(max(1, len(quoted) - TELLING + 1))}
        found += [name for window in windows if window in shown]
    return [name for name, _ in groupby(found)]


@pytest.fixture(scope="module")
def echo():
    """A server that answers with what the test put into `answers`."""
    answers = []
    with ScriptedServer(lambda request: answers[-1]) as server:
        server.answers = answers
        yield server


def send(server, path, headers, body, answer, transport=None):
    """Send one request by the transport and read the answer to its end."""
    server.answers.append(answer)
    transport = transport or Transport()
    data = json.dumps(body).encode() if isinstance(body, dict | list) else body
    try:
        call = Call(Timeouts(first_token=5))
        response = transport.send(HttpRequest("POST", path, headers, data, stream=True), call)
        assert b"".join(response.body)
    finally:
        transport.close()


#: Where a key may stand in a request: of (URL of the server, key) -> (URL, headers, body).
PLACES = {
    "bearer": lambda url, key: (f"{url}/v1", {"Authorization": f"Bearer {key}"}, {}),
    "x-api-key": lambda url, key: (f"{url}/v1", {"x-api-key": key}, {}),
    "x-goog-api-key": lambda url, key: (f"{url}/v1", {"X-Goog-Api-Key": key}, {}),
    "api-key": lambda url, key: (f"{url}/v1", {"api-key": key}, {}),
    "basic": lambda url, key: (f"{url}/v1", {"Authorization": FORMS["Basic"](key).join(("Basic ", ""))}, {}),
    "signed": lambda url, key: (
        f"{url}/v1",
        {"Authorization": f"TC3-HMAC-SHA256 Credential={quote(key, safe='')}/2026-01-01/x/tc3_request, Signature=0"},
        {},
    ),
    "a cookie": lambda url, key: (f"{url}/v1", {"Cookie": f"theme=dark; session={quote(key, safe='')}"}, {}),
    "an organization": lambda url, key: (f"{url}/v1", {"OpenAI-Organization": key}, {}),
    "a project": lambda url, key: (f"{url}/v1", {"openai-project": key, "anthropic-organization-id": key}, {}),
    "the query": lambda url, key: (f"{url}/v1?alt=sse&key={quote(key, safe='')}", {}, {}),
    "an account in the path": lambda url, key: (f"{url}/accounts/{quote(key, safe='')}/ai/v1", {}, {}),
    "the URL's user": lambda url, key: (url.replace("//", f"//me:{quote(key, safe='')}@"), {}, {}),
    "a field": lambda url, key: (f"{url}/v1", {}, {"api_key": key, "said": f"use {key}"}),
    "a field of a tool": lambda url, key: (f"{url}/v1", {}, {"tools": [{"type": "mcp", "authorization": key}]}),
    "headers in the body": lambda url, key: (f"{url}/v1", {}, {"said": key, "headers": {"X-Service-Key": key}}),
}


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_of_a_request_survives(echo, tmp_path, place):
    """Wherever a key stands in a request and however the answer quotes it, the file has it in no form."""
    path = tmp_path / "one.jsonl"

    @settings(max_examples=12, deadline=None)
    @given(KEYS, st.sampled_from(sorted(FORMS)), st.sampled_from(["body", "stream", "error", "header"]))
    def check(key, form, where):
        quoted = FORMS[form](key)
        answer = {
            "body": Reply(body=f'{{"said": "{quoted}"}}'.encode()),
            "stream": StreamReply([f"data: the key {quoted[:7]}", f"{quoted[7:]} is wrong\n\n", 0.0], done=False),
            "error": Reply(401, body={"error": {"message": f"Incorrect API key provided: {quoted}."}}),
            "header": Reply(400, body="no", headers={"X-Said": quoted, "Location": f"http://x/?a={quoted}"}),
        }[where]
        url, headers, body = PLACES[place](echo.url, key)
        body["also"] = quoted
        with record(path):
            send(echo, url, headers, body, answer)
        assert [] == left_of(key, said_by(path))
        assert b"***" in path.read_bytes()

    check()


@some
@given(KEYS, st.sampled_from(sorted(FORMS)), st.data())
def test_a_secret_in_pieces(key, form, data):
    """However an answer that quotes a key is cut, the pieces that are written have it in no form, and lose no other."""
    quoted = FORMS[form](key).encode()
    whole = b"data: 1\n\ndata: " + quoted + b" and s " + quoted + b"\n\nsk"
    places = data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=30))
    edges = [0, *sorted(places), len(whole)]
    masked = MaskedPieces(Redactor([key]))
    written, pieces = [], list(zip(edges, edges[1:], strict=False))
    for number, (start, end) in enumerate(pieces):
        written += masked.feed(float(number), whole[start:end])
        assert [] == left_of(key, [b"".join(piece for _, piece in written).decode()])
    written += masked.close()
    assert [float(number) for number in range(len(pieces))] == [at for at, _ in written]
    said = b"".join(piece for _, piece in written)
    assert [] == left_of(key, [said.decode()])
    assert said.startswith(b"data: 1\n\ndata: ") and said.endswith(b"\n\nsk") and b" and s " in said


@given(st.lists(st.binary(max_size=20), max_size=20))
@settings(max_examples=100, deadline=None)
def test_pieces_without_a_secret(pieces):
    """What holds no secret comes out as it went in, each piece by itself."""
    masked, written = MaskedPieces(Redactor(["a-key-of-somebody"])), []
    for at, piece in enumerate(pieces):
        written += masked.feed(float(at), piece)
    assert [(float(at), piece) for at, piece in enumerate(pieces)] == written + masked.close()


@pytest.mark.parametrize(
    "provider", ["openai", "anthropic", "gemini", "azure", "hunyuan", "dashscope", "ollama-cloud", "openrouter"]
)
def test_no_key_of_a_client_survives(echo, tmp_path, provider):
    """Each dialect sends its key in a way of its own; none of it is in the file, nor what the server quotes of it."""
    part, other = "sk-~a%b1234567890", "AKIDz8krbsJ5yKBZQpn74WFkmLPx3gnPhESA"
    key = f"{other}:{part}" if provider == "hunyuan" else part
    known = other if provider == "hunyuan" else part  # of a pair that signs, the secret half never leaves the program
    echo.answers.append(Reply(401, body={"error": {"message": f"bad {known} {quote(known)}"}}))
    path = tmp_path / "one.jsonl"
    with Client(provider, base_url=echo.url, api_key=key, max_retries=0) as client, record(path):
        for ask in (client.chat_completion, client.chat_completion_stream):
            with pytest.raises(CompatAPIError):
                ask(REQUEST)
    assert 2 == len(Recording.load(path).exchanges)
    assert [] == left_of(part, said_by(path)) + left_of(other, said_by(path))
    signatures = [one.headers.get("authorization", "").rpartition("Signature=")[2] for one in echo.requests[-2:]]
    assert [] == [one for one in signatures if one and one in path.read_text()]


def test_a_header_of_a_name_of_its_own(echo, tmp_path):
    """A row may name any header for the key; it is masked although its name says nothing."""
    row = Provider("house", echo.url, quirks=Quirks(auth="X-House"))
    echo.answers.append(Reply(401, body={"error": {"message": "no entry with the-key-of-the-house"}}))
    path = tmp_path / "one.jsonl"
    client = Client(row, api_key="the-key-of-the-house", max_retries=0)
    with client, record(path), pytest.raises(CompatAPIError):
        client.models()
    assert "the-key-of-the-house" == echo.requests[-1].headers["X-House"]
    (exchange,) = Recording.load(path).exchanges
    assert ("***", True) == (exchange.headers["X-House"], b"no entry with ***" in exchange.content)


def test_what_an_answer_brings_is_masked_too(echo, tmp_path):
    """Cookies and names of accounts in the head of an answer are masked, the latter also wherever its body has them."""
    headers = {
        "Set-Cookie": "__cf_bm=abc.defghijk; path=/; max-age=31536000",
        "openai-organization": "acme-research",
        "anthropic-organization-id": "11111111-2222-4333-8444-555555555555",
        "cf-ray": "8a1b2c3d4e5f6071-FRA",
        "x-request-id": "req_1234567890",
        "x-ratelimit-remaining-tokens": "31536000",
    }
    said = "Rate limit of acme-research reached by 11111111-2222-4333-8444-555555555555"
    answer = Reply(429, body={"error": {"message": said}}, headers=headers)
    path = tmp_path / "one.jsonl"
    with record(path):
        send(echo, echo.url, {}, {}, answer)
    (exchange,) = Recording.load(path).exchanges
    assert b'"Rate limit of *** reached by ***"' in exchange.content
    masked = {name for name, value in exchange.response_headers.items() if value == "***"}
    assert {"Set-Cookie", "openai-organization", "anthropic-organization-id"} == masked
    # These name one answer, and no account.
    assert "8a1b2c3d4e5f6071-FRA" == exchange.response_headers["cf-ray"]
    assert "req_1234567890" == exchange.response_headers["x-request-id"]
    assert "31536000" == exchange.response_headers["x-ratelimit-remaining-tokens"]


def test_what_nobody_told_is_known_too(echo, tmp_path, monkeypatch):
    """The keys of the environment, what `secrets` names, what looks like a key, and the passwords of proxies."""
    monkeypatch.setenv("MISTRAL_API_KEY", "key-of-the-environment")
    monkeypatch.setenv("HTTPS_PROXY", "http://somebody:password-of-proxy@proxy.example")
    words = ["key-of-the-environment", "password-of-proxy", "Ångström & Söhne", "sk-ant-api03-0123456789abcdefghij"]
    path = tmp_path / "one.jsonl"
    with record(path, secrets=["Ångström & Söhne"]):
        send(echo, echo.url, {}, {"said": words}, Reply(body={"said": words}))
    (exchange,) = Recording.load(path).exchanges
    assert {"said": ["***"] * 4} == json.loads(exchange.body) == json.loads(exchange.content)


def test_the_password_of_a_proxy_is_not_in_an_error(tmp_path):
    """What went wrong on the road to a proxy is recorded without its password."""
    path = tmp_path / "one.jsonl"
    proxies = {"http": "http://somebody:password-of-proxy@127.0.0.1:9"}
    client = Client(base_url="http://x.invalid/v1", proxies=proxies, max_retries=0)
    with client, record(path), pytest.raises(CompatAPIError):
        client.models()
    (exchange,) = Recording.load(path).exchanges
    assert "unreachable" == exchange.end
    assert exchange.error.startswith("ConnectError: ")
    assert "password-of-proxy" not in path.read_text()


def test_words_of_a_conversation_are_no_secrets(echo, tmp_path):
    """A short key is masked where it stands and not wherever its letters are; nor are fields that only sound secret."""
    body = {"model": "test-1", "max_tokens": 5, "messages": [{"role": "user", "content": "a test"}], "user": "me"}
    tool = {"type": "object", "properties": {"password": {"type": "string"}, "token": {"type": "string"}}}
    body["tools"] = [{"type": "function", "function": {"name": "log_in", "parameters": tool}}]
    answer = {"logprobs": [{"token": "test", "logprob": -0.5}], "usage": {"total_tokens": 3}}
    path = tmp_path / "one.jsonl"
    with record(path):
        send(echo, f"{echo.url}/v1", {"Authorization": "Bearer test"}, body, Reply(body=answer))
    (exchange,) = Recording.load(path).exchanges
    assert (body, answer) == (json.loads(exchange.body), json.loads(exchange.content))
    assert "Bearer ***" == exchange.headers["Authorization"]
