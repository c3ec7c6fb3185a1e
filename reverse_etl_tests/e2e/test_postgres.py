"""From a real PostgreSQL over verified TLS to the workspace: values and errors."""

from __future__ import annotations

import json

import pytest

from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.postgres import DATABASE, PASSWORD, PASSWORD_VARIABLE, USER, PostgresServer, postgres
from reverse_etl_tests.servers.sandbox import RunningSandbox

pytestmark = pytest.mark.thorough

__all__ = ["postgres"]

CONNECTION = """\
  shop:
    type: postgres
    host: {host}
    port: {port}
    database: {database}
    user: {user}
    password: ${{{variable}}}
    ca_file: {ca_file}
    timezone: Europe/Berlin
"""

TYPED = """SELECT 42::bigint AS id, 'ann@example.com' AS email, 12345678901234567890.123456789 AS exact, true AS active,
         1.5::float8 AS score, timestamptz '2026-01-05 01:30:00+00' AS seen_at,
         timestamp '2026-07-01 12:00' AS local_at,
         date '2026-01-05' AS born_on, '{"a": [1, 2]}'::jsonb AS tags, ARRAY[1, 2] AS list,
         NULL::text AS nothing, '' AS empty,
         'c0ffee00-0000-4000-8000-000000000000'::uuid AS token"""


@pytest.fixture
def shop(project: Project, sandbox: RunningSandbox, postgres: PostgresServer) -> Project:
    """The project, its database a PostgreSQL server."""
    project.environment[PASSWORD_VARIABLE] = PASSWORD
    project.connections(connection(postgres), sandbox.url)
    project.write("people.yaml", people(TYPED))
    return project


def connection(server: PostgresServer, host: str = "", database: str = DATABASE) -> str:
    """The entry of `connections.yaml`."""
    return CONNECTION.format(
        host=host or server.host,
        port=server.port,
        database=database,
        user=USER,
        variable=PASSWORD_VARIABLE,
        ca_file=server.ca_file,
    )


def test_each_type_arrives_as_customer_io_takes_it(shop: Project, sandbox: RunningSandbox) -> None:
    """Digits are kept, times are Unix seconds, empty values are left out, identifiers are text."""
    code, report = shop.run("people")
    assert (0, 1) == (code, report["rows"]["delivered"]), report
    (person,) = sandbox.people()
    assert ("42", "ann@example.com") == (person["id"], person["email"])
    attributes = {key: value for key, value in person["attributes"].items() if key not in ("id", "email")}
    assert {
        "exact": "12345678901234567890.123456789",
        "active": "True",
        "score": "1.5",
        "seen_at": "1767576600",
        "local_at": "1782900000",
        "born_on": "1767571200",
        "tags": "{'a': [1, 2]}",
        "list": "[1, 2]",
        "token": "c0ffee00-0000-4000-8000-000000000000",
    } == {key: str(value) for key, value in attributes.items()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "wrong-planted-password"}, ("password", "shop", USER)),
        ({"host": "no-such-host.invalid"}, ("no-such-host.invalid", "shop")),
        ({"host": "127.0.0.1"}, ("certificate", "127.0.0.1", "host")),
        ({"database": "nowhere"}, ("nowhere", "shop")),
    ],
)
def test_a_database_that_cannot_be_used_is_a_sentence(
    shop: Project,
    sandbox: RunningSandbox,
    postgres: PostgresServer,
    change: dict[str, str],
    words: tuple[str, ...],
) -> None:
    """Exit 3, the sync, its file, the connection and the cause; no traceback, no secret, nothing sent."""
    if "password" in change:
        shop.environment[PASSWORD_VARIABLE] = change["password"]
    else:
        shop.connections(connection(postgres, **change), sandbox.url)
    done = shop.reverse_etl("run", "people")
    assert 3 == done.returncode, done.stderr
    for word in (*words, "sync people", "syncs/people.yaml"):
        assert word.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert "planted" not in done.stderr + done.stdout
    assert [] == sandbox.people()


def test_a_writing_function_is_refused_by_the_session(shop: Project, postgres: PostgresServer) -> None:
    """What the statement's text cannot show is refused by the read-only session."""
    with postgres.admin() as admin:
        admin.execute("CREATE SEQUENCE IF NOT EXISTS counter")
        admin.execute(f"GRANT ALL ON SEQUENCE counter TO {USER}")
        admin.execute(
            "CREATE OR REPLACE FUNCTION next_number() RETURNS bigint LANGUAGE sql AS $$SELECT nextval('counter')$$"
        )
    shop.write("people.yaml", people("SELECT next_number() AS id"))
    done = shop.reverse_etl("run", "people")
    assert 3 == done.returncode
    assert "the session only reads" in done.stderr


def test_the_log_is_made_looked_at_and_dropped(
    shop: Project, sandbox: RunningSandbox, postgres: PostgresServer
) -> None:
    """As a user does it: what is missing is in the message, runs send what changed, and nothing is kept at the end."""
    with postgres.admin() as admin:
        admin.execute("CREATE TABLE leads (id int PRIMARY KEY, plan text)")
        admin.execute("INSERT INTO leads VALUES (1, 'free'), (2, 'free')")
        sync = people("SELECT id, plan FROM leads") + "changes: {by: log, tables: {leads: id}}\n"
        shop.write("people.yaml", sync.replace("identify_by: email", "identify_by: id"))
        refused = shop.reverse_etl("log", "create", "people")
        assert (3, True) == (refused.returncode, f'ALTER ROLE "{USER}" REPLICATION' in refused.stderr), refused.stderr
        admin.execute(f"ALTER ROLE {USER} REPLICATION")
        admin.execute("CREATE PUBLICATION reverse_etl_people FOR TABLE leads")
        assert "the log is not kept" in shop.reverse_etl("log", "status").stdout
        made = shop.reverse_etl("log", "create", "people")
        assert (0, True) == (made.returncode, "kept from now on" in made.stderr), made.stderr
        code, report = shop.run("people")
        assert (0, 2) == (code, report["rows"]["delivered"]), report
        admin.execute("UPDATE leads SET plan = 'pro' WHERE id = 2")
        code, report = shop.run("people")
        assert (0, 1) == (code, report["rows"]["delivered"]), report
        assert "the server keeps" in shop.reverse_etl("log", "status", "people").stdout
        assert json.loads(shop.reverse_etl("log", "status", "--json").stdout)["people"]["exists"]
        assert 0 == shop.reverse_etl("log", "drop", "people").returncode
        assert "nothing was kept" in shop.reverse_etl("log", "drop", "people").stderr
        admin.execute("DROP TABLE leads; DROP PUBLICATION reverse_etl_people")
        admin.execute(f"ALTER ROLE {USER} NOREPLICATION")
