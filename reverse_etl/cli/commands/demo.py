"""``demo``: the sample shop into a sandbox by the shipped syncs, in three acts, each compared with the shop."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import typer

from reverse_etl.cli import words
from reverse_etl.cli.demo_syncs import write_missing
from reverse_etl.cli.project import SyncsFolder
from reverse_etl.cli.tables import Rows, print_line, say
from reverse_etl.errors import ConfigError
from reverse_etl.report import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from reverse_etl.cli.demo_sandbox import DemoSandbox
    from reverse_etl.config.loader import ProjectConfig
    from reverse_etl.demo.expected import Expected
    from reverse_etl.destinations.customerio.workspace import WorkspaceConfig
    from reverse_etl.report import RunReport
    from reverse_etl.state.home import Home

EXAMPLES: Final = ("demo", "demo --example d2c", "demo --example health")

SHIPPED = ("companies", "customers")

CREDENTIALS = ("CUSTOMERIO_SITE_ID", "CUSTOMERIO_TRACK_API_KEY", "CUSTOMERIO_APP_API_KEY")
FAILED_ROWS_SHOWN = 12
CHANGED = 3


def demo(
    syncs: SyncsFolder = Path("syncs"),
    keep_sandbox: Annotated[
        bool, typer.Option("--keep-sandbox/--stop-sandbox", help="Leave the sandbox running for a look at it.")
    ] = True,
    example: Annotated[
        Literal["shop", "d2c", "health"],
        typer.Option(
            "--example",
            help="d2c: a consumer shop's people and events, in a folder `d2c`; health: scores to Salesforce, Intercom "
            "and Slack, in a folder `health`.",
        ),
    ] = "shop",
) -> None:
    """Make the sample shop, start a sandbox, run the shipped syncs end to end; no account needed."""
    if example == "health":
        from reverse_etl.cli.demo_health import play

        raise typer.Exit(0 if play(Path("health"), words.console(), keep=keep_sandbox) else 1)
    if example == "d2c":
        from reverse_etl.cli.demo_d2c import play

        raise typer.Exit(0 if play(Path("d2c"), words.console(), keep=keep_sandbox) else 1)
    from reverse_etl.cli.demo_sandbox import start_sandbox
    from reverse_etl.config.loader import load_project
    from reverse_etl.demo.shop import create_shop
    from reverse_etl.state.home import Home

    console = words.console()
    os.environ.update(dict.fromkeys(CREDENTIALS, "sandbox"))
    write_missing("syncs", syncs, console)
    project = load_project(syncs)
    shop, workspace = _shipped(project)
    home = Home.from_environment(syncs)
    create_shop(shop)
    say(console, f"Made the shop: {words.place(shop)}")
    sandbox = start_sandbox(home, workspace)
    kept = False
    try:
        say(console, f"Started the workspace, a sandbox: {sandbox.url}")
        acts = _Acts(project, syncs, home, shop, sandbox.url, console)
        acts.play()
        kept = keep_sandbox
    finally:
        if kept:
            sandbox.hand_over()
        else:
            sandbox.stop()
    _what_next(acts, sandbox, kept=keep_sandbox)
    raise typer.Exit(0 if acts.as_it_must else 1)


def _shipped(project: ProjectConfig) -> tuple[Path, WorkspaceConfig]:
    """The shop's file and the workspace, of the shipped syncs and no others."""
    from reverse_etl.demo.shop import ENGINE
    from reverse_etl.destinations.customerio.workspace import WorkspaceConfig
    from reverse_etl.sandbox.settings import is_loopback

    missing = [name for name in SHIPPED if name not in project.syncs]
    if missing:
        raise ConfigError(
            f"the demo runs {' and '.join(SHIPPED)}, and {project.directory} has no sync {' and no '.join(missing)}.",
            hint="Run it in an empty folder: it writes its syncs there.",
        )
    sync = project.syncs["customers"]
    database, workspace = project.databases[sync.database], project.destinations[sync.destination]
    found = workspace if isinstance(workspace, WorkspaceConfig) else None
    host = urlsplit(found.track_base_url()).hostname if found is not None else None
    if found is None or database.type != ENGINE or not is_loopback(host or ""):
        raise ConfigError(
            "the demo only uses an SQLite file and a sandbox on this machine, and the connections are others.",
            hint="Run it in an empty folder: it writes its own connections there.",
        )
    shop: Path = getattr(database, "path")  # noqa: B009 - every SQLite database has one
    return shop, found


