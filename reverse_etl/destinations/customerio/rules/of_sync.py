"""Which built-in rules the rows of a sync have, by its kind; the first rule that a row breaks is its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.checks.base import AnyRule, Rule, Severity
from reverse_etl.checks.builtin import duplicates, event_times, identifiers, names, values
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations.customerio.backfill import MAX_AGE
from reverse_etl.destinations.customerio.rules import (
    attributes,
    emails,
    event_keys,
    id_spelling,
    json_attributes,
    objects,
    opt_outs,
    shared_emails,
    sizes,
    suppressed,
)
from reverse_etl.destinations.customerio.sections import MAX_EVENT_NAME_BYTES

if TYPE_CHECKING:
    from reverse_etl.config.gone import MayBeGone
    from reverse_etl.destinations.customerio.sections import (
        EventsConfig,
        ObjectsConfig,
        PeopleConfig,
        RelationshipsConfig,
    )
    from reverse_etl.destinations.customerio.sync import Outgoing


def rules_of(sync: Outgoing) -> dict[str, list[AnyRule]]:
    """The rules of its rows and, where it has them, of its relationships, by the name of the stream."""
    found = {ROWS: _rows(sync)}
    if sync.relationships is not None:
        found["relationships"] = _relationships(sync, sync.relationships)
    return found


def _rows(sync: Outgoing) -> list[AnyRule]:
    if sync.people is not None:
        return _people(sync, sync.people)
    if sync.objects is not None:
        return _objects(sync, sync.objects)
    return _events(sync, sync.events) if sync.events is not None else []


def _people(sync: Outgoing, people: PeopleConfig) -> list[AnyRule]:
    by = people.identify_by
    return [
        *_identifier(by, "id"),
        *_suppressed(sync, "id", "email"),
        emails.EmailValid(_reject("email_valid", "Every `email` that is not empty is a valid address."), ("email",)),
        *_deleted(people),
        *_attributes(sync, "rows", delete=people.empty_values == "delete"),
        _unique((by,), keep_last=people.duplicates == "keep_last"),
        *_attribute_warnings(sync, "rows"),
        _spelling("id"),
        shared_emails.EmailShared(_warn("email_shared", "No `email` belongs to two ids of one changeset.")),
        opt_outs.OptOutsKept(_warn("opt_outs_kept", "No row has `unsubscribed: false`, which undoes opt-outs.")),
    ]


def _objects(sync: Outgoing, settings: ObjectsConfig) -> list[AnyRule]:
    return [
        *_identifier("object_id"),
        objects.ObjectTypeValid(_reject("object_type_valid", "`object_type` is a positive integer.")),
        *_deleted(settings),
        *_attributes(sync, "rows", delete=settings.empty_values == "delete"),
        _unique(("object_type", "object_id"), keep_last=settings.duplicates == "keep_last"),
        *_attribute_warnings(sync, "rows"),
        _spelling("object_id"),
    ]


def _relationships(sync: Outgoing, relationships: RelationshipsConfig) -> list[AnyRule]:
    by = relationships.identify_by
    return [
        *_identifier(by),
        *_email(by),
        *_suppressed(sync, by),
        identifiers.Present(_reject("object_id_present", "Every row has an `object_id`."), "object_id"),
        identifiers.Length(_reject("object_id_length", "No `object_id` is longer than 150 bytes."), ("object_id",)),
        objects.ObjectTypeValid(_reject("object_type_valid", "`object_type` is a positive integer.")),
        _deleted_is_boolean(),
        *_attributes(sync, "relationships", delete=relationships.empty_values == "delete"),
        _unique(("object_type", "object_id", by)),
        *_attribute_warnings(sync, "relationships"),
    ]


def _events(sync: Outgoing, settings: EventsConfig) -> list[AnyRule]:
    by, oldest = settings.identify_by, settings.oldest
    found: list[AnyRule] = [*_identifier(by), *_email(by), *_suppressed(sync, by)]
    if settings.name is None:
        length = _reject("event_name_length", f"No event name is longer than {MAX_EVENT_NAME_BYTES} bytes.")
        found += [
            identifiers.Present(_reject("event_name_present", "Every event has a `name`."), "name", blank=True),
            identifiers.Length(length, ("name",), MAX_EVENT_NAME_BYTES),
        ]
    found += [
        event_times.TimeValid(_reject("event_time_valid", "Every event's `occurred_at` is a time.")),
        event_times.NotInFuture(_reject("event_in_future", "No event is more than a day in the future.")),
        event_times.NotTooOld(_reject("event_too_old", "No event is from before 2000.")),
    ]
    if oldest is not None:
        description = "Events older than the sync's `max_age` are left out."
        rule = Rule(MAX_AGE, Severity.EXCLUDE, description, until_confirmed=settings.backfill)
        found.append(event_times.MaxAge(rule, int(oldest.total_seconds())))
    keys = event_keys.SharedKeys(settings)
    repeated = Rule(
        event_keys.REPEATED,
        Severity.EXCLUDE,
        "Of equal events only the first is sent; a column `event_id`, or `event_key`, tells them apart.",
    )
    differing = _reject("event_key_unique", "No two events with one key differ.")
    return [
        *found,
        *_attributes(sync, "rows", delete=False),
        event_keys.EventRepeated(repeated, keys),
        event_keys.EventKeyUnique(differing, keys),
        *_attribute_warnings(sync, "rows"),
    ]


def _identifier(column: str, other: str = "") -> list[AnyRule]:
    limit = identifiers.MAX_BYTES
    checked = (column, other) if other not in ("", column) else (column,)
    return [
        identifiers.Present(_reject("identifier_present", f"Every row has an identifier in `{column}`."), column),
        identifiers.Length(_reject("identifier_length", f"No identifier is longer than {limit} bytes."), checked),
    ]


def _deleted(settings: MayBeGone) -> list[AnyRule]:
    return [] if settings.when_gone is None else [_deleted_is_boolean()]


def _deleted_is_boolean() -> AnyRule:
    return objects.DeletedIsBoolean(_reject("deleted_is_boolean", "`deleted` is boolean."))


def _email(identify_by: str) -> list[AnyRule]:
    if identify_by != "email":
        return []
    return [emails.EmailValid(_reject("email_valid", "Every `email` is a valid address."), ("email",))]


def _suppressed(sync: Outgoing, *columns: str) -> list[AnyRule]:
    settings = sync.suppression
    if settings is None or settings.suppression_list is None:
        return []
    severity = Severity.EXCLUDE if settings.suppressed == "ignore_and_complete" else Severity.REJECT
    rule = Rule("suppressed", severity, "No person is on the sync's suppression list.")
    return [suppressed.Suppressed(rule, columns)]


def _attributes(sync: Outgoing, stream: str, *, delete: bool) -> list[AnyRule]:
    apart = sync.stream(stream).apart
    name, value = attributes.MAX_NAME_BYTES, attributes.MAX_VALUE_BYTES
    name_length = _reject("attribute_name_length", f"No attribute name is longer than {name} bytes.")
    value_length = _reject("attribute_value_length", f"No attribute is longer than {value} bytes.")
    count = _reject("attribute_count", f"No row has more than {attributes.MAX_COUNT} attributes.")
    size = _reject("item_size", f"No row makes an item of more than {sizes.MAX_BYTES:,} bytes.")
    return [
        values.BinaryColumn(_reject("binary_column", "No column holds bytes.")),
        values.TextEncodable(
            _reject("text_encodable", "No text holds a NUL or half of a surrogate pair, and all of it is UTF-8.")
        ),
        values.NotFinite(_reject("not_finite", "No number is NaN or infinite, no time outside the years 1 to 9999.")),
        attributes.NameLength(name_length, apart),
        attributes.ValueLength(value_length, apart),
        attributes.Count(count, apart, delete),
        sizes.ItemSize(size, delete),
    ]


def _attribute_warnings(sync: Outgoing, stream: str) -> list[AnyRule]:
    apart = sync.stream(stream).apart
    return [
        names.NameCase(_warn("attribute_name_case", "Attribute names are in snake_case."), apart),
        json_attributes.JsonAttribute(_warn("json_attribute", "No attribute holds JSON."), apart),
    ]


def _spelling(column: str) -> AnyRule:
    description = "No two ids differ only in case, in white space around them or in zeros before them."
    return id_spelling.IdSpelling(_warn("id_spelling", description), column)


def _unique(key: tuple[str, ...], *, keep_last: bool = False) -> AnyRule:
    if keep_last:
        rule = Rule("identifier_unique", Severity.EXCLUDE, "Of rows with the same identifier only the last is sent.")
        return duplicates.IdentifierUnique(rule, key, keep_last=True)
    return duplicates.IdentifierUnique(
        _reject("identifier_unique", "No identifier is in two rows with different values."), key
    )


def _reject(name: str, description: str) -> Rule:
    return Rule(name, Severity.REJECT, description)


def _warn(name: str, description: str) -> Rule:
    return Rule(name, Severity.WARN, description)
