"""What only PostgreSQL's tables have: its types, constraints, sequences, policies and rights."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reverse_etl.config.environment import EnvText
from reverse_etl.errors import ConfigError, DestinationError, DestinationRefusedError, UnauthorizedError
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.postgres.server import Postgres
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.tables import delivered
from reverse_etl_tests.servers.postgres import DATABASE, PASSWORD_VARIABLE, USER

VALUES: list[tuple[str, Any, Any]] = [
    ("uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("mood", "glad", "glad"),
    ("positive", 7, 7),
    ("short", "abc", "abc"),
    ("real", 0.1, 0.1),
    ("numeric(6,2)", 0.125, Decimal("0.13")),
    ("numeric", 0.1, Decimal("0.1")),
    ("char(5)", "ab", "ab   "),
    ("interval", "1 day 02:00", dt.timedelta(days=1, hours=2)),
    ("time", "12:30", dt.time(12, 30)),
    ("json", '{"b": 1,  "a": 2}', {"b": 1, "a": 2}),
    ("xml", "<a/>", "<a/>"),
    ("point", "(1,2)", "(1,2)"),
    ("bytea", "\\x6162", b"ab"),
    ("boolean", "yes", True),
    ("smallint", "7", 7),
    ("timestamptz", "2024-07-01T12:00:00+02", dt.datetime(2024, 7, 1, 10, tzinfo=dt.UTC)),
    ("text", 12, "12"),
    ("text", True, "true"),
]


@pytest.mark.parametrize(("kind", "value", "stored"), VALUES)
def test_values_of_a_type_arrive_and_are_no_change_again(
    server: Postgres, tmp_path: Path, kind: str, value: Any, stored: Any
) -> None:
    """Compared as the table has them: what it rounds, pads or spells in its own way is not written each time."""
    server.run("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN positive AS int CHECK (value > 0)")
    server.run(f"CREATE DOMAIN short AS varchar(3); CREATE TABLE customers (id bigint PRIMARY KEY, x {kind})")
    for folder in ("1", "2"):
        delivery = delivered(server, tmp_path / folder, {"id": [1, 2], "x": [value, None]})
        assert ([1, 2], {}) == (delivery.numbers(Outcome.DELIVERED), delivery.reasons())
    ((found,), (none,)) = server.fetch("SELECT x FROM customers ORDER BY id")
    assert (pytest.approx(stored) if isinstance(stored, float) else stored, None) == (found, none)
    assert [(1,)] == server.fetch("SELECT count(DISTINCT xmin::text) FROM customers")


REFUSED: list[tuple[str, Any, tuple[str, str]]] = [
    ("mood", "Glad", ("not_an_allowed_value", "x")),
    ("positive", -7, ("breaks_check", "")),
    ("short", "abcd", ("too_long", "x")),
    ("short NOT NULL", None, ("null", "x")),
    ("interval", "one day", ("wrong_value", "")),
    ("jsonb", "{", ("wrong_value", "")),
    ("jsonb", '"\\u0000"', ("not_in_encoding", "")),
    ("date", "2024-02-30", ("out_of_range", "")),
    ("boolean", "perhaps", ("wrong_value", "")),
    ("text", "a\0", ("nul_character", "x")),
    ("name", "x" * 64, ("too_long", "x")),
]


@pytest.mark.parametrize(("kind", "value", "why"), REFUSED)
def test_a_value_that_a_type_does_not_take_fails_its_row_alone(
    server: Postgres, tmp_path: Path, kind: str, value: Any, why: tuple[str, str]
) -> None:
    """Found in Arrow or named by the server; the good row is stored."""
    good = {"mood": "glad", "positive": 1, "interval": "1 day", "jsonb": "{}", "date": "2024-02-29", "boolean": "t"}
    server.run("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN positive AS int CHECK (value > 0)")
    server.run(f"CREATE DOMAIN short AS varchar(3); CREATE TABLE customers (id bigint PRIMARY KEY, x {kind})")
    delivery = delivered(server, tmp_path, {"id": [1, 2], "x": [value, good.get(kind, "abc")]})
    assert ({1: why}, [2]) == (delivery.reasons(), delivery.numbers(Outcome.DELIVERED))


def test_a_text_that_the_databases_encoding_lacks_fails_its_row_alone(server: Postgres, tmp_path: Path) -> None:
    """A database in LATIN1 takes what it has characters for."""
    with server.running.admin("postgres") as admin:
        admin.execute("DROP DATABASE IF EXISTS latin")
        admin.execute("CREATE DATABASE latin ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    with server.running.admin("latin") as admin:
        admin.execute(f"GRANT ALL ON SCHEMA public TO {USER}; CREATE TABLE customers (id bigint PRIMARY KEY, x text)")
        admin.execute(f"GRANT ALL ON customers TO {USER}")
        server.settings["database"] = EnvText("latin")
        delivery = delivered(server, tmp_path, {"id": [1, 2, 3], "x": ["é", "日本", "ok"]})
        assert {2: ("not_in_encoding", "")} == delivery.reasons()
        assert [("é",), ("ok",)] == admin.execute("SELECT x FROM customers ORDER BY id").fetchall()


def test_sequences_are_not_used_up_by_rows_that_exist(server: Postgres, tmp_path: Path) -> None:
    """A table that numbers its rows itself: only new ones take a number."""
    server.run("CREATE TABLE customers (n serial PRIMARY KEY, id bigint UNIQUE, score int)")
    for run in range(3):
        delivered(server, tmp_path / str(run), {"id": [1, 2, 3], "score": [run, run, run]})
    delivered(server, tmp_path / "new", {"id": [4], "score": [0]})
    assert [(1, 1), (2, 2), (3, 3), (4, 4)] == server.fetch("SELECT n, id FROM customers ORDER BY n")


WITHOUT_MERGE = {
    "a table that inherits": "CREATE TABLE more () INHERITS (customers)",
    "a trigger": "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
    "CREATE TRIGGER nothing AFTER INSERT ON customers EXECUTE FUNCTION nothing()",
}


@pytest.mark.parametrize("more", ["", *WITHOUT_MERGE])
def test_a_slice_adds_updates_and_leaves_alone(server: Postgres, tmp_path: Path, more: str) -> None:
    """Of the same rows some are new, some differ and some are not touched, nor locked; by MERGE and without it."""
    server.run("CREATE TABLE customers (id bigint PRIMARY KEY, score int, city text)")
    server.run(WITHOUT_MERGE.get(more, "SELECT 1"))
    delivered(server, tmp_path / "1", {"id": [1, 2, 3], "score": [1, 2, None], "city": ["a", None, ""]})
    # A row that ON CONFLICT finds the same is not written, but locked: its xmax is set.
    versions = f"SELECT id, {'xmin' if more else '(xmin, xmax)'}::text FROM customers"
    before = dict(server.fetch(versions))
    columns = {"id": [3, 4, 2, 1], "score": [None, 4, 2, 9], "city": ["", "d", None, "a"]}
    delivery = delivered(server, tmp_path / "2", columns)
    assert [1, 2, 3, 4] == delivery.numbers(Outcome.DELIVERED)
    assert [(1, 9, "a"), (2, 2, None), (3, None, ""), (4, 4, "d")] == server.fetch(
        "SELECT * FROM customers ORDER BY id"
    )
    after = dict(server.fetch(versions))
    assert {2, 3} == {key for key in before if before[key] == after[key]}


def test_a_key_that_another_writer_adds_meanwhile_is_updated(server: Postgres, tmp_path: Path) -> None:
    """MERGE fails then, having waited for the other writer; the rows of the slice are all there all the same."""
    server.run("CREATE TABLE customers (id bigint PRIMARY KEY, score int)")
    with server.running.session() as other, ThreadPoolExecutor() as threads:
        with other.transaction():
            other.execute("INSERT INTO customers VALUES (2, 0)")
            delivery = threads.submit(delivered, server, tmp_path, {"id": [1, 2, 3], "score": [1, 2, 3]})
            while not server.fetch("SELECT FROM pg_locks WHERE NOT granted"):
                assert not delivery.done()
        assert [1, 2, 3] == delivery.result().numbers(Outcome.DELIVERED)
    assert [(1, 1), (2, 2), (3, 3)] == server.fetch("SELECT * FROM customers ORDER BY id")


def test_a_slice_does_not_read_the_whole_table(server: Postgres, tmp_path: Path) -> None:
    """Its rows are looked for in the key's index, though the planner takes reading 20,000 rows for cheaper."""
    server.run("CREATE TABLE customers (id bigint PRIMARY KEY, score int)")
    server.run("INSERT INTO customers SELECT i, 0 FROM generate_series(1, 20000) AS g (i); ANALYZE customers")
    read = "SELECT coalesce(seq_scan, 0) FROM pg_stat_user_tables WHERE relname = 'customers'"
    before = server.fetch(read)
    delivered(server, tmp_path, {"id": list(range(5_000)), "score": [1] * 5_000})
    assert before == server.fetch(read)
    assert [(5_000,)] == server.fetch("SELECT count(*) FROM customers WHERE score = 1")


