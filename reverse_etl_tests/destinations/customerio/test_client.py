"""Requests carry the right credentials to the right address, and trouble is named without showing them."""

from __future__ import annotations

import asyncio
import base64
import gzip
import socket
import ssl
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trustme

from reverse_etl import __version__
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.destinations._http.connection import LARGEST_ANSWER_BYTES
from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.customerio import lookup
from reverse_etl.destinations.customerio.answers import Api
from reverse_etl.destinations.customerio.client import Client
from reverse_etl.destinations.customerio.workspace import WorkspaceConfig
from reverse_etl.errors import ConfigError, DestinationUnavailableError, UnauthorizedError, UnsetVariableError
from reverse_etl.http.certificates import authorities
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.progress import Progress, Waiting, listening
from reverse_etl_tests.destinations.customerio.configs import workspace
from reverse_etl_tests.destinations.scripted import FastClock, Said, dripping_server, scripted_server

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


def test_refusals_come_back_and_trouble_is_classified() -> None:
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


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://track-eu.customer.io/api/v2/batch", "track-eu.customer.io"),
        ("/elsewhere", ""),
        ("javascript:alert(1)", ""),
        ("mailto:ann@example.com", ""),
        ("http://[bad/x", ""),
        ("https://xn--/", "xn--"),
        ("http://exa\x01mple/", "exa\x01mple"),
        ("http://\xff/", "\xff"),
        ("https://" + "a" * 70_000, "a" * 70_000),
    ],
)
def test_where_a_redirect_leads_to_ends_nothing(location: str, host: str) -> None:
    """An address that is none is a redirect like any other: no defect, and nothing that is tried again."""

    async def run() -> None:
        moved = Said(302, b"", {"location": location})
        async with scripted_server(lambda _: moved) as server, Client(workspace(server.url)) as client:
            reply = await client.batch(b"{}")
            assert isinstance(reply, Reply)
            assert (302, host) == (reply.status, reply.leads_to)

    asyncio.run(run())


def test_a_server_that_cannot_prove_who_it_is_gets_nothing() -> None:
    """A certificate for the right address, from an authority that is not trusted: no request, so no credential."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)

    async def run() -> None:
        async with scripted_server(lambda _: Said(200), tls=tls) as server, Client(workspace(server.url)) as client:
            with pytest.raises(DestinationUnavailableError, match="its TLS certificate is not trusted"):
                await client.batch(b"{}")
            assert [] == server.requests

    asyncio.run(run())


def test_authorities_are_read_once_and_again_when_their_file_has_changed(tmp_path: Path) -> None:
    """Each run asks twice, and reading the usual ones takes longer than asking a workspace who it is."""
    file = tmp_path / "authority.pem"

    def read() -> ssl.SSLContext:
        return authorities(file, environment=False, where="workspace main")

    trustme.CA().cert_pem.write_to_path(str(file))
    before = read()
    assert read() is before
    trustme.CA().cert_pem.write_to_path(str(file), append=True)
    assert 1 == len(read().get_ca_certs()) - len(before.get_ca_certs())


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
    "no connection within 10 s (127.0.0.1:9)": lambda: httpx.ConnectTimeout("x"),
    "no answer within 30 s": lambda: httpx.ReadTimeout("x"),
    "cannot connect (127.0.0.1:9)": lambda: httpx.ConnectError("planted-address"),
    "the connection broke before the answer was complete": lambda: httpx.RemoteProtocolError("planted-content"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_broken_network_is_tried_again(cause: str) -> None:
    """Named in words, never with the error's own text; where no server was reached, with the address."""

    async def run() -> Reply | TryAgain:
        async with Client(workspace("http://127.0.0.1:9"), transport=fails(CAUSES[cause])) as client:
            return await client.batch(b"{}")

    again = asyncio.run(run())
    assert isinstance(again, TryAgain)
    assert (cause, "127.0.0.1" in cause) == (again.cause, again.away)


