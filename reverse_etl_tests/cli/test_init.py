"""`reverse-etl init`: questions on stderr, files that are as a person would write them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest

from reverse_etl.changeset.query import check_query, render
from reverse_etl.cli.asking import Terminal
from reverse_etl.cli.commands.init import _connections, _write
from reverse_etl.cli.init_query import first_query
from reverse_etl.cli.init_tables import chosen
from reverse_etl.config.loader import load_connections, load_project
from reverse_etl.plugins import load, names
from reverse_etl_tests import warm
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.sandbox import RunningSandbox


def answered(folder: Path, *lines: str, columns: int = 1000) -> subprocess.CompletedProcess[str]:
    """`reverse-etl init` in a folder, with one line typed for each question."""
    environment = Project(folder, {"COLUMNS": str(columns)}).env()
    return warm.reverse_etl("init", folder=folder, environment=environment, timeout=60, typed="\n".join(lines) + "\n")


def test_a_first_sync_of_an_empty_folder_runs(project: Project, sandbox: RunningSandbox) -> None:
    """Connections and sync are written, nothing on stdout, and the next steps work as they are printed."""
    for path in (project.folder / "syncs").iterdir():
        path.unlink()
    sync = ("people", "people", "id", "customers", "", "email, plan", "updated_at", "manual")
    done = answered(project.folder, "", "sqlite", "", "../shop.db", "", "customerio", "", "us", *sync)
    assert (0, "") == (done.returncode, done.stdout), done.stderr
    assert "export CUSTOMERIO_SITE_ID=..." in done.stderr
    assert "reverse-etl preview people" in done.stderr
    text = (project.folder / "syncs" / "people.yaml").read_text()
    assert "query: |\n  SELECT id, email, plan\n  FROM customers\n  WHERE updated_at >= {{last_sync_time}}" in text
    connections = project.folder / "syncs" / "connections.yaml"
    addresses = f"    track_url: {sandbox.url}\n    app_url: {sandbox.url}\n"
    connections.write_text(connections.read_text() + addresses)
    assert (0, 3) == (project.run("people", "--full")[0], len(sandbox.people()))


def test_each_destination_has_its_own_questions(tmp_path: Path) -> None:
    """Its section, and an entry without what has a default; the sync is valid as it is written."""
    (tmp_path / "syncs").mkdir()
    connections = (
        "sqlite",
        "",
        "../shop.db",
        "postgres",
        "crm",
        "crm-db.example.com",
        "x",
        "",
        "crm",
        "writer",
        "ca.pem",
    )
    sync = ("members", "crm.members", ",", "tenant, id", "customers", "", "", "email, plan", "", "1d")
    done = answered(tmp_path, *connections, *sync)
    assert 0 == done.returncode, done.stderr
    assert "export CRM_PASSWORD=..." in done.stderr
    assert "reverse-etl plan members" in done.stderr
    assert "reverse-etl test-connection crm" in done.stderr
    project = load_project(tmp_path / "syncs")
    written = (tmp_path / "syncs" / "connections.yaml").read_text()
    assert ("port:" in written, "ca_file: ca.pem" in written) == (False, True)
    assert "port: Input should be a valid integer" in done.stderr
    assert ("postgres", "crm") == (project.destinations["crm"].type, project.syncs["members"].destination)
    text = (tmp_path / "syncs" / "members.yaml").read_text()
    assert "destination: crm\n" in text
    assert "rows:\n  table: crm.members\n  identify_by:\n  - tenant\n  - id\n" in text
    assert "query: |\n  SELECT tenant, id, email, plan\n  FROM customers\n" in text


@pytest.mark.parametrize("kind", names("reverse_etl.destinations"))
def test_the_first_connections_are_valid_for_each_kind_of_destination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Each question answered by its default, or by an address; what is written can be read again."""
    types = {"Type of the database": "sqlite", "Type of the destination": kind}

    def text(_: Terminal, question: str, default: str | None = None) -> str:
        chosen = types.get(question.partition(":")[0], default)
        address = "acme" if question.startswith("account") else "https://acme.example.com"
        return address if chosen is None else chosen

    monkeypatch.setattr(Terminal, "text", text)
    _write(tmp_path / "connections.yaml", _connections(Terminal()))
    assert kind == load_connections(tmp_path).destinations["main"].type


