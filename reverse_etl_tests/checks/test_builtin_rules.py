"""Every built-in rule through the conformance suite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reverse_etl.changeset.parts import RunFolder
from reverse_etl.destinations.customerio.sections import EventsConfig, ObjectsConfig, PeopleConfig, RelationshipsConfig
from reverse_etl.destinations.customerio.suppression import store_suppressed
from reverse_etl.destinations.customerio.suppression_config import SuppressionListConfig
from reverse_etl.errors import ConfigError, StateError
from reverse_etl.sources._instants import beyond_years, without_dates
from reverse_etl.sources.base import marked
from reverse_etl_tests.checks.conformance import (
    DECIMAL,
    EVENTS,
    JSON,
    MEMBERSHIPS,
    OBJECTS,
    PEOPLE,
    PEOPLE_BY_EMAIL,
    STARTED_AT,
    Checked,
    RuleConformance,
    check,
    sync,
)

TEXT = pa.field("value", pa.string())
INTEGER = pa.field("value", pa.int64())
FLOAT = pa.field("value", pa.float64())
INSTANT = pa.field("value", pa.timestamp("us", "UTC"))


class TestIdentifierPresent(RuleConformance):
    """Neither NULL nor '' identifies a person."""

    module, rule, column, field = "builtin.identifiers", "identifier_present", "id", TEXT
    rows = (("ann", False), ("", True), (None, True), ("0", False), (" ", False))
    finds_null = True


class TestIdentifierPresentInJson(RuleConformance):
    """Nor does the null of JSON; a text that says null is a text."""

    module, rule, column, field = "builtin.identifiers", "identifier_present", "id", marked("value", "json")
    rows = (('"ann"', False), ("null", True), (" null", True), ('"null"', False), ('""', True), ("7", False))
    finds_null = True


class TestIdentifierLength(RuleConformance):
    """150 bytes, not characters."""

    module, rule, column, field = "builtin.identifiers", "identifier_length", "id", TEXT
    rows = (("a" * 150, False), ("b" * 151, True), ("é" * 75, False), ("é" * 76, True))


class TestObjectIdentifierPresent(RuleConformance):
    """Objects are identified by object_id."""

    module, rule, column, field, sync = "builtin.identifiers", "identifier_present", "object_id", INTEGER, OBJECTS
    rows = ((1, False), (None, True), (0, False))
    finds_null = True


class TestObjectIdPresent(RuleConformance):
    """A relationship needs its object too."""

    module, rule, column, field = "builtin.identifiers", "object_id_present", "object_id", TEXT
    sync, query = MEMBERSHIPS, "relationships"
    rows = (("acme", False), ("", True), (None, True))
    finds_null = True


class TestEventNamePresent(RuleConformance):
    """Without a configured name each event has one of its own."""

    module, rule, column, field, sync = "builtin.identifiers", "event_name_present", "name", TEXT, EVENTS
    rows = (("order_placed", False), ("", True), (None, True), (" \t\u00a0", True), (" x ", False))
    finds_null = True


class TestEventNameLength(RuleConformance):
    """Event names have 100 bytes at most."""

    module, rule, column, field, sync = "builtin.identifiers", "event_name_length", "name", TEXT, EVENTS
    rows = (("n" * 100, False), ("n" * 101, True))


class TestEmailValid(RuleConformance):
    """An identifying e-mail address."""

    module, rule, column, field, sync = "builtin.emails", "email_valid", "email", TEXT, PEOPLE_BY_EMAIL
    rows = (
        ("ann@example.com", False),
        ("not an address", True),
        ("ann@exämple.com", True),
        ("bob@host.test", False),
        ("", False),
        ("bob@shop", True),
        ("bob@example.com\n", True),
    )


class TestEmailOfPeopleById(RuleConformance):
    """An e-mail address beside the id must be one as well, when it is there."""

    module, rule, column, field = "builtin.emails", "email_valid", "email", TEXT
    rows = (("ann@example.com", False), ("ann@@example.com", True), (None, False), ("", False))


class TestAttributeNameLength(RuleConformance):
    """A name that is too long rejects every row, because each would send it."""

    module, rule, column, field = "builtin.attributes", "attribute_name_length", "n" * 151, TEXT
    rows = (("x", True), (None, True), ("y", True))
    finds_null, named = True, False


class TestAttributeValueLength(RuleConformance):
    """1000 bytes, not characters."""

    module, rule, column, field = "builtin.attributes", "attribute_value_length", "bio", TEXT
    rows = (("x" * 1000, False), ("x" * 1001, True), ("é" * 501, True), (None, False))


class TestJsonAttributeLength(RuleConformance):
    """JSON counts as its text."""

    module, rule, column, field = "builtin.attributes", "attribute_value_length", "bag", JSON
    rows = (('["' + "x" * 996 + '"]', False), ('["' + "x" * 997 + '"]', True))


class TestAttributeCount(RuleConformance):
    """300 attributes that are not empty."""

    module, rule, column, field = "builtin.attributes", "attribute_count", "last", TEXT
    beside: ClassVar = {f"c{number}": pa.array(["x", "x", ""]) for number in range(299)}
    rows = (("x", True), (None, False), ("x", False))
    named = False


class TestAttributeCountWithDeletion(RuleConformance):
    """Where empty values clear attributes, they are sent and count."""

    module, rule, column, field = "builtin.attributes", "attribute_count", "last", TEXT
    sync = sync(people=PeopleConfig(empty_values="delete"))
    beside: ClassVar = {f"c{number}": pa.array(["x", "x", ""]) for number in range(300)}
    rows = (("x", True), (None, True), ("x", True))
    finds_null, named = True, False


class TestNotFiniteFloat(RuleConformance):
    """JSON has no NaN."""

    module, rule, column, field = "builtin.values", "not_finite", "score", FLOAT
    rows = (
        (1.5, False),
        (float("nan"), True),
        (float("inf"), True),
        (float("-inf"), True),
        (None, False),
        (1e308, False),
    )


class TestNotFiniteDecimal(RuleConformance):
    """Decimals are text and can say NaN and Infinity."""

    module, rule, column, field = "builtin.values", "not_finite", "score", DECIMAL
    rows = (("1.50", False), ("NaN", True), ("-Infinity", True), ("1E+30", False), ("-inf", True))


class TestNotFiniteInstant(RuleConformance):
    """Arrow's clock reaches 290,000 years; calendars do not."""

    module, rule, column, field = "builtin.values", "not_finite", "seen", INSTANT
    rows = (
        (datetime(1, 1, 1, tzinfo=UTC), False),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), False),
        (253_402_300_800_000_000, True),
        (-62_135_596_800_000_001, True),
    )

    def test_the_message_says_which(self, tmp_path: Path) -> None:
        """A zero date is in no calendar."""
        none, beyond = pa.array([True, False, False, False]), pa.array([False, True, False, False])
        days = beyond_years(without_dates(pa.array([0, 0, 1, None]).cast(INSTANT.type), none), beyond)
        messages = [row.why.message for row in self.check(tmp_path, [self.batch(days)]).failed()]
        assert messages == [
            "column `seen` is a zero date: no calendar has that day.",
            "column `seen` is outside the years 1 to 9999.",
        ]


