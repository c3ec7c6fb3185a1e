"""What every engine must do, once: each engine's test module subclasses ``SourceConformance``."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.again import FailedBefore, RowsAgain
from reverse_etl.changeset.failed_rows import batches_of
from reverse_etl.changeset.failed_rows_csv import write_failed_rows
from reverse_etl.changeset.pieces import InPieces, Piece, find_cuts
from reverse_etl.changeset.query import check_query, render
from reverse_etl.changeset.text import as_text
from reverse_etl.cli.init_query import bound_of
from reverse_etl.cli.init_tables import tables_of
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.dialect import Dialect
from reverse_etl.config.streams import Stream
from reverse_etl.errors import ConfigError, QueryError, SourceUnavailableError
from reverse_etl.report import FailedRow, Reason
from reverse_etl.sources import connect, engine
from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources.base import BATCH_BYTES, BATCH_ROWS, OUTSIDE_YEARS, Session, logical_type
from reverse_etl_tests.benchmarks.reading import empty, read_apart
from reverse_etl_tests.sources.cases import CASES, DATE_TIME, Case

ENGINE_PROPERTY = "engine"
"""Recorded by each engine's suite; ``conftest`` prints it at the end of the run."""

PLANTED = "planted-value-91c4@example.com"
"""Stands in the table ``planted``; no message may hold it."""


IDENTIFYING = frozenset(
    {
        "text",
        "true",
        "small_integer",
        "greatest_integer",
        "least_integer",
        "beyond_integer",
        "decimal",
        "negative_decimal",
    }
    | {"float", "date", "instant", "summer_wall_clock", "uuid", "time", "enum"}
)
"""Cases whose values may identify a row."""


def texts(length: int = 40) -> st.SearchStrategy[str | None]:
    """Text that a database can store, or NULL."""
    characters = st.characters(exclude_characters="\x00", codec="utf-8")
    return st.none() | st.text(characters, max_size=length)


