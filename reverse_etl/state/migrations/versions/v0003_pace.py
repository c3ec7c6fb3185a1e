"""A table for the rate limit that all processes sending to a workspace share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "reverse_etl_pace",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("next_at", sa.Double, nullable=False, comment="Unix seconds; the first turn that is still free"),
    )
