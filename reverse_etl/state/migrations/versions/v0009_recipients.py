"""Whose the acknowledgements are, of each sync and of each run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Adds the columns; the next run of a sync takes the workspace that it finds for the one of before."""
    for table in ("reverse_etl_sync", "reverse_etl_run"):
        op.add_column(table, sa.Column("recipient", sa.Text, nullable=True, comment="JSON: changeset.recipient"))
