"""Salesforce is put through the suite of destinations."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pyarrow as pa
import pytest

from reverse_etl.destinations.base import Answer, Destination
from reverse_etl.destinations.salesforce.destination import opened
from reverse_etl.errors import UnauthorizedError
from reverse_etl_tests.destinations.conformance import DestinationConformance
from reverse_etl_tests.destinations.salesforce.configs import CREDENTIAL, org, sync
from reverse_etl_tests.destinations.scripted import Asked, Said, scripted_server

NAMES = ("Customer_No__c", "Name")


class TestSalesforce(DestinationConformance):
    """Accounts by their customer number."""

    accepted: ClassVar[Said] = Said(200, json.dumps([{"success": True, "errors": []}] * 3).encode())
    secret: ClassVar[str] = CREDENTIAL

    def open(self, url: str) -> AbstractAsyncContextManager[Destination]:
        """A sync of accounts."""
        return opened(sync(), org(url), NAMES)

    def rows(self) -> pa.RecordBatch:
        """Three accounts."""
        return pa.RecordBatch.from_pydict({"Customer_No__c": ["1", "2", "3"], "Name": ["Acme", None, "ü\n"]})

    def test_refused_credentials_raise_without_showing_them(self) -> None:
        """A second 401, after a new token, is an error."""
        with pytest.raises(UnauthorizedError, match="refused a new token"):
            self._answer(Said(401, b'[{"errorCode":"INVALID_SESSION_ID","message":"expired"}]'), requests=2)

    def _answer(self, said: Said | None, *, requests: int = 1) -> Answer:
        """Signs in first; the script is about what comes then."""

        def script(asked: Asked) -> Said | None:
            if asked.path.startswith("/services/oauth2/token"):
                return Said(200, json.dumps({"access_token": "t", "instance_url": "https://acme.example"}).encode())
            return said

        async def send() -> Answer:
            async with scripted_server(script) as server, self.open(server.url) as destination:
                try:
                    return await destination.send(destination.items(self._batch(), "rows"))
                finally:
                    sent = [each for each in server.requests if "oauth2" not in each.path]
                    assert requests == len(sent)

        return asyncio.run(send())
