"""The dictionary's contract on rows: which columns break it, which values, and what becomes of the run."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.checks.builtin.contract import contract_rules
from reverse_etl.config.contracts import Contract, Term
from reverse_etl.config.definitions import Definition
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.report import Outcome
from reverse_etl.sources.base import marked
from reverse_etl_tests.checks.conformance import RuleConformance, check, sync


def bound(*, enforce: bool = True, own: bool = False, complete: bool = False, **terms: dict[str, Any]) -> Sync:
    """A sync of people whose columns have these definitions, each on a line of its own."""
    named = {
        name: Term(name, Definition(**keys), f"syncs/dictionary.yaml:{line}", own)
        for line, (name, keys) in enumerate(terms.items(), 3)
    }
    contract = Contract(
        "rows",
        ("attributes",),
        named,
        enforce,
        apart=frozenset({"id"}),
        declared_in="attributes in syncs/dictionary.yaml",
        complete=complete,
    )
    return sync().model_copy(update={"contracts": (contract,)})


def rows(**columns: Any) -> pa.RecordBatch:
    """Two people."""
    return pa.RecordBatch.from_pydict({"id": ["1", "2"], **columns})


def test_columns_that_break_an_enforced_contract_stop_the_run(tmp_path: Path) -> None:
    """Every column at fault is named, with the place of its definition."""
    config = bound(own=True, plan={"type": "text"}, first_name={}, seats={})
    checked = check(config, tmp_path, [rows(plan=[1, 2], firstName=["a", "b"], extra=["", ""])])

    assert checked.result("contract").fields == ("firstName", "extra", "seats", "plan")
    assert checked.validation.stopped == (
        "check contract stopped the run, nothing was sent: column `firstName` is called `first_name` in "
        "syncs/dictionary.yaml:4: rename it; column `extra` is not in the dictionary: declare it under attributes in "
        "syncs/dictionary.yaml; there is no column `seats`, which syncs/dictionary.yaml:5 declares: select it; column "
        "`plan` is integer, and syncs/dictionary.yaml:3 says text: make it one, with `as: text` under columns or a "
        "CAST in the query, or correct the type there."
    )


def test_a_contract_that_warns_stops_nothing(tmp_path: Path) -> None:
    """The same is reported, and every row is sent."""
    config = bound(enforce=False, plan={"type": "text", "required": True, "allowed_values": ["free"]})
    checked = check(config, tmp_path, [rows(plan=[1, None], extra=["", ""])])

    assert not checked.result("contract").passed
    assert checked.result("contract_values").sample_rows == (1, 2)
    assert (checked.validation.stopped, checked.outcomes()) == ("", [Outcome.UNDELIVERED] * 2)


def test_required_and_allowed_values_reject_rows(tmp_path: Path) -> None:
    """NULL and '' are no value; a value that is optional may be left out. No message repeats one."""
    config = bound(plan={"required": True}, tier={"allowed_values": ["gold", "blue"]})
    batch = pa.RecordBatch.from_pydict(
        {"id": ["1", "2", "3", "4"], "plan": ["a", None, "", "d"], "tier": ["gold", "blue", "", "hunter2"]}
    )
    checked = check(config, tmp_path, [batch])

    assert [(row.row_number, row.why.reason, row.why.field, row.why.message) for row in checked.failed()] == [
        (2, "contract_values", "plan", "column `plan` is empty, and syncs/dictionary.yaml:3 requires it."),
        (3, "contract_values", "plan", "column `plan` is empty, and syncs/dictionary.yaml:3 requires it."),
        (4, "contract_values", "tier", "column `tier` holds a value that syncs/dictionary.yaml:4 does not allow."),
    ]
    assert checked.validation.stopped == ""


def test_an_event_needs_its_required_attributes_and_a_person_only_those_that_are_sent(tmp_path: Path) -> None:
    """Other syncs may write what this one does not."""
    for number, complete in enumerate((True, False)):
        config = bound(complete=complete, total={"required": True})
        checked = check(config, tmp_path / str(number), [rows()])
        assert checked.result("contract").passed is not complete


class TestRequired(RuleConformance):
    """Neither NULL nor '' is a value; other columns have no limits."""

    module, rule, column, field = "builtin.contract", "contract_values", "plan", pa.field("plan", pa.string())
    sync = bound(plan={"required": True}, note={})
    rows = (("free", False), ("", True), (None, True), ("0", False))
    finds_null = True


class TestAllowedValues(RuleConformance):
    """What is not there is not another value."""

    module, rule, column, field = "builtin.contract", "contract_values", "plan", pa.field("plan", pa.string())
    sync = bound(plan={"allowed_values": ["free", "pro"]}, note={})
    rows = (("free", False), ("", False), (None, False), ("Free", True), ("team", True))


class TestAllowedNumbers(RuleConformance):
    """However they are spelled."""

    module, rule, column, field = "builtin.contract", "contract_values", "seats", marked("seats", "decimal")
    sync = bound(enforce=False, seats={"type": "number", "allowed_values": [1, 2.5]}, note={})
    rows = (("1.00", False), (None, False), ("2.5", False), ("2.51", True))


class TestMistyped(RuleConformance):
    """A column as a whole, whichever of its rows are looked at first."""

    module, rule, column, field = "builtin.contract", "contract", "plan", pa.field("plan", pa.int64())
    sync = bound(plan={"type": "text"}, note={})
    rows = ((1234, True), (5678, True), (None, False))
    about_column = True


DECIMALS = marked("value", "decimal")
JSON = marked("value", "json")


@pytest.mark.parametrize(
    ("kind", "values", "field", "fits"),
    [
        ("text", pa.array(["a"]), None, True),
        ("text", pa.array([True]), None, False),
        ("integer", pa.array([1]), None, True),
        ("integer", pa.array(["12", "-3"]), DECIMALS, True),
        ("integer", pa.array(["12", "3.5"]), DECIMALS, False),
        ("integer", pa.array([1.5]), None, False),
        ("number", pa.array([1]), None, True),
        ("number", pa.array([1.5]), None, True),
        ("number", pa.array(["12.25"]), DECIMALS, True),
        ("number", pa.array(["12.25"]), None, False),
        ("boolean", pa.array([True]), None, True),
        ("boolean", pa.array([1]), None, False),
        ("date", pa.array([date(2026, 1, 5)]), None, True),
        ("date", pa.array(["2026-01-05"]), None, False),
        ("timestamp", pa.array([datetime(2026, 1, 5, tzinfo=UTC)]), None, True),
        ("timestamp", pa.array([1_767_600_000]), None, True),
        ("timestamp", pa.array(["2026-01-05"]), None, False),
        ("json", pa.array(["{}"]), JSON, True),
        ("json", pa.array(["{}"]), None, False),
        ("text", pa.array([b"a"]), None, False),
        ("integer", pa.array([None], pa.string()), None, True),
    ],
)
def test_a_type_is_held_against_the_column(kind: str, values: pa.Array, field: pa.Field | None, fits: bool) -> None:
    """Whole numbers are numbers, Unix seconds are times; a column without values may be anything."""
    contract = bound(value={"type": kind}).contracts[0]
    rule = contract_rules(contract)[0]
    numbers = pa.array(range(1, len(values) + 1), pa.int64())
    schema = pa.schema([field or pa.field("value", values.type), pa.field(ROW_NUMBER, pa.int64())])
    batch = pa.RecordBatch.from_arrays([values, numbers], schema=schema)

    assert bool(list(rule.findings(batch, 0))) is not fits  # type: ignore[union-attr]


def test_a_stream_without_a_contract_has_no_rules_of_one() -> None:
    """What is not in the dictionary is checked as before."""
    assert contract_rules(None) == []
    assert sync().contract_of("rows") is None
