"""What became of a run's rows, stream by stream in rows of their own rather than in columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_COUNTS = ("extracted", "delivered", "rejected", "refused", "excluded", "undelivered")


def upgrade() -> None:
    """Makes the table, takes what the columns say over, and removes them."""
    op.create_table(
        "reverse_etl_run_stream",
        sa.Column("run_id", sa.Text, sa.ForeignKey("reverse_etl_run.run_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, comment="from 0, in the order in which they are sent"),
        sa.Column("stream", sa.Text, nullable=False),
        *(sa.Column(count, sa.BigInteger, nullable=False) for count in _COUNTS),
    )
    names = ", ".join(("run_id", "position", "stream", *_COUNTS))
    for position, stream in enumerate(("rows", "relationships")):
        counts = ", ".join(f"{stream}_{count}" for count in _COUNTS)
        # Whether a sync has relationships is not known here, unless there were any.
        read = f"{stream}_extracted > 0"
        if stream == "rows":
            read += " OR status IN ('completed', 'some_rows_failed')"
        op.execute(
            f"INSERT INTO reverse_etl_run_stream ({names}) SELECT run_id, {position}, '{stream}', {counts} "
            f"FROM reverse_etl_run WHERE {read}"
        )
    for stream in ("rows", "relationships"):
        for count in _COUNTS:
            op.drop_column("reverse_etl_run", f"{stream}_{count}")
