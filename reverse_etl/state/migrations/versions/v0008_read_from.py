"""From when a run read, and from when the next one is to read; what the last completed run asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds the columns; of what was remembered before nothing is known."""
    sync = (
        sa.Column(
            "reaches_to", sa.BigInteger, nullable=True, comment="Unix seconds; from when the next run is to read"
        ),
        sa.Column("clock_ahead_s", sa.Double, nullable=True, comment="of the database, when last sync time was taken"),
        sa.Column("asked", sa.Text, nullable=True, comment="JSON: hashes of what the last completed run asked for"),
    )
    for column in sync:
        op.add_column("reverse_etl_sync", column)
    read_from = sa.Column(
        "read_from", sa.BigInteger, nullable=True, comment="what the queries were given; 0: everything"
    )
    op.add_column("reverse_etl_run", read_from)
