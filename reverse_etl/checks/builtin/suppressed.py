"""People on the sync's suppression list: left out or failed rows, as the sync says.

How the list is read lives in ``changeset.suppression``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from reverse_etl.changeset.listed_people import IDENTIFIERS, comparable
from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.changeset.suppression import list_of
from reverse_etl.checks._across import Keyed, columns_of, filled, keys_of, parquet
from reverse_etl.checks._batch import text
from reverse_etl.checks.base import Finding, Rule
from reverse_etl.errors import ConfigError, StateError

if TYPE_CHECKING:
    import duckdb

MESSAGE = "person is suppressed"
"""Also the message where Customer.io itself says so."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """No person of a row is on the list, under any of their identifiers.

    Attributes:
        identifiers: The columns that may name the person; those that are not in the result are left out.
        first: Whether no rows before these were compared with the list.
    """

    rule: Rule
    identifiers: tuple[str, ...]
    first: bool = True

    def findings_across(self, parts: Parts, database: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
        """Rows of people on the list.

        Raises:
            StateError: The changeset was read without a list.
            ConfigError: The list names people by what no column of the rows holds.
        """
        listed = list_of(parts)
        if not listed.exists():
            raise StateError(
                "this changeset was read before the sync had a suppression list.", hint="Run the whole sync again."
            )
        schema = parts.schema()
        names = [name for name in self.identifiers if schema is not None and name in schema.names]
        if self.first:
            _require_in_common(listed, names, database)
        for name in names:

            def keyed(batch: pa.RecordBatch, name: str = name) -> Keyed:
                texts = text(batch, name)
                return filled(batch.column(ROW_NUMBER), comparable(texts, name))

            with keys_of(columns_of(parts, (name,)), keyed, folder=parts.folder, database=database) as keys:
                for rows in keys.also_in(listed, name):
                    yield Finding(rows, name, MESSAGE)


def _require_in_common(listed: Path, names: list[str], database: duckdb.DuckDBPyConnection) -> None:
    """A list of e-mail addresses beside rows that have ids alone would let all of them pass."""
    found = database.sql(
        f"SELECT count(*), {', '.join(f'count({name})' for name in IDENTIFIERS)} FROM {parquet(listed)}"
    )
    people, *named = found.fetchall()[0]
    by = [name for name, count in zip(IDENTIFIERS, named, strict=True) if count]
    if people and by and not set(by) & set(names):
        raise ConfigError(
            f"the suppression list names people by `{by[0]}`, and these rows by `{'`, `'.join(names)}`: "
            "none of them can be found.",
            hint=f"Give the list a column `{names[0]}`." if names else "",
        )
