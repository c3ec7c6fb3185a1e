"""One e-mail address for two ids: Customer.io refuses or merges the second, depending on the workspace."""

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
class EmailShared:
    """No e-mail address belongs to two ids of one changeset; nothing is asked where a column is not there."""

    rule: Rule

    def findings_across(self, parts: Parts, database: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
        """Rows whose e-mail address stands beside another id too."""
        schema = parts.schema()
        if schema is None or not {"id", "email"} <= set(schema.names):
            return
        with shared_keys_of(parts, ("email",), _email, database=database, contents=_email_and_id) as keys:
            for rows in keys.differing() if keys else ():
                yield Finding(rows, "email", "column `email` is the same for more than one `id`.")


def _email(batch: pa.RecordBatch) -> Keyed:
    return filled(batch.column(ROW_NUMBER), pc.utf8_lower(text(batch, "email")))


def _email_and_id(batch: pa.RecordBatch) -> Keyed:
    emails, ids = text(batch, "email"), text(batch, "id")
    lower: pa.StringArray = pc.utf8_lower(emails)
    return filled(batch.column(ROW_NUMBER), lower, ids)
