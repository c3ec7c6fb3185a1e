"""What rows, files and requests cost stays in proportion to a plain loop, measured in a fresh process (``ratios``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from reverse_etl_tests.ratios import found, require
from reverse_etl_tests.ratios.guards import GUARDS


@pytest.fixture(scope="module")
def measured() -> dict[str, str]:
    """What each guard found; lines are not counted meanwhile, which takes longer for ours than for what is plain."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
    command = [sys.executable, "-m", "reverse_etl_tests.ratios"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    results: dict[str, str] = json.loads(done.stdout)
    return results


@pytest.mark.parametrize("guard", [guard.__name__ for guard in GUARDS])
def test_nothing_takes_long_beside_a_plain_loop(guard: str, measured: dict[str, str]) -> None:
    """No ratio is beyond its bound."""
    assert "" == measured[guard]


def test_a_loop_is_beyond_the_bound() -> None:
    """A guard finds what takes as long as the loop beside it."""

    def loop() -> list[int]:
        return [number + 1 for number in range(20_000)]

    def guard() -> None:
        require(0.4, loop, loop)

    assert found(guard).endswith("times the plain loop, and the bound is 0.4")
