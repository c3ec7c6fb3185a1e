"""Up to where each sync has read its workspace's feed of activities."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Adds the column; the next run of a sync begins with what is in the feed from then on."""
    op.add_column("reverse_etl_sync", sa.Column("feed", sa.Text, nullable=True, comment="JSON: delivery.read_back"))
