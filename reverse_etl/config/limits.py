"""Limits as people write them: a number of rows, or a share of them."""

from __future__ import annotations

from dataclasses import dataclass

from reverse_etl.config.percent import parse_percent


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of rows, or a share of all rows; exactly one is set."""

    rows: int | None = None
    percent: float | None = None

    def exceeded_by(self, rows: int, of_rows: int) -> bool:
        """Whether this many rows are more than the limit allows; none never are."""
        if self.percent is not None:
            return rows * 100 > self.percent * of_rows
        return rows > (self.rows or 0)

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.percent is not None else f"{self.rows:,}"


def parse_limit(value: object) -> Limit:
    """Reads ``5%``, ``0.5%`` or ``100``.

    Raises:
        ValueError: It is none of these, or more than 100%.
    """
    if isinstance(value, Limit):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Limit(rows=value)
    if isinstance(value, str):
        if (percent := parse_percent(value)) is not None:
            return Limit(percent=percent)
        if value.strip().isdecimal():
            return Limit(rows=int(value))
    raise ValueError("must be a number of rows, as in 100, or a share of them, as in 5%")
