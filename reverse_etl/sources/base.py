"""What every database engine gives: a read-only session that streams a query as canonical Arrow batches.

An engine is one module or folder beside this one, named like its ``type`` in ``connections.yaml``. It is an ``Engine``
and may have more of what is below: a ``Server`` a port, others their own way to TLS or to their service.

Modules whose name begins with an underscore are shared between engines, or are an engine's inner rooms.

Canonical types, the only ones that leave this room (the Arrow type is what the later rooms see):

    ============  ============================  ==========================================================
    logical type  Arrow type                    holds
    ============  ============================  ==========================================================
    boolean       bool
    integer       int64
    float         float64                       NaN and infinities pass; a check rejects the row
    decimal       string, field mark "decimal"  the exact digits, JSON number syntax (or NaN, Infinity, …)
    text          string                        also UUIDs, enums, times, intervals
    binary        binary                        a check rejects the row
    date-time     timestamp[us, tz=UTC]         zone-less ones were read in the connection's timezone
    date          date32
    json          string, field mark "json"     JSON text: JSON/VARIANT/STRUCT/ARRAY columns, mixed columns
    nothing       null                          a column without a single value in this batch
    ============  ============================  ==========================================================

Batches of one result may differ in a column's type (SQLite has no column types); never in names or order.

Date-times and dates of the years 0001 to 9999 fit. Any other one, infinite ones included, is the first instant or day
of the year 10000, and a day that no calendar has is a time before all others (``_instants``): no other row of the
batch changes for it. A text that cannot be encoded (bytes that are not UTF-8, half of a surrogate pair) is
``NOT_TEXT``, and what JSON cannot hold (such a text, bytes, NaN, an infinity) is ``NOT_JSON`` in a json column. Checks
reject all of them, by the column's name.

A zone-less date-time that the clock skipped (spring) is the first instant after the gap; one that came twice
(autumn) is the first of the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import pyarrow as pa

from reverse_etl.errors import QueryError

if TYPE_CHECKING:
    import socket

    from reverse_etl.config.connections import DatabaseConfig
    from reverse_etl.config.dialect import Dialect

LOGICAL_TYPE = b"reverse_etl"
"""Key of the field metadata that marks a string column as ``decimal`` or ``json``."""

NOT_JSON: Final = "NaN"
"""Stands in a json column for a value that JSON cannot hold; it is not JSON itself, and a check rejects the row."""

NOT_TEXT: Final = "\0"
"""Stands in a text column for a text that cannot be encoded; a check rejects the row, as any that holds a NUL."""

NO_DATE: Final = "no date"
"""Shown for a day that no calendar has, such as 0000-00-00; a check rejects the row."""

OUTSIDE_YEARS: Final = "none of the years 1 to 9999"
"""Shown for a time that ISO 8601 has no word for, infinite ones included; a check rejects the row."""

BATCH_ROWS = 25_000
"""Upper bound of rows in one batch."""

BATCH_BYTES = 16 * 1024 * 1024
"""About how many bytes of values one batch may hold; fewer rows follow from wider rows."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a driver connects to, and as whom, as ``test-connection`` shows it.

    Attributes:
        host: Name or address, resolved.
        port: TCP.
        tls: ``verify-full``, ``require`` or ``disable``.
        ca_file: The authority to trust; the system's when None.
        login: User and database in words.
        proxy: Host and port of the proxy that the driver goes through; empty when it connects directly.
        tunnel_port: The port of this machine that leads there, while a tunnel is open.
    """

    host: str
    port: int
    tls: str
    ca_file: Path | None
    login: str
    proxy: str = ""
    tunnel_port: int | None = None


def logical_type(field: pa.Field) -> str:
    """``decimal`` or ``json`` for a marked string column, otherwise the Arrow type's own name."""
    mark = (field.metadata or {}).get(LOGICAL_TYPE)
    return mark.decode() if mark else str(field.type)


def marked(name: str, mark: str) -> pa.Field:
    """A string field that holds ``decimal`` or ``json`` values."""
    return pa.field(name, pa.string(), metadata={LOGICAL_TYPE: mark.encode()})


