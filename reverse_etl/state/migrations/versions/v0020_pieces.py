"""Readings of everything that are under way piece by piece, and which piece a run read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reverse_etl.state.schema import Moment

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Adds the table and the columns."""
    op.create_table(
        "reverse_etl_pieces",
        sa.Column("sync", sa.Text, primary_key=True),
        sa.Column("reading", sa.Text, nullable=False, comment="the changeset of its first piece"),
        sa.Column("next", sa.Integer, nullable=False, comment="the piece that is read next, from 2"),
        sa.Column("piece", sa.Text, nullable=False, comment="JSON: that piece, as changeset.pieces.Piece"),
        sa.Column("read_at", Moment, nullable=False, comment="when the piece before was closed"),
    )
    of_everything = "of a reading of everything, from 1; null: it was one run"
    op.add_column("reverse_etl_run", sa.Column("piece", sa.Integer, nullable=True, comment=of_everything))
    op.add_column("reverse_etl_run", sa.Column("pieces", sa.Integer, nullable=True, comment="how many there are"))
