"""The proxy of `deploy/proxy`, with the login that `docs/deploy.md` makes: who has none sees nothing of the UI."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from reverse_etl.state.syncs import is_paused
from reverse_etl.syncs_page.addresses import Opened
from reverse_etl.syncs_page.server import listen, serving
from reverse_etl_tests.cli.remembered import Remembered
from reverse_etl_tests.deploy.files import PAGE
from reverse_etl_tests.servers.nginx import running_proxy
from reverse_etl_tests.syncs_page.served import Page

WORD = "hunter2"


@pytest.fixture
def asked() -> list[dict[str, str]]:
    """The headers of what came through."""
    return []


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """Two syncs, and no Dagster instance."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Remembered.at(tmp_path, monkeypatch)


@pytest.fixture
def url(tmp_path: Path, asked: list[dict[str, str]], project: Remembered) -> Iterator[str]:
    """The proxy, in front of a server that keeps what it is asked, and of the Syncs page."""

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
    page = Page(project, may_act=True, opened=Opened.at("https://127.0.0.1/syncs-page"))
    try:
        with (
            serving(page.app, listen(0, beside=3000)) as served,
            running_proxy(tmp_path, tmp_path / "login", server.server_port, urlsplit(served).port or 0) as address,
        ):
            yield address
    finally:
        server.shutdown()
        server.server_close()


def test_who_has_no_login_sees_nothing(url: str, asked: list[dict[str, str]]) -> None:
    """Neither without a name nor with a wrong password; the health check alone needs none, and asks nobody."""
    with httpx.Client(base_url=url, verify=False) as client:  # noqa: S501 - a certificate of its own
        assert 401 == client.get("/server_info").status_code
        assert 401 == client.get("/syncs-page/").status_code
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


def test_who_has_one_sees_the_syncs_page_and_acts_there(url: str, project: Remembered) -> None:
    """Its styles and its forms are found below the path; nothing of it goes to Dagster's webserver."""
    with httpx.Client(base_url=url, verify=False, auth=("anna", WORD)) as client:  # noqa: S501 - as above
        page = client.get("/syncs-page/syncs/people").text
        loaded = re.findall('(?:src|href)="(/[^"]+[.](?:css|js|svg))"', page)
        assert [200, 200, 200] == [client.get(each).status_code for each in loaded]
        (token,) = set(re.findall('name="form" value="([^"]+)"', page))
        (action,) = re.findall('action="(/[^"]+/pause)"', page)
        assert 403 == client.post(action, data={"form": token}, headers={"origin": "https://evil.example"}).status_code
        sent = client.post(action, data={"form": token}, headers={"origin": url})
        assert (303, "/syncs-page/syncs/people?said=paused") == (sent.status_code, sent.headers["location"])
    assert is_paused(project.store, "people")
