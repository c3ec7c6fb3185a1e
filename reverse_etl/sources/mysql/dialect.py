"""How MySQL and MariaDB take a query, and what in one would do more than read."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.dialect import CHANGES, ELSEWHERE, Dialect

DIALECT: Final = Dialect(
    "mysql",
    runs_comments=True,
    refused_functions=(
        (r"load_file|sys_exec|sys_eval", ELSEWHERE),
        (r"nextval|setval|get_lock|release_lock|release_all_locks", CHANGES),
    ),
    sequences=("NEXT VALUE FOR",),
    clock_words=frozenset({"utc_timestamp", "utc_date", "utc_time"}),
    text_type="CHAR",
    has_log=True,
)
