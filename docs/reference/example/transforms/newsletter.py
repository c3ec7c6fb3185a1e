"""Subscribers by their address, in the one spelling in which the workspace knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reverse_etl.shaping.rows import Result, Row


def transform(row: Row) -> Result:
    """None leaves the row out."""
    if row["email"] is None:
        return None
    return {"email": row["email"].strip().lower()}
