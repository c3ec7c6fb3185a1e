"""Random histories of remembered values: what counts as acknowledged of a row is in the destination.

What each rule of values that are not known is for is in ``run.test_values``: left out, a scenario of its own fails.
"""

from __future__ import annotations

import random
import shutil
from typing import Final

import pytest

from reverse_etl.state.home import Home
from reverse_etl_tests.changes.test_protocol import template
from reverse_etl_tests.changes.values_protocol import ValueHistories

__all__ = ["template"]

KEYS: Final = 60
SEQUENCES: Final = 20


def harm_of(seed: int, template: Home) -> list[str]:
    """What goes wrong in one sequence."""
    home = Home.at(template.path.with_name(f"values{seed}"))
    shutil.copytree(template.path, home.path, dirs_exist_ok=True)
    try:
        return ValueHistories(home, random.Random(seed), KEYS).play()  # noqa: S311 - repeatable, not secret
    finally:
        shutil.rmtree(home.path)


def test_remembered_values_are_in_the_destination(template: Home) -> None:
    """In a few sequences every time."""
    assert {} == {seed: harm for seed in range(2) if (harm := harm_of(seed, template))}


@pytest.mark.thorough
def test_remembered_values_are_in_the_destination_in_more_sequences(template: Home) -> None:
    """With changes and removals without an answer, runs that stop and are continued or overtaken."""
    assert {} == {seed: harm for seed in range(2, SEQUENCES) if (harm := harm_of(seed, template))}
