"""Amplitude is put through the suite of destinations."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pyarrow as pa

from reverse_etl.destinations.amplitude import cohort
from reverse_etl.destinations.amplitude.destination import opened
from reverse_etl.destinations.base import Destination
from reverse_etl_tests.destinations.amplitude.configs import CREDENTIAL, MEMBERS, project, sync
from reverse_etl_tests.destinations.conformance import DestinationConformance
from reverse_etl_tests.destinations.scripted import Said


class TestAmplitude(DestinationConformance):
    """Properties of users."""

    accepted: ClassVar[Said] = Said(200, b'{"code":200,"events_ingested":3}')
    secret: ClassVar[str] = CREDENTIAL

    def open(self, url: str) -> AbstractAsyncContextManager[Destination]:
        """A sync of users' properties."""
        return opened(sync(), project(url))

    def rows(self) -> pa.RecordBatch:
        """Three users."""
        return pa.RecordBatch.from_pydict({"user_id": ["user-1", "user-2", "user-3"], "plan": ["pro", None, "ü\n"]})


class TestAmplitudeCohort(DestinationConformance):
    """Members of a cohort."""

    accepted: ClassVar[Said] = Said(200, b'{"cohort_id":"c1","memberships_result":[{"skipped_ids":[]}]}')
    secret: ClassVar[str] = CREDENTIAL

    def open(self, url: str) -> AbstractAsyncContextManager[Destination]:
        """A sync of members."""
        return cohort.opened(sync(**MEMBERS), project(url), ["user_id"])

    def rows(self) -> pa.RecordBatch:
        """Three users."""
        return pa.RecordBatch.from_pydict({"user_id": ["user-1", "user-2", "user-3"]})
