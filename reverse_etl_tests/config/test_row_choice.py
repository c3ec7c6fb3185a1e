"""Which rows a query leaves out: read from its text in every engine's dialect."""

from __future__ import annotations

import pytest

from reverse_etl.config.row_choice import advice, left_out_by
from reverse_etl_tests.dialects import DIALECTS as SPOKEN

DIALECTS = ("sqlite", "duckdb", "postgres", "mysql", "redshift", "tsql", "bigquery", "snowflake")

CLOCKS = {
    "postgres": "now()|current_timestamp|current_date|clock_timestamp()|statement_timestamp()|transaction_timestamp()|"
    "localtimestamp|localtime|timeofday()|'now'::timestamp|date 'today'|now() - interval '1 day'|age(born)|"
    "'now '::timestamp",
    "mysql": "now()|sysdate()|curdate()|current_date|curtime()|utc_timestamp()|utc_date()|unix_timestamp()|localtime()|"
    "current_timestamp(6)|NOW() - INTERVAL 1 DAY|utc_timestamp|utc_date|@@timestamp|FROM_UNIXTIME(@@timestamp)",
    "tsql": "getdate()|getutcdate()|sysdatetime()|sysutcdatetime()|sysdatetimeoffset()|current_timestamp|"
    "DATEADD(day, -1, GETDATE())",
    "bigquery": "current_timestamp()|current_timestamp|current_date('UTC')|current_datetime()|"
    "TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)",
    "snowflake": "current_timestamp()|current_timestamp|sysdate()|systimestamp()|getdate()|localtimestamp()|"
    "current_date",
    "duckdb": "now()|today()|current_timestamp|get_current_timestamp()|current_date|transaction_timestamp()|localtime|"
    "ago(INTERVAL 1 DAY)",
    "redshift": "getdate()|sysdate|current_date|now()|timeofday()|trunc(sysdate)|dateadd(day, -1, sysdate)",
    "sqlite": "datetime('now')|date('now', '-1 day')|strftime('%s', 'now')|unixepoch('now')|unixepoch()|julianday()|"
    "current_timestamp|datetime()|date()|date(\"now\")|unixepoch('subsec')|datetime('subsecond')",
}
CHANCE = {"tsql": "newid()", "mysql": "rand()", "bigquery": "rand()"}


@pytest.mark.parametrize(
    ("dialect", "clock"), [(dialect, clock) for dialect, clocks in CLOCKS.items() for clock in clocks.split("|")]
)
def test_a_clock_decides_which_rows_come(dialect: str, clock: str) -> None:
    """In a condition of the query, or of one within it; what is merely returned decides nothing."""
    assert [(2, "the clock")] == list(left_out_by(f"SELECT id FROM t\nWHERE changed > {clock}", SPOKEN[dialect]))
    inner = f"WITH a AS (SELECT id, {clock} AS n, seen FROM t) SELECT id FROM a WHERE seen > n"
    assert [(1, "the clock")] == list(left_out_by(inner, SPOKEN[dialect]))
    assert () == left_out_by(f"SELECT id, {clock} AS synced FROM t WHERE changed > 1 ORDER BY id", SPOKEN[dialect])


@pytest.mark.parametrize(
    ("dialect", "column"), [("bigquery", "utc_date"), ("mysql", "t.utc_date"), ("postgres", '"now"')]
)
def test_a_column_with_the_name_of_a_clock_is_none(dialect: str, column: str) -> None:
    """Other engines, and quoted or qualified names, have such columns."""
    assert () == left_out_by(f"SELECT id FROM t WHERE coalesce({column}, 1) > 2", SPOKEN[dialect])


@pytest.mark.parametrize("variable", ["@@session.timestamp", "@@LOCAL.timestamp - 60", "@@SESSION.`timestamp`"])
def test_the_clock_of_a_mysql_session_is_one(variable: str) -> None:
    """With its scope, too, which sqlglot does not read."""
    assert [(1, "the clock")] == list(left_out_by(f"SELECT id FROM t WHERE x > {variable}", SPOKEN["mysql"]))
    assert () == left_out_by("SELECT id FROM t WHERE x > @@session.time_zone AND timestamp > 5", SPOKEN["mysql"])


