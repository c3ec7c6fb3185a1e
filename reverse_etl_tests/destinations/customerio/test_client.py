"""Requests carry the right credentials to the right address, and trouble is named without showing them."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable

import httpx
import pytest
import trustme

from reverse_etl import __version__
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.customerio.answers import Api, Reply
from reverse_etl.destinations.customerio.client import Client
from reverse_etl.errors import ConfigError, UnauthorizedError, UnsetVariableError, WorkspaceUnavailableError
from reverse_etl_tests.destinations.customerio.configs import workspace
from reverse_etl_tests.destinations.scripted import FastClock, Said, scripted_server

BASIC = "Basic " + base64.b64encode(b"sandbox:sandbox").decode()


def ask(said: Said, api: Api, method: str = "GET", path: str = "/x") -> tuple[Reply | TryAgain, dict[str, str]]:
    """What the client makes of an answer, and the headers it sent."""

    async def run() -> tuple[Reply | TryAgain, dict[str, str]]:
        async with scripted_server(lambda _: said) as server, Client(workspace(server.url)) as client:
            reply = await client.ask(api, method, path, body={"a": 1}, params={"id_type": "email"})
            (asked,) = server.requests
            assert (method, "/x?id_type=email", b'{"a":1}') == (asked.method, asked.path, asked.body)
            return reply, asked.headers

    return asyncio.run(run())


def test_each_api_has_its_own_credentials() -> None:
    """Basic for Track, Bearer for the App API; both name the program and its version."""
    for api, expected in (("Track", BASIC), ("App", "Bearer sandbox")):
        reply, headers = ask(Said(200, b'{"a": 1}'), api)  # type: ignore[arg-type]
        assert isinstance(reply, Reply)
        assert (200, b'{"a": 1}') == (reply.status, reply.body)
        assert expected == headers["authorization"]
        assert f"reverse-etl/{__version__}" == headers["user-agent"]
        assert "application/json" == headers["content-type"]


def test_refusals_come_back_and_trouble_is_told_apart() -> None:
    """400 and 404 are answers; 503 is trouble; 401 is an error."""
    assert [400, 404] == [
        reply.status for reply in (ask(Said(s), "App")[0] for s in (400, 404)) if isinstance(reply, Reply)
    ]
    assert TryAgain("HTTP 503", after_s=3.0) == ask(Said(503, b"", {"retry-after": "3"}), "App")[0]
    with pytest.raises(UnauthorizedError, match="app_api_key"):
        ask(Said(401), "App")


def test_redirects_are_not_followed() -> None:
    """The answer to a batch is the redirect itself; its target is never asked."""

    async def run() -> None:
        async with scripted_server(lambda _: Said(200)) as target:
            moved = Said(307, b"", {"location": target.url + "/api/v2/batch"})
            async with scripted_server(lambda _: moved) as server, Client(workspace(server.url)) as client:
                reply = await client.batch(b"{}")
                assert isinstance(reply, Reply)
                assert (307, []) == (reply.status, target.requests)

    asyncio.run(run())


def test_a_server_that_cannot_prove_who_it_is_gets_nothing() -> None:
    """A certificate for the right address, from an authority that nobody trusts: no request, so no credential."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)

    async def run() -> None:
        async with scripted_server(lambda _: Said(200), tls=tls) as server, Client(workspace(server.url)) as client:
            with pytest.raises(WorkspaceUnavailableError, match="its TLS certificate is not trusted"):
                await client.batch(b"{}")
            assert [] == server.requests

    asyncio.run(run())


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests go to the workspace's own address alone."""

    async def run() -> None:
        async with scripted_server(lambda _: Said(502)) as proxy, scripted_server(lambda _: Said(200)) as server:
            for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            async with Client(workspace(server.url)) as client:
                await client.batch(b"{}")
            assert (1, []) == (len(server.requests), proxy.requests)

    asyncio.run(run())


def test_the_app_api_is_asked_nine_times_a_second_at_most() -> None:
    """And a ``Retry-After`` holds everybody back."""
    time = FastClock()
    answers = [Said(200)] * 9 + [Said(429, b"", {"retry-after": "5"}), Said(200)]

    async def run() -> None:
        script = scripted_server(lambda _: answers.pop(0))
        async with script as server, Client(workspace(server.url), clock=time.clock()) as client:
            for _ in range(10):
                await client.ask("App", "GET", "/x")
            assert 1 == pytest.approx(time.now_s - 1000)
            await client.ask("App", "GET", "/x")
            assert 6 == pytest.approx(time.now_s - 1000)

    asyncio.run(run())


def test_without_an_app_key_the_app_api_is_a_configuration_error() -> None:
    """The message names the key to add; nothing is asked."""

    async def run() -> None:
        async with Client(workspace("http://127.0.0.1:9", app_key=False)) as client:
            await client.ask("App", "GET", "/x")

    with pytest.raises(ConfigError, match="app_api_key"):
        asyncio.run(run())


