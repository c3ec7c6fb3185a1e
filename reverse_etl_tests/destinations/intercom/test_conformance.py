"""Intercom is put through the suite of destinations."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pyarrow as pa

from reverse_etl.destinations.base import Destination
from reverse_etl.destinations.intercom.destination import opened
from reverse_etl_tests.destinations.conformance import DestinationConformance
from reverse_etl_tests.destinations.intercom.configs import CREDENTIAL, sync, workspace
from reverse_etl_tests.destinations.scripted import Said


class TestIntercom(DestinationConformance):
    """Contacts by their external id, one a request."""

    accepted: ClassVar[Said] = Said(200, b'{"type":"contact","id":"6a1"}')
    secret: ClassVar[str] = CREDENTIAL
    most_items: ClassVar[int] = 1

    def open(self, url: str) -> AbstractAsyncContextManager[Destination]:
        """A sync of contacts."""
        return opened(sync(), workspace(url), ["external_id", "name"])

    def rows(self) -> pa.RecordBatch:
        """Three contacts."""
        return pa.RecordBatch.from_pydict({"external_id": ["1", "2", "3"], "name": ["Ann", None, "ü\n"]})

    def test_a_rate_limit_says_how_long_to_wait(self) -> None:
        """Intercom has no ``Retry-After``: a window is waited for, as ``test_run`` shows."""