class SourceConformance:
    """The suite. A subclass fills the class attributes and gives a fixture ``database``.

    The database holds a table ``planted`` with one text column ``secret`` and one row, ``PLANTED``.
    """

    engine: ClassVar[str]
    product: ClassVar[str]
    """How ``server()`` begins."""
    against: ClassVar[str] = "itself"
    """What the suite runs against, in words: ``a private server with TLS``, ``a stand-in of ours``."""
    expressions: ClassVar[dict[str, str]]
    """SQL of each case's value, by the case's name."""
    cannot: ClassVar[dict[str, str]] = {}
    """Cases that the engine has no type for, each with the reason."""
    null: ClassVar[dict[str, object]] = {}
    """What NULL of a type comes as, by the case's name, where it is not null."""
    numbers: ClassVar[str]
    """A query of ``id`` from 1 to {n}, in order."""
    endless: ClassVar[str]
    """A query whose first rows come at once and whose last one never comes."""
    wide_rows: ClassVar[str]
    """A query of {n} rows, each with a text of 100,000 characters."""
    writing: ClassVar[tuple[str, ...]]
    """Statements that would change something."""
    failing_on_planted: ClassVar[str]
    """A query that fails while it reads ``planted``."""
    compared: ClassVar[str] = "SELECT 1 AS one WHERE CURRENT_TIMESTAMP >= 1767576600"
    """A query that compares a date-time with a number; empty where the engine says nothing about that."""
    quotes: ClassVar[str] = '""'
    """What opens and closes a name; the closing one is doubled inside."""
    text_type: ClassVar[str] = "TEXT"
    """Text of any length, as CAST calls it."""
    many: ClassVar[str] = ""
    """A query of {n} rows of ``id``, where ``numbers`` has not so many."""
    many_rows: ClassVar[int] = 1_000_000
    """Rows of ten columns whose memory is measured; fewer where a stand-in in Python is too slow for that many."""
    hidden: ClassVar[str | None] = None
    """A driver that is not to be found."""
    column_names: ClassVar[str] = 'order,deleted,Ünïcode,mixedCase,MIXEDcase,a b,say "x",a`b,50%,a{0}b'
    """Unusual names that the engine takes, with commas between."""

    @classmethod
    def quoted(cls, name: str) -> str:
        """A name as the dialect quotes it."""
        opening, closing = cls.quotes
        return f"{opening}{name.replace(closing, closing * 2)}{closing}"

    @classmethod
    def folded(cls, name: str) -> str:
        """What a column is called whose name the query does not quote."""
        return name

    @classmethod
    def row(cls, **values: Any) -> dict[str, Any]:
        """A row by its columns' unquoted names."""
        return {cls.folded(name): value for name, value in values.items()}

    @classmethod
    def literal(cls, text: str | None) -> str:
        """A text as the dialect writes it."""
        return "NULL" if text is None else "'" + text.replace("'", "''") + "'"

    @pytest.fixture
    def database(self) -> DatabaseConfig:
        """The connection; the engine's own."""
        raise NotImplementedError

    @pytest.fixture
    def unavailable(self) -> list[tuple[DatabaseConfig, str]]:
        """Connections that cannot be made, each with what the message must say."""
        raise NotImplementedError

    @pytest.fixture
    def session(self, database: DatabaseConfig) -> Iterator[Session]:
        """An open session."""
        with connect(database) as session:
            yield session

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each case that the engine has a type for."""
        if "case" in metafunc.fixturenames:
            cases = [case for case in CASES if case.name in self.expressions]
            metafunc.parametrize("case", cases, ids=[case.name for case in cases])

    def test_every_case_has_an_expression_or_a_reason(self) -> None:
        """A case that is neither said in SQL nor ruled out would go unnoticed."""
        assert {case.name for case in CASES} == self.expressions.keys() | self.cannot.keys()
        assert not self.expressions.keys() & self.cannot.keys()

    def test_a_value_comes_in_its_canonical_type(self, session: Session, case: Case) -> None:
        """The value of each case, exactly, in the type that the later rooms expect."""
        (batch,) = session.stream(f"SELECT {self.expressions[case.name]} AS value")

        found = (logical_type(batch.schema.field(0)), repr(*python_values(batch.column(0))))
        assert found == (case.logical, repr(_as_stored(case.value, batch)))

    def test_a_row_is_found_again_by_its_identifier(self, session: Session, tmp_path: Path) -> None:
        """Whatever its type; an identifier that no row has is counted, and is no error."""
        tried = sorted(IDENTIFYING & self.expressions.keys())
        assert tried
        for name in tried:
            sql = f"SELECT {self.expressions[name]} AS {self.quoted('id')}"
            (row,) = [text for batch in session.stream(sql) for text in as_text(batch.column(0), batch.schema.field(0))]
            wanted = (row.as_py(), "nobody", "7.25")
            failed = [FailedRow(1, "rows", text, "check", Reason("", "", "")) for text in wanted]
            write_failed_rows(tmp_path / f"{name}.csv", batches_of(failed))
            before = FailedBefore("r1", tmp_path / f"{name}.csv")
            again = RowsAgain(session, Stream("rows", sql, identifier=("id",)), engine(self.engine).DIALECT, before)
            batches = list(again.batches())
            found = [text.as_py() for batch in batches for text in as_text(batch.column(0), batch.schema.field(0))]
            assert ([row.as_py(), "7.25", "nobody"], 2) == (found[:1] + sorted(found[1:]), again.not_found), name

    def test_rows_are_cut_into_pieces(self, session: Session) -> None:
        """By numbers and by texts, in the database's order: each row is in one piece, of as many rows as asked for."""
        numbers, column = f"SELECT id FROM ({self.numbers.format(n=25)}) AS v", self.folded("k")
        for of in ("id", f"CAST(id AS {self.text_type})"):
            sql = f"SELECT {of} AS k FROM ({numbers}) AS w"
            pieces = list(pieces_of(session, sql, column, 10, engine(self.engine).DIALECT))
            assert [10, 10, 5] == [len(each) for each in pieces], of
            found = sorted(int(key) for each in pieces for key in each.to_pylist())
            assert list(range(1, 26)) == found, of

    def test_values_of_every_type_are_cut_or_refused(self, session: Session) -> None:
        """Rows of one value are in one piece, a row without is in the last; a type without cuts is an error."""
        column, dialect = self.folded("k"), engine(self.engine).DIALECT
        tried = set()
        for name, expression in self.expressions.items():
            values = (expression, expression, f"CASE WHEN 1 = 0 THEN {expression} END")
            sql = " UNION ALL ".join(f"SELECT {value} AS k" for value in values)
            if name == "interval":
                continue  # the database says that a length of time is not written so
            (batch,) = session.stream(sql)
            kind = logical_type(batch.schema.field(0))
            if kind in ("bool", "double", "json", "binary"):
                with pytest.raises(ConfigError, match=f"the values of column `{column}` are of a type"):
                    find_cuts(session, sql, InPieces(column, 1), dialect)
                continue
            counts = [len(each) for each in pieces_of(session, sql, column, 1, dialect)]
            assert 3 == sum(counts), name
            tried.add((kind.partition("[")[0], len(counts)))
        assert {("int64", 2), ("string", 2)} <= tried

    def test_null_comes_as_null(self, session: Session) -> None:
        """NULL of each type is null, and never an empty text or the word."""
        found = {}
        for name, expression in self.expressions.items():
            (batch,) = session.stream(f"SELECT CASE WHEN 1 = 0 THEN {expression} END AS value, 1 AS one")
            found[name] = batch.to_pylist()

        assert found == {name: [self.row(value=self.null.get(name), one=1)] for name in self.expressions}

    def test_a_row_of_nothing_but_null_is_a_row(self, session: Session) -> None:
        """One column, no value: an empty line on the wire is still a row."""
        parts = [f"SELECT {number} AS id, CASE WHEN {number} = 2 THEN 'x' END AS t" for number in (1, 2, 3)]
        query = f"SELECT t FROM ({' UNION ALL '.join(parts)}) AS v ORDER BY id"

        assert _rows(session, query) == [self.row(t=None), self.row(t="x"), self.row(t=None)]

    def test_any_text_survives(self, session: Session) -> None:
        """Quotes, separators, line ends, any script: what was stored is what comes."""

        @settings(max_examples=20, deadline=None)
        @given(values=st.lists(texts(), min_size=1, max_size=8))
        def survives(values: list[str | None]) -> None:
            casts = [f"CAST({self.literal(value)} AS {self.text_type})" for value in values]
            parts = [f"SELECT {number} AS id, {text} AS t" for number, text in enumerate(casts)]
            query = f"SELECT t FROM ({' UNION ALL '.join(parts)}) AS v ORDER BY id"

            assert _rows(session, query) == [self.row(t=value) for value in values]

        survives()

    def test_an_empty_result_has_its_columns(self, session: Session) -> None:
        """Columns can be checked even when no row has changed."""
        batches = list(session.stream("SELECT secret, 1 AS one FROM planted WHERE 1 = 0"))

        assert [(batch.num_rows, batch.schema.names) for batch in batches] == [
            (0, list(self.row(secret=PLANTED, one=1)))
        ]

    def test_two_columns_of_one_name_are_refused(self, session: Session) -> None:
        """The message names the column and shows the AS that mends it."""
        with pytest.raises(QueryError) as refused:
            _rows(session, "SELECT 1 AS tier, 2 AS other, 3 AS tier")

        assert f"more than one column named `{self.folded('tier')}`" in refused.value.message
        assert f"AS {self.folded('tier')}_2" in refused.value.hint

    def test_names_come_as_the_query_spells_them(self, session: Session) -> None:
        """Reserved words, other scripts, case, blanks and quotes; names that differ in case are two names."""
        names = self.column_names.split(",")
        columns = ", ".join(f"{number} AS {self.quoted(name)}" for number, name in enumerate(names))

        (batch,) = session.stream(f"SELECT {columns}")

        assert batch.schema.names == names
        assert list(batch.to_pylist()[0].values()) == list(range(len(names)))

    @pytest.mark.parametrize("count", [300, 301, 400])
    def test_many_columns_stream(self, session: Session, count: int) -> None:
        """As many as Customer.io takes, and more: refusing them is not the engine's affair."""
        columns = ", ".join(f"{number} AS c{number}" for number in range(count))

        (batch,) = session.stream(f"SELECT {columns}")

        assert batch.to_pylist() == [self.row(**{f"c{number}": number for number in range(count)})]

    @pytest.mark.thorough
    def test_a_million_rows_take_little_memory(self, database: DatabaseConfig) -> None:
        """Ten columns, to Parquet, in a process of its own: its peak over that of the same with an empty result."""
        numbers = (self.many or self.numbers).format(n=self.many_rows).removesuffix(" ORDER BY id")
        columns = [f"id AS n{number}, CAST(id AS {self.text_type}) AS t{number}" for number in range(5)]
        query = f"SELECT {', '.join(columns)} FROM ({numbers}) AS n"

        idle = read_apart(database, empty(query), without=self.hidden)
        read = read_apart(database, query, without=self.hidden)

        assert read.rows == self.many_rows
        assert read.peak_mb - idle.peak_mb < 150

    def test_rows_keep_their_order_across_batches(self, session: Session) -> None:
        """The query's order is the order of the row numbers."""
        count = BATCH_ROWS * 2 + 17
        query = f"SELECT * FROM ({self.numbers.format(n=count)}) AS n ORDER BY id DESC"

        batches = list(session.stream(query))

        assert pa.Table.from_batches(batches).column(self.folded("id")).to_pylist() == list(range(count, 0, -1))
        assert max(batch.num_rows for batch in batches) <= BATCH_ROWS
        assert len(batches) > 2

    def test_wide_rows_make_short_batches(self, session: Session) -> None:
        """A batch is bounded by its bytes, not only by its rows."""
        batches = [(batch.num_rows, batch.nbytes) for batch in session.stream(self.wide_rows.format(n=700))]

        assert sum(rows for rows, _ in batches) == 700
        assert max(size for _, size in batches) < 2 * BATCH_BYTES

    def test_leaving_early_ends_the_query(self, session: Session) -> None:
        """The rest is not read, and the session goes on."""
        began = time.monotonic()
        batches = session.stream(self.endless)

        next(batches)
        batches.close()

        assert time.monotonic() - began < 30
        assert _rows(session, "SELECT 1 AS one") == [self.row(one=1)]

    def test_limit_takes_the_first_rows(self, session: Session) -> None:
        """In the query's order; a greater limit than rows is no matter, and zero still tells the columns."""
        query = f"SELECT * FROM ({self.numbers.format(n=1000)}) AS n ORDER BY id DESC"

        assert _rows(session, query, limit=2) == [self.row(id=1000), self.row(id=999)]
        assert len(_rows(session, query, limit=5000)) == 1000
        assert [batch.schema.names for batch in session.stream(query, limit=0)] == [[self.folded("id")]]

    def test_a_preview_does_not_run_the_whole_query(self, session: Session) -> None:
        """Its 100 rows are there long before the query could have ended."""
        began = time.monotonic()

        assert len(_rows(session, self.endless, limit=100)) == 100
        assert time.monotonic() - began < 20

    def test_limit_does_not_hide_two_columns_of_one_name(self, session: Session) -> None:
        """What a preview accepts, a run accepts."""
        with pytest.raises(QueryError, match=f"more than one column named `{self.folded('a')}`"):
            _rows(session, "SELECT 1 AS a, 2 AS a", limit=5)

    @pytest.mark.parametrize(
        "around",
        [
            "{};",
            "{}; -- everyone; nightly",
            "{};\n\n/* the end; */\n",
            "{}; ;\n;",
            ";{}",
            "-- leading; comment\n{} -- trailing ; without newline",
            "/* a; */ {} /* b; */ ; /* c */",
        ],
    )
    def test_semicolons_and_comments_around_are_no_matter(self, session: Session, around: str) -> None:
        """White space and comments after the end are no second statement; whole and limited reading agree."""
        query = around.format("SELECT ';' AS t, 1 AS one")
        assert check_query(query, engine(self.engine).DIALECT) == []

        for limit in (None, 5):
            found = [row for batch in session.stream(query, limit=limit) for row in batch.to_pylist()]
            assert found == [self.row(t=";", one=1)]

    def test_a_comment_at_the_end_is_no_matter(self, session: Session) -> None:
        """With and without a limit."""
        assert _rows(session, "SELECT 1 AS one -- the only one") == [self.row(one=1)]
        assert _rows(session, "SELECT 1 AS one -- the only one", limit=1) == [self.row(one=1)]
        assert _rows(session, "SELECT 1 AS one;") == [self.row(one=1)]

    def test_writing_is_refused_by_the_session_itself(self, database: DatabaseConfig) -> None:
        """Whatever was checked before: each statement is an error and changes nothing."""
        for statement in self.writing:
            with connect(database) as session, pytest.raises(QueryError):
                _rows(session, statement)
        with connect(database) as session:
            assert _rows(session, "SELECT secret FROM planted") == [self.row(secret=PLANTED)]
            assert session.read_only()

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("SELECT * FROM no_such_table", "no_such_table"),
            ("SELECT no_such_column FROM planted", "no_such_column"),
            ("SELEC 1", "SELEC"),
            ("SELECT 1 AS a; SELECT 2 AS a", "statement"),
            ("", "statement|no columns"),
        ],
    )
    def test_a_wrong_query_is_an_error_in_one_sentence(self, database: DatabaseConfig, query: str, said: str) -> None:
        """Which connection, what is wrong, what to do; the session stays usable."""
        with connect(database, name="shop") as session:
            with pytest.raises(QueryError, match=rf"(?is)database shop \({self.engine}\).*({said})") as refused:
                _rows(session, query)

            assert "\n" not in refused.value.message
            assert refused.value.hint
            assert _rows(session, "SELECT 1 AS one") == [self.row(one=1)]

    @pytest.mark.parametrize(
        ("query", "meant"),
        [("SELECT secrett FROM planted", "secret"), ("SELECT secret FROM plantted", "planted")],
        ids=["column", "table"],
    )
    def test_an_unknown_name_gets_the_nearest_one(self, database: DatabaseConfig, query: str, meant: str) -> None:
        """From the database's tables, or in its own words."""
        with pytest.raises(QueryError) as refused, connect(database) as session:
            _rows(session, query)

        assert re.search(rf"(?i)mean.*\b{meant}\b|candidate.*\b{meant}\b", str(refused.value))

    def test_a_time_compared_with_a_number_names_the_conversion(self, session: Session) -> None:
        """Customer.io's own example compares a column with last sync time as it is; the hint converts it."""
        with pytest.raises(QueryError) as caught:
            list(session.stream(self.compared))

        assert engine(self.engine).LAST_SYNC_TIME in caught.value.hint
        assert "in place of {{last_sync_time}}" in caught.value.hint

    def test_its_tables_and_columns_are_listed(self, database: DatabaseConfig) -> None:
        """As the reading user sees them, for a first sync."""
        found = tables_of(database)

        assert "" == found.problem
        tables = {name.rpartition(".")[2].lower(): columns for name, columns in found.columns.items()}
        assert ["secret"] == [column.strip('"`').lower() for column in tables["planted"]]
        assert all(kind for types in found.types.values() for kind in types.values())

    def test_last_sync_time_is_a_value_for_columns_of_each_type(self, session: Session) -> None:
        """What a first query compares with is taken by the database, and is never null, which would read no row."""
        bounds = engine(self.engine).DIALECT.bounds
        values = [render(each.sql.replace("{timezone}", "UTC"), 1_795_873_007) for each in bounds]
        marks = ", ".join(f"CASE WHEN {value} IS NULL THEN 1 ELSE 0 END AS c{at}" for at, value in enumerate(values))

        (row,) = _rows(session, f"SELECT {marks}")

        assert bounds
        assert {0} == set(row.values())

    def test_a_first_filter_in_a_zone_is_never_null(self, database: DatabaseConfig, session: Session) -> None:
        """Where the database cannot convert to the connection's zone, the person is told so instead."""
        berlin = database.model_copy(update={"timezone": "Europe/Berlin"})
        for declared in ("datetime", "timestamp", "timestamp without time zone", "timestamp_ntz"):
            bound, told = bound_of(berlin, session, "planted", "secret", declared)
            if bound:
                value = render(bound, 1_795_873_007)
                assert [self.row(v=0)] == _rows(session, f"SELECT CASE WHEN {value} IS NULL THEN 1 ELSE 0 END AS v")
            else:
                assert "Europe/Berlin" in told or "do not sort by time" in told

    def test_an_error_while_reading_holds_no_value(self, session: Session) -> None:
        """Databases quote the value that they stumble over; it is not passed on, in a traceback neither."""
        with pytest.raises(QueryError) as refused:
            _rows(session, self.failing_on_planted)

        assert PLANTED not in "".join(traceback.format_exception(refused.value))
        assert refused.value.hint

    def test_what_cannot_be_reached_says_why(self, unavailable: list[tuple[DatabaseConfig, str]]) -> None:
        """Each reason has a sentence and a fix of its own."""
        for config, said in unavailable:
            with pytest.raises(SourceUnavailableError) as refused, connect(config, name="shop"):
                pass
            assert re.search(said, str(refused.value))
            assert f"database shop ({self.engine})" in refused.value.message
            assert refused.value.hint

    def test_the_clock_is_aware_and_close(self, session: Session) -> None:
        """The next last sync time comes from it."""
        now = session.now()

        assert now.tzinfo == UTC
        assert abs((now - datetime.now(UTC)).total_seconds()) < 5

    def test_the_server_says_product_and_version(
        self, session: Session, record_property: Callable[[str, object], None]
    ) -> None:
        """As ``test-connection`` shows it, and as the test run's last lines do."""
        record_property(ENGINE_PROPERTY, f"{self.engine}: {session.server()}, {self.against}")
        assert session.server().startswith(f"{self.product} ")
        assert session.server()[len(self.product) + 1].isdigit()


