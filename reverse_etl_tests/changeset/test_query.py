from __future__ import annotations

import logging
import sqlite3

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.lineage import column_origins
from reverse_etl.changeset.query import check_query, output_columns, render, tables_read
from reverse_etl.config.dialect import UNKNOWN
from reverse_etl_tests.dialects import DIALECTS as SPOKEN

DIALECTS = ("sqlite", "duckdb", "postgres", "mysql", "redshift", "tsql", "bigquery", "snowflake")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, email FROM customers WHERE updated_at >= {{last_sync_time}}",
        "SELECT id FROM customers WHERE updated_at >= {{ last_sync_time }};",
        "SELECT id FROM customers -- the end; DROP TABLE customers",
        "/* DELETE */ SELECT id AS a FROM customers WHERE note = 'DELETE; DROP'",
        "WITH recent AS (SELECT id FROM orders) SELECT id FROM recent UNION ALL SELECT id FROM customers",
        "(SELECT id FROM customers)",
        "select t.update, t.delete, t.call from t",
        "SELECT REPLACE(name, 'a', 'b') AS name FROM customers",
    ],
)
def test_a_reading_query_is_accepted(sql: str, dialect: str) -> None:
    """In every engine's dialect, with or without a placeholder, a semicolon at the end or words that only look bad."""
    assert check_query(sql, SPOKEN[dialect]) == []


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("SELECT INSERT(name, 1, 2, 'x') AS a, TRUNCATE(price, 2) AS b FROM t", "mysql"),
        ("SELECT id AS `update` FROM `delete`", "mysql"),
        ('SELECT "insert" FROM "into"', "postgres"),
        ("FROM customers SELECT id", "duckdb"),
        ("SELECT * EXCLUDE (a) FROM read_csv('x.csv')", "duckdb"),
        ("SELECT TOP 5 [update], id = number FROM [dbo].[Customers] WITH (NOLOCK)", "tsql"),
        ("SELECT a.id FROM a INNER MERGE JOIN b ON a.id = b.id", "tsql"),
        ("SELECT data:name::string AS name FROM t QUALIFY row_number() OVER (ORDER BY 1) = 1", "snowflake"),
        ("SELECT $$it's; DELETE$$ AS text, id::text FROM t", "postgres"),
        ("SELECT AS STRUCT 1 AS id FROM `project.set.table`", "bigquery"),
    ],
)
def test_what_is_particular_to_an_engine_is_accepted(sql: str, dialect: str) -> None:
    """Functions named like statements, quoted names, an engine's own syntax."""
    assert check_query(sql, SPOKEN[dialect]) == []


READ_ONLY = "line 1: must only read: one query that starts with SELECT or WITH, not with "


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM t",
        "insert into t values (1)",
        "UPDATE t SET a = 1",
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
        "DROP TABLE t",
        "CREATE TABLE t AS SELECT 1",
        "TRUNCATE TABLE t",
        "CALL refresh()",
        "COPY t TO 'file'",
        "SET x = 1",
        "PRAGMA writable_schema = 1",
        "EXECUTE refresh",
        "GRANT ALL ON t TO u",
        "BEGIN",
        "EXPLAIN SELECT 1",
    ],
)
def test_what_is_no_query_is_refused(sql: str, dialect: str) -> None:
    """Whatever its verb, in every dialect."""
    assert check_query(sql, SPOKEN[dialect]) == [READ_ONLY + sql.split()[0].upper()]


