"""A state database as an earlier release left it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from reverse_etl.state.engine import Database
from reverse_etl.state.schema import METADATA
from reverse_etl.state.store import Store


def make_as_of(url: str, revision: str, like: Store) -> None:
    """Makes the tables of a revision, and puts into them what another database holds, as far as they have columns.

    Args:
        url: Of a database without tables of ours.
        revision: The revision: its migrations are run, and none after them.
        like: What is remembered.
    """
    database = Database(url)
    if not database.exists():
        database.make_file()
    with like.database.reading() as there, database.writing() as here:
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
                here.execute(sa.insert(old).values(dict(row)))
