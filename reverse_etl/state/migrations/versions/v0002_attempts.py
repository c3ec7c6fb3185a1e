"""Failed rows have the attempt at which they failed; those remembered before failed at their first, as far as known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the column."""
    attempt = sa.Column("attempt", sa.Integer, nullable=False, server_default="1", comment="from 1")
    op.add_column("reverse_etl_failed_row", attempt)
