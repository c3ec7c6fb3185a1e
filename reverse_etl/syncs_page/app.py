"""The Syncs page as an ASGI application: which address shows what, and what happens when that cannot be seen."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from reverse_etl.config.left_out import SEE_ALL
from reverse_etl.errors import ConfigError, ReverseEtlError, StateError
from reverse_etl.report import Status
from reverse_etl.state.loaded import loaded
from reverse_etl.state.run_history import find_run, latest_run, list_runs, newest_ended
from reverse_etl.state.store import Store, open_store
from reverse_etl.syncs_page.addresses import Opened, own
from reverse_etl.syncs_page.error_pages import defect, failed, missing
from reverse_etl.syncs_page.frame import SHIPPED
from reverse_etl.syncs_page.guard import Forms, Guarded
from reverse_etl.syncs_page.left_out_status import LeftOutStatus, left_out_statuses
from reverse_etl.syncs_page.list_page import Asked, Everything, list_page, unknown_page
from reverse_etl.syncs_page.plans import Plans
from reverse_etl.syncs_page.run_page import failures_of, run_page
from reverse_etl.syncs_page.sync_page import IMPORTS, NO_ACTIONS, NO_DAGSTER, OneSync, sync_page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from reverse_etl.config.folder_now import FilesFound, SyncsFolder
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.report import RunReport
    from reverse_etl.run.planned import Plan
    from reverse_etl.state.home import Home
    from reverse_etl.syncs_page.actions import Actions
    from reverse_etl.syncs_page.in_progress import InProgress
    from reverse_etl.syncs_page.sync_status import SyncStatus

Look = Callable[[Mapping[str, "SyncConfig"]], tuple[Sequence["SyncStatus"], str]]
"""How these syncs are now, by name, and what could not be seen, a sentence; raises StateError."""

_CHARTED: Final = 40
"""The latest imports that charts show."""

_DONE: Final = {"pause": "paused", "resume": "resumed", "run": "started"}
_BEGINS_WITHIN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows, and how it is seen.

    Attributes:
        folder: The files.
        home: Where files lie.
        look: How syncs are.
        dagster: The address of Dagster's page; empty where there is none.
        actions: What may be done; None: nothing.
        plans: Whether a plan may be asked for.
        opened: Where people open the page.
        token: What they need to read it; empty for nothing.
        dagster_since: When Dagster was started together with the page; None where it is run otherwise.
    """

    folder: SyncsFolder
    home: Home
    look: Look
    dagster: str = ""
    actions: Actions | None = None
    plans: bool = True
    opened: Opened = field(default_factory=Opened)
    token: str = ""
    dagster_since: datetime | None = None


def syncs_page(shown: Shown) -> ASGIApp:
    """The application."""
    pages = _Pages(shown)
    routes = [
        Route("/", pages.all_syncs),
        *(Route(f"/{name}", _shipped) for name in SHIPPED),
        Route("/syncs/{sync}", pages.one_sync),
        Route("/syncs/{sync}/runs/{run}", pages.one_run),
        Route("/syncs/{sync}/runs/{run}/failed_rows.csv", pages.csv),
        Route("/syncs/{sync}/{action}", pages.act, methods=["POST"]),
    ]
    handlers = {ReverseEtlError: failed, HTTPException: missing, Exception: defect}
    return Guarded(Starlette(routes=routes, exception_handlers=handlers), shown.opened, shown.token)


