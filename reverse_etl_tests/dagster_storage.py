"""Dagster's storage in files, cheaper: an engine a file, and its migrations read once.

Dagster makes an engine for every statement, so that SQLAlchemy compiles each anew, and reads its migrations for every
run: four tenths of what a run of three rows costs. What is stored, and by which statements, stays as it is. Importing
this is enough, and is what the process does that is forked for commands.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Final

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

_FROM_CONFIG: Final = ScriptDirectory.from_config


@lru_cache(maxsize=32)
def _engine(url: str, timeout: float | None) -> sa.Engine:
    # It keeps no connection: threads and forks may share it, and a file may go and come back.
    return sa.create_engine(url, poolclass=sa.NullPool, connect_args={} if timeout is None else {"timeout": timeout})


def _create_engine(url: str, *, poolclass: type[sa.Pool], connect_args: dict[str, Any] | None = None) -> sa.Engine:
    assert poolclass is sa.NullPool
    return _engine(url, **({"timeout": None} | (connect_args or {})))


@cache
def _dagsters_scripts(place: str) -> ScriptDirectory:
    scripts = _FROM_CONFIG(_config(place))
    scripts.as_revision_number("head")
    return scripts


def _config(place: str) -> Config:
    config = Config()
    config.set_main_option("script_location", place)
    config.set_main_option("path_separator", "os")
    return config


def _scripts(config: Config) -> ScriptDirectory:
    place = config.get_main_option("script_location") or ""
    return _dagsters_scripts(place) if place.startswith("dagster:") else _FROM_CONFIG(config)


def _make_cheaper() -> None:
    for storage in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        vars(storage)["create_engine"] = _create_engine
    ScriptDirectory.from_config = _scripts  # type: ignore[assignment,method-assign]
    _dagsters_scripts("dagster:_core/storage/alembic")


_make_cheaper()