@pytest.mark.parametrize(
    "condition",
    [
        "x = 'now'",
        "x IN ('now', 'later')",
        "lower(x) <> 'now'",
        "coalesce(x, 'now') = 'now'",
        "x LIKE 'now'",
        "CASE x WHEN 'now' THEN 1 ELSE 0 END = 1",
        "x BETWEEN 'never' AND 'now'",
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_compared_text_is_a_clock_where_a_time_is_read_from_it(dialect: str, condition: str) -> None:
    """PostgreSQL and Redshift do where the other side is a time; the query does not tell whether it is."""
    found = {what for _, what in left_out_by(f"SELECT id FROM t WHERE {condition}", SPOKEN[dialect])}
    assert ({"the clock"} if dialect in ("postgres", "redshift") else set()) == found


@pytest.mark.parametrize("union", ["UNION ALL", "UNION DISTINCT"])
@pytest.mark.parametrize(("dialect", "clock"), [(dialect, clocks.split("|")[0]) for dialect, clocks in CLOCKS.items()])
def test_each_query_of_a_union_may_return_a_clock(dialect: str, clock: str, union: str) -> None:
    """It leaves out no row; a condition, EXCEPT and INTERSECT decide by it."""
    spoken, union = SPOKEN[dialect], union if dialect == "bigquery" else union.removesuffix(" DISTINCT")
    first, second, third = (f"SELECT id, {clock} AS n FROM {table}" for table in "tuv")
    assert () == left_out_by(f"{first} {union} {second} {union} {third}", spoken)
    assert () == left_out_by(f"WITH w AS (SELECT 1 AS a) {first} {union} {second}", spoken)
    assert [(1, "the clock")] == list(left_out_by(f"{first} {union} {second} WHERE x > {clock}", spoken))
    for operator in ("EXCEPT", "INTERSECT"):
        sql = f"{first} {operator}{' DISTINCT' if dialect == 'bigquery' else ''} {second}"
        assert {"the clock"} == {what for _, what in left_out_by(sql, spoken)}


@pytest.mark.parametrize(
    ("dialect", "function"),
    [
        ("postgres", "uuid_generate_v4()"),
        ("postgres", "random_normal()"),
        ("postgres", "uuidv7()"),
        ("mysql", "uuid_short()"),
        ("mysql", "random_bytes(1)"),
        ("tsql", "crypt_gen_random(1)"),
        ("sqlite", "randomblob(2)"),
        ("duckdb", "uuidv4()"),
    ],
)
def test_chance_has_many_names(dialect: str, function: str) -> None:
    """Each engine has more functions of it than one."""
    assert [(1, "chance")] == list(left_out_by(f"SELECT id FROM t WHERE {function} > x", SPOKEN[dialect]))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_chance_decides_which_rows_come(dialect: str) -> None:
    """A sample is another one each time."""
    assert [(1, "chance")] == list(
        left_out_by(f"SELECT id FROM t WHERE {CHANCE.get(dialect, 'random()')} < 5", SPOKEN[dialect])
    )


@pytest.mark.parametrize(
    ("dialect", "sql", "word"),
    [
        ("tsql", "SELECT TOP 10 id FROM t", "TOP"),
        ("tsql", "SELECT TOP (5) PERCENT id FROM t", "TOP"),
        ("tsql", "SELECT id FROM t ORDER BY id OFFSET 5 ROWS FETCH NEXT 10 ROWS ONLY", "OFFSET"),
        ("tsql", "SELECT id FROM t TABLESAMPLE (10 PERCENT)", "TABLESAMPLE"),
        ("postgres", "SELECT id FROM t LIMIT 1", "LIMIT"),
        ("postgres", "SELECT id FROM t FETCH FIRST 5 ROWS ONLY", "FETCH"),
        ("postgres", "SELECT id FROM t OFFSET 5", "OFFSET"),
        ("postgres", "SELECT id FROM t TABLESAMPLE system(10)", "TABLESAMPLE"),
        ("postgres", "(SELECT id FROM t LIMIT 5)", "LIMIT"),
        ("postgres", "SELECT id FROM t UNION ALL (SELECT id FROM u LIMIT 5)", "LIMIT"),
        ("postgres", "WITH a AS (SELECT id FROM t LIMIT 5) SELECT id FROM a", "LIMIT"),
        ("postgres", "SELECT id FROM (SELECT id FROM t LIMIT 5) AS a", "LIMIT"),
        ("postgres", "SELECT id FROM t WHERE id IN (SELECT id FROM u ORDER BY b LIMIT 100)", "LIMIT"),
        ("postgres", "SELECT id FROM t WHERE id NOT IN (SELECT id FROM u FETCH FIRST 10 ROWS ONLY)", "FETCH"),
        ("postgres", "SELECT id FROM t WHERE (id, a) IN (SELECT id, a FROM u LIMIT 10)", "LIMIT"),
        ("postgres", "SELECT id FROM t WHERE id = ANY(SELECT id FROM u LIMIT 10)", "LIMIT"),
        ("postgres", "SELECT id FROM t WHERE id = ANY(ARRAY(SELECT id FROM u LIMIT 10))", "LIMIT"),
        ("postgres", "SELECT id FROM t WHERE a > ALL(SELECT a FROM u LIMIT 3)", "LIMIT"),
        ("postgres", "SELECT t.id FROM t JOIN u ON u.a IN (SELECT a FROM v LIMIT 3)", "LIMIT"),
        ("mysql", "SELECT id FROM t WHERE id IN (SELECT * FROM (SELECT id FROM u LIMIT 5) AS x)", "LIMIT"),
        ("tsql", "SELECT id FROM t WHERE id IN (SELECT TOP 5 id FROM u)", "TOP"),
        ("bigquery", "SELECT id FROM t WHERE id IN UNNEST(ARRAY(SELECT id FROM u LIMIT 3))", "LIMIT"),
        ("duckdb", "SELECT id FROM t WHERE id IN (FROM u SELECT id LIMIT 5)", "LIMIT"),
        ("postgres", "SELECT id FROM t MATCH_SOMEHOW {a b c} LIMIT 5", "LIMIT"),
        ("mysql", "SELECT id FROM t LIMIT 5, 10;  -- the end", "LIMIT"),
        ("sqlite", "SELECT id FROM t limit 5", "LIMIT"),
        ("redshift", "SELECT TOP 5 id FROM t", "TOP"),
        ("bigquery", "SELECT id FROM t TABLESAMPLE SYSTEM (10 PERCENT)", "TABLESAMPLE"),
        ("snowflake", "SELECT id FROM t SAMPLE (10)", "SAMPLE"),
        ("snowflake", "SELECT TOP 5 id FROM t", "TOP"),
        ("duckdb", "SELECT id FROM t USING SAMPLE 10", "SAMPLE"),
        ("duckdb", "SELECT id FROM t LIMIT 10%", "LIMIT"),
        ("duckdb", "FROM t LIMIT 5", "LIMIT"),
        ("bigquery", "SELECT array_agg(id LIMIT 5) AS ids FROM t", "LIMIT"),
        ("bigquery", "SELECT id FROM (SELECT array_agg(id LIMIT 1) AS a FROM t), UNNEST(a) AS id", "LIMIT"),
        ("bigquery", "SELECT id FROM (SELECT array_agg(id LIMIT 5) a FROM t GROUP BY k), UNNEST(a) id", "LIMIT"),
        ("bigquery", "SELECT id FROM t WHERE id IN UNNEST((SELECT array_agg(id ORDER BY a LIMIT 5) FROM u))", "LIMIT"),
        ("duckdb", "SELECT unnest(list(id ORDER BY id LIMIT 5)) AS id FROM t", "LIMIT"),
    ],
)
def test_rows_are_cut_off(dialect: str, sql: str, word: str) -> None:
    """By any of the engine's words, from the result or from what it is made of."""
    assert [(1, word)] == list(left_out_by(sql, SPOKEN[dialect]))
    (found,) = advice(sql + "\n/* {{last_sync_time}} */", SPOKEN[dialect])
    assert found == (1, found[1])
    assert found[1].startswith(f"{word} cuts rows off, and they are never sent")
    assert () == advice(sql, SPOKEN[dialect])


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "SELECT id FROM t LIMIT ALL"),
        ("postgres", "SELECT id FROM t LIMIT NULL"),
        ("sqlite", "SELECT id FROM t LIMIT -1"),
        ("tsql", "SELECT TOP 100 PERCENT id FROM t ORDER BY id"),
        ("tsql", "SELECT id FROM t ORDER BY id OFFSET 0 ROWS"),
        ("tsql", "SELECT id FROM t OUTER APPLY (SELECT TOP 3 b FROM u WHERE u.a = t.a) AS c"),
        ("postgres", "SELECT id FROM t WHERE a = (SELECT b FROM u LIMIT 1)"),
        ("postgres", "SELECT id, (SELECT b FROM u ORDER BY b LIMIT 1) AS c FROM t"),
        ("postgres", "SELECT id FROM t CROSS JOIN (SELECT b FROM settings LIMIT 1) AS c"),
        ("postgres", "SELECT id FROM t LEFT JOIN LATERAL (SELECT b FROM u WHERE u.a = t.a LIMIT 3) AS c ON true"),
        ("postgres", "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u LIMIT 5)"),
        ("postgres", "SELECT id, a IN (SELECT b FROM u LIMIT 5) AS is_one FROM t"),
        ("bigquery", "SELECT id, ARRAY(SELECT b FROM u LIMIT 5) AS some FROM t"),
        ("postgres", "SELECT id FROM t WHERE a = (SELECT max(b) FROM u WHERE b IN (SELECT b FROM v LIMIT 5))"),
        ("mysql", "SELECT id, `limit`, 'TOP' AS top FROM t"),
        ("bigquery", "SELECT id, string_agg(b, ',' LIMIT 3) AS some FROM t GROUP BY id"),
        ("bigquery", "SELECT l.* FROM (SELECT array_agg(t ORDER BY at DESC LIMIT 1)[OFFSET(0)] l FROM t GROUP BY id)"),
        ("duckdb", "SELECT id FROM t QUALIFY row_number() OVER (PARTITION BY id ORDER BY at) = 1"),
    ],
)
def test_no_rows_are_cut_off(dialect: str, sql: str) -> None:
    """What takes all, or takes a value for each row, leaves out no one."""
    assert () == left_out_by(sql, SPOKEN[dialect])
    assert () == advice(sql + "\n/* {{last_sync_time}} */", SPOKEN[dialect])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("condition", "sign"),
    [
        ("WHERE u > {{last_sync_time}}", ">"),
        ("WHERE coalesce(u, v)>{{ last_sync_time }} AND x = 1", ">"),
        ("WHERE {{last_sync_time}}<u", "<"),
        ("WHERE NOT (u <= {{last_sync_time}})", ">"),
        ("WHERE NOT ({{last_sync_time}} >= u)", "<"),
        ("WHERE x = 1 OR u > '{{last_sync_time}}'", ">"),
        ("GROUP BY id HAVING max(u) > {{last_sync_time}}", ">"),
        ("JOIN v ON v.id = t.id AND v.u > {{last_sync_time}}", ">"),
    ],
)
def test_a_strict_comparison_loses_rows_of_the_same_second(condition: str, sign: str, dialect: str) -> None:
    """However it is written; the sentence has the sign that loses none."""
    (found,) = advice(f"SELECT id\nFROM t\n{condition}", SPOKEN[dialect])
    assert 3 == found[0]
    assert found[1].startswith(f"`{sign}` leaves out rows that changed in the very second")
    assert f"write `{sign}=`" in found[1]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "condition",
    [
        "u >= {{last_sync_time}} AND x > 3",
        "{{last_sync_time}} <= u AND x < 3",
        "u > {{last_sync_time}} - 1",
        "u + 60 > {{last_sync_time}}",
        "u BETWEEN {{last_sync_time}} AND 9999999999",
        "u < {{last_sync_time}}",
        "NOT (u < {{last_sync_time}})",
    ],
)
def test_a_comparison_that_loses_none_is_left_alone(condition: str, dialect: str) -> None:
    """Equal, or reaching back, or the other way round."""
    assert () == advice(f"SELECT id FROM t WHERE {condition}", SPOKEN[dialect])


