"""`history` shows the past runs of one sync."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from reverse_etl.cli.commands.errors import errors
from reverse_etl.cli.commands.history import history
from reverse_etl.cli.project import require_named
from reverse_etl.errors import ConfigError
from reverse_etl.exclusions import ExcludedRows
from reverse_etl.report import Counts, Status
from reverse_etl.state.check_results import KeptResult, remember_results
from reverse_etl.state.runs import begin_run, record_skipped
from reverse_etl_tests.cli.remembered import Remembered, run, run_json

HOUR = timedelta(hours=1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """Two syncs that have not run."""
    return Remembered.at(tmp_path, monkeypatch)


def test_runs_are_shown_newest_first(project: Remembered) -> None:
    """As the reports that `run --json` printed, no more than asked for, of this sync alone."""
    first = project.ran("aaaaaaaa-1", ago=2 * HOUR, status=Status.SOME_ROWS_FAILED)
    second = project.ran("bbbbbbbb-2", ago=HOUR)
    project.ran("cccccccc-3", ago=HOUR, sync="staff")
    assert [second.as_json(), first.as_json()] == run_json(history, "people")
    assert [second.as_json()] == run_json(history, "people", "--limit", "1")


def test_the_table_is_for_people(project: Remembered) -> None:
    """Short run ids, words for times, failed rows of both queries, and who was in the way of a skipped run."""
    project.ran("aaaaaaaa-1", ago=2 * HOUR, status=Status.SOME_ROWS_FAILED)
    record_skipped(project.store, "people", "main", datetime.now(UTC) - HOUR, "cccccccc-3")
    shown = run(history, "people").stdout
    skipped, failed = shown.index("skipped"), shown.index("some_rows_failed")
    assert skipped < failed
    for part in ("aaaaaaaa ", "2 hours ago", "1,210", "1,207", "3 rows failed,", "cccccccc-3"):
        assert part in shown


def test_why_rows_were_left_out_is_shown(project: Remembered) -> None:
    """In a line for people, and as the run itself printed it for scripts."""
    why = (ExcludedRows("suppressed", 1_200, "person is suppressed"), ExcludedRows("filtered", 3))
    report = project.ran("aaaaaaaa-1", ago=HOUR, streams={"rows": Counts(1_203, excluded=1_203)}, excluded_by=why)
    assert "Excluded: 1,200 suppressed, 3 filtered." in run(history, "people").stdout
    assert [report.as_json()] == run_json(history, "people")
    assert {"suppressed": 1_200, "filtered": 3} == report.as_json()["excluded_by"]


def test_what_checks_warn_of_is_shown(project: Remembered) -> None:
    """In `history`, `errors` and their JSON; of a re-execution after the checks, what the first run found."""
    found = ("warn", "broken", 9, 3, None, True, "column `plan` is NULL. First rows: 2, 5, 7.")
    project.ran("aaaaaaaa-1", ago=HOUR)
    remember_results(project.store, "aaaaaaaa-1", [KeptResult("rows", "not_null_plan", *found)])
    at = datetime.now(UTC)
    begin_run(project.store, "b-2", root_run_id="aaaaaaaa-1", sync="people", workspace="main", started_at=at, since=0)
    assert 2 == run(history, "people").stdout.count("Warnings: not_null_plan (3 rows).")
    warned = {"check": "not_null_plan", "stream": "rows", "rows": 3, "of": 9, "message": found[-1]}
    assert [[warned]] * 2 == [each["warnings"] for each in run_json(history, "people")]
    shown = run(errors, "people").stdout
    assert "  warning: not_null_plan: 3 of 9 rows: column `plan` is NULL. First rows: 2, 5, 7.\n" in shown
    assert [warned] == run_json(errors, "people")["warnings"]


def test_what_was_removed_is_counted_apart_and_fits_a_narrow_terminal(
    project: Remembered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not read; its failures are failed rows. At 80 columns a time is one line, and what fits is shown."""
    rows, gone = Counts(120_500, delivered=120_000, unchanged=400, rejected=100), Counts(50, delivered=48, refused=2)
    project.ran("aaaaaaaa-1", ago=HOUR, streams={"rows": rows, "gone_rows": gone})
    shown = []
    for columns in ("120", "80"):
        monkeypatch.setenv("COLUMNS", columns)
        header, _, line, time, *_ = run(history, "people").stdout.splitlines()
        shown.append((header.split()[-5:-1] if columns == "120" else header.split()[-4:], line.split()[-5:]))
        assert re.fullmatch(r" +\d{4}-\d\d-\d\d\s\d\d:\d\d", time)
        assert max(len(each) for each in (header, line)) <= int(columns)
    counted = ["120,500", "120,000", "48", "102"]
    assert (["delivered", "removed", "failed", "unchanged"], [*counted, "400"]) == shown[0]
    assert (["read", "delivered", "removed", "failed"], ["completed", *counted]) == shown[1]


def test_a_sync_that_has_not_run_gets_a_sentence(project: Remembered) -> None:
    """Exit 0 and how to start it; an empty list for scripts."""
    assert "staff has not run yet: start it with `reverse-etl run staff`.\n" == run(history, "staff").stdout
    assert [] == run_json(history, "staff")


def test_an_unknown_sync_gets_the_nearest_name(project: Remembered) -> None:
    """A typing error is a mistake of configuration."""
    with pytest.raises(ConfigError, match="no sync named peopel") as caught:
        run(history, "peopel")
    assert "Did you mean people?" in caught.value.hint
    with pytest.raises(ConfigError) as none:
        require_named((), "people", "syncs")
    assert "reverse-etl init" in none.value.hint


def test_a_sync_whose_file_is_gone_keeps_its_history(project: Remembered) -> None:
    """Nor does a mistake in another file hide it."""
    project.ran("aaaaaaaa-1", ago=HOUR)
    (project.folder / "syncs" / "people.yaml").unlink()
    (project.folder / "syncs" / "staff.yaml").write_text("databse: shop\n")
    assert ["aaaaaaaa-1"] == [entry["run_id"] for entry in run_json(history, "people")]


@pytest.mark.parametrize("key", ["", " "])
def test_an_empty_key_is_refused(key: str, project: Remembered) -> None:
    """It names no row; it is no way to ask for the runs of the sync."""
    project.ran("aaaaaaaa-1", ago=HOUR)
    app = typer.Typer()
    app.command()(history)
    shown = CliRunner().invoke(app, ["people", "--key", key])
    assert (2, True) == (shown.exit_code, "an identifier is not empty" in shown.stderr)


def test_another_file_with_a_problem_is_no_matter(project: Remembered) -> None:
    """Of a sync without a run; a name that no file has is still an error."""
    project.write("broken", "manual\nchekcs: []")
    for name in ("people", "broken"):
        said = run(history, name).stdout
        assert f"{name} has not run yet: once the files are mended, start it with `reverse-etl run {name}`.\n" == said
    with pytest.raises(ConfigError, match=r"Did you mean people\?"):
        run(history, "peple")