class TestNotFiniteDate(RuleConformance):
    """The same for dates."""

    module, rule, column, field = "builtin.values", "not_finite", "born", pa.field("value", pa.date32())
    rows = ((date(1, 1, 1), False), (date(9999, 12, 31), False), (2_932_897, True), (-719_163, True))


class TestTextEncodable(RuleConformance):
    """A NUL ends a text elsewhere."""

    module, rule, column, field = "builtin.values", "text_encodable", "note", TEXT
    rows = (("x", False), ("a\0b", True), ("\0", True), ("\\u0000", False), ("😀", False), (None, False), ("", False))


class TestJsonEncodable(RuleConformance):
    """Half of a surrogate pair is no character, wherever it is inside JSON."""

    module, rule, column, field = "builtin.values", "text_encodable", "note", marked("note", "json")
    rows = (
        ('"sam"', False),
        ('"\\ud83d"', True),
        ('"\\ude00\\ud83d"', True),
        ('"\\ud83d\\ude00"', False),
        ('{"a":["x\\uD800"]}', True),
        ('{"\\udfff":1}', True),
        ('"\\u0000"', True),
        ('"\\\\u0000"', False),
        ('"\\\\ud83d"', False),
        ("not json \\ud83d", False),
        (None, False),
    )


class TestBinaryColumn(RuleConformance):
    """Bytes reject the row that has them."""

    module, rule, column, field = "builtin.values", "binary_column", "photo", pa.field("value", pa.binary())
    rows = ((None, False), (b"secret bytes", True), (b"", True))

    def test_the_message_says_what_to_do(self, tmp_path: Path) -> None:
        """A query can leave the column out, or make text of it."""
        result = self.check(tmp_path, [self.batch(self.values())]).result(self.rule)
        assert result.message.startswith("column `photo` is binary. Leave it out, or send it as text")