@pytest.mark.parametrize(
    ("cause", "words"),
    [(socket.gaierror(socket.EAI_NONAME, "x"), "host name is unknown"), (UNTRUSTED, "self-signed certificate")],
)
def test_a_wrong_address_is_an_error_at_once(cause: Exception, words: str) -> None:
    """An unknown host and an untrusted certificate end the first request, and only pause later ones."""
    broken = fails(lambda: caused(httpx.ConnectError("x"), cause))

    async def first() -> None:
        async with Client(workspace("http://127.0.0.1:9"), transport=broken) as client:
            await client.batch(b"{}")

    with pytest.raises(DestinationUnavailableError, match=rf"workspace main: .*{words}.*127.0.0.1"):
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
        with pytest.raises(UnauthorizedError, match=r"\$\{PLANTED\} is not a key") as raised:
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


def left_alone(config: WorkspaceConfig) -> tuple[str, float]:
    """What a run says that never reaches its workspace, and after how many seconds."""
    time = FastClock()
    patience = Patience(RetryPolicy(), name="workspace main", clock=time.clock())

    async def run() -> None:
        async with Client(config, clock=time.clock()) as client:
            await lookup.require_region(client, patience, "us")

    with pytest.raises(DestinationUnavailableError) as raised:
        asyncio.run(run())
    assert 5 == raised.value.exit_code
    return str(raised.value), time.now_s - 1000


def test_a_workspace_that_is_away_is_given_up_within_15_s() -> None:
    """A refused connection, an unknown host name, a port that does not speak TLS: each in a sentence."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    said, waited_s = left_alone(workspace(f"http://127.0.0.1:{port}"))
    assert (
        f"workspace main cannot be reached: the connection was refused (127.0.0.1:{port}). Check the network, and "
        "region and track_url in connections.yaml. Nothing was sent." == said
    )
    assert 1 < waited_s <= 15
    said, waited_s = left_alone(workspace("https://no-such-host.invalid"))
    assert "host name" in said
    assert "(no-such-host.invalid)" in said
    assert waited_s <= 15


def test_a_port_that_does_not_speak_tls_is_given_up_too() -> None:
    """Before the first answer, whatever keeps a connection from being made ends the run soon."""
    time = FastClock()
    patience = Patience(RetryPolicy(), name="workspace main", clock=time.clock())

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            config = workspace(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            async with Client(config, clock=time.clock()) as client:
                await lookup.require_region(client, patience, "us")

    with pytest.raises(DestinationUnavailableError, match="cannot be reached: no TLS connection can be made"):
        asyncio.run(run())
    assert time.now_s - 1000 <= 15


@pytest.mark.parametrize("packed", ["plain", "gzip", "x-gzip", "deflate", "bare deflate"])
def test_a_packed_answer_is_unpacked(packed: str) -> None:
    """As gzip, and as both kinds of deflate."""
    bare = zlib.compressobj(wbits=-15)
    bodies = {
        "plain": b"{}",
        "gzip": gzip.compress(b"{}"),
        "x-gzip": gzip.compress(b"{}"),
        "deflate": zlib.compress(b"{}"),
        "bare deflate": bare.compress(b"{}") + bare.flush(),
    }
    encoding = {} if packed == "plain" else {"content-encoding": packed.split()[-1]}
    reply, headers = ask(Said(200, bodies[packed], encoding), "Track")
    assert isinstance(reply, Reply)
    assert (b"{}", "gzip, deflate") == (reply.body, headers["accept-encoding"])


ENDLESS: dict[str, Said] = {
    "too large": Said(200, b" " * (LARGEST_ANSWER_BYTES + 1)),
    "a gzip bomb": Said(200, gzip.compress(b" " * (LARGEST_ANSWER_BYTES + 1)), {"content-encoding": "gzip"}),
    "a deflate bomb": Said(200, zlib.compress(b" " * (LARGEST_ANSWER_BYTES + 1)), {"content-encoding": "deflate"}),
    "half a gzip": Said(200, gzip.compress(b"{}")[:-4], {"content-encoding": "gzip"}),
    "no gzip at all": Said(200, b"{}", {"content-encoding": "gzip"}),
    "br, which nobody asked for": Said(200, b"{}", {"content-encoding": "br"}),
    "zstd, which nobody asked for": Said(200, b"{}", {"content-encoding": "zstd"}),
}


@pytest.mark.parametrize("which", ENDLESS)
@pytest.mark.parametrize("api", ["Track", "App"])
def test_an_answer_that_is_too_large_settles_nothing(api: Api, which: str) -> None:
    """As it comes or unpacked; nor does one that cannot be unpacked."""
    reply, _ = ask(ENDLESS[which], api)
    assert isinstance(reply, TryAgain)
    assert reply.cause.startswith("an answer with a body ")


@pytest.mark.parametrize("which", ENDLESS)
def test_trouble_is_classified_by_its_status_whatever_its_body(which: str) -> None:
    """503 with an endless page and a Retry-After, 401 with a bomb, 400 with rubbish."""
    said = ENDLESS[which]
    answer, _ = ask(replace(said, status=503, headers={**said.headers, "retry-after": "7"}), "Track")
    assert TryAgain("HTTP 503", after_s=7) == answer
    with pytest.raises(UnauthorizedError):
        ask(replace(said, status=401), "App")
    refused, _ = ask(replace(said, status=400), "Track")
    assert isinstance(refused, Reply)
    assert (400, b"") == (refused.status, refused.body)


@pytest.mark.parametrize("dripping", ["head", "body"])
def test_an_answer_that_drips_ends_with_the_time_of_its_request(dripping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte every few milliseconds resets every other time-out."""
    monkeypatch.setenv("REVERSE_ETL_ANSWER_TIMEOUT_S", "0.1")

    async def run() -> Reply | TryAgain:
        async with dripping_server(dripping) as url, Client(workspace(url)) as client:
            began_at = asyncio.get_running_loop().time()
            reply = await client.batch(b"{}")
            assert asyncio.get_running_loop().time() - began_at < 1
            return reply

    assert TryAgain("no whole answer within 0.3 s") == asyncio.run(run())