@pytest.mark.parametrize(
    ("sql", "dialect", "problem"),
    [
        (
            "WITH gone AS (DELETE FROM t RETURNING *)\nSELECT * FROM gone",
            "postgres",
            "line 1: must only read, but contains DELETE",
        ),
        ("WITH a AS (SELECT 1)\nDELETE FROM t", "postgres", "line 2: must only read, but contains DELETE"),
        ("WITH a AS (SELECT 1)\nINSERT INTO t SELECT 1", "sqlite", "line 2: must only read, but contains INSERT"),
        ("SELECT *\nINTO copied FROM t", "postgres", "line 2: must only read, but writes a table or file with INTO"),
        ("SELECT * INTO #copied FROM t", "tsql", "line 1: must only read, but writes a table or file with INTO"),
        ("SELECT 1 INTO OUTFILE 'copied'", "mysql", "line 1: must only read, but contains INTO"),
        ("SELECT id FROM t\nFOR UPDATE", "mysql", "line 2: must only read, but locks rows"),
        ("SELECT id FROM t FOR KEY SHARE", "postgres", "line 1: must only read, but locks rows"),
        ("SELECT 1\nDELETE FROM t", "tsql", "line 2: must only read, but contains DELETE"),
        ("SELECT 1 EXEC wipe", "tsql", "line 1: must only read, but contains EXEC"),
        ("SELECT 1 /*!50000 INTO OUTFILE 'x' */", "mysql", "line 1: must not contain /*! … */"),
        ("WITH a AS (ALTER TABLE t ADD b int) SELECT 1", "postgres", "line 1: must only read, but contains ALTER"),
        ("SELECT 1;\n\nDROP TABLE t", "sqlite", "line 3: must be one statement: nothing may follow the semicolon"),
        ("SELECT 1; SELECT 2", "duckdb", "line 1: must be one statement: nothing may follow the semicolon"),
        ("SELECT 'a", "sqlite", "line 1: cannot be read as SQL: a quote or a comment is not closed"),
        ("SELECT (1\nFROM t", "sqlite", "line 2: parentheses do not match: 1 opened, 0 closed"),
        ("", "sqlite", "line 1: is empty"),
        (" ; ", "sqlite", "line 1: is empty"),
        ("-- nothing", "sqlite", "line 1: is empty"),
        ("FROM t", "sqlite", "line 1: must only read: one query that starts with SELECT or WITH, not with FROM"),
        ("'text'", "sqlite", "line 1: must only read: one query that starts with SELECT or WITH"),
        ("SELECT id, email, id FROM t", "sqlite", "line 1: returns two columns named `id`: rename one with AS"),
        ("SELECT ID, id FROM t", "postgres", "line 1: returns two columns named `id`: rename one with AS"),
    ],
)
def test_a_query_that_may_not_run_says_why(sql: str, dialect: str, problem: str) -> None:
    """With the line of the query; writing is found wherever it hides."""
    [found] = check_query(sql, SPOKEN[dialect])

    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("dialect", "sql", "problem"),
    [
        ("tsql", "SELECT * FROM OpenQuery(x, 'DELETE')", "calls OPENQUERY, which reaches other servers or files"),
        ("tsql", "SELECT * FROM OPENROWSET /* c */\n(BULK 'x', SINGLE_CLOB) AS a", "calls OPENROWSET, which reaches"),
        ("tsql", "SELECT * FROM a, OPENDATASOURCE('a', 'b').db.dbo.t", "calls OPENDATASOURCE, which reaches"),
        ("tsql", "SELECT id FROM t WHERE id IN (SELECT id FROM openrowset('a', 'b', 'c'))", "calls OPENROWSET, which"),
        ("tsql", "SELECT NEXT /* c */ VALUE FOR s AS id", "takes the next value of a sequence"),
        ("mysql", "SELECT NEXT VALUE FOR s AS id", "takes the next value of a sequence"),
        ("mysql", "SELECT nextval(s) AS id", "calls NEXTVAL, which changes or locks something"),
        ("mysql", "SELECT `load_file` ('/x') AS a", "calls LOAD_FILE, which reaches other servers or files"),
        ("mysql", "SELECT GET_LOCK('a', 1) AS a", "calls GET_LOCK, which changes or locks something"),
        (
            "postgres",
            "SELECT * FROM dblink('x', 'y') AS t(a int)",
            "calls DBLINK, which reaches other servers or files",
        ),
        ("postgres", "SELECT * FROM public.dblink_exec('x', 'y')", "calls DBLINK_EXEC, which reaches"),
        ("postgres", "SELECT pg_catalog.\"pg_read_file\" ('x') AS a", "calls PG_READ_FILE, which reaches"),
        ("postgres", "SELECT lo_export(1, 'x') AS a", "calls LO_EXPORT, which reaches other servers or files"),
        ("postgres", "SELECT nextval('s') AS a", "calls NEXTVAL, which changes or locks something"),
        ("postgres", "SELECT pg_terminate_backend(1) AS a", "calls PG_TERMINATE_BACKEND, which changes"),
        ("postgres", "SELECT query_to_xml('x', true, true, '') AS a", "calls QUERY_TO_XML, which runs text"),
        ("redshift", "SELECT set_config('a', 'b', false) AS a", "calls SET_CONFIG, which changes or locks something"),
        ("snowflake", "SELECT SYSTEM$CANCEL_QUERY('x') AS a", "calls SYSTEM$CANCEL_QUERY, which changes"),
        ("snowflake", "SELECT s.NEXTVAL AS a", "takes the next value of a sequence"),
        ("bigquery", "SELECT * FROM EXTERNAL_QUERY('c', 'x')", "calls EXTERNAL_QUERY, which reaches"),
        ("sqlite", "SELECT writefile('a', 'b') AS a", "calls WRITEFILE, which reaches other servers or files"),
    ],
)
def test_what_reaches_beyond_the_database_is_refused(dialect: str, sql: str, problem: str) -> None:
    """By the function's name, whatever its case, with comments between, quoted or in a subquery."""
    (found,) = check_query(sql, SPOKEN[dialect])
    assert found.startswith(f"line 1: must only read this database, but {problem}")


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("tsql", "SELECT [OPENROWSET], 'OPENQUERY(' AS a FROM t -- OPENDATASOURCE("),
        ("mysql", "SELECT next, value FROM t"),
        ("snowflake", "SELECT SYSTEM$TYPEOF(a) AS a, SYSTEM$WAIT(1) AS b FROM t"),
        ("postgres", "SELECT pg_typeof(a) AS a, pg_size_pretty(1) AS b, lower(c) AS c, log(2) AS d, nextval FROM t"),
        ("postgres", "SELECT location(a) AS a, lookup(b) AS b, loan_created(c) AS c FROM t"),
    ],
)
def test_names_that_look_alike_are_accepted(dialect: str, sql: str) -> None:
    """Columns, text, comments, and functions that only read."""
    assert check_query(sql, SPOKEN[dialect]) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT `id` FROM `customers` # don't (",
        "SELECT [id] FROM [dbo].[customers]",
        "SELECT 'it\\'s' AS a FROM t",
        "FROM customers",
        "SELECT $$it's$$ AS a FROM t",
    ],
)
def test_without_a_dialect_only_certain_problems_are_reported(sql: str) -> None:
    """Some engine takes each of these; a statement that writes is refused all the same."""
    assert check_query(sql, UNKNOWN) == []
    assert check_query("DELETE FROM customers", UNKNOWN) == [READ_ONLY + "DELETE"]


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT {{last_sync}}", "line 1: unknown placeholder {{last_sync}}; did you mean {{last_sync_time}}?"),
        ("SELECT\n'{{ user }}'", "line 2: unknown placeholder {{user}}; there are {{last_sync_time}} and {{until}}"),
        ("SELECT {{}}", "line 1: unknown placeholder {{}}; there are {{last_sync_time}} and {{until}}"),
        ("SELECT {{ last_sync_time }", "line 1: `{{` without `}}`: write {{last_sync_time}}"),
        ("SELECT {last_sync_time}", "line 1: write the placeholder with double braces: {{last_sync_time}}"),
        ("SELECT ${last_sync_time}", "line 1: write the placeholder with double braces: {{last_sync_time}}"),
        ("SELECT %(last_sync_time)s", "line 1: write the placeholder with double braces: {{last_sync_time}}"),
        ("SELECT '1',\n:last_sync_time", "line 2: write the placeholder with double braces: {{last_sync_time}}"),
        ("SELECT $last_sync_time", "line 1: write the placeholder with double braces: {{last_sync_time}}"),
        (
            "SELECT a>=<last_sync_time>",
            "line 1: write the placeholder with double braces: {{last_sync_time}}",
        ),
        ("SELECT <<LAST_SYNC_TIME>>", "line 1: write the placeholder with double braces: {{last_sync_time}}"),
        ("SELECT [[last_sync_time]]", "line 1: write the placeholder with double braces: {{last_sync_time}}"),
    ],
)
def test_any_other_placeholder_is_refused(sql: str, problem: str) -> None:
    """Inside quotes too: replacing is a matter of text."""
    assert check_query(sql, SPOKEN["postgres"]) == [problem]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "words",
    [
        "a <last_sync_time",
        "a >last_sync_time AND b < last_sync_time",
        "'{last_sync_time}' = '$last_sync_time:last_sync_time'",
        "a = last_sync_time -- {last_sync_time}",
        "a /* %(last_sync_time)s */ = 1",
    ],
)
def test_a_column_and_text_are_not_taken_for_a_placeholder(words: str, dialect: str) -> None:
    """A column may be called so, and text and comments may say anything but double braces."""
    assert check_query(f"SELECT id FROM t WHERE {words}", SPOKEN[dialect]) == []


