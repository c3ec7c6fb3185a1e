"""The home folder: where it is, that it is private, and what lies where in it."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from reverse_etl.changeset.failed_rows_csv import write_failed_rows
from reverse_etl.changeset.parts import RunFolder, with_row_numbers
from reverse_etl.errors import StateError
from reverse_etl.files.storage import storage_from_environment
from reverse_etl.state.home import Home
from reverse_etl.state.store import open_store
from reverse_etl.state.syncs import is_paused, set_paused
from reverse_etl.workers.folder_lock import claim, release


def test_it_is_beside_the_syncs_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the folder of the syncs is named, and wherever from; also with an empty variable."""
    (tmp_path / "project" / "syncs" / "shop").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "project" / "syncs")
    monkeypatch.setenv("REVERSE_ETL_HOME", "")
    monkeypatch.delenv("REVERSE_ETL_SYNCS", raising=False)
    expected = tmp_path / "project" / ".reverse_etl"
    named = [
        ("project", None),
        ("project", "syncs"),
        ("project", "./syncs/"),
        (".", "project/syncs"),
        ("project/syncs", "."),
        ("project/syncs/shop", ".."),
        ("project/syncs", str(tmp_path / "project" / "syncs")),
        (".", "link"),
    ]
    for directory, syncs in named:
        monkeypatch.chdir(tmp_path / directory)
        assert expected == Home.from_environment(Path(syncs) if syncs else None).path
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVERSE_ETL_SYNCS", "project/syncs")
    assert expected == Home.from_environment().path
    assert not (tmp_path / ".reverse_etl").exists()


def test_one_that_lies_in_the_current_directory_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Releases before took ./.reverse_etl: rather than start from 0, the error names both and what to do."""
    monkeypatch.delenv("REVERSE_ETL_HOME", raising=False)
    monkeypatch.delenv("REVERSE_ETL_STATE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    former, syncs = Home.at(tmp_path / ".reverse_etl"), tmp_path / "project" / "syncs"
    (former.path / "state.db").write_text("")
    with pytest.raises(StateError) as caught:
        Home.from_environment(syncs)
    assert str(former.path) in caught.value.message
    assert str(tmp_path / "project" / ".reverse_etl") in caught.value.message
    assert "REVERSE_ETL_HOME" in caught.value.hint
    assert not (tmp_path / "project").exists()
    monkeypatch.setenv("REVERSE_ETL_HOME", str(former.path))
    assert former == Home.from_environment(syncs)
    monkeypatch.delenv("REVERSE_ETL_HOME")
    syncs.mkdir(parents=True)
    former.path.rename(tmp_path / "project" / ".reverse_etl")
    assert tmp_path / "project" / ".reverse_etl" == Home.from_environment(syncs).path


def test_one_beside_the_syncs_is_taken_whatever_else_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another project's home in the current directory, or a state database elsewhere, stops no command."""
    monkeypatch.delenv("REVERSE_ETL_HOME", raising=False)
    monkeypatch.delenv("REVERSE_ETL_STATE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / ".reverse_etl", tmp_path / "other" / ".reverse_etl"):
        (Home.at(path).path / "state.db").write_text("")
    assert tmp_path / "other" / ".reverse_etl" == Home.from_environment(tmp_path / "other" / "syncs").path
    monkeypatch.setenv("REVERSE_ETL_STATE_URL", "postgresql://h/d")
    assert tmp_path / "third" / ".reverse_etl" == Home.from_environment(tmp_path / "third" / "syncs").path


def test_the_variable_moves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """REVERSE_ETL_HOME names it, and missing folders are made."""
    monkeypatch.setenv("REVERSE_ETL_HOME", str(tmp_path / "a" / "b"))
    home = Home.from_environment()
    assert tmp_path / "a" / "b" == home.path
    assert home.path.is_dir()


def test_everything_in_it_is_private(tmp_path: Path) -> None:
    """Folders and files are for their owner alone, whatever the umask is."""
    for umask in (0, 0o022, 0o077, 0o777):
        before = os.umask(umask)
        try:
            home = Home.at(tmp_path / f"above_{umask}" / "home")
            open_store(home.state_url)
            folder = home.run_folder("people", "root")
            parts = folder.parts("rows")
            parts.write(with_row_numbers([pa.record_batch({"id": ["1"]})]))
            write_failed_rows(home.failed_rows_csv("people", "root"), [])
            home.continue_changeset("people", "next", "root")
            assert claim(folder.path)
        finally:
            os.umask(before)
        release(folder.path)
        found = {path: path.stat().st_mode & 0o777 for path in home.path.parent.rglob("*")}
        assert {path: 0o700 if path.is_dir() else 0o600 for path in found} == found


def test_runs_have_their_places(tmp_path: Path) -> None:
    """A run's folder and CSV are named by sync and run."""
    home = Home.at(tmp_path)
    assert RunFolder(tmp_path / "changesets" / "people" / "root") == home.run_folder("people", "root")
    assert tmp_path / "failed_rows" / "people" / "r1.csv" == home.failed_rows_csv("people", "r1")


def test_the_state_lies_in_it_unless_a_url_says_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite in the home folder, or what REVERSE_ETL_STATE_URL names."""
    monkeypatch.delenv("REVERSE_ETL_STATE_URL", raising=False)
    assert f"sqlite:///{tmp_path}/state.db" == Home.at(tmp_path).state_url
    monkeypatch.setenv("REVERSE_ETL_STATE_URL", "postgresql://h/d")
    assert "postgresql://h/d" == Home.at(tmp_path).state_url


@pytest.mark.parametrize("name", ["a b", "a?b", "a?b=c&d#e%20f", "%3F", "ünïcode", "[a]*'\""])
def test_its_name_may_have_any_character(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state database is in that folder and in no other, whatever the name means in a URL."""
    monkeypatch.delenv("REVERSE_ETL_STATE_URL", raising=False)
    home = Home.at(tmp_path / name)
    set_paused(open_store(home.state_url), "people", True)
    assert is_paused(open_store(home.state_url), "people")
    assert [home.path] == list(tmp_path.iterdir())
    assert (home.path / "state.db").is_file()


def test_a_folder_that_cannot_be_made_is_a_state_error(tmp_path: Path) -> None:
    """A file in the way: the path and the variable to set are named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be made") as caught:
        Home.at(tmp_path / "file" / "home")
    assert "REVERSE_ETL_HOME" in caught.value.hint


def test_a_line_end_of_a_mounted_file_is_no_part_of_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the home folder's, the state database's and the shared place's."""
    monkeypatch.setenv("REVERSE_ETL_HOME", f"{tmp_path / 'home'}\r\n")
    monkeypatch.setenv("REVERSE_ETL_STATE_URL", "postgresql://u:p@h/d\n")
    monkeypatch.setenv("REVERSE_ETL_STORAGE_URL", f"{tmp_path / 'shared'}\r\n")
    home = Home.from_environment(tmp_path / "syncs")
    assert (tmp_path / "home", "postgresql://u:p@h/d") == (home.path, home.state_url)
    storage = storage_from_environment()
    assert storage is not None
    assert f"{tmp_path / 'shared'}/x" == storage.address("x")
