"""Whatever goes wrong: no row is lost, none is reported wrongly, no event is doubled, and the balance is true."""

from __future__ import annotations

import pytest

from reverse_etl_tests.faults.catalogue import Family, catalogue, total
from reverse_etl_tests.faults.runs import World
from reverse_etl_tests.faults.table import PAGE, written

OPEN = {
    "late_answers": "a request whose answer was late is applied when it comes, perhaps after a newer one",
    "full_disks": "the close of a run whose failed rows could not be written may itself fail",
}
"""Families that do not always hold yet, each with what was seen."""

PARTS = [(each, first) for each in catalogue() for first in range(0, each.count, each.at_once)]


def marks(family: str) -> list[pytest.MarkDecorator]:
    """An expected failure for the families in ``OPEN``."""
    return [pytest.mark.xfail(strict=False, reason=OPEN[family])] if family in OPEN else []


@pytest.mark.parametrize(
    ("family", "first"),
    [pytest.param(each, first, id=f"{each.name}-{first}", marks=marks(each.name)) for each, first in PARTS],
)
def test_promises_hold(world: World, family: Family, first: int) -> None:
    """After the fault and after one clean run, source, workspace and books agree."""
    for seed in range(first, min(first + family.at_once, family.count)):
        family.hold(world, seed)


def test_there_are_many_scenarios() -> None:
    """The table in the documentation speaks of at least a thousand."""
    assert 1_000 <= total()


def test_the_documentation_has_the_catalogue() -> None:
    """The committed table is the one that the catalogue gives."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page, catalogue())
