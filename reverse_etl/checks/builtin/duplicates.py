"""The same identifier in several rows of one changeset: delivery has no order, so only equal rows are harmless."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.changeset.text import as_text, framed
from reverse_etl.checks._across import Keyed, Keys, filled, shared_keys_of
from reverse_etl.checks._batch import columns, empty, is_number, text
from reverse_etl.checks.base import Finding, Rule
from reverse_etl.sources.base import logical_type

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class IdentifierUnique:
    """One row for each identifier, or several whose values are all equal.

    Attributes:
        key: The columns that together identify a row; those that are not in the result are left out. Rows
            where one of the others is empty take no part.
        any_case: Those of them that are compared in lower case: e-mail addresses.
        keep_last: Whether all but the last row are found, equal or not.
    """

    rule: Rule
    key: tuple[str, ...]
    any_case: frozenset[str] = frozenset({"email"})
    keep_last: bool = False

    def findings_across(self, parts: Parts, database: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
        """Rows whose identifier is not theirs alone, unless their values are equal too."""
        names = [name for name in self.key if name in column_names(parts)]
        shown = " and ".join(f"`{name}`" for name in names)
        field = names[-1] if len(names) == 1 else ""
        if self.keep_last:
            with shared_keys_of(parts, names, self._key, database=database) as keys:
                for rows in keys.shared_but_last() if keys else ():
                    yield Finding(rows, field, f"a later row has the same {shown}.")
            return
        contents = partial(content, apart=frozenset(names))
        with shared_keys(parts, names, key=self._key, contents=contents, database=database) as shared:
            for rows in shared.differing() if shared else ():
                yield Finding(rows, field, f"the same {shown} is in more than one row, with different values.")

    def _key(self, batch: pa.RecordBatch) -> Keyed:
        pieces = [
            pc.utf8_lower(texts) if name in self.any_case else texts
            for name in self.key
            if (texts := text(batch, name)) is not None
        ]
        if len(pieces) == 1:
            return filled(batch.column(ROW_NUMBER), pieces[0])
        missing = reduce(pc.or_, map(empty, pieces))
        keys = pc.binary_join_element_wise(*map(framed, pieces), "")
        return filled(batch.column(ROW_NUMBER), pc.if_else(missing, "", keys))


@contextmanager
def shared_keys(
    parts: Parts,
    names: Sequence[str],
    *,
    key: Callable[[pa.RecordBatch], Keyed],
    contents: Callable[[pa.RecordBatch], pa.StringArray],
    database: duckdb.DuckDBPyConnection,
) -> Iterator[Keys | None]:
    """The keys that more than one row has, and perhaps others, with what these rows hold; None where each is alone.

    Args:
        parts: The rows.
        names: The columns that keys are made of.
        key: The keys of a batch.
        contents: What each row of a batch holds, as one text.
        database: Groups them.
    """

    def with_contents(batch: pa.RecordBatch) -> Keyed:
        keyed = key(batch)
        return Keyed(keyed.row_numbers, keyed.keys, _digest(contents(batch), database))

    with shared_keys_of(parts, names, key, database=database, contents=with_contents) as keys:
        yield keys


def content(batch: pa.RecordBatch, apart: frozenset[str]) -> pa.StringArray:
    """Each row's values but those ``apart`` as one text, equal exactly where the rows mean the same.

    NULL and '' are the same, for neither is an attribute; ``1`` and ``'1'`` are not.
    """
    pieces = [framed(as_text(column, field), _kind(field)) for _, column, field in columns(batch, apart=apart)]
    return pc.binary_join_element_wise(*pieces, "") if pieces else pa.array([""] * batch.num_rows, pa.string())


def _kind(field: pa.Field) -> str:
    return "number" if is_number(field) else logical_type(field)


def _digest(texts: pa.StringArray, database: duckdb.DuckDBPyConnection) -> pa.StringArray:
    """A short text for each, equal where the texts are."""
    database.register("contents", pa.table({"position": np.arange(len(texts)), "content": texts}))
    digests: pa.Table = database.sql("SELECT md5(content) FROM contents ORDER BY position").to_arrow_table()
    database.unregister("contents")
    return digests.column(0).combine_chunks()


def column_names(parts: Parts) -> list[str]:
    """The result's columns; empty for a result without rows."""
    schema = parts.schema()
    return [] if schema is None else list(schema.names)
