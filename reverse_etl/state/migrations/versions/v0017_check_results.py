"""What each check found in each run, so that gates compare with earlier runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Adds the table; nothing is known of what checks found before."""
    op.create_table(
        "reverse_etl_check_result",
        sa.Column(
            "run_id",
            sa.Text,
            sa.ForeignKey("reverse_etl_run.run_id", ondelete="CASCADE"),
            primary_key=True,
            nullable=False,
        ),
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False, comment="passed, broken, accepted, not_judged"),
        sa.Column("rows_checked", sa.BigInteger, nullable=False),
        sa.Column("rows_failed", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Double, nullable=True, comment="the number that a gate looked at"),
        sa.Column(
            "everything", sa.Boolean, nullable=True, comment="all rows were read, not what changed; null: a part"
        ),
        sa.Column("message", sa.Text, nullable=False),
    )
