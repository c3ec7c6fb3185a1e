"""The Syncs page as `ui` serves it: its buttons do what the commands of their names do."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from reverse_etl.cli.served_page import served_page
from reverse_etl.state.syncs import is_paused
from reverse_etl_tests.cli.remembered import Remembered


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """Two syncs, and no Dagster instance."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Remembered.at(tmp_path, monkeypatch)


def press(address: str, action: str) -> str:
    """Sends a form of the page of `people`, and returns what is shown then."""
    with httpx.Client(base_url=address, trust_env=False, follow_redirects=True) as browser:
        found = re.search('name="form" value="([^"]+)"', browser.get("/syncs/people").text)
        assert found is not None
        sent = browser.post(f"/syncs/people/{action}", data={"form": found[1]}, headers={"origin": address})
        return sent.text


def test_pausing_and_resuming_are_remembered_for_all_screens(project: Remembered) -> None:
    """As `pause` and `resume` remember it."""
    with served_page(Path("syncs"), project.home, dagster_port=9, port=0, allow_actions=True) as address:
        assert "Paused." in press(address, "pause")
        assert is_paused(project.store, "people")
        assert "Resumed." in press(address, "resume")
        assert not is_paused(project.store, "people")


def test_a_run_without_dagster_is_a_sentence(project: Remembered) -> None:
    """It is still starting, say; nothing runs in the process of the page."""
    with served_page(Path("syncs"), project.home, dagster_port=9, port=0, allow_actions=True) as address:
        assert "does not answer yet. It takes some seconds to start: try again then." in press(address, "run")


def test_nothing_is_done_unless_it_was_allowed(project: Remembered) -> None:
    """The default."""
    with served_page(Path("syncs"), project.home, dagster_port=9, port=0) as address:
        assert "--allow-actions" in press(address, "pause")
        assert not is_paused(project.store, "people")