class TestItemSize(RuleConformance):
    """32 values of 1000 bytes are more than one item may have."""

    module, rule, column, field = "builtin.sizes", "item_size", "last", TEXT
    beside: ClassVar = {f"c{number}": pa.array(["x" * 1000, "x" * 1000, ""]) for number in range(30)}
    rows = (("x" * 1700, True), ("x", False), ("x" * 1700, False))
    named = False


class TestItemSizeOfEscapes(RuleConformance):
    """A control character takes six bytes in JSON, a quotation mark two."""

    module, rule, column, field = "builtin.sizes", "item_size", "last", TEXT
    rows = (("\x01" * 5400, True), ("\x01" * 5200, False), ('"' * 16_000, True), ('"' * 15_700, False))
    named = False


class TestIdentifierUnique(RuleConformance):
    """Rows that share an identifier and differ: which is right cannot be known."""

    module, rule, column, field = "builtin.duplicates", "identifier_unique", "id", TEXT
    rows = (
        ("ann", True),
        ("bob", False),
        ("ann", True),
        ("Bob", False),
        (None, False),
        (None, False),
        ("", False),
        ("", False),
    )


class TestIdentifierUniqueEqualRows(RuleConformance):
    """Equal rows are harmless; NULL and '' say the same, 1 and '1' do not."""

    module, rule, column, field = "builtin.duplicates", "identifier_unique", "id", INTEGER
    beside: ClassVar = {
        "note": pa.array(["same", "same", "one", "other", "x"]),
        "plan": pa.array([None, "", "p", "p", "q"]),
    }
    rows = ((1, False), (1, False), (2, True), (2, True), (3, False))


class TestEmailUniqueInAnyCase(RuleConformance):
    """E-mail addresses that differ in case only are one person."""

    module, rule, column, field, sync = "builtin.duplicates", "identifier_unique", "email", TEXT, PEOPLE_BY_EMAIL
    rows = (("Ann@example.com", True), ("ann@EXAMPLE.com", True), ("bob@example.com", False))


class TestKeepLast(RuleConformance):
    """With keep_last all but the last row are left out, which is no failure."""

    module, rule, column, field = "builtin.duplicates", "identifier_unique", "id", TEXT
    sync = sync(people=PeopleConfig(duplicates="keep_last"))
    rows = (("ann", True), ("bob", False), ("ann", True), ("ann", False))


class TestObjectUniqueWithinItsType(RuleConformance):
    """Objects of two types may share an id."""

    module, rule, column, field, sync = "builtin.duplicates", "identifier_unique", "object_id", TEXT, OBJECTS
    beside: ClassVar = {"object_type": pa.array([1, 2, 1, 1, 11])}
    rows = (("acme", True), ("acme", False), ("acme", True), ("1acme", False), ("acme", False))
    named = False


class TestRelationshipUnique(RuleConformance):
    """A person is related to an object once."""

    module, rule, column, field = "builtin.duplicates", "identifier_unique", "object_id", TEXT
    sync, query = MEMBERSHIPS, "relationships"
    beside: ClassVar = {"id": pa.array(["1", "1", "2", "1"])}
    rows = (("acme", True), ("acme", True), ("acme", False), ("umbrella", False))


class TestObjectTypeValid(RuleConformance):
    """A positive integer, written as a number or as its digits."""

    module, rule, column, field, sync = "builtin.objects", "object_type_valid", "object_type", INTEGER, OBJECTS
    rows = ((1, False), (0, True), (-1, True), (12, False), (None, True))
    finds_null = True


class TestObjectTypeText(RuleConformance):
    """Text is as good as a number when it is one."""

    module, rule, column, field, sync = "builtin.objects", "object_type_valid", "object_type", TEXT, OBJECTS
    rows = (("1", False), ("company", True), ("01", True), ("1.5", True), ("", True))
    finds_null = True


