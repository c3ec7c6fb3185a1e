"""The Syncs page as `ui` serves it: its buttons do what the commands of their names do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reverse_etl.cli.served_page import address_to_open, shown_page
from reverse_etl.state.syncs import is_paused
from reverse_etl.syncs_page.app import syncs_page
from reverse_etl.syncs_page.server import listen, serving
from reverse_etl_tests.cli.remembered import Remembered

NO_DAGSTER = "http://127.0.0.1:9"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """Two syncs, and no Dagster instance."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Remembered.at(tmp_path, monkeypatch)


@contextlib.contextmanager
def browser(project: Remembered, *, allow_actions: bool = False) -> Iterator[httpx.Client]:
    """A browser that has opened the page with its token."""
    shown = shown_page(Path("syncs"), project.home, dagster=NO_DAGSTER, allow_actions=allow_actions)
    with (
        serving(syncs_page(shown), listen(0, beside=3000)) as address,
        httpx.Client(base_url=address, trust_env=False, follow_redirects=True) as client,
    ):
        assert 200 == client.get("/", params={"token": shown.token}).status_code
        yield client


def press(client: httpx.Client, action: str) -> str:
    """Sends a form of the page of `people`, and returns what is shown then."""
    found = re.search('name="form" value="([^"]+)"', client.get("/syncs/people").text)
    assert found is not None
    origin = str(client.base_url).rstrip("/")
    return client.post(f"/syncs/people/{action}", data={"form": found[1]}, headers={"origin": origin}).text


def test_pausing_and_resuming_are_remembered_for_all_screens(project: Remembered) -> None:
    """As `pause` and `resume` remember it."""
    with browser(project, allow_actions=True) as client:
        assert "Paused." in press(client, "pause")
        assert is_paused(project.store, "people")
        assert "Resumed." in press(client, "resume")
        assert not is_paused(project.store, "people")


def test_a_run_without_dagster_is_a_sentence(project: Remembered) -> None:
    """It is still starting, say; nothing runs in the process of the page."""
    with browser(project, allow_actions=True) as client:
        assert "does not answer yet. It takes some seconds to start: try again then." in press(client, "run")


def test_nothing_is_done_unless_it_was_allowed(project: Remembered) -> None:
    """The default."""
    with browser(project) as client:
        assert "--allow-actions" in press(client, "pause")
        assert not is_paused(project.store, "people")


def test_a_log_has_no_token(project: Remembered, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows the address with it; what is no terminal is kept, so there the file is named."""
    shown = shown_page(Path("syncs"), project.home)
    told = address_to_open("http://127.0.0.1:3001", shown)
    assert shown.token not in told
    assert str(project.home.path / "syncs_page_token") in told
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert f"http://127.0.0.1:3001/?token={shown.token}" == address_to_open("http://127.0.0.1:3001", shown)
    without = shown_page(Path("syncs"), project.home, token=False)
    assert "http://127.0.0.1:3001/" == address_to_open("http://127.0.0.1:3001", without)
