"""Every command that a page shows is one that the command line takes, and those of the recipes are run."""

from __future__ import annotations

import re
import shlex
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
import yaml

from reverse_etl_tests.project import SHOP as SQLITE
from reverse_etl_tests.project import Project, fill, people
from reverse_etl_tests.reference import commands
from reverse_etl_tests.servers.sandbox import RunningSandbox
from reverse_etl_tests.site.example_projects import MAIN, write_page
from reverse_etl_tests.site.pages import DOCS, PAGES, ROOT, blocks

NAME = "reverse-etl"
USAGE: type[Exception] = typer.BadParameter.__mro__[1]
"""What the command line raises about what was typed."""
RUN_HERE = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (*DOCS.glob("recipes/*.md"), DOCS / "upgrade.md", DOCS / "targets.md")
    if page.name != "after-dbt.md" and any(line.startswith(NAME) for block in blocks(page) for line in block.commands)
)
SHOP = """
CREATE TABLE customers (id, email, first_name, last_name, plan, country, created_at, updated_at, deleted_at);
INSERT INTO customers VALUES
  (1, 'ann@example.com', 'Ann', 'Hill', 'pro', 'CH', 1700000000, 1768435200, NULL),
  (2, 'ben@example.com', 'Ben', 'Low', 'free', 'AT', 1700000000, 1768435200, NULL),
  (3, 'cay@example.com', 'Cay', 'Sun', 'team', 'DE', 1700000000, 1768435200, 1768435200);
CREATE TABLE companies (id, name, seats, updated_at);
INSERT INTO companies VALUES (7, 'Acme', 12, 1768435200);
CREATE TABLE memberships (person_id, company_id, role, ended, updated_at);
INSERT INTO memberships VALUES (1, 7, 'owner', 0, 1768435200), (2, 7, 'user', 1, 1768435200);
CREATE TABLE orders (order_no, customer_id, total, placed_at, recorded_at);
INSERT INTO orders VALUES ('A-1', 1, 19.9, {now} - 3600, {now} - 3500), ('A-2', 2, 5, {now} - 60, {now} - 50);
"""
"""What the recipes' queries read; times are Unix seconds."""


def test_commands_are_those_of_the_command_line() -> None:
    """In blocks and in running text, with their options; what stands for a word of the reader's is a word here."""
    wrong = []
    for page in PAGES:
        if page.parent.name == "decisions" or page.name == "CHANGELOG.md":
            continue
        text = page.read_text(encoding="utf-8")
        typed = [line for block in blocks(page) for line in block.commands]
        typed += re.findall(r"(?<!`)`(reverse-etl [^`\n]+)`(?!`)", text)
        wrong += [
            f"{page.relative_to(ROOT)}: {line}: {why}"
            for line in typed
            if line.startswith(f"{NAME} ") and (why := _refused(line))
        ]
    assert [] == wrong


def _refused(line: str) -> str:
    name, *arguments = shlex.split(line, comments=True)[1:]
    group = commands.group()
    if name.startswith("--"):
        return ""
    if name not in group.commands and name != "COMMAND":
        return "no such command"
    try:
        group.commands.get(name, group).make_context(name, [each for each in arguments if each not in ("…", "...")])
    except USAGE as error:
        return "" if type(error).__name__ == "MissingParameter" else str(error)
    return ""


@pytest.mark.thorough
@pytest.mark.parametrize("page", RUN_HERE)
def test_the_commands_of_a_page_run(page: str, tmp_path: Path, sandbox: RunningSandbox) -> None:
    """One after the other, as they are typed, on the page's own files: each completes."""
    write_page(ROOT / page, tmp_path)
    if "syncs/customers.yaml" not in {block.file for block in blocks(ROOT / page)}:
        shutil.copy(ROOT / "syncs" / "customers.yaml", tmp_path / "syncs")
    for connections in (tmp_path / "syncs").glob("connections*.yaml"):
        _lead_to(connections, sandbox.url)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop, shop:
        shop.executescript(SHOP.format(now=int(time.time())))
    project = Project(tmp_path)
    typed = [line for block in blocks(ROOT / page) for line in block.commands if line.startswith(NAME)]
    for line in typed:
        done = project.reverse_etl(*shlex.split(line)[1:])
        assert 0 == done.returncode, f"{line}\n{done.stdout}{done.stderr}"
    assert sandbox.people() or "run" not in " ".join(typed)


