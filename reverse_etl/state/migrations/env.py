"""What Alembic runs to apply the migrations: within the connection and transaction that ``migrate`` has opened."""

from __future__ import annotations

from alembic import context

from reverse_etl.state.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
