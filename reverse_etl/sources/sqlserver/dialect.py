"""How SQL Server takes a query, and what in one would do more than read."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.dialect import DAY_IN_TEXT, ELSEWHERE, TEXT, TEXT_WITH_T, Bound, Dialect

DIALECT: Final = Dialect(
    "tsql",
    # sqlglot takes the second statement's verb for an alias.
    needs_semicolons=False,
    refused_functions=((r"openquery|openrowset|opendatasource", ELSEWHERE),),
    sequences=("NEXT VALUE FOR",),
    reserved=frozenset({"PLAN", "PERCENT", "FILE", "RULE", "PUBLIC", "CURRENT", "OPEN", "CLOSE", "TOP"}),
    text_type="NVARCHAR(MAX)",
    national="N",
    bare_subqueries=True,
    has_log=True,
    bounds=(
        Bound("(small)?datetime(2|offset)?", "DATEADD(SECOND, {{last_sync_time}}, CAST('1970-01-01' AS DATETIME2))"),
        Bound("date", "CAST(DATEADD(SECOND, {{last_sync_time}}, CAST('1970-01-01' AS DATETIME2)) AS DATE)"),
        Bound(TEXT, "CONVERT(VARCHAR(19), DATEADD(SECOND, {{last_sync_time}}, CAST('1970-01-01' AS DATETIME2)), 120)"),
        Bound(
            TEXT_WITH_T,
            "CONVERT(VARCHAR(19), DATEADD(SECOND, {{last_sync_time}}, CAST('1970-01-01' AS DATETIME2)), 126)",
        ),
        Bound(
            DAY_IN_TEXT,
            "CONVERT(VARCHAR(10), DATEADD(SECOND, {{last_sync_time}}, CAST('1970-01-01' AS DATETIME2)), 120)",
        ),
    ),
)
