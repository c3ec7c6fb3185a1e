"""``doctor``: one report of what is installed, set and reachable here, to find a fault with or to attach to one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import SyncsFolder
from reverse_etl.cli.tables import say

EXAMPLES: Final = ("doctor", "doctor --json")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def doctor(syncs: SyncsFolder = Path("syncs"), as_json: AsJson = False) -> None:
    """Report versions, drivers, settings, files, state and Dagster, each with what is wrong; for bug reports.

    The report has no secret, host, address or value: of a variable only whether it is set, of a database only its kind.
    Exits with the code of the first thing that is wrong. It connects to no database and no workspace: test-connection
    does.
    """
    from reverse_etl.cli.findings import findings

    found = list(findings(syncs))
    wrong = [finding for finding in found if finding.problem]
    if as_json:
        words.print_json([finding.as_json() for finding in found])
    else:
        out, section = words.console(), ""
        for finding in found:
            if finding.section != section:
                say(out, finding.section, style="bold")
                section = finding.section
            say(out, f"  {finding.name}: {finding.value}", indent="    ")
            if finding.problem:
                say(out, f"    ✗ {finding.problem}", style="red", indent="      ")
    people = words.console(stderr=True)
    if not wrong:
        say(people, "Nothing is wrong here. To ask a database or a workspace: reverse-etl test-connection NAME")
        return
    names = ", ".join(finding.name for finding in wrong)
    say(people, f"Wrong: {names}.", style="bold red")
    raise typer.Exit(wrong[0].exit_code)
