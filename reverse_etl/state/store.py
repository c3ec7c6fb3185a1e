"""The way to the state database: its URL, its connections, and its errors in words.

Its tables are in ``schema``; what is remembered is in a module a topic: ``syncs``, ``runs``, ``failures``,
``workspace_lease``, ``rate_slots``, ``alerts``, ``shared_changesets``, ``sent_keys``. Each call there is one short
transaction.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from reverse_etl.errors import MissingDriverError, StateError
from reverse_etl.files.private import make_private_folder, open_private
from reverse_etl.state.home import HOME_VARIABLE, STATE_URL_VARIABLE
from reverse_etl.state.migrate import bring_up_to_date

PATIENCE_S: Final = 30
"""Seconds to wait for another process that holds the state database."""

_DRIVERS: Final = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "postgresql+psycopg2": "postgresql+psycopg",
}
"""What a URL may begin with, and the driver it means; without one in the URL, SQLAlchemy's releases differ."""

_KEPT: Final[dict[str, Any]] = {"pool_size": 1, "max_overflow": 20, "pool_pre_ping": True, "pool_recycle": 600}

_FILE_URI: Final = "file:"
"""How the path of a SQLite file begins that is percent-encoded: ``sqlite:///file:/a%3Fb/state.db?uri=true``."""

_HOW_TO_WRITE: Final = f"Write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE in {STATE_URL_VARIABLE}."
_BEGIN: Final = "reverse_etl_begin"
"""Execution option of a connection: the statement that begins its transaction in SQLite."""


def open_store(url: str) -> Store:
    """The store behind a URL; its tables are made or brought up to date first.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``; ``Home.state_url`` has it.

    Raises:
        StateError: It cannot be used; the hint says what to do.
        MissingDriverError: The Postgres driver is not installed.
    """
    bring_up_to_date(store := Store(url))
    return store


