"""Whatever goes wrong: no row is lost, none is reported wrongly, no event is doubled, and the balance is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from reverse_etl_tests.faults.catalogue import MODULES, Family, catalogue, total
from reverse_etl_tests.faults.runs import World
from reverse_etl_tests.faults.table import PAGE, written

pytestmark = pytest.mark.thorough

PARTS = [(each, first) for each in catalogue() for first in range(0, each.count, each.at_once)]


@pytest.mark.parametrize(
    ("family", "first"),
    [pytest.param(each, first, id=f"{each.name}-{first}") for each, first in PARTS],
)
def test_promises_hold(world: World, family: Family, first: int) -> None:
    """After the fault and after one clean run, source, workspace and the run's records agree."""
    for seed in range(first, min(first + family.at_once, family.count)):
        family.hold(world, seed)


def test_every_family_is_in_the_catalogue() -> None:
    """A module that the catalogue forgets would never be tried."""
    modules = Path(__file__).parent.glob("*.py")
    assert {module.stem for module in modules if "\n@family(" in module.read_text(encoding="utf-8")} == set(MODULES)


def test_there_are_many_scenarios() -> None:
    """The table in the documentation speaks of at least a thousand."""
    assert 1_000 <= total()


def test_the_documentation_has_the_catalogue() -> None:
    """The committed table is the one that the catalogue gives."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page, catalogue())
