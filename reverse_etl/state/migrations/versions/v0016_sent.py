"""What was sent to services that apply twice what is sent twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Adds the table; nothing is known of what was sent before."""
    op.create_table(
        "reverse_etl_sent",
        sa.Column("sync", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True, comment="a hash; no value"),
        sa.Column("changeset", sa.Text, nullable=False, comment="of the run that sent it"),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=False, comment="from when on it does not count"),
        sa.Column("in_doubt", sa.Boolean, nullable=False),
    )
    op.create_index("reverse_etl_sent_by_end", "reverse_etl_sent", ["forgotten_at"])
