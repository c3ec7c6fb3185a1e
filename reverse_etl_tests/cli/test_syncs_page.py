"""`syncs-page`: the page alone, for people of this machine unless something protects the way to it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reverse_etl.cli.commands.syncs_page import syncs_page
from reverse_etl.errors import ConfigError
from reverse_etl_tests.cli.remembered import Remembered
from reverse_etl_tests.servers.dagster_ui import PROGRAM, address_of, free_port
from reverse_etl_tests.servers.deployment import SYNCS_PAGE, command, unit
from reverse_etl_tests.servers.sandbox import wait_until
from reverse_etl_tests.syncs_page.served import Page, read

PROXY = "https://sync.example.com/syncs-page"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """Two syncs, and no Dagster instance."""
    for name in ("DAGSTER_HOME", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return Remembered.at(tmp_path, monkeypatch)


@contextlib.contextmanager
def running(folder: Path, *options: str) -> Iterator[Path]:
    """The command, until the block ends; yields the file with what it prints."""
    log = folder / "page.log"
    with log.open("wb") as output:
        words = [str(PROGRAM), "syncs-page", "--listen", "127.0.0.1:0", *options]
        process = subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None, timeout_s=60, every_s=0.05)
        yield log
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(30)
    assert (130, True) == (code, "Traceback" not in log.read_text())


@pytest.mark.thorough
def test_its_unit_serves_it(project: Remembered) -> None:
    """As written, with a port that is free: who has the token of the home folder opens it, and Dagster is linked."""
    ports = {"REVERSE_ETL_SYNCS_PORT": str(free_port()), "REVERSE_ETL_WEB_PORT": "3000"}
    program, name, *options = command(unit(SYNCS_PAGE)["ExecStart"][0], ports)
    assert (str(PROGRAM), "syncs-page") == (program, name)
    with running(project.folder, *options) as log:
        assert (f"http://127.0.0.1:{ports['REVERSE_ETL_SYNCS_PORT']}", 43) == (
            address_of(log.read_text())[0],
            len(address_of(log.read_text())[1]),
        )


def test_it_shows_the_syncs_to_who_has_the_token(project: Remembered) -> None:
    """Looks alone: no plan, no buttons; links lead to the Dagster that was named; the log has no token."""
    with running(project.folder, "--dagster-url", "http://127.0.0.1:3000/") as log:
        address, token = address_of(log.read_text())
        assert token not in log.read_text()
        with httpx.Client(base_url=address, trust_env=False) as browser:
            assert 403 == browser.get("/").status_code
            browser.get("/", params={"token": token})
            page = browser.get("/syncs/people").text
        assert 'href="http://127.0.0.1:3000/guess/people"' in page
        assert "reverse-etl plan people" in read(page)
        assert "<button>Make a plan" not in page
        assert "--allow-actions" in read(page)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"listen": "0.0.0.0:3001"}, "lets other machines reach the page.*deploy/proxy.*--public-url.*ssh -L"),
        ({"listen": "0.0.0.0:3001", "public_url": "http://127.0.0.1:3001", "no_token": True}, "--no-token lets other"),
        ({"listen": "[::]:3001"}, "lets other machines reach the page"),
        ({"listen": "127.0.0.1:3001", "dagster_url": "http://dagster.example.com"}, "--dagster-url must start with"),
        ({"listen": "192.0.2.1:3001", "public_url": PROXY}, "nothing can listen on 192.0.2.1:3001: "),
    ],
)
def test_what_other_machines_could_read_is_refused(project: Remembered, options: dict[str, object], wrong: str) -> None:
    """Before anything listens: the page is for this machine, or behind a proxy with TLS."""
    assert project.home.path.is_dir()
    with pytest.raises(ConfigError, match=wrong):
        syncs_page(Path("syncs"), **options)  # type: ignore[arg-type]


def test_without_a_dagster_nothing_is_run(project: Remembered) -> None:
    """A sync can be paused all the same, and the page names the option."""
    page = Page(project, may_act=True, may_run=False, plans=False)
    shown = page.text("/syncs/people")
    assert ("Pause" in shown, "Run now" in shown, "--dagster-url" in shown) == (True, False, True)
    assert 403 == page.press("people", "run").status_code
    assert 403 == page.press("people", "plan").status_code
    assert [] == page.started
