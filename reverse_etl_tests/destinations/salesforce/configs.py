"""Syncs and orgs as tests need them."""

from __future__ import annotations

import os
from typing import Any

from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.destinations.salesforce.config import Config
from reverse_etl.destinations.salesforce.sync import Sync

CREDENTIAL = "sandbox"


def org(url: str, **settings: Any) -> Config:
    """An org at an address; its app is the stand-in's."""
    os.environ["REVERSE_ETL_TESTS_KEY"] = CREDENTIAL
    key = Secret("${REVERSE_ETL_TESTS_KEY}")
    given = {"client_id": key, "requests_per_second": 10_000}
    if not {"private_key", "private_key_file"} & {*settings}:
        given["client_secret"] = key
    return Config(name="crm", url=EnvText(url), **(given | settings))


def sync(**section: Any) -> Sync:
    """A sync of accounts by their customer number, with more in its section."""
    return Sync.model_validate(
        {
            "name": "accounts",
            "database": "db",
            "destination": "crm",
            "schedule": ScheduleConfig(),
            "query": "SELECT 1",
            "salesforce": {"object": "Account", "identify_by": "Customer_No__c", **section},
        }
    )
