"""Syncs and workspaces as tests need them."""

from __future__ import annotations

import os
from typing import Any

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.destinations.intercom.config import Config
from reverse_etl.destinations.intercom.sync import Sync

CREDENTIAL = "sandbox"


def workspace(url: str, **settings: Any) -> Config:
    """A workspace at an address; its token is the stand-in's."""
    os.environ["REVERSE_ETL_TESTS_KEY"] = CREDENTIAL
    settings = {"requests_per_second": 10_000, "access_token": Secret("${REVERSE_ETL_TESTS_KEY}"), **settings}
    return Config(name="support", url=EnvText(url), **settings)


def sync(**section: Any) -> Sync:
    """A sync with a section: ``sync(object="companies")``."""
    return Sync.model_validate(
        {
            "name": "contacts",
            "database": "db",
            "destination": "support",
            "schedule": ScheduleConfig(),
            "query": "SELECT 1",
            "intercom": section,
        }
    )
