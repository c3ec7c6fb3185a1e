"""A project with two syncs and a state of its own, and commands run on it in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from reverse_etl.changeset.failed_rows import batches_of
from reverse_etl.changeset.failed_rows_csv import write_failed_rows
from reverse_etl.config.loader import load_project
from reverse_etl.errors import ReverseEtlError
from reverse_etl.exclusions import ExcludedRows
from reverse_etl.report import Counts, FailedRow, Reason, RunReport, Status
from reverse_etl.state.home import Home
from reverse_etl.state.loaded import mark, note_loaded
from reverse_etl.state.runs import begin_run, close_run
from reverse_etl.state.store import Store
from reverse_etl_tests.fresh_store import fresh_store

CONNECTIONS = """\
databases:
  shop: {type: sqlite, path: shop.db}
workspaces:
  main:
    site_id: ${SITE_ID}
    track_api_key: ${TRACK_API_KEY}
"""
PEOPLE = "database: shop\nworkspace: main\nschedule: %s\npeople: {}\nquery: SELECT id FROM customers\n"

FAILED = (
    FailedRow(2, "rows", "anna@example.com", "check", Reason("email_valid", "email", "column `email` is not valid.")),
    FailedRow(5, "rows", "5", "check", Reason("email_valid", "email", "column `email` is not valid.")),
    FailedRow(9, "relationships", "[bold]9\x1b[2J\n7", "customerio", Reason("invalid", "", "no such object.")),
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The project's folder, and its store."""

    folder: Path
    home: Home
    store: Store

    @classmethod
    def at(cls, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Remembered:
        """Makes it, with the syncs `people` (every hour) and `staff` (by hand), and points the environment at it."""
        (folder / "syncs").mkdir()
        (folder / "syncs" / "connections.yaml").write_text(CONNECTIONS)
        monkeypatch.chdir(folder)
        for name, value in {"REVERSE_ETL_HOME": str(folder / "home"), "COLUMNS": "500"}.items():
            monkeypatch.setenv(name, value)
        for name in ("REVERSE_ETL_STATE_URL", "REVERSE_ETL_SYNCS"):
            monkeypatch.delenv(name, raising=False)
        home = Home.from_environment()
        made = cls(folder, home, fresh_store(home))
        made.write("people", "{every: 1h, start_at: 2020-01-01T00:30:00Z}")
        made.write("staff", "manual")
        return made

    def write(self, sync: str, schedule: str) -> None:
        """Writes a sync's file."""
        (self.folder / "syncs" / f"{sync}.yaml").write_text(PEOPLE % schedule)

    def loads(self, *, ago: timedelta = timedelta(0)) -> None:
        """Dagster has loaded the files as they are now, and its daemon's sensor has noted that."""
        syncs = load_project(self.folder / "syncs").syncs.values()
        note_loaded(self.store, "reverse_etl", {each.name: mark(each) for each in syncs}, datetime.now(UTC) - ago)

    def ran(
        self,
        run_id: str,
        *,
        ago: timedelta,
        status: Status = Status.COMPLETED,
        sync: str = "people",
        of_one_row: bool = False,
        reads: str = "",
        streams: Mapping[str, Counts] | None = None,
        excluded_by: tuple[ExcludedRows, ...] = (),
        failed: Sequence[FailedRow] = (),
        differs: tuple[int | None, int | None] = (None, None),
    ) -> RunReport:
        """A run of 90 s that ended; `some_rows_failed` has the rows FAILED, in the state and in a CSV, or the first.

        Others have those that are given.

        One that failed or was canceled read nothing.
        """
        at = datetime.now(UTC).replace(microsecond=0) - ago
        if status is Status.SOME_ROWS_FAILED:
            failed = failed or FAILED[: 1 if of_one_row else 3]
        rows, relationships = (Counts(1200, 1198, 2), Counts(10, 9, 0, 1)) if failed else (Counts(1200, 1200), Counts())
        if status in (Status.FAILED, Status.CANCELED):
            rows = Counts()
        usual = {"rows": Counts(1, 0, 1)} if of_one_row else {"rows": rows, "relationships": relationships}
        csv = self.home.failed_rows_csv(sync, run_id)
        report = RunReport(
            sync=sync,
            run_id=run_id,
            status=status,
            reads=reads,
            started_at=at,
            duration_s=90.0,
            streams=streams or usual,
            failed_rows_csv=str(csv) if failed else "",
            message=f"3 rows failed, the others were delivered. See: reverse-etl errors {sync} --run {run_id[:8]}. "
            "Last sync time stays."
            if failed
            else "",
            exit_code=7 if failed else 0,
            excluded_by=excluded_by,
            added=differs[0],
            changed=differs[1],
        )
        if failed:
            write_failed_rows(csv, batches_of(failed))
        begin_run(self.store, run_id, root_run_id=run_id, sync=sync, workspace="main", started_at=at, since=0)
        return close_run(
            self.store,
            report,
            root_run_id=run_id,
            workspace="main",
            failed_rows=batches_of(failed),
            new_last_sync_time=int(at.timestamp()),
        )


def run(command: Callable[..., None], *arguments: str) -> Result:
    """Runs one command; its own errors are raised."""
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, ReverseEtlError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def run_json(command: Callable[..., None], *arguments: str) -> Any:
    """Runs one command with `--json`; nothing but JSON is on its stdout."""
    return json.loads(run(command, *arguments, "--json").stdout)
