"""``test-connection`` for a destination: the step that fails is the last, with the way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.destinations.postgres import steps
from reverse_etl_tests.destinations.postgres.server import Postgres
from reverse_etl_tests.servers.postgres import DATABASE, USER

FAILING: list[tuple[str, dict[str, Any], str, str]] = [
    ("", {"host": EnvText("nowhere.invalid")}, "address", "There is no host nowhere.invalid."),
    ("", {"port": 1}, "port", "1 refuses connections."),
    ("", {"ca_file": None}, "TLS", "certificate is refused"),
    ("", {"database": EnvText("shopp")}, "log in", "no database shopp"),
    ("", {"schema": "crm"}, "schema", "There is no schema crm."),
    ("CREATE SCHEMA crm", {"schema": "crm"}, "schema", "may not look into schema crm"),
    (f"REVOKE TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC", {}, "temporary tables", "may not make temporary tables"),
]


@contextmanager
def changed(server: Postgres, sql: str) -> Iterator[None]:
    """A statement's effect on rights and schemas, taken back."""
    server.run(sql or "SELECT")
    try:
        yield
    finally:
        server.run(f"GRANT TEMPORARY ON DATABASE {DATABASE} TO PUBLIC; DROP SCHEMA IF EXISTS crm")


@pytest.mark.parametrize(("sql", "settings", "name", "words"), FAILING)
def test_the_step_that_fails_is_the_last(
    server: Postgres, sql: str, settings: dict[str, Any], name: str, words: str
) -> None:
    """With what to do."""
    with changed(server, sql):
        *before, last = steps(server.config(**settings))
    assert all(step.ok for step in before)
    assert (name, False, True) == (last.name, last.ok, words in last.detail), last
    assert last.hint


def test_what_works_is_shown(server: Postgres) -> None:
    """Who is logged in, and where."""
    found = {step.name: step.detail for step in steps(server.config())}
    assert f"user {USER}, database {DATABASE}" == found["log in"]
    assert ["address", "port", "TLS", "log in", "server", "schema", "temporary tables"] == list(found)
