"""Every destination is put through the conformance suite."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import reverse_etl.destinations
from reverse_etl_tests.destinations.conformance import DestinationConformance
from reverse_etl_tests.destinations.sql.conformance import SqlConformance

SUITES = (DestinationConformance, SqlConformance)

FOLDERS = sorted(
    folder.name
    for folder in Path(reverse_etl.destinations.__path__[0]).iterdir()
    if (folder / "__init__.py").exists() and not folder.name.startswith("_")
)


@pytest.mark.parametrize("name", FOLDERS)
def test_each_destination_has_a_conformance_test(name: str) -> None:
    """A folder in ``destinations`` has a ``test_conformance.py`` with a concrete subclass of the suite."""
    module = importlib.import_module(f"reverse_etl_tests.destinations.{name}.test_conformance")
    suites = [kind for kind in vars(module).values() if isinstance(kind, type) and kind not in SUITES]
    assert any(issubclass(kind, SUITES) and not kind.__abstractmethods__ for kind in suites)
