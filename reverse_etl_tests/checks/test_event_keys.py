"""Events that share a key: equal ones are one event, and ones that differ are rejected with the way out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.facts import StreamFacts
from reverse_etl.changeset.parts import Facts, RunFolder, with_row_numbers
from reverse_etl.checks.runner import validate
from reverse_etl.destinations.customerio.event_keys import event_keys
from reverse_etl.destinations.customerio.rules.event_keys import repeated_note
from reverse_etl.destinations.customerio.sections import EventsConfig
from reverse_etl.report import Counts, Outcome, Status
from reverse_etl.run.verdict import verdict
from reverse_etl.sources._arrow import canonical
from reverse_etl_tests.checks.conformance import STARTED_AT, Checked, sync

NOON = datetime(2026, 1, 5, 8, tzinfo=UTC)
CLICKS = EventsConfig(name="clicked")
REPEATS = "an earlier row, with the same key and the same values (event_repeated)"


def checked(folder: Path, config: EventsConfig, batches: list[pa.RecordBatch]) -> Checked:
    """Rows through every rule of events."""
    run = RunFolder(folder)
    rows = run.parts("rows").write(with_row_numbers(batches))
    run.seal(Facts(sync="customers", since=0, started_at=STARTED_AT, streams={"rows": StreamFacts(rows)}))
    return Checked(validate(sync(events=config), run), run)


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Clicks of one person at noon, unless a row says otherwise."""
    return pa.RecordBatch.from_pylist([{"id": "1", "occurred_at": NOON, "sku": "a", **row} for row in rows])


def outcomes(folder: Path, rows: list[dict[str, Any]], config: EventsConfig = CLICKS) -> str:
    """One letter a row: sent, excluded, rejected."""
    letters = {Outcome.UNDELIVERED: "s", Outcome.EXCLUDED: "x", Outcome.REJECTED: "r"}
    return "".join(letters[each] for each in checked(folder, config, [batch(rows)]).outcomes())


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"id": "1"}, {"id": "2"}, {"id": "2"}], "ssx"),
        ([{}, {}, {}, {}], "sxxx"),
        ([{}, {"sku": "b"}], "rr"),
        ([{}, {}, {"sku": "b"}], "rrr"),
        ([{}, {"occurred_at": NOON.replace(microsecond=1)}], "ss"),
        ([{}, {"sku": None}], "rr"),
    ],
)
def test_without_an_event_id(tmp_path: Path, rows: list[dict[str, Any]], expected: str) -> None:
    """Identifier, name and time in microseconds are the key."""
    assert outcomes(tmp_path, rows) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"event_id": 1}, {"event_id": 2}, {"event_id": 1}], "ssx"),
        ([{"event_id": 1}, {"event_id": 1, "sku": "b"}], "rr"),
        ([{"event_id": 1}, {"event_id": 1, "occurred_at": NOON.replace(microsecond=5)}], "rr"),
        ([{"event_id": 1}, {"event_id": 1, "id": "2"}], "rr"),
        ([{"event_id": None}, {"event_id": None}, {"event_id": 1}], "sxs"),
    ],
)
def test_with_an_event_id(tmp_path: Path, rows: list[dict[str, Any]], expected: str) -> None:
    """It is the key; a row without one has the key of a sync without."""
    assert outcomes(tmp_path, rows) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"sku": "a"}, {"sku": "b"}, {"sku": "a"}], "ssx"),
        ([{"sku": "a", "n": 1}, {"sku": "a", "n": 2}], "rr"),
        ([{"sku": None}, {"sku": "a"}], "ss"),
    ],
)
def test_with_an_event_key(tmp_path: Path, rows: list[dict[str, Any]], expected: str) -> None:
    """Its columns are the key, and stay attributes."""
    assert outcomes(tmp_path, rows, EventsConfig(name="clicked", event_key=("sku",))) == expected


def test_what_is_found_is_counted_with_row_numbers(tmp_path: Path) -> None:
    """One check for repeats, which fails nothing, and one for rows that differ, which says the way out."""
    found = checked(tmp_path, CLICKS, [batch([{}, {"id": "2"}]), batch([{}, {"id": "2", "sku": "b"}])])
    repeated, differing = found.result("event_repeated"), found.result("event_key_unique")
    assert (repeated.rows_excluded, repeated.sample_rows, repeated.passed) == (1, (3,), True)
    assert (differing.rows_failed, differing.sample_rows, differing.passed) == (2, (2, 4), False)
    assert all(word in differing.message for word in ("event_id", "event_key"))


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ([{}, {"id": "2"}], ""),
        ([{}, {"sku": "b"}], ""),
        (
            [{}, {}],
            f"1 event is excluded, because it repeats {REPEATS}. Where each counts, select a column event_id, or",
        ),
        (
            [{}] * 1_235,
            f"1,234 events are excluded: each repeats {REPEATS}. Where each counts, select a column event_id",
        ),
        ([{"event_id": "a"}] * 2, f"1 event is excluded, because it repeats {REPEATS}."),
        ([{"deleted": b"x"}, {"deleted": b"x"}], ""),
    ],
)
def test_repeats_are_reported_with_their_number(tmp_path: Path, rows: list[dict[str, Any]], note: str) -> None:
    """And with the way out, where they are not meant; a repeat that another rule rejects is a failed row."""
    parts = checked(tmp_path, CLICKS, [batch(rows)]).folder.parts("rows")
    assert repeated_note(parts, CLICKS).startswith(note)
    assert bool(note) == bool(repeated_note(parts, CLICKS))


