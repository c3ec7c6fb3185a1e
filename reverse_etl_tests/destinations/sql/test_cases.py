"""Each of the cases has a test in each engine, or a reason."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from reverse_etl_tests.destinations.sql import test_fit
from reverse_etl_tests.destinations.sql.cases import CASES
from reverse_etl_tests.faults.catalogue import catalogue
from reverse_etl_tests.faults.tables import ENGINES
from reverse_etl_tests.faults.warehouses import WAREHOUSES

_FOLDER = Path(__file__).parents[1]
DESTINATIONS = sorted(
    each.parent.name for each in _FOLDER.glob("*/test_conformance.py") if "SqlConformance" in each.read_text("utf-8")
)


@pytest.mark.parametrize("engine", DESTINATIONS)
def test_each_case_has_a_test_or_a_reason(engine: str) -> None:
    """And not both."""
    families = "table_" if engine in ENGINES else "warehouse_"
    assert engine in {*ENGINES, *WAREHOUSES}
    tests = _names_of(test_fit) | {each.name for each in catalogue() if each.name.startswith(families)}
    for file in (_FOLDER / engine).glob("test_*.py"):
        tests |= _names_of(importlib.import_module(f"reverse_etl_tests.destinations.{engine}.{file.stem}"))
    having = {number for number, case in CASES.items() if tests & {*case.tests}}
    excused = {number for number, case in CASES.items() if engine in case.absent}
    assert CASES.keys() - having - excused == set(), "neither a test nor a reason"
    assert having & excused == set()


def test_there_are_48() -> None:
    """Numbered without a gap."""
    assert [*range(1, 49)] == [*CASES]


def test_every_engine_that_is_excused_is_one() -> None:
    """A misspelt name would excuse no one."""
    assert {engine for case in CASES.values() for engine in case.absent} <= {*DESTINATIONS}


def _names_of(module: ModuleType) -> set[str]:
    """Tests of a module: its functions, and what its classes have or inherit and have not put away."""
    names = {name for name in vars(module) if name.startswith("test_")}
    classes = [each for name, each in vars(module).items() if name.startswith("Test") and isinstance(each, type)]
    return names | {
        name for each in classes for name in dir(each) if name.startswith("test_") and getattr(each, name) is not None
    }
