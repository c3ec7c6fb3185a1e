"""`status` knows what Dagster has loaded, where its daemon runs; where none does, or nothing is known, it says that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from reverse_etl.cli.commands.status import NO_DAEMON, status
from reverse_etl_tests.cli.remembered import Remembered, run, run_json

HOUR = timedelta(hours=1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """Two syncs, and an instance of Dagster whose daemon runs."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    project = Remembered.at(tmp_path, monkeypatch)
    (project.home.dagster / "dagster.yaml").touch()
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(datetime.now(UTC).timestamp(), "SCHEDULER", "d", []))
    return project


def of_each() -> list[str | None]:
    """What `status --json` says of every sync, by name."""
    return [each["in_dagster"] for each in run_json(status)]


def test_what_is_loaded_is_said_by_nothing(project: Remembered) -> None:
    """All is as it should be."""
    project.loads()
    assert ["loaded", "loaded"] == of_each()
    shown = run(status)
    assert ("Dagster" in shown.stderr, "Dagster" in shown.stdout) == (False, False)


def test_new_and_changed_files_are_named_with_what_to_do(project: Remembered) -> None:
    """Their next run stands beside what keeps it; a query that changed needs no load."""
    project.loads()
    project.write("orders", "{every: 6h, start_at: 2020-01-01T00:00:00Z}")
    project.write("people", "{every: 2h, start_at: 2020-01-01T00:30:00Z}")
    file = project.folder / "syncs" / "staff.yaml"
    file.write_text(file.read_text().replace("SELECT id", "SELECT id, 1 AS one"))
    assert ["not_loaded", "older", "loaded"] == of_each()
    shown = run(status)
    assert "Dagster has not loaded orders yet: no schedule starts it." in shown.stderr
    assert "Dagster starts people by an older file" in shown.stderr
    assert "choose Deployment, then Reload" in shown.stderr
    assert ("not loaded by Dagster" in shown.stdout, "older in Dagster" in shown.stdout) == (True, True)
    project.loads()
    assert "Dagster" not in run(status).stderr


def test_many_are_counted(project: Remembered) -> None:
    """Three by name."""
    project.loads()
    for name in "abcde":
        project.write(name, "{every: 1h}")
    assert "has not loaded a, b, c and 2 more yet: no schedule starts them." in run(status).stderr


def test_unknown_is_said_as_unknown(project: Remembered) -> None:
    """No look yet, or none for minutes: neither loaded nor not."""
    assert ["unknown", "unknown"] == of_each()
    project.loads(ago=timedelta(minutes=4))
    assert ["unknown", "unknown"] == of_each()
    shown = run(status)
    assert "is not known" in shown.stderr
    assert "not loaded by Dagster" not in shown.stdout


def test_without_a_daemon_nothing_is_said_of_it(project: Remembered) -> None:
    """That none runs is what there is to say."""
    project.loads()
    project.write("orders", "{every: 6h}")
    (project.home.dagster / "history" / "runs.db").unlink()
    assert [None, None, None] == of_each()
    assert NO_DAEMON == run(status).stderr.strip()
