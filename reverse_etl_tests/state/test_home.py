"""The home folder: where it is, that it is private, and what lies where in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reverse_etl.changeset.parts import RunFolder
from reverse_etl.errors import StateError
from reverse_etl.state.home import Home


def test_it_is_beside_the_syncs_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a variable, and with an empty one, it is ./.reverse_etl."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REVERSE_ETL_HOME", raising=False)
    assert tmp_path / ".reverse_etl" == Home.from_environment().path
    monkeypatch.setenv("REVERSE_ETL_HOME", "")
    assert tmp_path / ".reverse_etl" == Home.from_environment().path


def test_the_variable_moves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """REVERSE_ETL_HOME names it, and missing folders are made."""
    monkeypatch.setenv("REVERSE_ETL_HOME", str(tmp_path / "a" / "b"))
    home = Home.from_environment()
    assert tmp_path / "a" / "b" == home.path
    assert home.path.is_dir()


def test_everything_in_it_is_private(tmp_path: Path) -> None:
    """Folders are for their owner alone, whatever the umask would allow."""
    before = os.umask(0)
    try:
        home = Home.at(tmp_path / "home")
    finally:
        os.umask(before)
    modes = {
        path.name: path.stat().st_mode & 0o777 for path in (home.path, home.changesets, home.failed_rows, home.dagster)
    }
    assert dict.fromkeys(("home", "changesets", "failed_rows", "dagster"), 0o700) == modes


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


def test_a_folder_that_cannot_be_made_is_a_state_error(tmp_path: Path) -> None:
    """A file in the way: the path and the variable to set are named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be made") as caught:
        Home.at(tmp_path / "file" / "home")
    assert "REVERSE_ETL_HOME" in caught.value.hint
