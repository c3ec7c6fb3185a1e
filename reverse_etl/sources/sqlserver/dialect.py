"""How SQL Server takes a query, and what in one would do more than read."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.dialect import ELSEWHERE, Dialect

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
)
