"""Times as text, some with a zone and some without: who reads the latter has to guess, and is hours off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import Parts
from reverse_etl.checks._batch import broken, columns
from reverse_etl.checks._times import named_like_times
from reverse_etl.checks.base import Finding, Rule
from reverse_etl.sources.base import logical_type

if TYPE_CHECKING:
    import duckdb

_WITHOUT: Final = r"^\s*[0-9]{4}-?[0-9]{2}-?[0-9]{2}[T ][0-9]{2}:?[0-9]{2}(:?[0-9]{2}([.,][0-9]+)?)?\s*$"
_WITH: Final = r"^\s*[0-9]{4}-?[0-9]{2}-?[0-9]{2}[T ][0-9]{2}:?[0-9]{2}.*([zZ]|[+-][0-9]{2}(:?[0-9]{2})?)\s*$"


@dataclass(frozen=True, slots=True)
class TimeZonesEqual:
    """In text columns named like times all times have a zone, or none has."""

    rule: Rule

    def findings_across(
        self,
        parts: Parts,
        database: duckdb.DuckDBPyConnection,  # noqa: ARG002
    ) -> Iterator[Finding]:
        """The rarer kind of rows of each column that has both; those without a zone where they are as many."""
        names = named_like_times(parts.schema())
        counts = {name: [0, 0] for name in names}
        for batch in parts.batches(names) if names else ():
            for name, column, field in columns(batch):
                if _is_text(field):
                    for kind, pattern in enumerate((_WITH, _WITHOUT)):
                        counts[name][kind] += pc.sum(pc.match_substring_regex(column, pattern)).as_py() or 0
        rarer = {
            name: _WITH if some < others else _WITHOUT for name, (some, others) in counts.items() if some and others
        }
        for batch in parts.batches(list(rarer)) if rarer else ():
            for name, column, field in columns(batch):
                if _is_text(field):
                    which = (
                        "a zone, which most rows have not" if rarer[name] == _WITH else "no zone, which other rows have"
                    )
                    found = pc.match_substring_regex(column, rarer[name])
                    yield from broken(batch, found, name, f"column `{name}` has a time with {which}.")


def _is_text(field: pa.Field) -> bool:
    return bool(pa.types.is_string(field.type)) and logical_type(field) not in ("decimal", "json")
