"""What takes back the changes of an earlier run: a plan whose rows have the values that were acknowledged before it.

It is sent as any plan is, so it is a run of its own, in the history, and refused where another run sent rows meanwhile.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from reverse_etl.changes.secret import secret_id, secret_of
from reverse_etl.changes.undo import Run, Undone, write_undo
from reverse_etl.changeset.asked import asked
from reverse_etl.changeset.facts import StreamFacts
from reverse_etl.changeset.parts import Facts
from reverse_etl.changeset.recipient import Recipient, keep_rows_for
from reverse_etl.changeset.scope import Reads
from reverse_etl.config.streams import ROWS
from reverse_etl.errors import ConfigError, StateError
from reverse_etl.files.scratch import scratch_in
from reverse_etl.report import Status
from reverse_etl.run.acknowledged import generations_of, identities_of, known_by_attribute, remembered_streams
from reverse_etl.run.planned_run import PREFIX, unanswered
from reverse_etl.run.recipient import identify_recipient
from reverse_etl.run.record import SyncRun
from reverse_etl.run.sharing import put_changeset
from reverse_etl.run.undo_added import streams_that_delete, write_deletions
from reverse_etl.state.run_history import root_of_run
from reverse_etl.state.snapshots import snapshot_of

if TYPE_CHECKING:
    from reverse_etl.changes.generation import Made
    from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.errors import ReverseEtlError
    from reverse_etl.report import RunReport
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store


@dataclass(frozen=True, slots=True)
class Undo:
    """What would be taken back.

    Attributes:
        run_id: The run.
        sync: Its sync.
        plan_id: The rows, for ``run --plan``.
        undone: What is taken back of the sync's rows, and what cannot be.
        further: The same of its further streams, by name.
        beside: What of the run is never taken back, in words.
        notes: Why rows that the run added are not deleted though it was asked for, in sentences.
    """

    run_id: str
    sync: str
    plan_id: str
    undone: Undone
    further: dict[str, Undone] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows that are sent or deleted, of all streams."""
        return sum(each.rows + each.deleted for each in (self.undone, *self.further.values()))


def make_undo(
    sync: SyncConfig,
    home: Home,
    store: Store,
    database: DatabaseConfig,
    destination: DestinationConfig,
    report: RunReport,
    *,
    delete_added: bool = False,
    gone_max: str = "",
) -> Undo:
    """Makes the rows that take back what a run changed; nothing is sent.

    Args:
        sync: The sync.
        home: Where files lie.
        store: The state.
        database: The sync's database, for its list of suppressed people.
        destination: Where its rows go.
        report: The run that is taken back.
        delete_added: Whether rows that the run added are deleted.
        gone_max: How many of them, ``20%`` or a number; empty for what the sync allows.

    Raises:
        ConfigError: The sync remembers no values; or it deletes nothing, and is asked to.
        CheckFailedError: More would be deleted than may be at once.
        StateError: What the run changed is not known any more; or another run is not accounted for.
        DestinationError: The destination does not identify itself.
    """
    from reverse_etl.sources import connect, dialect

    if not sync.remembers_values:
        raise ConfigError(
            f"{sync.where} remembers no values, so nothing can be taken back.",
            hint="Write `changes: {by: compare, keep: 30d}` in its file: runs from then on can be taken back.",
        )
    deletes = streams_that_delete(sync) if delete_added else ()
    plan_id = f"{PREFIX}{secrets.token_hex(4)}"
    run = SyncRun(sync, plan_id, plan_id, home, store, datetime.now(UTC))
    snapshot = snapshot_of(store, sync.name)
    if snapshot.sending:
        raise unanswered(sync, snapshot.sending)
    chain = list(generations_of(run).chain(snapshot.generation, snapshot.made_by))
    at = _place(run, report, chain)
    remembered = remembered_streams(sync)
    # A stream whose values were not remembered then cannot be taken back.
    names = [name for name in remembered if name == ROWS or name in chain[at][1].attributes]
    files = {name: _files(run, report, chain, at, name) for name in names}
    identified = identify_recipient(run, destination)
    _require_same(run, chain[0][1], identified.rows.recipient, destination)
    folder, kind = run.folder, known_by_attribute(sync)
    undone: dict[str, Undone] = {}
    notes: list[str] = []
    with scratch_in(folder.path / "scratch") as scratch:
        for name in names:
            current = chain[0][1]
            left = tuple(current.left.get(name, ()))
            values = replace(remembered[name], names=tuple(current.attributes.get(name, ())), left=left)
            rows_of = partial(kind.rows_of, sync=sync, stream=name)
            undone[name] = write_undo(folder.parts(name), files[name], values, rows_of, scratch)
            if name in deletes:
                added, note = write_deletions(run, name, files[name], values, rows_of, scratch, gone_max=gone_max)
                stay = undone[name].added - added.deleted - added.elsewhere
                undone[name] = replace(undone[name], added=stay, deleted=added.deleted, elsewhere=added.elsewhere)
                notes.append(note)
    with connect(database) as session:
        sync.read_beside(folder, session)
    streams = {stream.name: StreamFacts(undone.get(stream.name, Undone()).rows) for stream in sync.streams}
    folder.seal(
        Facts(
            sync=sync.name,
            since=0,
            started_at=int(datetime.now(UTC).timestamp()),
            streams=streams,
            reads=Reads.UNDO,
            version=sync.version,
            asked=asked(sync, dialect(database)),
            note=f"The changes of run {report.run_id[:8]} were taken back; last sync time stays as it is.",
            generation=snapshot.generation,
            gone_max=gone_max,
        )
    )
    keep_rows_for(folder, identified.rows)
    put_changeset(run)
    others = tuple(stream.name for stream in sync.streams if stream.name not in undone)
    return Undo(report.run_id, sync.name, plan_id, undone.pop(ROWS), undone, others, tuple(filter(None, notes)))


