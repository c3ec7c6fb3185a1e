"""What a run would do: read, checked and compared like a run's rows, kept for a while, and not sent.

    <home>/changesets/<sync>/plan-1f2e3d4c/     as a run's folder; ``run --plan plan-1f2e3d4c`` sends exactly these rows

A plan is no run: it is not in the history, holds no lease and moves nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from reverse_etl.changes.gone import first_removed, gone_in_log
from reverse_etl.changeset.aside import not_shaped
from reverse_etl.changeset.extract import Before, extract
from reverse_etl.changeset.parts import count
from reverse_etl.changeset.recipient import keep_rows_for
from reverse_etl.changeset.scope import WHAT_CHANGED, Scope
from reverse_etl.checks.base import warnings_of
from reverse_etl.config.changes import late_of
from reverse_etl.config.streams import ROWS
from reverse_etl.run import changes, judged, pieces
from reverse_etl.run.backfill import backfill_of
from reverse_etl.run.carry import carried_rows
from reverse_etl.run.foretold import Foretold, foretold
from reverse_etl.run.gone import NOTHING_SENT, deleted_too_many
from reverse_etl.run.in_table import InTable, first_keys, look_into_table
from reverse_etl.run.look_ahead import look_ahead
from reverse_etl.run.named_rows import named_rows
from reverse_etl.run.planned import Plan, StreamPlan
from reverse_etl.run.planned_run import PREFIX
from reverse_etl.run.recipient import identify_recipient
from reverse_etl.run.record import SyncRun
from reverse_etl.run.remembers import compares
from reverse_etl.run.send import mirrors
from reverse_etl.run.sharing import put_changeset
from reverse_etl.state.snapshots import snapshot_of
from reverse_etl.state.syncs import sync_state

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.report import Counts
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store

_LEAVE: Final = "Everyone who is not among these rows leaves the segment; who is in it is found out when the run sends."
_LEAVES_NO_ONE: Final = "As long as rows fail, no one leaves the segment."


def make_plan(
    sync: SyncConfig,
    home: Home,
    store: Store,
    database: DatabaseConfig,
    destination: DestinationConfig,
    *,
    scope: Scope = WHAT_CHANGED,
    with_values: bool = False,
) -> Plan:
    """Reads, checks and compares; a workspace is only asked who it is, a service also what it would not take.

    Args:
        sync: The sync.
        home: Where files lie.
        store: The state.
        database: The sync's database.
        destination: Where its rows would go.
        scope: What is read.
        with_values: Whether the plan shows old and new values of the first rows that changed.

    Raises:
        SourceError: The database cannot give the rows.
        DestinationError: The workspace does not identify itself, or a service cannot take what the sync sends.
        ConfigError: A needed column is missing.
        StateError: Files cannot be read or written.
    """
    from reverse_etl.checks.runner import validate
    from reverse_etl.sources import connect, dialect

    plan_id = f"{PREFIX}{secrets.token_hex(4)}"
    run = SyncRun(sync, plan_id, plan_id, home, store, datetime.now(UTC))
    scope = pieces.scope_when_due(run, scope)
    identified = identify_recipient(run, destination, scope=scope)
    snapshot = snapshot_of(store, sync.name)
    remembered = scope.from_last_sync_time and not identified.another
    state = sync_state(store, sync.name)
    carried = carried_rows(home, sync.name, state.carried)
    before = replace(state.before() if remembered else Before(), carried=carried)
    before, in_pieces = pieces.to_read(run, scope, before, identified.rows.recipient)
    look_ahead(sync, destination, dialect(database))
    with connect(database) as session:
        facts = extract(
            sync,
            session,
            run.folder,
            before=before,
            dialect=dialect(database),
            late=late_of(sync.changes, database.late),
            scope=scope,
            wanted=named_rows(sync, home, scope),
            timezone=database.timezone,
            generation=snapshot.generation if compares(sync) else None,
            pieces=in_pieces,
        )
    keep_rows_for(run.folder, identified.rows)
    put_changeset(run)
    validation = validate(sync, run.folder, past=judged.past_of(sync, store, facts, plan_id))
    rejected_by = {
        stream: {
            result.rule.name: result.rows_failed
            for result in validation.results
            if result.stream == stream and result.rows_failed and result.rule.severity.value == "reject"
        }
        for stream in facts.streams
    }
    for stream, reasons in rejected_by.items():
        reasons |= not_shaped(run.folder.parts(stream))
    found = None
    notes = [facts.note, pieces.planned_piece(facts), sync.note(run.folder), identified.rows.note]
    if compares(sync):
        found = changes.compare(run, facts, planned=True)
        notes.append(found.note)
        if snapshot.sending:
            notes.append(
                f"Run {snapshot.sending[:8]} is still sending, or stopped while it sent: the next run sends the rows "
                "that have no answer besides these, and only then a plan can be sent."
            )
    if mirrors(sync, facts) and not validation.stopped:
        notes.append(_LEAVES_NO_ONE if any(each.rejected for each in validation.counts.values()) else _LEAVE)
    into_table = look_into_table(run, facts, destination) if not validation.stopped else None
    too_many = found.stopped if found else deleted_too_many(run, facts)
    if into_table is not None:
        too_many = too_many or into_table.stopped
        notes.append(into_table.note)
    stopped = validation.would_stop or too_many.replace(NOTHING_SENT, "")
    asking = foretold(run.folder, sync, destination, facts, ask=not stopped, state_url=home.state_url)
    beforehand = asyncio.run(asking)
    stopped = stopped or next((each.stopped for each in beforehand.values() if each.stopped), "")
    streams = {}
    shown = changes.first_changes(run, found, with_values=with_values) if found is not None else {}
    for name, counts in validation.counts.items():
        streams[name] = _stream_plan(run.folder, name, counts, rejected_by[name], beforehand[name])
        if found is not None:
            each = asdict(found.streams[name])
            del each["settled"]
            each["first"] = shown.get(name, ())
            each["removed"] = found.values[name].removed if name in found.values else ()
            if not facts.has_all_rows and gone_in_log(run.folder.parts(name)) is None:
                each["gone"] = None
            kept = asdict(found.gone[name]) if name in found.gone else {}
            to_remove, _ = kept.pop("removed", 0), kept.pop("known", 0)
            each |= {"to_remove": to_remove, "kept": {why: keys for why, keys in kept.items() if keys}}
            if with_values:
                each["first_gone"] = first_removed(run.folder.parts(name))
            streams[name] = StreamPlan(**(asdict(streams[name]) | each))
    if into_table is not None:
        streams[ROWS] = _with_table(run, streams[ROWS], into_table, with_values=with_values)
    return Plan(
        plan_id,
        sync.name,
        found is not None and found.known,
        snapshot.generation,
        facts.read_from,
        streams,
        stopped=stopped,
        after=snapshot.sending if compares(sync) else "",
        notes=tuple(filter(None, notes)),
        backfill=None if stopped else backfill_of(sync, run.folder),
        let_pass=validation.let_pass,
        warnings=warnings_of(validation.results),
    )


def _with_table(run: SyncRun, stream: StreamPlan, found: InTable, *, with_values: bool) -> StreamPlan:
    """A stream's plan, with what was found in the table."""
    stream = replace(stream, in_table=found.effects)
    if found.removed is None:
        return stream
    first = first_keys(run.folder.parts(run.sync.stream(ROWS).gone)) if with_values else ()
    return replace(stream, gone=found.removed, to_remove=found.removed, first_gone=first)


def _stream_plan(
    folder: RunFolder, stream: str, checked: Counts, rejected_by: dict[str, int], found: Foretold
) -> StreamPlan:
    left_out = found.counts.excluded - count(folder.outcomes(stream)).excluded
    return StreamPlan(
        extracted=found.counts.extracted,
        to_send=found.counts.undelivered,
        rejected=checked.rejected + sum(found.rejected_by.values()),
        excluded=checked.excluded + left_out,
        rejected_by=rejected_by | found.rejected_by,
        requests=found.size.requests,
        payload_bytes=found.size.payload_bytes,
    )
