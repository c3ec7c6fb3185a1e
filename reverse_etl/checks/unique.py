"""``unique: order_no``: no value of the column is in two rows of the changeset. NULL and '' are no values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.changeset.text import as_text
from reverse_etl.checks._across import Keyed, filled, shared_keys_of
from reverse_etl.checks._settings import rule_of
from reverse_etl.checks.base import AnyRule, Finding, Rule
from reverse_etl.config.checks import CheckConfig

if TYPE_CHECKING:
    import duckdb


class Config(CheckConfig):
    """The check's keys."""

    SHORT: ClassVar[str] = "column"

    check: str = "unique"
    column: str = Field(min_length=1, description="The column in which no value may occur twice.")


def rules(config: Config) -> list[AnyRule]:
    """The rule that a sync asks for."""
    return [Unique(rule_of(config, f"Column `{config.column}` has no value twice.", config.column), config.column)]


@dataclass(frozen=True, slots=True)
class Unique:
    """All values of a column are different, compared as text."""

    rule: Rule
    column: str

    def findings_across(self, parts: Parts, database: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
        """Every row whose value another row has too."""
        with shared_keys_of(parts, [self.column], self._key, database=database) as keys:
            for rows in keys.shared() if keys else ():
                yield Finding(rows, self.column, f"column `{self.column}` has the same value in more than one row.")

    def _key(self, batch: pa.RecordBatch) -> Keyed:
        column, field = batch.column(self.column), batch.schema.field(self.column)
        # As text a date-time is its second.
        exact = pc.cast(pc.cast(column, pa.int64()), pa.string()) if pa.types.is_timestamp(column.type) else None
        texts = as_text(column, field) if exact is None else exact
        return filled(batch.column(ROW_NUMBER), texts)
