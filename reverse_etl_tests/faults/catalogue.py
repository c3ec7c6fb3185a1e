"""Families of scenarios: what goes wrong, how often it is tried, and the function that tries it once.

A scenario is a family and a seed. The seed decides everything: kind of sync, number of rows, size of requests, which
requests meet a fault, and what is done afterwards. A family's table row in ``docs/delivery.md`` comes from here.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reverse_etl_tests.faults.runs import World

Scenario = Callable[[World, random.Random, int], None]

MODULES: Final = (
    "refusals",
    "answers",
    "connections",
    "sources",
    "late",
    "states",
    "kills",
    "machines",
    "workspaces",
    "histories",
    "first_runs",
    "table_faults",
    "warehouse_faults",
)


@dataclass(frozen=True, slots=True)
class Family:
    """Scenarios of one kind.

    Attributes:
        name: Of the function that tries one.
        what: What goes wrong, for people.
        count: Scenarios, with seeds from 0.
        at_once: Scenarios in one test.
        scenario: Tries one; raises AssertionError where a promise is broken.
    """

    name: str
    what: str
    count: int
    at_once: int
    scenario: Scenario

    def hold(self, world: World, seed: int) -> None:
        """Tries one scenario; an error says which it was."""
        world.compares = seed % 4 == _COMPARES
        try:
            self.scenario(world, random.Random(f"{self.name} {seed}"), seed)  # noqa: S311 - repeatable, not secret
        except BaseException as error:
            error.add_note(f"scenario {self.name} {seed}: python -m reverse_etl_tests.faults one {self.name} {seed}")
            raise


_COMPARES: Final = 3
"""Of four scenarios, the one whose sync compares (``changes: {by: compare}``); the others send what they read."""

_FAMILIES: dict[str, Family] = {}


def family(count: int, *, at_once: int = 20) -> Callable[[Scenario], Scenario]:
    """Enters a function into the catalogue; the first line of its docstring says what goes wrong."""

    def enter(scenario: Scenario) -> Scenario:
        what = (scenario.__doc__ or "").split("\n")[0].rstrip(".")
        _FAMILIES[scenario.__name__] = Family(scenario.__name__, what, count, at_once, scenario)
        return scenario

    return enter


def catalogue() -> list[Family]:
    """All families, in the order of their modules."""
    loaded = [importlib.import_module(f"reverse_etl_tests.faults.{module}").__name__ for module in MODULES]
    # Tests may have loaded some of them before, in another order.
    return sorted(_FAMILIES.values(), key=lambda each: loaded.index(each.scenario.__module__))


def total() -> int:
    """How many scenarios there are."""
    return sum(each.count for each in catalogue())
