"""A state database as an earlier release left it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from reverse_etl.state.schema import METADATA, RUN_STREAM
from reverse_etl.state.store import Store

_COUNTS_IN_COLUMNS = ("extracted", "delivered", "rejected", "refused", "excluded", "undelivered")
"""The counts that there were when they were columns of the table of runs."""


def make_as_of(url: str, revision: str, like: Store) -> None:
    """Makes the tables of a revision, and puts into them what another database holds, as far as they have columns.

    Args:
        url: Of a database without tables of ours.
        revision: The revision: its migrations are run, and none after them.
        like: What is remembered.
    """
    database = Store(url)
    if not database.exists():
        database.make_file()
    with like.reading() as there, database.writing() as here:
        config = Config(attributes={"connection": here})
        config.set_main_option("script_location", "reverse_etl.state:migrations")
        config.set_main_option("path_separator", "os")
        command.upgrade(config, revision)
        for table in METADATA.sorted_tables:
            if not sa.inspect(here).has_table(table.name):
                continue
            old = sa.Table(table.name, sa.MetaData(), autoload_with=here)
            kept = [column for column in table.columns if column.name in old.columns]
            for row in there.execute(sa.select(*kept)).mappings().all():
                counts = _counts_in_columns(there, row["run_id"]) if "rows_extracted" in old.columns else {}
                here.execute(sa.insert(old).values(dict(row) | counts))


def _counts_in_columns(there: sa.Connection, run_id: str) -> dict[str, int]:
    """What became of a run's rows, as releases had it that knew two streams."""
    found = there.execute(sa.select(RUN_STREAM).where(RUN_STREAM.c.run_id == run_id)).mappings().all()
    of_stream = {row["stream"]: row for row in found}
    return {
        f"{stream}_{count}": of_stream[stream][count] if stream in of_stream else 0
        for stream in ("rows", "relationships")
        for count in _COUNTS_IN_COLUMNS
    }
