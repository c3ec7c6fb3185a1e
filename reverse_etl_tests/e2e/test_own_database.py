"""The section of "Five minutes" on a database of one's own with the sandbox as workspace, executed as it stands."""

from __future__ import annotations

import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

from reverse_etl_tests import warm
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.sandbox import RunningSandbox

HEADING = "## Your own database, the sandbox as workspace\n"
PAGE = Path(__file__).parents[2] / "docs" / "start.md"
SANDBOX = "http://127.0.0.1:8700"
ANSWERS = (
    *("sqlite", "crm", "../crm.db", "customerio", "", "sandbox"),
    *("people", "people", "id", "customers", "", "email, plan", "updated_at", "manual"),
)
"""What is typed at each question, as the page says."""


def own_database(page: str) -> str:
    """The section's text."""
    (section,) = re.findall(rf"^{re.escape(HEADING)}(.*?)^## ", page, flags=re.DOTALL | re.MULTILINE)
    return section


def without_own_database(page: str) -> str:
    """The page without the section."""
    return page.replace(HEADING + own_database(page), "")


def test_own_rows_reach_the_sandbox_by_the_pages_files_and_commands(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """`init` writes its files and names its commands; these work in order, and then only what changed is read."""
    section = own_database(PAGE.read_text(encoding="utf-8"))
    connections, sync = re.findall(r"^```yaml\n(.*?)^```", section, flags=re.DOTALL | re.MULTILINE)
    init, *lines = re.findall(r"^\$ (.+)$", section, re.MULTILINE)
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database, database:
        database.execute("CREATE TABLE customers (id, email, plan, updated_at DEFAULT '2026-01-05 08:00:00')")
        rows = [("a", "a@example.com", "free"), ("b", "b@example.com", "pro")]
        database.executemany("INSERT INTO customers (id, email, plan) VALUES (?, ?, ?)", rows)
    project = Project(tmp_path, {"COLUMNS": "1000"})
    typed = "\n".join((*ANSWERS, ""))
    done = warm.reverse_etl(*shlex.split(init)[1:], folder=tmp_path, environment=project.env(), timeout=60, typed=typed)
    written = {path.name: path.read_text() for path in (tmp_path / "syncs").iterdir()}
    assert {"connections.yaml": connections, "people.yaml": sync} == written, done.stderr
    assert lines == [line[2:].partition("  #")[0] for line in done.stderr.splitlines()[-len(lines) :]]
    serve, *lines = lines
    assert ["reverse-etl", "sandbox", "--as", "customerio"] == shlex.split(serve)
    project.write("connections.yaml", connections.replace(SANDBOX, sandbox.url))
    for line in lines:
        program, *arguments = shlex.split(line)
        if program == "export":
            project.environment |= dict([arguments[0].split("=")])
            continue
        done = project.reverse_etl(*arguments)
        assert ("reverse-etl", 0) == (program, done.returncode), line + done.stdout + done.stderr
    assert {"a", "b"} == {person["id"] for person in sandbox.people()}
    exit_code, report = project.run("people")
    assert (0, 0) == (exit_code, report["rows"]["extracted"])
