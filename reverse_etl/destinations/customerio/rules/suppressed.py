"""People on the sync's suppression list: left out or failed rows, as the sync sets it.

How the list is read lives in ``suppression``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.checks._across import Keyed, filled, keys_of, parquet
from reverse_etl.checks._batch import text
from reverse_etl.checks.base import Finding, Rule
from reverse_etl.counted import counted
from reverse_etl.destinations.customerio.listed_people import IDENTIFIERS, comparable
from reverse_etl.destinations.customerio.suppression import list_of
from reverse_etl.errors import ConfigError, StateError

if TYPE_CHECKING:
    import duckdb

MESSAGE = "person is suppressed"
"""Also the message where Customer.io itself reports it."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """No person of a row is on the list, under any of their identifiers.

    Attributes:
        identifiers: The columns that may name the person; those that are not in the result are left out.
    """

    rule: Rule
    identifiers: tuple[str, ...]

    def findings_across(self, parts: Parts, database: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
        """Rows of people on the list.

        Raises:
            StateError: The changeset was read without a list.
            ConfigError: The list names a person only by what no column of the rows holds.
        """
        listed = list_of(parts)
        if not listed.exists():
            raise StateError(
                "this changeset was read before the sync had a suppression list.", hint="Run the whole sync again."
            )
        schema = parts.schema()
        names = [name for name in self.identifiers if schema is not None and name in schema.names]
        self._require_in_common(listed, names, database)
        for name in names:

            def keyed(batch: pa.RecordBatch, name: str = name) -> Keyed:
                texts = text(batch, name)
                return filled(batch.column(ROW_NUMBER), comparable(texts, name))

            with keys_of(parts.batches((name,)), keyed, folder=parts.folder, database=database) as keys:
                for rows in keys.also_in(listed, name):
                    yield Finding(rows, name, MESSAGE)

    def _require_in_common(self, listed: Path, names: list[str], database: duckdb.DuckDBPyConnection) -> None:
        """Makes sure that each entry can be found: one by ``email`` alone beside rows by ``id`` alone would pass."""
        lacking = [name for name in IDENTIFIERS if name not in names]
        if not lacking:
            return
        has = {name: f"nullif({name}, '') IS NOT NULL" for name in IDENTIFIERS}
        where = " AND ".join(f"NOT ({has[name]})" for name in names) or "true"
        for other in lacking:
            found = database.sql(f"SELECT count(*) FROM {parquet(listed)} WHERE {where} AND {has[other]}")
            ((people,),) = found.fetchall()
            if people:
                raise ConfigError(
                    f"the suppression list names {counted(people, 'person', 'people')} by `{other}` alone, and these "
                    f"rows have no column `{other}`: they would be sent.",
                    hint=self._way_out(other, names),
                )

    def _way_out(self, other: str, names: list[str]) -> str:
        listed = f"give each row of the list its `{'` or `'.join(names or IDENTIFIERS)}`"
        if other in self.identifiers:
            return f"Select `{other}` too in the sync's query, or {listed}."
        return f"{listed[0].upper()}{listed[1:]}: these rows name people by nothing else."