class TestDeletedInteger(RuleConformance):
    """0 and 1 are the booleans of MySQL and SQLite."""

    module, rule, column, field = "builtin.objects", "deleted_is_boolean", "deleted", INTEGER
    sync, query = MEMBERSHIPS, "relationships"
    rows = ((0, False), (1, False), (2, True), (-1, True), (None, False))


class TestDeletedText(RuleConformance):
    """No text is a boolean."""

    module, rule, column, field = "builtin.objects", "deleted_is_boolean", "deleted", TEXT
    sync, query = MEMBERSHIPS, "relationships"
    rows = (("true", True), ("no", True), (None, False))


class TestEventTimeValid(RuleConformance):
    """Text is a time where it is ISO 8601."""

    module, rule, column, field, sync = "builtin.event_times", "event_time_valid", "occurred_at", TEXT, EVENTS
    rows = (
        ("2026-01-06", False),
        ("2026-01-06T01:30:00Z", False),
        ("2026-01-05 01:30:00.5+02:00", False),
        ("05/01/2026", True),
        ("2026-02-30", True),
        ("", True),
        (None, True),
    )
    finds_null = True


class TestEventTimeDecimal(RuleConformance):
    """EXTRACT(EPOCH FROM ...) gives a decimal."""

    module, rule, column, field, sync = "builtin.event_times", "event_time_valid", "occurred_at", DECIMAL, EVENTS
    rows = (("1767600000.25", False), ("NaN", True))
    finds_null = True


class TestEventInFuture(RuleConformance):
    """A day ahead passes; milliseconds taken for seconds do not."""

    module, rule, column, field, sync = "builtin.event_times", "event_in_future", "occurred_at", INTEGER, EVENTS
    rows = ((STARTED_AT, False), (STARTED_AT + 86_400, False), (STARTED_AT + 86_401, True), (STARTED_AT * 1000, True))


class TestEventTooOld(RuleConformance):
    """1970 is a zero that was taken for a time."""

    module, rule, column, field, sync = "builtin.event_times", "event_too_old", "occurred_at", INSTANT, EVENTS
    rows = (
        (datetime(1970, 1, 1, tzinfo=UTC), True),
        (datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2000, 1, 1, tzinfo=UTC), False),
    )


class TestEventMaxAge(RuleConformance):
    """Older events are left out by the sync's own choice."""

    module, rule, column, field = "builtin.event_times", "event_max_age", "occurred_at", INTEGER
    sync = sync(events=EventsConfig(name=None, max_age=timedelta(hours=24)))
    rows = ((STARTED_AT - 86_400, False), (STARTED_AT - 86_401, True))


class TestEventKeyUnique(RuleConformance):
    """Rows of one event that differ: which is right cannot be known."""

    module, rule, column, field, sync = "builtin.event_keys", "event_key_unique", "event_id", TEXT, EVENTS
    beside: ClassVar = {"name": pa.array(["viewed"] * 7)}
    rows = (("a", True), ("b", False), ("a", True), ("A", False), (None, False), (None, False), ("", False))


class TestEventRepeated(RuleConformance):
    """Equal rows of one event are sent once."""

    module, rule, column, field, sync = "builtin.event_keys", "event_repeated", "event_id", TEXT, EVENTS
    beside: ClassVar = {
        "id": pa.array(["1", "1", "1", "2"]),
        "name": pa.array(["viewed"] * 4),
        "occurred_at": pa.array([STARTED_AT] * 4),
        "note": pa.array(["", None, "", ""]),
    }
    rows = (("a", False), ("a", True), ("a", True), ("b", False))
    named = False


class TestAttributeNameCase(RuleConformance):
    """Plan and plan drift apart."""

    module, rule, column, field = "builtin.names", "attribute_name_case", "firstName", TEXT
    rows = (("x", False),)
    about_column, needs_rows = True, False


class TestJsonAttribute(RuleConformance):
    """Segments cannot look into JSON."""

    module, rule, column, field = "builtin.json_attributes", "json_attribute", "bag", JSON
    rows = ((None, False), ('{"a": "value"}', False))
    about_column = True


