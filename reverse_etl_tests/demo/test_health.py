"""Customer health scores to three services: the shipped syncs, from the first run to nothing new."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from reverse_etl.cli import words
from reverse_etl.cli.demo_health import SECRETS, play
from reverse_etl.demo.health import alert, change, create_health, expected_health


def test_a_band_that_changes_is_new_since_then(tmp_path: Path) -> None:
    """A score that stays in its band does not begin it again."""
    table = tmp_path / "health.duckdb"
    create_health(table, 100)
    before = expected_health(table)
    change(table, {"C0001": 5.0, "C0010": 31.0}, 200)
    after = expected_health(table)
    assert {"C0001": 5.0, "C0010": 31.0} == {
        number: score for number, score in after.accounts.items() if score != before.accounts[number]
    }
    assert len(before.alerts) + 1 == len(after.alerts)
    assert "*Alder &amp; Co* is at risk: score 22.5" == alert("Alder & Co", 22.5)


@pytest.mark.thorough
def test_the_services_are_equal_to_the_scores_and_each_change_is_alerted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every act, and again for a second demo in the same folder."""
    monkeypatch.chdir(tmp_path)
    for name in (*SECRETS, "SALESFORCE_URL", "INTERCOM_URL", "SLACK_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("REVERSE_ETL_HOME", str(tmp_path / "home"))
    written = io.StringIO()
    console = words.console()
    console.file, console.width = written, 80
    for _ in range(2):
        assert play(Path("health"), console, keep=False), written.getvalue()
    text = written.getvalue()
    assert (18, 0) == (text.count("equal to the scores"), text.count("not equal"))
    assert "3 rows read, 2 delivered, 1 excluded" in text
    assert "5 messages in Slack" in text
    assert max(map(len, text.splitlines())) <= 80