def fails(error: Callable[[], Exception]) -> httpx.AsyncBaseTransport:
    """A network on which every request fails."""

    def handle(request: httpx.Request) -> httpx.Response:
        raise error()

    return httpx.MockTransport(handle)


def caused(error: Exception, cause: Exception) -> Exception:
    """An error with its cause, as httpx raises it."""
    error.__cause__ = cause
    return error


UNTRUSTED = ssl.SSLCertVerificationError()
UNTRUSTED.verify_message = "self-signed certificate"
CAUSES: dict[str, Callable[[], Exception]] = {
    "no connection within 10 s": lambda: httpx.ConnectTimeout("x"),
    "no answer within 30 s": lambda: httpx.ReadTimeout("x"),
    "cannot connect": lambda: httpx.ConnectError("planted-address"),
    "the connection broke before the answer was complete": lambda: httpx.RemoteProtocolError("planted-content"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_broken_network_is_tried_again(cause: str) -> None:
    """Named in words, never with the error's own text."""

    async def run() -> Reply | TryAgain:
        async with Client(workspace("http://127.0.0.1:9"), transport=fails(CAUSES[cause])) as client:
            return await client.batch(b"{}")

    assert TryAgain(cause) == asyncio.run(run())


@pytest.mark.parametrize(
    ("cause", "words"),
    [(socket.gaierror(socket.EAI_NONAME, "x"), "host name is unknown"), (UNTRUSTED, "self-signed certificate")],
)
def test_a_wrong_address_is_told_at_once(cause: Exception, words: str) -> None:
    """An unknown host and an untrusted certificate end the first request, and only pause later ones."""
    broken = fails(lambda: caused(httpx.ConnectError("x"), cause))

    async def first() -> None:
        async with Client(workspace("http://127.0.0.1:9"), transport=broken) as client:
            await client.batch(b"{}")

    with pytest.raises(WorkspaceUnavailableError, match=rf"workspace main: .*{words}.*127.0.0.1"):
        asyncio.run(first())

    async def later() -> Reply | TryAgain:
        answers = iter([httpx.Response(200)])

        def handle(request: httpx.Request) -> httpx.Response:
            for answer in answers:
                return answer
            raise caused(httpx.ConnectError("x"), cause)

        async with Client(workspace("http://127.0.0.1:9"), transport=httpx.MockTransport(handle)) as client:
            await client.batch(b"{}")
            return await client.batch(b"{}")

    again = asyncio.run(later())
    assert isinstance(again, TryAgain)
    assert words in again.cause


def test_credentials_are_resolved_late_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset is named; what cannot be a header is refused without being shown; a final newline is forgiven."""
    for value in ("planted\nvalue", "plantéd"):
        monkeypatch.setenv("PLANTED", value)
        with pytest.raises(UnauthorizedError, match=r"\$\{PLANTED\} is no key") as raised:
            Client(workspace("http://127.0.0.1:9", track_api_key=Secret("${PLANTED}")))
        assert value not in str(raised.value)
    monkeypatch.setenv("PLANTED", "good\n")
    Client(workspace("http://127.0.0.1:9", track_api_key=Secret("${PLANTED}")))
    monkeypatch.delenv("PLANTED")
    with pytest.raises(UnsetVariableError, match="PLANTED"):
        Client(workspace("http://127.0.0.1:9", app_api_key=Secret("${PLANTED}")))


def test_regions_have_their_own_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``track_url`` and ``app_url`` the region decides."""
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200)

    async def run() -> None:
        config = workspace("http://127.0.0.1:9").model_copy(
            update={"region": "eu", "track_url": None, "app_url": EnvText("https://proxy.example/")}
        )
        async with Client(config, transport=httpx.MockTransport(handle)) as client:
            await client.batch(b"{}")
            await client.ask("App", "GET", "/v1/segments")

    asyncio.run(run())
    assert ["https://track-eu.customer.io/api/v2/batch", "https://proxy.example/v1/segments"] == asked


def test_an_answer_may_take_as_long_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later answer counts as none, and the message names the time; what is no time is refused."""

    async def never(request: httpx.Request) -> httpx.Response:
        seconds = request.extensions["timeout"]["read"]
        raise httpx.ReadTimeout(f"{seconds}", request=request)

    async def run() -> Reply | TryAgain:
        async with Client(workspace("http://127.0.0.1:9"), transport=httpx.MockTransport(never)) as client:
            return await client.batch(b"{}")

    assert TryAgain("no answer within 30 s") == asyncio.run(run())
    monkeypatch.setenv("REVERSE_ETL_ANSWER_TIMEOUT_S", "0.25")
    assert TryAgain("no answer within 0.25 s") == asyncio.run(run())
    for value in ("soon", "0", "inf"):
        monkeypatch.setenv("REVERSE_ETL_ANSWER_TIMEOUT_S", value)
        with pytest.raises(ConfigError, match="REVERSE_ETL_ANSWER_TIMEOUT_S"):
            Client(workspace("http://127.0.0.1:9"))