class Store:
    """The state database; each use of it is one short transaction, with its errors raised as ``StateError``.

    Any number of processes may use it at once.

    Attributes:
        place: For messages: the file, or host and database; never a user name or password.
    """

    def __init__(self, url: str, *, keeps: bool = False) -> None:
        """Opens nothing yet.

        Args:
            url: Of the database.
            keeps: Whether a server's connections stay open between uses; of a file, none does.

        Raises:
            StateError: The URL is not a usable one.
            MissingDriverError: The Postgres driver is not installed.
        """
        parsed = _parsed(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self.place = f"state database {_place(parsed)}"
        if self.sqlite:
            self._path = Path(parsed.database or "").absolute()
            parsed = parsed.set(database=str(self._path))
        usual = {"timeout": PATIENCE_S} if self.sqlite else {"connect_timeout": 10}
        try:
            engine = sa.create_engine(
                parsed,
                # One connection per use: stages of a run are minutes apart, and a forked process inherits none.
                **(_KEPT if keeps and not self.sqlite else {"poolclass": sa.NullPool}),
                hide_parameters=True,
                isolation_level=None if self.sqlite else "READ COMMITTED",
                connect_args={key: value for key, value in usual.items() if key not in parsed.query},
            )
        except ModuleNotFoundError:
            raise MissingDriverError(
                f"the {self.place} needs the package psycopg.", hint="Install it: pip install 'reverse-etl[postgres]'"
            ) from None
        if self.sqlite:
            sa.event.listen(engine, "connect", _prepare_sqlite)
            sa.event.listen(engine, "begin", _begin_sqlite)
        self._engine = engine

    def close(self) -> None:
        """Closes the connections that are kept; the next use opens one again."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that only reads. Raises StateError for any error of the database."""
        with self._in_words(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes: all of the block or nothing. Raises like ``reading``."""
        with self._in_words(), self._engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}).begin() as connection:
            yield connection

    def insert(self, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
        """An insert of this database's own kind, which names what happens where the key is taken."""
        return sqlite.insert(table) if self.sqlite else postgresql.insert(table)

    def put(
        self, connection: sa.Connection, table: sa.Table, values: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> None:
        """Inserts a row; where its key is taken, only ``changes`` apply."""
        key = list(table.primary_key.columns)
        row = self.insert(table).values(**values)
        connection.execute(
            row.on_conflict_do_update(index_elements=key, set_=dict(changes))
            if changes
            else row.on_conflict_do_nothing(index_elements=key)
        )

    def now(self, connection: sa.Connection) -> datetime:
        """By the one clock that all processes share: the server's, or this machine's for a file. Aware UTC."""
        if self.sqlite:
            return datetime.now(UTC)
        now: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        return now.astimezone(UTC)

    def make_file(self) -> None:
        """Makes the SQLite file, readable by its owner alone, in WAL mode; several processes may do so at once.

        Raises:
            StateError: It cannot be made.
        """
        try:
            make_private_folder(self._path.parent)
            with contextlib.suppress(FileExistsError):
                os.close(open_private(self._path, os.O_EXCL | os.O_WRONLY))
        except OSError as error:
            raise StateError(f"the {self.place} cannot be made: {error.strerror}.", hint=_WRITABLE) from None
        with self._in_words(), self._engine.execution_options(**{_BEGIN: ""}).connect() as connection:
            _write_ahead(connection)

    def exists(self) -> bool:
        """Whether there is something to connect to; a server is taken to be there."""
        return not self.sqlite or self._path.exists()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise _sentence(self.place, error) from None


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
        parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
        if parsed.query.get("uri") == "true" and (parsed.database or "").startswith(_FILE_URI):
            path = unquote((parsed.database or "").removeprefix(_FILE_URI))
            parsed = parsed.set(database=path).difference_update_query(["uri"])
    except (sa.exc.ArgumentError, ValueError, KeyError):
        raise StateError("the URL of the state database cannot be used.", hint=_HOW_TO_WRITE) from None
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise StateError("the state database needs a file: what is remembered must outlive a run.", hint=_HOW_TO_WRITE)
    return parsed


def place_of(url: str) -> str:
    """Where a state database is, as messages have it: a file, or name, host and port. Raises StateError."""
    return _place(_parsed(url))


def _place(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"{url.database or 'of the default name'} at {url.host or 'the local socket'}{port}"


def _prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001
    # The driver's own transactions leave out DDL and begin late; those of `_begin_sqlite` do not.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")


def _write_ahead(connection: sa.Connection) -> None:
    """Lets others read while one writes. SQLite does not wait for a lock here, whatever its time-out."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except sa.exc.OperationalError as error:
            if _sqlite_code(error) != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    # One that reads first and writes later would fail at once, without waiting, when another has written meanwhile.
    if statement := connection.get_execution_options().get(_BEGIN, "BEGIN"):
        connection.exec_driver_sql(statement)


_WRITABLE: Final = (
    f"Set {HOME_VARIABLE} to a folder that you may write to, or {STATE_URL_VARIABLE} to another database."
)
_LOCKED: Final = ("is locked by another process", "Try again when the other run or backup is done.")
_FULL: Final = ("cannot be written: the disk is full", "Free some space, then run again: nothing is lost.")
_DAMAGED: Final = (
    "is damaged, or is not a state database",
    "Restore it from a backup, or move it away: the next runs then start from last sync time 0.",
)
_REFUSED: Final = ("refused the login", f"Check user and password in {STATE_URL_VARIABLE}.")
_FORBIDDEN: Final = ("does not let this user read and write", "Let the user create and use tables in its schema.")
_UNREACHABLE: Final = ("cannot be reached", f"Check that the server runs, and host and port in {STATE_URL_VARIABLE}.")

_BY_SQLITE_CODE: Final = {
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_FULL": _FULL,
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_READONLY": ("cannot be written", _WRITABLE),
    "SQLITE_CANTOPEN": ("cannot be opened", _WRITABLE),
    "SQLITE_PERM": ("cannot be opened", _WRITABLE),
    "SQLITE_IOERR": ("cannot be read or written: the disk fails", "Look at the disk, or at its quota."),
}
# https://www.postgresql.org/docs/15/errcodes-appendix.html, read 2025-11: the first two characters are the class.
_BY_SQLSTATE: Final = {
    "28": _REFUSED,
    "3D": ("does not exist", "Create it, or name another in the URL."),
    "42501": _FORBIDDEN,
    "25006": _FORBIDDEN,
    "53100": _FULL,
    "53300": ("has no connection left", "Allow more connections, or let fewer syncs run at once."),
    "55P03": _LOCKED,
    "40": _LOCKED,
    "08": _UNREACHABLE,
    "57": _UNREACHABLE,
}

# Before there is a session, libpq gives no code: only the server's words.
_BY_GREETING: Final = {
    "authentication failed": _REFUSED,
    "no password supplied": _REFUSED,
    "no pg_hba.conf entry": _REFUSED,
    "role": _REFUSED,
    "too many": _BY_SQLSTATE["53300"],
    "does not exist": _BY_SQLSTATE["3D"],
}


def _sentence(place: str, error: sa.exc.DBAPIError) -> StateError:
    """What a driver's error means. Its own words stay out: they can hold values."""
    state = getattr(error.orig, "sqlstate", None)
    if code := _sqlite_code(error):
        known = _BY_SQLITE_CODE.get(code)
    elif state:
        code = f"SQLSTATE {state}"
        known = _BY_SQLSTATE.get(state) or _BY_SQLSTATE.get(state[:2])
    else:
        greeting = str(error.orig)
        known = next((meant for words, meant in _BY_GREETING.items() if words in greeting), _UNREACHABLE)
    what, hint = known or (f"answered with an error ({code})", "If it was changed by hand, restore it from a backup.")
    return StateError(f"the {place} {what}.", hint=hint)


def _sqlite_code(error: sa.exc.DBAPIError) -> str:
    """The primary code, such as ``SQLITE_BUSY`` for ``SQLITE_BUSY_SNAPSHOT``; empty for other databases."""
    name: str = getattr(error.orig, "sqlite_errorname", "")
    return "_".join(name.split("_")[:2])
