"""What a plan says: of each stream, what would become of its rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reverse_etl.changes.changed_rows import ChangedRow
    from reverse_etl.destinations.request_powers import Backfill
    from reverse_etl.destinations.table_powers import Effects
    from reverse_etl.warned import Warned


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What would become of the rows of one stream.

    Attributes:
        extracted: Rows that were read.
        to_send: Of these, rows that would be sent.
        rejected: Rows that the checks reject: they would be failed rows.
        excluded: Rows that are left out by choice.
        added: Of the rows to send, those that were never acknowledged; None where the sync does not compare.
        changed: Those that differ from what was acknowledged; None likewise.
        in_doubt: Those that are sent again because it is not known what arrived, or because all are; None likewise.
        unchanged: Rows that are as they were acknowledged; None likewise.
        gone: Keys that were acknowledged and that no row has; None likewise, and where not all rows were read.
        attributes: In how many of the changed rows an attribute differs, by its name, as far as that is known.
        removed: Attributes that the query has no more and that stay in the destination.
        first: The first rows of which it is known what changed.
        deleted: Of the rows to send, those that say of themselves that they are gone.
        to_remove: Of the gone keys, those that would be removed.
        first_gone: The first of them, of several columns with a comma between; empty unless values are asked for.
        kept: How many are left as they are, by reason: ``waits``, ``renamed``, ``elsewhere``, ``unknown``, ``unnamed``.
        rejected_by: Why rows are rejected, by check.
        requests: Requests that they would be sent in.
        payload_bytes: Of these rows in the requests.
        in_table: What sending them would do to the table; None where they do not go into one.
    """

    extracted: int
    to_send: int
    rejected: int
    excluded: int
    added: int | None = None
    changed: int | None = None
    in_doubt: int | None = None
    unchanged: int | None = None
    gone: int | None = None
    attributes: dict[str, int] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    first: tuple[ChangedRow, ...] = ()
    deleted: int = 0
    to_remove: int = 0
    first_gone: tuple[str, ...] = ()
    kept: dict[str, int] = field(default_factory=dict)
    rejected_by: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    payload_bytes: int = 0
    in_table: Effects | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run of a sync would do.

    Attributes:
        plan_id: For ``run --plan``.
        sync: The sync's name.
        compares: Whether it is known what differs from what was acknowledged.
        generation: What it was compared with; 0 for nothing.
        read_from: What the queries were given for ``{{last_sync_time}}``; 0 for everything.
        streams: By stream.
        stopped: Which check would stop the run, a sentence; empty for none.
        let_pass: How to let it pass, once, a sentence; empty where nothing stops, or no option does.
        warnings: What checks found that keep no row back.
        after: The run that is still sending, or stopped while it sent; as long as there is one, no plan is sent.
        notes: What else is worth saying, in sentences.
        backfill: Old rows among them, which only a run sends that a person has confirmed; None without any.
    """

    plan_id: str
    sync: str
    compares: bool
    generation: int
    read_from: int | None
    streams: dict[str, StreamPlan]
    stopped: str = ""
    after: str = ""
    notes: tuple[str, ...] = ()
    backfill: Backfill | None = None
    let_pass: str = ""
    warnings: tuple[Warned, ...] = ()

    @property
    def to_send(self) -> int:
        """Rows that would be sent, and keys that would be removed."""
        return 0 if self.stopped else sum(each.to_send + each.to_remove for each in self.streams.values())

    @property
    def sendable(self) -> bool:
        """Whether ``run --plan`` would send it."""
        return bool(self.to_send) and not self.after

    @property
    def changes_something(self) -> bool:
        """Whether sending it would: where a table is looked at, rows that are there already would not."""
        found = [each.in_table for each in self.streams.values() if each.in_table is not None]
        changed = sum(each.inserts + each.updates + each.deletes for each in found)
        return bool(self.to_send) and (bool(changed) or not found)

    def as_json(self) -> dict[str, Any]:
        """As the command prints it: counts, and no value unless the plan was made with values."""
        return asdict(self)