@pytest.mark.parametrize("dialect", ["postgres", "duckdb"])
@pytest.mark.parametrize("array", ["ARRAY[[last_sync_time]]", "array [[last_sync_time]]", "a[last_sync_time]"])
def test_a_column_in_an_array_is_not_taken_for_a_placeholder(array: str, dialect: str) -> None:
    """Brackets there are no template's."""
    assert check_query(f"SELECT id FROM t WHERE x = {array}", SPOKEN[dialect]) == []


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("[last_sync_time]", "tsql"),
        ("[last_sync_time]", "sqlite"),
        ("t.[last_sync_time]", "tsql"),
        ("[last_sync_time]", "duckdb"),
        ("`last_sync_time`", "mysql"),
        ("`last_sync_time`", "bigquery"),
        ('"last_sync_time"', "postgres"),
        ("last_sync_time::text", "postgres"),
        ("@last_sync_time", "postgres"),
        ("data:last_sync_time", "snowflake"),
        ("{'last_sync_time': last_sync_time}", "duckdb"),
        ("xs[1:last_sync_time]", "duckdb"),
        ("$last_sync_time$text$last_sync_time$", "postgres"),
    ],
)
def test_an_engines_ways_to_name_a_column_are_no_placeholders(name: str, dialect: str) -> None:
    """Brackets, backticks, casts, paths, slices, tags of quotes."""
    assert check_query(f"SELECT id, {name} AS at FROM t WHERE 1 = 1", SPOKEN[dialect]) == []


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        (";WITH a AS (SELECT id FROM t) SELECT id FROM a", {("T",)}),
        ("SELECT id FROM t; -- everyone; nightly", {("T",)}),
        ("SELECT id FROM t; ;", {("T",)}),
        ("/* a; */ SELECT id FROM t /* b; */ ;\n\n", {("T",)}),
    ],
)
def test_semicolons_around_a_statement_are_no_others(sql: str, tables: set[tuple[str, ...]], dialect: str) -> None:
    """Accepted, and read to the same columns and tables as without them."""
    assert check_query(sql, SPOKEN[dialect]) == []
    assert [column.upper() for column in output_columns(sql, SPOKEN[dialect]) or ()] == ["ID"]
    assert {tuple(part.upper() for part in table) for table in tables_read(sql, SPOKEN[dialect])} == tables
    assert len(column_origins(sql, SPOKEN[dialect], output_columns(sql, SPOKEN[dialect]) or ())) == 1


