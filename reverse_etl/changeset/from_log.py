"""Which rows of a sync changed, as its database's log names them; what of it is remembered; whose rows are gone.

The log names keys, the sync's query says what their rows are now: so joins, order and types are the query's matter, and
a key that comes twice costs nothing. Where the log does not tell all, or names very many, everything is read.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.changeset.again import wanted_database
from reverse_etl.counted import counted
from reverse_etl.errors import ConfigError
from reverse_etl.files.private import make_private_folder
from reverse_etl.files.scratch import scratch_database
from reverse_etl.sources.powers import GapError, HasLog

if TYPE_CHECKING:
    import duckdb

    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.sources.base import Session
    from reverse_etl.sources.powers import ChangeLog

KEYS_FILE: Final = "changed_keys.parquet"
GONE_FILE: Final = "gone_keys.parquet"
"""In the run's folder: a column ``key``, the identifiers that were written and have no row any more."""

MOST_CHANGED: Final = 0.2
"""Above this part of all rows, everything is read: one query costs less than many."""

FEW: Final = 10_000
"""Up to this many keys are asked for whatever part of all rows they are."""

_NOT_A_NAME: Final = re.compile(r"[^a-z0-9_]")
_LONGEST_NAME: Final = 63


@dataclass(frozen=True, slots=True)
class FromLog:
    """What the log told.

    Attributes:
        place: Up to where; empty where it cannot be read.
        all_rows: How many rows the sync had when everything was read last; None where this run reads everything.
        keys: Whose rows are to be read; None for everybody's.
        note: Why everything is read although something was remembered, in a sentence; empty when not so.
    """

    place: str
    all_rows: int | None = None
    keys: ChangedKeys | None = None
    note: str = ""

    def as_place(self, rows: int) -> str:
        """What the next run is given, once this one is completed; ``rows`` were read."""
        if not self.place:
            return ""
        return json.dumps({"log": self.place, "rows": rows if self.all_rows is None else self.all_rows})


@dataclass(frozen=True, slots=True)
class ChangedKeys:
    """Identifiers of rows that changed: ``again.Wanted``.

    Attributes:
        folder: The run's.
        stream: Whose identifiers they are.
        count: How many.
    """

    folder: Path
    stream: str
    count: int

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """See ``again.Wanted``."""
        with wanted_database() as database:
            database.execute(
                "INSERT INTO wanted (row_number, query, identifier) SELECT 0, ?, key FROM read_parquet(?)",
                [self.stream, str(self.folder / KEYS_FILE)],
            )
            yield database

    def write_gone(self, database: duckdb.DuckDBPyConnection) -> None:
        """Writes the file of those that have no row any more."""
        _write(database, "SELECT identifier AS key FROM missing WHERE NOT found", self.folder / GONE_FILE)


def log_of(sync: SyncConfig, session: Session) -> ChangeLog:
    """The log as the sync reads it. Raises ConfigError where the engine has none."""
    if not isinstance(session, HasLog):
        raise ConfigError("changes.by: this kind of database has no log that tells which keys changed.")
    return session.log(log_name(sync.name), sync.changes.tables)


def log_name(sync: str) -> str:
    """What is the sync's alone in its database: a slot, a publication."""
    return f"reverse_etl_{_NOT_A_NAME.sub('_', sync.lower())}"[:_LONGEST_NAME]


def read_log(sync: SyncConfig, session: Session, folder: RunFolder, before: str) -> FromLog | None:
    """Writes the keys that changed into the run's folder; None where the sync does not ask its database's log.

    Args:
        sync: The sync.
        session: Open. What is read in it afterwards holds at least what the log told.
        folder: The run's.
        before: What the last completed run left (``FromLog.as_place``); empty: everything is to be read.

    Raises:
        ConfigError: The engine has no log.
        SourceError: The connection was lost.
    """
    if sync.changes.by != "log":
        return None
    if len(sync.streams) > 1 or len(sync.streams[0].identifier) > 1:
        raise ConfigError("changes.by: the log names rows of one query, by one column.").located(sync.where)
    for name in (KEYS_FILE, GONE_FILE):
        (folder.path / name).unlink(missing_ok=True)
    log = log_of(sync, session)
    try:
        now = log.now()
    except GapError as gap:
        return FromLog("", note=f"{gap} So everything was read. See: reverse-etl log status {sync.name}.")
    known = _known(before)
    if known is None:
        return FromLog(now)
    since, rows = known
    most = max(FEW, int(rows * MOST_CHANGED))
    try:
        count = _write_keys(log, since, now, folder.path, most=most)
    except GapError as gap:
        return FromLog(now, note=f"{gap} So everything was read.")
    if count > most:
        return FromLog(now, note=f"{counted(count, 'key')} changed, of {counted(rows, 'row')}. So everything was read.")
    return FromLog(now, rows, ChangedKeys(folder.path, sync.streams[0].name, count))


def _known(before: str) -> tuple[str, int] | None:
    """The log's place and the number of all rows; None where something else, or nothing, is remembered."""
    if not before.startswith("{"):
        return None
    stored = json.loads(before)
    return stored["log"], stored["rows"]


def _write_keys(log: ChangeLog, since: str, until: str, folder: Path, *, most: int) -> int:
    """Writes each key once; returns how many there are, or those that were read when they were more than ``most``."""
    make_private_folder(folder)
    with _scratch(folder) as database, closing(log.changed(since, until)) as batches:
        database.execute("CREATE TABLE written (key VARCHAR)")
        counted_at, rows = most, 0
        for batch in batches:
            database.register("batch", batch)
            database.execute("INSERT INTO written SELECT DISTINCT key FROM batch")
            database.unregister("batch")
            rows += batch.num_rows
            if rows > counted_at:
                # Where few keys are written again and again, counting them each time would take longer than reading.
                counted_at = rows * 2
                ((count,),) = database.execute("SELECT count(DISTINCT key) FROM written").fetchall()
                if count > most:
                    return int(count)
        _write(database, "SELECT DISTINCT key FROM written WHERE key <> '' ORDER BY key", folder / KEYS_FILE)
        ((count,),) = database.execute("SELECT count(*) FROM read_parquet(?)", [str(folder / KEYS_FILE)]).fetchall()
    return int(count)


def _write(database: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    quoted = str(path).replace("'", "''")
    database.execute(f"COPY ({query}) TO '{quoted}' (FORMAT parquet)")
    path.chmod(0o600)


@contextmanager
def _scratch(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with (
        tempfile.TemporaryDirectory(prefix="log-", dir=folder) as scratch,
        scratch_database(Path(scratch), file="keys.duckdb") as database,
    ):
        yield database
