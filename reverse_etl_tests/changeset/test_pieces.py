"""Rows cut into pieces: each row is in one, whatever the cuts are; and what cannot be cut is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.pieces import MOST_PIECES, InPieces, Piece, find_cuts
from reverse_etl.errors import ConfigError
from reverse_etl.plugins import load
from reverse_etl.sources import connect
from reverse_etl.sources.base import Session
from reverse_etl_tests.dialects import DIALECTS

DUCKDB = DIALECTS["duckdb"]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Of an empty database."""
    path = tmp_path_factory.mktemp("pieces") / "empty.db"
    import duckdb

    duckdb.connect(path).close()
    config = load("reverse_etl.sources", "duckdb").Config(name="shop", type="duckdb", path=Path(path))
    with connect(config) as session:
        yield session


def in_pieces(session: Session, sql: str, cuts: tuple[str, ...]) -> list[list[object]]:
    """The values of `k` in each piece."""
    piece = Piece(1, cuts, "k", "r1", 1)
    found: list[list[object]] = []
    while True:
        found.append([key for batch in session.stream(piece.picked(sql, DUCKDB)) for key in batch["k"].to_pylist()])
        if piece.is_last:
            return found
        piece = piece.then(len(found[-1]))


def test_no_row_is_between_pieces_whatever_the_cuts_are(session: Session) -> None:
    """In any order, twice, beyond all values; in ascending order each row is in one piece alone."""
    numbers = st.integers(-9, 9)

    @settings(max_examples=25, deadline=None)
    @given(
        values=st.lists(st.none() | numbers, min_size=1, max_size=12), cuts=st.lists(numbers, min_size=1, max_size=5)
    )
    def holds(values: list[int | None], cuts: list[int]) -> None:
        listed = ", ".join("(NULL)" if value is None else f"({value})" for value in values)
        sql = f"SELECT k::INTEGER AS k FROM (VALUES {listed}) AS v(k)"
        pieces = [key for piece in in_pieces(session, sql, tuple(map(str, cuts))) for key in piece]
        assert not Counter(values) - Counter(pieces)
        ascending = [key for piece in in_pieces(session, sql, tuple(map(str, sorted(cuts)))) for key in piece]
        assert Counter(values) == Counter(ascending)

    holds()


def test_a_cut_has_no_part_of_an_address(session: Session) -> None:
    """It lies in the state database; what comes before the `@` cuts as well, and so does a text up to a backslash."""
    sql = "SELECT unnest(['ann@example.com', 'bob@example.com', 'c\\x@example.com']) AS k"
    assert ("'bob'", "'c'") == find_cuts(session, sql, InPieces("k", 1), DUCKDB)


def test_a_column_that_is_not_there_is_named(session: Session) -> None:
    """Before rows are read."""
    with pytest.raises(ConfigError, match="pieces: the query returns no column `id`"):
        find_cuts(session, "SELECT 1 AS k", InPieces("id", 1), DUCKDB)


def test_very_many_pieces_are_refused(session: Session) -> None:
    """With the way out."""
    with pytest.raises(ConfigError, match="there would be 1,001 pieces of 2 rows, more than 1,000") as caught:
        find_cuts(session, f"SELECT range AS k FROM range({2 * MOST_PIECES + 1})", InPieces("k", 2), DUCKDB)
    assert caught.value.hint == "Write a larger number as `rows` of pieces."


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_query_of_each_piece_is_one_statement(dialect: str) -> None:
    """In every engine's SQL: with its WITH, its comments and a name that has to be quoted."""
    from sqlglot import parse_one

    piece = Piece(2, ("10", "20"), "Order No", "r1", 1)
    sql = "WITH a AS (SELECT 1 AS id)\nSELECT id FROM a ORDER BY id -- done"
    for each in (Piece(1, ("10", "20"), "id", "r1", 1), piece, piece.then(5)):
        assert parse_one(each.picked(sql, DIALECTS[dialect]), read=dialect)


@pytest.mark.parametrize(
    ("values", "begins"),
    [
        ("1::INTEGER, 2", False),
        ("1::DECIMAL(9, 2), 2", False),
        ("'a', 'b'", True),
        ("DATE '2026-01-05', '2026-01-06'", True),
    ],
)
def test_a_column_of_another_type_begins_the_pieces_again(session: Session, values: str, begins: bool) -> None:
    """Its values cannot be compared with the cuts, and databases refuse that; a wider type is no other."""
    sql = f"SELECT unnest([{values}]) AS k"
    begun = Piece(1, (), "k", "new", started_at=2)
    following = replace(begun, number=2, cuts=("1", "2"), reading="old", kind="number")
    pieces = InPieces("k", 1, following)
    piece = pieces.to_read(session, sql, begun, DUCKDB)
    assert piece is not None
    assert (("new", 1) if begins else ("old", 2)) == (piece.reading, piece.number)
    said = (
        "What people asks for changed since its first piece was read (the type of column k), so the pieces begin again."
    )
    assert (said if begins else "") == pieces.begin_again(piece, "people")
