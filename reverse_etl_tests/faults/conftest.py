"""One world for all scenarios of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reverse_etl_tests.faults.runs import World, new_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A sandbox, a home folder and a state database; each scenario has its own sync in them."""
    with new_world(tmp_path_factory.mktemp("faults")) as world:
        yield world
