"""People on the sync's suppression list: left out or failed rows, as the sync says.

How the list is read lives in ``changeset.suppression``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.changeset.suppression import list_of
from reverse_etl.checks._across import Keyed, columns_of, filled, keys_of
from reverse_etl.checks._batch import text
from reverse_etl.checks.base import Finding, Rule
from reverse_etl.errors import StateError

if TYPE_CHECKING:
    import duckdb

MESSAGE = "person is suppressed"
"""Also the message where Customer.io itself says so."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Nobody in a row is on the list, under any identifier of theirs.

    Attributes:
        identifiers: The columns that may name the person; those that are not in the result are left out.
    """

    rule: Rule
    identifiers: tuple[str, ...]

    def findings_across(self, parts: Parts, database: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
        """Rows of people on the list.

        Raises:
            StateError: The changeset was read without a list.
        """
        listed = list_of(parts)
        if not listed.exists():
            raise StateError(
                "this changeset was read before the sync had a suppression list.", hint="Run the whole sync again."
            )
        schema = parts.schema()
        for name in self.identifiers:
            if schema is None or name not in schema.names:
                continue

            def keyed(batch: pa.RecordBatch, name: str = name) -> Keyed:
                texts = text(batch, name)
                return filled(batch.column(ROW_NUMBER), pc.utf8_lower(texts) if name == "email" else texts)

            with keys_of(columns_of(parts, (name,)), keyed, folder=parts.folder, database=database) as keys:
                for rows in keys.also_in(listed, name):
                    yield Finding(rows, name, MESSAGE)
