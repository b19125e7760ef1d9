"""Each row of the table of faults, asked for in four styles over a real socket."""

import pickle
import runpy
import socket
import ssl
import time
from pathlib import Path

import pytest
from attrs import field, frozen

from calls import REQUEST, Running, client_of, eventually, hard_limit, server_context  # noqa: F401
from compatapi.call import Timeouts
from compatapi.errors import RequestTimeout
from compatapi.testing import ScriptedServer
from faults import FAULTS, SHARED, TABLE
from loopback import CERTIFICATE

EXPIRED = Path(CERTIFICATE).with_name("expired.pem")
DOCS = Path(__file__).parents[1] / "docs"
#: Seconds. The clock that is to run out, while which nothing has to come, and those that must not, however busy the
#: machine is.
SHORT, LONG = 0.1, 12.0
#: The whole call goes on while text comes, which has to come in time on a busy machine too.
WHOLE = 1.0
#: Seconds that one style may take.
HANGS = 15.0
#: A key with two parts is one for every dialect.
KEY = "an-id-for-tests:a-key-for-tests"


@frozen
class Outcome:
    """What a program saw: the pieces of text it was given, the answer so far, and the error."""

    told: str
    kept: str
    error: BaseException | None = None
    last: list[str] = field(factory=list)


def by_generator(client):
    """Iterate."""
    told, stream = [], None
    try:
        stream = client.chat_completion_stream(REQUEST)
        for chunk in stream:
            told.append(chunk.text)
    except Exception as error:
        return Outcome("".join(told), stream.completion.text if stream else "", error)
    return Outcome("".join(told), stream.completion.text)


def by_callback(client):
    """Be called back, and wait."""
    told = []
    try:
        completion = client.chat_completion_stream(REQUEST, lambda chunk: told.append(chunk.text))
    except Exception as error:
        return Outcome("".join(told), text_of(error), error)
    return Outcome("".join(told), completion.text)


def by_handle(client):
    """Be called back from another thread."""
    told, last = [], []
    handle = client.start_stream(
        REQUEST,
        on_text=lambda text: (told.append(text), last.append("on_text")),
        on_done=lambda _: last.append("on_done"),
        on_error=lambda _: last.append("on_error"),
        on_cancelled=lambda _: last.append("on_cancelled"),
    )
    error = None
    try:
        handle.result(HANGS)
    except Exception as problem:
        error = problem
    assert eventually(lambda: last and last[-1] != "on_text")
    return Outcome("".join(told), handle.completion.text, error, last)


def by_waiting(client):
    """Ask for the whole answer."""
    try:
        text = client.chat_completion(REQUEST).text
    except Exception as error:
        return Outcome(text_of(error), text_of(error), error)
    return Outcome(text, text)


STREAMED = (by_generator, by_callback, by_handle)


def text_of(error):
    """The text of the answer so far in an error."""
    completion = getattr(error, "completion", None)
    return completion.text if completion else ""


