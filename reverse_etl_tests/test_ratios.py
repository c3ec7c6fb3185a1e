"""What a million rows cost stays below what a plain loop over them costs, measured in a fresh process (``ratios``)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from reverse_etl_tests.ratios import GUARDS, found, require


@pytest.fixture(scope="module")
def measured() -> dict[str, str]:
    """What each guard found."""
    done = subprocess.run(
        [sys.executable, "-m", "reverse_etl_tests.ratios"], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    results: dict[str, str] = json.loads(done.stdout)
    return results


@pytest.mark.parametrize("guard", [guard.__name__ for guard in GUARDS])
def test_rows_cost_less_than_a_loop(guard: str, measured: dict[str, str]) -> None:
    """No ratio is beyond its bound."""
    assert "" == measured[guard]


def test_a_loop_is_beyond_the_bound() -> None:
    """A guard finds what takes as long as the loop beside it."""

    def loop() -> list[int]:
        return [number + 1 for number in range(20_000)]

    def guard() -> None:
        require(0.4, loop, loop)

    assert found(guard).endswith("times the plain loop, and the bound is 0.4")