OWN_ID = "give each an event_id of its own"
OTHER_COLUMNS = "select a column that tells them apart and add it to `event_key`, or select a column event_id"


@pytest.mark.parametrize(
    ("config", "row", "way_out"),
    [
        (CLICKS, {"event_id": "a"}, OWN_ID),
        (CLICKS, {"event_id": None}, OWN_ID),
        (EventsConfig(name="clicked", event_key=("sku",)), {}, OTHER_COLUMNS),
        (EventsConfig(name="clicked", event_key=("sku",)), {"sku": None}, OTHER_COLUMNS),
        (EventsConfig(name="clicked", event_key=("sku", "n")), {"n": 1}, OTHER_COLUMNS),
        (EventsConfig(name="clicked", event_key=("sku",)), {"event_id": "a"}, OWN_ID),
    ],
)
def test_the_way_out_is_what_the_sync_does_not_have_yet(
    tmp_path: Path, config: EventsConfig, row: dict[str, Any], way_out: str
) -> None:
    """For repeats and for rows that differ: whoever has an ``event_key`` is not helped by another."""
    parts = checked(tmp_path / "equal", config, [batch([row, row])]).folder.parts("rows")
    assert repeated_note(parts, config).endswith(f"Where each counts, {way_out}.")
    differing = checked(tmp_path / "differing", config, [batch([{"x": 1, **row}, {"x": 2, **row}])])
    assert way_out in differing.result("event_key_unique").message


def test_the_end_of_a_run_tells_repeats(tmp_path: Path) -> None:
    """Whatever else it has to say; the status stays completed."""
    found = checked(tmp_path, CLICKS, [batch([{}, {}, {"id": "2"}])])
    counts = Counts(extracted=3, delivered=2, excluded=1)
    status, message, exit_code = verdict(sync(events=CLICKS), found.folder, {"rows": counts}, run_id="r1")
    assert "1 event is excluded, because it repeats" in message
    assert (status, exit_code) == (Status.COMPLETED, 0)


@pytest.mark.parametrize(
    "spelled",
    [
        pa.array([1767600000]),
        pa.array([1767600000.0]),
        pa.array(["2026-01-05T08:00:00Z"]),
        pa.array(["2026-01-05 09:00:00.000+01:00"]),
        pa.array([NOON], pa.timestamp("us", "UTC")),
    ],
)
def test_equal_instants_make_one_key(spelled: pa.Array) -> None:
    """Whatever their type, spelling and zone; and other columns do not count."""
    rows = pa.RecordBatch.from_arrays([pa.array(["1"]), spelled, pa.array(["x"])], names=["id", "occurred_at", "new"])
    assert event_keys(rows, CLICKS).to_pylist() == event_keys(batch([{}]), CLICKS).to_pylist()


@pytest.mark.parametrize("beside", [2**62, -(2**62), 253_402_300_800_000_000], ids=["far", "long ago", "year 10000"])
def test_a_time_that_is_none_changes_no_other_key(beside: int) -> None:
    """A row's key is the same before and after another row of its batch is corrected."""
    exact = NOON.replace(microsecond=123_456)
    times = pa.array([round(exact.timestamp() * 1_000_000), beside]).cast(pa.timestamp("us", "UTC"))
    mixed = canonical(pa.record_batch({"id": ["1", "2"], "occurred_at": times}), timezone="UTC")
    keys = event_keys(mixed, CLICKS).to_pylist()
    assert keys == [*event_keys(batch([{"occurred_at": exact}]), CLICKS).to_pylist(), None]


def test_a_day_that_is_none_changes_no_other_key() -> None:
    """Where ``event_key`` names a column of dates, as it does for ``occurred_at``."""
    config = EventsConfig(name="clicked", event_key=("day",))
    days = pa.array([20_458, 2**31 - 1], pa.int32()).cast(pa.date32())
    mixed = canonical(pa.record_batch({"id": ["1", "2"], "day": days}), timezone="UTC")
    assert event_keys(mixed, config)[0] == event_keys(mixed.slice(0, 1), config)[0]
    assert "2026-01-05" in event_keys(mixed, config)[0].as_py()


def test_an_address_in_another_case_is_the_same_person(tmp_path: Path) -> None:
    """As it is for Customer.io."""
    rows = [{"email": "Ann@example.com"}, {"email": "ann@example.com"}]
    assert outcomes(tmp_path, rows, EventsConfig(name="clicked", identify_by="email")) == "sx"


def test_parts_of_a_key_do_not_run_together() -> None:
    """``a`` and ``bc`` are not ``ab`` and ``c``."""
    config = EventsConfig(name="clicked", event_key=("x", "y"))
    keys = event_keys(batch([{"x": "a", "y": "bc"}, {"x": "ab", "y": "c"}, {"x": None, "y": None}]), config).to_pylist()
    assert keys[0] != keys[1]


def test_a_row_without_any_column_of_its_key_is_distinguished_by_who_and_when(tmp_path: Path) -> None:
    """Two people's events must not become one; the same event twice is still one."""
    config = EventsConfig(name="clicked", event_key=("x", "y"))
    empty = {"x": None, "y": None}
    rows = [{**empty, "id": "2"}, {**empty, "id": "3"}, {"x": "", "y": None, "id": "3"}, {"x": "a", "y": None}]
    assert outcomes(tmp_path, rows, config) == "ssxs"
    assert event_keys(batch(rows), config).to_pylist()[:3] == event_keys(batch(rows), CLICKS).to_pylist()[:3]