def test_rows_beside_those_that_are_refused_are_written_together(server: Postgres, tmp_path: Path) -> None:
    """In one statement, in the slice that first has bad rows and in the next one: all have one (sub)transaction."""
    server.run("CREATE TABLE plans (id int PRIMARY KEY); INSERT INTO plans VALUES (1)")
    server.run(
        "CREATE TABLE customers (id bigint PRIMARY KEY, email text UNIQUE, plan int REFERENCES plans, score int CHECK "
        "(score < 9)); INSERT INTO customers VALUES (-1, 'taken', 1, 1)"
    )
    columns = {"id": [*range(200)], "email": [str(n) for n in range(200)], "plan": [1] * 200, "score": [1] * 200}
    for first in (0, 100):
        columns["email"][first + 7], columns["plan"][first + 8], columns["score"][first + 9] = "taken", 2, 9
    delivery = delivered(server, tmp_path, columns, settings={"rows_per_transaction": 100})
    assert ["duplicate_value", "missing_reference", "breaks_check"] * 2 == [
        why for why, _ in delivery.reasons().values()
    ]
    written = "SELECT count(*), count(DISTINCT xmin::text) FROM customers WHERE id >= 0 GROUP BY id / 100"
    assert [(97, 1), (97, 1)] == server.fetch(written)


