"""``proxy: environment``: the environment's proxy and authorities are used where a workspace asks for it."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from reverse_etl.config.environment import EnvText
from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.customerio.client import Client
from reverse_etl.destinations.customerio.connection_check import steps
from reverse_etl.errors import ConfigError, DestinationUnavailableError
from reverse_etl.http.proxies import proxy_for
from reverse_etl.pacing.retry import RetryPolicy
from reverse_etl_tests.destinations.customerio.configs import workspace
from reverse_etl_tests.destinations.scripted import Said, scripted_server
from reverse_etl_tests.servers.forward_proxy import ForwardProxy, running_proxy

LOGIN = "planted-user:planted-password"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForwardProxy]:
    """A proxy that HTTPS_PROXY names, with a login."""
    for name in ("https_proxy", "all_proxy", "no_proxy", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    with running_proxy() as running:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{LOGIN}@{running.address}")
        yield running


Ask = Callable[[Client], Awaitable[Reply | TryAgain]]

ASKS: dict[str, Ask] = {
    "a batch": lambda client: client.batch(b"{}"),
    "the region": lambda client: client.ask("Track", "GET", "/api/v1/accounts/region"),
    "the App API": lambda client: client.ask("App", "GET", "/v1/segments"),
}


def call(tmp_path: Path, *, host: str = "127.0.0.1", ask: Ask = ASKS["a batch"], **keys: Any) -> Reply | TryAgain:
    """One request to a server with a company's certificate; the authority is in ``authority.pem``."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))

    async def run() -> Reply | TryAgain:
        async with scripted_server(lambda _: Said(200), tls=tls) as server:
            config = workspace(server.url.replace("127.0.0.1", host), **keys)
            async with Client(config) as client:
                return await ask(client)

    return asyncio.run(run())


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_requests_go_through_the_proxy_with_its_login(
    tmp_path: Path, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    """It looks the host up, too: a name that this machine does not know is reached."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    reply = call(tmp_path, host="track.company.invalid", proxy="environment", ask=ask)
    assert isinstance(reply, Reply)
    assert ["Basic " + base64.b64encode(LOGIN.encode()).decode()] == proxy.logins
    assert proxy.asked[0].startswith("track.company.invalid:")


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_without_the_key_neither_proxy_nor_authority_is_used(
    tmp_path: Path, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    """The error says what to write for either."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with pytest.raises(DestinationUnavailableError, match=r"not trusted.*`ca_file: .*`proxy: environment`"):
        call(tmp_path, ask=ask)
    with pytest.raises(DestinationUnavailableError, match=r"HTTPS_PROXY is set and not used: `proxy: environment`"):
        call(tmp_path, host="track.company.invalid", ask=ask)
    assert isinstance(call(tmp_path, ask=ask, ca_file=tmp_path / "authority.pem"), Reply)
    assert [] == proxy.asked


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_line_end_of_a_mounted_file_is_no_part_of_a_value(
    tmp_path: Path, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Of the proxy's, of the authority's, of the exceptions."""
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv(variable, f"http://{LOGIN}@{proxy.address}\r\n")
    monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path / 'authority.pem'}\r\n")
    monkeypatch.setenv("SSL_CERT_DIR", "\r\n")
    assert isinstance(call(tmp_path, host="track.company.invalid", proxy="environment"), Reply)
    assert 1 == len(proxy.asked)
    monkeypatch.setenv("NO_PROXY", "company.invalid\r\n")
    assert proxy_for("https://track.company.invalid", where="x") is None


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_what_no_proxy_names_is_reached_straight(
    tmp_path: Path, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """In either spelling."""
    monkeypatch.setenv(variable, "example.com, 127.0.0.1")
    keys = {"ca_file": tmp_path / "authority.pem", "proxy": "environment"}
    assert isinstance(call(tmp_path, **keys), Reply)
    assert [] == proxy.asked


@pytest.mark.parametrize(
    ("no_proxy", "through"),
    [
        ("", True),
        ("customer.io", False),
        (".customer.io", False),
        ("mer.io", True),
        ("*", False),
        ("track.customer.io:443", True),
    ],
)
def test_no_proxy_names_whole_domains(
    proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch, no_proxy: str, through: bool
) -> None:
    """Whatever the case and dot; plain HTTP, which is for this machine, never goes through one."""
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert through == (proxy_for("https://track.customer.io", where="x") is not None)
    assert proxy_for("http://127.0.0.1:8700", where="x") is None


@pytest.mark.parametrize(("status", "lasts"), [(407, True), (403, True), (502, False), (503, False)])
def test_a_proxy_that_refuses_is_named(tmp_path: Path, proxy: ForwardProxy, status: int, lasts: bool) -> None:
    """Without its login and its own words; what waiting may mend is tried again."""
    proxy.refuses = status
    keys = {"ca_file": tmp_path / "authority.pem", "proxy": "environment"}
    if lasts:
        with pytest.raises(DestinationUnavailableError) as refused:
            call(tmp_path, **keys)
        text = f"{refused.value} {refused.value.hint}"
        assert (status == 407) == ("HTTPS_PROXY=http://USER:PASSWORD@" in text)
    else:
        again = call(tmp_path, **keys)
        assert isinstance(again, TryAgain)
        assert again.away
        text = f"{again.cause} {again.hint}"
    assert f"the proxy {proxy.address} (HTTPS_PROXY) refused to connect to 127.0.0.1:" in text
    assert f"(HTTP {status})" in text
    assert "planted" not in text


def test_a_proxy_that_is_away_is_named(proxy: ForwardProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens, or its name is unknown."""
    keys = {"ca_file": tmp_path / "authority.pem", "proxy": "environment"}
    monkeypatch.setenv("HTTPS_PROXY", f"http://{LOGIN}@127.0.0.1:9")
    again = call(tmp_path, **keys)
    assert isinstance(again, TryAgain)
    assert "through the proxy 127.0.0.1:9 (HTTPS_PROXY)" in again.cause
    assert "Check HTTPS_PROXY" in again.hint
    monkeypatch.setenv("HTTPS_PROXY", f"{LOGIN}@proxy.invalid:3128")
    with pytest.raises(DestinationUnavailableError, match=r"through the proxy proxy\.invalid:3128") as away:
        call(tmp_path, **keys)
    assert "planted" not in f"{again.cause}{again.hint}{away.value}{away.value.hint}"


@pytest.mark.parametrize("value", ["socks5://{}@127.0.0.1:1080", "http://{}@proxy:port", "http://", "http://{}@"])
def test_what_cannot_be_a_proxy_is_refused(proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The message names the variable, not its value."""
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv("ALL_PROXY", value.format(LOGIN))
    with pytest.raises(ConfigError, match="workspace main: the value of ALL_PROXY is not") as refused:
        Client(workspace("https://track.customer.io", proxy="environment"))
    assert "planted" not in f"{refused.value}{refused.value.hint}"


def test_an_authority_of_the_environment_that_is_none_is_an_error(
    proxy: ForwardProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is missing, and one of something else."""
    (tmp_path / "other.pem").write_text("no certificate")
    for name in ("other.pem", "missing.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
        with pytest.raises(ConfigError, match="workspace main: SSL_CERT_FILE: "):
            Client(workspace("https://track.customer.io", proxy="environment"))


def test_test_connection_names_the_proxy_and_looks_up_nothing(proxy: ForwardProxy) -> None:
    """Behind a proxy, names are the proxy's to look up."""
    proxy.refuses = 502
    config = workspace("https://x", proxy="environment")
    config = config.model_copy(update={"track_url": EnvText("https://track.company.invalid")})
    found = list(steps(config, policy=RetryPolicy(base_s=0.01, budget_s=0.05)))
    assert ("way out", True, f"through the proxy {proxy.address} (HTTPS_PROXY)") == (
        found[0].name,
        found[0].ok,
        found[0].detail,
    )
    assert ("connection", False) == (found[1].name, found[1].ok)
    assert "HTTP 502" in found[1].detail
    assert "planted" not in repr(found)
