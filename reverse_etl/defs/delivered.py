"""What a delivery's materialization shows of its run: one Markdown table, and the numbers that Dagster plots.

Row numbers, reasons and columns; never a row's value or an identifier.
"""

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Final

import dagster as dg

from reverse_etl.exclusions import as_counts
from reverse_etl.report import Counts, FailedRow, RunReport

FAILED_ROWS_SHOWN: Final = 10

Metadata = dict[str, dg.MetadataValue | float | int | str]


def delivered_metadata(report: RunReport, first_failed: Iterable[FailedRow]) -> Metadata:
    """The metadata of one run's delivery.

    Args:
        report: The closed run.
        first_failed: Its first failed rows, ``FAILED_ROWS_SHOWN`` at most.
    """
    total = report.total
    return {
        "dagster/row_count": report.rows.delivered,
        "status": report.status.value,
        "rows": dg.MetadataValue.md(_adding_up(report) + _failed(first_failed, total)),
        **failed_rows_csv(report),
        "rows_extracted": total.extracted,
        "rows_delivered": total.delivered,
        "rows_failed": total.failed,
        **({"excluded_by": dg.MetadataValue.json(as_counts(report.excluded_by))} if report.excluded_by else {}),
        **({f"carried_{name}": rows for name, rows in asdict(report.carried).items()} if report.carried else {}),
        "rows_per_second": round(total.delivered / report.duration_s, 1) if report.duration_s else 0.0,
        "duration_s": round(report.duration_s, 3),
    }


def failed_rows_csv(report: RunReport | None) -> dict[str, dg.MetadataValue]:
    """Where all failed rows of a run are; empty where there are none."""
    path = report.failed_rows_csv if report else ""
    return {"failed_rows_csv": dg.MetadataValue.path(path)} if path else {}


def _adding_up(report: RunReport) -> str:
    lines = [_line("", *report.streams), _line("---", *("--:" for _ in report.streams))]
    extracted, delivered, *others = (each.name for each in fields(Counts))
    labels = {extracted: extracted, delivered: f"= {delivered}"} | {name: f"+ {name}" for name in others}
    lines += [
        _line(label, *(f"{getattr(counts, name):,}" for counts in report.streams.values()))
        for name, label in labels.items()
    ]
    return "\n".join(lines)


def _failed(first: Iterable[FailedRow], total: Counts) -> str:
    if not (rows := list(first)):
        return ""
    lines = [_line("failed row", "of", "reason", "column"), _line("--:", "---", "---", "---")]
    lines += [_line(f"{row.row_number:,}", row.query, row.why.reason, row.why.field) for row in rows]
    more = f"\n\nThe first {len(rows)} of {total.failed:,}." if total.failed > len(rows) else ""
    return "\n\n" + "\n".join(lines) + more


def _line(*cells: str) -> str:
    """A line of a Markdown table, whatever the cells hold."""
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"
