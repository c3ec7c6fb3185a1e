"""Whether Dagster starts what the files say: sentences for the terminal and the page, with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reverse_etl.syncs_page.sync_status import SyncStatus

_NAMED: Final = 3
_WHAT_TO_DO: Final = (
    "`reverse-etl ui` loads changed files by itself within a minute. Where Dagster runs otherwise, choose Deployment, "
    "then Reload on its page, or restart its code server. It is seen here within a minute."
)
_STARTING: Final = (
    "Dagster is starting, which takes a minute or two. Due imports start as soon as its daemon runs and has the files."
)
_UNKNOWN: Final = (
    "Whether Dagster has loaded the files as they are now is not known: for three minutes it gave no sign, which it "
    "gives once a minute. It may be starting. If this stays, see Deployment on its page for an error, and Automation "
    "for whether the sensor `runs_that_never_started` is on."
)


def loading(statuses: Sequence[SyncStatus]) -> str:
    """What Dagster has not loaded as the files are now, lines; empty where it has everything, or no daemon runs.

    Not of syncs that a faulty file leaves out: the page says that of each.
    """
    statuses = [each for each in statuses if each.left_out is None]
    if any(each.starting for each in statuses):
        return _STARTING
    new = [each.sync.name for each in statuses if each.in_dagster == "not_loaded"]
    older = [each.sync.name for each in statuses if each.in_dagster == "older"]
    lines = []
    if new:
        lines.append(
            f"Dagster has not loaded {_names(new)} yet: no schedule starts {'it' if len(new) == 1 else 'them'}."
        )
    if older:
        lines.append(f"Dagster starts {_names(older)} by an older file, with another schedule or destination.")
    if lines:
        return "\n".join((*lines, _WHAT_TO_DO))
    return _UNKNOWN if any(each.in_dagster == "unknown" for each in statuses) else ""


def still_loaded(names: Sequence[str]) -> str:
    """Syncs without a file that Dagster has, a sentence; empty for none."""
    if not names:
        return ""
    files, has = ("its file is", "it") if len(names) == 1 else ("their files are", "them")
    return f"{_names(names)}: {files} gone; Dagster still has {has} until it reloads, and starts no run of {has}."


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    if more > 0:
        return f"{', '.join(names[:_NAMED])} and {more:,} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
