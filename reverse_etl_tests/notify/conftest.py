"""What the tests of alerts share: a webhook, a store, runs of a sync in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reverse_etl.config.inline import parse_sync
from reverse_etl.config.syncs import SyncConfig
from reverse_etl.report import Counts, RunReport, Status
from reverse_etl_tests.servers.webhook import Webhook, running_webhook
from reverse_etl_tests.state.conftest import postgres, postgres_url, state_url, store, tables_of_postgres

__all__ = ["ended", "postgres", "postgres_url", "state_url", "store", "sync_of", "tables_of_postgres"]


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A server that takes alerts, its address in the variable WEBHOOK_URL."""
    with running_webhook() as webhook:
        monkeypatch.setenv("WEBHOOK_URL", webhook.url)
        yield webhook


def sync_of(schedule: Any = None) -> SyncConfig:
    """The sync ``people`` of workspace main, hourly unless another schedule is given."""
    return parse_sync(
        "people",
        {
            "database": "shop",
            "workspace": "main",
            "schedule": schedule or {"every": "1h"},
            "people": {},
            "query": "SELECT 1 AS id",
        },
    )


def ended(number: int, status: Status, *, at: Any, failed: int = 0, message: str = "", exit_code: int = 0) -> RunReport:
    """A run of 100 rows, of which some were rejected."""
    rows = Counts(extracted=100, delivered=100 - failed, rejected=failed)
    return RunReport(
        "people", f"run-{number}", status, at, 5.0, streams={"rows": rows}, message=message, exit_code=exit_code
    )
