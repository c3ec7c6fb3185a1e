"""Blocks of COPY's CSV as batches, whatever the values hold."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources.base import OUTSIDE_YEARS, logical_type
from reverse_etl.sources.postgres.types import Kind, Types, copy_statement, types_of
from reverse_etl.sources.postgres.values import batch
from reverse_etl_tests.sources.conformance import texts

AWKWARD = st.none() | st.text(st.sampled_from('",\n\r\\ tfN\té'), max_size=12) | texts()


def csv(rows: Sequence[tuple[str | None, ...]]) -> bytes:
    """Rows as PostgreSQL writes them (src/backend/commands/copyto.c, CopyAttributeOutCSV)."""

    def cell(value: str | None, alone: bool) -> str:
        if value is None:
            return ""
        plain = value and not set(value) & set('",\n\r') and not (alone and value == "\\.")
        return value if plain else '"' + value.replace('"', '""') + '"'

    return "".join(",".join(cell(value, len(row) == 1) for value in row) + "\n" for row in rows).encode()


@given(rows=st.lists(st.tuples(AWKWARD, AWKWARD), max_size=12))
@settings(max_examples=150, deadline=None)
def test_any_text_in_any_place_is_read_back(rows: list[tuple[str | None, str | None]]) -> None:
    """NULL is not '', a line end in a value ends no row, and no row swallows the next."""
    made = batch(csv(rows), ["a", "b"], oids=[25, 25], types=Types(), timezone="UTC")

    assert list(zip(*[column.to_pylist() for column in made.columns], strict=True)) == rows


@given(values=st.lists(AWKWARD, max_size=12))
@settings(max_examples=80, deadline=None)
def test_a_single_column_keeps_its_empty_rows(values: list[str | None]) -> None:
    """NULL alone in a row is an empty line."""
    made = batch(csv([(value,) for value in values]), ["a"], oids=[25], types=Types(), timezone="UTC")

    assert made.column(0).to_pylist() == values


def test_an_unusual_date_changes_no_other_column() -> None:
    """The second reading of a block gives every other column as the first would."""
    row = ("t", "7", "0.5", "1.10", "x", "\\xff", "2024-02-29", "2024-07-01 12:00:00", '{"a":1}', "[1]", '["NaN"]')
    read_as = [16, 20, 701, 1700, 25, 17, 1082, 1114, 114, 1007, 1022]
    types = Types(elements={1007: 23, 1022: 701})
    names = [f"c{number}" for number in range(len(row))]
    usual = batch(csv([row, (None,) * len(row)]), names, oids=read_as, types=types, timezone="Europe/Berlin")
    unusual = batch(
        csv([(*row, "infinity"), (None,) * (len(row) + 1)]),
        [*names, "at"],
        oids=[*read_as, 1184],
        types=types,
        timezone="Europe/Berlin",
    )

    assert unusual.drop_columns(["at"]).equals(usual, check_metadata=True)
    assert python_values(unusual.column("at")) == [OUTSIDE_YEARS, None]
    assert usual.column("c10").to_pylist() == ["NaN", None]
    assert [logical_type(field) for field in usual.schema][3:6] == ["decimal", "string", "binary"]


def test_an_empty_block_has_its_types() -> None:
    """Of every kind."""
    oids = [16, 17, 20, 25, 114, 701, 1042, 1082, 1114, 1184, 1700, 9001, 9002]
    types = Types(ranges={9001: 1042}, rows={9002: {}})
    assert set(map(types.kind, oids)) == set(Kind)
    made = batch(b"", [types.kind(oid).name for oid in oids], oids=oids, types=types, timezone="UTC")

    assert made.num_rows == 0
    assert made.schema.field("INSTANT").type == pa.timestamp("us", "UTC")
    assert logical_type(made.schema.field("NESTED")) == "json"


def test_a_domain_is_read_as_what_it_stands_on() -> None:
    """To any depth; the server is asked once per level, and never for types that are known."""
    asked = []
    catalog = {
        "9001": ("9001", "d", "9002", "N", "0"),
        "9002": ("9002", "d", "1700", "N", "0"),
        "9003": ("9003", "d", "1007", "A", "0"),
        "9004": ("9004", "b", "0", "A", "9001"),
        "1007": ("1007", "b", "0", "A", "23"),
    }

    def look_up(query: str) -> list[tuple[str, ...]]:
        oids = query.partition("IN (")[2].rstrip(")").split(", ")
        asked.append(oids)
        return [catalog[oid] for oid in oids if oid in catalog]

    def kinds(*oids: int) -> list[Kind]:
        return list(map(types_of(oids, look_up).kind, oids))

    assert kinds(23, 9001, 9003, 9999) == [Kind.INTEGER, Kind.DECIMAL, Kind.NESTED, Kind.TEXT]
    assert asked == [["9001", "9003", "9999"], ["1007", "9002"]]
    assert kinds(9004) == [Kind.NESTED]
    asked.clear()
    assert kinds(16, 25) == [Kind.BOOLEAN, Kind.TEXT]
    assert asked == []


def test_a_query_is_only_wrapped_where_it_must_be() -> None:
    """So that the server judges the query itself."""
    assert copy_statement("SELECT 1", [Kind.INTEGER], limit=None) == "COPY (\nSELECT 1\n) TO STDOUT (FORMAT csv)"
    assert "LIMIT 5" in copy_statement("SELECT 1", [Kind.INTEGER], limit=5)
    assert "to_json(q.c1)" in copy_statement("SELECT 1, array[1]", [Kind.INTEGER, Kind.NESTED], limit=None)
