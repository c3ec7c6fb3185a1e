"""``history``: the past runs of one sync. Also how ``history`` and ``errors`` find a sync that is remembered."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder, require_named, sync_names
from reverse_etl.cli.tables import Rows, say
from reverse_etl.exclusions import in_words
from reverse_etl.warned import in_short

if TYPE_CHECKING:
    from reverse_etl.report import RunReport
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store

EXAMPLES: Final = ("history customers", "history customers --key 42")

_LONGEST: Final = 30
"""Characters of a value in a table."""


def history(
    sync: Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)],
    syncs: SyncsFolder = Path("syncs"),
    limit: Annotated[int, typer.Option(min=1, help="At most this many runs, the newest first.")] = 20,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="ID", help="Show what runs changed of this row (needs changes.keep)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the past runs of a sync, skipped ones included; or what they changed in one row."""
    from reverse_etl.state.home import Home
    from reverse_etl.state.run_history import list_runs
    from reverse_etl.state.store import open_store
    from reverse_etl.state.workspace_lease import end_lost

    if key is not None and not key.strip():
        raise typer.BadParameter("an identifier is not empty.", param_hint="--key")
    home = Home.from_environment(syncs)
    store = open_store(home.state_url)
    if key:
        _show_key(sync, syncs, key, home, store, limit=limit, as_json=as_json)
        return
    end_lost(store)
    require_known(store, sync, syncs)
    runs = list_runs(store, sync, limit=limit)
    if as_json:
        words.print_json([run.as_json() for run in runs])
    elif runs:
        _show(runs, datetime.now(UTC))
    else:
        say(words.console(), no_runs(sync, syncs))


def _show_key(sync: str, syncs: Path, key: str, home: Home, store: Store, *, limit: int, as_json: bool) -> None:
    from reverse_etl.config.loader import inspect_project
    from reverse_etl.config.problems import lines
    from reverse_etl.errors import ConfigProblemsError
    from reverse_etl.run.key_history import history_of_key

    files = inspect_project(syncs)
    require_named(files.syncs, sync, str(syncs.expanduser().absolute()))
    if sync not in files.configs:
        raise ConfigProblemsError(lines(files.concerning([sync])[0] or files.problems))
    found = history_of_key(files.configs[sync], home, store, key)[:limit]
    if as_json:
        words.print_json([asdict(each) for each in found])
    elif not found:
        say(words.console(), f"{sync} has acknowledged no row with this identifier, as far as values are kept.")
    else:
        table = Rows(("run", "acknowledged (UTC)", "attribute", "before", "after"))
        kinds = {each.of for each in found if each.stream == "rows"}
        for each in found:
            of = f"{each.stream} {each.of}: " if each.stream != "rows" or len(kinds) > 1 else ""
            if each.removed or not each.attributes:
                what = "removed" if each.removed else "added"
                table.add(each.run_id[:8], words.minute(words.at_unix(each.at)), f"{of}{what}", "", "")
            for name, (old, new) in each.attributes.items():
                before, after = old or "", new or "not known"
                shown = (words.value(text, _LONGEST) for text in (f"{of}{name}", before, after))
                table.add(each.run_id[:8], words.minute(words.at_unix(each.at)), *shown)
        table.show(words.console())


def require_known(store: Store, sync: str, syncs: Path) -> None:
    """Makes sure that a sync exists: it has runs, though its file may be gone or broken, or it has a file.

    Raises:
        ConfigError: There is no such sync; the hint has the nearest name.
    """
    from reverse_etl.state.run_history import latest_run

    if latest_run(store, sync) is None:
        from reverse_etl.config.loader import inspect_project

        require_named(inspect_project(syncs).syncs, sync, str(syncs.expanduser().absolute()))


def no_runs(sync: str, syncs: Path) -> str:
    """The sentence for a sync that has not run, and whether it can now."""
    from reverse_etl.config.folder_now import folder_now

    when = "once the files are mended, " if sync in folder_now(syncs).read().left_out else ""
    return f"{sync} has not run yet: {when}start it with `reverse-etl run {sync}`."


def _show(runs: list[RunReport], now: datetime) -> None:
    left_out = tuple(name for name in ("unchanged", "excluded") if any(getattr(run.read, name) for run in runs))
    removed = ("removed",) if any(run.gone.extracted for run in runs) else ()
    found = ("new", "changed") if any(run.added is not None for run in runs) else ()
    counted = ("read", "delivered", *removed, "failed", *found, *left_out)
    columns = ("run", "started (UTC)", "status", "took", *counted, "message")
    extras, whole = (*left_out, *found, "took"), ("started (UTC)", "took")
    table = Rows(columns, numbers=("took", *counted), below="message", extras=extras, whole=whole)
    for run in runs:
        total, read = run.total, run.read
        removals = (run.gone.delivered,) if removed else ()
        table.add(
            run.run_id[:8] if run.status != "skipped" else "",
            f"{words.from_now(run.started_at, now)}\n{words.minute(run.started_at)}",
            words.status_text(run.status.value),
            f"{run.duration_s:.1f} s" if run.duration_s else "",
            *(f"{count:,}" for count in (read.extracted, read.delivered, *removals, total.failed)),
            *("" if count is None else f"{count:,}" for count in (run.added, run.changed) if found),
            *(f"{getattr(read, name):,}" for name in left_out),
            "\n".join(filter(None, (_read_from(run), run.message, _excluded(run), in_short(run.warnings)))),
        )
    table.show(words.console())


def _excluded(run: RunReport) -> str:
    """Why rows were left out, in one line."""
    return f"Excluded: {in_words(run.excluded_by)}." if run.excluded_by else ""


def _read_from(run: RunReport) -> str:
    return f"Read what changed since {words.clock(words.at_unix(run.read_from))}." if run.read_from else ""