class TestOptOutsKept(RuleConformance):
    """unsubscribed: false undoes an opt-out."""

    module, rule, column, field = "builtin.opt_outs", "opt_outs_kept", "unsubscribed", pa.field("value", pa.bool_())
    rows = ((True, False), (False, True), (None, False))


class TestOptOutsKeptAsText(RuleConformance):
    """However false is written."""

    module, rule, column, field = "builtin.opt_outs", "opt_outs_kept", "unsubscribed", TEXT
    rows = (
        *(
            (spelling, True)
            for spelling in ("FALSE", "False ", "f", "F", "no", "No", "n", "N", "off", "OFF", "0", "0.0")
        ),
        *((spelling, False) for spelling in ("true", "t", "yes", "Y", "on", "1", "", "nobody")),
    )


class TestOptOutsKeptAsNumber(RuleConformance):
    """A driver without booleans gives numbers."""

    module, rule, column, field = "builtin.opt_outs", "opt_outs_kept", "unsubscribed", FLOAT
    rows = ((0.0, True), (-0.0, True), (1.0, False), (None, False))


class TestOptOutsKeptAsDecimal(RuleConformance):
    """MySQL's DECIMAL(1), Snowflake's NUMBER."""

    module, rule, column, field = "builtin.opt_outs", "opt_outs_kept", "unsubscribed", DECIMAL
    rows = (("0", True), ("0.00", True), ("1.0", False))


class TestEmailShared(RuleConformance):
    """One address, two ids."""

    module, rule, column, field, sync = "builtin.shared_emails", "email_shared", "email", TEXT, PEOPLE
    beside: ClassVar = {"id": pa.array(["1", "2", "3", "4", "4", "5"])}
    rows = (
        ("Ann@example.com", True),
        ("bob@example.com", False),
        ("ann@example.com", True),
        ("dan@example.com", False),
        ("dan@example.com", False),
        ("", False),
    )


class TestIdSpelling(RuleConformance):
    """Two people for one; equal ids are the business of another rule."""

    module, rule, column, field, sync = "builtin.id_spelling", "id_spelling", "id", TEXT, PEOPLE
    rows = (
        ("A7-b", True),
        ("a7-b", True),
        ("0042", True),
        ("42", True),
        (" ann", True),
        ("ann ", True),
        ("bob", False),
        ("bob", False),
        ("100", False),
        ("10", False),
        ("0x1", False),
        ("x1", False),
        ("0", False),
        ("", False),
    )


class TestIdSpellingOfNumbers(RuleConformance):
    """A number of the database has one spelling; one in JSON may have several."""

    module, rule, column, field, sync = "builtin.id_spelling", "id_spelling", "object_id", JSON, OBJECTS
    rows = (('"07"', True), ("7", True), ("8", False), (None, False))


class TestMixedTimeUnits(RuleConformance):
    """The rarer unit is the mistake."""

    module, rule, column, field = "builtin.time_units", "mixed_time_units", "created_at", INTEGER
    rows = (
        (1_700_000_000, False),
        (1_700_000_001, False),
        (1_700_000_000_000, True),
        (1_700_000_000_000_000, True),
        (0, False),
        (None, False),
    )


class TestMixedTimeUnitsOfObjects(RuleConformance):
    """For objects too, and for floats."""

    module, rule, column, field = "builtin.time_units", "mixed_time_units", "last_login_time", FLOAT
    sync = sync(objects=ObjectsConfig())
    rows = ((1.7e12, False), (1.7e12, False), (1.7e9, True))


class TestMixedTimeZones(RuleConformance):
    """The rarer kind is the mistake; dates and other texts are neither."""

    module, rule, column, field = "builtin.time_zones", "mixed_time_zones", "created_at", TEXT
    rows = (
        ("2026-01-05T10:00:00Z", False),
        ("2026-01-05 10:00+01:00", False),
        ("2026-01-05 10:00:00", True),
        ("2026-01-05", False),
        ("soon", False),
        ("", False),
        (None, False),
    )


class TestMixedTimeZonesAlike(RuleConformance):
    """Where there are as many of both, those without a zone."""

    module, rule, column, field = "builtin.time_zones", "mixed_time_zones", "login_time", TEXT
    rows = (("2026-01-05T10:00Z", False), ("20260105T1000", True))