@pytest.fixture(autouse=True)
def names(monkeypatch):
    """Two names are known without a network: elsewhere.test is this machine, and nowhere.test is nowhere."""
    lookup = socket.getaddrinfo

    def look_up(host, *args, **options):
        if host == "nowhere.test" or (host == "elsewhere.test" and socket.AI_NUMERICHOST in args):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return lookup("127.0.0.1" if host == "elsewhere.test" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def server_of(fault):
    """The server of a row; who asks for no stream may get another answer."""
    context = None
    if fault.road.server_tls:
        context = server_context()
        if fault.road.expired:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(EXPIRED)

    def answer(request):
        return fault.script if request.stream or fault.whole is None else fault.whole

    return ScriptedServer(answer, ssl_context=context)


def client_for(fault, server, style):
    """A client that meets the server as the row says, and of whose clocks one is short."""
    road = fault.road
    port = server.port
    if not road.listens:
        server.close()
    clocks = {"connect": LONG, "first_token": LONG, "idle": LONG, "total": LONG}
    if fault.clock is not None:
        clocks[clock_of(fault, style)] = short_of(fault, style)
    path, whom = ("/v1", {}) if fault.provider is None else ("", {"provider": fault.provider, "api_key": KEY})
    return client_of(
        f"{'https' if road.client_tls else 'http'}://{road.host}:{port}{path}",
        timeouts=Timeouts(**clocks),
        limits=fault.limits,
        verify=str(EXPIRED if road.expired else CERTIFICATE) if road.trusts else True,
        **whom,
    )


def short_of(fault, style):
    """Seconds of the clock that shall run out."""
    return WHOLE if clock_of(fault, style) == "total" and fault.keeps else SHORT


def clock_of(fault, style):
    """The clock that runs out for a style."""
    return fault.whole_clock or fault.clock if style == "by_waiting" else fault.clock


STYLES = (*STREAMED, by_waiting)


def outcomes(fault, clients):
    """What each style sees; at the same time, unless the row says otherwise.

    Those at the same time have a client each: a connection that one gave back may be one that the server is closing.
    """
    if not fault.in_turn:
        threads = {style.__name__: Running(style, client) for style, client in zip(STYLES, clients, strict=True)}
        return {name: thread.result(HANGS) for name, thread in threads.items()}
    seen = {}
    for style in STYLES:
        if seen:
            time.sleep(0.1)  # what the server says too much has to come before the next request, or nobody can tell
        seen[style.__name__] = Running(style, clients[0]).result(HANGS)
    return seen


def expected_of(fault, style):
    """The class of the error and the text that a style has to see."""
    if style != "by_waiting":
        return fault.gets, fault.keeps
    gets = fault.gets if fault.whole_gets is None else fault.whole_gets
    return gets, fault.keeps if fault.whole_keeps is None else fault.whole_keeps


def name_of(fault):
    """What a run of the tests calls a row."""
    return fault.name if fault.provider is None else f"{fault.provider}: {fault.name}"


def check_error(fault, style, error):
    """Message, fields and clock are those of the row, and all of it can be pickled."""
    assert fault.says in str(error)
    assert dict(fault.fields) == {name: getattr(error, name) for name in fault.fields}
    copy = pickle.loads(pickle.dumps(error))
    assert (type(error), str(error), vars(error)) == (type(copy), str(copy), vars(copy))
    assert error.stats is not None
    if isinstance(error, RequestTimeout):
        assert (clock_of(fault, style), short_of(fault, style)) == (error.clock, error.limit)
        assert error.limit <= error.elapsed


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_fault(fault):
    """In each style the program gets and keeps what the table says, and no connection stays open."""
    with server_of(fault) as server:
        clients = [client_for(fault, server, style.__name__) for style in STYLES]
        seen = outcomes(fault, clients)
        assert {style: expected_of(fault, style) for style in seen} == {
            style: (outcome.error and type(outcome.error), outcome.kept) for style, outcome in seen.items()
        }
        for style, outcome in seen.items():
            assert outcome.told == outcome.kept
            if outcome.error is not None:
                check_error(fault, style, outcome.error)
                assert outcome.kept == text_of(outcome.error)
        last = seen["by_handle"].last
        assert ("on_done" if fault.gets is None else "on_error") == last[-1]
        assert {"on_text"} >= {*last[:-1]}
        assert len(server.requests) <= len(seen)
        for client in clients:
            client.close()
        assert server.wait_until(lambda: server.open_connections == 0, 1.0)


def test_the_table_is_large_and_its_rows_have_names():
    """There are enough rows, and none has the name of another of its kind."""
    assert len(FAULTS) >= 120
    assert [] == [kind for kind, rows in TABLE.items() if len({row.name for row in rows}) != len(rows)]


def test_the_shared_rows_are_the_same_for_each_service():
    """What the page says of every service with a format of its own holds for each of them."""
    told = {
        provider: [(row.name, row.gets, row.whole_gets, row.keeps, row.clock) for row in rows]
        for provider, rows in SHARED.items()
    }
    assert 5 == len(told)
    assert [told["anthropic"]] * 5 == [*told.values()]


def test_the_page_of_faults_is_fresh():
    """docs/faults.md holds the table as it is; else run docs/make_faults_table.py."""
    script = runpy.run_path(str(DOCS / "make_faults_table.py"))
    page = (DOCS / "faults.md").read_text(encoding="utf-8")
    assert 1 == page.count(script["BEGIN"]) == page.count(script["END"])
    assert script["with_table"](page) == page
