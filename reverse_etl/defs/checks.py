"""Rules as Dagster asset checks: one per rule on the validated asset, two on the delivery.

What a rule finds is decided in room 4; here it only gets its Dagster form. No row value ever goes into metadata.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import dagster as dg

from reverse_etl.checks.base import CheckResult, Rule, Severity
from reverse_etl.checks.rules import rules_for
from reverse_etl.config.syncs import SyncConfig
from reverse_etl.report import RunReport, Status
from reverse_etl.run.acknowledged import remembered_streams

if TYPE_CHECKING:
    from reverse_etl.changes.compared import Compared

ALL_ROWS_DELIVERED = "all_rows_delivered"
_TO_REMOVE = {"removed": "to_remove"}
"""When it is judged, nothing is removed yet; and where it fails, nothing will be."""

OUTCOMES_ADD_UP = "outcomes_add_up"
NOT_JUDGED = "Not judged in this run: it reads a few rows, or its rows were confirmed by a person."


def validation_specs(sync: SyncConfig, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One check per rule of the sync; rules that stop the run block what comes after."""
    return [
        dg.AssetCheckSpec(
            check_name(rule, stream),
            asset=asset,
            description=rule.description,
            blocking=rule.severity is Severity.STOP,
            metadata={"stream": stream, "severity": rule.severity.value},
        )
        for stream, rules in rules_for(sync).items()
        for rule in (each.rule for each in rules)
    ]


def validation_results(results: tuple[CheckResult, ...]) -> Iterator[dg.AssetCheckResult]:
    """What each rule found, with counts and sample row numbers."""
    for result in results:
        warns = result.rule.severity is Severity.WARN or result.accepted
        yield dg.AssetCheckResult(
            check_name=check_name(result.rule, result.stream),
            passed=result.passed,
            severity=dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR,
            description=_description(result),
            metadata={
                "rows_checked": result.rows_checked,
                "rows_failed": result.rows_failed,
                **({"rows_excluded": result.rows_excluded} if result.rows_excluded else {}),
                **({} if result.value is None else {"value": result.value}),
                "sample_row_numbers": dg.MetadataValue.text(", ".join(map(str, result.sample_rows)) or "none"),
            },
        )


def _description(result: CheckResult) -> str | None:
    if result.accepted:
        return f"Accepted for this run (--accept {result.rule.name}): {result.message}"
    return result.message or result.note or (None if result.judged else NOT_JUDGED)


def gone_specs(sync: SyncConfig, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One check per stream of which something becomes of what is gone."""
    return [
        dg.AssetCheckSpec(
            _gone_name(stream.name),
            asset=asset,
            blocking=True,
            description="No more is gone than may be removed at once (gone_max, gone_max_rows).",
        )
        for stream in sync.streams
        if sync.gone(stream.name) is not None
    ]


def gone_results(sync: SyncConfig, found: "Compared") -> Iterator[dg.AssetCheckResult]:
    """Whether nothing was sent because too much is gone, with the counts of what is."""
    for stream in sync.streams:
        if sync.gone(stream.name) is not None:
            why = found.too_many.get(stream.name)
            keys = found.gone.get(stream.name)
            yield dg.AssetCheckResult(
                check_name=_gone_name(stream.name),
                passed=why is None,
                description=why or (None if keys else "It is not known who is gone: nothing is removed."),
                metadata={_TO_REMOVE.get(name, name): rows for name, rows in asdict(keys).items()} if keys else {},
            )


def times_specs(sync: SyncConfig, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One check per stream whose acknowledged values are remembered."""
    return [
        dg.AssetCheckSpec(
            _times_name(stream),
            asset=asset,
            description="No time such as `last_login_at` is earlier than what was acknowledged before.",
        )
        for stream in remembered_streams(sync)
    ]


def times_results(sync: SyncConfig, found: "Compared") -> Iterator[dg.AssetCheckResult]:
    """A warning where a time went back, with the number of rows by attribute."""
    for stream in remembered_streams(sync):
        rows = found.went_back.get(stream, {})
        yield dg.AssetCheckResult(
            check_name=_times_name(stream),
            passed=not rows,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"rows_failed": sum(rows.values()), "attributes": dg.MetadataValue.json(rows)},
        )


def _times_name(stream: str) -> str:
    return "times_go_forward" if stream == "rows" else f"{stream}_times_go_forward"


def _gone_name(stream: str) -> str:
    return "gone_max" if stream == "rows" else f"{stream}_gone_max"


def delivery_specs(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The verdicts on a delivery; each fails the run without undoing what was delivered."""
    return [
        dg.AssetCheckSpec(
            ALL_ROWS_DELIVERED,
            asset=asset,
            blocking=True,
            description="No row was rejected by a check, refused by the destination or left undelivered.",
        ),
        dg.AssetCheckSpec(
            OUTCOMES_ADD_UP,
            asset=asset,
            blocking=True,
            description="Every extracted row has exactly one outcome: counts and checksums of row keys agree.",
        ),
    ]


def delivery_results(report: RunReport) -> Iterator[dg.AssetCheckResult]:
    """The verdicts on one run."""
    total = report.total
    yield dg.AssetCheckResult(
        check_name=OUTCOMES_ADD_UP,
        # Of a delivery that came to its end, the only one that failed is one whose row outcomes do not add up.
        passed=report.status is not Status.FAILED,
        metadata={"rows_extracted": total.extracted},
    )
    yield dg.AssetCheckResult(
        check_name=ALL_ROWS_DELIVERED,
        passed=total.failed == 0,
        description=report.message or None,
        metadata={
            "rows_rejected": total.rejected,
            "rows_refused": total.refused,
            "rows_undelivered": total.undelivered,
            **({"failed_rows_csv": dg.MetadataValue.path(report.failed_rows_csv)} if report.failed_rows_csv else {}),
        },
    )


def check_name(rule: Rule, stream: str) -> str:
    """The rule's name, distinct from the same rule of another stream."""
    return rule.name if stream == "rows" else f"{stream}_{rule.name}"
