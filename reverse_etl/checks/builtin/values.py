"""Values that JSON has no word for: NaN, infinities, instants beyond the calendar, bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.checks._batch import broken, columns
from reverse_etl.checks.base import Finding, Rule
from reverse_etl.sources._instants import no_dates, outside_years
from reverse_etl.sources.base import NOT_JSON, logical_type

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The escape, not a backslash before the text u0000."""


@dataclass(frozen=True, slots=True)
class NotFinite:
    """No NaN, no infinity, no date or date-time outside the years 1 to 9999, in any column."""

    rule: Rule

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with such a value, one finding a column."""
        for name, column, field in columns(batch):
            kind = field.type
            if pa.types.is_floating(kind):
                yield from broken(batch, pc.invert(pc.is_finite(column)), name, f"column `{name}` is NaN or infinite.")
            elif logical_type(field) == "decimal":
                # JSON numbers have no letter n; NaN and Infinity, however spelled, do.
                beyond = pc.match_substring(column, "n", ignore_case=True)
                yield from broken(batch, beyond, name, f"column `{name}` is NaN or infinite.")
            elif logical_type(field) == "json":
                beyond = pc.equal(column, NOT_JSON)
                yield from broken(
                    batch,
                    beyond,
                    name,
                    f"column `{name}` holds bytes, NaN, an infinity or text that cannot be encoded.",
                )
            elif pa.types.is_timestamp(kind) or pa.types.is_date32(kind):
                no_date = no_dates(column)
                yield from broken(batch, no_date, name, f"column `{name}` is a zero date: no calendar has that day.")
                beyond = pc.and_not(outside_years(column), no_date)
                yield from broken(batch, beyond, name, f"column `{name}` is outside the years 1 to 9999.")


_NO_BYTES: Final = "Leave it out, or send it as text, such as hex() or base64 of it."


@dataclass(frozen=True, slots=True)
class BinaryColumn:
    """No bytes, in any column."""

    rule: Rule

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with bytes in a column, one finding a column."""
        for name, column, field in columns(batch):
            if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
                yield from broken(batch, column.is_valid(), name, f"column `{name}` is binary. {_NO_BYTES}")


@dataclass(frozen=True, slots=True)
class TextEncodable:
    """No NUL and no half of a surrogate pair in any text, nor in any text or name inside JSON; all of it is UTF-8."""

    rule: Rule

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002
        """Rows with such text, one finding a column."""
        for name, column, field in columns(batch):
            if not pa.types.is_string(field.type):
                continue
            wrong = pc.match_substring(column, "\0")
            if logical_type(field) == "json":
                wrong = pc.or_(wrong, _unencodable_json(column))
            which = "not UTF-8, a NUL, or half of a surrogate pair"
            yield from broken(batch, wrong, name, f"column `{name}` holds text that cannot be encoded: {which}.")


def _unencodable_json(column: pa.StringArray) -> pa.BooleanArray:
    suspects = pc.fill_null(pc.match_substring_regex(column, r"\\u(?:0000|[dD][89a-fA-F])"), False)
    if not pc.any(suspects).as_py():
        return suspects
    texts = pc.filter(column, suspects)
    wrong = [text for text in texts.to_pylist() if not _encodable(text)]
    return pc.is_in(column, value_set=pa.array(wrong, pa.string()))


def _encodable(text: str) -> bool:
    if _NUL.search(text):
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        # What only Python's reader takes is half of a pair; other texts that are no JSON are sent as text.
        try:
            json.loads(text)
        except ValueError:
            return True
        return False
    return True