BAD: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "check": ({"score": 99}, ("breaks_check", "score")),
    "divides by zero": ({"score": 0}, ("refused", "")),
    "reference": ({"plan": 7}, ("missing_reference", "plan")),
    "unique": ({"email": "taken@x"}, ("duplicate_value", "email")),
    "domain": ({"age": -1}, ("breaks_check", "")),
    "twice": ({"id": 1}, ("duplicate_key", "id")),
    "check of twice": ({"id": 1, "score": 99}, ("duplicate_key", "id")),
}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bad=st.dictionaries(st.integers(2, 40), st.sampled_from(sorted(BAD)), max_size=12),
    same=st.sets(st.integers(1, 40), max_size=4),
    there=st.sets(st.integers(1, 40)),
)
@example(bad={2: "domain", 3: "check of twice"}, same=set(), there=set())
def test_of_rows_that_constraints_refuse_each_is_named(
    server: Postgres, bad: dict[int, str], same: set[int], there: set[int]
) -> None:
    """Whether or not it can be asked for beforehand; slices of 20 rows, of which any were there before."""
    server.run(
        "DROP TABLE IF EXISTS customers, plans; DROP DOMAIN IF EXISTS age; CREATE DOMAIN age AS int CHECK (value >= 0)"
    )
    server.run(
        "CREATE TABLE plans (id int PRIMARY KEY); INSERT INTO plans VALUES (1); GRANT SELECT ON plans TO " + USER
    )
    server.run(
        "CREATE TABLE customers (id bigint PRIMARY KEY, score int CHECK (100 / score > 1), plan int REFERENCES plans, "
        "email text UNIQUE, age age, old boolean); INSERT INTO customers VALUES (-1, 1, 1, 'taken@x', 1, true)"
    )
    for n in there:
        server.run(f"INSERT INTO customers (id, old) VALUES ({n}, true)")
    rows: list[dict[str, Any]] = [{"id": n, "score": 1, "plan": 1, "email": f"{n}@x", "age": 1} for n in range(1, 41)]
    expected: dict[int, tuple[str, str]] = {}
    for n, why in bad.items():
        if "twice" in why and n > 20:
            continue
        rows[n - 1] |= BAD[why][0]
        expected[n] = BAD[why][1]
    shared = sorted(same - bad.keys())
    for n in shared:
        rows[n - 1]["email"] = "shared@x"
    with tempfile.TemporaryDirectory() as folder:
        batch = pa.RecordBatch.from_pylist(rows)
        delivery = delivered(server, Path(folder), batch, settings={"rows_per_transaction": 20})
        reasons = delivery.reasons()
    dropped = {n for n in shared if reasons.get(n) == ("duplicate_value", "email")}
    assert len(dropped) == max(len(shared) - 1, 0)
    assert expected == {n: why for n, why in reasons.items() if n not in dropped}
    stored = server.fetch(
        "SELECT id, email FROM customers WHERE old IS NULL OR score IS NOT NULL AND id > 0 ORDER BY id"
    )
    assert [(n, rows[n - 1]["email"]) for n in range(1, 41) if n not in {*expected, *dropped}] == stored


