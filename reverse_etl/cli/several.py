"""Several syncs run one after the other, ``run --all``: which they are, and how they ended together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.cli import words
from reverse_etl.cli.confirmed import NotConfirmed
from reverse_etl.cli.pieces import DELIVERED
from reverse_etl.cli.tables import Rows, say
from reverse_etl.counted import counted
from reverse_etl.errors import INTERRUPTED_EXIT_CODE, ConfigError, ReverseEtlError
from reverse_etl.report import FROM_GOOD_TO_BAD, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from rich.console import Console

    from reverse_etl.config.syncs import ProjectConfig, SyncConfig
    from reverse_etl.report import RunReport

LEFT_OUT: Final = "left_out"
"""The status, for programs, of a sync that a faulty file leaves out."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One of the syncs, when all are over.

    Attributes:
        sync: Its name.
        report: Its run, or its pieces together (``run_pieces``); None where it had none.
        error: Why it had none; None for a paused sync.
        why: Why it has no run where that is another sync's doing, a sentence; otherwise empty.
        left_out: Whether a faulty file leaves it out, so that nothing of it began.
    """

    sync: str
    report: RunReport | None = None
    error: ReverseEtlError | None = None
    why: str = ""
    left_out: bool = False

    @property
    def status(self) -> str:
        """How its run ended; ``failed`` where it could not begin; a word for why where it was not to.

        That is ``skipped``, ``paused`` or ``left_out``.
        """
        if self.report is not None:
            return self.report.status.value
        if self.left_out:
            return LEFT_OUT
        if self.why:
            return Status.SKIPPED.value
        return Status.FAILED.value if self.error else "paused"

    @property
    def exit_code(self) -> int:
        """What a run of it alone would have ended with."""
        if self.report is not None:
            return self.report.exit_code
        return self.error.exit_code if self.error else 0

    @property
    def missing(self) -> str:
        """Why syncs that run after it do not run, a clause; empty where its rows arrived, failed ones or not.

        Nothing waits for a paused sync.
        """
        if self.report is None:
            return "did not deliver" if self.error is not None or self.why else ""
        if self.report.status not in DELIVERED:
            return "did not deliver"
        return "has pieces left to read" if self.report.piece is not None else ""

    def as_json(self) -> dict[str, Any]:
        """As ``run --json`` prints it; of a sync without a run, why that is."""
        if self.report is not None:
            return self.report.as_json()
        message = str(self.error) if self.error else self.why or None
        return {"sync": self.sync, "status": self.status, "message": message, "exit_code": self.exit_code}


def chosen(project: ProjectConfig, destination: str) -> list[SyncConfig]:
    """The syncs to a destination, or all, each behind those that it runs after, otherwise by name.

    Raises:
        ConfigError: There is none.
    """
    from reverse_etl.config.model import nearest
    from reverse_etl.config.run_order import in_order

    if destination and destination not in project.destinations:
        near = nearest(destination, project.destinations)
        known = ", ".join(sorted(project.destinations)) or "none"
        raise ConfigError(
            f"connections.yaml has no workspace or destination named {destination}.",
            hint=f"Did you mean {near}?" if near else f"There are: {known}.",
        )
    found = in_order([sync for sync in project.syncs.values() if destination in ("", sync.destination)])
    if not found and not left_out(project, destination):
        where = f" to {destination}" if destination else ""
        raise ConfigError(f"there is no sync{where} in {project.directory}.")
    return found


def left_out(project: ProjectConfig, destination: str) -> list[Ended]:
    """The syncs that faulty files leave out, of a destination or all; where one writes may not be known."""
    from reverse_etl.config.left_out import SEE_ALL

    return [
        Ended(name, error=ConfigError(f"{name} is left out: {why.why}", hint=SEE_ALL), left_out=True)
        for name, why in project.left_out.items()
        if why.sync is None or destination in ("", why.sync.destination)
    ]


def run_each(
    syncs: Sequence[SyncConfig], run: Callable[[SyncConfig], RunReport], paused: Collection[str], console: Console
) -> Iterator[Ended]:
    """Runs one after the other; what ends one keeps only those from running that run after it, except Ctrl-C.

    Args:
        syncs: The syncs, in order.
        run: Runs one; raises ReverseEtlError where that cannot begin.
        paused: Names of those that are left out.
        console: Where errors go.
    """
    without: dict[str, str] = {}
    for sync in syncs:
        ended = _ended(sync, run, paused=paused, console=console, without=without)
        if ended.missing:
            without[sync.name] = ended.missing
        yield ended
        if ended.report is not None and ended.report.exit_code == INTERRUPTED_EXIT_CODE:
            return


def _ended(
    sync: SyncConfig,
    run: Callable[[SyncConfig], RunReport],
    *,
    paused: Collection[str],
    console: Console,
    without: Mapping[str, str],
) -> Ended:
    """Runs one, unless it is paused or runs after one of those without a delivery."""
    if sync.name in paused:
        return Ended(sync.name)
    if after := next((name for name in sync.schedule.after_syncs if name in without), ""):
        ended = Ended(sync.name, why=f"{sync.name} runs after {after}, which {without[after]}.")
        say(console, f"Skipped: {ended.why}")
        return ended
    try:
        report = run(sync)
    except (ReverseEtlError, NotConfirmed) as raised:
        error = raised if isinstance(raised, ReverseEtlError) else _not_confirmed(sync)
        error.located(sync.where)
        say(console, f"Error: {error}")
        return Ended(sync.name, error=error)
    return Ended(sync.name, report)


def _not_confirmed(sync: SyncConfig) -> ReverseEtlError:
    return ReverseEtlError(
        "its old events were not confirmed, so nothing of it was sent.",
        hint=f"Run it alone: reverse-etl run {sync.name}",
    )


def worst(ended: Sequence[Ended]) -> int:
    """The exit code of the sync that ended worst: a failed run, before failed rows, before a skipped one.

    One that is left out counts as a failed run.
    """
    order = [status.value for status in FROM_GOOD_TO_BAD]
    if any(each.exit_code == INTERRUPTED_EXIT_CODE for each in ended):
        return INTERRUPTED_EXIT_CODE
    with_code = [each for each in ended if each.exit_code]

    def badness(each: Ended) -> int:
        return order.index(Status.FAILED.value if each.left_out else each.status)

    return max(with_code, key=badness).exit_code if with_code else 0


def show_all(ended: Sequence[Ended], console: Console) -> None:
    """Prints a table of them, and what paused ones are about."""
    numbers = ("read", "delivered", "failed", "took")
    table = Rows(("sync", "status", *numbers), numbers=numbers)
    for each in ended:
        cells = [""] * len(numbers)
        if each.report is not None:
            total = each.report.total
            cells = [f"{count:,}" for count in (total.extracted, total.delivered, total.failed)]
            cells.append(f"{each.report.duration_s:.1f} s")
        table.add(each.sync, words.status_text("left out" if each.left_out else each.status), *cells)
    console.print()
    table.show(console)
    if paused := sum(each.status == "paused" for each in ended):
        what = counted(paused, "sync is paused and did", "syncs are paused and did")
        say(console, f"{what} not run: run one by its name, or resume it.")
