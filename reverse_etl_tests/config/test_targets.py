"""Targets: the same syncs with other connections, and nothing that two of them share by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from reverse_etl.config.connections_file import Connections
from reverse_etl.config.loader import inspect_project, load_connections, load_project
from reverse_etl.config.problems import lines
from reverse_etl.errors import ConfigError, ConfigProblemsError
from reverse_etl.files.storage import storage_from_environment
from reverse_etl.state.home import Home
from reverse_etl_tests.config.projects import write_project

WORKSPACE = "workspaces:\n  main: {site_id: '${%s}', track_api_key: '${KEY}'}\n"
FILES = {
    "connections.yaml": "databases:\n  shop: {type: sqlite, path: shop.db}\n  lake: {type: duckdb, path: lake.db}\n",
    "connections.dev.yaml": WORKSPACE % "DEV",
    "connections.prod.yaml": "databases:\n  shop: {type: sqlite, path: prod.db}\n" + WORKSPACE % "PROD",
    "people.yaml": "database: shop\nworkspace: main\nschedule: manual\npeople: {}\nquery: SELECT 1 AS id\n",
}


@pytest.fixture
def syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two targets, none chosen."""
    monkeypatch.chdir(tmp_path)
    for name in ("REVERSE_ETL_TARGET", "REVERSE_ETL_HOME", "REVERSE_ETL_STATE_URL", "REVERSE_ETL_STORAGE_URL"):
        monkeypatch.delenv(name, raising=False)
    return write_project(tmp_path, FILES)


def site(connections: Connections) -> str:
    """The template of the workspace's site id."""
    return str(connections.entries["main"]["site_id"])


def test_a_target_has_its_own_entries_and_the_shared_ones(syncs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry of the target's file replaces that of connections.yaml; the others are there too."""
    monkeypatch.setenv("REVERSE_ETL_TARGET", "prod")
    prod = load_project(syncs)
    assert {"shop": "prod.db", "lake": "lake.db"} == {
        name: Path(getattr(database, "path")).name  # noqa: B009 - of two models
        for name, database in prod.databases.items()
    }
    assert "${PROD}" == site(load_connections(syncs))
    monkeypatch.setenv("REVERSE_ETL_TARGET", "dev")
    assert "${DEV}" == site(load_connections(syncs))
    assert "shop.db" == Path(getattr(load_project(syncs).databases["shop"], "path")).name  # noqa: B009


def test_one_must_be_chosen_where_there_are_some(syncs: Path) -> None:
    """Without a choice nothing is read, even where connections.yaml alone would do."""
    (syncs / "connections.yaml").write_text(FILES["connections.yaml"] + WORKSPACE % "OLD")
    with pytest.raises(ConfigProblemsError) as caught:
        load_project(syncs)
    assert (
        "syncs/connections.yaml: has targets beside it, with destinations of their own: choose one of them with "
        "--target, or set REVERSE_ETL_TARGET: dev, prod"
    ) in str(caught.value)


def test_an_unknown_target_is_told_from_a_misspelt_one(syncs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the nearest name, or all."""
    for name, end in (("prd", "did you mean `prod`?"), ("staging", "targets are: dev, prod")):
        monkeypatch.setenv("REVERSE_ETL_TARGET", name)
        with pytest.raises(ConfigProblemsError, match=rf"connections\.{name}\.yaml: is missing") as caught:
            load_connections(syncs)
        assert end in str(caught.value)


def test_rows_cannot_go_to_another_targets_workspace(syncs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What connections.yaml names as a destination is none of a target's."""
    (syncs / "connections.yaml").write_text(FILES["connections.yaml"] + WORKSPACE % "OLD")
    (syncs / "connections.dev.yaml").write_text("databases: {}\n")
    assert ["syncs/people.yaml:2: workspace: unknown workspace 'main'; connections.yaml has no workspaces"] == lines(
        inspect_project(syncs, "dev").problems
    )


def test_problems_are_at_the_line_of_the_file_that_has_them(syncs: Path) -> None:
    """Of a shared entry as of the target's own."""
    (syncs / "connections.yaml").write_text("databases:\n  shop: {type: sqlight}\n")
    (syncs / "connections.dev.yaml").write_text(WORKSPACE % "DEV" + "  second: {site: x}\n")
    found = lines(inspect_project(syncs, "dev").problems)
    assert (
        "syncs/connections.yaml:2: databases.shop.type: unknown database type; did you mean `sqlite`? "
        "(for syncs/connections.dev.yaml)"
    ) in found
    assert any(line.startswith("syncs/connections.dev.yaml:3: workspaces.second") for line in found)


def test_each_has_a_home_of_its_own(syncs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the home folder is named, and in a process that one of the target started."""
    none = Home.from_environment(syncs).path
    monkeypatch.setenv("REVERSE_ETL_TARGET", "prod")
    prod = Home.from_environment(syncs)
    assert none / "targets" / "prod" == prod.path
    monkeypatch.setenv("REVERSE_ETL_HOME", str(prod.path))
    assert prod == Home.from_environment(syncs)
    monkeypatch.setenv("REVERSE_ETL_TARGET", "dev")
    assert prod.path / "targets" / "dev" == Home.from_environment(syncs).path


@pytest.mark.parametrize("name", ["..", "../../elsewhere", "/elsewhere", "a b"])
def test_a_name_that_is_a_path_is_no_home(name: str, syncs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made outside the home folder, whichever command looks for it first."""
    monkeypatch.setenv("REVERSE_ETL_TARGET", name)
    before = sorted(syncs.parent.rglob("*"))
    with pytest.raises(ConfigError, match=r"cannot be the name of a target\."):
        Home.from_environment(syncs)
    assert before == sorted(syncs.parent.rglob("*"))


@pytest.mark.parametrize("variable", ["REVERSE_ETL_STATE_URL", "REVERSE_ETL_STORAGE_URL"])
def test_a_place_that_is_the_same_for_all_is_refused(
    variable: str, syncs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must say where the target's name belongs; and one that does needs a target."""
    home = Home.at(tmp_path / "home")

    def place() -> str:
        storage = storage_from_environment() if variable.endswith("STORAGE_URL") else None
        return storage.address("x") if storage else home.state_url

    monkeypatch.setenv("REVERSE_ETL_TARGET", "prod")
    monkeypatch.setenv(variable, f"{tmp_path}/shared")
    with pytest.raises(ConfigError, match=r"same place for every target.*Write \{target\} into") as caught:
        place()
    assert str(tmp_path) not in str(caught.value)
    monkeypatch.setenv(variable, f"{tmp_path}/{{target}}/shared")
    assert f"{tmp_path}/prod/shared" in place()
    monkeypatch.delenv("REVERSE_ETL_TARGET")
    with pytest.raises(ConfigError, match="no target is chosen"):
        place()
