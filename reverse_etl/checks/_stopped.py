"""Which checks stop a run, in words, and how to let them pass once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reverse_etl.changeset.scope import Reads
from reverse_etl.config.streams import ROWS

if TYPE_CHECKING:
    from reverse_etl.changeset.facts import Facts
    from reverse_etl.checks.base import CheckResult


def stopped(results: Sequence[CheckResult], sync: str, facts: Facts) -> tuple[str, str, str]:
    """Which checks stop the run, in two tenses, and how to let them pass once."""
    stopping = [(_named(result), result) for result in results if result.stops]
    if not stopping:
        return "", "", ""
    (check, first), *others = stopping
    further = "".join(f" So does {name}: {result.message}" for name, result in others)
    names = " ".join(f"--accept {name}" for name in dict.fromkeys(result.rule.name for _, result in stopping))
    samples = facts.reads in (Reads.RETRY, Reads.UNDO)
    return (
        f"{check} stopped the run, nothing was sent: {first.message}{further}",
        f"{check} would stop the run, and nothing would be sent: {first.message}{further}",
        "" if samples else f"To let it pass in one run: reverse-etl run {sync} {names}",
    )


def _named(result: CheckResult) -> str:
    label = "" if result.stream == ROWS else f" on the {result.stream}"
    return f"check {result.rule.name}{label}"