def test_a_deferred_constraint_fails_its_rows_alone(server: Postgres, tmp_path: Path) -> None:
    """Though it would fail the whole transaction at COMMIT."""
    server.run("CREATE TABLE plans (id int PRIMARY KEY); INSERT INTO plans VALUES (1)")
    server.run(
        "CREATE TABLE customers (id bigint PRIMARY KEY, plan int REFERENCES plans DEFERRABLE INITIALLY DEFERRED, "
        "code int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
    )
    delivery = delivered(server, tmp_path, {"id": [1, 2, 3, 4], "plan": [1, 7, 1, 1], "code": [1, 2, 1, 4]})
    assert {2: ("missing_reference", "plan"), 3: ("duplicate_value", "code")} == delivery.reasons()
    assert [(1,), (4,)] == server.fetch("SELECT id FROM customers ORDER BY id")


@pytest.mark.parametrize("when", ["IMMEDIATE", "DEFERRED"])
def test_rows_swap_unique_values_where_the_constraint_is_checked_at_the_end(
    server: Postgres, tmp_path: Path, when: str
) -> None:
    """Of the statement, which writes both; another row's value is not taken all the same."""
    server.run(f"CREATE TABLE customers (id bigint PRIMARY KEY, code int UNIQUE DEFERRABLE INITIALLY {when})")
    server.run("INSERT INTO customers VALUES (1, 1), (2, 2), (3, 3), (9, 9)")
    delivery = delivered(server, tmp_path / "1", {"id": [1, 2, 3], "code": [2, 3, 1]})
    assert [1, 2, 3] == delivery.numbers(Outcome.DELIVERED)
    assert [(1, 2), (2, 3), (3, 1), (9, 9)] == server.fetch("SELECT * FROM customers ORDER BY id")
    delivery = delivered(server, tmp_path / "2", {"id": [4, 5], "code": [4, 9]})
    assert {2: ("duplicate_value", "code")} == delivery.reasons()


