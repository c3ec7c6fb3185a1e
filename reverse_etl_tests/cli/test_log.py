"""``log``: what people read of a database's log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reverse_etl.cli.commands.log import sentences
from reverse_etl.sources.powers import LogStatus
from reverse_etl_tests.project import SHOP, Project


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (LogStatus(exists=False), ["the log is not kept. To keep it: reverse-etl log create people"]),
        (LogStatus(exists=True), ["the log can be read."]),
        (LogStatus(True, (), 48_000_000), ["the server keeps 48.0 MB of its log, until its disk is full."]),
        (
            LogStatus(True, ("Something is missing.",), 1_000_000_000, 5_000_000_000),
            [
                "the server keeps 1.0 GB of its log, up to 5.0 GB.",
                "That is much: run the sync, or drop it: reverse-etl log drop people",
                "Something is missing.",
            ],
        ),
    ],
)
def test_a_status_says_what_to_do(status: LogStatus, expected: list[str]) -> None:
    """From 1 GB on it warns: the server's disk is not ours."""
    assert expected == list(sentences(status, "people"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A sync of SQLite, which has no log."""
    made = Project(tmp_path)
    made.connections(SHOP)
    sync = "database: shop\nworkspace: main\nschedule: manual\npeople: {identify_by: id}\nquery: SELECT id FROM t\n"
    made.write("people.yaml", sync)
    return made


def test_a_sync_that_does_not_read_the_log_has_none(project: Project) -> None:
    """Exit 2, and how it would be one; of no sync at all there is nothing to show."""
    done = project.reverse_etl("log", "create", "people")
    assert (2, True) == (done.returncode, "sync people does not read its database's log" in done.stderr)
    assert "changes: {by: log" in done.stderr
    done = project.reverse_etl("log", "drop")
    assert (2, True) == (done.returncode, "reverse-etl log drop SYNC" in done.stderr)
    assert "No sync has `changes: {by: log}`." in project.reverse_etl("log", "status").stdout
    assert {} == json.loads(project.reverse_etl("log", "status", "--json").stdout)
