"""Syncs and projects as tests need them."""

from __future__ import annotations

import os
from typing import Any

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.destinations.amplitude.config import Config
from reverse_etl.destinations.amplitude.sync import Sync

CREDENTIAL = "sandbox"


def project(url: str, **settings: Any) -> Config:
    """A project at an address; its key is the stand-in's."""
    os.environ["REVERSE_ETL_TESTS_KEY"] = CREDENTIAL
    settings = {"requests_per_second": 10_000, **settings}
    return Config(name="analytics", api_key=Secret("${REVERSE_ETL_TESTS_KEY}"), url=EnvText(url), **settings)


def sync(**section: Any) -> Sync:
    """A sync with a section: ``sync(send="events")``."""
    return Sync.model_validate(
        {
            "name": "users",
            "database": "db",
            "destination": "analytics",
            "schedule": ScheduleConfig(),
            "query": "SELECT 1",
            "amplitude": section,
        }
    )