class TestTimeIn1970(RuleConformance):
    """A zero that became a time, in whatever form."""

    module, rule, column, field = "builtin.plausible_times", "time_in_1970", "last_seen_at", INTEGER
    rows = ((0, True), (86_400 * 364, True), (86_400 * 365, False), (-1, False), (1_767_600_000, False), (None, False))


class TestTimeIn1970AsText(RuleConformance):
    """A date, too."""

    module, rule, column, field = "builtin.plausible_times", "time_in_1970", "birth_date", TEXT
    rows = (("1970-01-01", True), ("1970-01-01T00:00:00Z", True), ("1971-01-01", False), ("unknown", False))


class TestPastInFuture(RuleConformance):
    """What has happened lies at most a day ahead, as far as clocks and zones differ."""

    module, rule, column, field = "builtin.plausible_times", "past_in_future", "last_login_at", INTEGER
    rows = (
        (STARTED_AT, False),
        (STARTED_AT + 86_400, False),
        (STARTED_AT + 86_401, True),
        (1_767_600_000_000, True),
        (None, False),
    )


@pytest.mark.parametrize("name", ["expires_at", "trial_ends_at", "lifetime", "plan"])
def test_a_time_that_may_lie_ahead_is_no_warning(name: str, tmp_path: Path) -> None:
    """Nor is a number that is not named like a time."""
    rows = pa.record_batch({"id": pa.array(["1"]), name: pa.array([STARTED_AT + 999_999])})
    assert check(PEOPLE, tmp_path, [rows]).result("past_in_future").passed


class _Suppression(RuleConformance):
    """A list with the id ``7`` and the address of another person, whose id is ``eve``."""

    module, rule, column, field, named = "builtin.suppressed", "suppressed", "id", TEXT, False
    eve: ClassVar = "eve"

    def check(self, folder: Path, batches: Sequence[pa.RecordBatch]) -> Checked:
        """Validates batches beside the list of the run."""
        folder.mkdir(exist_ok=True)
        (folder / "blocked.csv").write_text(
            f"\ufeffemail,reason,id\nEve@Example.com,spam,{self.eve}\n,asked,7\n", encoding="utf-8"
        )
        settings = self.sync.suppression
        assert settings is not None
        listed = SuppressionListConfig(file=folder / "blocked.csv")
        read = self.sync.model_copy(update={self.sync.kind: settings.model_copy(update={"suppression_list": listed})})
        store_suppressed(read, RunFolder(folder), None)
        return super().check(folder, batches)


BLOCKED = SuppressionListConfig(file=Path("blocked.csv"))


def suppressing(**settings: Any) -> dict[str, Any]:
    """The settings of a sync with a list."""
    return {"suppression_list": BLOCKED, **settings}


class TestSuppressedPeopleAreLeftOut(_Suppression):
    """By id, which is compared exactly."""

    sync = sync(people=PeopleConfig(**suppressing()))
    rows = (("7", True), ("07", False), ("8", False), ("", False))


class TestSuppressedPeopleWhosePaddingDiffers(_Suppression):
    """Blanks around an id are not what tells people apart, nor is a fraction of zeros."""

    sync = sync(people=PeopleConfig(**suppressing()))
    rows = (("7   ", True), (" 7", True), ("7.0", True), ("7.5", False), ("007", False))


class TestSuppressedPeopleFail(_Suppression):
    """Where the sync says so, by any identifier: e-mail addresses without regard to case."""

    sync = sync(people=PeopleConfig(**suppressing(suppressed="ignore_and_fail")))
    column, eve = "email", ""
    rows = (("eve@example.COM", True), ("Eve@example.com  ", True), ("eve@example.com.example", False), (None, False))


class TestSuppressedPeopleOfEvents(_Suppression):
    """An event's person alone: another column may hold any address."""

    sync = sync(events=EventsConfig(name="visit", **suppressing(suppressed="ignore_and_fail")))
    beside: ClassVar = {"email": pa.array(["eve@example.com"] * 3)}
    rows = (("7", True), ("8", False), ("9", False))


class TestSuppressedPeopleOfRelationships(_Suppression):
    """Relationships beside objects have a list of their own; beside people they follow theirs."""

    sync, query = (
        sync(people=PeopleConfig(**suppressing()), relationships=RelationshipsConfig(query="SELECT 2")),
        "relationships",
    )
    rows = (("7", True), ("8", False))


