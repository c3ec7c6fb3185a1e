"""Folders of sync files for tests, written out from one text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

CONNECTIONS: Final = """\
databases:
  shop: {type: sqlite, path: shop.sqlite}
  lake: {type: duckdb, path: lake.duckdb}
  server: {type: postgres, host: localhost, database: shop, user: reader, password: "${SHOP_PASSWORD}"}
workspaces:
  main:
    site_id: ${CUSTOMERIO_SITE_ID}
    track_api_key: ${CUSTOMERIO_TRACK_API_KEY}
    app_api_key: ${CUSTOMERIO_APP_API_KEY}
  plain:
    site_id: ${CUSTOMERIO_SITE_ID}
    track_api_key: ${CUSTOMERIO_TRACK_API_KEY}
"""

CUSTOMERS: Final = """\
description: Everyone with an account
database: shop
workspace: main
schedule:
  every: 1h
  start_at: 2026-01-05T01:30:00+02:00
people:
  identify_by: id
  segment: {name: Shop customers}
query: |
  SELECT id, email, plan
  FROM customers
  WHERE updated_at >= {{last_sync_time}}
relationships:
  query: SELECT person_id AS id, company_id AS object_id FROM memberships
checks:
  - not_null: plan
  - accepted_values: {column: plan, values: [free, yes, 3]}
    severity: warn
  - max_failed_rows: 5%
owners: [data@example.com, team:lifecycle]
"""


def write_project(folder: Path, files: dict[str, str]) -> Path:
    """Writes ``syncs/`` into the folder and returns it; names may hold subfolders."""
    syncs = folder / "syncs"
    syncs.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = syncs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return syncs


def parts(text: str) -> dict[str, str]:
    """Splits a golden file into its parts: a line ``=== name`` begins each."""
    found = re.split(r"^=== (.+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))
