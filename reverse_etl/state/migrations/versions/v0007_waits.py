"""Why the run that has a workspace's turn waits, for those who find it in the way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reverse_etl.state.schema import Moment

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds the columns."""
    op.add_column(
        "reverse_etl_turn",
        sa.Column("waits_until", Moment, nullable=True, comment="it waits for its workspace until then"),
    )
    op.add_column(
        "reverse_etl_turn", sa.Column("waits_why", sa.Text, nullable=True, comment="the rest of the sentence")
    )
