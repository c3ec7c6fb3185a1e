"""Files that change while `ui` runs: when Dagster is asked to load them, and what is said."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reverse_etl.cli.reloading import MENDED, Changes, Faults, kept_loaded, reload
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


@pytest.mark.parametrize("leaving_out", [True, False])
def test_a_file_that_becomes_faulty_is_said_once_and_once_that_it_is_mended(
    project: Remembered, leaving_out: bool
) -> None:
    """Whether it stops its folder or its own sync; not while it is being written; a further one is said anew."""
    if leaving_out:
        leaves_out(project.folder / "syncs")
    folder = SyncsFolder(project.folder / "syncs")
    changes, faults = Changes(folder), Faults(folder.read())

    def look() -> str:
        changes.seen()
        return faults.news(changes.settled)

    def looks() -> list[str]:
        return [look(), look(), look()]

    assert ["", "", ""] == looks()
    project.write("staff", "{every: never}")
    unsettled, said, then = looks()
    assert ("", "") == (unsettled, then)
    assert said.startswith("Warning: syncs/staff.yaml:3: schedule.every")
    others = "" if leaving_out else "; people (syncs/staff.yaml is faulty)"
    assert f"Left out until the files are mended: staff{others}." in said
    assert ("One faulty file stops every sync" in said) != leaving_out
    project.write("people", "{every: never}")
    assert "1 more file is faulty. Left out until the files are mended: people, staff." in "".join(looks())
    project.write("people", "manual")
    assert looks()[1].startswith("Warning: syncs/staff.yaml:3: ")
    project.write("staff", "manual")
    assert ["", MENDED, ""] == looks()
    connections = project.folder / "syncs" / "connections.yaml"
    connections.rename(connections.with_suffix(".away"))
    assert looks()[1].startswith("Warning: ")
    connections.with_suffix(".away").rename(connections)
    assert ["", MENDED, ""] == looks()


def test_what_changed_since_the_first_warning_is_said_while_it_runs(project: Remembered) -> None:
    """By the thread that looks, although Dagster does not answer yet."""
    folder, said, told = SyncsFolder(project.folder / "syncs"), [], threading.Event()

    def tell(text: str) -> None:
        said.append(text)
        told.set()

    before = folder.read()
    project.write("staff", "{every: never}")
    with kept_loaded("http://127.0.0.1:9", folder, tell, before, every_s=0.01):
        assert told.wait(60)
    assert ["Warning: syncs/staff.yaml:3:"] == [text[:28] for text in said]
