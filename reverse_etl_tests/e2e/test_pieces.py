"""`reverse-etl run` of a sync that reads everything in pieces, as users see it."""

from __future__ import annotations

import json

import pytest

from reverse_etl_tests.project import Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

pytestmark = pytest.mark.thorough


def test_one_command_reads_one_piece_after_the_other(project: Project, sandbox: RunningSandbox) -> None:
    """A line of JSON for each, the exit code of the worst; what is left is shown by `status`, and read by the next."""
    rows: list[tuple[object, object, object]] = [(number, f"p{number}@example.com", "a") for number in range(1, 11)]
    fill(project.folder / "shop.db", [*rows[:9], (10, "nope", "a")])
    project.write("people.yaml", people(more="failed_rows: carry\npieces: {by: id, rows: 4}\n"))
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "skip": 1, "times": 1, "do": {"status": 401}}])
    done = project.reverse_etl("run", "people", "--json")
    assert 5 == done.returncode
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert ({"number": 1, "of": 3}, "completed") == (first["piece"], first["status"])
    assert ({"number": 2, "of": 3}, "failed") == (second["piece"], second["status"])
    (status,) = json.loads(project.reverse_etl("status", "--json").stdout)
    assert {"next": 2, "of": 3, "rows_read": 4} == status["pieces"]
    assert "1 of 3 pieces read, about 33 %" in project.reverse_etl("status").stdout

    done = project.reverse_etl("run", "people")
    assert (7, "") == (done.returncode, done.stdout)
    assert "Piece 2 of 3 was read, 8 rows so far. The next run reads piece 3" in done.stderr
    assert "Piece 3 of 3 was read, 10 rows so far: everything is." in done.stderr
    assert "Piece 3 of 3 was read" in project.reverse_etl("history", "people").stdout
    (status,) = json.loads(project.reverse_etl("status", "--json").stdout)
    assert status["pieces"] is None
    assert status["last_sync_time"] > 0
    assert 9 == len(sandbox.people())
