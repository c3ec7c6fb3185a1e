"""Ids that differ only in their spelling: ``A7`` and ``a7``, ``42`` and ``0042``, are two people to Customer.io."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.checks._across import Keyed, filled, shared_keys_of
from reverse_etl.checks._batch import text
from reverse_etl.checks.base import Finding, Rule

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class IdSpelling:
    """No two ids of one changeset are equal but for case, white space around them, or zeros before a number."""

    rule: Rule
    column: str

    def findings_across(self, parts: Parts, database: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
        """Rows whose id is another row's, spelled otherwise."""
        schema = parts.schema()
        # Numbers and UUIDs of the database have one spelling.
        if schema is None or self.column not in schema.names or not pa.types.is_string(schema.field(self.column).type):
            return
        # Where each is in its one spelling, two that are spelled otherwise are two.
        if not any(map(self._has_another_spelling, parts.batches([self.column]))):
            return
        with shared_keys_of(parts, (self.column,), self._key, database=database) as keys:
            for rows in keys.differing() if keys else ():
                message = (
                    f"column `{self.column}` differs from another row's in case, white space or leading zeros alone."
                )
                yield Finding(rows, self.column, message)

    def _has_another_spelling(self, batch: pa.RecordBatch) -> bool:
        ids = text(batch, self.column)
        plain = pc.equal(pc.utf8_lower(pc.utf8_trim_whitespace(ids)), ids)
        return pc.any(pc.or_(pc.invert(plain), pc.starts_with(ids, "0"))).as_py() or False

    def _key(self, batch: pa.RecordBatch) -> Keyed:
        ids = text(batch, self.column)
        plain = pc.utf8_lower(pc.utf8_trim_whitespace(ids))
        return filled(batch.column(ROW_NUMBER), pc.replace_substring_regex(plain, "^0+([0-9]+)$", r"\1"), ids)
