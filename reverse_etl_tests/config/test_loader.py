from __future__ import annotations

import gc
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reverse_etl.checks.accepted_values import Config as AcceptedValues
from reverse_etl.config.connections_file import CHANNELS, SOURCES
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.loader import load_connections, load_project
from reverse_etl.config.sync_file import CHECKS
from reverse_etl.destinations.customerio.sections import RelationshipsConfig
from reverse_etl.destinations.customerio.segment_config import SegmentConfig
from reverse_etl.errors import ConfigError, ConfigProblemsError
from reverse_etl.plugins import load, names
from reverse_etl.sources.postgres import Config as Postgres
from reverse_etl.sources.sqlite import Config as SQLite
from reverse_etl_tests.config.projects import CONNECTIONS, CUSTOMERS, parts, write_project

GOLDEN = Path(__file__).parent / "golden"
LISTS = {"<engines>": SOURCES, "<checks>": CHECKS, "<channels>": CHANNELS}
"""What stands in golden files for lists of plugins, so that one more leaves the files as they are."""
SHIPPED = Path(__file__).parents[2] / "syncs"


def problems_of(syncs: Path) -> list[str]:
    """The lines that a folder is refused with."""
    with pytest.raises(ConfigProblemsError) as caught:
        load_project(syncs)
    assert caught.value.__cause__ is None
    assert caught.value.exit_code == 2
    return caught.value.problems


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_every_mistake_is_one_line(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each golden file holds files with mistakes and, last, exactly the lines that they get."""
    files = parts(path.read_text(encoding="utf-8"))
    expected = files.pop("problems", "")
    if path.stem not in ("no_connections",):
        files = {"connections.yaml": CONNECTIONS, **files}
    monkeypatch.chdir(tmp_path)

    found = problems_of(write_project(tmp_path, files))
    for name, package in LISTS.items():
        every = ", ".join(each for each in names(package) if hasattr(load(package, each), "Config"))
        found = [line.replace(every, name) for line in found]

    if os.environ.get("WRITE_GOLDEN"):
        inputs = path.read_text(encoding="utf-8").split("=== problems\n")[0]
        path.write_text(inputs + "=== problems\n" + "\n".join(found) + "\n", encoding="utf-8")
    else:
        assert "\n".join(found) + "\n" == expected
    assert "hunter2" not in "\n".join(found)


def test_a_sync_has_everything_its_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values arrive in the types of the models, times in UTC, checks as their plugin's model."""
    monkeypatch.chdir(tmp_path)
    project = load_project(write_project(tmp_path, {"connections.yaml": CONNECTIONS, "a/b/customers.yaml": CUSTOMERS}))

    sync = project.syncs["customers"]

    assert sync.kind == "people"
    assert sync.where == "sync customers (syncs/a/b/customers.yaml)"
    assert sync.schedule.every == timedelta(hours=1)
    assert sync.schedule.start_at == datetime(2026, 1, 4, 23, 30, tzinfo=UTC)
    assert sync.people is not None
    assert sync.people.segment == SegmentConfig(name="Shop customers")
    assert sync.query == ("SELECT id, email, plan\nFROM customers\nWHERE updated_at >= {{last_sync_time}}\n")
    assert sync.relationships == RelationshipsConfig(
        query="SELECT person_id AS id, company_id AS object_id FROM memberships"
    )
    assert sync.owners == ("data@example.com", "team:lifecycle")
    assert [check.check for check in sync.checks] == ["not_null", "accepted_values", "max_failed_rows"]
    assert sync.checks[1] == AcceptedValues(
        check="accepted_values", column="plan", values=("free", "yes", 3), severity="warn"
    )
    assert project.warnings == ()


def test_connections_are_models_of_their_engine(tmp_path: Path) -> None:
    """A path starts at the file that names it; values of the environment stay templates."""
    project = load_project(write_project(tmp_path, {"connections.yaml": CONNECTIONS}))

    assert project.directory == tmp_path / "syncs"
    shop = project.databases["shop"]
    assert isinstance(shop, SQLite)
    assert shop == SQLite(name="shop", path=tmp_path / "syncs" / "shop.sqlite", path_at=shop.path_at)
    assert shop.path_at.endswith("connections.yaml:2")
    assert project.databases["server"] == Postgres(
        name="server",
        host=EnvText("localhost"),
        database=EnvText("shop"),
        user=EnvText("reader"),
        password=Secret("${SHOP_PASSWORD}"),
    )
    assert project.destinations["main"].name == "main"
    assert project.destinations["plain"].app_api_key is None
    assert project.retention.history == timedelta(days=90)


def test_connections_can_be_read_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Problems of syncs do not matter then, those of the file itself do."""
    monkeypatch.chdir(tmp_path)
    syncs = write_project(tmp_path, {"connections.yaml": CONNECTIONS, "empty.yaml": ""})

    assert list(load_connections(syncs).databases) == ["shop", "lake", "server"]
    (syncs / "connections.yaml").unlink()
    with pytest.raises(ConfigProblemsError, match=r"syncs/connections\.yaml: is missing"):
        load_connections(syncs)


def test_an_unset_variable_names_its_file_and_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place of a variable in the file survives until the value is needed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CUSTOMERIO_TRACK_API_KEY", raising=False)
    project = load_project(write_project(tmp_path, {"connections.yaml": CONNECTIONS}))

    with pytest.raises(ConfigError) as caught:
        project.destinations["plain"].track_api_key.resolve()

    assert str(caught.value) == (
        "the environment variable CUSTOMERIO_TRACK_API_KEY is not set (syncs/connections.yaml:12). "
        "Set CUSTOMERIO_TRACK_API_KEY in the environment."
    )


def test_the_version_follows_the_content_alone(tmp_path: Path) -> None:
    """The same content has the same version wherever it is; another content has another."""
    first = load_project(write_project(tmp_path / "1", {"connections.yaml": CONNECTIONS, "a.yaml": CUSTOMERS}))
    moved = load_project(write_project(tmp_path / "2", {"connections.yaml": CONNECTIONS, "x/b.yaml": CUSTOMERS}))
    changed = load_project(
        write_project(tmp_path / "3", {"connections.yaml": CONNECTIONS, "a.yaml": CUSTOMERS + "max_rows: 5\n"})
    )

    assert first.syncs["a"].version == moved.syncs["b"].version
    assert first.syncs["a"].version != changed.syncs["a"].version
    assert len(first.syncs["a"].version) == 12


def test_hidden_and_other_files_are_no_syncs(tmp_path: Path) -> None:
    """Hidden files and folders and files that are not YAML are passed over; endings may be in upper case."""
    syncs = write_project(
        tmp_path,
        {
            "connections.yaml": CONNECTIONS,
            ".hidden.yaml": "x",
            ".git/config.yaml": "x",
            "README.md": "x",
            "people/customers.YML": CUSTOMERS,
        },
    )

    assert list(load_project(syncs).syncs) == ["customers"]


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    """A folder behind a symbolic link is read, and a link back to the top does not go round in circles."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "customers.yaml").write_text(CUSTOMERS)
    syncs = write_project(tmp_path, {"connections.yaml": CONNECTIONS})
    (syncs / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(syncs)

    assert list(load_project(syncs).syncs) == ["customers"]


def test_a_missing_folder_is_an_error_of_its_own(tmp_path: Path) -> None:
    """There is no folder: the message names the option."""
    with pytest.raises(ConfigError, match="--syncs or REVERSE_ETL_SYNCS"):
        load_project(tmp_path / "nowhere")


def test_a_folder_outside_is_shown_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are not below the current folder are shown with their whole path."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    syncs = write_project(tmp_path, {"connections.yaml": CONNECTIONS, "empty.yaml": ""})

    assert problems_of(syncs) == [f"{syncs}/empty.yaml:1: is empty"]


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dangling link is not silently missing."""
    monkeypatch.chdir(tmp_path)
    syncs = write_project(tmp_path, {"connections.yaml": CONNECTIONS})
    (syncs / "gone.yaml").symlink_to(tmp_path / "nothing")

    assert problems_of(syncs) == ["syncs/gone.yaml: cannot be read: No such file or directory"]


@pytest.mark.parametrize("name", ["connections.yaml", "customers.yml", "dictionary.yaml"])
def test_a_folder_in_the_place_of_a_file_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As Docker makes one: without its file a contract would not hold, and a sync not run, in silence."""
    monkeypatch.chdir(tmp_path)
    syncs = write_project(tmp_path, {"connections.yaml": CONNECTIONS})
    (syncs / name).unlink(missing_ok=True)
    (syncs / name).mkdir()

    assert problems_of(syncs) == [f"syncs/{name}: cannot be read: it is not a regular file"]


@pytest.mark.parametrize("name", ["connections.yaml", "pipe.yaml"])
def test_a_pipe_is_a_problem_and_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It has no writer, so reading it would never end."""
    monkeypatch.chdir(tmp_path)
    syncs = write_project(tmp_path, {"connections.yaml": CONNECTIONS})
    (syncs / name).unlink(missing_ok=True)
    os.mkfifo(syncs / name)

    assert problems_of(syncs) == [f"syncs/{name}: cannot be read: it is not a regular file"]


def test_a_query_beyond_the_parser_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What sqlglot cannot read but starts as a SELECT is let through, and said so with its place."""
    monkeypatch.chdir(tmp_path)
    text = CUSTOMERS.replace("FROM customers\n", "FROM customers\n  MATCH_SOMEHOW {a b c}\n")
    project = load_project(write_project(tmp_path, {"connections.yaml": CONNECTIONS, "customers.yaml": text}))

    assert list(project.syncs) == ["customers"]
    [warning] = project.warnings
    assert warning.startswith("syncs/customers.yaml:11: query: could not be checked beyond its first words (line 3")


def test_the_shipped_syncs_are_valid() -> None:
    """The files that users copy have no problems and no warnings."""
    project = load_project(SHIPPED)

    assert {"customers", "companies"} <= project.syncs.keys()
    assert project.warnings == ()


def test_garbage_is_collected_again_once_the_files_are_read(tmp_path: Path) -> None:
    """It is put off meanwhile, also where a file has problems."""
    syncs = write_project(tmp_path, {"connections.yaml": CONNECTIONS, "customers.yaml": CUSTOMERS})
    load_project(syncs)
    assert gc.isenabled()

    (syncs / "customers.yaml").write_text("people: [", encoding="utf-8")
    problems_of(syncs)
    assert gc.isenabled()
