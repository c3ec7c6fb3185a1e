"""Destinations in `connections.yaml`, and syncs that name one: by either word, of any kind."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from reverse_etl.config.loader import load_project
from reverse_etl.errors import ConfigProblemsError

CONNECTIONS = """
databases:
  shop: {type: sqlite, path: shop.db}
workspaces:
  main: {site_id: "${A}", track_api_key: "${B}"}
destinations:
  other: {type: customerio, site_id: "${A}", track_api_key: "${B}"}
  crm: {type: postgres, host: crm.example.com, database: crm, user: writer}
"""
PEOPLE = "database: shop\nschedule: manual\npeople: {}\nquery: SELECT id FROM people\n"
ROWS = "database: shop\nschedule: manual\nrows: {table: people, identify_by: id}\nquery: SELECT id FROM people\n"


def written(folder: Path, sync: str, connections: str = CONNECTIONS) -> Path:
    """A folder with one sync."""
    (folder / "connections.yaml").write_text(dedent(connections))
    (folder / "people.yaml").write_text(sync)
    return folder


@pytest.mark.parametrize("named", ["workspace: main", "destination: main", "workspace: other", "destination: other"])
def test_a_workspace_is_a_destination_by_either_word(tmp_path: Path, named: str) -> None:
    """Wherever its entry stands."""
    project = load_project(written(tmp_path, f"{PEOPLE}{named}\n"))
    sync = project.syncs["people"]
    assert ("customerio", "people") == (sync.DESTINATION, sync.kind)
    assert "customerio" == project.destinations[sync.destination].type


def test_a_table_has_a_section_of_its_own(tmp_path: Path) -> None:
    """Its key is the stream's, and the table ends the asset's key."""
    sync = load_project(written(tmp_path, f"{ROWS}destination: crm\n")).syncs["people"]
    assert ("postgres", "rows", ("people",), ("id",)) == (
        sync.DESTINATION,
        sync.kind,
        sync.writes,
        sync.stream("rows").identifier,
    )


@pytest.mark.parametrize(
    ("sync", "problem"),
    [
        (f"{PEOPLE}workspace: main\ndestination: main\n", "destination: means the same as workspace: keep one of them"),
        (f"{PEOPLE}workspace: crm\n", "workspace: unknown workspace 'crm'"),
        (f"{PEOPLE}destination: cmr\n", "destination: unknown destination 'cmr'; did you mean `crm`?"),
        (f"{PEOPLE}destination: crm\n", "people: unknown key"),
        (f"{PEOPLE}destination: crm\n", "rows: is missing"),
        (f"{ROWS}workspace: main\n", "rows: unknown key"),
        (PEOPLE, "workspace: is missing"),
        (
            f"{ROWS.replace(': id}', ': [id, shop]}')}destination: crm\nchanges: {{by: log, tables: {{people: id}}}}\n",
            "changes.by: the log names rows by one column, and the key has 2: compare all rows instead",
        ),
    ],
)
def test_a_sync_has_the_section_of_its_destination(tmp_path: Path, sync: str, problem: str) -> None:
    """And names one destination, which exists."""
    with pytest.raises(ConfigProblemsError) as caught:
        load_project(written(tmp_path, sync))
    assert any(problem in line for line in caught.value.problems), caught.value.problems


def test_a_name_is_of_one_destination(tmp_path: Path) -> None:
    """Two sections cannot share it: a sync could go to either."""
    twice = CONNECTIONS.replace("  other:", "  main:")
    with pytest.raises(ConfigProblemsError) as caught:
        load_project(written(tmp_path, f"{PEOPLE}workspace: main\n", twice))
    assert [line for line in caught.value.problems if "there is a workspace of this name too: rename one" in line]


def test_an_unknown_kind_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    """As for databases."""
    wrong = CONNECTIONS.replace("type: postgres", "type: postgrse")
    with pytest.raises(ConfigProblemsError) as caught:
        load_project(written(tmp_path, f"{PEOPLE}workspace: main\n", wrong))
    assert [line for line in caught.value.problems if "unknown type of destination; did you mean `postgres`?" in line]