def refuse_duplicates(names: Sequence[str], where: str) -> None:
    """Makes sure that each column of a result has a name of its own.

    Args:
        names: The result's columns.
        where: How messages call the connection.

    Raises:
        QueryError: Two columns share a name, compared exactly.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice and not twice[0].strip("?"):
        raise QueryError(
            f"{where}: the query returns columns without a name.", hint="Give each a name of its own: ... AS name."
        )
    if twice:
        raise QueryError(
            f"{where}: the query returns more than one column named `{twice[0]}`.",
            hint=f"Give each a name of its own with AS: ... AS {twice[0].strip('?') or 'name'}_2.",
        )


@runtime_checkable
class Engine(Protocol):
    """What each engine's module or folder exposes."""

    @property
    def Config(self) -> type[DatabaseConfig]:
        """The connection's model."""
        ...

    @property
    def DIALECT(self) -> Dialect:
        """How it takes a query."""
        ...

    @property
    def COLUMNS(self) -> str:
        """A query of schema, table, column and its type of everything that can be read; ``{dataset}`` is replaced."""
        ...

    @property
    def LAST_SYNC_TIME(self) -> str:
        """The last sync time as a time that its columns compare with, for a first query."""
        ...

    @property
    def DRIVER(self) -> str:
        """The package whose version ``test-connection`` shows."""
        ...

    @property
    def connect(self) -> Callable[..., AbstractContextManager[Session]]:
        """Opens a read-only session: ``connect(config, name=...)``, closed when the context is left."""
        ...


class Server(Engine, Protocol):
    """An engine behind an address."""

    @property
    def DEFAULT_PORT(self) -> int:
        """Where it listens as a rule."""
        ...


@runtime_checkable
class HasEndpoint(Protocol):
    """An engine that is a service: its address follows from the account."""

    @property
    def endpoint(self) -> Callable[..., Endpoint]:
        """Where ``endpoint(config)`` connects to."""
        ...


@runtime_checkable
class AsksForTls(Protocol):
    """An engine whose protocol starts in the clear."""

    def ask_for_tls(self, plain: socket.socket, /) -> None:
        """Has the server go over to TLS on a connected socket. Raises OSError where it does not."""
        ...


@runtime_checkable
class HasItsOwnHandshake(Protocol):
    """An engine that carries the TLS handshake in messages of its own."""

    def issuer(self, plain: socket.socket, host: str, ca_file: Path | None, /) -> str:
        """Like ``_tls.issuer``."""
        ...


@runtime_checkable
class HasNoReadOnlySessions(Protocol):
    """An engine that cannot be asked to refuse writes."""

    @property
    def NO_READ_ONLY_SESSIONS(self) -> bool:
        """Always true."""
        ...


@dataclass(frozen=True, slots=True)
class Start:
    """The moment at which a run begins, as its database knows it. All times are aware UTC.

    Attributes:
        clock: The database's clock.
        data_at: Up to when all that was committed is in the data: the clock, but earlier on a replica that lags. None
            where it is unknown, as on a replica that stands still.
        reaches_to: The start of the oldest transaction that was open then, or the clock: no row with an earlier time
            of the server becomes visible any more. None where the server does not report it.
        begun_by: Another open transaction had begun by then, how long before is unknown; None without one.
        missing: What the server needs to report more, a sentence with the grant; empty when it reports all.
    """

    clock: datetime
    data_at: datetime | None
    reaches_to: datetime | None = None
    begun_by: datetime | None = None
    missing: str = ""


@runtime_checkable
class KnowsItsStart(Protocol):
    """A session whose server reports which transactions are open, or how far a replica lags."""

    def start(self) -> Start:
        """The moment now. Raises SourceError."""
        ...


def start_of(session: Session) -> Start:
    """The moment now: by its clock alone where the engine reports no more. Raises SourceError."""
    if isinstance(session, KnowsItsStart):
        return session.start()
    now = session.now()
    return Start(clock=now, data_at=now)


class Session(Protocol):
    """One read-only connection to a database: one query at a time, and not by several threads."""

    def now(self) -> datetime:
        """The database's clock, aware, in UTC; this machine's clock for engines that live in the process."""
        ...

    def server(self) -> str:
        """Product and version, as in ``PostgreSQL 15.18``."""
        ...

    def read_only(self) -> bool:
        """Whether the database itself refuses writes in this session, as it reports when asked."""
        ...

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        """Runs one query and yields its rows once, in order, in canonical types.

        At least one batch comes, so that the columns are known even of an empty result. Leaving the
        iterator early ends the query without reading the rest.

        Args:
            sql: One SELECT, placeholders already replaced.
            limit: At most this many rows are read, without running the whole query where the engine can.

        Raises:
            QueryError: The database refused the query or broke off; two columns share a name.
        """
        ...
