"""Which files say what a sync's destination acknowledged, and how many rows of a run were as they were then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Makes the table and the column; no run before it left a row out as unchanged."""
    op.create_table(
        "reverse_etl_snapshot",
        sa.Column("sync", sa.Text, primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False, comment="from 1; 0 before the first"),
        sa.Column("made_by", sa.Text, nullable=False, comment="the changeset whose run made it; empty for none"),
        sa.Column("sending", sa.Text, nullable=False, comment="the changeset that may be partly sent; empty for none"),
    )
    op.add_column("reverse_etl_run_stream", sa.Column("unchanged", sa.BigInteger, nullable=False, server_default="0"))
