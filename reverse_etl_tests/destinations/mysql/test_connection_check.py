"""``test-connection`` for a destination: the step that fails is the last, with the way out."""

from __future__ import annotations

from typing import Any

import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.destinations.mysql import steps
from reverse_etl_tests.destinations.mysql.server import ACCOUNT, DATABASE, Mysql

FAILING: list[tuple[str, dict[str, Any], str, str]] = [
    ("", {"host": EnvText("nowhere.invalid")}, "address", "There is no host nowhere.invalid."),
    ("", {"port": 1}, "port", "1 refuses connections."),
    ("", {"ca_file": None}, "TLS", "certificate is refused"),
    ("", {"database": EnvText("shopp")}, "log in", "may not use database shopp"),
    ("SET GLOBAL read_only = ON", {}, "writes", "it is a replica"),
    (
        f"REVOKE CREATE TEMPORARY TABLES ON {DATABASE}.* FROM {ACCOUNT}",
        {},
        "temporary tables",
        "may not make temporary",
    ),
]


@pytest.mark.parametrize(("sql", "settings", "name", "words"), FAILING)
def test_the_step_that_fails_is_the_last(
    server: Mysql, sql: str, settings: dict[str, Any], name: str, words: str
) -> None:
    """With what to do."""
    server.run(sql or "DO 0")
    try:
        *before, last = steps(server.config(**settings))
    finally:
        server.run("SET GLOBAL read_only = OFF")
    assert all(step.ok for step in before)
    assert (name, False, True) == (last.name, last.ok, words in last.detail), last
    assert last.hint


def test_what_works_is_shown(server: Mysql) -> None:
    """Who is logged in, and where."""
    found = {step.name: step.detail for step in steps(server.config())}
    assert f"user {ACCOUNT}, database {DATABASE}" == found["log in"]
    assert found["server"].startswith("MariaDB 10.")
    assert ["address", "port", "TLS", "log in", "server", "temporary tables"] == list(found)
