"""Brings the state database to this release's tables, once. The steps lie in ``migrations``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from reverse_etl.errors import StateError
from reverse_etl.state.migrations import REVISIONS, VERSION_TABLE
from reverse_etl.state.views import drop_views, make_views

if TYPE_CHECKING:
    from reverse_etl.state.store import Store

_LOCK: Final = 0x7265_7665_7273_65
"""Key of the Postgres advisory lock that lets one process migrate at a time."""

_VERSION: Final = sa.table(VERSION_TABLE, sa.column("version_num", sa.Text))


def bring_up_to_date(store: Store) -> None:
    """Makes the tables, or changes them, where they are not as this release needs them; else costs one query.

    Raises:
        StateError: The database cannot be used, or was written by a newer release.
    """
    if not store.exists():
        store.make_file()
    with store.reading() as connection:
        if _current(connection, store.place):
            return
    with store.writing() as connection:
        if not store.sqlite:
            connection.execute(sa.text("SET LOCAL lock_timeout = '30s'"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        # Somebody else may have done it while this process waited for the lock.
        if not _current(connection, store.place):
            _upgrade(connection)


def _current(connection: sa.Connection, place: str) -> bool:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return False
    revision = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
    if revision is not None and revision not in REVISIONS:
        raise StateError(
            f"the {place} was written by a newer release: its schema is {revision}, this one's is {REVISIONS[-1]}.",
            hint="Upgrade: pip install --upgrade reverse-etl",
        )
    return bool(revision == REVISIONS[-1])


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "reverse_etl.state:migrations")
    config.set_main_option("path_separator", "os")
    drop_views(connection)
    command.upgrade(config, "head")
    make_views(connection)
