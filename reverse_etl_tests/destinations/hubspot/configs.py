"""Syncs and accounts as tests need them."""

from __future__ import annotations

import os
from typing import Any

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.destinations.hubspot.config import Config
from reverse_etl.destinations.hubspot.sync import Sync

CREDENTIAL = "sandbox"


def account(url: str, **settings: Any) -> Config:
    """An account at an address; its token is the stand-in's."""
    os.environ["REVERSE_ETL_TESTS_TOKEN"] = CREDENTIAL
    settings = {"requests_per_second": 10_000, **settings}
    return Config(name="crm", access_token=Secret("${REVERSE_ETL_TESTS_TOKEN}"), url=EnvText(url), **settings)


def sync(**section: Any) -> Sync:
    """A sync with a section: ``sync(write="add_only")``; by default of contacts by their number."""
    return Sync.model_validate(
        {
            "name": "contacts",
            "database": "db",
            "destination": "crm",
            "schedule": ScheduleConfig(),
            "query": "SELECT 1",
            "hubspot": {"object": "contacts", "identify_by": "customer_no", **section},
        }
    )
