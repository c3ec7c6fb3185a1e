"""``test``: the tests that syncs have of their own, without a database, a destination or a secret."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder, sync_named, sync_names
from reverse_etl.cli.tables import Rows, say
from reverse_etl.counted import counted
from reverse_etl.errors import SOME_ROWS_FAILED_EXIT_CODE, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from reverse_etl.config.sync_tests import SyncTest
    from reverse_etl.config.syncs import ProjectConfig, SyncConfig
    from reverse_etl.run.expected import Difference
    from reverse_etl.run.sync_tests import Tried

EXAMPLES: Final = ("test", "test customers -k refund --junit report.xml")

_LONGEST: Final = 400
"""Characters of a value."""

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="SYNC", help="Only these syncs.", show_default=False, autocompletion=sync_names),
]


def test(
    sync: Names = None,
    syncs: SyncsFolder = Path("syncs"),
    having: Annotated[
        str, typer.Option("-k", metavar="WORDS", help="Only tests with these words in their name, in any case.")
    ] = "",
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report, which CI systems show.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the syncs' own tests: given rows, expected operations. No database is read and nothing is sent.

    Exits with 7 where a test fails, and with 2 where a file has a problem or there is no test to run.
    """
    from reverse_etl.config.loader import load_project

    project = load_project(syncs)
    chosen = _chosen(project, list(dict.fromkeys(sync or ())), having)
    at, begun = datetime.now(UTC), time.monotonic()
    from reverse_etl.run.sync_tests import run_tests

    results = list(run_tests(project, chosen))
    duration_s = time.monotonic() - begun
    if junit is not None:
        _write(junit, results, at)
    if as_json:
        words.print_json([each.as_json() for each in results])
    else:
        _show(results, words.console())
    failed = sum(not each.passed for each in results)
    people = words.console(stderr=True)
    if failed:
        say(people, f"{failed:,} of {counted(len(results), 'test')} failed, in {duration_s:.2f} s.", style="bold red")
        raise typer.Exit(SOME_ROWS_FAILED_EXIT_CODE)
    say(people, f"{counted(len(results), 'test')} passed, in {duration_s:.2f} s.", style="bold green")


def _chosen(project: ProjectConfig, names: Sequence[str], having: str) -> list[tuple[SyncConfig, SyncTest]]:
    """The tests to run. Raises ConfigError where there are none."""
    syncs = [sync_named(project, name) for name in names] or list(project.syncs.values())
    found = [(sync, test) for sync in syncs for test in sync.tests]
    chosen = [(sync, test) for sync, test in found if having.casefold() in test.name.casefold()]
    where = ", ".join(names) or str(project.directory)
    if not found:
        raise ConfigError(f"there are no tests in {where}.", hint="Add some under `tests:` in a sync's file.")
    if not chosen:
        raise ConfigError(
            f"no test in {where} has {having!r} in its name.",
            hint=f"Leave out -k to run {counted(len(found), 'test')}.",
        )
    return chosen


def _write(file: Path, results: Sequence[Tried], at: datetime) -> None:
    from reverse_etl.cli.junit import junit
    from reverse_etl.files.private import replacing

    try:
        with replacing(file) as written:
            written.write(junit(results, at=at))
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be written: {error.strerror}.", hint="Name a file in a folder that exists after --junit."
        ) from None


def _show(results: Sequence[Tried], console: Console) -> None:
    for each in results:
        if each.passed:
            continue
        say(console, words.text("FAILED", "bold red").append(f"  {each.sync}: {each.name}"), indent=" " * 8)
        say(console, f"        {each.where}", indent=" " * 8)
        if each.error:
            say(console, f"  {each.error}", indent="  ")
        else:
            _differences(each.differences).show(console)
        console.print()
    table = Rows(("sync", "tests", "passed", "failed"), numbers=("tests", "passed", "failed"))
    for sync in dict.fromkeys(each.sync for each in results):
        of = [each for each in results if each.sync == sync]
        passed = sum(each.passed for each in of)
        table.add(sync, f"{len(of):,}", f"{passed:,}", words.text(f"{len(of) - passed:,}", "red" * (passed < len(of))))
    table.show(console)


def _differences(found: Sequence[Difference]) -> Rows:
    """What was expected and found, side by side; the keys of one operation under it."""
    table, above = Rows(("", "expected", "found")), ""
    for each in found:
        if each.key and each.where != above:
            table.add(each.where, "", "")
        above = each.where if each.key else ""
        where = f"  {each.key}" if each.key else each.where
        table.add(where, words.value(each.expected, _LONGEST), words.value(each.found, _LONGEST))
    return table