@pytest.mark.thorough
def test_the_recipe_of_deletes_marks_whom_its_other_sync_still_sends(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Both files in one folder: who goes to another plan is marked; who closes the account is gone, and stays so."""
    page = ROOT / "docs" / "recipes" / "deletes.md"
    write_page(page, tmp_path)
    _lead_to(tmp_path / "syncs" / "connections.yaml", sandbox.url)
    project = Project(tmp_path)
    runs = [shlex.split(line)[1:] for block in blocks(page) for line in block.commands if f"{NAME} run" in line]
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
        shop.executescript(SHOP.format(now=int(time.time())))
        more = [(number, f"{number}@example.com", "pro", 1768435200) for number in range(4, 14)]
        shop.executemany("INSERT INTO customers (id, email, plan, updated_at) VALUES (?, ?, ?, ?)", more)
        shop.commit()
        assert 0 == project.reverse_etl("validate").returncode
        for change in ("", "plan = 'free' WHERE id = 1", "deleted_at = 1 WHERE id = 4"):
            if change:
                shop.execute(f"UPDATE customers SET updated_at = {int(time.time())}, {change}")
                shop.commit()
            for arguments in runs:
                done = project.reverse_etl(*arguments)
                assert 0 == done.returncode, done.stdout + done.stderr
    marked = {person["id"]: person["attributes"].get("is_subscriber") for person in sandbox.people()}
    assert {"1": False, "2": None} | {str(number): True for number in range(5, 14)} == marked


def _lead_to(path: Path, url: str) -> None:
    """A file of connections with the shop's file and the sandbox's address in the place of the page's."""
    connections = yaml.safe_load(path.read_text(encoding="utf-8"))
    shops, workspaces = connections.get("databases", {}), connections.get("workspaces", {})
    led = {
        "databases": {name: {"type": "sqlite", "path": "../shop.db"} for name in shops},
        "workspaces": {name: MAIN["main"] | {"track_url": url, "app_url": url} for name in workspaces},
    }
    path.write_text(yaml.safe_dump({name: entries for name, entries in led.items() if entries}), encoding="utf-8")


@pytest.mark.thorough
def test_a_person_is_erased_from_what_is_kept(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """By the page's command: neither identifier nor value is in a file any more, and the next run works."""
    project = Project(tmp_path, {"REVERSE_ETL_HOME": ""})
    project.connections(SQLITE, sandbox.url)
    project.write("customers.yaml", people())
    fill(tmp_path / "shop.db", [("planted-id", "planted@example.com", "pro"), ("planted-two", "planted", "pro")])
    assert 7 == project.run("customers")[0]
    assert _holding(tmp_path / ".reverse_etl", b"planted")
    shown = {block.language: block.text for block in blocks(DOCS / "security.md")}
    assert 0 == project.command("bash", "-ec", shown["sh"]).returncode
    state = tmp_path / ".reverse_etl" / "state.db"
    with closing(sqlite3.connect(state)) as database:
        database.executescript(
            shown["sql"].replace("'42'", "'planted-two'") + "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"
        )
    assert [] == _holding(tmp_path / ".reverse_etl", b"planted")
    fill(tmp_path / "shop.db", [("2", "ben@example.com", "free")])
    assert (0, 1) == ((done := project.run("customers"))[0], done[1]["rows"]["delivered"])


def _holding(folder: Path, word: bytes) -> list[Path]:
    """The files in which a word stands, compressed columns included."""
    found = [path for path in folder.rglob("*") if path.is_file() and word in path.read_bytes()]
    tables = folder.rglob("*.parquet")
    return found + [path for path in tables if word.decode() in str(pq.read_table(path).to_pydict())]
