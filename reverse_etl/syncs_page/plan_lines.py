"""What a plan says, in lines: a sign, a number and what is meant, for the terminal and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from reverse_etl.counted import counted
from reverse_etl.times import at_unix, clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.config.gone import Gone
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.destinations.table_powers import Effects
    from reverse_etl.run.planned import Plan, StreamPlan

_WHY_LEFT: Final = {
    "waits": "not gone for long enough",
    "renamed": "under another identifier now",
    "elsewhere": "sent by another sync",
    "unknown": "perhaps sent, and never acknowledged",
    "unnamed": "identifier not remembered",
}

Lines: TypeAlias = list[tuple[str, int, str]]
"""A sign, a number and a word for each kind of rows that there are."""


def heading(made: Plan, sync: SyncConfig, stream: str) -> str:
    """How many rows of a stream were read, from when on, and what they were compared with."""
    since = f" since {clock(at_unix(made.read_from))}" if made.read_from else ""
    compared = f", compared with what {sync.destination} acknowledged" if made.compares else ""
    row = "row" if stream == "rows" else stream.removesuffix("s")
    return f"{sync.name}: {counted(made.streams[stream].extracted, row)} read{since}{compared}"


def removed_attributes(stream: StreamPlan, sync: SyncConfig) -> str:
    """What becomes of attributes that the query has no more."""
    then = "cleared" if sync.clears_removed_attributes else f"they stay in {sync.TITLE}"
    return f"Attributes no longer in the query: {', '.join(stream.removed)} ({then})."


def lines(stream: StreamPlan, gone: Gone | None) -> Lines:
    """What becomes of the rows before they are sent."""
    reasons = ", ".join(f"{name} {rows:,}" for name, rows in stream.rejected_by.items())
    attributes = " · ".join(f"{name} {rows:,}" for name, rows in stream.attributes.items())
    of_table = gone is not None and gone.of_table
    missing = "in the table, and not in the query" if of_table else "acknowledged before, and no longer returned"
    found: list[tuple[str, int | None, str]] = [
        ("+", stream.added, "new"),
        ("~", stream.changed, f"changed: {attributes}" if attributes else "changed"),
        ("?", stream.in_doubt, "sent again, whatever was acknowledged"),
        ("=", stream.unchanged, "unchanged: not sent"),
        ("-", stream.to_remove, f"{missing}: gone, as the sync's file says"),
        ("-", stream.deleted, "of the rows above, marked as deleted"),
        (" ", None if stream.gone is None else stream.gone - stream.to_remove, _left(stream)),
        (">", stream.to_send if stream.added is None and stream.in_table is None else None, "to send"),
        ("!", stream.rejected, f"would fail: {reasons}" if reasons else "would fail"),
        ("x", stream.excluded, "left out"),
    ]
    return [(sign, number, what) for sign, number, what in found if number]


def lines_in_table(effects: Effects, gone: Gone | None) -> Lines:
    """What becomes of those that are sent, as far as the table shows before it is written to."""
    marks = gone is not None and gone.action == "set"
    reasons = ", ".join(f"{name} {rows:,}" for name, rows in effects.refused_by.items())
    found = [
        ("+", effects.inserts, "to add"),
        ("~", effects.updates, "to change"),
        ("=", effects.unchanged, "there already, as they are"),
        ("-", effects.deletes, "to mark as gone" if marks else "to remove"),
        ("=", effects.already_gone, "gone, and not there, or marked as gone" if marks else "gone, and not there"),
        ("x", effects.left_out, "left out, because of what the table has (`write`)"),
        ("!", effects.refused, f"would fail: {reasons}" if reasons else "would fail"),
    ]
    return [(sign, number, what) for sign, number, what in found if number]


def _left(stream: StreamPlan) -> str:
    """The words for keys that are gone and left as they are."""
    reasons = ", ".join(f"{_WHY_LEFT[why]} {keys:,}" for why, keys in stream.kept.items())
    return f"no longer returned, and left as they are{f': {reasons}' if reasons else ''}"


def conclusion(made: Plan) -> Iterator[str]:
    """What checks warn of, and what stops it, or how many requests it is and what else is worth saying: sentences."""
    yield from (each.sentence for each in made.warnings)
    if made.stopped:
        yield made.stopped[0].upper() + made.stopped[1:]
        yield from filter(None, [made.let_pass])
        return
    requests = sum(each.requests for each in made.streams.values())
    payload = sum(each.payload_bytes for each in made.streams.values())
    looked = any(stream.in_table is not None for stream in made.streams.values())
    if not requests:
        yield "Nothing to send."
    elif not looked:
        yield f"{counted(requests, 'request')}{f', {_size(payload)}' if payload else ''}."
    if requests and not made.compares and not looked and (why := why_not_compared(made)):
        yield why
    yield from made.notes
    if made.backfill is not None:
        yield made.backfill.sentence
        yield "A scheduled run leaves the old ones out."


def why_not_compared(made: Plan) -> str:
    """Why it is not known what changed; empty where a note of the plan gives the reason."""
    if any(stream.added is not None for stream in made.streams.values()):
        return "" if made.generation else "Nothing is known to be acknowledged yet, so every row counts as new."
    return (
        "Which rows are new, changed or gone is not known: the sync does not compare. With `changes: {by: compare}` in "
        "its file a run sends only what differs."
    )


def _size(payload_bytes: int) -> str:
    return f"{payload_bytes / 1e6:,.1f} MB" if payload_bytes >= 1e5 else f"{payload_bytes / 1e3:,.1f} kB"
