"""Starting and ending: ports, hosts, idleness, signals."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from reverse_etl.errors import ConfigError
from reverse_etl.sandbox import server as served
from reverse_etl.sandbox.registry import chosen
from reverse_etl.sandbox.server import serve
from reverse_etl.sandbox.settings import ServerSettings, is_loopback
from reverse_etl_tests.servers.sandbox import running_sandbox, wait_until


def start(*options: str) -> subprocess.CompletedProcess[str]:
    """Starts a sandbox that is expected to end by itself."""
    command = [sys.executable, "-m", "reverse_etl.sandbox", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_port_in_use_is_a_clear_error() -> None:
    """Which port, and what to do; no traceback; the exit code of a wrong configuration."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = start("--port", str(port))
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"port {port} is in use on 127.0.0.1")
    assert ended.stderr.rstrip().endswith("Choose another with --port, or 0 for any free one.")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Demo shop A1B2C3", r"the demo's sandbox is there\. .* kill the `pid` that .reverse_etl/demo_sandbox.json"),
        ("Mine", r"a sandbox for customerio is there\. .* Ctrl-C in its terminal"),
    ],
)
def test_a_port_of_another_sandbox_says_how_that_one_ends(name: str, found: str) -> None:
    """And that files lead to it, whatever port is chosen instead."""
    with running_sandbox(workspace_name=name) as sandbox:
        port = urlsplit(sandbox.url).port or 0
        with pytest.raises(ConfigError) as error:
            serve(ServerSettings(port=port), chosen(["customerio"], []))
    assert re.search(
        f"^port {port} is in use on 127.0.0.1: {found}.* With another --port, .*track_url", str(error.value)
    )


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_number_that_is_no_port_is_a_clear_error(port: int) -> None:
    """Ports are 0 to 65535."""
    with pytest.raises(ConfigError, match=f"^{port} is not a port: ports are 0 to 65535"):
        serve(ServerSettings(port=port), chosen([], []))


def test_the_network_is_kept_out() -> None:
    """Only loopback addresses are listened on, unless it is asked for: of the server itself, not of `sandbox`."""
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0 is not a loopback address.* -m reverse_etl.sandbox --allow-r"):
        serve(ServerSettings(host="0.0.0.0", port=0), [])  # noqa: S104 - refused is what is tested


def test_the_network_can_be_let_in() -> None:
    """Then a name other than this machine's own may be used."""
    with running_sandbox(allow_remote=True) as sandbox:
        answer = httpx.get(f"{sandbox.url}/_sandbox/counts", headers={"host": "sandbox.example"}, trust_env=False)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("a.localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - a name alone
        ("10.0.0.1", False),
        ("example.com", False),
        ("", False),
    ],
)
def test_this_machines_own_names(host: str, expected: bool) -> None:
    """Loopback addresses of both families, and localhost."""
    assert is_loopback(host) == expected


def test_credentials_and_name_can_be_chosen() -> None:
    """Each key is its own."""
    chosen = {"site_id": "site", "track_api_key": "track", "app_api_key": "app", "workspace_name": "Shop"}
    with running_sandbox(**chosen) as sandbox:
        assert (
            httpx.get(f"{sandbox.url}/api/v1/accounts/region", auth=("site", "track"), trust_env=False).status_code
            == 200
        )
        answer = httpx.get(f"{sandbox.url}/v1/workspaces", headers={"authorization": "Bearer app"}, trust_env=False)
        assert answer.json()["workspaces"][0]["name"] == sandbox.counts()["workspace"] == "Shop"


def test_it_ends_on_request() -> None:
    """SIGTERM is an orderly end."""
    with running_sandbox() as sandbox:
        assert sandbox.stop() == 0


@pytest.mark.thorough
def test_it_ends_when_idle() -> None:
    """A while after the last request, with exit code 0."""
    with running_sandbox(idle_exit_s=0.3) as sandbox:
        process = sandbox._process
        assert process is not None
        wait_until(lambda: process.poll() is not None)
        assert process.returncode == 0


@pytest.mark.skipif(not find_spec("httptools"), reason="only one protocol is installed")
def test_it_serves_without_httptools(monkeypatch: pytest.MonkeyPatch) -> None:
    """The protocol that is always there is closable alike."""

    def without(name: str) -> Any:
        return None if name == "httptools" else find_spec(name)

    monkeypatch.setattr("importlib.util.find_spec", without)
    protocol = served._closable(served._protocol())
    assert protocol.__mro__[1].__name__ == "H11Protocol"


@pytest.mark.thorough
def test_ipv6_is_shown_in_brackets() -> None:
    """As an address has to be written."""
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback address")
    with running_sandbox(host="::1") as sandbox:
        assert sandbox.url.startswith("http://[::1]:")
