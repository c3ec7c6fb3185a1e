"""Types for a transform's file, which a type checker and an editor read; the file itself need not import them.

from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from reverse_etl.shaping.rows import Result, Row

def transform(row: Row) -> Result: ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
"""A row: text, numbers, ``Decimal``, ``bool``, aware ``datetime``, ``date``, ``bytes``, dicts, lists or None."""

Value = str | int | float | Decimal | bool | datetime | date | Mapping[str, Any] | Sequence[Any] | None

Result = dict[str, Value] | None
"""What becomes of a row; None leaves it out."""
