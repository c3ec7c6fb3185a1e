"""`reverse-etl init`: questions on stderr, files that are as a person would write them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from io import StringIO
from pathlib import Path

import duckdb
import pytest

from reverse_etl.changeset.query import check_query, render
from reverse_etl.cli.asking import Terminal
from reverse_etl.cli.commands.init import as_yaml
from reverse_etl.cli.init_connections import ask_connections, is_sandbox
from reverse_etl.cli.init_query import first_query
from reverse_etl.cli.init_tables import chosen
from reverse_etl.config.loader import load_connections, load_project
from reverse_etl.plugins import load, names
from reverse_etl.sandbox import registry
from reverse_etl_tests import warm
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.sandbox import RunningSandbox


def answered(folder: Path, *lines: str, columns: int = 1000) -> subprocess.CompletedProcess[str]:
    """`reverse-etl init` in a folder, with one line typed for each question."""
    environment = Project(folder, {"COLUMNS": str(columns)}).env()
    return warm.reverse_etl("init", folder=folder, environment=environment, timeout=60, typed="\n".join(lines) + "\n")


@pytest.mark.thorough
def test_a_first_sync_of_an_empty_folder_runs(project: Project, sandbox: RunningSandbox) -> None:
    """Connections and sync are written, nothing on stdout, and the next steps work as they are printed."""
    for path in (project.folder / "syncs").iterdir():
        path.unlink()
    sync = ("people", "people", "id", "customers", "", "email, plan", "updated_at", "manual")
    done = answered(project.folder, "", "sqlite", "", "../shop.db", "", "customerio", "", "live", "us", *sync)
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
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("CREATE TABLE customers (tenant, id, email, plan)")
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
        if question.startswith("path"):
            return "shop.db"
        address = "acme" if question.startswith("account") else "https://acme.example.com"
        return address if chosen is None else chosen

    sqlite3.connect(tmp_path / "shop.db").close()
    monkeypatch.setattr(Terminal, "text", text)
    (tmp_path / "connections.yaml").write_text(as_yaml(ask_connections(Terminal(), tmp_path)))
    assert kind == load_connections(tmp_path).destinations["main"].type


@pytest.mark.parametrize("kind", registry.names())
def test_the_local_sandbox_can_be_chosen_for_each_service_that_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The entry leads to the stand-in's usual port, and asks for nothing that an account would have."""
    asked = []

    def text(_: Terminal, question: str, default: str | None = None) -> str:
        asked.append(question.partition(":")[0])
        chosen = {"Type of the database": "duckdb", "Type of the destination": kind}.get(asked[-1], default)
        return "sandbox" if "local sandbox" in question else "shop.db" if chosen is None else chosen

    duckdb.connect(tmp_path / "shop.db").close()
    monkeypatch.setattr(Terminal, "text", text)
    (tmp_path / "connections.yaml").write_text(as_yaml(ask_connections(Terminal(), tmp_path)))
    destination = load_connections(tmp_path).destinations["main"]
    assert is_sandbox(destination)
    assert "Your own account, or the local sandbox, which needs none" == asked[-1]
    addresses = {value.partition("//")[2].partition("/")[0] for value in destination.SANDBOX.values()}
    assert {f"127.0.0.1:{registry.load(kind).PORT}"} == addresses


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
    sync = ("signed_up", "event", "events", "email", "signed_up", "customers", "", "updated_at", "", "plan", "", "1h")
    done = answered(project.folder, "shop", "main", *sync)
    assert 0 == done.returncode, done.stderr
    loaded = load_project(project.folder / "syncs").syncs["signed_up"]
    assert "SELECT email, updated_at AS occurred_at, plan\nFROM customers\n" == loaded.query
    assert loaded.events is not None
    assert "signed_up" == loaded.events.name


def test_a_file_that_is_there_is_kept(project: Project) -> None:
    """A sync is never written over, whatever its folder and the case of its name: another name is asked for."""
    project.write("more/twice.yml", people())
    before = (project.folder / "syncs" / "people.yaml").read_text()
    sync = ("People", "twice", "others", "people", "id", "customers", "", "email", "", "manual")
    done = answered(project.folder, "shop", "main", *sync)
    assert 0 == done.returncode, done.stderr
    assert "people.yaml already exists. Choose another name" in done.stderr
    assert "twice.yml already exists. Choose another name" in done.stderr
    assert (project.folder / "syncs" / "others.yaml").exists()
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
    sync = ("fresh", "people", "id", "anything", "", "*", "", "", "", "manual")
    done = answered(project.folder, "shop", "", "main", *sync)
    assert 0 == done.returncode, done.stderr
    assert "The columns are not known here: type their names." in done.stderr
    assert "The tables cannot be listed: database shop (sqlite): there is no file" in done.stderr


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("id", "id"), ("ID", "ID"), ("order", '"order"'), ("createdat", '"createdAt"'), ("lower(email)", "lower(email)")],
)
def test_a_column_is_written_as_the_query_needs_it(answer: str, expected: str) -> None:
    """Quoted where the name is a word of SQL or its case counts; an expression stays as it is."""
    assert expected == chosen(answer, ["id", '"order"', '"createdAt"'])
    assert chosen("missing", ["id"]) is None


