from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from reverse_etl.config.environment import Secret
from reverse_etl.config.inline import parse_database, parse_destination, parse_rows, parse_sync
from reverse_etl.errors import ConfigProblemsError
from reverse_etl.sources.sqlite import Config as SQLite


def test_connections_made_in_code_are_those_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are the same; a relative path starts in the current folder."""
    monkeypatch.chdir(tmp_path)

    assert parse_database("shop", {"type": "sqlite", "path": "shop.db"}) == SQLite(
        name="shop", path=tmp_path / "shop.db"
    )
    assert parse_destination("main", {"site_id": "${A}", "track_api_key": "${B}"}).track_api_key == Secret("${B}")


def test_a_sync_made_in_code_is_that_of_a_file() -> None:
    """Checks and intervals are read alike."""
    sync = parse_sync(
        "customers",
        {
            "database": "shop",
            "workspace": "main",
            "schedule": {"every": "1h"},
            "people": {},
            "query": "SELECT id, plan FROM customers\nWHERE a >= {{last_sync_time}}",
            "checks": [{"not_null": "plan"}],
        },
    )

    assert (sync.name, sync.kind, sync.schedule.every) == ("customers", "people", timedelta(hours=1))
    assert sync.query == "SELECT id, plan FROM customers\nWHERE a >= {{last_sync_time}}"
    assert [check.check for check in sync.checks] == ["not_null"]


def test_mistakes_in_code_get_the_messages_of_a_file() -> None:
    """Each refused mapping says what it is and which key is wrong."""
    with pytest.raises(ConfigProblemsError, match=r"database shop:\d+: databases.shop.paht: unknown key; did you mean"):
        parse_database("shop", {"type": "sqlite", "paht": "shop.db"})
    with pytest.raises(ConfigProblemsError, match=r"workspace main:\d+: workspaces.main.site_id: a secret is never"):
        parse_destination("main", {"site_id": "hunter2", "track_api_key": "${B}"})
    with pytest.raises(ConfigProblemsError, match=r"sync customers:\d+: needs query or query_file"):
        parse_sync("customers", {"database": "a", "workspace": "b", "schedule": "manual", "people": {}})


def test_rows_made_in_code_are_those_of_a_section() -> None:
    """Of the destination's kind, without a database, a query or a schedule."""
    people = parse_rows("customerio", {"people": {"identify_by": "email"}})
    assert ("people", ("email",), "") == (people.kind, people.stream("rows").identifier, people.stream("rows").query)
    table = parse_rows("postgres", {"rows": {"table": "customers", "identify_by": "id"}})
    assert ("rows", ("id",)) == (table.kind, table.stream("rows").identifier)
    for kind, settings, said in (
        ("customerio", {"peeple": {}}, r"push:1: peeple: unknown key; did you mean `people`"),
        ("customerio", {"people": {}, "events": {}}, "a sync is one of people, objects or events"),
        ("customerio", {}, "what are the rows"),
        ("customerio", {"people": {}, "query": "SELECT 1"}, "push:2: query: unknown key"),
        ("postgres", {"rows": {"table": "customers"}}, "push:1: rows: needs `identify_by`"),
        ("postgres", {"rows": {"table": "a", "identify_by": "id"}, "name": "x"}, "push:4: name: unknown key"),
    ):
        with pytest.raises(ConfigProblemsError, match=said):
            parse_rows(kind, settings)
