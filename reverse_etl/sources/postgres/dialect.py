"""How PostgreSQL takes a query, and what in one would do more than read."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.dialect import CHANGES, ELSEWHERE, RUNS_TEXT, Dialect

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
    refused_functions=(
        (r"dblink\w*|pg_read_\w+|pg_ls_\w+|pg_stat_file|lo_(?:import|export)", ELSEWHERE),
        (r"(?:query|cursor)_to_xml\w*", RUNS_TEXT),
        (r"nextval|setval|set_config|lo_(?:creat|create|unlink|put|from_bytea|truncate\w*)|lowrite", CHANGES),
        (r"pg_(?:try_)?advisory_\w+|pg_(?:terminate|cancel)_backend|pg_reload_conf|pg_rotate_\w+", CHANGES),
        (r"pg_notify|pg_switch_wal|pg_promote|pg_(?:create|drop|copy)_\w+|pg_replication_\w+", CHANGES),
        (r"pg_logical_\w+|pg_(?:start|stop)_backup|pg_backup_\w+|pg_wal_replay_\w+", CHANGES),
    ),
)
