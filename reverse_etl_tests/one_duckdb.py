"""One DuckDB for what many runs compare: opening another takes as long as half of a small run.

Each still has a database of its own in it, which is empty and goes with it. What is about memory, spilling or files is
for tests that open their own.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from reverse_etl.files import scratch

if TYPE_CHECKING:
    import duckdb

_OPEN: Final[dict[int, duckdb.DuckDBPyConnection]] = {}
"""By process: a fork has none of the threads of its parent's."""

_OWN: Final = scratch.scratch_database

_NUMBERS: Final = itertools.count(1)


@contextmanager
def one_duckdb() -> Iterator[None]:
    """Until the end, scratch in memory is a database in the one that this process has open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scratch, "scratch_database", _database)
        yield


@contextmanager
def _database(folder: Path, *, file: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    if file:
        with _OWN(folder, file=file) as database:
            yield database
        return
    if os.getpid() not in _OPEN:
        _OPEN[os.getpid()] = scratch.connect(":memory:", settings={"threads": 2})
    name = f"scratch_{next(_NUMBERS)}"
    with _OPEN[os.getpid()].cursor() as database:
        database.execute(f"ATTACH ':memory:' AS {name}; USE {name}")
        try:
            yield database
        finally:
            database.execute(f"USE memory; DETACH {name}")
