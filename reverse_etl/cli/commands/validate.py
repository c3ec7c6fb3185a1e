"""``reverse-etl validate``: every problem in every file. Needs no secrets, no network and no Dagster."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reverse_etl.cli.project import SyncsFolder, require_named, sync_names
from reverse_etl.cli.tables import Rows, say
from reverse_etl.counted import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reverse_etl.config.inspection import Inspection
    from reverse_etl.config.left_out import LeftOut
    from reverse_etl.config.problems import Problem
    from reverse_etl.config.sync_file import SyncFile
    from reverse_etl.config.syncs import ProjectConfig, SyncConfig

EXAMPLES: Final = ("validate", "validate customers --json")

_MOST_LINES = 40
"""Of a summary that is still short; syncs asked for by name are always shown."""

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SYNC", help="Only these syncs, and what they use.", show_default=False, autocompletion=sync_names
    ),
]
AsProblems = Annotated[bool, typer.Option("--json", help="Print the problems as JSON on stdout.")]


def validate(sync: Names = None, syncs: SyncsFolder = Path("syncs"), as_json: AsProblems = False) -> None:
    """Check every file and print every problem, one line each; exits with 2 when there are any.

    Problems and warnings go to stdout, the summary to stderr. With names, only what concerns those syncs is printed and
    counted; how many problems other files have is on stderr, with the syncs that they leave out. Where
    connections.yaml has targets and none is chosen, the files are checked for each of them.
    """
    from reverse_etl.cli import words
    from reverse_etl.config.loader import inspect_project
    from reverse_etl.config.problems import lines
    from reverse_etl.config.targets import chosen_target, targets
    from reverse_etl.errors import ConfigError

    names = list(dict.fromkeys(sync or ()))
    problems: list[Problem] = []
    warnings: list[Problem] = []
    others: set[Problem] = set()
    checked = [chosen] if (chosen := chosen_target()) else targets(syncs)
    for target in checked or [""]:
        found = inspect_project(syncs, target)
        for name in names:
            require_named(found.syncs, name, str(syncs))
        of_target = found.concerning(names) if names else (found.problems, found.warnings)
        problems += of_target[0]
        warnings += of_target[1]
        others |= {*found.problems} - {*of_target[0]}
        warnings += _due_together(found, names or found.configs)
        warnings += _numbers_for_times(found, names or found.configs)
    problems += _secret_problems([found.syncs[name] for name in names or found.syncs])
    if as_json:
        words.print_json(
            [_as_json(problem, "error") for problem in sorted(set(problems))]
            + [_as_json(problem, "warning") for problem in sorted(set(warnings))]
        )
    else:
        out = words.console()
        for line in lines(problems):
            say(out, line, indent="  ")
        for line in lines(warnings):
            say(out, f"warning: {line}", style="yellow", indent="  ")
    people = words.console(stderr=True)
    if problems:
        count = len(set(problems))
        say(people, f"{counted(count, 'problem')} found.", style="bold red")
        _say_left_out(people, others, found.left_out)
        raise typer.Exit(ConfigError.exit_code)
    if as_json:
        _say_left_out(people, others, found.left_out)
        return
    if checked and not chosen:
        say(people, f"Checked for each target: {', '.join(checked)}.", style="bold")
    if found.project is None:
        say(people, f"{', '.join(names)}: no problems.", style="bold green")
        _say_left_out(people, others, found.left_out)
    else:
        _print_table(people, found.project, [found.project.syncs[name] for name in names or found.project.syncs])


def _say_left_out(people: Any, others: set[Problem], left_out: Mapping[str, LeftOut]) -> None:
    """Problems of files of which nothing was asked, and the syncs that all problems keep from running."""
    from reverse_etl.config.left_out import SEE_ALL, named

    if others:
        say(people, f"{counted(len(others), 'problem')} in other files. {SEE_ALL}", style="bold red")
    if left_out:
        say(people, named(left_out))


def _due_together(found: Inspection, names: Iterable[str]) -> Iterator[Problem]:
    """Syncs that are skipped again and again, for others of their workspace are due in the same minute."""
    from reverse_etl.config.contracts import quoted
    from reverse_etl.config.problems import problem_at
    from reverse_etl.schedule.same_minute import same_minute

    shared = same_minute(found.configs)
    for name in names:
        if (each := shared.get(name)) is not None:
            sync, file = found.configs[name], found.syncs[name]
            text = (
                f"is due in the same minute as {quoted(each.others)}, and {sync.PLACE} {sync.destination} has one run "
            )
            text += f"at a time: {each.in_words} happen, the others are skipped; start it in a minute of its own "
            text += "(`start_at`, or the first field of `cron`), or let it wait (`overlap: wait`)"
            yield problem_at(file.file, file.document, ("schedule",), text)


def _numbers_for_times(found: Inspection, names: Iterable[str]) -> Iterator[Problem]:
    """Texts that are compared with last sync time as it is, as far as a file beside the syncs shows."""
    from reverse_etl.changeset.number_for_time import number_for_time
    from reverse_etl.config.connections import FileConfig
    from reverse_etl.config.number_filters import number_filters
    from reverse_etl.config.problems import problem_in_text
    from reverse_etl.errors import ReverseEtlError
    from reverse_etl.sources import connect, dialect

    if found.project is None:
        return
    for name in names:
        sync, file = found.configs[name], found.syncs[name]
        database = found.project.databases[sync.database]
        if not isinstance(database, FileConfig) or not database.path.is_file():
            continue
        of = dialect(database)
        if not of.compares_anything or not any(number_filters(stream.query, of) for stream in sync.streams):
            continue
        try:
            with connect(database) as session:
                for stream, line, text in number_for_time(sync.streams, session, of):
                    yield problem_in_text(file.file, file.document, stream.at, line, text)
        except ReverseEtlError:
            # What keeps a database from being read is for test-connection.
            continue


def _secret_problems(syncs: list[SyncFile]) -> list[Problem]:
    """What runs of syncs that compare would end with here, before they read."""
    from reverse_etl.changes.secret import from_variable
    from reverse_etl.config.problems import problem_at
    from reverse_etl.errors import ConfigError

    try:
        from_variable()
    except ConfigError as error:
        text = error.message.removesuffix(".")
    else:
        return []
    changes = [(sync, sync.document.values.get("changes")) for sync in syncs]
    comparing = [sync for sync, each in changes if isinstance(each, dict) and each.get("by") in ("compare", "log")]
    return [problem_at(sync.file, sync.document, ("changes", "by"), text) for sync in comparing]


def _print_table(people: Any, project: ProjectConfig, shown: list[SyncConfig]) -> None:
    table = Rows(("sync", "rows are", "from", "to", "when", "checks"), numbers=("checks",))
    for sync in shown:
        kind = " + ".join((sync.kind, *(stream.name for stream in sync.streams[1:])))
        table.add(sync.name, kind, sync.database, sync.destination, _when(sync), str(len(sync.checks)))
    if shown and (len(shown) <= _MOST_LINES or len(shown) < len(project.syncs)):
        table.show(people)
    kinds = Counter(each.label.split()[0] for each in project.destinations.values())
    counts = {"sync": len(project.syncs), "database": len(project.databases), **(kinds or {"workspace": 0})}
    summary = ", ".join(counted(count, word) for word, count in counts.items())
    say(people, f"{summary}: no problems.", style="bold green")


def _as_json(problem: Problem, severity: str) -> dict[str, Any]:
    """One entry of ``--json``; line 0 is the file as a whole."""
    return {
        "file": problem.file,
        "line": problem.line,
        "key": problem.key,
        "message": problem.text,
        "severity": severity,
    }


def _when(sync: SyncConfig) -> str:
    from reverse_etl.config.intervals import format_interval

    schedule = sync.schedule
    if schedule.after:
        latest = f", every {format_interval(schedule.every)} at the latest" if schedule.every is not None else ""
        return f"after {' and '.join(schedule.after)}{latest}"
    if schedule.cron is not None:
        return schedule.cron
    if schedule.every is None:
        return "manual"
    start = f" from {schedule.start_at:%Y-%m-%dT%H:%MZ}" if schedule.start_at is not None else ""
    return f"every {format_interval(schedule.every)}{start}"
