"""`validate` warns of syncs of one workspace that are due in the same minute, with what becomes of their runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from reverse_etl.cli.commands.validate import validate
from reverse_etl_tests.cli.remembered import Remembered, run, run_json
from reverse_etl_tests.leaving_out import leaves_out

HOURLY = "{every: 1h, start_at: 2020-01-01T00:30:00Z}"
WARNING = (
    "syncs/people.yaml:3: schedule: is due in the same minute as `staff`, and workspace main has one run at a time: "
    "about 12 of its 24 runs a day happen, the others are skipped; start it in a minute of its own (`start_at`, or the "
    "first field of `cron`), or let it wait (`overlap: wait`)"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """`people` is due at half past every hour, `staff` runs by hand."""
    return Remembered.at(tmp_path, monkeypatch)


def test_problems_of_other_files_are_counted_with_what_they_leave_out(project: Remembered) -> None:
    """Nothing is wrong with the sync that was asked for, and it runs."""
    leaves_out(project.folder / "syncs")
    assert "other files" not in run(validate, "people").stderr
    project.write("broken", "manual\nworkspce: main")
    for options in ((), ("--json",)):
        said = run(validate, "people", *options)
        assert "1 problem in other files. To see every problem: reverse-etl validate" in said.stderr
        assert "Left out until the files are mended: broken." in said.stderr
        assert "broken.yaml" not in said.stdout


def test_syncs_that_are_due_together_are_warned_of(project: Remembered) -> None:
    """Each at its schedule; one that waits is none of them, and its neighbour still is."""
    assert "same minute" not in run(validate).stdout
    project.write("staff", HOURLY)
    assert f"warning: {WARNING}" in run(validate).stdout
    assert ["syncs/people.yaml", "syncs/staff.yaml"] == [each["file"] for each in run_json(validate)]
    assert ["syncs/people.yaml"] == [each["file"] for each in run_json(validate, "people")]
    project.write("staff", HOURLY.replace("}", ", overlap: wait}"))
    assert ["syncs/people.yaml"] == [each["file"] for each in run_json(validate)]
    project.write("staff", HOURLY.replace("00:30", "00:31"))
    assert [] == run_json(validate)
