"""The pytest plugin: a scripted server, clients, faults and recordings as fixtures, and a guard before the network.

pytest loads this module in every project that has compatapi installed. So it imports pytest and nothing else; what a
fixture needs is imported when a test asks for that fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from compatapi.client import Client
    from compatapi.testing.cassette import Cassette
    from compatapi.testing.faults import Fault
    from compatapi.testing.server import ScriptedServer

#: What a test is told that tried to reach another machine.
_HELP = """\
compatapi_no_network: the test tried to reach {hosts}, and may reach this machine only.
Give the program compatapi_client, or the address of compatapi_server. Or record the answers once: let the test use
compatapi_recording, and run it with --compatapi-record=once."""
#: The recording of a test, which is kept if the test passes.
_CASSETTE = pytest.StashKey["Cassette"]()
#: What has to be true of a test when it has come to its end; each raises `AssertionError` if it is not.
_CHECKS = pytest.StashKey[list[Callable[[], None]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options (a hook of pytest)."""
    parser.getgroup("compatapi").addoption(
        "--compatapi-record",
        choices=("none", "once", "all"),
        default="none",
        help="what compatapi_recording does: replay only (none, the default), record what is missing (once), "
        "or record everything anew (all)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers (a hook of pytest)."""
    config.addinivalue_line(
        "markers",
        "compatapi_fault(*faults): run the test once for each of these faults, which are names or values of "
        "compatapi.testing; the scripts of compatapi_server are played under it",
    )
    config.addinivalue_line(
        "markers",
        "compatapi_recording(match=..., pace=..., repeat=..., secrets=...): how the fixture of that name replays and "
        "records, as for replay and record of compatapi.testing",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each fault that a test names (a hook of pytest)."""
    marks = list(metafunc.definition.iter_markers("compatapi_fault"))
    if not marks:
        return
    from compatapi.testing.faults import find_fault

    where = metafunc.definition.nodeid
    faults = [fault for mark in marks for fault in mark.args]
    if not faults or "compatapi_fault" not in metafunc.fixturenames:
        pytest.fail(f"{where}: compatapi_fault needs a fault, and a test with compatapi_server", pytrace=False)
    try:
        values = [find_fault(fault) for fault in faults]
    except (TypeError, ValueError) as error:
        raise pytest.fail.Exception(f"{where}: {error}", pytrace=False) from None
    metafunc.parametrize("compatapi_fault", values, ids=[str(fault) for fault in faults], indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that came to its end although a script is left or the network was asked (a hook of pytest).

    With a test that failed before that, the same is told beside its own error.
    """
    try:
        result = yield
    except BaseException:
        # A program that lives through errors hides from its test why it had one.
        for text in _wrong(item):
            item.add_report_section("call", "compatapi", text)
        raise
    if wrong := _wrong(item):
        pytest.fail("\n\n".join(wrong), pytrace=False)
    if _CASSETTE in item.stash:
        item.stash[_CASSETTE].has_passed = True
    return result


def _wrong(item: pytest.Item) -> list[str]:
    wrong = []
    for check in item.stash.get(_CHECKS, []):
        try:
            check()
        except AssertionError as error:
            wrong.append(str(error))
    return wrong


@contextmanager
def _checked(item: pytest.Item, check: Callable[[], None]) -> Iterator[None]:
    # Taken away again: an item may be run once more, with fixtures of its own.
    checks = item.stash.setdefault(_CHECKS, [])
    checks.append(check)
    try:
        yield
    finally:
        checks.remove(check)


@pytest.fixture
def compatapi_fault(request: pytest.FixtureRequest) -> Fault | None:
    """The fault that the marker of the same name puts this run of the test under, or None."""
    fault: Fault | None = getattr(request, "param", None)
    return fault


@pytest.fixture
def compatapi_server(request: pytest.FixtureRequest, compatapi_fault: Fault | None) -> Iterator[ScriptedServer]:
    """A started `compatapi.testing.ScriptedServer`; give it scripts with `add`.

    The test fails at its end when a script was not used or a request came that no script was for.
    """
    from compatapi.testing import ScriptedServer
    from compatapi.testing.faulty import FaultyServer

    server = ScriptedServer() if compatapi_fault is None else FaultyServer(compatapi_fault)
    with server, _checked(request.node, server.check):
        yield server


@pytest.fixture
def compatapi_client_factory(compatapi_server: ScriptedServer) -> Iterator[Callable[..., Client]]:
    """Make clients at `compatapi_server`: of OpenAI, or of the provider that is named; options as for `Client`.

    They make one attempt unless `max_retries` says otherwise, and are closed when the test is over.
    """
    with ExitStack() as clients:

        def make(provider: str = "openai", **options: Any) -> Client:
            return clients.enter_context(compatapi_server.client(provider, **options))

        yield make


@pytest.fixture
def compatapi_client(request: pytest.FixtureRequest, compatapi_client_factory: Callable[..., Client]) -> Client:
    """A `compatapi.Client` at `compatapi_server`: of OpenAI, or of the provider of an indirect parameter."""
    return compatapi_client_factory(getattr(request, "param", "openai"))


@pytest.fixture
def compatapi_recording(request: pytest.FixtureRequest) -> Iterator[Cassette]:
    """Answer every client of the test from a recording, or record it: the option `--compatapi-record` says which.

    The file is in the folder `recordings` beside the test's, and named after the test. A replay that was not used up or
    was asked something else fails the test. A recording is kept if the test passes.
    """
    from compatapi.testing.cassette import path_for, recorded, replayed

    path, mode = path_for(request.path, request.node.nodeid), request.config.getoption("--compatapi-record")
    if mode == "none" and not path.exists():
        pytest.fail(f"there is no recording {path}; make it with --compatapi-record=once", pytrace=False)
    mark = request.node.get_closest_marker("compatapi_recording")
    options = dict(mark.kwargs) if mark else {}
    secrets = options.pop("secrets", ())
    with replayed(path, **options) if mode != "all" and path.exists() else recorded(path, secrets) as told:
        request.node.stash[_CASSETTE] = told
        with _checked(request.node, told.check):
            yield told


@pytest.fixture
def compatapi_no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the test reach this machine only; it fails at its end if it tried to get farther.

    A test that is being recorded is let through.
    """
    from compatapi.testing.network import only_loopback

    if "compatapi_recording" in request.fixturenames and request.getfixturevalue("compatapi_recording").is_recording:
        yield
        return
    with only_loopback() as refused:

        def check() -> None:
            if refused:
                raise AssertionError(_HELP.format(hosts=", ".join(dict.fromkeys(refused))))

        with _checked(request.node, check):
            yield