def _require_same(run: SyncRun, current: Made, recipient: Recipient, destination: DestinationConfig) -> None:
    """Raises StateError where what was acknowledged is of another destination, or of other keys than those now."""
    before = Recipient.from_text(current.recipient)
    if before is None or not before.is_same(recipient):
        raise StateError(
            f"{destination.label} is not the one that acknowledged these rows: nothing can be taken back there."
        ).located(run.sync.where)
    keys = current.identities in ({}, identities_of(run.sync))
    if not keys or current.secret_id != secret_id(secret_of(run.home.path)):
        raise StateError(
            "what identifies rows, or the secret, is another one than when they were sent: nothing can be taken back.",
            hint=f"Run the sync, so that what it sends is remembered: reverse-etl run {run.sync.name}",
        ).located(run.sync.where)


def _changeset_of(run: SyncRun, report: RunReport) -> str:
    root = root_of_run(run.store, report.run_id)
    run.home.find_continued(run.sync.name, root)
    return run.home.changeset_run_id(run.sync.name, root)


def _place(run: SyncRun, report: RunReport, chain: list[tuple[int, Made]]) -> int:
    """Where in the chain of generations the run's is. Raises StateError where it is not known any more."""
    changesets = {report.run_id, _changeset_of(run, report)}
    at = next((place for place, (_, made) in enumerate(chain) if changesets & {made.sent_by, made.run_id}), None)
    if at is None:
        raise _not_there(report).located(run.sync.where)
    return at


def _not_there(report: RunReport) -> ReverseEtlError:
    """Why nothing is known of what a run changed."""
    called = f"run {report.run_id[:8]}"
    if report.status is Status.RUNNING:
        return StateError(f"{called} has not ended yet: nothing can be taken back.", hint="Wait for its end.")
    if not report.total.delivered:
        return StateError(
            f"{called} changed nothing, because no row of it was delivered: there is nothing to take back."
        )
    return StateError(
        f"the values that {called} changed are not kept: it ran before they were, or longer ago than that.",
        hint="How long they are kept is in the sync's file: `changes: {by: compare, keep: 30d}`.",
    )


def _files(run: SyncRun, report: RunReport, chain: list[tuple[int, Made]], at: int, stream: str) -> Run:
    """The files around the run's. Raises StateError where they are not all there."""
    generations = generations_of(run)
    (newest, current), (number, made) = chain[0], chain[at]
    names = current.attributes.get(stream, [])
    own, now = generations.own_values(number, made, stream), generations.needed_values(current, stream)
    earlier = chain[at + 1][1] if at + 1 < len(chain) else None
    before = generations.needed_values(earlier, stream) if earlier is not None and earlier.values.get(stream) else []
    known = [each.attributes.get(stream, []) for each in (made, earlier) if each is not None]
    # An earlier release wrote no values for a run that only removed rows.
    changed_values = str(number) in made.values.get(stream, {str(number): ""})
    if (
        (own is None and changed_values)
        or not now
        or any(names[: len(each)] != each for each in known)
        or (earlier is not None and earlier.values.get(stream) and not before)
    ):
        raise StateError(
            f"what run {report.run_id[:8]} changed is not known: the files of its values, or of those before it, are "
            "missing or damaged.",
        ).located(run.sync.where)
    gone = run.sync.gone(stream)
    # Whoever is suppressed cannot be brought back by sending them.
    brings_back = gone is None or gone.action != "suppress"
    overwrites = known_by_attribute(run.sync).overwrites(run.sync, stream)
    return Run(own, before, now, generations.stream(newest, stream), brings_back, overwrites)
