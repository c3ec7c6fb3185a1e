"""A small project in a folder of its own, and `reverse-etl` run on it as a user would: another process."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reverse_etl_tests import warm

SHOP = "  shop:\n    type: sqlite\n    path: ../shop.db\n"
CREDENTIALS = {
    "CUSTOMERIO_SITE_ID": "sandbox",
    "CUSTOMERIO_TRACK_API_KEY": "sandbox",
    "CUSTOMERIO_APP_API_KEY": "sandbox",
}
WORKSPACE = """\
workspaces:
  main:
    site_id: ${{CUSTOMERIO_SITE_ID}}
    track_api_key: ${{CUSTOMERIO_TRACK_API_KEY}}
    app_api_key: ${{CUSTOMERIO_APP_API_KEY}}
    track_url: {url}
    app_url: {url}
"""


@dataclass(slots=True)
class Project:
    """A folder with `syncs/`, its home folder, and the environment that commands run in."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, text: str) -> Path:
        """Writes `syncs/<name>`."""
        path = self.folder / "syncs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def connections(self, databases: str, sandbox_url: str = "http://127.0.0.1:9") -> None:
        """Writes `syncs/connections.yaml` with the given databases and the workspace `main`."""
        self.write("connections.yaml", f"databases:\n{databases}{WORKSPACE.format(url=sandbox_url)}")

    def reverse_etl(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs the command; stdout and stderr are kept apart."""
        return warm.reverse_etl(*arguments, folder=self.folder, environment=self.env(), timeout=timeout)

    def command(self, *command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs any command in the project's folder and environment."""
        return subprocess.run(
            command, cwd=self.folder, env=self.env(), capture_output=True, text=True, timeout=timeout, check=False
        )

    def env(self) -> dict[str, str]:
        """The environment of the project's commands: nothing of the developer's own set-up."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("REVERSE_ETL", "DAGSTER", "CUSTOMERIO"))
        }
        home = {"REVERSE_ETL_HOME": str(self.folder / "home"), "DAGSTER_DISABLE_TELEMETRY": "yes", "COLUMNS": "1000"}
        home["REVERSE_ETL_READ_BACK_WAIT_S"] = "0"
        return kept | CREDENTIALS | home | self.environment

    def run(self, sync: str, *options: str) -> tuple[int, dict[str, Any]]:
        """`run SYNC --json`: the exit code and the report."""
        done = self.reverse_etl("run", sync, "--json", *options)
        return done.returncode, json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}


def fill(path: Path, rows: list[tuple[object, object, object]]) -> None:
    """Makes the table `customers (id, email, plan, updated_at)` again, with these rows."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DROP TABLE IF EXISTS customers")
        database.execute("CREATE TABLE customers (id, email, plan, updated_at INTEGER DEFAULT 100)")
        database.executemany("INSERT INTO customers (id, email, plan) VALUES (?, ?, ?)", rows)


def people(
    query: str = "SELECT id, email, plan FROM customers WHERE updated_at >= {{last_sync_time}}", more: str = ""
) -> str:
    """The text of a sync of people."""
    return (
        f"database: shop\nworkspace: main\nschedule: manual\npeople: {{identify_by: id}}\nquery: |\n  {query}\n{more}"
    )