ID_ALONE, EMAIL_ALONE, BOTH, NEITHER = ("7", None), (None, "eve@example.com"), ("8", "bob@example.com"), (None, "")


def beside(folder: Path, listed: Sequence[tuple[str | None, str | None]], by: str, kind: str) -> Checked:
    """Checks rows that carry one identifier, or ``id,email``, beside a list as it is kept."""
    columns = {name: pa.array([row[at] for row in listed], pa.string()) for at, name in enumerate(("id", "email"))}
    pq.write_table(pa.table(columns), folder / "suppressed.parquet")
    key = by.split(",")[0]
    relationships = RelationshipsConfig(query="SELECT 2", identify_by=key)
    settings: dict[str, dict[str, Any]] = {
        "people": {"people": PeopleConfig(identify_by=key, **suppressing())},
        "events": {"events": EventsConfig(name="visit", identify_by=key, **suppressing())},
        "objects": {
            "objects": ObjectsConfig(),
            "relationships": RelationshipsConfig(query="SELECT 2", identify_by=key, **suppressing()),
        },
        "members": {"people": PeopleConfig(identify_by=key, **suppressing()), "relationships": relationships},
    }
    value = {"id": "1", "email": "a@example.com"}
    rows = pa.record_batch(
        {"object_id": ["1"], "occurred_at": [1_795_000_000]} | {name: [value[name]] for name in by.split(",")}
    )
    first = {
        "objects": pa.record_batch({"object_id": ["1"]}),
        "members": pa.record_batch({n: [v] for n, v in value.items()}),
    }
    batches = ([first[kind]], [rows]) if kind in first else ([rows],)
    return check(sync(**settings[kind]), folder, *batches)


@pytest.mark.parametrize("kind", ["people", "events", "objects", "members"])
@pytest.mark.parametrize(
    ("by", "listed", "other"),
    [
        ("email", [ID_ALONE], "id"),
        ("id", [EMAIL_ALONE], "email"),
        ("id", [ID_ALONE, BOTH, EMAIL_ALONE], "email"),
        ("email", [EMAIL_ALONE, BOTH, ID_ALONE], "id"),
        ("email", [EMAIL_ALONE, ("7", "")], "id"),
        ("id", [ID_ALONE, ("", "eve@example.com")], "email"),
    ],
)
def test_a_person_on_the_list_whom_the_rows_cannot_show_stops_the_run(
    kind: str, by: str, listed: list[tuple[str | None, str | None]], other: str, tmp_path: Path
) -> None:
    """Whoever is listed by what the rows do not carry would be sent; the hint has the ways out."""
    with pytest.raises(ConfigError, match=f"names 1 person by `{other}` alone") as caught:
        beside(tmp_path, listed, by, kind)
    selecting = f"Select `{other}` too in the sync's query, or give" if kind == "people" else "Give"
    assert f"{selecting} each row of the list its `{by}`" in caught.value.hint
    assert "eve" not in str(caught.value)


@pytest.mark.parametrize("kind", ["people", "events", "objects", "members"])
@pytest.mark.parametrize(
    ("by", "listed"),
    [
        ("id", [ID_ALONE, BOTH, NEITHER]),
        ("email", [EMAIL_ALONE, BOTH, NEITHER]),
        ("id", []),
    ],
)
def test_a_list_whose_people_the_rows_can_show_is_gone_by(
    kind: str, by: str, listed: list[tuple[str | None, str | None]], tmp_path: Path
) -> None:
    """Of two identifiers one in common is enough; an empty row of the list names no one."""
    assert not beside(tmp_path, listed, by, kind).validation.stopped


def test_rows_with_both_identifiers_show_everybody(tmp_path: Path) -> None:
    """Where the query selects both, entries may have either."""
    assert not beside(tmp_path, [ID_ALONE, EMAIL_ALONE], "id,email", "people").validation.stopped


def test_a_changeset_read_without_the_list_is_not_sent(tmp_path: Path) -> None:
    """People on a list that is not there cannot be left out, so no one is sent."""
    with pytest.raises(StateError, match="before the sync had a suppression list"):
        check(TestSuppressedPeopleFail.sync, tmp_path, [pa.record_batch({"id": ["1"]})])
