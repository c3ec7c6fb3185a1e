"""How MySQL and MariaDB take a query, and what in one would do more than read."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.dialect import CHANGES, DAY_IN_TEXT, ELSEWHERE, TEXT, TEXT_WITH_T, Bound, Dialect

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
    compares_anything=True,
    bounds=(
        Bound("timestamp", "FROM_UNIXTIME({{last_sync_time}})"),
        Bound(
            "datetime",
            "FROM_UNIXTIME({{last_sync_time}})",
            local="CONVERT_TZ(FROM_UNIXTIME({{last_sync_time}}), '+00:00', '{timezone}')",
        ),
        Bound(
            "date",
            "DATE(FROM_UNIXTIME({{last_sync_time}}))",
            local="DATE(CONVERT_TZ(FROM_UNIXTIME({{last_sync_time}}), '+00:00', '{timezone}'))",
        ),
        Bound(TEXT, "DATE_FORMAT(FROM_UNIXTIME({{last_sync_time}}), '%Y-%m-%d %H:%i:%s')"),
        Bound(TEXT_WITH_T, "DATE_FORMAT(FROM_UNIXTIME({{last_sync_time}}), '%Y-%m-%dT%H:%i:%s')"),
        Bound(DAY_IN_TEXT, "DATE_FORMAT(FROM_UNIXTIME({{last_sync_time}}), '%Y-%m-%d')"),
    ),
)
