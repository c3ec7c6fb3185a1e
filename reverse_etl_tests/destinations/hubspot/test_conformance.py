"""HubSpot is put through the suite of destinations."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pyarrow as pa

from reverse_etl.destinations.base import Destination
from reverse_etl.destinations.hubspot.destination import opened
from reverse_etl_tests.destinations.conformance import DestinationConformance
from reverse_etl_tests.destinations.hubspot.configs import CREDENTIAL, account, sync
from reverse_etl_tests.destinations.scripted import Said

ROWS = {"customer_no": ["c1", "c2", "c3"], "city": ["Oslo", None, "ü\n"]}
RESULTS = [{"id": "1", "objectWriteTraceId": str(n), "properties": {}} for n in (2, 0, 1)]


class TestHubSpot(DestinationConformance):
    """Contacts by a unique property."""

    accepted: ClassVar[Said] = Said(200, json.dumps({"status": "COMPLETE", "results": RESULTS}).encode())
    secret: ClassVar[str] = CREDENTIAL

    def open(self, url: str) -> AbstractAsyncContextManager[Destination]:
        """A sync of contacts."""
        return opened(sync(), account(url), list(ROWS))

    def rows(self) -> pa.RecordBatch:
        """Three contacts."""
        return pa.RecordBatch.from_pydict(ROWS)
