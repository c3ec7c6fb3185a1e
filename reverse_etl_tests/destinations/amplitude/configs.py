"""Syncs and projects as tests need them."""

from __future__ import annotations

import os
from typing import Any, Final

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.destinations.amplitude.config import Config
from reverse_etl.destinations.amplitude.sync import Sync

CREDENTIAL = "sandbox"


def project(url: str, **settings: Any) -> Config:
    """A project at an address; its key is the stand-in's."""
    os.environ["REVERSE_ETL_TESTS_KEY"] = CREDENTIAL
    settings = {"requests_per_second": 10_000, **settings}
    keys = dict.fromkeys(("api_key", "secret_key"), Secret("${REVERSE_ETL_TESTS_KEY}"))
    return Config(name="analytics", url=EnvText(url), **{**keys, **settings})


MEMBERS: Final = {"send": "cohort", "cohort": {"name": "At risk", "owner": "ann@example.com", "app_id": 7}}
"""A cohort that is made where it is not there."""


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
