"""A project built in this process, a Dagster instance of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl_tests.project import CREDENTIALS, Project


@pytest.fixture
def instance(made_home: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance in a folder of its own."""
    folder = shutil.copytree(made_home / "dagster", tmp_path / "instance")
    with dg.instance_for_test(temp_dir=str(folder)) as instance:
        yield instance


@pytest.fixture
def loaded(project: Project, monkeypatch: pytest.MonkeyPatch) -> ProjectConfig:
    """The project of one sync `people`, with its home folder and credentials in this process's environment."""
    monkeypatch.setenv("REVERSE_ETL_HOME", str(project.folder / "home"))
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return load_project(Path(project.folder / "syncs"))
