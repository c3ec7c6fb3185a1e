"""`errors` shows why rows failed, and hands over their CSV."""

from __future__ import annotations

import csv
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reverse_etl.cli.commands.errors import chosen_run, errors
from reverse_etl.errors import ConfigError, StateError
from reverse_etl.exclusions import ExcludedRows
from reverse_etl.report import CANCELED, Counts, FailedRow, Status
from reverse_etl.state.runs import begin_run, record_skipped
from reverse_etl_tests.cli.remembered import Remembered, run, run_json

HOUR = timedelta(hours=1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """Two syncs; `people` ran with failed rows two hours ago."""
    made = Remembered.at(tmp_path, monkeypatch)
    made.ran("aaaaaaaa-1", ago=2 * HOUR, status=Status.SOME_ROWS_FAILED)
    return made


def test_causes_come_first_with_counts(project: Remembered) -> None:
    """The most frequent first, then rows with number, identifier, reason; e-mail addresses are masked here."""
    found = run_json(errors, "people")
    assert [("email_valid", 2), ("invalid", 1)] == [(cause["reason"], cause["rows"]) for cause in found["causes"]]
    assert [(2, "a***@example.com"), (5, "5"), (9, "[bold]9\x1b[2J\n7")] == [
        (row["row_number"], row["identifier"]) for row in found["failed_rows"]
    ]
    assert ("aaaaaaaa-1", "some_rows_failed") == (found["run_id"], found["status"])


def test_the_table_is_for_people(project: Remembered) -> None:
    """Counts, both tables, where the CSV is; a row's text neither formats nor reaches the terminal."""
    shown = run(errors, "people").stdout
    for part in ("3 of 1,210 rows failed.", "column `email` is not valid.", "[bold]9·[2J·7", "a***@example.com"):
        assert part in shown
    assert "All 3 with whole identifiers:\nhome/failed_rows/people/aaaaaaaa-1.csv" in shown
    assert "\x1b" not in shown
    assert (True, False) == (
        "3 rows failed, the others were delivered. Last sync time stays." in shown,
        "See: reverse-etl errors" in shown,
    )


def test_a_cause_is_said_once(project: Remembered) -> None:
    """Its message stands beside its count, and rows show the reason alone."""
    shown = run(errors, "people").stdout
    assert 1 == shown.count("column `email` is not valid.")
    rows = shown[shown.index("identifier") :]
    assert ("email_valid" in rows, "message" in rows) == (True, False)


def test_why_rows_were_left_out_is_the_end(project: Remembered) -> None:
    """A line a reason: they are no failed rows."""
    why = (ExcludedRows("suppressed", 2, "person is suppressed"), ExcludedRows("filtered", 1))
    project.ran("bbbbbbbb-2", ago=HOUR, streams={"rows": Counts(4, delivered=1, excluded=3)}, excluded_by=why)
    shown = run(errors, "people").stdout
    expected = "3 rows were left out by choice, which is no error:\n  2 excluded, suppressed: person is suppressed\n"
    assert f"{expected}  1 excluded, filtered\n" in shown


def test_one_failed_row_is_not_all_of_them(project: Remembered, tmp_path: Path) -> None:
    """Of one row that was read, on the screen and where its CSV is gone."""
    project.ran("bbbbbbbb-2", ago=HOUR, status=Status.SOME_ROWS_FAILED, of_one_row=True)
    shown = run(errors, "people").stdout
    assert "1 of 1 row failed." in shown
    assert "With whole identifiers:\nhome/failed_rows/people/bbbbbbbb-2.csv" in shown
    project.home.failed_rows_csv("people", "bbbbbbbb-2").unlink()
    assert "this one has 1 of 1 row," in run(errors, "people", "--csv", str(tmp_path / "mine.csv")).stderr


def test_rows_without_identifiers_are_not_said_to_have_them(project: Remembered) -> None:
    """The CSV is named all the same."""
    row = FailedRow(3, "rows", "", *CANCELED)
    project.ran("bbbbbbbb-2", ago=HOUR, streams={"rows": Counts(15, 2, undelivered=13)}, failed=[row] * 13)
    shown = run(errors, "people").stdout
    assert ("All 13 in a file:\nhome/failed_rows/people/bbbbbbbb-2.csv" in shown, "whole" in shown) == (True, False)


def test_fewer_rows_are_shown_when_asked(project: Remembered) -> None:
    """The causes still count all."""
    found = run_json(errors, "people", "--limit", "1")
    assert ([2], 2) == ([row["row_number"] for row in found["failed_rows"]], found["causes"][0]["rows"])
    assert "The first 1; all 3" in run(errors, "people", "--limit", "1").stdout


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELED])
def test_a_retry_is_of_the_newest_run_that_read_rows(project: Remembered, status: Status) -> None:
    """Runs that ended before they read, a refused retry too, hide no failed rows; what they say is in `errors`."""
    for ago in range(1, 4):
        project.ran(f"bbbbbbbb-{ago}", ago=ago * HOUR / 4, status=status)
    chosen = chosen_run(project.store, "people", "", with_rows=True)
    assert ("aaaaaaaa-1", "bbbbbbbb-1") == (chosen and chosen.run_id, run_json(errors, "people")["run_id"])
    project.ran("cccccccc-1", ago=HOUR / 8)
    chosen = chosen_run(project.store, "people", "", with_rows=True)
    assert "cccccccc-1" == (chosen and chosen.run_id)


