"""``_defaults.yaml``: what syncs have in common, overridden by what a sync says itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from reverse_etl.config.defaults import KEYS
from reverse_etl.config.loader import inspect_project, load_project
from reverse_etl.config.problems import lines
from reverse_etl.config.syncs import SyncConfig
from reverse_etl_tests.config.projects import CONNECTIONS, write_project

OWN = {"query", "query_file", "description", "attributes", "tests", "only_where", "columns", "transform", "pieces"}
"""What is each sync's own: what it reads, what that means, and what must become of it."""

DEFAULTS = "database: shop\nworkspace: main\nschedule: {every: 1h}\nowners: [team:data]\nchecks: [{not_null: plan}]\n"
SYNC = "people: {}\nquery: SELECT 1 AS id, 2 AS plan\n"


def test_a_key_of_a_sync_may_be_a_default_or_is_its_own() -> None:
    """A new key is decided upon."""
    keys = set(SyncConfig.model_fields) - SyncConfig.SET_BY_LOADER - {"after"}
    assert keys | {"workspace"} == set(KEYS) | (OWN & keys)


def test_the_nearest_file_counts_and_the_sync_itself_most(tmp_path: Path) -> None:
    """A key is replaced whole; what no nearer file says is that of the one further out."""
    files = {
        "connections.yaml": CONNECTIONS,
        "_defaults.yaml": DEFAULTS,
        "a.yaml": SYNC,
        "b.yaml": SYNC + "schedule: manual\nchecks: []\n",
        "deep/_defaults.yaml": "workspace: plain\n",
        "deep/er/c.yaml": SYNC,
        "deep/er/d.yaml": SYNC + "destination: main\n",
    }
    syncs = load_project(write_project(tmp_path, files)).syncs
    assert ["main", "main", "plain", "main"] == [sync.destination for sync in syncs.values()]
    assert [timedelta(hours=1), None, timedelta(hours=1), timedelta(hours=1)] == [
        sync.schedule.every for sync in syncs.values()
    ]
    assert [1, 0, 1, 1] == [len(sync.checks) for sync in syncs.values()]
    assert {("team:data",)} == {sync.owners for sync in syncs.values()}


def test_problems_are_at_their_line_with_the_sync_that_they_are_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A default that one sync cannot have is reported where it stands; so is what no folder can have in common."""
    monkeypatch.chdir(tmp_path)
    files = {
        "connections.yaml": CONNECTIONS,
        "_defaults.yaml": "query: SELECT 1\n" + DEFAULTS,
        "a.yaml": SYNC,
        "b.yaml": "people: {}\nquery: SELECT 1 AS id\n",
        "c.yaml": SYNC + "database: none\n",
    }
    found = inspect_project(write_project(tmp_path, files))
    assert "syncs/_defaults.yaml:1: query: is not for all syncs of a folder; known are:" in lines(found.problems)[0]
    about_b = [line for line in lines(found.problems) if line.endswith("(for syncs/b.yaml)")]
    assert about_b
    assert all(line.startswith("syncs/_defaults.yaml:6: checks.not_null") for line in about_b)
    assert not [line for line in lines(found.problems) if line.endswith("(for syncs/a.yaml)")]
    concerning_a, _ = found.concerning(["a"])
    concerning_b, _ = found.concerning(["b"])
    assert 1 == len(concerning_a)
    assert 1 + len(about_b) == len(set(concerning_b))


def test_a_default_is_part_of_a_syncs_version(tmp_path: Path) -> None:
    """A plan or a re-execution sees that what is asked has changed."""
    files = {"connections.yaml": CONNECTIONS, "_defaults.yaml": DEFAULTS, "a.yaml": SYNC}
    first = load_project(write_project(tmp_path, files)).syncs["a"].version
    files["_defaults.yaml"] += "max_rows: 5\n"
    assert first != load_project(write_project(tmp_path, files)).syncs["a"].version
