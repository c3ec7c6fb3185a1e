"""The proxy of `deploy/proxy`, with the login that `docs/deploy.md` makes: who has none sees nothing of the UI."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from reverse_etl_tests.deploy.files import PAGE
from reverse_etl_tests.servers.nginx import running_proxy

WORD = "hunter2"


@pytest.fixture
def asked() -> list[dict[str, str]]:
    """The headers of what came through."""
    return []


@pytest.fixture
def url(tmp_path: Path, asked: list[dict[str, str]]) -> Iterator[str]:
    """The proxy, in front of a server that keeps what it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the inherited name
            pass

    commands = [line[2:] for line in re.findall(r"^[$#] .*proxy/login.*$", PAGE, flags=re.MULTILINE)]
    assert 4 == len(commands)
    for command in commands:
        here = command.replace("deploy/proxy", str(tmp_path)).replace("passwd -6", f"passwd -6 {WORD}")
        if not command.startswith("chown"):  # the container's user is none of this machine
            subprocess.run(["sh", "-c", here], check=True, capture_output=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        with running_proxy(tmp_path, tmp_path / "login", server.server_port) as address:
            yield address
    finally:
        server.shutdown()
        server.server_close()


def test_who_has_no_login_sees_nothing(url: str, asked: list[dict[str, str]]) -> None:
    """Neither without a name nor with a wrong password; the health check alone needs none, and asks nobody."""
    with httpx.Client(base_url=url, verify=False) as client:  # noqa: S501 - a certificate of its own
        assert 401 == client.get("/server_info").status_code
        assert 401 == client.get("/graphql", auth=("anna", "wrong")).status_code
        assert 401 == client.post("/graphql", auth=("otto", WORD)).status_code
        assert 204 == client.get("/alive").status_code
    assert [] == asked


def test_who_has_one_sees_the_page_and_follows_runs(url: str, asked: list[dict[str, str]]) -> None:
    """The password goes no further; the WebSocket's words do."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    with httpx.Client(base_url=url, verify=False, auth=("anna", WORD)) as client:  # noqa: S501 - as above
        assert 200 == client.get("/server_info").status_code
        client.get("/graphql", headers=upgrade)
    page, follow = asked
    assert ("https", url.removeprefix("https://")) == (page["x-forwarded-proto"], page["host"])
    assert "authorization" not in page
    assert ("upgrade", "websocket") == (follow["connection"], follow["upgrade"])
