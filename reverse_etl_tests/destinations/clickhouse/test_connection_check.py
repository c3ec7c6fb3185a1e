"""``test-connection`` for a destination: the step that fails is the last, with the way out."""

from __future__ import annotations

from typing import Any

import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.destinations.clickhouse import steps
from reverse_etl_tests.destinations.clickhouse.server import Clickhouse

FAILING: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({}, {"host": EnvText("nowhere.invalid")}, "address", "There is no host nowhere.invalid."),
    ({}, {"port": 1}, "port", "1 refuses connections."),
    ({}, {"ca_file": None}, "TLS", "certificate is refused"),
    ({}, {"host": EnvText("127.0.0.1")}, "TLS", "certificate is refused"),
    ({}, {"database": EnvText("shopp")}, "log in", "there is no database shopp"),
    ({"match": "version", "raise": 516}, {}, "log in", "the password was refused"),
    ({"match": "version", "raise": 195}, {}, "log in", "from this machine's address"),
    ({"match": "version", "raise": 202}, {}, "log in", "as many statements as it takes"),
    ({"match": "version", "raise": 497}, {}, "log in", "lacks a right"),
    ({"match": "'readonly'", "raise": 497}, {}, "writes", "error 497"),
]


@pytest.mark.parametrize(("wrong", "settings", "name", "words"), FAILING)
def test_the_step_that_fails_is_the_last(
    server: Clickhouse, wrong: dict[str, Any], settings: dict[str, Any], name: str, words: str
) -> None:
    """With what to do."""
    if wrong:
        server.running.go_wrong(**wrong)
    *before, last = steps(server.config(**settings))
    assert all(step.ok for step in before)
    assert (name, False, True) == (last.name, last.ok, words in last.detail), last
    assert last.hint


def test_what_works_is_shown(server: Clickhouse) -> None:
    """Who is logged in, and where."""
    found = {step.name: step.detail for step in steps(server.config())}
    assert "user writer, database crm" == found["log in"]
    assert found["server"].startswith("ClickHouse 2")
    assert ["address", "port", "TLS", "log in", "server", "writes"] == list(found)
