"""Every kind of error with a message that was really provoked, the exit codes, and what a failed row can say."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, chdir
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from inspect import getdoc
from pathlib import Path
from typing import Final
from unittest import mock

from reverse_etl import errors
from reverse_etl.config.inline import parse_destination
from reverse_etl.config.loader import load_project
from reverse_etl.pacing.retry import BUDGET_VARIABLE, RetryPolicy
from reverse_etl_tests.project import CREDENTIALS, SHOP, Project, fill, people

_CODES: Final = {
    0: "completed: every row delivered, or left out by your own choice",
    2: "configuration; also a command that was typed wrongly, or a name in a sync's file that the destination does not "
    "have: a table, column, object, field, list, channel, cohort, segment",
    6: "state, or skipped because another run has the workspace",
    errors.SOME_ROWS_FAILED_EXIT_CODE: "some rows failed, the others were delivered",
    130: "interrupted: Ctrl-C",
}
"""What an error's class does not say alone."""

_FAMILIES: Final = {
    1: "a defect of reverse-etl, or an alert that could not be sent",
    3: "the source: the database, its login or the query",
    4: "stopped by a check: nothing was sent",
    5: "the destination: its credentials, rights and limits, or no answer",
}

REASONS: Final = (
    ("`transform`", "`transform_failed`", "The function failed for the row, or what it returned cannot be sent."),
    (
        "`transform`",
        "`integer_too_large`",
        "JavaScript would round a whole number of the row: select it as text.",
    ),
    ("`columns`", "`not_convertible`", "A value does not become what `as` asks for."),
    ("`check`", "a rule's name, see [Checks](checks.md)", "The row broke a rule and was not sent."),
    (
        "the destination's type, such as `customerio`",
        "the destination's own word, such as `invalid`",
        "The destination refused the row.",
    ),
    ("`delivery`", "`stopped`", "The run stopped before the row had an answer; the next run sends it again."),
    ("`delivery`", "`canceled`", "The run was canceled before the row had an answer; the next run sends it again."),
    (
        "`delivery`",
        "`unauthorized`",
        "The destination refused the credentials, or they lack a scope; the next run sends the row again.",
    ),
    ("`delivery`", "`unavailable`", "The destination gave no usable answer; the next run sends the row again."),
    ("`delivery`", "`calls_used_up`", "The calls of the day were used up; the next run sends the row again."),
    ("`delivery`", "`destination_refused`", "The destination lets no row through; the run's message says why."),
    (
        "`delivery`",
        "`in_doubt`",
        "The row was sent, and its answer was lost. It is not sent again by itself; the message says what to do.",
    ),
    ("`delivery`", "`item_too_large`", "The row makes an item that is larger than the destination takes."),
    ("`delivery`", "`unknown_object_type`", "The workspace has no object type of this number."),
    ("`read_back`", "what Customer.io's activity log says", "Customer.io accepted the row and did not apply it."),
)
"""``stage`` and ``reason`` of failed rows, and what they mean."""


@dataclass(frozen=True, slots=True)
class Example:
    """One kind of error: its class, what it means, and a message."""

    name: str
    exit_code: int
    meaning: str
    message: str


def exit_codes() -> dict[int, str]:
    """Every exit code of a command, in words."""
    codes = {kind.exit_code for kind in kinds()}
    return dict(sorted({**{code: _FAMILIES.get(code, "") for code in codes}, **_CODES}.items()))


def kinds() -> list[type[errors.ReverseEtlError]]:
    """The public errors that nothing is derived from: those that are raised."""
    found = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ReverseEtlError)
    ]
    grouping = (errors.ReverseEtlError, errors.SourceError, errors.DestinationError)
    # Some have a second name.
    return [kind for kind in dict.fromkeys(found) if kind not in grouping]


@cache
def examples() -> tuple[Example, ...]:
    """Every kind of error, in the order of ``reverse_etl.errors``."""
    with tempfile.TemporaryDirectory() as folder:
        return tuple(_example(kind, Path(folder) / kind.__name__, folder) for kind in kinds())


def _example(kind: type[errors.ReverseEtlError], folder: Path, hidden: str) -> Example:
    project = Project(folder)
    project.connections(SHOP)
    project.write("customers.yaml", people())
    fill(folder / "shop.db", [("1", "ann@example.com", "free")])
    with mock.patch.dict(os.environ, {**CREDENTIALS, "REVERSE_ETL_HOME": str(folder / "home")}):
        try:
            PROVOKED[kind](project)
        except kind as error:
            said = str(error)
        else:
            raise AssertionError(f"{kind.__name__} was not raised")
    said = said.replace(f"{hidden}/{folder.name}/", "").replace(hidden, "…")
    said = re.sub(r"\d\d:\d\d:\d\d UTC", "01:30:00 UTC", said)
    return Example(kind.__name__, kind.exit_code, " ".join((getdoc(kind) or "").split("\n\n")[0].split()), said)


def _config(project: Project) -> None:
    with mock.patch.dict(os.environ, {BUDGET_VARIABLE: "soon"}):
        RetryPolicy.from_environment()


def _problems(project: Project) -> None:
    project.write("customers.yaml", people().replace("database: shop", "databse: shop"))
    with chdir(project.folder):
        load_project(Path("syncs"))


def _unset(project: Project) -> None:
    del os.environ["CUSTOMERIO_SITE_ID"]
    project_file = load_project(project.folder / "syncs")
    project_file.destinations["main"].site_id.resolve()


def _driver(project: Project) -> None:
    from reverse_etl.sources import connect

    project.connections("  shop:\n    type: postgres\n    host: db.internal\n    database: shop\n    user: reader\n")
    with (
        mock.patch.dict(sys.modules, {"psycopg": None}),
        connect(load_project(project.folder / "syncs").databases["shop"]),
    ):
        pass