def test_partitions_exclusions_and_policies_name_their_rows(server: Postgres, tmp_path: Path) -> None:
    """A row without a partition, one that another excludes, one that a policy forbids."""
    server.run(
        "CREATE TABLE parted (id bigint PRIMARY KEY, x int) PARTITION BY RANGE (id); "
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10); ALTER TABLE parted_1 ADD UNIQUE (x)"
    )
    delivery = delivered(server, tmp_path / "1", {"id": [1, 2, 10], "x": [5, 5, 6]}, table="parted")
    assert {2: ("duplicate_value", "x"), 3: ("no_partition", "")} == delivery.reasons()

    server.run("CREATE TABLE spans (id bigint PRIMARY KEY, span int4range, EXCLUDE USING gist (span WITH &&))")
    delivery = delivered(server, tmp_path / "2", {"id": [1, 2], "span": ["[1,5)", "[4,6)"]}, table="spans")
    assert {2: ("overlaps", "span")} == delivery.reasons()

    server.run(
        "CREATE TABLE ruled (id bigint PRIMARY KEY, tenant int); ALTER TABLE ruled ENABLE ROW LEVEL SECURITY; "
        f"CREATE POLICY own ON ruled TO {USER} USING (true) WITH CHECK (tenant = 1)"
    )
    delivery = delivered(server, tmp_path / "3", {"id": [1, 2], "tenant": [1, 2]}, table="ruled")
    assert {2: ("row_policy", "")} == delivery.reasons()


@pytest.mark.parametrize("key", ["PRIMARY KEY", ""])
@pytest.mark.parametrize("bad", [False, True])
def test_a_row_that_a_trigger_swallows_is_noticed(server: Postgres, tmp_path: Path, key: str, bad: bool) -> None:
    """New or changed, whether or not another row fails; rows that are there already are delivered."""
    server.run(f"CREATE TABLE customers (id bigint {key}, score int CHECK (score < 900))")
    server.run("INSERT INTO customers VALUES (1, 1), (2, 2), (3, 3)")
    server.run(
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.id IN (2, 3, 5) THEN RETURN "
        "NULL; END IF; RETURN new; END $$; CREATE TRIGGER swallow BEFORE INSERT OR UPDATE ON customers FOR EACH ROW "
        "EXECUTE FUNCTION swallow()"
    )
    rows = {"id": [1, 2, 3, 4, 5, 6], "score": [10, 2, 30, 40, 50, 900 if bad else 60]}
    delivery = delivered(server, tmp_path, rows)
    swallowed = {3: ("not_applied", ""), 5: ("not_applied", "")}
    assert swallowed | ({6: ("breaks_check", "score")} if bad else {}) == delivery.reasons()
    assert [1, 2, 4] == delivery.numbers(Outcome.DELIVERED)[:3]


def test_settings_of_the_user_do_not_matter(server: Postgres, tmp_path: Path) -> None:
    """Whatever a role's sessions begin with: zone, date style, path, isolation, read-only."""
    server.run("CREATE TABLE customers (id bigint PRIMARY KEY, w timestamp, d date, m text)")
    changes = {
        "TimeZone": "Asia/Tokyo", "DateStyle": "SQL, DMY", "search_path": "nowhere", "lock_timeout": "1ms",
        "default_transaction_isolation": "serializable", "default_transaction_read_only": "on",
        "standard_conforming_strings": "off",
    }  # fmt: skip
    try:
        for name, value in changes.items():
            server.run(f"ALTER ROLE {USER} SET {name} = '{value}'")
        at = pa.array([dt.datetime(2024, 7, 1, 22, 30, tzinfo=dt.UTC)], pa.timestamp("us", "UTC"))
        batch = pa.RecordBatch.from_pydict({"id": [1], "w": at, "d": ["2024-02-03"], "m": ["\\"]})
        delivery = delivered(server, tmp_path, batch)
        assert [1] == delivery.numbers(Outcome.DELIVERED)
    finally:
        server.run(f"ALTER ROLE {USER} RESET ALL")
    assert [(dt.datetime(2024, 7, 1, 22, 30), dt.date(2024, 2, 3), "\\")] == server.fetch(  # noqa: DTZ001
        "SELECT w, d, m FROM customers"
    )


