"""Folders of many syncs, hourly, spread over the minutes of the hour and over workspaces."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reverse_etl_tests.project import Project, fill

MINUTES: Final = 60
_SYNC: Final = """\
database: shop
workspace: w{workspace}
schedule: {{every: 1h, start_at: 2026-01-05T00:{minute:02}:00Z}}
people: {{identify_by: id}}
query: SELECT id, email, plan FROM customers WHERE updated_at >= {{{{last_sync_time}}}}
"""
_WORKSPACE: Final = """\
  w{number}: {{site_id: "${{CUSTOMERIO_SITE_ID}}", track_api_key: "${{CUSTOMERIO_TRACK_API_KEY}}", track_url: "{url}"}}
"""


def many_syncs(folder: Path, syncs: int, workspaces: int, *, url: str, environment: dict[str, str]) -> Project:
    """A project in which sync n is due in minute n of the hour, in a workspace of its own among those due with it."""
    project = Project(folder, {"REVERSE_ETL_SYNCS": str(folder / "syncs"), **environment})
    fill(folder / "shop.db", [(str(number), f"p{number}@example.com", "free") for number in range(100)])
    entries = "".join(_WORKSPACE.format(number=number, url=url) for number in range(workspaces))
    project.write("connections.yaml", f"databases:\n  shop: {{type: sqlite, path: ../shop.db}}\nworkspaces:\n{entries}")
    for number in range(syncs):
        text = _SYNC.format(workspace=number // MINUTES % workspaces, minute=number % MINUTES)
        project.write(f"sync_{number:05}.yaml", text)
    return project
