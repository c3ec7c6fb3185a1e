"""Which changesets lie in the place that all machines share, and since when nobody has used them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reverse_etl.state.schema import Moment

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "reverse_etl_stored",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("used_at", Moment, nullable=False),
    )
