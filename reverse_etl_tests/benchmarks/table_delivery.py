"""One delivery of stored rows to a table, as a run makes it, in a process that imports what a run does.

    python -m reverse_etl_tests.benchmarks.table_delivery '{"folder": ..., "rows": ..., "entry": {"type": ...}}'

Prints its times, its peak of memory and what became of the rows, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reverse_etl.changeset.parts import Parts
from reverse_etl.delivery.deliver import Delivered, deliver
from reverse_etl.destinations import kind
from reverse_etl_tests.benchmarks.memory import peak_mb

if TYPE_CHECKING:
    from reverse_etl_tests.destinations.sql.tables import SqlServer

ROWS: dict[str, Any] = {"table": "customers", "identify_by": "id"}


def apart(server: SqlServer, folder: Path, rows: int) -> dict[str, Any]:
    """The delivery of a folder's rows, none of which has an outcome, in a process of its own."""
    entry = server.config().model_dump(mode="json", exclude_unset=True)
    given = {"folder": str(folder), "rows": rows, "type": server.kind, "entry": entry}
    command = [sys.executable, "-m", "reverse_etl_tests.benchmarks.table_delivery", json.dumps(given)]
    done: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return done


def main(given: dict[str, Any]) -> None:
    """As above."""
    parts, of = Parts(Path(given["folder"]), "rows"), kind(given["type"])
    outcomes, schema = parts.outcomes(given["rows"]), parts.schema()
    assert schema is not None
    to_table, config = of.Outgoing.model_validate({"rows": ROWS}), of.Config.model_validate(given["entry"])

    async def run() -> Delivered:
        async with of.open_destination(to_table, config, schema.names) as destination:
            await destination.prepare()
            return await deliver(parts, outcomes, destination)

    began, cpu = time.monotonic(), time.process_time()
    counts = asyncio.run(run()).counts
    done = {"wall": time.monotonic() - began, "client": time.process_time() - cpu, "peak_mb": peak_mb()}
    reasons = Counter(f"{row.why.reason} {row.why.field}" for row in parts.failed())
    print(json.dumps({**done, "delivered": counts.delivered, "reasons": reasons}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
