"""DuckDB, for scratch and for reading: connections that print nothing.

Its progress bar would stand on stdout among what a command reports there.

DuckDB turns the bar on by itself in a process that looks interactive, ``python -c`` and forks of such a one among them.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, cast

from reverse_etl.files.private import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

Setting = str | bool | int | float | list[str]

_MEMORY: Final = "128MB"
"""DuckDB continues on disk beyond this, so that ten million rows need no more memory than one million."""

_THREADS: Final = 2
"""Each needs memory of its own."""

_MOST_SPILLED: Final = "20GB"
"""What a statement that others wrote may put there."""


def connect(path: Path | str, *, settings: Mapping[str, Setting], read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Opens a database. A connection's ``cursor()`` prints nothing by itself.

    Args:
        path: A file, or ``:memory:``.
        settings: DuckDB's own, of the whole database.
        read_only: Whether nothing can be written.

    Raises:
        duckdb.Error: It cannot be opened.
    """
    import duckdb

    connection = duckdb.connect(str(path), read_only=read_only, config=dict(settings))
    # Another connection of this process may have locked the configuration; then only cursors are asked.
    with suppress(duckdb.InvalidInputException):
        connection.execute("SET enable_progress_bar = false")
    return connection


@contextmanager
def scratch_database(folder: Path, *, file: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database for a while.

    Args:
        folder: Private; what does not fit into memory goes there, and its maker removes it.
        file: The name of the file in it that holds the tables; by default they are in memory as far as they fit.
    """
    settings: dict[str, Setting] = {
        "memory_limit": _MEMORY,
        "threads": _THREADS,
        "temp_directory": str(folder / "spilled"),
    }
    with connect(folder / file if file else ":memory:", settings=settings) as database:
        yield database


@contextmanager
def scratch_in(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same in a folder of its own, which is made and, at the end, removed with all in it."""
    try:
        make_private_folder(folder)
        with scratch_database(folder) as database:
            yield database
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def on_demand(opened: Callable[[], duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
    """A database that is opened when it is first used: DuckDB's library takes 50 MB by itself.

    Args:
        opened: Gives it, each time the same.
    """
    return cast("duckdb.DuckDBPyConnection", _OnDemand(opened))


class _OnDemand:
    def __init__(self, opened: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._opened = opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened(), name)


@contextmanager
def closed_database(folder: Path, *, reads: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database for statements that others wrote: no file but these, no network, and no setting to change that.

    Args:
        folder: Made, and removed at the end with all in it; what does not fit into memory goes there.
        reads: The files that it may read.

    Raises:
        duckdb.Error: It cannot be opened.
    """
    settings: dict[str, Setting] = {
        "memory_limit": _MEMORY,
        "threads": _THREADS,
        "temp_directory": str(folder / "spilled"),
        "max_temp_directory_size": _MOST_SPILLED,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_persistent_secrets": "false",
    }
    try:
        make_private_folder(folder)
        with connect(":memory:", settings=settings) as database:
            listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in reads)
            database.execute(f"SET allowed_paths = [{listed}]")
            database.execute("SET enable_external_access = false")
            database.execute("SET GLOBAL TimeZone = 'UTC'")
            database.execute("SET lock_configuration = true")
            yield database
    finally:
        shutil.rmtree(folder, ignore_errors=True)
