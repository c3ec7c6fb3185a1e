"""Roles by the names that campaigns use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reverse_etl.shaping.rows import Result, Row

NAMES = {"adm": "admin", "mem": "member"}


def transform(row: Row) -> Result:
    """A role without such a name stays as it is."""
    return {**row, "role": NAMES.get(row["role"], row["role"])}