class _Pages:
    """The pages over one folder of syncs; each request looks anew."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._forms = Forms()
        self._plans = Plans(self._make_plan)
        self._started: dict[str, tuple[str, datetime]] = {}

    def all_syncs(self, request: Request) -> Response:
        found, asked = self._shown.folder.read(), request.query_params
        folder = str(self._shown.folder.path)
        try:
            faulty = self._faulty(found, found.faulty)
            statuses, warning = self._look(found.syncs, found)
            gone = self._without_file([*found.syncs, *found.faulty])
        except StateError as error:
            return unknown_page(found, str(error), dagster=self._shown.dagster)
        everything = Everything(folder, statuses, faulty, found.problems, found.left_out, gone, warning)
        wanted = Asked(asked.get("find", "").strip(), asked.get("show", ""), _page(request))
        return list_page(everything, wanted, dagster=self._shown.dagster)

    def one_sync(self, request: Request) -> Response:
        name, page = request.path_params["sync"], _page(request)
        store, files_found = self._store(), self._shown.folder.read()
        config = files_found.syncs.get(name)
        if config is None and name not in files_found.faulty and latest_run(store, name) is None:
            raise _no_sync(name, [*files_found.syncs, *files_found.faulty])
        status = next(iter(self._look({name: config}, files_found)[0]), None) if config is not None else None
        imports = list_runs(store, name, limit=IMPORTS + 1, offset=(page - 1) * IMPORTS)
        latest = list_runs(store, name, limit=_CHARTED)
        running = next((run for run in latest if run.status is Status.RUNNING), None)
        failed = newest_ended(store, name)
        if failed is not None and failed.status is Status.COMPLETED:
            failed = None
        found = OneSync(
            name=name,
            status=status,
            faulty=next(iter(self._faulty(files_found, {name} & {*files_found.faulty})), None),
            problems=files_found.problems,
            left_out=files_found.left_out,
            gone=config is None and name not in files_found.faulty,
            imports=imports[:IMPORTS],
            latest=latest,
            page=page,
            more=len(imports) > IMPORTS,
            last_failed=(failed, failures_of(store, failed.run_id)) if failed is not None else None,
            csv=failed is not None and self._shown.home.has_failed_rows(name, failed.run_id),
            progress=self._progress(store, running) if running is not None else None,
            planned=self._plans.of(name),
            said=request.query_params.get("said", ""),
            started=self._not_begun(store, name),
            token=self._forms.token(request),
            actions=self._shown.actions,
            plans=self._shown.plans,
        )
        answer = sync_page(found, datetime.now(UTC), dagster=self._dagster(f"guess/{name}"))
        return self._forms.remember(request, answer)

    def one_run(self, request: Request) -> Response:
        store = self._store()
        run = _run(request, store)
        home = self._shown.home
        return run_page(
            store,
            run,
            datetime.now(UTC),
            dagster=self._dagster(f"runs/{run.run_id.partition('.')[0]}") if run.status is not Status.SKIPPED else "",
            csv=bool(run.failed_rows_csv) and home.has_failed_rows(run.sync, run.run_id),
            progress=self._progress(store, run) if run.status is Status.RUNNING else None,
        )

    def csv(self, request: Request) -> Response:
        # Where the file lies follows from what the history knows, not from the address.
        run = _run(request, self._store())
        kept = self._shown.home.fetch_failed_rows(run.sync, run.run_id) if run.failed_rows_csv else None
        if kept is None or not kept.is_file():
            raise HTTPException(404, "This import has no failed rows, or their file is no longer kept.")
        name = f"{run.sync}-{run.run_id[:8]}-failed_rows.csv"
        return FileResponse(kept, media_type="text/csv; charset=utf-8", filename=name)

    async def act(self, request: Request) -> Response:
        name, action = request.path_params["sync"], request.path_params["action"]
        if action != "plan" and action not in _DONE:
            raise HTTPException(404)
        if refused := await self._forms.refused(request):
            raise HTTPException(403, refused)
        return await run_in_threadpool(self._act, name, action)

    def _act(self, name: str, action: str) -> Response:
        found, actions = self._shown.folder.read(), self._shown.actions
        if name not in (known := [*found.syncs, *found.faulty]):
            raise _no_sync(name, known)
        if action == "plan":
            if not self._shown.plans:
                raise HTTPException(403, "No plan can be made here: `reverse-etl plan` makes one.")
            _refuse_if_left_out(found, name)
            self._plans.ask(name)
            return RedirectResponse(own(f"/syncs/{name}#plan"), 303)
        if actions is None:
            raise HTTPException(403, NO_ACTIONS)
        if action == "run":
            if actions.run is None:
                raise HTTPException(403, NO_DAGSTER)
            _refuse_if_left_out(found, name)
            self._started[name] = actions.run(name), datetime.now(UTC)
            return RedirectResponse(own(f"/syncs/{name}"), 303)
        (actions.pause if action == "pause" else actions.resume)(name)
        return RedirectResponse(own(f"/syncs/{name}?said={_DONE[action]}"), 303)

    def _look(self, syncs: Mapping[str, SyncConfig], found: FilesFound) -> tuple[Sequence[SyncStatus], str]:
        statuses, warning = self._shown.look(syncs)
        left_out, since = found.left_out, self._shown.dagster_since
        return [replace(each, left_out=left_out.get(each.sync.name), dagster_since=since) for each in statuses], warning

    def _faulty(self, found: FilesFound, names: Collection[str]) -> list[LeftOutStatus]:
        return left_out_statuses({name: found.left_out[name] for name in names}, self._store(), datetime.now(UTC))

    def _without_file(self, known: Sequence[str]) -> list[str]:
        with self._store().reading() as connection:
            return loaded(connection, datetime.now(UTC)).without_file(known)

    def _not_begun(self, store: Store, name: str) -> str:
        """Dagster's page of the run that was started here last, as long as the history has nothing of it."""
        run_id, at = self._started.get(name, ("", datetime.now(UTC)))
        if run_id and find_run(store, run_id) is None and datetime.now(UTC) - at < _BEGINS_WITHIN:
            return self._dagster(f"runs/{run_id}")
        self._started.pop(name, None)
        return ""

    def _make_plan(self, name: str) -> Plan:
        found = self._shown.folder.read()
        _refuse_if_left_out(found, name)
        project = found.project
        if project is None or name not in project.syncs:
            raise ConfigError(f"the file of {name} is gone.", hint="See the list of syncs.")
        from reverse_etl.changeset.scope import WHAT_CHANGED
        from reverse_etl.run.plan import make_plan

        sync = project.syncs[name]
        database, destination = project.databases[sync.database], project.destinations[sync.destination]
        scope = replace(WHAT_CHANGED, backfill=sync.backfills)
        try:
            return make_plan(sync, self._shown.home, self._store(), database, destination, scope=scope)
        except ReverseEtlError as error:
            error.located(sync.where)
            raise

    def _progress(self, store: Store, run: RunReport) -> InProgress:
        from reverse_etl.syncs_page.in_progress import in_progress

        return in_progress(self._shown.home, store, run)

    def _store(self) -> Store:
        return open_store(self._shown.home.state_url)

    def _dagster(self, path: str) -> str:
        return f"{self._shown.dagster}/{path}" if self._shown.dagster else ""


def _refuse_if_left_out(found: FilesFound, name: str) -> None:
    """Raises ConfigError while a faulty file leaves the sync out."""
    if (why := found.stopped(name)) is not None:
        raise ConfigError(f"{name} is left out: {why.why}", hint=SEE_ALL)


def _run(request: Request, store: Store) -> RunReport:
    run = find_run(store, request.path_params["run"])
    if run is None or run.sync != request.path_params["sync"]:
        raise HTTPException(404, "There is no such import, or it is no longer in the history.")
    return run


def _page(request: Request) -> int:
    given = request.query_params.get("page", "1")
    return min(max(int(given), 1), 1_000_000) if given.isdecimal() and len(given) < 9 else 1


def _no_sync(name: str, known: Sequence[str]) -> HTTPException:
    near = difflib.get_close_matches(name, known, n=1)
    return HTTPException(404, f"There is no sync named {name}.{f' Did you mean {near[0]}?' if near else ''}")


def _shipped(request: Request) -> Response:
    name = request.url.path.rpartition("/")[2]
    text = files("reverse_etl.syncs_page").joinpath(name).read_text(encoding="utf-8")
    return Response(text, media_type=SHIPPED[name])
