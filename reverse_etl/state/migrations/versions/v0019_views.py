"""Views for BI tools, how often a sync runs, and which runs were copied to a warehouse."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Adds the columns; the views are made whenever the tables have changed."""
    interval_s = sa.Column(
        "interval_s", sa.Double, nullable=True, comment="the longest between due runs; none: by hand"
    )
    copied_to = sa.Column("copied_to", sa.Text, nullable=True, comment="the warehouse that has it (run.monitoring)")
    op.add_column("reverse_etl_sync", interval_s)
    op.add_column("reverse_etl_run", copied_to)
