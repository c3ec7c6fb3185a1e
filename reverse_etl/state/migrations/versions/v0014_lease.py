"""The lease of a workspace, and what a channel was sent, under the names that the code has for them."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Renames the table and the column; their rows stay."""
    op.rename_table("reverse_etl_turn", "reverse_etl_lease")
    op.alter_column("reverse_etl_alert", "told", new_column_name="sent")
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("reverse_etl_alert", "not_before", comment="a process has the right to send until then")
        op.alter_column("reverse_etl_lease", "run_id", comment="empty when it is free")
