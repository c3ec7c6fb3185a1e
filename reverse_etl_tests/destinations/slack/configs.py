"""Syncs and workspaces as tests need them."""

from __future__ import annotations

import os
from typing import Any

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.destinations.slack.config import Config
from reverse_etl.destinations.slack.sync import Sync

CREDENTIAL = "sandbox"


def workspace(url: str, **settings: Any) -> Config:
    """A workspace at an address; its token is the stand-in's."""
    os.environ["REVERSE_ETL_TESTS_TOKEN"] = CREDENTIAL
    settings = {"requests_per_second": 10_000, "messages_per_second_per_channel": 10_000, **settings}
    return Config(name="alerts", bot_token=Secret("${REVERSE_ETL_TESTS_TOKEN}"), url=EnvText(url), **settings)


def sync(**section: Any) -> Sync:
    """A sync with a section; by default ``{{text}}`` into a channel with an id."""
    return Sync.model_validate(
        {
            "name": "at_risk",
            "database": "db",
            "destination": "alerts",
            "schedule": ScheduleConfig(),
            "query": "SELECT 1",
            "slack": {"channel": "C000000001X", "message": "{{text}}", **section},
        }
    )
