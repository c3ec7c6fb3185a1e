"""How Redshift takes a query: as PostgreSQL does, but for its texts, and its rows have no xmin.

It lowers quoted names too, unless a session asks it to keep them, as its sessions here do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reverse_etl.sources.postgres.dialect import DIALECT as POSTGRES

DIALECT: Final = replace(POSTGRES, name="redshift", text_type="VARCHAR(MAX)", marks_rows=False, has_log=False)
