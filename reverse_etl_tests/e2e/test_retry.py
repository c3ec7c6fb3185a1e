"""`reverse-etl retry`: only the rows that failed, with the values that they have now."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from reverse_etl_tests.project import Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

pytestmark = pytest.mark.thorough

GOOD = ("1", "ann@example.com", "a")


def retry(project: Project, *options: str) -> tuple[int, Any, str]:
    """`retry people --json`: the exit code, the report, and what people are shown."""
    done = project.reverse_etl("retry", "people", "--json", *options)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def attempts(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Identifier and attempt of each failed row."""
    with Path(report["failed_rows_csv"]).open(newline="") as file:
        return [(row["identifier"], row["attempt"]) for row in csv.DictReader(file)]


def test_only_the_failed_rows_are_sent_and_with_their_newest_values(project: Project, sandbox: RunningSandbox) -> None:
    """A mended row arrives, one that is still wrong fails as attempt 2, others are not read; last sync time stays."""
    shop = project.folder / "shop.db"
    fill(shop, [GOOD, ("it's", "nope", "b"), (7, "neither", "c"), (None, "x@example.com", "d")])
    code, first = project.run("people")
    assert (7, [("it's", "1"), ("7", "1"), ("", "1")]) == (code, attempts(first))
    fill(shop, [("1", "new@example.com", "a"), ("it's", "bob@example.com", "B"), (7, "neither", "c")])

    code, report, said = retry(project)

    assert (7, 3, 1, 2) == (code, *(report["rows"][name] for name in ("extracted", "delivered", "rejected")))
    assert "1 failed row has no identifier" in said
    assert "then run: reverse-etl run " in said
    assert "Retrying 2 failed rows of run" in said
    arrived = {person["id"]: (person["email"], person["attributes"].get("plan")) for person in sandbox.people()}
    assert {"1": ("ann@example.com", "a"), "it's": ("bob@example.com", "B")} == arrived
    assert [("7", "2"), ("", "2")] == attempts(report)
    assert 0 == report["last_sync_time"]

    fill(shop, [GOOD, (8, "cy@example.com", "c")])
    code, report, said = retry(project)
    assert (7, "some_rows_failed", 0, 0) == (
        code,
        report["status"],
        report["rows"]["delivered"],
        report["last_sync_time"],
    )
    assert [("7", "3"), ("", "3")] == attempts(report)
    assert "not found under this identifier" in said

    code, report, _ = retry(project, "--run", first["run_id"])
    assert (7, 3) == (code, report["rows"]["extracted"])
    code, report = project.run("people")
    assert (0, {"1", "it's", "8"}) == (code, {person["id"] for person in sandbox.people()})
    code, report, said = retry(project)
    assert (0, None) == (code, report)
    assert "No row failed" in said


def test_what_is_gone_is_not_retried(project: Project, sandbox: RunningSandbox) -> None:
    """Where nothing else failed, no run begins, and the next step is named; the failed run stays the last one."""
    shop = project.folder / "shop.db"
    fill(shop, [GOOD, ("2", "bob@example.com", "b")])
    text = people("SELECT id, email, plan FROM customers", "changes: {by: compare}\n")
    gone = text.replace("{identify_by: id}", "{identify_by: id, gone: delete, gone_wait: 0s}")
    project.write("people.yaml", gone)
    assert 0 == project.run("people")[0]
    fill(shop, [GOOD])
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"refuse_items": {"ids": ["2"]}}}])
    code, failed = project.run("people")
    assert (7, 1) == (code, failed["gone_rows"]["refused"])
    sandbox.clear_faults()
    done = project.reverse_etl("retry", "people")
    assert (7, True) == (done.returncode, "a retry removes nothing" in done.stderr)
    assert "reverse-etl run people" in done.stderr
    assert (0, 1) == ((again := project.run("people"))[0], again[1]["gone_rows"]["delivered"])


def test_shares_of_all_rows_judge_no_retry(project: Project, sandbox: RunningSandbox) -> None:
    """Of the rows that failed, all failed: that is no reason not to send those that are mended. 19 digits are whole."""
    gates = "  - max_failed_rows: 60%\n  - row_count: {min: 3}\n  - null_rate: {column: plan, max: 10%}\n"
    project.write("people.yaml", people(more=f"checks:\n{gates}"))
    shop = project.folder / "shop.db"
    rows = [(str(number), f"{number}@example.com", "a") for number in range(9)]
    fill(shop, [*rows, (1234567890123456789, "nope", "a"), ("=1+1", "neither", None)])
    assert 7 == project.run("people")[0]
    fill(shop, [*rows, (1234567890123456789, "a@example.com", "a"), ("=1+1", "neither", None)])
    code, report, _ = retry(project)
    assert (7, 1, 1) == (code, report["rows"]["delivered"], report["rows"]["rejected"])
    fill(shop, [*rows, ("=1+1", "b@example.com", None)])
    assert (0, "completed") == ((found := retry(project))[0], found[1]["status"])
    assert {"1234567890123456789", "=1+1"} < {person["id"] for person in sandbox.people()}


def test_a_run_whose_csv_is_gone_cannot_be_retried(project: Project, sandbox: RunningSandbox) -> None:
    """Identifiers are whole there alone: the way out is named."""
    fill(project.folder / "shop.db", [("2", "nope", "b")])
    _, report = project.run("people")
    Path(report["failed_rows_csv"]).unlink()
    code, _, said = retry(project)
    assert 6 == code
    assert "failed-rows CSV" in said
    assert "--full" in said


def test_failed_relationships_are_read_by_their_person(project: Project, sandbox: RunningSandbox) -> None:
    """People who did not fail are not sent again for the sake of their relationships."""
    text = "SELECT id, 'acme' AS object_id, plan AS deleted FROM customers"
    project.write("people.yaml", people(more=f"relationships:\n  query: |\n    {text}\n"))
    fill(project.folder / "shop.db", [("1", "ann@example.com", None), ("2", "bob@example.com", "maybe")])
    code, report = project.run("people")
    assert (7, 1) == (code, report["relationships"]["rejected"])
    fill(project.folder / "shop.db", [("1", "ann@example.com", None), ("2", "bob@example.com", 0)])
    code, report, said = retry(project)
    assert (0, 0, 1) == (code, report["rows"]["extracted"], report["relationships"]["delivered"])
    assert "All rows of the relationships query with the same `id` are read and sent again with them." in said
    assert {"1", "2"} == {row["person"]["id"] for row in sandbox.relationships()}
