"""How many of a run's rows were new, and how many had changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Adds the columns; of runs that ended before, neither is known."""
    nothing = "null: it did not compare"
    op.add_column("reverse_etl_run", sa.Column("added", sa.BigInteger, nullable=True, comment=nothing))
    op.add_column("reverse_etl_run", sa.Column("changed", sa.BigInteger, nullable=True, comment=nothing))
