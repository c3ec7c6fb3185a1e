"""A user's mistake gets one clear sentence, the documented exit code, no traceback, and sends nothing."""

from __future__ import annotations

import pytest

from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

MISTAKES = {
    "missing table": (people("SELECT id FROM custmers"), 3, ("people", "syncs/people.yaml", "custmers")),
    "syntax": (people("SELECT id FRM customers WHERE"), None, ("people", "syncs/people.yaml")),
    "delete": (people("DELETE FROM customers"), 2, ("syncs/people.yaml", "query")),
    "two statements": (people("SELECT id FROM customers; DROP TABLE customers"), 2, ("syncs/people.yaml", "query")),
    "no identifier": (people("SELECT plan FROM customers"), 2, ("syncs/people.yaml", "id")),
    "other case": (
        people("SELECT email AS Email FROM customers").replace("identify_by: id", "identify_by: email"),
        2,
        ("syncs/people.yaml", "AS", "email"),
    ),
    "other case, seen only in the result": (
        people("SELECT * FROM (SELECT email AS Email FROM customers)").replace("identify_by: id", "identify_by: email"),
        2,
        ("people", "syncs/people.yaml", 'AS "email"'),
    ),
    "unknown placeholder": (
        people("SELECT id FROM customers WHERE updated_at > {{last_sync}}"),
        2,
        ("last_sync_time",),
    ),
    "unknown database": (people().replace("database: shop", "database: shopp"), 2, ("shop",)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_sync_gets_a_sentence(project: Project, sandbox: RunningSandbox, mistake: str) -> None:
    """Sync, file and fix are named."""
    text, code, words = MISTAKES[mistake]
    project.write("people.yaml", text)
    done = project.reverse_etl("run", "people")
    assert done.returncode == code if code else done.returncode in (2, 3), done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert [] == sandbox.people()


@pytest.mark.parametrize(
    ("query", "meant"),
    [("SELECT id, emial FROM customers", "email"), ("SELECT id FROM custmers", "customers")],
    ids=["column", "table"],
)
def test_an_unknown_name_is_shown_with_the_line_of_its_query(
    project: Project, sandbox: RunningSandbox, query: str, meant: str
) -> None:
    """In the sync's file or in the query's own, with the name that was probably meant; `preview` says the same."""
    project.write("people.yaml", people(query))
    project.write("sql/people.sql", query)
    done = project.reverse_etl("run", "people")
    assert 3 == done.returncode
    assert "sync people (syncs/people.yaml:6): database shop (sqlite): no such" in done.stderr
    assert f"Did you mean `{meant}`?" in done.stderr
    project.write("people.yaml", people().partition("query:")[0] + "query_file: sql/people.sql\n")
    done = project.reverse_etl("preview", "people")
    assert "sync people (syncs/sql/people.sql:1): database shop (sqlite): no such" in done.stderr
    assert f"Did you mean `{meant}`?" in done.stderr


def test_an_unset_variable_is_named_with_file_and_line(project: Project, sandbox: RunningSandbox) -> None:
    """Exit 2 before anything runs; `validate` needs no secrets and passes."""
    project.environment["CUSTOMERIO_TRACK_API_KEY"] = ""
    done = project.reverse_etl("run", "people")
    assert 2 == done.returncode
    assert "CUSTOMERIO_TRACK_API_KEY" in done.stderr
    assert "syncs/connections.yaml:8" in done.stderr
    assert 0 == project.reverse_etl("validate").returncode


def test_five_mistakes_are_five_lines(project: Project, sandbox: RunningSandbox) -> None:
    """All problems of a file at once, each with its line; nothing is run."""
    text = (
        people().replace("database: shop", "databse: shop").replace("main", "mian").replace("manual", "{every: soon}")
    )
    project.write("people.yaml", text.replace("identify_by: id", "identify_by: phone").replace("SELECT", "DELETE"))
    done = project.reverse_etl("run", "people")
    assert 2 == done.returncode
    lines = [line for line in done.stderr.splitlines() if "syncs/people.yaml:" in line]
    assert 5 <= len(lines)
    assert "did you mean `database`?" in done.stderr.lower()


def test_a_missing_database_file_is_a_source_error(project: Project, sandbox: RunningSandbox) -> None:
    """The path is shown, and no database file is made by looking."""
    (project.folder / "shop.db").unlink()
    done = project.reverse_etl("run", "people")
    assert 3 == done.returncode
    assert "shop.db" in done.stderr
    assert "Check `path` in syncs/connections.yaml:4" in done.stderr
    assert not (project.folder / "shop.db").exists()


def test_a_query_that_fails_after_many_rows_sends_none_of_them(project: Project, sandbox: RunningSandbox) -> None:
    """Two batches are stored already when the database stops the query: the run fails, and nothing is sent."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
    failing = "CASE WHEN i = 60000 THEN abs(-9223372036854775807 - 1) ELSE i END"
    project.write("people.yaml", people(f"{numbers} SELECT {failing} AS id FROM n"))

    done = project.reverse_etl("run", "people")

    assert 3 == done.returncode
    assert "people" in done.stderr
    assert "database shop (sqlite)" in done.stderr
    assert [] == [request for request in sandbox.requests() if request["method"] != "GET"]
    assert [] == sandbox.people()


def test_an_unknown_sync_gets_the_nearest_name(project: Project, sandbox: RunningSandbox) -> None:
    """A typing error in the sync's name."""
    done = project.reverse_etl("run", "poeple")
    assert 2 == done.returncode
    assert "Did you mean people?" in done.stderr
