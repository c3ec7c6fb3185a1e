"""Which syncs Dagster has loaded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reverse_etl.state.schema import Moment

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Adds the table; until the sensor's next look nothing is known."""
    op.create_table(
        "reverse_etl_loaded",
        sa.Column("location", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, comment="of syncs"),
        sa.Column("syncs", sa.Text, nullable=False, comment="JSON: a mark by sync, as state.loaded.mark"),
        sa.Column("looked_at", Moment, nullable=False),
    )