@dataclass(slots=True)
class _Acts:
    """What the demo shows, one run after the other.

    Attributes:
        failed_run: The one with failed rows; None before the first act.
        as_it_must: Whether each run ended, and the sandbox was filled, as it must be.
    """

    project: ProjectConfig
    syncs: Path
    home: Home
    shop: Path
    url: str
    console: Console
    failed_run: RunReport | None = None
    as_it_must: bool = True

    def play(self) -> None:
        """All runs."""
        from reverse_etl.demo.expected import expected
        from reverse_etl.demo.shop import mend, touch

        self._title("1. Everything: the companies, then the customers, some of them bad on purpose")
        self._run("companies", "completed")
        self.failed_run = self._run("customers", "some_rows_failed")
        self._show_failed_rows(self.failed_run)
        self._compare(expected(self.shop), "the shop's good rows")

        self._title("2. The bad rows are corrected in the shop")
        mend(self.shop)
        say(self.console, "Last sync time has stayed where it was, so the next run reads the failed rows again.")
        self._run("customers", "completed")

        self._title("3. Three customers buy something")
        touch(self.shop, CHANGED)
        say(
            self.console,
            "The run before has completed, so the next one reads what has changed since, and in the minutes before, "
            "as a row may become visible late.",
        )
        self._run("customers", "completed", full=False, rows=CHANGED)
        self._compare(expected(self.shop), "the shop")

    def _title(self, words_of_title: str) -> None:
        self.console.print()
        say(self.console, words_of_title, style="bold")

    def _run(self, name: str, status: str, *, full: bool = True, rows: int | None = None) -> RunReport:
        """Runs a sync; ``full`` is what a first run is, and what one is after runs of an earlier demo."""
        from reverse_etl.changeset.scope import Scope
        from reverse_etl.cli.commands.run import execute, show
        from reverse_etl.state.store import open_store
        from reverse_etl.state.syncs import last_sync_time

        full = full and last_sync_time(open_store(self.home.state_url), name) > 0
        self.console.print()
        print_line(self.console, words.text(f"$ reverse-etl run {name}{' --full' if full else ''}", "bold"))
        report = execute(self.project.syncs[name], self.syncs, scope=Scope(full=full))
        show(report, self.console)
        if report.status is Status.CANCELED:
            raise KeyboardInterrupt
        self.as_it_must &= report.status == status and rows in (None, report.rows.extracted)
        return report

    def _show_failed_rows(self, report: RunReport) -> None:
        from itertools import islice

        from reverse_etl.state.failures import failed_rows_of_run
        from reverse_etl.state.store import open_store

        table = Rows(("row", "query", "reason", "what is wrong"), numbers=("row",), below="what is wrong")
        for row in islice(failed_rows_of_run(open_store(self.home.state_url), report.run_id), FAILED_ROWS_SHOWN):
            table.add(f"{row.row_number:,}", row.query, row.why.reason, row.why.message)
        self.console.print()
        table.show(self.console)

    def _compare(self, must: Expected, with_what: str) -> None:
        """Looks into the sandbox by its own window and compares it with the shop."""
        self.console.print()
        for name, arrived, wanted in _arrived(self.url, must):
            same = arrived == wanted
            self.as_it_must &= same
            verdict = (
                words.text("equal to", "green") if same else words.text(f"not equal to the {len(wanted):,} of", "red")
            )
            line = words.text(f"In the sandbox: {len(arrived):,} {name}, ").append_text(verdict)
            say(self.console, line.append(f" {with_what}"))


def _arrived(url: str, must: Expected) -> Iterator[tuple[str, Any, Any]]:
    """What is in the sandbox, and what must be: of each kind its name and both."""
    import httpx

    def seen(what: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = httpx.get(f"{url}/_sandbox/{what}", timeout=60, trust_env=False).json()
        return rows

    people = {person["id"]: _attributes(person) for person in seen("people")}
    yield "people", people, must.people
    yield "companies", {row["object_id"]: row["attributes"] for row in seen("objects")}, must.companies
    related = {(row["person"]["id"], row["object_id"]): row["attributes"]["role"] for row in seen("relationships")}
    yield "relationships", related, must.relationships
    members = {member["id"] for segment in seen("segments") for member in segment["people"]}
    yield "members of Shop customers", members, set(must.people)


def _attributes(person: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in person["attributes"].items() if key != "id"}
    return own | ({"email": person["email"]} if person.get("email") else {})


def _what_next(acts: _Acts, sandbox: DemoSandbox, *, kept: bool) -> None:
    """What to look at, as commands that work when they are typed one after the other."""
    from reverse_etl.cli.demo_sandbox import ADDRESSES

    console = acts.console
    console.print()
    say(console, "Next, in this folder", style="bold")
    console.print()
    bin_folder = Path(sys.executable).parent
    if shutil.which("reverse-etl") is None and (bin_folder / "activate").exists():
        _command(console, f". {words.place(bin_folder / 'activate')}")
    for name in CREDENTIALS:
        _command(console, f"export {name}=sandbox")
    for name in ADDRESSES:
        if name in os.environ:
            _command(console, f"export {name}={os.environ[name]}")
    if not kept:
        _command(console, f"reverse-etl sandbox --port {urlsplit(sandbox.url).port}", "in another terminal")
    run = acts.failed_run.run_id[:8] if acts.failed_run else ""
    _command(console, "reverse-etl status", "each sync, its last and next run")
    _command(console, f"reverse-etl errors customers --run {run}", "why rows failed")
    _command(console, "reverse-etl preview companies --full", "what a run would send")
    _command(console, "reverse-etl ui", "the Syncs page, and Dagster: http://127.0.0.1:3000")
    if kept:
        console.print()
        say(console, f"The workspace: {sandbox.url} (it ends after an hour without a request)")


def _command(console: Console, command: str, purpose: str = "") -> None:
    line = f"  {command:44}  {purpose}".rstrip()
    if len(line) > console.width:
        line = f"  {command}\n      {purpose}"
    print_line(console, words.text(line))
