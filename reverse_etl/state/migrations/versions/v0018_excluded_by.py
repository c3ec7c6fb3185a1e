"""Why rows of a run were left out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Adds the column; of runs that ended before, no reason is known."""
    excluded_by = sa.Column("excluded_by", sa.Text, nullable=True, comment="JSON: exclusions.ExcludedRows")
    op.add_column("reverse_etl_run", excluded_by)
