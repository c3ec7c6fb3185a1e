"""What objects and relationships have besides identifiers: an object type, and whether a relationship is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.checks._batch import broken, columns, text
from reverse_etl.checks.base import Finding, Rule
from reverse_etl.config.gone import DELETED
from reverse_etl.sources.base import logical_type

OBJECT_TYPE = "object_type"


@dataclass(frozen=True, slots=True)
class ObjectTypeValid:
    """``object_type``, where the column is there, is a positive integer in every row."""

    rule: Rule

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with anything else, NULL included."""
        texts = text(batch, OBJECT_TYPE)
        if texts is not None:
            fine = pc.fill_null(pc.match_substring_regex(texts, r"^[1-9][0-9]{0,17}$"), False)
            message = f"column `{OBJECT_TYPE}` is not a positive integer."
            yield from broken(batch, pc.invert(fine), OBJECT_TYPE, message)


@dataclass(frozen=True, slots=True)
class DeletedIsBoolean:
    """``deleted``, where the column is there, is boolean.

    The integers 0 and 1 count, because MySQL and SQLite have no other booleans. NULL is an empty value:
    what the row is about is not deleted.
    """

    rule: Rule

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with anything else."""
        for name, column, field in columns(batch):
            if name != DELETED or pa.types.is_boolean(field.type):
                continue
            other = column.is_valid()
            if pa.types.is_integer(field.type):
                other = pc.not_equal(pc.bit_wise_and(column, -2), 0)
            elif logical_type(field) == "json":
                other = pc.and_(other, pc.invert(pc.is_in(column, pa.array(["0", "1", "true", "false"]))))
            yield from broken(batch, other, DELETED, f"column `{DELETED}` is not boolean.")
