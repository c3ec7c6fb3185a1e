"""How the state database came to be as it is: one module in ``versions`` per change, oldest first.

They run by themselves at first use (``migrate``). They only go forward: going back would lose what is remembered.
"""

from __future__ import annotations

from typing import Final

REVISIONS: Final = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
    "0017",
    "0018",
    "0019",
    "0020",
    "0021",
    "0022",
)
"""Every revision, oldest first. The last is what this release reads and writes."""

VERSION_TABLE: Final = "reverse_etl_version"
"""The table that holds the revision. Not Alembic's usual name: Dagster's tables may lie in the same database."""
