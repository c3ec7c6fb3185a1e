"""The section of "Five minutes" on a database of one's own with the sandbox as workspace, executed as it stands."""

from __future__ import annotations

import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.sandbox import RunningSandbox

HEADING = "## Your own database, the sandbox as workspace\n"
PAGE = Path(__file__).parents[2] / "docs" / "start.md"
SANDBOX = "http://127.0.0.1:8700"


def own_database(page: str) -> str:
    """The section's text."""
    (section,) = re.findall(rf"^{re.escape(HEADING)}(.*?)^## ", page, flags=re.DOTALL | re.MULTILINE)
    return section


def without_own_database(page: str) -> str:
    """The page without the section."""
    return page.replace(HEADING + own_database(page), "")


def test_own_rows_reach_the_sandbox_by_the_pages_files_and_commands(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Its files, its variables and its commands in order; then only what changed is read, as its filter says."""
    section = own_database(PAGE.read_text(encoding="utf-8"))
    connections, sync = re.findall(r"^```yaml\n(.*?)^```", section, flags=re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^\$ (.+)$", section, re.MULTILINE)
    serve, *lines = lines
    assert "reverse-etl sandbox --port 8700" == serve
    assert 2 == connections.count(SANDBOX)
    exported = dict(re.findall(r"(\w+)=(\S+)", " ".join(line for line in lines if line.startswith("export"))))
    project = Project(tmp_path, exported)
    project.write("connections.yaml", connections.replace(SANDBOX, sandbox.url))
    project.write("people.yaml", sync)
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database, database:
        database.execute("CREATE TABLE customers (id, email, plan, updated_at DEFAULT '2026-01-05 08:00:00')")
        rows = [("a", "a@example.com", "free"), ("b", "b@example.com", "pro")]
        database.executemany("INSERT INTO customers (id, email, plan) VALUES (?, ?, ?)", rows)
    for line in lines:
        if not line.startswith("export"):
            program, *arguments = shlex.split(line)
            done = project.reverse_etl(*arguments)
            assert ("reverse-etl", 0) == (program, done.returncode), line + done.stdout + done.stderr
    assert {"a", "b"} == {person["id"] for person in sandbox.people()}
    exit_code, report = project.run("people")
    assert (0, 0) == (exit_code, report["rows"]["extracted"])