def test_nothing_is_left_behind(server: Postgres, tmp_path: Path) -> None:
    """Temporary tables are gone with their transaction, and the connection with the run."""
    server.run("CREATE TABLE customers (id bigint PRIMARY KEY, score int CHECK (score < 9))")
    delivered(server, tmp_path, {"id": [1, 2], "score": [1, 9]})
    assert [] == server.fetch("SELECT relname FROM pg_class WHERE relname LIKE 'reverse_etl%'")


def test_a_table_of_another_schema(server: Postgres, tmp_path: Path) -> None:
    """By ``schema`` in connections.yaml, or before the table's name; a name with a dot is a name first."""
    server.run(
        f"CREATE SCHEMA crm; GRANT USAGE ON SCHEMA crm TO {USER}; CREATE TABLE crm.customers (id bigint PRIMARY KEY); "
        f'GRANT SELECT, INSERT, UPDATE ON crm.customers TO {USER}; CREATE TABLE "crm.customers" (id bigint PRIMARY KEY)'
    )
    delivered(server, tmp_path / "1", {"id": [1]}, settings={"schema": "crm"})
    delivered(server, tmp_path / "2", {"id": [2]}, table="crm.customers")
    server.run('DROP TABLE "crm.customers"')
    delivered(server, tmp_path / "3", {"id": [3]}, table="crm.customers")
    assert [(1,), (3,)] == server.fetch("SELECT id FROM crm.customers ORDER BY id")


ASKED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("CREATE VIEW customers AS SELECT 1 AS id", {"id": [1]}, {}, "is a view"),
    (
        "CREATE TABLE customers (id bigint PRIMARY KEY, x int[])",
        {"id": [1], "x": ["{1}"]},
        {},
        r"x is an array \(integer",
    ),
    (
        "CREATE TABLE customers (id bigint PRIMARY KEY, x int GENERATED ALWAYS AS (id * 2) STORED)",
        {"id": [1], "x": [1]},
        {},
        "x is generated",
    ),
    (
        "CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",
        {"id": [1]},
        {},
        "id is numbered by the table alone",
    ),
    ("CREATE TABLE customers (id json)", {"id": ["1"]}, {}, r"id \(json\) cannot be compared"),
    (
        "CREATE TABLE customers (id int); CREATE RULE r AS ON INSERT TO customers DO INSTEAD NOTHING",
        {"id": [1]},
        {},
        "has rules",
    ),
    ("CREATE TABLE customers (id int)", {"id": [1]}, {"settings": {"schema": "crn"}}, "no schema crn"),
]


@pytest.mark.parametrize(("ddl", "rows", "asked", "words"), ASKED)
def test_what_a_table_cannot_take_is_refused_before_the_run(
    server: Postgres, tmp_path: Path, ddl: str, rows: dict[str, Any], asked: dict[str, Any], words: str
) -> None:
    """By name, with the next step."""
    server.run(ddl)
    with pytest.raises(ConfigError, match=words) as raised:
        delivered(server, tmp_path, rows, **asked)
    assert raised.value.hint


def test_a_column_whose_type_has_a_default_needs_no_value(server: Postgres, tmp_path: Path) -> None:
    """As one that has a default of its own; one without is named before the run."""
    server.run("CREATE DOMAIN paid AS int NOT NULL DEFAULT 5; CREATE DOMAIN well_paid AS paid")
    server.run("CREATE TABLE customers (id bigint PRIMARY KEY, x paid, y well_paid)")
    delivered(server, tmp_path / "1", {"id": [1]})
    assert [(1, 5, 5)] == server.fetch("SELECT * FROM customers")
    server.run("ALTER DOMAIN paid DROP DEFAULT")
    with pytest.raises(ConfigError, match="needs a value for x"):
        delivered(server, tmp_path / "2", {"id": [2]})


def test_update_only_finds_rows_by_a_column_that_the_table_numbers(server: Postgres, tmp_path: Path) -> None:
    """It is matched, and never written."""
    server.run("CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, score int)")
    server.run("INSERT INTO customers (score) VALUES (0)")
    delivered(server, tmp_path, {"id": [1, 2], "score": [5, 6]}, write="update_only")
    assert [(1, 5)] == server.fetch("SELECT * FROM customers")


