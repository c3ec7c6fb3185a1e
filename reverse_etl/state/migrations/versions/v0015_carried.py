"""The failed rows that runs leave each other, and what each run read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Adds the columns; runs that ended before carried nothing."""
    carried = sa.Column("carried", sa.Text, nullable=True, comment="the run whose changeset.carried holds")
    op.add_column("reverse_etl_sync", carried)
    op.add_column("reverse_etl_run", sa.Column("reads", sa.Text, nullable=True, comment="changeset.scope.Reads"))
    op.add_column("reverse_etl_run", sa.Column("carried", sa.Text, nullable=True, comment="JSON: report.Carried"))
