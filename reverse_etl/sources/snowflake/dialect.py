"""How Snowflake takes a query, and what in one would do more than read."""

from __future__ import annotations

from typing import Final

from reverse_etl.config.dialect import CHANGES, Dialect

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
)
