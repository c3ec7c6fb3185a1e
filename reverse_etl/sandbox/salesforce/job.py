"""One ingest job: what it was asked to do, how far it is, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from reverse_etl.sandbox.faults import Action
from reverse_etl.sandbox.salesforce.columns import Heading
from reverse_etl.sandbox.salesforce.org import USER_ID
from reverse_etl.sandbox.salesforce.schema import Field
from reverse_etl.sandbox.salesforce.table import Table
from reverse_etl.sandbox.salesforce.writing import Outcome

State = Literal["Open", "UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted"]


@dataclass(slots=True)
class Job:
    """One job.

    Attributes:
        polls: How often it was asked for since it was closed.
        most_rows: How many rows it writes before it fails; None writes them all.
        sent: Its CSV, all columns as text.
        done: What became of the rows written so far, in their order.
    """

    id: str
    operation: str
    table: Table
    key: Field | None
    line_ending: str
    delimiter: str
    version: str
    made_at: str
    state: State = "Open"
    body: bytes | None = None
    polls: int = 0
    most_rows: int | None = None
    is_miscounted: bool = False
    fault: Action | None = None
    error: str | None = None
    sent: pa.Table | None = None
    headings: list[Heading] = field(default_factory=list)
    done: Outcome = field(default_factory=lambda: Outcome([], []))

    @property
    def has_ended(self) -> bool:
        """Whether its results can be read."""
        return self.state in ("JobComplete", "Failed", "Aborted")

    def as_json(self) -> dict[str, Any]:
        """As answers show it."""
        failed = sum(error is not None for error in self.done.errors)
        processed = len(self.done.errors) if not self.is_miscounted else len(self.done.errors) // 2
        return {
            "id": self.id,
            "operation": self.operation,
            "object": self.table.sobject.name,
            "createdById": USER_ID,
            "createdDate": self.made_at,
            "systemModstamp": self.made_at,
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
            "contentUrl": f"services/data/v{self.version}/jobs/ingest/{self.id}/batches",
            "jobType": "V2Ingest",
            "lineEnding": self.line_ending,
            "columnDelimiter": self.delimiter,
            **({"externalIdFieldName": self.key.name} if self.key is not None else {}),
            "numberRecordsProcessed": processed,
            "numberRecordsFailed": failed if not self.is_miscounted else 0,
            "retries": 0,
            "totalProcessingTime": 0,
            "apiActiveProcessingTime": 0,
            "apexProcessingTime": 0,
            **({"errorMessage": self.error} if self.error is not None else {}),
        }