def test_braces_of_an_engine_are_not_placeholders() -> None:
    """DuckDB's structs end with two braces, and JSON may stand in quotes."""
    sql = "SELECT {'a': {'b': 1}} AS nested, '{\"a\": {\"b\": 1}}' AS json FROM t"

    assert check_query(sql, SPOKEN["duckdb"]) == []


def test_what_sqlglot_cannot_read_is_accepted_silently(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A feature that sqlglot does not know blocks no sync, and it prints nothing of its own."""
    with caplog.at_level(logging.DEBUG):
        assert check_query("SELECT id FROM t MATCH_SOMEHOW {a b c}", SPOKEN["postgres"]) == []
        assert output_columns("SELECT id FROM t MATCH_SOMEHOW {a b c}", SPOKEN["postgres"]) is None
        assert tables_read("SELECT id FROM t MATCH_SOMEHOW {a b c}", SPOKEN["postgres"]) == ()

    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_the_last_sync_time_replaces_every_placeholder() -> None:
    """White space inside the braces is fine, and quotes do not protect."""
    sql = "SELECT '{{last_sync_time}}' AS a WHERE b >= {{ last_sync_time }} -- {{\tlast_sync_time\n}}"

    assert render(sql, 1_767_576_600) == "SELECT '1767576600' AS a WHERE b >= 1767576600 -- 1767576600"


def test_a_query_without_placeholder_is_left_alone() -> None:
    """It reads everything each time."""
    assert render("SELECT {'a': 1} FROM t", 5) == "SELECT {'a': 1} FROM t"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.integers(0, 2**40), st.text(max_size=30))
def test_rendering_touches_nothing_else(before: str, since: int, after: str) -> None:
    """Whatever stands around a placeholder stays as it is."""
    around = before.replace("{", "("), after.replace("}", ")")

    assert render(f"{around[0]}{{{{last_sync_time}}}}{around[1]}", since) == f"{around[0]}{since}{around[1]}"


@pytest.mark.parametrize(
    ("sql", "dialect", "columns"),
    [
        ("SELECT id, c.email, count(*) AS orders FROM c", "sqlite", ("id", "email", "orders")),
        ('SELECT Email, "Plan", x AS Total FROM c', "postgres", ("email", "Plan", "total")),
        ('SELECT Email, "Plan", x AS Total FROM c', "redshift", ("email", "Plan", "total")),
        ('SELECT Email, "plan", x AS Total FROM c', "snowflake", ("EMAIL", "plan", "TOTAL")),
        ("SELECT Email, `Plan` FROM c", "mysql", ("Email", "Plan")),
        ("SELECT id = number, [Email] FROM c", "tsql", ("id", "Email")),
        ("WITH a AS (SELECT 1 AS x) (SELECT x AS id FROM a) UNION SELECT 2", "sqlite", ("id",)),
        ("SELECT * FROM c", "sqlite", None),
        ("SELECT c.*, 1 AS id FROM c", "sqlite", None),
        ("SELECT lower(email) FROM c", "postgres", None),
        ("SELECT id::text FROM c", "postgres", None),
        ("SELECT 1 AS id UNION ALL BY NAME SELECT 2 AS email", "duckdb", None),
        ("FROM c", "duckdb", None),
        ("VALUES (1, 2)", "postgres", None),
        ("SELECT AS STRUCT 1 AS id", "bigquery", None),
        ("DELETE FROM c", "sqlite", None),
    ],
)
def test_columns_are_known_where_the_text_tells(sql: str, dialect: str, columns: tuple[str, ...] | None) -> None:
    """Spelled as the engine will spell them; None rather than a guess."""
    assert output_columns(sql, SPOKEN[dialect]) == columns


@pytest.mark.parametrize(
    "sql", ["SELECT id, Email AS Email, count(*) AS n FROM c GROUP BY 1, 2", "SELECT c.id, 'x' AS \"A b\" FROM c"]
)
def test_engines_agree_on_the_columns(sql: str) -> None:
    """What the text tells is what SQLite and DuckDB return."""
    with sqlite3.connect(":memory:") as file:
        file.execute("CREATE TABLE c (id, email)")
        from_sqlite = tuple(column[0] for column in file.execute(sql).description)
    file.close()
    with duckdb.connect() as memory:
        memory.execute("CREATE TABLE c (id INT, email TEXT)")
        from_duckdb = tuple(column[0] for column in memory.execute(sql).description)

    assert output_columns(sql, SPOKEN["sqlite"]) == from_sqlite
    assert output_columns(sql, SPOKEN["duckdb"]) == from_duckdb


@pytest.mark.parametrize(
    ("sql", "dialect", "tables"),
    [
        ("SELECT * FROM customers", "sqlite", (("customers",),)),
        (
            "SELECT * FROM shop.public.orders o JOIN public.customers c USING (id), customers",
            "postgres",
            (("customers",), ("public", "customers"), ("shop", "public", "orders")),
        ),
        (
            "WITH customers AS (SELECT * FROM customers), x AS (SELECT 1) SELECT * FROM customers JOIN x ON true",
            "postgres",
            (("customers",),),
        ),
        (
            "WITH RECURSIVE r AS (SELECT id FROM tree UNION ALL SELECT id FROM r) SELECT * FROM r",
            "postgres",
            (("tree",),),
        ),
        (
            "SELECT (SELECT max(a) FROM x) AS m FROM y WHERE EXISTS (SELECT 1 FROM z)",
            "sqlite",
            (("x",), ("y",), ("z",)),
        ),
        ('SELECT * FROM Customers JOIN "Orders" USING (id)', "postgres", (("Orders",), ("customers",))),
        ("SELECT * FROM customers", "snowflake", (("CUSTOMERS",),)),
        ("SELECT * FROM `project.shop.orders`", "bigquery", (("project", "shop", "orders"),)),
        ("SELECT * FROM read_csv('x.csv'), range(5)", "duckdb", ()),
        ("SELECT 1 AS id", "sqlite", ()),
        ("SELECT id FROM t WHERE updated_at > {{ last_sync_time }}", "sqlite", (("t",),)),
    ],
)
def test_the_tables_read_are_known(sql: str, dialect: str, tables: tuple[tuple[str, ...], ...]) -> None:
    """For lineage: no names of WITH, no functions, sorted, each once."""
    assert tables_read(sql, SPOKEN[dialect]) == tables


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="SELECT FROMid'\"();-*{},\n", max_size=60), st.sampled_from(DIALECTS))
def test_any_text_is_judged(text: str, dialect: str) -> None:
    """No text makes the check fail, and what is not refused starts as a query does."""
    problems = check_query(text, SPOKEN[dialect])

    assert problems or any(word in text.upper() for word in ("SELECT", "WITH", "VALUES", "FROM"))
