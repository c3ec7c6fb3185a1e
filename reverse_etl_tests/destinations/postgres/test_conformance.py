"""PostgreSQL is put through the suite for database destinations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from reverse_etl_tests.destinations.sql.ahead import SqlLooksAhead
from reverse_etl_tests.destinations.sql.conformance import SqlConformance
from reverse_etl_tests.destinations.sql.edges import SqlEdges
from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.destinations.sql.triggers import SqlTriggers
from reverse_etl_tests.servers.postgres import USER

_RAISES = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF new.score < 0 THEN RAISE EXCEPTION 'not %', new; END IF; RETURN new; END $$
"""
_COUNTS = """
CREATE TABLE IF NOT EXISTS writes (id bigint);
GRANT INSERT ON writes TO reader;
CREATE OR REPLACE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO writes VALUES (new.id); RETURN NULL; END $$;
CREATE TRIGGER count_write AFTER INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION count_write();
"""


class TestPostgres(SqlConformance):
    """Over TLS, as a user who may do no more than write."""

    grant_delete = f"GRANT DELETE ON customers TO {USER}"
    revoke_all_but_insert = f"REVOKE SELECT, UPDATE ON customers FROM {USER}"
    types: ClassVar[Mapping[str, str]] = {
        "varchar(40)": "varchar(40)",
        "text": "text",
        "double precision": "double precision",
        "timestamp": "timestamp",
        "timestamp with time zone": "timestamptz",
        "json": "jsonb",
    }

    def make_constrained(self, server: SqlServer, key: str) -> None:
        """As the suite says."""
        server.run(
            "DROP TABLE IF EXISTS customers, plans; DROP FUNCTION IF EXISTS refuse; CREATE TABLE plans (id int PRIMARY "
            "KEY); INSERT INTO plans VALUES (1); CREATE TABLE customers (id bigint "
            f"{key}, score int CHECK (score < 900), plan int REFERENCES plans, email text UNIQUE, note text NOT NULL); "
            f"INSERT INTO customers VALUES (100, 1, 1, 'taken@x', 'theirs'); {_RAISES}; CREATE TRIGGER refuse BEFORE "
            "INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION refuse()"
        )

    def count_writes(self, server: SqlServer) -> None:
        """By a trigger."""
        server.run(_COUNTS)

    def writes(self, server: SqlServer) -> int:
        """What it wrote down."""
        ((count,),) = server.fetch("SELECT count(*) FROM writes")
        return int(count)


class TestEdges(SqlEdges):
    """Likewise."""

    holds_infinity = True
    grant_delete = f"GRANT DELETE ON {{}} TO {USER}"
    without_tls = b"N"


class TestLooksAhead(SqlLooksAhead):
    """As the suite says."""


class TestTriggers(SqlTriggers):
    """As the suite says."""

    fills = (
        "CREATE OR REPLACE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.score > 1 THEN "
        "new.plan = coalesce(new.plan, 'free'); END IF; RETURN new; END $$; "
        "CREATE TRIGGER fill BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION fill()"
    )
