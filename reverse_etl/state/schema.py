"""The state database's tables as they are now. How an older database becomes one like this: ``migrations``.

Names start with ``reverse_etl_``, so that the tables may lie in a database that others use too (Dagster's, say).
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from reverse_etl.report import Counts

COUNTS: Final = tuple(field.name for field in fields(Counts))
"""The counts of one stream, in the order of ``Counts``."""

_DEFAULTS: Final = {"unchanged": "0"}
"""Of counts that came later, for the runs before."""


class Moment(sa.types.TypeDecorator[datetime]):
    """A point in time: aware in Python, always UTC; text that sorts by time in SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Stores UTC. Raises ValueError for a date-time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a point in time needs a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Gives UTC back, whatever zone the server's session is in."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _of_run() -> sa.Column[str]:
    return sa.Column(
        "run_id", sa.Text, sa.ForeignKey("reverse_etl_run.run_id", ondelete="CASCADE"), primary_key=True, nullable=False
    )


METADATA: Final = sa.MetaData()

SYNC: Final = sa.Table(
    "reverse_etl_sync",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("last_sync_time", sa.BigInteger, nullable=False, comment="Unix seconds; 0 until a run has completed"),
    sa.Column("first_seen_at", Moment, nullable=True),
    sa.Column("paused", sa.Boolean, nullable=False),
    sa.Column("last_run_id", sa.Text, nullable=True, comment="newest run that was not skipped"),
    sa.Column("ticked_at", Moment, nullable=True),
    sa.Column("ticked_grid", sa.Text, nullable=True),
    sa.Column("reaches_to", sa.BigInteger, nullable=True, comment="Unix seconds; from when the next run is to read"),
    sa.Column("clock_ahead_s", sa.Double, nullable=True, comment="of the database, when last sync time was taken"),
    sa.Column("asked", sa.Text, nullable=True, comment="JSON: hashes of what the last completed run asked for"),
    sa.Column("recipient", sa.Text, nullable=True, comment="JSON: changeset.recipient"),
    sa.Column("feed", sa.Text, nullable=True, comment="JSON: delivery.read_back"),
    sa.Column("place", sa.Text, nullable=True, comment="which rows were seen, in the engine's own words"),
    sa.Column("carried", sa.Text, nullable=True, comment="the run whose changeset.carried holds"),
    sa.Column("interval_s", sa.Double, nullable=True, comment="the longest between due runs; none: by hand"),
)
"""One row per sync that has been seen, paused or run."""