def _unavailable_source(project: Project) -> None:
    from reverse_etl.sources import connect

    (project.folder / "shop.db").unlink()
    with connect(load_project(project.folder / "syncs").databases["shop"]):
        pass


def _query(project: Project) -> None:
    from reverse_etl.sources import connect

    with connect(load_project(project.folder / "syncs").databases["shop"]) as session:
        list(session.stream("SELECT id FROM custmers"))


def _stopped(project: Project) -> None:
    project.write("customers.yaml", people(more="checks:\n  - row_count: {min: 100}\n"))
    _fail(project)


def _unauthorized(project: Project) -> None:
    from reverse_etl_tests.servers.sandbox import running_sandbox

    with running_sandbox() as sandbox, mock.patch.dict(os.environ, {"CUSTOMERIO_SITE_ID": "another"}):
        _ask(sandbox.url, "/api/v1/accounts/region")


def _used_up(project: Project) -> None:
    from reverse_etl.destinations.hubspot.client import opened
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience
    from reverse_etl_tests.servers.saas import running_standin

    references = {"type": "hubspot", "access_token": "${HUBSPOT_ACCESS_TOKEN}"}

    async def ask(url: str) -> None:
        config = parse_destination("crm", {**references, "url": url})
        async with opened(config, Clock()) as client:
            await client.who_is_there(Patience.of_run(config.label, None))

    os.environ["HUBSPOT_ACCESS_TOKEN"] = "sandbox"
    with running_standin("hubspot") as standin:
        standin.faults({"do": {"own": "daily_limit"}})
        asyncio.run(ask(standin.url))


def _refused(project: Project) -> None:
    from reverse_etl.destinations.customerio.destination import open_destination
    from reverse_etl_tests.servers.sandbox import running_sandbox

    async def prepare() -> None:
        async with open_destination(loaded.syncs["customers"], loaded.destinations["main"]) as destination:
            await destination.prepare()

    with running_sandbox() as sandbox:
        project.connections(SHOP, sandbox.url)
        connections = project.folder / "syncs" / "connections.yaml"
        connections.write_text(connections.read_text().replace("site_id:", "region: eu\n    site_id:", 1))
        loaded = load_project(project.folder / "syncs")
        asyncio.run(prepare())


def _unavailable(project: Project) -> None:
    _ask("http://127.0.0.1:9", "/api/v1/accounts/region")


def _state(project: Project) -> None:
    from reverse_etl.state.store import open_store

    open_store("mysql://localhost/state")


def _busy(project: Project) -> None:
    from reverse_etl.run.attend import attend
    from reverse_etl.run.record import SyncRun
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store

    home = Home.from_environment()
    store = open_store(home.state_url)
    sync = load_project(project.folder / "syncs").syncs["customers"]
    with ExitStack() as runs:
        for run_id in ("1f0e6d0c", "2a4b7c11"):
            runs.enter_context(attend(SyncRun(sync, run_id, run_id, home, store, datetime.now(UTC))))


def _alert(project: Project) -> None:
    from reverse_etl.notify.sending import send_test

    connections = project.folder / "syncs" / "connections.yaml"
    connections.write_text(connections.read_text() + 'notify:\n  on_call: {type: webhook, url: "${ON_CALL_URL}"}\n')
    os.environ["ON_CALL_URL"] = "http://127.0.0.1:9/alerts"
    if warning := send_test(load_project(project.folder / "syncs").notify["on_call"]):
        raise errors.AlertNotSentError(warning)


def _ask(url: str, path: str) -> None:
    from reverse_etl.destinations.customerio.client import Client
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience

    references = {"site_id": "${CUSTOMERIO_SITE_ID}", "track_api_key": "${CUSTOMERIO_TRACK_API_KEY}", "track_url": url}

    async def ask() -> None:
        async with Client(parse_destination("main", references)) as client:
            once = Patience(RetryPolicy(budget_s=0), name="workspace main", clock=Clock())
            await once.until_settled(lambda: client.ask("Track", "GET", path))

    asyncio.run(ask())


def _fail(project: Project) -> None:
    """Runs the sync up to its checks, as a run does, and raises what ended it."""
    from reverse_etl.run.attend import attend
    from reverse_etl.run.record import SyncRun
    from reverse_etl.run.stages import extract_changeset, validate_changeset
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store

    home, loaded = Home.from_environment(), load_project(project.folder / "syncs")
    run = SyncRun(
        loaded.syncs["customers"], "1f0e6d0c", "1f0e6d0c", home, open_store(home.state_url), datetime.now(UTC)
    )
    with attend(run):
        extract_changeset(run, loaded.databases["shop"])
        validation = validate_changeset(run)
    raise errors.CheckFailedError(validation.stopped, hint=validation.let_pass)


PROVOKED: Final[dict[type[errors.ReverseEtlError], Callable[[Project], None]]] = {
    errors.ConfigError: _config,
    errors.ConfigProblemsError: _problems,
    errors.UnsetVariableError: _unset,
    errors.MissingDriverError: _driver,
    errors.SourceUnavailableError: _unavailable_source,
    errors.QueryError: _query,
    errors.CheckFailedError: _stopped,
    errors.UnauthorizedError: _unauthorized,
    errors.DestinationUnavailableError: _unavailable,
    errors.CallsUsedUpError: _used_up,
    errors.DestinationRefusedError: _refused,
    errors.StateError: _state,
    errors.AlertNotSentError: _alert,
    errors.WorkspaceBusyError: _busy,
}
