"""Which rows the last completed run of each sync saw, in its engine's own words."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Adds the column; without it, a query that asks for changed rows returns all of them once."""
    comment = "which rows were seen, in the engine's own words"
    op.add_column("reverse_etl_sync", sa.Column("place", sa.Text, nullable=True, comment=comment))
