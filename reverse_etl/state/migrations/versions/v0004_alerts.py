"""A table for what was told to each channel of each sync."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "reverse_etl_alert",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("sync", sa.Text, primary_key=True),
        sa.Column("told", sa.Text, nullable=False, comment="as notify.decide writes it; empty: nothing"),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True, comment="somebody tells it until then"),
    )
