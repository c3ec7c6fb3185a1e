"""How Snowflake takes a query, and what in one would do more than read."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.dialect import CHANGES, DAY_IN_TEXT, TEXT, TEXT_WITH_T, Bound, Dialect

DIALECT: Final = Dialect(
    "snowflake",
    unquoted_names="upper",
    refused_functions=(
        # Of its system functions these only read or wait; others cancel, send, resume.
        (r"system\$(?!typeof|last_change|stream_|clustering_|estimate_|get_|list_|wait)\w+", CHANGES),
    ),
    sequences=("NEXT VALUE FOR", ". NEXTVAL"),
    text_type="VARCHAR",
    # NUMBER is an integer unless a row shows otherwise, whatever its scale.
    whole_integers=False,
    has_log=True,
    bounds=(
        Bound("timestamp_l?tz", "TO_TIMESTAMP_LTZ({{last_sync_time}})"),
        Bound(
            "timestamp_ntz",
            "TO_TIMESTAMP_NTZ({{last_sync_time}})",
            local="CONVERT_TIMEZONE('UTC', '{timezone}', TO_TIMESTAMP_NTZ({{last_sync_time}}))",
        ),
        Bound(
            "date",
            "TO_DATE(TO_TIMESTAMP_NTZ({{last_sync_time}}))",
            local="TO_DATE(CONVERT_TIMEZONE('UTC', '{timezone}', TO_TIMESTAMP_NTZ({{last_sync_time}})))",
        ),
        Bound(TEXT, "TO_CHAR(TO_TIMESTAMP_NTZ({{last_sync_time}}), 'YYYY-MM-DD HH24:MI:SS')"),
        Bound(TEXT_WITH_T, "TO_CHAR(TO_TIMESTAMP_NTZ({{last_sync_time}}), 'YYYY-MM-DD\"T\"HH24:MI:SS')"),
        Bound(DAY_IN_TEXT, "TO_CHAR(TO_TIMESTAMP_NTZ({{last_sync_time}}), 'YYYY-MM-DD')"),
    ),
)
