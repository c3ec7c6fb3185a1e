"""How PostgreSQL takes a query, and what in one would do more than read."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.dialect import CHANGES, DAY_IN_TEXT, ELSEWHERE, RUNS_TEXT, TEXT, TEXT_WITH_T, Bound, Dialect

DIALECT: Final = Dialect(
    "postgres",
    unquoted_names="lower",
    names_functions=True,
    made_up_names=r"\?column\?",
    # An @ before a column is its absolute value.
    at_is_variable=False,
    times_in_text=True,
    marks_rows=True,
    has_log=True,
    bounds=(
        Bound("timestamp with time zone", "to_timestamp({{last_sync_time}})"),
        Bound("timestamp without time zone", "to_timestamp({{last_sync_time}}) AT TIME ZONE '{timezone}'"),
        Bound("date", "CAST(to_timestamp({{last_sync_time}}) AT TIME ZONE '{timezone}' AS DATE)"),
        Bound(TEXT, "to_char(to_timestamp({{last_sync_time}}) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"),
        Bound(TEXT_WITH_T, "to_char(to_timestamp({{last_sync_time}}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')"),
        Bound(DAY_IN_TEXT, "to_char(to_timestamp({{last_sync_time}}) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"),
    ),
    refused_functions=(
        (r"dblink\w*|pg_read_\w+|pg_ls_\w+|pg_stat_file|lo_(?:import|export)", ELSEWHERE),
        (r"(?:query|cursor)_to_xml\w*", RUNS_TEXT),
        (r"nextval|setval|set_config|lo_(?:creat|create|unlink|put|from_bytea|truncate\w*)|lowrite", CHANGES),
        (r"pg_(?:try_)?advisory_\w+|pg_(?:terminate|cancel)_backend|pg_reload_conf|pg_rotate_\w+", CHANGES),
        (r"pg_notify|pg_switch_wal|pg_promote|pg_(?:create|drop|copy)_\w+|pg_replication_\w+", CHANGES),
        (r"pg_logical_\w+|pg_(?:start|stop)_backup|pg_backup_\w+|pg_wal_replay_\w+", CHANGES),
    ),
)