RIGHTS = {
    "REVOKE INSERT ON customers FROM reader": 'INSERT ON "public"."customers"',
    "REVOKE UPDATE ON customers FROM reader": 'UPDATE ON "public"."customers"',
    "REVOKE SELECT ON customers FROM reader": 'SELECT ON "public"."customers"',
    "REVOKE SELECT (score), SELECT ON customers FROM reader; GRANT SELECT (id) ON customers TO reader": "SELECT ON",
    "REVOKE USAGE ON SCHEMA public FROM reader": 'USAGE ON SCHEMA "public"',
    f"REVOKE TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC": "TEMPORARY ON DATABASE",
    "REVOKE USAGE ON SEQUENCE customers_n_seq FROM reader": "USAGE ON SEQUENCE",
}


@pytest.mark.parametrize("revoke", RIGHTS)
def test_a_right_that_is_missing_is_named_before_the_run(server: Postgres, tmp_path: Path, revoke: str) -> None:
    """Each with the GRANT to ask for; nothing is written."""
    server.run("CREATE TABLE customers (n serial, id bigint UNIQUE, score int)")
    server.run(revoke)
    try:
        with pytest.raises(DestinationRefusedError, match="lacks rights") as raised:
            delivered(server, tmp_path, {"id": [1], "score": [1]})
    finally:
        server.run(f"GRANT TEMPORARY ON DATABASE {DATABASE} TO PUBLIC")
    assert f"GRANT {RIGHTS[revoke]}" in raised.value.hint
    assert f'TO "{USER}"' in raised.value.hint
    assert [] == server.fetch("SELECT * FROM customers")


def test_rights_on_columns_are_enough(server: Postgres, tmp_path: Path) -> None:
    """INSERT and UPDATE on what is written, and SELECT on it; nothing on the rest."""
    server.run(TABLE)
    server.run(
        f"REVOKE ALL ON customers FROM {USER}; GRANT SELECT (id, email, score), INSERT (id, email, score), "
        f"UPDATE (email, score) ON customers TO {USER}"
    )
    assert [1, 2, 3] == delivered(server, tmp_path, PEOPLE).numbers(Outcome.DELIVERED)


CONNECTIONS: list[tuple[dict[str, Any], type[DestinationError], str]] = [
    ({"user": "nobody"}, DestinationRefusedError, "does not let user nobody connect"),
    ({"database": "shopp"}, DestinationRefusedError, "no database shopp"),
    ({"host": "127.0.0.1"}, DestinationRefusedError, "certificate is for another name"),
    ({"ca_file": None}, DestinationRefusedError, "authority"),
    ({"ca_file": Path("/nowhere.pem")}, DestinationRefusedError, "no file /nowhere.pem"),
    ({"port": 1}, DestinationError, "nothing answers at localhost port 1"),
    ({"host": "nowhere.invalid"}, DestinationError, "there is no host nowhere.invalid"),
]


@pytest.mark.parametrize(("changes", "kind", "words"), CONNECTIONS)
def test_a_connection_that_cannot_be_made_says_why(
    server: Postgres, tmp_path: Path, changes: dict[str, Any], kind: type[DestinationError], words: str
) -> None:
    """And what to do, without the password."""
    server.settings |= {key: EnvText(value) if isinstance(value, str) else value for key, value in changes.items()}
    server.run(TABLE)
    with pytest.raises(kind, match=words) as raised:
        delivered(server, tmp_path, PEOPLE)
    assert raised.value.message.startswith("destination crm")
    assert raised.value.hint
    assert "planted" not in str(raised.value)


def test_a_password_that_is_refused(server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names where it comes from."""
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    with pytest.raises(UnauthorizedError) as raised:
        delivered(server, tmp_path, PEOPLE)
    assert PASSWORD_VARIABLE in raised.value.hint
    assert "wrong" not in json.dumps([raised.value.message, raised.value.hint])
