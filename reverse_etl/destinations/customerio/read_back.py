"""Accepted is not applied: rows of a run that the workspace's activities show as not applied.

An activity is matched to a row by its identifiers, so what something else sent about the same person at the same time
is matched to it too. The feed itself is read in ``activities``; what its texts mean is in ``causes``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER, Outcomes, Parts
from reverse_etl.changeset.text import as_text
from reverse_etl.config.connections import on_this_machine
from reverse_etl.destinations.base import KeptBack
from reverse_etl.destinations.customerio import causes
from reverse_etl.destinations.customerio.activities import Activity
from reverse_etl.destinations.customerio.operations import object_types
from reverse_etl.errors import ConfigError
from reverse_etl.report import Outcome, Reason

if TYPE_CHECKING:
    from reverse_etl.destinations.customerio.sync import Outgoing

WAIT_VARIABLE: Final = "REVERSE_ETL_READ_BACK_WAIT_S"

WAIT_S: Final = 5.0
"""Changes are made some time after they are accepted; how long after is documented nowhere."""

MOST_S: Final = 60.0
"""Reading the feed ends after so long: about 50,000 activities."""

_BETWEEN: Final = "\x1f"


def wait_s(app_url: str) -> float:
    """Seconds between the last answer and the reading; a sandbox on this machine applies at once.

    Raises:
        ConfigError: The environment has no number.
    """
    text = os.environ.get(WAIT_VARIABLE, "")
    try:
        seconds = float(text or (0 if on_this_machine(app_url) else WAIT_S))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise ConfigError(f"{WAIT_VARIABLE} is not a number of seconds.", hint=f"Example: {WAIT_VARIABLE}=5")
    return seconds


def types(sync: Outgoing, known_object_types: tuple[str, ...]) -> tuple[str, ...]:
    """The activities that are about a sync's rows."""
    wanted: list[str] = []
    if sync.people is not None:
        wanted += ["failed_attribute_change", "failed_batch_update"]
        wanted += ["skipped_update"] if sync.people.write == "update_only" else []
    if sync.events is not None:
        wanted.append("failed_event")
    if sync.objects is not None or sync.relationships is not None:
        wanted += [f"_o:{number}:failed_attribute_change" for number in known_object_types]
    if sync.relationships is not None:
        wanted.append("relationship_failed_attribute_change")
        wanted += [f"_r:{number}:failed_attribute_change" for number in known_object_types]
    return tuple(wanted)


def not_applied(sync: Outgoing, parts: Parts, outcomes: Outcomes, found: list[Activity]) -> Iterator[KeptBack]:
    """The delivered rows that activities are about, by cause; a batch of rows is in memory at a time.

    Args:
        sync: The sync.
        parts: The rows of one of its queries.
        outcomes: What became of each.
        found: The activities of the run.
    """
    about = [activity for activity in found if _is_about(activity, sync, parts.stream)]
    by_kind = _by_key(about, sync.stream(parts.stream).identifier[0], parts.stream)
    if not by_kind:
        return
    for batch in parts.batches():
        delivered = outcomes[batch.column(ROW_NUMBER).to_numpy() - 1] == Outcome.DELIVERED
        sent = batch.filter(pa.array(delivered))
        by_row: dict[int, Activity] = {}
        for kind, activities in by_kind.items():
            keys = _keys(sent, kind, sync, parts.stream)
            if keys is not None:
                places = pc.index_in(keys, value_set=pa.array(list(activities), pa.string()))
                known = list(activities.values())
                numbers = pc.filter(sent.column(ROW_NUMBER), pc.is_valid(places)).to_pylist()
                for number, place in zip(numbers, pc.drop_null(places).to_pylist(), strict=True):
                    by_row.setdefault(number, known[place])
        yield from _by_cause(sync, by_row)


def _is_about(activity: Activity, sync: Outgoing, stream: str) -> bool:
    of_relationships = activity.type.startswith(("_r:", "relationship_"))
    of_objects = activity.type.startswith("_o:")
    if stream == "relationships":
        # An object that is not there, or a type, fails the relationships that name it.
        return of_relationships or (of_objects and sync.objects is None)
    if of_relationships or of_objects != (sync.objects is not None):
        return False
    constant = sync.events.name if sync.events is not None else None
    return not (constant and activity.name and activity.name != constant)


def _by_key(activities: list[Activity], identifier: str, stream: str) -> dict[str, dict[str, Activity]]:
    """The activities by what names their row: the first of each key is kept."""
    found: dict[str, dict[str, Activity]] = {}
    for activity in activities:
        named = dict(activity.named)
        if "email" in named:
            named["email"] = named["email"].lower()
        thing = _BETWEEN.join((named.get("object_type_id", ""), named.get("object_id", "")))
        has_thing, person = "object_id" in named, identifier if identifier in named else ""
        other = next((kind for kind in ("id", "email") if kind in named), "")
        if stream == "relationships" and person and has_thing:
            kind, key = "both", _BETWEEN.join((named[person], thing))
        elif identifier == "object_id" or (not other and has_thing):
            if not has_thing:
                continue
            kind, key = "object", thing
        elif person or (other and stream == "rows"):
            kind = person or other
            key = named[kind]
        else:
            continue
        found.setdefault(kind, {}).setdefault(key, activity)
    return found


def _keys(batch: pa.RecordBatch, kind: str, sync: Outgoing, stream: str) -> pa.StringArray | None:
    """Each row's key of a kind; None where the rows have none."""
    if kind in ("id", "email"):
        index = batch.schema.get_field_index(kind)
        # The other identifier of an event is an attribute like any other.
        if index < 0 or (sync.events is not None and kind != sync.stream(stream).identifier[0]):
            return None
        texts = as_text(batch.column(index), batch.schema.field(index))
        return pc.utf8_lower(texts) if kind == "email" else texts
    settings = sync.relationships if stream == "relationships" else sync.objects
    index = batch.schema.get_field_index("object_id")
    if settings is None or index < 0:
        return None
    objects = as_text(batch.column(index), batch.schema.field(index))
    thing = pc.binary_join_element_wise(object_types(batch, settings.object_type), objects, _BETWEEN)
    if kind == "object":
        return thing
    person = _keys(batch, sync.stream(stream).identifier[0], sync, stream)
    return pc.binary_join_element_wise(person, thing, _BETWEEN)


def _by_cause(sync: Outgoing, by_row: dict[int, Activity]) -> Iterator[KeptBack]:
    settings = sync.suppression
    complete = settings is None or settings.suppressed == "ignore_and_complete"
    rows: dict[tuple[Outcome, Reason], list[int]] = {}
    for number, activity in by_row.items():
        why = causes.cause(activity)
        left_out = activity.type == "skipped_update" or (complete and why.message == causes.SUPPRESSED)
        outcome = Outcome.EXCLUDED if left_out else Outcome.REFUSED
        rows.setdefault((outcome, why), []).append(number)
    for (outcome, why), numbers in rows.items():
        yield KeptBack(pa.array(sorted(numbers), pa.int64()), outcome, why)
