"""A project with two syncs, `people` and `staff`, and its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from reverse_etl_tests.cli.remembered import Remembered
from reverse_etl_tests.syncs_page.served import Page


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
    """Without a run, and without a Dagster instance."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Remembered.at(tmp_path, monkeypatch)


@pytest.fixture
def page(project: Remembered) -> Page:
    """Its page, on which nothing can be done."""
    return Page(project)
