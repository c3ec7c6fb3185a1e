"""Slack is put through the suite of destinations that send once."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pyarrow as pa

from reverse_etl.destinations.base import Destination
from reverse_etl.destinations.slack.destination import opened
from reverse_etl_tests.destinations.conformance import SendsOnceConformance
from reverse_etl_tests.destinations.scripted import Said
from reverse_etl_tests.destinations.slack.configs import CREDENTIAL, sync, workspace


class TestSlack(SendsOnceConformance):
    """Messages by a bot's token."""

    accepted: ClassVar[Said] = Said(200, b'{"ok":true,"channel":"C000000001X","ts":"1700000000.000100"}')
    secret: ClassVar[str] = CREDENTIAL

    def open(self, url: str) -> AbstractAsyncContextManager[Destination]:
        """A sync of messages into one channel."""
        return opened(sync(), workspace(url))

    def rows(self) -> pa.RecordBatch:
        """Three messages."""
        return pa.RecordBatch.from_pydict({"text": ["one", 'two "quoted"', "ü\n"]})
