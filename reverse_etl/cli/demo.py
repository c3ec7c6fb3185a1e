"""``demo``: the sample shop into a sandbox workspace, through the shipped syncs, compared with what must arrive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from reverse_etl.cli.project import SyncsFolder
from reverse_etl.errors import ConfigError, WorkspaceUnavailableError
from reverse_etl.report import Status

if TYPE_CHECKING:
    from rich.console import Console

    from reverse_etl.config.connections import DatabaseConfig, WorkspaceConfig
    from reverse_etl.config.loader import ProjectConfig
    from reverse_etl.demo.expected import Expected
    from reverse_etl.report import RunReport
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store

ORDER = ("companies", "customers")
"""Objects first: people's relationships point to them."""

IDLE_EXIT_S = 3600
CREDENTIALS = ("CUSTOMERIO_SITE_ID", "CUSTOMERIO_TRACK_API_KEY", "CUSTOMERIO_APP_API_KEY")
FAILED_ROWS_SHOWN = 12


def demo(
    syncs: SyncsFolder = Path("syncs"),
    keep_sandbox: Annotated[
        bool, typer.Option("--keep-sandbox/--stop-sandbox", help="Leave the sandbox running, to look at it.")
    ] = True,
) -> None:
    """Make the sample shop, start the sandbox, run the shipped syncs end to end; no account needed."""
    from rich.console import Console

    from reverse_etl.config.loader import load_project
    from reverse_etl.demo.expected import expected
    from reverse_etl.demo.shop import create_shop
    from reverse_etl.state.home import Home

    console = Console(highlight=False, soft_wrap=True)
    os.environ.update(dict.fromkeys(CREDENTIALS, "sandbox"))
    project = load_project(syncs)
    database, workspace = _shipped(project)
    shop: Path = getattr(database, "path")  # noqa: B009 - the demo's database is a file
    home = Home.from_environment(syncs)
    create_shop(shop)
    console.print(f"[bold]Sample shop[/] {_short(shop)}")
    process = _started_sandbox(home, workspace)
    console.print(f"[bold]Sandbox workspace[/] {workspace.track_base_url()}")
    try:
        reports = _run_syncs(project, syncs, console)
        equal = _compared(expected(shop), workspace, console)
    finally:
        if process is not None and not keep_sandbox:
            process.terminate()
            process.wait(10)
    _failed_rows(reports, home, console)
    _what_next(console, workspace, kept=keep_sandbox)
    raise typer.Exit(0 if equal else 1)


def _shipped(project: ProjectConfig) -> tuple[DatabaseConfig, WorkspaceConfig]:
    missing = [name for name in ORDER if name not in project.syncs]
    if missing:
        raise ConfigError(
            f"the demo runs {' and '.join(ORDER)}, and {project.directory} has no sync {' and no '.join(missing)}.",
            hint="Run it where the project's own syncs folder is.",
        )
    sync = project.syncs["customers"]
    database, workspace = project.databases[sync.database], project.workspaces[sync.workspace]
    if database.type != "sqlite" or urlsplit(workspace.track_base_url()).hostname not in {"127.0.0.1", "localhost"}:
        raise ConfigError(
            "the demo only uses an SQLite file and a sandbox on this machine, and the connections are others.",
            hint="Run it where the project's own connections.yaml is.",
        )
    return database, workspace