@pytest.mark.parametrize(
    ("dialect", "time", "earlier"),
    [
        ("postgres", "to_timestamp({{last_sync_time}})", "{} - interval '5 minutes'"),
        ("mysql", "FROM_UNIXTIME({{last_sync_time}})", "DATE_SUB({}, INTERVAL 5 MINUTE)"),
        ("mysql", "FROM_UNIXTIME({{last_sync_time}})", "{} - INTERVAL 5 MINUTE"),
        ("tsql", "DATEADD(SECOND, {{last_sync_time}}, '1970-01-01')", "DATEADD(MINUTE, -5, {})"),
        ("bigquery", "TIMESTAMP_SECONDS({{last_sync_time}})", "TIMESTAMP_SUB({}, INTERVAL 5 MINUTE)"),
        ("snowflake", "TO_TIMESTAMP_NTZ({{last_sync_time}})", "DATEADD(minute, -5, {})"),
        ("duckdb", "TIMESTAMP '1970-01-01' + to_seconds({{last_sync_time}})", "({}) - INTERVAL 5 MINUTE"),
        ("redshift", "TIMESTAMP 'epoch' + {{last_sync_time}} * INTERVAL '1 second'", "({}) - INTERVAL '5 minutes'"),
        ("sqlite", "datetime({{last_sync_time}}, 'unixepoch')", "datetime({}, '-5 minutes')"),
    ],
)
def test_each_engines_conversion_is_seen_through(dialect: str, time: str, earlier: str) -> None:
    """Strict or not is the same for a converted last sync time; one that reaches back loses none."""
    assert 1 == len(advice(f"SELECT id FROM t WHERE u > {time}", SPOKEN[dialect]))
    assert () == advice(f"SELECT id FROM t WHERE u >= {time}", SPOKEN[dialect])
    assert () == advice(f"SELECT id FROM t WHERE u > {earlier.format(time)}", SPOKEN[dialect])


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "bigquery"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        (
            "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY at) AS n FROM t) AS s\nWHERE n <= 9",
            [(2, "row_number")],
        ),
        ("WITH r AS (SELECT id, ntile(9) OVER (ORDER BY x) AS n FROM t)\nSELECT id FROM r WHERE n = 1", [(2, "ntile")]),
        (
            "SELECT id FROM (SELECT id, rank() OVER w AS n FROM t WINDOW w AS (ORDER BY x)) AS s WHERE n = 1",
            [(1, "rank")],
        ),
        ("SELECT id FROM (SELECT id, rank() OVER w AS n FROM t WINDOW w AS (PARTITION BY y)) AS s WHERE n = 1", []),
        (
            "SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY id ORDER BY at) AS n FROM t) AS s WHERE n = 1",
            [],
        ),
        ("SELECT id, rank() OVER (ORDER BY spent) AS place FROM t WHERE spent > 0", []),
        ("SELECT id FROM (SELECT id, sum(x) OVER (ORDER BY y) AS n FROM t) AS s WHERE n > 9", []),
    ],
)
def test_a_rank_among_all_rows_cuts_as_limit_does(dialect: str, query: str, found: list[tuple[int, str]]) -> None:
    """One within a group keeps a row of each, and one that is returned leaves out none."""
    assert found == list(left_out_by(query, SPOKEN[dialect]))