RUN: Final = sa.Table(
    "reverse_etl_run",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("root_run_id", sa.Text, nullable=False, comment="first of a chain of re-executions"),
    sa.Column("sync", sa.Text, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("finished_at", Moment, nullable=True),
    sa.Column("duration_s", sa.Float, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=True, comment="last sync time that the queries were given"),
    sa.Column("read_from", sa.BigInteger, nullable=True, comment="what the queries were given; 0: everything"),
    sa.Column("recipient", sa.Text, nullable=True, comment="JSON: changeset.recipient"),
    sa.Column("last_sync_time", sa.BigInteger, nullable=False, comment="for the next run, as of the end of this one"),
    sa.Column("failed_rows_csv", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("exit_code", sa.Integer, nullable=False),
    sa.Column("reads", sa.Text, nullable=True, comment="changeset.scope.Reads"),
    sa.Column("carried", sa.Text, nullable=True, comment="JSON: report.Carried"),
    sa.Column("excluded_by", sa.Text, nullable=True, comment="JSON: exclusions.ExcludedRows"),
    sa.Column("blocking_run_id", sa.Text, nullable=True, comment="of a skipped run: the one that was in the way"),
    sa.Column("piece", sa.Integer, nullable=True, comment="of a reading of everything, from 1; null: it was one run"),
    sa.Column("pieces", sa.Integer, nullable=True, comment="how many there are"),
    sa.Column("added", sa.BigInteger, nullable=True, comment="null: it did not compare"),
    sa.Column("changed", sa.BigInteger, nullable=True, comment="null: it did not compare"),
    sa.Column("copied_to", sa.Text, nullable=True, comment="the warehouse that has it (run.monitoring)"),
    sa.Index("reverse_etl_run_by_sync", "sync", "started_at"),
    sa.Index("reverse_etl_run_by_root", "root_run_id"),
)
"""One row per run, also while it is in progress, and per due run that was skipped."""

RUN_STREAM: Final = sa.Table(
    "reverse_etl_run_stream",
    METADATA,
    _of_run(),
    sa.Column("position", sa.Integer, primary_key=True, comment="from 0, in the order in which they are sent"),
    sa.Column("stream", sa.Text, nullable=False),
    *(sa.Column(count, sa.BigInteger, nullable=False, server_default=_DEFAULTS.get(count)) for count in COUNTS),
)
"""What became of the rows of each stream of a run."""

FAILED_ROW: Final = sa.Table(
    "reverse_etl_failed_row",
    METADATA,
    _of_run(),
    sa.Column("position", sa.Integer, primary_key=True, comment="from 0, in the order of the CSV"),
    sa.Column("row_number", sa.BigInteger, nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("identifier", sa.Text, nullable=False, comment="e-mail addresses masked"),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1", comment="from 1"),
)
"""The first failed rows of a run; the CSV has all."""

FAILED_CAUSE: Final = sa.Table(
    "reverse_etl_failed_cause",
    METADATA,
    _of_run(),
    sa.Column("position", sa.Integer, primary_key=True, comment="from 0, most rows first"),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
)
"""Why rows of a run failed, and how many for each cause; counts every failed row."""

CHECK_RESULT: Final = sa.Table(
    "reverse_etl_check_result",
    METADATA,
    _of_run(),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False, comment="passed, broken, accepted, not_judged"),
    sa.Column("rows_checked", sa.BigInteger, nullable=False),
    sa.Column("rows_failed", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Double, nullable=True, comment="the number that a gate looked at"),
    sa.Column("everything", sa.Boolean, nullable=True, comment="all rows were read, not what changed; null: a part"),
    sa.Column("message", sa.Text, nullable=False),
)
"""What each check of a run found."""

PACE: Final = sa.Table(
    "reverse_etl_pace",
    METADATA,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("next_at", sa.Double, nullable=False, comment="Unix seconds; the first turn that is still free"),
)
"""One row per workspace: where the processes that send to it take their turns."""

ALERT: Final = sa.Table(
    "reverse_etl_alert",
    METADATA,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("sync", sa.Text, primary_key=True),
    sa.Column("sent", sa.Text, nullable=False, comment="as notify.decide writes it; empty: nothing"),
    sa.Column("not_before", Moment, nullable=True, comment="a process has the right to send until then"),
)
"""One row per channel and sync with an alert: what was sent, and which process may send more."""

LEASE: Final = sa.Table(
    "reverse_etl_lease",
    METADATA,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False, comment="empty when it is free"),
    sa.Column("sync", sa.Text, nullable=False),
    sa.Column("taken_at", Moment, nullable=False),
    sa.Column("beat_at", Moment, nullable=False, comment="last sign of life, by the server's clock"),
    sa.Column("machine", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=True, comment="none between two stages"),
    sa.Column("waits_until", Moment, nullable=True, comment="it waits for its workspace until then"),
    sa.Column("waits_why", sa.Text, nullable=True, comment="the rest of the sentence"),
)
"""One row per workspace: the run that may read and send for it."""

STORED: Final = sa.Table(
    "reverse_etl_stored",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("used_at", Moment, nullable=False),
)
"""One row per changeset in the place that all machines share: when a run used it last."""

SNAPSHOT: Final = sa.Table(
    "reverse_etl_snapshot",
    METADATA,
    sa.Column("sync", sa.Text, primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False, comment="from 1; 0 before the first"),
    sa.Column("made_by", sa.Text, nullable=False, comment="the changeset whose run made it; empty for none"),
    sa.Column("sending", sa.Text, nullable=False, comment="the changeset that may be partly sent; empty for none"),
)
"""One row per sync that compares: which files say what its destination acknowledged (``changes.generation``)."""

PIECES: Final = sa.Table(
    "reverse_etl_pieces",
    METADATA,
    sa.Column("sync", sa.Text, primary_key=True),
    sa.Column("reading", sa.Text, nullable=False, comment="the changeset of its first piece"),
    sa.Column("next", sa.Integer, nullable=False, comment="the piece that is read next, from 2"),
    sa.Column("piece", sa.Text, nullable=False, comment="JSON: that piece, as changeset.pieces.Piece"),
    sa.Column("read_at", Moment, nullable=False, comment="when the piece before was closed"),
)
"""One row per sync whose reading of everything in pieces is under way."""

LOADED: Final = sa.Table(
    "reverse_etl_loaded",
    METADATA,
    sa.Column("location", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False, comment="of syncs"),
    sa.Column("syncs", sa.Text, nullable=False, comment="JSON: a mark by sync, as state.loaded.mark"),
    sa.Column("looked_at", Moment, nullable=False),
)
"""One row per code location of Dagster: which syncs it has loaded, when the daemon last asked (``state.loaded``)."""

SENT: Final = sa.Table(
    "reverse_etl_sent",
    METADATA,
    sa.Column("sync", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True, comment="a hash; no value"),
    sa.Column("changeset", sa.Text, nullable=False, comment="of the run that sent it"),
    sa.Column("sent_at", Moment, nullable=False),
    sa.Column("forgotten_at", Moment, nullable=False, comment="from when on it does not count"),
    sa.Column("in_doubt", sa.Boolean, nullable=False),
    sa.Index("reverse_etl_sent_by_end", "forgotten_at"),
)
"""One row per message that counts as sent (``destinations.request_powers.SentKeys``)."""