def test_a_secret_that_is_not_set_is_asked_for_unseen(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, where a person can type; it is known to this process alone, and to no file."""
    entry = "{type: postgres, host: h, database: d, user: u, password: '${CRM_PASSWORD}'}"
    project.write("connections.yaml", f"databases:\n  shop: {{type: sqlite, path: x}}\ndestinations:\n  crm: {entry}\n")
    destination = load_connections(project.folder / "syncs").destinations["crm"]
    monkeypatch.setenv("CRM_PASSWORD", "")
    monkeypatch.setattr("sys.stdin", StringIO())
    typed = iter(["", "planted"])
    monkeypatch.setattr("reverse_etl.cli.asking.getpass", lambda _: next(typed))
    Terminal().unset_secrets(destination)
    assert ("", 2) == (os.environ["CRM_PASSWORD"], typed.__length_hint__())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for left, known in ((1, ""), (0, "planted"), (0, "planted")):
        Terminal().unset_secrets(destination)
        assert (known, left) == (os.environ["CRM_PASSWORD"], typed.__length_hint__())


def test_a_file_of_connections_that_lacks_some_is_completed_first(project: Project) -> None:
    """The questions end before the first, with what to add."""
    project.write("connections.yaml", "databases:\n  shop: {type: sqlite, path: ../shop.db}\n")
    done = answered(project.folder, "shop")
    assert 2 == done.returncode
    assert "connections.yaml has no destination. Add one under destinations" in done.stderr


def test_a_second_sync_uses_the_connections_that_are_there(project: Project) -> None:
    """Only the sync is asked for; an answer that is none of the choices is asked for again."""
    sync = ("signed_up", "event", "events", "email", "signed_up", "customers", "", "updated_at", "plan", "", "1h")
    done = answered(project.folder, "shop", "main", *sync)
    assert 0 == done.returncode, done.stderr
    loaded = load_project(project.folder / "syncs").syncs["signed_up"]
    assert "SELECT email, updated_at AS occurred_at, plan\nFROM customers\n" == loaded.query
    assert loaded.events is not None
    assert "signed_up" == loaded.events.name


def test_a_file_that_is_there_is_kept(project: Project) -> None:
    """A sync is never written over."""
    before = (project.folder / "syncs" / "people.yaml").read_text()
    sync = ("people", "people", "id", "customers", "", "", "", "manual")
    done = answered(project.folder, "shop", "main", *sync)
    assert 2 == done.returncode
    assert "people.yaml already exists. Choose another name, or edit that file." in done.stderr
    assert before == (project.folder / "syncs" / "people.yaml").read_text()


@pytest.mark.parametrize("engine", names("reverse_etl.sources"))
def test_each_engine_has_a_first_query(engine: str) -> None:
    """Its own words for the last sync time, and names in the case in which they are asked for."""
    source = load("reverse_etl.sources", engine)
    text = first_query(engine, "customers", {"id": "id", "email": "mail"}, "updated_at", source.LAST_SYNC_TIME)
    rendered = render(text, 1_700_000_000)
    check_query(rendered, source.DIALECT)
    assert "1700000000" in rendered
    if engine == "snowflake":
        assert 'SELECT id AS "id", mail AS "email"' in text


def test_names_tables_and_columns_are_offered_and_asked_for_until_they_fit(project: Project) -> None:
    """A name that no sync can have, a table and columns that are not there: each is shown and asked for again."""
    sync = ("new customers", "class", "fresh", "people", "id", "custmers", "customers", "idd", "id")
    done = answered(project.folder, "shop", "main", *sync, "emial, plan", "email, plan", "updated", "updated_at", "1h")
    assert 0 == done.returncode, done.stderr
    told = " ".join(done.stderr.split())
    assert "new customers: a name has letters, digits and underscores only, such as new_customers." in told
    assert "class: Dagster keeps the name class for itself; another one is class_sync." in told
    assert "Tables: customers" in told
    assert "There is no table custmers; did you mean `customers`?" in told
    assert "Columns: id, email, plan, updated_at" in told
    assert "There is no column idd; did you mean `id`?" in told
    loaded = load_project(project.folder / "syncs").syncs["fresh"]
    assert "SELECT id, email, plan\nFROM customers\nWHERE updated_at >= {{last_sync_time}}\n" == loaded.query


def test_a_database_that_does_not_answer_is_no_hindrance(project: Project) -> None:
    """Why it cannot be asked is shown, and names are typed."""
    (project.folder / "shop.db").unlink()
    sync = ("fresh", "people", "id", "anything", "", "", "", "manual")
    done = answered(project.folder, "shop", "main", *sync)
    assert 0 == done.returncode, done.stderr
    assert "The tables cannot be listed: database shop (sqlite): there is no file" in done.stderr


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("id", "id"), ("ID", "ID"), ("order", '"order"'), ("createdat", '"createdAt"'), ("lower(email)", "lower(email)")],
)
def test_a_column_is_written_as_the_query_needs_it(answer: str, expected: str) -> None:
    """Quoted where the name is a word of SQL or its case counts; an expression stays as it is."""
    assert expected == chosen(answer, ["id", '"order"', '"createdAt"'])
    assert chosen("missing", ["id"]) is None


@pytest.mark.parametrize(
    ("declared", "values", "expected"),
    [
        ("TEXT DEFAULT CURRENT_TIMESTAMP", ["2026-11-28 13:36:47"], "datetime({{last_sync_time}}, 'unixepoch')"),
        ("DATETIME", ["2026-11-28 13:36:47", None], "datetime({{last_sync_time}}, 'unixepoch')"),
        ("TEXT", ["2026-11-28T13:36:47.5Z"], "strftime('%Y-%m-%dT%H:%M:%S', {{last_sync_time}}, 'unixepoch')"),
        ("TEXT", ["2026-11-28"], "date({{last_sync_time}}, 'unixepoch')"),
        ("DATETIME", [1_795_873_007], "{{last_sync_time}}"),
        ("INTEGER", [1_795_873_007_000], "{{last_sync_time}} * 1000"),
        ("DATETIME", [], "{{last_sync_time}}"),
    ],
)
def test_the_filter_fits_how_the_times_are_kept(
    project: Project, declared: str, values: list[object], expected: str
) -> None:
    """SQLite compares text with a number without an error, so what a column holds decides; in doubt all is read."""
    with closing(sqlite3.connect(project.folder / "shop.db")) as database, database:
        database.execute(f"CREATE TABLE orders (id, changed {declared})")
        database.executemany("INSERT INTO orders VALUES (1, ?)", [(value,) for value in values])
    done = answered(project.folder, "shop", "main", "fresh", "people", "id", "orders", "id", "changed", "changed", "1h")
    assert 0 == done.returncode, done.stderr
    query = load_project(project.folder / "syncs").syncs["fresh"].query
    assert f"SELECT id, changed\nFROM orders\nWHERE changed >= {expected}\n" == query
    with closing(sqlite3.connect(project.folder / "shop.db")) as database:
        kept = [value for value in values if value is not None]
        assert len(kept) == len(database.execute(render(query, 1_795_873_007)).fetchall())
        assert not database.execute(render(query, 1_795_873_007 + 86_400)).fetchall()


@pytest.mark.parametrize("values", ["'28.11.2026 13:36'", "'2026-11-28 08:36:47-05:00'"])
def test_a_time_column_that_does_not_sort_is_asked_for_again(project: Project, values: str) -> None:
    """No comparison tells what changed, so none is written."""
    with closing(sqlite3.connect(project.folder / "shop.db")) as database, database:
        database.execute(f"CREATE TABLE orders AS SELECT 1 AS id, {values} AS changed")
    typed = ("fresh", "people", "id", "orders", "id", "changed", "changed", "", "1h")
    done = answered(project.folder, "shop", "main", *typed)
    assert 0 == done.returncode, done.stderr
    assert "changed has texts that do not sort by time" in done.stderr
    assert "SELECT id, changed\nFROM orders\n" == load_project(project.folder / "syncs").syncs["fresh"].query
