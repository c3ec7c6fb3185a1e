"""The first tables: syncs, runs, failed rows and their causes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "reverse_etl_sync",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("last_sync_time", sa.BigInteger, nullable=False, comment="Unix seconds; 0 until a run has completed"),
        sa.Column("first_seen_at", moment, nullable=True),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("last_run_id", sa.Text, nullable=True, comment="newest run that was not skipped"),
    )
    op.create_table(
        "reverse_etl_run",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("root_run_id", sa.Text, nullable=False, comment="first of a chain of re-executions"),
        sa.Column("sync", sa.Text, nullable=False),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("finished_at", moment, nullable=True),
        sa.Column("duration_s", sa.Float, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=True, comment="last sync time that the queries were given"),
        sa.Column(
            "last_sync_time", sa.BigInteger, nullable=False, comment="for the next run, as of the end of this one"
        ),
        *_counts("rows"),
        *_counts("relationships"),
        sa.Column("failed_rows_csv", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("exit_code", sa.Integer, nullable=False),
        sa.Column("blocking_run_id", sa.Text, nullable=True, comment="of a skipped run: the one that was in the way"),
    )
    op.create_index("reverse_etl_run_by_sync", "reverse_etl_run", ["sync", "started_at"])
    op.create_index("reverse_etl_run_by_root", "reverse_etl_run", ["root_run_id"])
    op.create_table(
        "reverse_etl_failed_row",
        _of_run(),
        sa.Column("position", sa.Integer, primary_key=True, comment="from 0, in the order of the CSV"),
        sa.Column("row_number", sa.BigInteger, nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("identifier", sa.Text, nullable=False, comment="e-mail addresses masked"),
        *_cause(),
    )
    op.create_table(
        "reverse_etl_failed_cause",
        _of_run(),
        sa.Column("position", sa.Integer, primary_key=True, comment="from 0, most rows first"),
        sa.Column("query", sa.Text, nullable=False),
        *_cause(),
        sa.Column("rows", sa.BigInteger, nullable=False),
    )


def _counts(query: str) -> list[sa.Column[Any]]:
    counts = ("extracted", "delivered", "rejected", "refused", "excluded", "undelivered")
    return [sa.Column(f"{query}_{count}", sa.BigInteger, nullable=False) for count in counts]


def _cause() -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in ("stage", "reason", "field", "message")]


def _of_run() -> sa.Column[str]:
    run = sa.ForeignKey("reverse_etl_run.run_id", ondelete="CASCADE")
    return sa.Column("run_id", sa.Text, run, primary_key=True)
