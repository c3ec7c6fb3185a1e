"""Rows that share a key are found by the key itself, whatever is grouped first, and wherever their numbers lie."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.changeset.row_keys import text_keys
from reverse_etl.checks.base import Finding, Rule, Severity
from reverse_etl.checks.builtin.duplicates import IdentifierUnique
from reverse_etl.checks.unique import Unique
from reverse_etl.files.scratch import on_demand, scratch_in

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


def test_shared_keys_lie_in_one_part_or_in_several(tmp_path: Path) -> None:
    """The highest number among them; those that are empty are none."""
    ids = ["a", "b", "c", "a", "", "d", "d", "", "e", "b", "f"]
    parts = stored(tmp_path, ids, ids, [*range(1, 11), 20])
    assert [1, 2, 4, 6, 7, 10] == found(Unique(RULE, "id"), parts, tmp_path)


def test_only_parts_with_a_shared_key_are_read_whole(tmp_path: Path) -> None:
    """Of the others the columns of the key alone: one is found whose other column cannot be read."""
    parts = stored(tmp_path, ["1", "2", "3", "4", "5", "2"], ["a"] * 5 + ["b"], [1, 2, 3, 4, 5, 6])
    for place, is_read in enumerate((True, False, True)):
        whole = parts.path(place).read_bytes()
        plan = pq.read_metadata(parts.path(place)).row_group(0).column(1)
        begins, ends = plan.data_page_offset, plan.data_page_offset + plan.total_compressed_size
        parts.path(place).write_bytes(whole[:begins] + bytes(ends - begins) + whole[ends:])
        if is_read:
            with pytest.raises(OSError, match="page"):
                found(IdentifierUnique(RULE, ("id",)), parts, tmp_path)
            parts.path(place).write_bytes(whole)
    assert [2, 6] == found(IdentifierUnique(RULE, ("id",)), parts, tmp_path)


def test_rows_that_share_no_key_need_no_database(tmp_path: Path) -> None:
    """DuckDB is not even loaded for them; for those that share one it is opened, once asked."""
    opened: list[duckdb.DuckDBPyConnection] = []

    @cache
    def opens() -> duckdb.DuckDBPyConnection:
        opened.append(duckdb.connect())
        return opened[0]

    apart = stored(tmp_path / "apart", ["1", "2", "3"], ["a", "a", "a"], [1, 2, 3])
    together = stored(tmp_path / "together", ["1", "2", "1"], ["a", "b", "c"], [1, 2, 3])
    rule = IdentifierUnique(RULE, ("id",))
    assert [] == [*rule.findings_across(apart, on_demand(opens))]
    assert not opened
    assert 1 == len([*rule.findings_across(together, on_demand(opens))])
    assert 1 == len(opened)
    opened[0].close()