def _started_sandbox(home: Home, workspace: WorkspaceConfig) -> subprocess.Popen[bytes] | None:
    """Empties a sandbox that already listens; otherwise starts one that outlives this command, and waits for it."""
    import httpx
    import tenacity

    url = workspace.track_base_url()
    try:
        httpx.post(f"{url}/_sandbox/reset", timeout=5).raise_for_status()
    except httpx.HTTPStatusError:
        raise WorkspaceUnavailableError(
            f"something that is not the sandbox listens at {url}.", hint="End it first."
        ) from None
    except httpx.TransportError:
        pass
    else:
        return None
    log = home.path / "sandbox.log"
    command = [sys.executable, "-m", "reverse_etl.cli.main", "sandbox", "--port", str(urlsplit(url).port or 80)]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*command, "--idle-exit", str(IDLE_EXIT_S)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    wait = tenacity.Retrying(
        stop=tenacity.stop_after_delay(30),
        wait=tenacity.wait_fixed(0.05),
        retry=tenacity.retry_if_exception_type(httpx.TransportError),
    )
    try:
        wait(httpx.get, f"{url}/_sandbox/counts", timeout=5)
    except tenacity.RetryError:
        raise WorkspaceUnavailableError(f"the sandbox did not start at {url}.", hint=f"Its log: {log}") from None
    return process


def _run_syncs(project: ProjectConfig, syncs: Path, console: Console) -> list[RunReport]:
    from reverse_etl.cli.run import execute, show

    reports = []
    for name in ORDER:
        console.print(f"\n[bold]reverse-etl run {name}[/]")
        report = execute(project.syncs[name], syncs, full=True)
        show(report, console)
        if report.status is Status.CANCELED:
            raise KeyboardInterrupt
        reports.append(report)
    return reports


def _compared(must: Expected, workspace: WorkspaceConfig, console: Console) -> bool:
    """Looks into the sandbox by its own window and compares it with the shop's good rows."""
    import httpx

    def seen(what: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = httpx.get(f"{workspace.track_base_url()}/_sandbox/{what}", timeout=60).json()
        return rows

    people = {person["id"]: _attributes(person) for person in seen("people")}
    companies = {row["object_id"]: row["attributes"] for row in seen("objects")}
    related = {(row["person"]["id"], row["object_id"]): row["attributes"]["role"] for row in seen("relationships")}
    members = {member["id"] for segment in seen("segments") for member in segment["people"]}
    console.print()
    equal = True
    for name, arrived, wanted in (
        ("people", people, must.people),
        ("companies", companies, must.companies),
        ("relationships", related, must.relationships),
        ("members of Shop customers", members, set(must.people)),
    ):
        same = arrived == wanted
        equal &= same
        verdict = "[green]equal to[/]" if same else f"[red]not equal to the {len(wanted):,} of[/]"
        console.print(f"In the sandbox: {len(arrived):,} {name}, {verdict} the shop's good rows")
    return equal


def _attributes(person: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in person["attributes"].items() if key != "id"}
    return own | ({"email": person["email"]} if person.get("email") else {})


def _failed_rows(reports: list[RunReport], home: Home, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from reverse_etl.state.store import open_store

    store: Store = open_store(home.state_url)
    table = Table(title="Failed rows, bad on purpose", title_justify="left")
    for heading in ("sync", "query", "row", "reason"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what is wrong")
    for report in reports:
        for number, row in enumerate(store.failed_rows(report.run_id)):
            if number < FAILED_ROWS_SHOWN:
                cells = (report.sync, row.query, str(row.row_number), row.reason, row.message)
                table.add_row(*map(Text, cells))
    console.print()
    console.print(table)
    for report in reports:
        if report.failed_rows_csv:
            console.print(f"All of {report.sync}: {_short(Path(report.failed_rows_csv))}")


def _what_next(console: Console, workspace: WorkspaceConfig, *, kept: bool) -> None:
    console.print("\n[bold]Look around[/]")
    if kept:
        console.print(f"  The workspace:   {workspace.track_base_url()}   (it ends after an hour without a visitor)")
    console.print("  Dagster's UI:    make ui   (or reverse-etl ui), then http://127.0.0.1:3000")
    console.print("  Failed rows:     reverse-etl errors customers")
    console.print("  In a new shell:  . .venv/bin/activate")
    console.print(f"                   export {' '.join(f'{name}=sandbox' for name in CREDENTIALS)}")


def _short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
