"""Whose turn it is in a workspace, and up to when each sync's schedule has been looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reverse_etl.state.schema import Moment

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Makes the table and adds the columns."""
    op.create_table(
        "reverse_etl_turn",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False, comment="empty when nobody's"),
        sa.Column("sync", sa.Text, nullable=False),
        sa.Column("taken_at", Moment, nullable=False),
        sa.Column("beat_at", Moment, nullable=False, comment="last sign of life, by the server's clock"),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=True, comment="none between two stages"),
    )
    op.add_column("reverse_etl_sync", sa.Column("ticked_at", Moment, nullable=True))
    op.add_column("reverse_etl_sync", sa.Column("ticked_grid", sa.Text, nullable=True))
