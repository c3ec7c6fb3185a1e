"""How Redshift takes a query: as PostgreSQL does, but for its texts, and its rows have no xmin.

It lowers quoted names too, unless a session asks it to keep them, as its sessions here do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reverse_etl.config.dialect import DAY_IN_TEXT, TEXT, TEXT_WITH_T, Bound
from reverse_etl.sources.postgres.dialect import DIALECT as POSTGRES

_UTC: Final = "TIMESTAMP 'epoch' + {{last_sync_time}} * INTERVAL '1 second'"
_LOCAL: Final = f"CONVERT_TIMEZONE('UTC', '{{timezone}}', {_UTC})"

DIALECT: Final = replace(
    POSTGRES,
    name="redshift",
    text_type="VARCHAR(MAX)",
    marks_rows=False,
    has_log=False,
    bounds=(
        Bound("timestamp with time zone", _UTC),
        Bound(
            "timestamp without time zone",
            _UTC,
            local=_LOCAL,
        ),
        Bound(
            "date",
            f"CAST({_UTC} AS DATE)",
            local=f"CAST({_LOCAL} AS DATE)",
        ),
        Bound(TEXT, f"to_char({_UTC}, 'YYYY-MM-DD HH24:MI:SS')"),
        Bound(
            TEXT_WITH_T,
            f"to_char({_UTC}, 'YYYY-MM-DD\"T\"HH24:MI:SS')",
        ),
        Bound(DAY_IN_TEXT, f"to_char({_UTC}, 'YYYY-MM-DD')"),
    ),
)
