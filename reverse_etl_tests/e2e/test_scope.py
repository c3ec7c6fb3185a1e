"""`reverse-etl run` with what it is to read, as users and Dagster see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reverse_etl_tests.project import Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

pytestmark = pytest.mark.thorough

SECRET = "0815.secret@example.com"


def kept_with(folder: Path, value: str) -> list[str]:
    """The files that a value is in, readable or not."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and value.encode() in path.read_bytes())


def test_only_and_limit_and_since(project: Project, sandbox: RunningSandbox) -> None:
    """Each says what it read; identifiers are in no file but the private list, and not in Dagster's storage."""
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), (SECRET, "bob@example.com", "b")])
    done = project.reverse_etl("run", "people", "--only", SECRET)
    assert (0, "") == (done.returncode, done.stdout)
    assert "1 row read, 1 delivered" in done.stderr
    assert "Only the rows with the identifiers that were asked for were read: last sync time stays" in done.stderr
    assert [SECRET] == [person["id"] for person in sandbox.people()]
    assert [] == kept_with(project.folder / "home" / "dagster", SECRET)

    code, report = project.run("people", "--limit", "1")
    assert (0, 1, 0) == (code, report["rows"]["extracted"], report["last_sync_time"])
    code, report = project.run("people", "--since", "1970-01-01T00:01:40Z")
    assert (0, 2, 0, 100) == (code, report["rows"]["delivered"], report["last_sync_time"], report["read_from"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--full", "--since", "2026-01-05"), "--full and --since exclude each other"),
        (("--since", "soon"), "--since is not a time"),
        (("--only", ""), "an identifier is not empty"),
        (("--all",), "takes a sync or --all, not both"),
    ],
)
def test_a_mistake_ends_before_anything_runs(project: Project, options: tuple[str, ...], said: str) -> None:
    """With exit code 2, and without a run in the history."""
    done = project.reverse_etl("run", "people", *options)
    assert (2, "") == (done.returncode, done.stdout)
    assert said in done.stderr
    assert "has not run yet" in project.reverse_etl("history", "people").stdout


def test_all_syncs_one_after_the_other(project: Project, sandbox: RunningSandbox) -> None:
    """A table of them on stderr, their reports on stdout, the exit code of the worst; paused ones are left out."""
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("2", "nope", "b")])
    project.write("ids.yaml", people("SELECT id, plan FROM customers WHERE updated_at >= {{last_sync_time}}"))
    project.write("later.yaml", people())
    project.write("broken.yaml", people("SELECT id FROM nothing"))
    project.reverse_etl("pause", "later")
    done = project.reverse_etl("run", "--all", "--json")
    found = json.loads(done.stdout)
    assert 3 == done.returncode
    assert [("broken", "failed"), ("ids", "completed"), ("later", "paused"), ("people", "some_rows_failed")] == [
        (each["sync"], each["status"]) for each in found
    ]
    assert "1 sync is paused and did not run" in done.stderr
    assert {"1", "2"} == {person["id"] for person in sandbox.people()}
    done = project.reverse_etl("run", "--workspace", "man")
    assert (2, True) == (done.returncode, "Did you mean main?" in done.stderr)
    done = project.reverse_etl("run")
    assert (2, True) == (done.returncode, "which sync? Name one, or write --all" in done.stderr)
