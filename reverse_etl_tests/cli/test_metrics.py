"""`metrics` gives Prometheus what is known of every sync, as text, as a file, or at an address."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from reverse_etl.cli.commands.metrics import metrics
from reverse_etl.errors import ConfigError, ConfigProblemsError
from reverse_etl.report import Status
from reverse_etl.state.runs import record_skipped
from reverse_etl.state.syncs import record_seen, set_paused
from reverse_etl_tests.cli.remembered import Remembered, run
from reverse_etl_tests.leaving_out import leaves_out

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)
PEOPLE = (("destination", "main"), ("sync", "people"))
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """Two syncs that have not run."""
    return Remembered.at(tmp_path, monkeypatch)


def read(text: str) -> Samples:
    """What Prometheus takes from a text, by name without prefix, and labels; nothing is told twice."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    made = {(each.name.removeprefix("reverse_etl_"), frozenset(each.labels.items())): each.value for each in found}
    assert len(found) == len(made)
    return made


def of(samples: Samples, name: str, *labels: tuple[str, str]) -> float | None:
    """A metric of the sync `people`; None where there is none."""
    return samples.get((f"sync_{name}", frozenset({*PEOPLE, *labels})))


def test_a_sync_that_has_not_run_has_neither_a_run_nor_a_delivery(project: Remembered) -> None:
    """Only what is known: it is due, not stale, not in progress."""
    samples = read(run(metrics).stdout)
    assert 1 == samples["up", frozenset()]
    assert (0, 0, 0) == tuple(of(samples, name) for name in ("stale", "running", "paused"))
    assert 7200 == of(samples, "stale_after_seconds")
    due = of(samples, "next_run_timestamp_seconds")
    assert due is not None
    assert 0 <= due - datetime.now(UTC).timestamp() <= 3600
    assert not [name for name, _ in samples if "last_" in name or "age" in name]
    staff = frozenset({("destination", "main"), ("sync", "staff")})
    assert ("sync_stale", staff) in samples
    assert ("sync_next_run_timestamp_seconds", staff) not in samples


def test_a_run_is_told_by_status_and_outcomes(project: Remembered) -> None:
    """When it began and delivered, how long it took, its rows of both streams by outcome."""
    report = project.ran("r1", ago=HOUR, status=Status.SOME_ROWS_FAILED)
    samples = read(run(metrics).stdout)
    assert report.started_at.timestamp() == of(samples, "last_run_timestamp_seconds")
    assert report.started_at.timestamp() + 90 == of(samples, "last_delivered_timestamp_seconds")
    assert (90, 1) == (of(samples, "last_run_duration_seconds"), of(samples, "failed_runs_in_a_row"))
    ended = {status: of(samples, "last_run_status", ("status", status)) for status in Status if status != "skipped"}
    assert {**dict.fromkeys(ended, 0), Status.SOME_ROWS_FAILED: 1} == ended
    outcomes = ("delivered", "rejected", "refused", "excluded", "unchanged", "undelivered")
    rows = {name: of(samples, "last_run_rows", ("outcome", name)) for name in outcomes}
    assert rows == {name: getattr(report.total, name) for name in outcomes}
    assert sum(value or 0 for value in rows.values()) == report.total.extracted


def test_runs_in_a_row_and_staleness(project: Remembered) -> None:
    """Two that failed after one that completed, and two that were skipped after these; stale after two hours."""
    record_seen(project.store, "people", "main", datetime.now(UTC) - 9 * HOUR)
    for run_id, hours, status in (("r1", 8, Status.FAILED), ("r2", 7, Status.COMPLETED)):
        project.ran(run_id, ago=hours * HOUR, status=status)
    assert (0, 0) == _in_a_row(read(run(metrics).stdout))
    for run_id, hours in (("r3", 6), ("r4", 5)):
        project.ran(run_id, ago=hours * HOUR, status=Status.FAILED)
    for hours in (4, 3):
        record_skipped(project.store, "people", "main", datetime.now(UTC) - hours * HOUR, "other")
    set_paused(project.store, "people", paused=True)
    samples = read(run(metrics).stdout)
    assert (2, 2) == _in_a_row(samples)
    assert (1, 1) == (of(samples, "stale"), of(samples, "paused"))
    assert 7 * 3600 - 90 <= (of(samples, "age_seconds") or 0) <= 7 * 3600


