"""The checks of one run: what its gates compare with, what they found, and whether one that is to pass is there."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from reverse_etl.changeset.scope import Reads
from reverse_etl.checks.base import CheckResult, Gate, Severity
from reverse_etl.checks.rules import rules_for
from reverse_etl.errors import ConfigError
from reverse_etl.state.check_results import KeptResult, past_values, remember_results

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reverse_etl.changeset.parts import Facts
    from reverse_etl.checks.runner import Past
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.run.record import SyncRun
    from reverse_etl.state.store import Store


def past_of(sync: SyncConfig, store: Store, facts: Facts, root_run_id: str) -> Past:
    """What the sync's gates found in completed runs that read the same way as these facts say. Raises StateError."""
    everything = reads_everything(facts)
    gates = [
        (stream, each.rule.name)
        for stream, rules in rules_for(sync).items()
        for each in rules
        if isinstance(each, Gate)
    ]
    if everything is None or not gates:
        return {}
    return past_values(store, sync.name, gates, everything=everything, except_root=root_run_id)


def remember(run: SyncRun, facts: Facts, results: Iterable[CheckResult]) -> None:
    """Keeps what the checks of a run found, for later ones. Raises StateError."""
    everything = reads_everything(facts)
    remember_results(
        run.store,
        run.run_id,
        (
            KeptResult(
                each.stream,
                each.rule.name,
                each.rule.severity.value,
                each.outcome,
                each.rows_checked,
                each.rows_failed,
                each.value,
                everything,
                each.warned.message if each.warned else each.message,
            )
            for each in results
        ),
    )


def reads_everything(facts: Facts) -> bool | None:
    """Whether all rows were read, and not what changed; None where only a part that was asked for was."""
    if facts.reads not in (Reads.CHANGES, Reads.FULL) or facts.piece is not None:
        return None
    return not (facts.since if facts.read_from is None else facts.read_from)


def require_known(sync: SyncConfig, accept: Iterable[str]) -> None:
    """Raises ConfigError where a check that is to be let pass is none that could stop a run of the sync."""
    stopping = list(
        dict.fromkeys(
            each.rule.name
            for rules in rules_for(sync).values()
            for each in rules
            if each.rule.severity is Severity.STOP
        )
    )
    for name in accept:
        if name not in stopping:
            near = difflib.get_close_matches(name, stopping, n=1)
            known = f"These can be accepted: {', '.join(stopping)}." if stopping else "No check of it stops a run."
            raise ConfigError(
                f"--accept {name}: the sync has no check of that name that stops a run; nothing was sent.",
                hint=f"Did you mean --accept {near[0]}?" if near else known,
            ).located(sync.where)