class InfiniteInstants:
    """A part of the suite for engines whose date-times can be infinite."""

    expressions: ClassVar[dict[str, str]]

    def test_an_infinite_instant_does_not_change_the_others(self, session: Session) -> None:
        """One infinite value among many: the others keep their type and every digit, and so what is made of them."""
        instant, infinite = self.expressions["instant"], self.expressions["infinite_instant"]
        query = f"SELECT 1 AS id, {instant} AS at UNION ALL SELECT 2, {infinite} UNION ALL SELECT 3, NULL ORDER BY id"

        (batch,) = session.stream(query)

        assert logical_type(batch.schema.field("at")) == DATE_TIME
        expected = [datetime(2024, 7, 1, 10, 0, 0, 123_456, tzinfo=UTC), OUTSIDE_YEARS, None]
        assert python_values(batch.column("at")) == expected


def pieces_of(session: Session, sql: str, by: str, rows: int, dialect: Dialect) -> Iterator[pa.ChunkedArray]:
    """The values of the column in each piece of a query's rows."""
    cuts = find_cuts(session, sql, InPieces(by, rows), dialect)
    piece = Piece(1, cuts, by, "r1", 1) if cuts else None
    texts = [sql] if piece is None else []
    while piece is not None:
        texts.append(piece.picked(sql, dialect))
        piece = None if piece.is_last else piece.then(0)
    for text in texts:
        yield pa.chunked_array([batch.column(by) for batch in session.stream(text)])


def _rows(session: Session, query: str, *, limit: int | None = None) -> list[dict[str, Any]]:
    return [row for batch in session.stream(query, limit=limit) for row in batch.to_pylist()]


def _as_stored(value: Any, batch: pa.RecordBatch) -> Any:
    """The expected value as Arrow gives it back, so that ``repr`` compares NaN and time zones alike."""
    return value if value == OUTSIDE_YEARS else pa.array([value], batch.schema.field(0).type)[0].as_py()