def test_a_slow_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 3 s: for whose answer, and how long at most."""
    monkeypatch.setattr("reverse_etl.destinations._http.connection.VISIBLE_S", 0.05)
    heard: list[Progress | Waiting] = []

    async def run() -> None:
        async with scripted_server(lambda _: Said(200), after_s=0.2) as server, Client(workspace(server.url)) as client:
            await client.batch(b"{}")

    with listening(heard.append):
        asyncio.run(run())
    (told,) = heard
    assert isinstance(told, Waiting)
    assert ("Waits up to 70 s for an answer from workspace main.", True) == (told.sentence, told.at_most)


def test_a_companys_authority_is_trusted_where_the_workspace_names_it(tmp_path: Path) -> None:
    """With ``ca_file`` the call works; without, the error says what to write; a file of something else is an error."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    (tmp_path / "other.pem").write_text("no certificate")

    async def run(name: str | None) -> Reply | TryAgain:
        async with scripted_server(lambda _: Said(200), tls=tls) as server:
            ca_file = {"ca_file": tmp_path / name} if name else {}
            async with Client(workspace(server.url, **ca_file)) as client:
                return await client.batch(b"{}")

    assert isinstance(asyncio.run(run("authority.pem")), Reply)
    with pytest.raises(DestinationUnavailableError, match=r"not trusted.*write `ca_file: .*SSL_CERT_FILE"):
        asyncio.run(run(None))
    for name in ("other.pem", "missing.pem"):
        with pytest.raises(ConfigError, match="workspace main: ca_file: "):
            asyncio.run(run(name))
