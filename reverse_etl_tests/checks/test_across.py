"""Rows that share a key are found by the key itself, whatever is grouped first, and wherever their numbers lie."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.changeset.row_keys import text_keys
from reverse_etl.checks.base import Finding, Rule, Severity
from reverse_etl.checks.builtin.duplicates import IdentifierUnique
from reverse_etl.checks.unique import Unique
from reverse_etl.files.scratch import scratch_in

RULE = Rule("unique", Severity.REJECT, "")


def stored(folder: Path, ids: list[str], plans: list[str], numbers: list[int]) -> Parts:
    """Rows with these numbers, two a part."""
    parts = Parts(folder / "rows", "rows")
    columns = {"id": ids, "plan": plans, ROW_NUMBER: pa.array(numbers, pa.int64())}
    parts.write(pa.table(columns).to_batches(max_chunksize=2))
    return parts


def found(rule: IdentifierUnique | Unique, parts: Parts, folder: Path) -> list[int]:
    """The numbers of the rows that a rule finds."""
    with scratch_in(folder / "scratch") as database:
        findings = list(rule.findings_across(parts, database))
    return [number for each in findings if isinstance(each, Finding) for number in each.rows.to_pylist()]


def test_rows_that_are_left_out_have_numbers_too(tmp_path: Path) -> None:
    """The last number is higher than the rows are many; before the rows, between them and after them."""
    parts = stored(tmp_path, ["1", "2", "1"], ["a", "b", "c"], [3, 7, 40])
    assert [3, 40] == found(IdentifierUnique(RULE, ("id",)), parts, tmp_path)
    assert [3] == found(IdentifierUnique(RULE, ("id",), keep_last=True), parts, tmp_path)
    assert [3, 40] == found(Unique(RULE, "id"), parts, tmp_path)


def test_keys_of_one_number_are_not_one_key(tmp_path: Path) -> None:
    """What is grouped first is a number for each key, which two keys may have."""
    one, other = "a" + "x" * 255 + "b", "b" + "x" * 255 + "a"
    numbers = text_keys(pa.array([one, other]))
    assert numbers[0] == numbers[1]
    parts = stored(tmp_path, [one, other, "c", "c"], ["a", "b", "c", "d"], [1, 2, 3, 4])
    assert [3, 4] == found(Unique(RULE, "id"), parts, tmp_path)
    assert [3, 4] == found(IdentifierUnique(RULE, ("id",)), parts, tmp_path)
