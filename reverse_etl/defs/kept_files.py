"""Dagster's SQLite files in the process of one run: each opened once, not for each statement.

Dagster opens a file for whatever it reads or writes, some 170 times in a run. Each time SQLAlchemy puts the statement
into words again, and SQLite writes its journal back at the close, where no other process has the file open. Processes
that live longer than a run (daemon, web server, code server) are left as they are: files of other runs would stay open.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any, Self

import dagster as dg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage import sql
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData


def keep_files_open(storage: DagsterStorage | dg.DagsterInstance) -> None:
    """Has what is stored in SQLite's files keep them open until it is disposed of; any other storage stays as it is."""
    events, runs = storage.event_log_storage, storage.run_storage
    # Those alone that are Dagster's own: what a user made of them may rely on how they connect.
    if type(events) is SqliteEventLogStorage:
        events.__class__ = _Events
    if type(runs) is SqliteRunStorage:
        runs.__class__ = _Runs


class KeptFiles(DagsterSqliteStorage):
    """Dagster's default storage for one run, named in an instance's settings: ``storage: {custom: …}``."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        _read_migrations_once()
        super().__init__(base_dir, inst_data)
        keep_files_open(self)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """As the settings say, with ``base_dir``, Dagster's folder."""
        return cls.from_local(inst_data=inst_data, **config_value)


class _Events(SqliteEventLogStorage):
    """A file for each run, and one that all share."""

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        engines = _engines(self)
        if shard not in engines:
            # Makes its tables, where it has none yet.
            with super()._connect(shard):
                engines[shard] = _engine(self.conn_string_for_shard(shard))
        with self._db_lock, engines[shard].begin() as connection:
            yield connection

    def store_event(self, event: dg.EventLogEntry) -> None:
        super().store_event(event)
        # Dagster's page of a run follows the file itself, and SQLite writes to a journal beside it until the close.
        with suppress(OSError):
            os.utime(self.path_for_shard(event.run_id))

    def dispose(self) -> None:
        super().dispose()
        _close(self)


class _Runs(SqliteRunStorage):
    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        engines = _engines(self)
        if not engines:
            engines[""] = _engine(self._conn_string)
        with engines[""].begin() as connection:
            yield connection

    def dispose(self) -> None:
        super().dispose()
        _close(self)


def _engines(storage: object) -> dict[str, sa.Engine]:
    """What a storage has open. It became one of these after it was made, so that it has no attribute for them."""
    engines: dict[str, sa.Engine] = vars(storage).setdefault("_open_files", {})
    for name, engine in [*engines.items()]:
        # What is written to a file that was deleted meanwhile is lost: opened again, it is an error.
        if not os.path.exists(str(engine.url.database)):  # noqa: PTH110 - for each statement
            del engines[name]
            engine.dispose()
    return engines


def _engine(url: str) -> sa.Engine:
    # Connections go back to the pool between uses, without a transaction: no lock stays.
    waits = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
    return sa.create_engine(url, poolclass=sa.QueuePool, connect_args=waits)


def _close(storage: object) -> None:
    engines = _engines(storage)
    for engine in engines.values():
        engine.dispose()
    engines.clear()


def _read_migrations_once() -> None:
    """Dagster loads its ninety migrations to see which is the last one, for each file that it opens first or makes."""
    read: dict[str | None, ScriptDirectory] = {}

    def from_config(config: Config) -> ScriptDirectory:
        place = config.get_main_option("script_location")
        if place not in read:
            read[place] = ScriptDirectory.from_config(config)
        return read[place]

    for reader in (sql, command):
        vars(reader)["ScriptDirectory"] = SimpleNamespace(from_config=from_config)