def _in_a_row(samples: Samples) -> tuple[float | None, float | None]:
    return of(samples, "failed_runs_in_a_row"), of(samples, "skipped_runs_in_a_row")


def test_a_file_is_whole_or_stays(project: Remembered) -> None:
    """As printed; where no sync may run for a mistake, the older one is left and the command ends with the problems."""
    file = project.folder / "reverse_etl.prom"
    run(metrics, "--output", str(file))
    before = file.read_text()
    assert read(run(metrics).stdout).keys() == read(before).keys()
    (project.folder / "syncs" / "connections.yaml").write_text("databases: 1\n")
    with pytest.raises(ConfigProblemsError):
        run(metrics, "--output", str(file))
    assert before == file.read_text()
    assert [file] == list(project.folder.glob("*.prom*"))


def test_a_file_that_cannot_be_written_is_said(project: Remembered) -> None:
    """With the next step."""
    with pytest.raises(ConfigError, match=r"none/x\.prom cannot be written: No such file or directory"):
        run(metrics, "--output", "none/x.prom")


@pytest.mark.thorough
def test_served_metrics_follow_runs_and_files(project: Remembered) -> None:
    """Each time they are asked for; a faulty file is named by its sync, and one that all read makes `up` 0."""
    leaves_out(project.folder / "syncs")
    with served(project) as url:
        samples = read(httpx.get(url, timeout=60).text)
        assert 1 == samples["up", frozenset()]
        assert of(samples, "last_run_timestamp_seconds") is None
        project.ran("r1", ago=HOUR)
        assert of(read(httpx.get(url, timeout=60).text), "last_run_timestamp_seconds") is not None
        project.write("staff", "{every: never}")
        samples = read(httpx.get(url, timeout=60).text)
        left_out = frozenset({("sync", "staff"), ("destination", ""), ("reason", "own_file")})
        assert (1, 1) == (samples["up", frozenset()], samples["sync_left_out", left_out])
        project.write("people", "{every: never}")
        where = frozenset({("sync", "people"), ("destination", "main"), ("reason", "own_file")})
        assert 1 == read(httpx.get(url, timeout=60).text)["sync_left_out", where]
        connections = project.folder / "syncs" / "connections.yaml"
        right = connections.read_text()
        connections.write_text("databases: 1\n")
        assert {("up", frozenset()): 0.0} == read(httpx.get(url, timeout=60).text)
        connections.write_text(right)
        assert 1 == read(httpx.get(url, timeout=60).text)["up", frozenset()]


@contextmanager
def served(project: Remembered) -> Iterator[str]:
    """Where the command serves the project's metrics, as a process of its own; Ctrl-C ends it."""
    command = [str(Path(sys.executable).with_name("reverse-etl")), "metrics", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, cwd=project.folder, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stderr is not None
    try:
        words = process.stderr.readline()
        found = re.search(r"http://\S+/metrics", words)
        assert found, words + process.stderr.read()
        yield found[0]
        process.send_signal(signal.SIGINT)
        assert 130 == process.wait(60)
        assert "schedule.every" in process.stderr.read()
    finally:
        process.kill()
        process.communicate()


def test_the_rules_and_the_page_name_metrics_that_exist(project: Remembered) -> None:
    """Every name in an expression of `deploy/prometheus/rules.yaml`, and every one that the page lists."""
    project.ran("r1", ago=HOUR)
    families = {family.name for family in text_string_to_metric_families(run(metrics).stdout)}
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    named = {name for rule in rules for name in re.findall(r"reverse_etl_\w+", rule["expr"])}
    assert len(rules) == len({rule["alert"] for rule in rules})
    assert named
    assert named <= families
    page = (ROOT / "docs" / "monitoring.md").read_text()
    assert families == set(re.findall(r"^\| `(reverse_etl_\w+)`", page, flags=re.MULTILINE))
    assert all(set(rule["annotations"]) == {"summary", "action"} for rule in rules)