def test_a_path_is_looked_at_and_asked_for_again(tmp_path: Path) -> None:
    """Where it counts from, what was probably meant, is it a database; nothing is written before the end."""
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database:
        database.execute("CREATE TABLE users (id, email, seen)")
    (tmp_path / "crm.csv").write_text("id,email\n" * 100)
    typed = ("sqlite", "crm", "crm.db", "../crm.csv", "../crm.db", "customerio", "", "", "us")
    stopped = answered(tmp_path, *typed)
    told = " ".join(stopped.stderr.split())
    assert f"There is no file {tmp_path / 'syncs' / 'crm.db'}, and the path counts from syncs" in told
    assert "did you mean ../crm.db?" in told
    assert "crm.csv is not a SQLite database" in told
    assert (130, []) == (stopped.returncode, list((tmp_path / "syncs").rglob("*")))
    done = answered(tmp_path, *typed, "users", "people", "id", "users", "", "email", "", "manual")
    assert 0 == done.returncode, done.stderr
    assert "path: ../crm.db\n" in (tmp_path / "syncs" / "connections.yaml").read_text()


def test_a_connection_whose_file_is_not_there_is_mended(project: Project) -> None:
    """A second sync asks for its path again, and changes nothing else of the file."""
    file = project.folder / "syncs" / "connections.yaml"
    right = file.read_text().replace("path: ../shop.db", "path: ../shop.db  # the shop's")
    file.write_text(right.replace("../shop.db", "shop.db"))
    sync = ("fresh", "people", "id", "customers", "", "email", "", "manual")
    done = answered(project.folder, "shop", "shop.db", "../shop.db", "main", *sync)
    assert 0 == done.returncode, done.stderr
    assert f"Database shop: there is no file {project.folder / 'syncs' / 'shop.db'}." in " ".join(done.stderr.split())
    assert right == file.read_text()


def test_each_answer_is_tried_at_its_question(project: Project) -> None:
    """A list, a wrong expression, a wrong length of time are asked for again; a star is every other column."""
    typed = ("fresh", "people", "id", "customers", "*", "id", "*, emial", "*", "email,plan,citty", "upper(citty)")
    done = answered(project.folder, "shop", "main", *typed, "email,plan", "updated_at", "often", "90s", "1h")
    told = " ".join(done.stderr.split())
    assert 0 == done.returncode, told
    assert "That is every column: type one." in told
    assert "That is more than one column: type one." in told
    assert 2 == told.count("no such column: citty")
    assert "'often' is not a length of time: write a whole number and a unit" in told
    query = load_project(project.folder / "syncs").syncs["fresh"].query
    assert "SELECT id, email, plan, updated_at\nFROM customers\nWHERE updated_at >= {{last_sync_time}}\n" == query


def test_a_sync_without_further_columns_is_asked_about_once(project: Project) -> None:
    """Enter at the other columns says that a row has its id alone; a second Enter means it."""
    sync = ("fresh", "people", "id", "customers", "", "", "", "", "manual")
    done = answered(project.folder, "shop", "main", *sync)
    assert 0 == done.returncode, done.stderr
    assert "Then a row is sent with id and nothing else." in done.stderr
    assert "SELECT id\nFROM customers\n" == load_project(project.folder / "syncs").syncs["fresh"].query


def test_the_last_lines_are_all_that_is_left_to_do(project: Project) -> None:
    """The variables that are not set, of connections that are there too, and the files first."""
    environment = Project(project.folder, {"CUSTOMERIO_SITE_ID": "", "COLUMNS": "1000"}).env()
    sync = ("shop", "main", "fresh", "people", "id", "customers", "", "email", "", "manual")
    typed = "\n".join(sync) + "\n"
    done = warm.reverse_etl("init", folder=project.folder, environment=environment, timeout=60, typed=typed)
    steps = [line.strip() for line in done.stderr.splitlines()]
    expected = ["export CUSTOMERIO_SITE_ID=...", "reverse-etl validate fresh", "reverse-etl test-connection shop"]
    assert expected == steps[steps.index(expected[0]) :][:3]
    assert 1 == sum("export" in step for step in steps)
