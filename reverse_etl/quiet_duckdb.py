"""DuckDB connections that print nothing: its progress bar would stand on stdout among what a command reports there.

DuckDB turns the bar on by itself in a process that looks interactive, ``python -c`` and forks of such a one among them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

Setting = str | bool | int | float | list[str]


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
