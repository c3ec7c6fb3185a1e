"""Files that change while `ui` runs: when Dagster is asked to load them, and what is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reverse_etl.cli.reloading import Changes, reload
from reverse_etl.config.folder_now import SyncsFolder
from reverse_etl.errors import StateError
from reverse_etl.syncs_page.server import listen, serving
from reverse_etl_tests.cli.remembered import Remembered
from reverse_etl_tests.leaving_out import leaves_out

OURS = [{"sensors": [{"name": "runs_that_never_started"}]}]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """Two syncs, and no Dagster instance."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Remembered.at(tmp_path, monkeypatch)


@contextmanager
def dagster(locations: dict[str, Any], *, then: str = "RepositoryLocation") -> Iterator[tuple[str, list[str]]]:
    """Something that answers as Dagster's GraphQL does; the address, and the names of what was loaded again."""
    asked: list[str] = []

    async def graphql(request: Request) -> Response:
        found = json.loads(await request.body())
        if "mutation" not in found["query"]:
            entries = [{"name": name, "locationOrLoadError": each} for name, each in locations.items()]
            return JSONResponse({"data": {"workspaceOrError": {"locationEntries": entries}}})
        asked.append(found["variables"]["name"])
        return JSONResponse({"data": {"reloadRepositoryLocation": {"locationOrLoadError": {"__typename": then}}}})

    with serving(Starlette(routes=[Route("/graphql", graphql, methods=["POST"])]), listen(0, beside=3000)) as address:
        yield address, asked


def test_locations_of_syncs_are_loaded_again_and_those_that_failed() -> None:
    """One of the user's own is left alone; one that failed may be ours."""
    known = {
        "reverse_etl": {"__typename": "RepositoryLocation", "repositories": OURS},
        "own": {"__typename": "RepositoryLocation", "repositories": [{"sensors": [{"name": "files"}]}]},
        "broken": {"__typename": "PythonError"},
    }
    with dagster(known) as (address, asked):
        assert reload(address)
    assert ["reverse_etl", "broken"] == asked


def test_a_load_that_failed_is_said() -> None:
    """As one where nothing is ours."""
    with dagster({"reverse_etl": {"repositories": OURS}}, then="PythonError") as (address, asked):
        assert not reload(address)
    assert ["reverse_etl"] == asked
    with dagster({}) as (address, _):
        assert not reload(address)


def test_a_dagster_that_is_starting_is_asked_again() -> None:
    """It does not answer yet."""
    with pytest.raises(StateError, match="does not answer yet"):
        reload("http://127.0.0.1:9")


def test_files_are_loaded_once_for_each_change_that_is_whole(project: Remembered) -> None:
    """Not while they are being written, not where they are only touched; a faulty one is loaded as left out."""
    leaves_out(project.folder / "syncs")
    changes = Changes(SyncsFolder(project.folder / "syncs"))
    assert [False, False] == [changes.seen(), changes.seen()]
    project.write("orders", "{every: 1h}")
    assert [False, True, True] == [changes.seen(), changes.seen(), changes.seen()]
    changes.are_loaded()
    assert not changes.seen()
    file = project.folder / "syncs" / "orders.yaml"
    right = file.read_text()
    file.write_text(right.replace("workspace", "workspce"))
    assert [False, True] == [changes.seen(), changes.seen()]
    changes.are_loaded()
    file.write_text(right)
    assert [False, True] == [changes.seen(), changes.seen()]
    changes.are_loaded()
    connections = project.folder / "syncs" / "connections.yaml"
    shared = connections.read_text()
    connections.write_text("databses: {}\n")
    assert [False, False] == [changes.seen(), changes.seen()]
    connections.write_text(shared)
    assert [False, False] == [changes.seen(), changes.seen()]
    file.unlink()
    assert [False, True] == [changes.seen(), changes.seen()]
