"""Rules as Dagster asset checks: one for all of them on the validated asset, one on the delivery.

A check costs three events of every run, and two connections of every tick that queues one, so rules share one
(``docs/decisions/0032-one-asset-check-for-all-rules.md``). What a rule finds is decided in ``reverse_etl.checks``; here
it only gets its Dagster form. No row value ever goes into metadata.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import dagster as dg

from reverse_etl.checks.base import CheckResult, Rule, Severity
from reverse_etl.checks.rules import rules_for
from reverse_etl.config.syncs import SyncConfig
from reverse_etl.counted import counted
from reverse_etl.report import RunReport, Status
from reverse_etl.run.acknowledged import remembered_streams

if TYPE_CHECKING:
    from reverse_etl.changes.compared import Compared

ALL_ROWS_DELIVERED = "all_rows_delivered"
ROWS_ALLOWED = "rows_allowed"
_TO_REMOVE = {"removed": "to_remove"}
"""When it is judged, nothing is removed yet; and where it fails, nothing will be."""

NOT_JUDGED = "Not judged in this run: it reads a few rows, or its rows were confirmed by a person."
_MOST_SENTENCES = 5


def validation_specs(sync: SyncConfig, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One check for all rules of the sync; it blocks what comes after where one of them stops the run."""
    rules = [(stream, each.rule) for stream, found in rules_for(sync).items() for each in found]
    stop = [check_name(rule, stream) for stream, rule in rules if rule.severity is Severity.STOP]
    stops = f"An ERROR stops the run: {', '.join(stop)}." if stop else "None of them stops the run."
    return [
        dg.AssetCheckSpec(
            ROWS_ALLOWED,
            asset=asset,
            description=f"Every row keeps {counted(len(rules), 'rule')} of the destination, the dictionary and the "
            f"sync's file. {stops}",
            blocking=bool(stop),
        )
    ]


def validation_results(results: tuple[CheckResult, ...]) -> Iterator[dg.AssetCheckResult]:
    """What each rule found, a line of a table each, broken ones first; gates have their number beside it, to plot."""
    broken = sorted((each for each in results if not each.passed), key=lambda each: not each.stops)
    kept = [each for each in results if each.passed]
    rows = {each.stream: each.rows_checked for each in results}
    yield dg.AssetCheckResult(
        check_name=ROWS_ALLOWED,
        passed=not broken,
        # Rows that are kept back fail the check of the delivery: an error here is a run that ends here.
        severity=dg.AssetCheckSeverity.ERROR if any(each.stops for each in broken) else dg.AssetCheckSeverity.WARN,
        description=_description([*broken, *kept]),
        metadata={
            "rows_checked": sum(rows.values()),
            "rules_broken": len(broken),
            "rules": dg.MetadataValue.table([_line(each) for each in (*broken, *kept)], schema=_TABLE),
            **{check_name(each.rule, each.stream): each.value for each in results if each.value is not None},
        },
    )


_TABLE: Final = dg.TableSchema(
    [
        dg.TableColumn("rule", "string"),
        dg.TableColumn("severity", "string", description="warn, exclude, reject or stop: what becomes of a row."),
        dg.TableColumn("result", "string", description="passed, broken, accepted or not_judged."),
        dg.TableColumn("rows", "int", description="How many rows break it, or are left out by it (exclude)."),
        dg.TableColumn("row_numbers", "string", description="Of some of them."),
        dg.TableColumn("found", "string"),
        dg.TableColumn("meaning", "string", description="The rule in words."),
    ]
)


def _line(result: CheckResult) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "rule": check_name(result.rule, result.stream),
            "severity": result.rule.severity.value,
            "result": result.outcome,
            "rows": result.rows_failed or result.rows_excluded,
            "row_numbers": ", ".join(map(str, result.sample_rows)),
            "found": result.message or result.note,
            "meaning": result.rule.description,
        }
    )


def _description(results: list[CheckResult]) -> str | None:
    """A sentence on each rule that is broken or has something to say; None where all passed."""
    said = [f"{check_name(each.rule, each.stream)}: {text}" for each in results if (text := _sentence(each))]
    if any(not each.judged for each in results):
        said.append(NOT_JUDGED)
    more = [f"… and {len(said) - _MOST_SENTENCES} more, in the table."] if len(said) > _MOST_SENTENCES else []
    return "\n".join([*said[:_MOST_SENTENCES], *more]) or None


def _sentence(result: CheckResult) -> str:
    if result.accepted:
        return f"Accepted for this run (--accept {result.rule.name}): {result.message}"
    rows = f"{counted(result.rows_failed, 'row')}: " if result.rows_failed and result.value is None else ""
    return f"{rows}{result.message}" if result.message else result.note


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
    """The verdict on a delivery; it fails the run without undoing what was delivered."""
    return [
        dg.AssetCheckSpec(
            ALL_ROWS_DELIVERED,
            asset=asset,
            blocking=True,
            description="Every extracted row has exactly one outcome (counts and checksums of row keys agree), and "
            "none was rejected by a check, refused by the destination or left undelivered.",
        )
    ]


def delivery_results(report: RunReport) -> Iterator[dg.AssetCheckResult]:
    """The verdict on one run."""
    total = report.total
    yield dg.AssetCheckResult(
        check_name=ALL_ROWS_DELIVERED,
        # Of a delivery that came to its end, the only one that failed is one whose row outcomes do not add up.
        passed=total.failed == 0 and report.status is not Status.FAILED,
        description=report.message or None,
        metadata={
            "rows_extracted": total.extracted,
            "rows_rejected": total.rejected,
            "rows_refused": total.refused,
            "rows_undelivered": total.undelivered,
            **({"failed_rows_csv": dg.MetadataValue.path(report.failed_rows_csv)} if report.failed_rows_csv else {}),
        },
    )


def check_name(rule: Rule, stream: str) -> str:
    """The rule's name, distinct from the same rule of another stream."""
    return rule.name if stream == "rows" else f"{stream}_{rule.name}"
