"""Customer.io is put through the suite of destinations."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pyarrow as pa

from reverse_etl.destinations.base import Destination
from reverse_etl.destinations.customerio.destination import open_destination
from reverse_etl_tests.destinations.conformance import DestinationConformance
from reverse_etl_tests.destinations.customerio.configs import CREDENTIAL, sync, workspace
from reverse_etl_tests.destinations.scripted import Said


class TestCustomerIO(DestinationConformance):
    """People to a workspace."""

    accepted: ClassVar[Said] = Said(200, b"{}\n")
    secret: ClassVar[str] = CREDENTIAL

    def open(self, url: str) -> AbstractAsyncContextManager[Destination]:
        """A sync of people."""
        return open_destination(sync(people={}), workspace(url))

    def rows(self) -> pa.RecordBatch:
        """Three people."""
        return pa.RecordBatch.from_pydict({"id": ["1", "2", "3"], "plan": ["pro", None, "ü\n"]})