def test_it_is_about_the_newest_run_that_has_ended(project: Remembered) -> None:
    """Neither one in progress nor a skipped one; a completed one has nothing to show."""
    record_skipped(project.store, "people", "main", datetime.now(UTC), "x")
    begin_run(
        project.store,
        "running",
        root_run_id="running",
        sync="people",
        workspace="main",
        started_at=datetime.now(UTC),
        since=0,
    )
    assert "aaaaaaaa-1" == run_json(errors, "people")["run_id"]
    project.ran("bbbbbbbb-2", ago=HOUR)
    found = run_json(errors, "people")
    assert ("bbbbbbbb-2", [], []) == (found["run_id"], found["causes"], found["failed_rows"])
    shown = run(errors, "people").stdout
    assert "0 of 1,200 rows failed." in shown
    assert "The last run with failed rows: reverse-etl errors people --run aaaaaaaa" in shown


@pytest.mark.parametrize("run_id", ["aaaaaaaa-1", "aaaa"])
def test_another_run_can_be_asked_for(project: Remembered, run_id: str) -> None:
    """By its id or by the beginning of it, as `history` shows it."""
    project.ran("bbbbbbbb-2", ago=HOUR)
    assert "aaaaaaaa-1" == run_json(errors, "people", "--run", run_id)["run_id"]


@pytest.mark.parametrize(
    ("run_id", "said"), [("zz", "has no run zz"), ("aaaa", "more than one run"), ("cc-3", "no run")]
)
def test_a_run_that_is_not_there_is_a_mistake(project: Remembered, run_id: str, said: str) -> None:
    """Unknown, not clear, or another sync's: the hint names the command that lists them."""
    project.ran("aaaabbbb-2", ago=HOUR)
    project.ran("cc-3", ago=HOUR, sync="staff")
    with pytest.raises(ConfigError, match=said) as caught:
        run(errors, "people", "--run", run_id)
    assert "reverse-etl history people" in caught.value.hint


def test_the_csv_is_copied_whole(project: Remembered, tmp_path: Path) -> None:
    """With whole e-mail addresses, for its owner alone, also over a file that others could read."""
    target = tmp_path / "mine.csv"
    target.write_text("old")
    target.chmod(0o644)
    done = run(errors, "people", "--csv", str(target))
    assert "home/failed_rows" not in done.stdout
    assert project.home.failed_rows_csv("people", "aaaaaaaa-1").read_bytes() == target.read_bytes()
    assert 0o600 == target.stat().st_mode & 0o777
    assert f"Failed rows written to {target}" in done.stderr
    assert [target] == list(tmp_path.glob("mine*"))


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_csv_may_be_a_pipe(project: Remembered, tmp_path: Path, is_kept: bool) -> None:
    """`/dev/stdout` for example: it is written to, and not replaced by a file."""
    kept = project.home.failed_rows_csv("people", "aaaaaaaa-1")
    expected = kept.read_bytes()
    if not is_kept:
        kept.unlink()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        run(errors, "people", "--csv", str(pipe))
        written = os.read(reader, 65536)
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert [pipe] == list(tmp_path.glob("pipe*"))
    assert (expected == written) == is_kept
    assert len(expected.splitlines()) == len(written.splitlines())


def test_a_csv_may_be_a_link(project: Remembered, tmp_path: Path) -> None:
    """The file that it leads to is written, and the link stays."""
    (tmp_path / "link.csv").symlink_to(tmp_path / "mine.csv")
    run(errors, "people", "--csv", str(tmp_path / "link.csv"))
    assert (tmp_path / "link.csv").is_symlink()
    assert project.home.failed_rows_csv("people", "aaaaaaaa-1").read_bytes() == (tmp_path / "mine.csv").read_bytes()


def test_a_csv_that_is_gone_is_written_from_what_is_remembered(project: Remembered, tmp_path: Path) -> None:
    """With a notice that it is less than the whole."""
    project.home.failed_rows_csv("people", "aaaaaaaa-1").unlink()
    assert "(no longer there)" in run(errors, "people").stdout
    done = run(errors, "people", "--csv", str(tmp_path / "mine.csv"))
    with (tmp_path / "mine.csv").open(newline="") as file:
        assert ["a***@example.com", "5"] == [row["identifier"] for row in csv.DictReader(file)][:2]
    assert "this one has 3 of 3 rows, e-mail addresses masked" in done.stderr


def test_a_run_without_failed_rows_gives_an_empty_csv(project: Remembered, tmp_path: Path) -> None:
    """The header alone, so that a script need not ask first."""
    project.ran("bbbbbbbb-2", ago=HOUR)
    run(errors, "people", "--csv", str(tmp_path / "mine.csv"))
    assert 1 == len((tmp_path / "mine.csv").read_text().splitlines())


def test_a_csv_that_cannot_be_written_is_an_error(project: Remembered, tmp_path: Path) -> None:
    """A folder of that name."""
    with pytest.raises(StateError, match="cannot be written"):
        run(errors, "people", "--csv", str(tmp_path))


def test_a_sync_that_has_not_run_gets_a_sentence(project: Remembered) -> None:
    """Exit 0; null for scripts."""
    assert "staff has not run yet" in run(errors, "staff").stdout
    assert run_json(errors, "staff") is None
